/*
 * simulator/auth/tokens.c - tokens handed out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/auth/auth.h"

static void token_free(struct sim *s, struct token *t)
{
    HASH_DEL(s->tokens, t);
    list_remove(&t->link);
    mem_wipe(t->name, strlen(t->name));
    free(t->name);
    free(t->email);
    free(t->scope);
    free(t);
}

void tokens_free(struct sim *s)
{
    LIST_FOREACH_SAFE(n, tmp, &s->token_order)
        token_free(s, LIST_ENTRY(n, struct token, link));
}

struct token *token_issue(struct sim *s, const char *email, const char *scope, int64_t life_s)
{
    struct token *t = xcalloc(1, sizeof(*t));
    char name[ID_SIZE];

    token_new(name);
    t->name = xasprintf("ya29.c.%s", name);
    t->email = xstrdup(email);
    t->scope = xstrdup(scope);
    t->ends = clock_wall() + life_s * NS_PER_S;
    HASH_ADD_KEYPTR(hh, s->tokens, t->name, strlen(t->name), t);
    list_push_back(&s->token_order, &t->link);
    if (HASH_COUNT(s->tokens) > AUTH_TOKENS_MAX)
        token_free(s, LIST_ENTRY(s->token_order.next, struct token, link));
    return t;
}

struct token *token_find(struct sim *s, const char *name)
{
    struct token *t;

    HASH_FIND_STR(s->tokens, name, t);
    return t != NULL && t->ends > clock_wall() ? t : NULL;
}

/* A number for an address, as Google has one for each account. */
static void subject_of(const char *email, char out[24])
{
    static const unsigned char key[16] = "simulator emails";

    snprintf(out, 24, "1%020llu", (unsigned long long)hash_siphash24(key, email, strlen(email)));
}

char *id_token(struct sim *s, const char *email, const char *audience, bool with_email)
{
    struct json_object *c = json_new_object();
    int64_t now = clock_wall() / NS_PER_S;
    char subject[24];

    subject_of(email, subject);
    json_add_string(c, "aud", audience);
    json_add_string(c, "azp", subject);
    if (with_email) {
        json_add_string(c, "email", email);
        json_add_bool(c, "email_verified", true);
    }
    json_add_i64(c, "exp", now + AUTH_LIFE_S);
    json_add_i64(c, "iat", now);
    json_add_string(c, "iss", "https://accounts.google.com");
    json_add_string(c, "sub", subject);
    return auth_sign(s, c);
}
