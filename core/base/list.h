/*
 * base/list.h - intrusive circular doubly linked list. A head is a node that links to itself.
 * A node is in at most one list; list_remove on an unlinked (self-linked) node is harmless.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_LIST_H
#define SKL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include "base/mem.h"

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *n) { n->prev = n->next = n; }
static inline bool list_empty(const struct list *head) { return head->next == head; }
static inline bool list_linked(const struct list *n) { return n->next != n && n->next != NULL; }

static inline void list_insert_between(struct list *n, struct list *prev, struct list *next)
{
    n->prev = prev;
    n->next = next;
    prev->next = n;
    next->prev = n;
}

static inline void list_push_back(struct list *head, struct list *n)
{
    list_insert_between(n, head->prev, head);
}

static inline void list_push_front(struct list *head, struct list *n)
{
    list_insert_between(n, head, head->next);
}

static inline void list_remove(struct list *n)
{
    if (n->next == NULL)
        return;
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)
/* The body may remove the current node, not others. */
#define LIST_FOREACH_SAFE(node, tmp, head) \
    for (struct list *node = (head)->next, *tmp = node->next; node != (head); node = tmp, tmp = node->next)

#endif
