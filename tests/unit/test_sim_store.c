/*
 * tests/unit/test_sim_store.c - the order of log entries, however they come, and what is kept of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "harness.h"
#include "json/json.h"
#include "simulator/logging/logging.h"

static struct log_entry *make(int64_t time, const char *id, size_t text)
{
    struct log_entry *e = xcalloc(1, sizeof(*e));

    e->time = time;
    e->insert_id = xstrdup(id);
    e->log_name = xstrdup("projects/p/logs/l");
    e->parent_len = strlen("projects/p");
    e->resource = json_new_object();
    e->text = xcalloc(1, text + 1);
    e->text_len = text;
    return e;
}

static bool before(const struct log_entry *a, const struct log_entry *b)
{
    int ids = strcmp(a->insert_id, b->insert_id);

    return a->time != b->time ? a->time < b->time : ids != 0 ? ids < 0 : a->seq < b->seq;
}

static void check_order(const struct log_store *st)
{
    for (size_t i = 1; i < log_store_count(st); i++)
        CU_ASSERT(before(log_store_at(st, i - 1), log_store_at(st, i)));
}

static void test_order(void)
{
    struct log_store st = {0};
    uint64_t r = 42;

    for (int i = 0; i < 5000; i++) {
        char id[8];
        r = r * 6364136223846793005ULL + 1442695040888963407ULL;
        snprintf(id, sizeof(id), "%u", (unsigned)(r >> 40) % 50);
        log_store_add(&st, make((int64_t)(r >> 33) % 100, id, 0));
    }
    UNIT_INT_EQ(log_store_count(&st), 5000);
    check_order(&st);
    log_store_fini(&st);
    UNIT_INT_EQ(log_store_count(&st), 0);
}

static void test_places(void)
{
    struct log_store st = {0};
    struct log_position p = {.time = 5, .insert_id = "b", .seq = 0};

    log_store_add(&st, make(5, "c", 0));
    log_store_add(&st, make(5, "a", 0));
    log_store_add(&st, make(7, "a", 0));
    log_store_add(&st, make(3, "z", 0));
    UNIT_INT_EQ(log_store_after(&st, &p), 2);
    p = (struct log_position){.time = 5, .insert_id = "c", .seq = 0};
    UNIT_INT_EQ(log_store_after(&st, &p), 3);
    p = (struct log_position){.time = INT64_MIN, .insert_id = ""};
    UNIT_INT_EQ(log_store_after(&st, &p), 0);
    p = (struct log_position){.time = INT64_MAX, .insert_id = ""};
    UNIT_INT_EQ(log_store_after(&st, &p), 4);
    log_store_fini(&st);
}

static void test_the_oldest_go(void)
{
    struct log_store st = {0};

    for (unsigned i = 0; i < ENTRIES_MAX + 3000; i++)
        log_store_add(&st, make(i, "i", 0));
    UNIT_INT_EQ(log_store_count(&st), ENTRIES_MAX);
    UNIT_INT_EQ(log_store_at(&st, 0)->time, 3000);
    log_store_add(&st, make(1, "too old", 0));
    UNIT_INT_EQ(log_store_at(&st, 0)->time, 3000);
    check_order(&st);
    log_store_fini(&st);
    UNIT_INT_EQ(st.bytes, 0);
}

static void test_bytes(void)
{
    struct log_store st = {0};
    size_t n = ENTRIES_BYTES_MAX / ENTRY_SIZE_MAX + 100;

    for (size_t i = 0; i < n; i++)
        log_store_add(&st, make((int64_t)i, "i", ENTRY_SIZE_MAX));
    CU_ASSERT(st.bytes <= ENTRIES_BYTES_MAX && log_store_count(&st) < n - 90 && log_store_count(&st) > n - 200);
    UNIT_INT_EQ(log_store_at(&st, log_store_count(&st) - 1)->time, n - 1);
    log_store_fini(&st);
}

static bool is_even(void *arg, const struct log_entry *e)
{
    (void)arg;
    return e->time % 2 == 0;
}

static void test_remove(void)
{
    struct log_store st = {0};
    size_t bytes;

    log_store_add(&st, make(1, "i", 10));
    bytes = st.bytes;
    for (int i = 2; i < 100; i += 2)
        log_store_add(&st, make(i, "i", 10));
    UNIT_INT_EQ(log_store_remove(&st, is_even, NULL), 49);
    UNIT_INT_EQ(log_store_count(&st), 1);
    UNIT_INT_EQ(st.bytes, bytes);
    UNIT_INT_EQ(log_store_remove(&st, is_even, NULL), 0);
    log_store_fini(&st);
}

static void test_insert_ids_sort_as_they_were_made(void)
{
    struct log_store st = {0};
    char last[25] = "", id[25];

    for (int i = 0; i < 1000; i++) {
        log_insert_id_new(&st, 1764108000000000000LL + i * 7000000LL, id);
        CU_ASSERT(strlen(id) == 24 && strcmp(last, id) < 0 && str_is_hex(id));
        memcpy(last, id, sizeof(id));
    }
}

UNIT_MAIN("sim_store", UNIT(test_order), UNIT(test_places), UNIT(test_the_oldest_go), UNIT(test_bytes), UNIT(test_remove), UNIT(test_insert_ids_sort_as_they_were_made))
