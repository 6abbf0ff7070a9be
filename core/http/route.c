/*
 * http/route.c - see route.h.
 *
 * Both sides are cut into segments at '/', empty ones left out. {name*} is tried with as few segments as the rest of
 * the pattern allows, from the longest on, so that "/images/{name*}/json" takes "a/json" of "/images/a/json/json".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/route.h"

#define SEGMENTS_MAX 64
#define VALUE_MAX (64u * 1024)

struct segment {
    const char *p;
    size_t n;
};

static size_t cut(const char *path, struct segment *out)
{
    size_t count = 0;

    while (*path != '\0') {
        size_t n = strcspn(path, "/");
        if (n > 0) {
            if (count == SEGMENTS_MAX)
                return SEGMENTS_MAX + 1;
            out[count++] = (struct segment){path, n};
        }
        path += n;
        path += *path == '/';
    }
    return count;
}

static bool is_param(const struct segment *s)
{
    return s->p[0] == '{';
}

static bool is_rest(const struct segment *s)
{
    return is_param(s) && s->p[s->n - 2] == '*';
}

/* Values come percent-decoded; the raw text between the first and the last segment keeps its slashes. */
static bool take(struct route_match *m, const struct segment *pat, const struct segment *first,
                 const struct segment *last)
{
    const char *end = last->p + last->n;
    struct buf b;

    if (m->n == ROUTE_PARAMS_MAX)
        return false;
    buf_init(&b, VALUE_MAX);
    if (url_decode(&b, first->p, (size_t)(end - first->p), false) < 0) {
        buf_fini(&b);
        return false;
    }
    m->names[m->n] = pat->p + 1;
    m->name_lens[m->n] = pat->n - 2 - (is_rest(pat) ? 1 : 0);
    m->values[m->n++] = buf_steal(&b, NULL);
    return true;
}

static bool match(struct route_match *m, const struct segment *pat, size_t np, const struct segment *in, size_t ni)
{
    for (; np > 0; pat++, np--, in++, ni--) {
        if (ni < np)
            return false;
        if (is_rest(pat)) {
            size_t k = ni - (np - 1);
            if (!take(m, pat, in, in + k - 1))
                return false;
            in += k - 1;
            ni -= k - 1;
        } else if (is_param(pat)) {
            if (!take(m, pat, in, in))
                return false;
        } else if (pat->n != in->n || memcmp(pat->p, in->p, pat->n) != 0) {
            return false;
        }
    }
    return ni == 0;
}

bool route_match(const char *pattern, const char *raw_path, struct route_match *ret)
{
    struct segment pat[SEGMENTS_MAX], in[SEGMENTS_MAX];
    size_t np = cut(pattern, pat), ni = cut(raw_path, in);

    memset(ret, 0, sizeof(*ret));
    if (np > SEGMENTS_MAX || ni > SEGMENTS_MAX || !match(ret, pat, np, in, ni)) {
        route_match_fini(ret);
        return false;
    }
    return true;
}

const char *route_param(const struct route_match *m, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < m->n; i++)
        if (m->name_lens[i] == n && memcmp(m->names[i], name, n) == 0)
            return m->values[i];
    return NULL;
}

void route_match_fini(struct route_match *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->values[i]);
    m->n = 0;
}
