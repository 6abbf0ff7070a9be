/*
 * function.c - see function.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/function.h"
#include "gcp/json.h"
#include "gcp/str.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define HANDLE_VERSION 1
#define ID_HALF        32
#define NONCE_DIGITS   40

static const char *const state_names[] = {"STATE_UNSPECIFIED", "ACTIVE",        "FAILED",
                                          "DEPLOYING",         "DELETING",      "UNKNOWN",
                                          "DETACHING",         "DETACH_FAILED", NULL};

static void copy(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text && strlen(text) < size ? text : "");
}

static bool is_hex(const char *s, size_t n)
{
    return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

static void read_labels(struct gcf_function *f, struct json_object *o)
{
    struct json_object *labels = gcp_json_get(o, "labels");
    const char *head = gcp_json_str(labels, GCF_LABEL_ID_HEAD),
               *tail = gcp_json_str(labels, GCF_LABEL_ID_TAIL);

    copy(f->daemon, sizeof(f->daemon), gcp_json_str(labels, GCF_LABEL_DAEMON));
    copy(f->nonce, sizeof(f->nonce), gcp_json_str(labels, GCF_LABEL_NONCE));
    if (head && tail && is_hex(head, ID_HALF) && is_hex(tail, ID_HALF))
        (void)snprintf(f->container_id, sizeof(f->container_id), "%s%s", head, tail);
}

static void read_message(struct gcf_function *f, struct json_object *o)
{
    struct json_object *list = gcp_json_array(o, "stateMessages");
    const char *text = list && json_object_array_length(list)
                           ? gcp_json_str(json_object_array_get_idx(list, 0), "message")
                           : NULL;

    (void)snprintf(f->message, sizeof(f->message), "%.*s", (int)sizeof(f->message) - 1, text ? text : "");
}

static enum gcf_state state_of(const char *word)
{
    if (!strcmp(word, "ACTIVE"))
        return GCF_STATE_ACTIVE;
    if (!strcmp(word, "DEPLOYING"))
        return GCF_STATE_DEPLOYING;
    if (!strcmp(word, "DELETING"))
        return GCF_STATE_DELETING;
    /* UNKNOWN: "deployment failed and the serving state is undefined" */
    return !strcmp(word, "FAILED") || !strcmp(word, "UNKNOWN") ? GCF_STATE_FAILED : GCF_STATE_UNKNOWN;
}

int64_t gcf_time_read(struct json_object *o, const char *path)
{
    const char *text = gcp_json_str(o, path);
    int64_t ns;

    return text && gcp_time_parse(text, &ns) ? ns : 0;
}

void gcf_function_read(struct gcf_function *f, struct json_object *o)
{
    const char *word = gcp_json_enum(o, "state", state_names);

    memset(f, 0, sizeof(*f));
    copy(f->name, sizeof(f->name), gcp_json_str(o, "name"));
    f->state = state_of(word ? word : "");
    copy(f->state_text, sizeof(f->state_text), word);
    copy(f->uri, sizeof(f->uri), gcp_json_str(o, "serviceConfig.uri"));
    copy(f->service, sizeof(f->service), gcp_json_str(o, "serviceConfig.service"));
    read_labels(f, o);
    read_message(f, o);
    f->created = gcf_time_read(o, "createTime");
}

void gcf_function_id(const char *container_id, char out[GCF_ID_MAX])
{
    (void)snprintf(out, GCF_ID_MAX, "skls-%.12s", container_id);
}

void gcf_function_name(const char *project, const char *region, const char *container_id,
                       char out[GCF_NAME_MAX])
{
    char id[GCF_ID_MAX];

    gcf_function_id(container_id, id);
    (void)snprintf(out, GCF_NAME_MAX, "projects/%s/locations/%s/functions/%s", project, region, id);
}

/* The first `digits` of SHA-256 over the texts, each ended by a NUL. */
static void digest(const char *const *texts, size_t n, size_t digits, char *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char md[EVP_MAX_MD_SIZE] = {0};
    unsigned len = 0;
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; ok && i < n; i++)
        ok = EVP_DigestUpdate(ctx, texts[i] ? texts[i] : "", strlen(texts[i] ? texts[i] : "") + 1) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, md, &len) == 1;
    EVP_MD_CTX_free(ctx);
    for (size_t i = 0; i < digits / 2; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", md[i]);
}

void gcf_daemon_label(const char *daemon_id, char out[GCF_LABEL_MAX])
{
    const char *id = daemon_id ? daemon_id : "";
    size_t n = strlen(id);

    if (n < GCF_LABEL_MAX && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n)
        (void)snprintf(out, GCF_LABEL_MAX, "%s", id);
    else
        digest(&id, 1, NONCE_DIGITS, out);
}

void gcf_nonce(const struct skl_container *c, char out[GCF_LABEL_MAX])
{
    const char *const texts[] = {"sockerless nonce", c->daemon_id, c->id, c->agent_token};

    digest(texts, 4, NONCE_DIGITS, out);
}

char *gcf_handle_write(const struct gcf_handle *h)
{
    struct json_object *o = json_object_new_object();
    char *text;

    gcp_json_put_int(o, "v", HANDLE_VERSION);
    gcp_json_put_str(o, "function", h->name);
    gcp_json_put_str(o, "uri", *h->uri ? h->uri : NULL);
    gcp_json_put_str(o, "operation", *h->operation ? h->operation : NULL);
    if (h->created)
        gcp_json_put_int(o, "created", h->created);
    if (h->made)
        gcp_json_put_int(o, "made", h->made);
    text = gcp_dup(gcp_json_text(o));
    json_object_put(o);
    return text;
}

bool gcf_handle_read(struct gcf_handle *h, const char *text)
{
    struct json_object *o = text ? gcp_json_parse(text, strlen(text)) : NULL;

    memset(h, 0, sizeof(*h));
    copy(h->name, sizeof(h->name), gcp_json_str(o, "function"));
    copy(h->uri, sizeof(h->uri), gcp_json_str(o, "uri"));
    copy(h->operation, sizeof(h->operation), gcp_json_str(o, "operation"));
    h->created = gcp_json_int(o, "created", 0);
    h->made = gcp_json_int(o, "made", 0);
    json_object_put(o);
    return gcp_has_prefix(h->name, "projects/") && !strstr(h->name, "..");
}
