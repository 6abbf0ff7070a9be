/*
 * Tests of http/blocks and base/ring: what goes in comes out, and how much memory it takes meanwhile.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include "base/mem.h"
#include "base/ring.h"
#include "http/blocks.h"
#include "tests/unit/harness.h"

#define PEEK 8

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 31 + (at >> 8));
}

static uint8_t *piece(uint64_t at, size_t n)
{
    uint8_t *p = xmalloc(n);

    for (size_t i = 0; i < n; i++)
        p[i] = pattern(at + i);
    return p;
}

static void put(struct http_blocks *q, uint64_t at, size_t n)
{
    CLEANUP(free_p) uint8_t *p = piece(at, n);

    blocks_append(q, p, n);
}

/* Takes n bytes from the front, less where the pieces seen hold less; returns how many. */
static size_t take(struct http_blocks *q, uint64_t at, size_t n)
{
    struct iovec iov[PEEK];
    int pieces = blocks_peek(q, iov, PEEK);
    size_t taken = 0;

    for (int i = 0; i < pieces; i++) {
        const uint8_t *p = iov[i].iov_base;
        for (size_t k = 0; k < iov[i].iov_len && taken < n; k++, taken++) {
            if (p[k] != pattern(at + taken))
                return 0;
        }
    }
    blocks_consume(q, taken);
    return taken;
}

static void test_blocks_keep_order(void)
{
    struct http_blocks q = {0};
    uint64_t in = 0, out = 0;

    for (unsigned i = 1; i < 2000; i++) {
        size_t n = (size_t)i * 7919 % (i % 50 == 0 ? 300000 : 900), got;
        put(&q, in, n);
        in += n;
        got = take(&q, out, (size_t)i * 104729 % (i % 40 == 0 ? 500000 : 700));
        out += got;
        CU_ASSERT_EQUAL(q.len, in - out);
    }
    while (q.len > 0) {
        size_t got = take(&q, out, 100000);
        CU_ASSERT_FATAL(got > 0);
        out += got;
    }
    CU_ASSERT_EQUAL(in, out);
    CU_ASSERT_PTR_NULL(q.first);
    CU_ASSERT_PTR_NULL(q.last);
}

/* TLS repeats a write that did not go through; it insists on at least the same bytes in one piece, up to a record. */
static void test_blocks_begin_in_one_piece(void)
{
    static const size_t sizes[] = {1, 500, 513, 5000, 16384, 40000, 300000};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct http_blocks q = {0};
        struct iovec iov;

        put(&q, 0, sizes[i]);
        put(&q, sizes[i], 100);
        CU_ASSERT_EQUAL(blocks_peek(&q, &iov, 1), 1);
        CU_ASSERT(iov.iov_len >= (sizes[i] < 16384 ? sizes[i] : 16384));
        blocks_fini(&q);
        CU_ASSERT_EQUAL(q.len, 0);
        CU_ASSERT_PTR_NULL(q.first);
    }
}

static bool ring_is(struct ring *r, uint64_t *at, size_t max)
{
    size_t n;
    const uint8_t *p = ring_take(r, max, &n);

    for (size_t i = 0; i < n; i++) {
        if (p[i] != pattern(*at + i))
            return false;
    }
    *at += n;
    ring_ack(r, n);
    return true;
}

static void ring_fill(struct ring *r, uint64_t *at, size_t n)
{
    CLEANUP(free_p) uint8_t *p = piece(*at, n);

    ring_put(r, p, n);
    *at += n;
}

static void test_ring_grows_around_its_wrap(void)
{
    struct ring r = {0};
    uint64_t in = 0, out = 0;

    for (unsigned i = 1; i < 600; i++) {
        ring_fill(&r, &in, (size_t)i * 7919 % 3000);
        CU_ASSERT_TRUE(ring_is(&r, &out, (size_t)i * 104729 % 2500));
        if (i % 7 == 0) { /* a lost link: once more from what was acknowledged */
            size_t n;
            ring_take(&r, 100, &n);
            ring_rewind(&r);
        }
    }
    while (ring_len(&r) > 0)
        CU_ASSERT_TRUE_FATAL(ring_is(&r, &out, 100000));
    CU_ASSERT_EQUAL(in, out);
    ring_fill(&r, &in, 10);
    CU_ASSERT_TRUE(ring_is(&r, &out, 10));
    CU_ASSERT_EQUAL(r.cap, 0); /* empty, and little was used: no memory */
    ring_fini(&r);
}

static void test_ring_reserved_stays(void)
{
    struct ring r = {0};
    uint64_t in = 0, out = 0;
    const uint8_t *memory;

    ring_fill(&r, &in, 1000);
    ring_reserve(&r, 256 * 1024);
    memory = r.data;
    CU_ASSERT_EQUAL(r.cap, 256 * 1024);
    for (int i = 0; i < 50; i++) {
        ring_fill(&r, &in, 100000);
        while (ring_len(&r) > 0)
            CU_ASSERT_TRUE_FATAL(ring_is(&r, &out, 70000));
        CU_ASSERT_PTR_EQUAL(r.data, memory);
    }
    CU_ASSERT_EQUAL(in, out);
    ring_fini(&r);
}

static void ring_pass(struct ring *r, uint64_t *in, uint64_t *out, size_t n)
{
    ring_fill(r, in, n);
    while (ring_len(r) > 0)
        CU_ASSERT_TRUE_FATAL(ring_is(r, out, n));
}

/* In full flow the memory stays though it is empty now and then; when less comes it goes. */
static void test_ring_well_used_stays(void)
{
    struct ring r = {0};
    uint64_t in = 0, out = 0;
    const uint8_t *memory;

    ring_pass(&r, &in, &out, 100000);
    memory = r.data;
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    for (int i = 0; i < 50; i++) {
        ring_pass(&r, &in, &out, 40000 + (size_t)i * 1000);
        CU_ASSERT_PTR_EQUAL(r.data, memory);
    }
    ring_pass(&r, &in, &out, 1000);
    CU_ASSERT_PTR_NULL(r.data);
    ring_pass(&r, &in, &out, 3000); /* little at a time holds nothing in between */
    CU_ASSERT_PTR_NULL(r.data);
    ring_fini(&r);
}

UNIT_MAIN("http_blocks", UNIT(test_blocks_keep_order), UNIT(test_blocks_begin_in_one_piece), UNIT(test_ring_grows_around_its_wrap),
          UNIT(test_ring_reserved_stays), UNIT(test_ring_well_used_stays))
