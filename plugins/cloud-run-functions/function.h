/*
 * function.h - the function that stands for a container: names, labels, what the cloud says about it, and the
 * handle.
 *
 * The function's ID is `skls-` and the first 12 digits of the container's ID. Labels tell what is ours: who
 * manages it, which daemon, the whole container ID (64 digits do not fit one label: two halves), and a nonce
 * that only this daemon can know, by which a create whose answer was lost recognises its own function.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_FUNCTION_H
#define SKL_GCF_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sockerless/driver.h"

struct json_object;

#define GCF_ID_MAX    64
#define GCF_LABEL_MAX 64
#define GCF_NAME_MAX  256
#define GCF_URI_MAX   1024

#define GCF_LABEL_MANAGED "managed-by"
#define GCF_LABEL_DAEMON  "sockerless-daemon"
#define GCF_LABEL_ID_HEAD "sockerless-container-head"
#define GCF_LABEL_ID_TAIL "sockerless-container-tail"
#define GCF_LABEL_NONCE   "sockerless-nonce"
#define GCF_MANAGED_BY    "sockerless"

enum gcf_state {
    GCF_STATE_UNKNOWN,
    GCF_STATE_ACTIVE,
    GCF_STATE_FAILED,
    GCF_STATE_DEPLOYING,
    GCF_STATE_DELETING
};

/* What a Function resource says, as far as this driver cares. */
struct gcf_function {
    char name[GCF_NAME_MAX]; /* projects/P/locations/L/functions/F; "" when absent */
    enum gcf_state state;
    char state_text[32];        /* the cloud's word */
    char uri[GCF_URI_MAX];      /* "" when not known yet */
    char service[GCF_NAME_MAX]; /* of Cloud Run; "" */
    char container_id[65];      /* "" when the labels do not tell */
    char daemon[GCF_LABEL_MAX];
    char nonce[GCF_LABEL_MAX];
    char message[512]; /* first state message; "" */
    int64_t created;   /* wall ns by Google's clock; 0 unknown */
};
void gcf_function_read(struct gcf_function *f, struct json_object *o);
/* A time as wall ns; 0: there is none. */
int64_t gcf_time_read(struct json_object *o, const char *path);

/* skls-<first 12>. */
void gcf_function_id(const char *container_id, char out[GCF_ID_MAX]);
/* projects/P/locations/L/functions/skls-<first 12>. */
void gcf_function_name(const char *project, const char *region, const char *container_id,
                       char out[GCF_NAME_MAX]);
/* A label value for the daemon's ID: itself where legal, else a digest. */
void gcf_daemon_label(const char *daemon_id, char out[GCF_LABEL_MAX]);
/* The nonce of this container's create. Secret input, public output. */
void gcf_nonce(const struct skl_container *c, char out[GCF_LABEL_MAX]);

/* The handle: what later requests need, as JSON text. */
struct gcf_handle {
    char name[GCF_NAME_MAX];      /* of the function */
    char uri[GCF_URI_MAX];        /* "" while it is being made in the background */
    char operation[GCF_NAME_MAX]; /* of the create, with an empty uri */
    int64_t created;              /* wall ns by our clock: when it was ready; 0 unknown */
    int64_t made;                 /* wall ns by Google's: when its create was accepted; 0 unknown */
};
/* New text, or NULL. */
char *gcf_handle_write(const struct gcf_handle *h);
/* False when it is not one of ours. */
bool gcf_handle_read(struct gcf_handle *h, const char *text);

#endif
