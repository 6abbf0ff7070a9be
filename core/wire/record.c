/*
 * wire/record.c - encoding of output records. See record.h for the format.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire/record.h"
#include <endian.h>
#include <string.h>

static void put_be32(uint8_t *p, uint32_t v)
{
    v = htobe32(v);
    memcpy(p, &v, sizeof(v));
}

static uint32_t get_be32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return be32toh(v);
}

void record_encode(const struct record *r, uint8_t out[RECORD_HEADER_SIZE])
{
    uint64_t time = htobe64((uint64_t)r->time);

    out[0] = r->kind;
    out[1] = out[2] = out[3] = 0;
    put_be32(out + 4, r->len);
    memcpy(out + 8, &time, sizeof(time));
}

int record_decode(const uint8_t in[RECORD_HEADER_SIZE], struct record *ret)
{
    uint32_t len = get_be32(in + 4);
    uint64_t time;

    if (in[0] < RECORD_STDOUT || in[0] > RECORD_RUN || in[1] != 0 || in[2] != 0 || in[3] != 0)
        return -1;
    if (len > RECORD_PAYLOAD_MAX)
        return -1;
    memcpy(&time, in + 8, sizeof(time));
    ret->kind = in[0];
    ret->len = len;
    ret->time = (int64_t)be64toh(time);
    return 0;
}

size_t record_exit_encode(const struct record_exit *e, uint8_t out[12 + RECORD_EXIT_REASON_MAX])
{
    size_t n = strnlen(e->reason, RECORD_EXIT_REASON_MAX);

    put_be32(out, (uint32_t)e->code);
    put_be32(out + 4, (uint32_t)e->signal);
    put_be32(out + 8, e->flags);
    memcpy(out + 12, e->reason, n);
    return 12 + n;
}

int record_exit_decode(const uint8_t *p, size_t n, struct record_exit *ret)
{
    if (n < 12 || n > 12 + RECORD_EXIT_REASON_MAX)
        return -1;
    ret->code = (int32_t)get_be32(p);
    ret->signal = (int32_t)get_be32(p + 4);
    ret->flags = get_be32(p + 8);
    if (ret->code < 0 || ret->code > 255 || ret->signal < 0 || ret->signal > 64)
        return -1;
    memcpy(ret->reason, p + 12, n - 12);
    ret->reason[n - 12] = '\0';
    return 0;
}

void record_reader_init(struct record_reader *r)
{
    memset(r, 0, sizeof(*r));
}
