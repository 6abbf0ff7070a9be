/*
 * Tests of base/mem, base/id, base/hash and base/list.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/id.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/harness.h"

static void test_mem(void)
{
    CLEANUP(free_p) char *a = xasprintf("%d-%s", 1, "x");
    CLEANUP(free_p) char *b = xstrndup("abcdef", 3);
    CLEANUP(free_p) char *moved = NULL;
    CLEANUP(close_p) int none = -1;
    char secret[4] = "key";

    (void)none;
    UNIT_STR_EQ(a, "1-x");
    UNIT_STR_EQ(b, "abc");
    CU_ASSERT_PTR_NULL(xstrdup(NULL));
    moved = STEAL(a);
    CU_ASSERT_PTR_NULL(a);
    UNIT_STR_EQ(moved, "1-x");
    mem_wipe(secret, sizeof(secret));
    CU_ASSERT_EQUAL(memcmp(secret, "\0\0\0\0", 4), 0);
    free(xmemdup(NULL, 0));
    free(xcalloc(0, 8));
    free(xrealloc(NULL, 0));
}

static void test_ids(void)
{
    char a[ID_SIZE], b[ID_SIZE];

    for (int i = 0; i < 2000; i++) {
        id_new(a);
        CU_ASSERT_TRUE_FATAL(strlen(a) == 64 && str_is_hex(a));
        CU_ASSERT_TRUE_FATAL(strspn(a, "0123456789") < ID_SHORT_LEN);
    }
    token_new(a);
    token_new(b);
    CU_ASSERT_TRUE(strlen(a) == 64 && str_is_hex(a) && strcmp(a, b) != 0);
    CU_ASSERT_TRUE(random_u64() != random_u64());
}

static void test_siphash_vectors(void)
{
    /* The first and some later of the vectors in the SipHash paper's reference code (key and text 00 01 02 ...) */
    static const struct {
        size_t n;
        uint64_t hash;
    } t[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)}, {7, UINT64_C(0xab0200f58b01d137)},
        {8, UINT64_C(0x93f5f5799a932462)}, {15, UINT64_C(0xa129ca6149be45e5)},
    };
    unsigned char key[16], text[16];

    for (size_t i = 0; i < 16; i++)
        key[i] = text[i] = (unsigned char)i;
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        CU_ASSERT_EQUAL(hash_siphash24(key, text, t[i].n), t[i].hash);
    CU_ASSERT_EQUAL(hash_bytes("abc", 3), hash_bytes("abc", 3));
    CU_ASSERT_NOT_EQUAL(hash_bytes("abc", 3), hash_bytes("abd", 3));
}

struct entry {
    char name[16];
    int value;
    UT_hash_handle hh;
};

static void test_table(void)
{
    struct entry *table = NULL, entries[100], *e;

    for (int i = 0; i < 100; i++) {
        snprintf(entries[i].name, sizeof(entries[i].name), "key%d", i);
        entries[i].value = i;
        HASH_ADD_STR(table, name, &entries[i]);
    }
    HASH_FIND_STR(table, "key42", e);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e);
    UNIT_INT_EQ(e->value, 42);
    HASH_DEL(table, e);
    HASH_FIND_STR(table, "key42", e);
    CU_ASSERT_PTR_NULL(e);
    UNIT_INT_EQ(HASH_COUNT(table), 99);
    HASH_CLEAR(hh, table);
}

struct item {
    int n;
    struct list link;
};

static void test_list(void)
{
    struct list head;
    struct item items[4] = {{.n = 0}, {.n = 1}, {.n = 2}, {.n = 3}};
    int sum = 0;

    list_init(&head);
    CU_ASSERT_TRUE(list_empty(&head));
    list_remove(&items[0].link); /* never linked: harmless */
    for (int i = 1; i < 4; i++)
        list_push_back(&head, &items[i].link);
    list_push_front(&head, &items[0].link);
    LIST_FOREACH_SAFE(node, tmp, &head)
    {
        struct item *it = LIST_ENTRY(node, struct item, link);

        sum = sum * 10 + it->n;
        if (it->n == 2)
            list_remove(node);
    }
    UNIT_INT_EQ(sum, 123);
    CU_ASSERT_FALSE(list_linked(&items[2].link));
    CU_ASSERT_PTR_EQUAL(items[1].link.next, &items[3].link);
}

UNIT_MAIN("misc", UNIT(test_mem), UNIT(test_ids), UNIT(test_siphash_vectors), UNIT(test_table), UNIT(test_list))
