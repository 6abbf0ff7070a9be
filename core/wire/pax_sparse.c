/*
 * wire/pax_sparse.c - maps of sparse files: GNU's own ('S'), pax 0.0, 0.1 and 1.0.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "wire/pax_impl.h"

static int bad(struct skl_error *err)
{
    return error_set(err, SKL_ERR_INVALID, "invalid tar header: the map of a sparse file");
}

void pax_sparse_reset(struct pax_sparse *s)
{
    free(s->pieces);
    free(s->name);
    *s = (struct pax_sparse){.real_size = -1};
}

static int add(struct pax_sparse *s, int64_t offset, int64_t len, struct skl_error *err)
{
    const struct sparse_piece *last = s->n > 0 ? &s->pieces[s->n - 1] : NULL;

    if (s->n == PAX_SPARSE_MAX || offset < 0 || len < 0 || offset > INT64_MAX - len ||
        (last != NULL && offset < last->offset + last->len))
        return bad(err);
    if (s->n == s->cap) {
        s->cap = s->cap > 0 ? 2 * s->cap : 16;
        s->pieces = xrealloc(s->pieces, s->cap * sizeof(*s->pieces));
    }
    s->pieces[s->n++] = (struct sparse_piece){offset, len};
    return 0;
}

/* ---- pax records ---- */

static int take_map(struct pax_sparse *s, const char *value, struct skl_error *err)
{
    size_t n;
    char **parts = str_split(value, ',', &n);
    int rc = n % 2 == 0 ? 0 : bad(err);

    for (size_t i = 0; rc == 0 && i + 1 < n; i += 2) {
        int64_t offset, len;
        if (!str_to_i64(parts[i], 0, INT64_MAX, &offset) || !str_to_i64(parts[i + 1], 0, INT64_MAX, &len))
            rc = bad(err);
        else
            rc = add(s, offset, len, err);
    }
    free(parts);
    return rc;
}

int pax_sparse_record(struct pax_sparse *s, const char *key, const char *value, struct skl_error *err)
{
    int64_t v = 0;

    if (str_eq(key, "name")) {
        free(s->name);
        s->name = xstrdup(value);
        return 0;
    }
    s->on = true;
    if (str_eq(key, "map"))
        return take_map(s, value, err);
    if (!str_to_i64(value, 0, INT64_MAX, &v))
        return bad(err);
    if (str_eq(key, "size") || str_eq(key, "realsize"))
        s->real_size = v;
    else if (str_eq(key, "major"))
        s->major = v > 9 ? 9 : (int)v;
    else if (str_eq(key, "minor"))
        s->minor = v > 9 ? 9 : (int)v;
    else if (str_eq(key, "offset")) {
        if (add(s, v, 0, err) < 0)
            return -1;
        s->half = true;
    } else if (str_eq(key, "numbytes")) {
        if (!s->half || v > INT64_MAX - s->pieces[s->n - 1].offset)
            return bad(err);
        s->pieces[s->n - 1].len = v;
        s->half = false;
    }
    return 0;
}

/* ---- the map and the file ---- */

/* Stored bytes and the map must agree, else content would be shifted. */
static int check(struct pax_reader *r, struct skl_error *err)
{
    const struct pax_sparse *m = &r->map;
    int64_t sum = 0;

    for (size_t i = 0; i < m->n; i++) {
        if (m->pieces[i].len > r->left - sum || m->pieces[i].offset + m->pieces[i].len > r->entry.size)
            return bad(err);
        sum += m->pieces[i].len;
    }
    return sum == r->left ? 0 : bad(err);
}

static int pieces_of(struct pax_sparse *m, const uint8_t *p, size_t n, struct skl_error *err)
{
    for (size_t i = 0; i < n; i++, p += 24) {
        int64_t offset, len;
        if (p[0] == 0 && p[12] == 0)
            return 0;
        if (!pax_number(p, 12, &offset) || !pax_number(p + 12, 12, &len) || add(m, offset, len, err) < 0)
            return bad(err);
    }
    return 0;
}

static int begin_gnu(struct pax_reader *r, struct skl_error *err)
{
    int64_t real;

    if (!pax_number(r->block + 483, 12, &real) || real < 0 || pieces_of(&r->map, r->block + 386, 4, err) < 0)
        return bad(err);
    r->map.on = true;
    r->entry.size = real;
    if (r->block[482] != 0) {
        r->state = READ_SPARSE;
        return 0;
    }
    return check(r, err);
}

int pax_sparse_begin(struct pax_reader *r, struct skl_error *err)
{
    if (r->entry.type != PAX_FILE)
        return 0;
    if (r->block[156] == 'S')
        return begin_gnu(r, err);
    if (!r->sparse.on)
        return 0;
    if (r->sparse.real_size < 0 || r->sparse.half)
        return bad(err);
    r->map = r->sparse;
    r->map.name = NULL;
    r->sparse.pieces = NULL;
    r->sparse.n = r->sparse.cap = 0;
    r->entry.size = r->map.real_size;
    if (r->map.major != 1)
        return check(r, err);
    r->state = READ_SPARSE;
    r->text = (struct pax_map_text){.count = -1};
    return 0;
}

/* ---- blocks of a map ---- */

static int complete(struct pax_reader *r, struct pax_event *ev, struct skl_error *err)
{
    if (check(r, err) < 0) {
        r->state = READ_BAD;
        return -1;
    }
    r->state = READ_CONTENT;
    ev->kind = PAX_ENTRY;
    ev->entry = &r->entry;
    return 0;
}

static int gnu_block(struct pax_reader *r, struct pax_event *ev, struct skl_error *err)
{
    if (pieces_of(&r->map, r->block, 21, err) < 0)
        return -1;
    return r->block[504] != 0 ? 0 : complete(r, ev, err);
}

/* 1.0: "COUNT\n" and COUNT times "OFFSET\nLENGTH\n", padded to a block; numbers go on from block to block. */
static int take_number(struct pax_map_text *t, struct pax_sparse *m, struct skl_error *err)
{
    if (!t->digits)
        return bad(err);
    if (t->count < 0)
        t->count = t->value;
    else if (!t->second)
        t->offset = t->value;
    else if (add(m, t->offset, t->value, err) < 0)
        return -1;
    else
        t->count--;
    t->second = t->count >= 0 && t->seen > 0 && !t->second;
    t->seen++;
    t->value = 0;
    t->digits = false;
    return 0;
}

static int lines_block(struct pax_reader *r, struct pax_event *ev, struct skl_error *err)
{
    struct pax_map_text *t = &r->text;

    if (r->left < (int64_t)PAX_BLOCK)
        return bad(err);
    r->left -= PAX_BLOCK;
    for (size_t i = 0; i < PAX_BLOCK && t->count != 0; i++) {
        uint8_t c = r->block[i];
        if (c == '\n') {
            if (take_number(t, &r->map, err) < 0)
                return -1;
        } else if (c < '0' || c > '9' || t->value > (INT64_MAX - 9) / 10) {
            return bad(err);
        } else {
            t->value = t->value * 10 + (c - '0');
            t->digits = true;
        }
    }
    return t->count == 0 ? complete(r, ev, err) : 0;
}

int pax_sparse_block(struct pax_reader *r, struct pax_event *ev, struct skl_error *err)
{
    int rc = r->map.major == 1 ? lines_block(r, ev, err) : gnu_block(r, ev, err);

    if (rc < 0)
        r->state = READ_BAD;
    return rc;
}

size_t pax_sparse_place(struct pax_reader *r, size_t n, int64_t *ret_offset)
{
    struct pax_sparse *m = &r->map;
    const struct sparse_piece *piece;

    if (!m->on) {
        *ret_offset = r->offset;
        r->offset += (int64_t)n;
        return n;
    }
    while (m->at < m->n && m->in_piece == m->pieces[m->at].len) {
        m->at++;
        m->in_piece = 0;
    }
    if (m->at == m->n) /* can't be: check() */
        return 0;
    piece = &m->pieces[m->at];
    if ((int64_t)n > piece->len - m->in_piece)
        n = (size_t)(piece->len - m->in_piece);
    *ret_offset = piece->offset + m->in_piece;
    m->in_piece += (int64_t)n;
    return n;
}
