/*
 * api/detach.c - see detach.h. Keys of the sequence are held back until it is clear whether it goes on; a program that
 * wants ctrl-p itself gets it together with the next key, as with Docker.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/detach.h"
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "base/str.h"

static int key_of(const char *word)
{
    static const char others[] = "@[\\]^_";
    const char *c = word + 5, *at;

    if (word[0] != '\0' && word[1] == '\0')
        return (unsigned char)word[0];
    if (strncasecmp(word, "ctrl-", 5) != 0 || c[0] == '\0' || c[1] != '\0')
        return -1;
    if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'))
        return (*c | 0x20) - 'a' + 1;
    if (*c == '@')
        return 0;
    at = strchr(others, *c);
    return at != NULL ? 27 + (int)(at - others) - 1 : -1;
}

int detach_parse(const char *text, struct detach *ret, struct skl_error *err)
{
    size_t n;
    CLEANUP(free_p) char **words = str_split(str_empty(text) ? "ctrl-p,ctrl-q" : text, ',', &n);

    *ret = (struct detach){0};
    if (n > DETACH_KEYS_MAX)
        return error_set(err, SKL_ERR_INVALID, "Invalid detach keys (%s) provided", text);
    for (size_t i = 0; i < n; i++) {
        int key = key_of(words[i]);
        if (key < 0)
            return error_set(err, SKL_ERR_INVALID, "Invalid detach keys (%s) provided: Unknown character: '%s'", text,
                             words[i]);
        ret->keys[ret->n++] = (unsigned char)key;
    }
    return 0;
}

static void release(struct detach *d, void (*out)(void *, const char *, size_t), void *arg)
{
    size_t n = d->matched;

    d->matched = 0;
    if (n > 0)
        out(arg, (const char *)d->keys, n);
}

bool detach_feed(struct detach *d, const char *p, size_t n, void (*out)(void *, const char *, size_t), void *arg)
{
    size_t from = 0;

    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)p[i] == d->keys[d->matched]) {
            if (d->matched == 0 && i > from)
                out(arg, p + from, i - from);
            if (++d->matched == d->n) {
                d->matched = 0;
                return true;
            }
            from = i + 1;
        } else if (d->matched > 0) {
            release(d, out, arg);
            from = i;
            i--; /* this key may begin the sequence anew; matched is 0 now, so it goes on */
        }
    }
    if (n > from)
        out(arg, p + from, n - from);
    return false;
}
