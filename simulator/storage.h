/*
 * simulator/storage.h - the part of Cloud Storage that deployments use: objects in buckets, kept in the state directory.
 *
 * An object is two files, named by the SHA-256 of "bucket/name": <hash>.data and <hash>.json (the resource). What is being uploaded is
 * neither, until it is complete.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_STORAGE_H
#define SKL_SIM_STORAGE_H

#include "simulator/sim.h"

#define STORAGE_OBJECT_MAX (UINT64_C(5) << 30)
#define STORAGE_SOURCE_MAX (UINT64_C(100) << 20) /* of a function */

struct storage_write;

bool storage_has(struct sim *s, const char *bucket, const char *name);
/* The object's resource, or NULL. */
struct json_object *storage_find(struct sim *s, const char *bucket, const char *name);
char *storage_path(struct sim *s, const char *bucket, const char *name); /* of its bytes; caller frees */
int storage_copy(struct sim *s, const char *bucket, const char *name, const char *to_bucket, const char *to_name, struct skl_error *err);
int storage_remove(struct sim *s, const char *bucket, const char *name, struct skl_error *err);
/* All resources of a bucket; bucket "" for all. */
struct json_object *storage_list(struct sim *s, const char *bucket, const char *prefix);

struct storage_write *storage_write_begin(struct sim *s, uint64_t max, struct skl_error *err);
int storage_write(struct storage_write *w, const void *p, size_t n, struct skl_error *err);
uint64_t storage_written(const struct storage_write *w);
/* Puts it in place and frees; the resource, or NULL with err. content_type may be NULL. */
struct json_object *storage_write_end(struct storage_write *w, const char *bucket, const char *name, const char *content_type, struct skl_error *err);
void storage_write_abort(struct storage_write *w);   /* takes NULL */

/* Sends the bytes of a file as the answer to a request (and frees it), honouring Range; headers may have been set. close_fn runs at the end. */
void send_file(struct sim_call *c, const char *path, const char *content_type);

/* upload.c: a URL that lets its holder do `method` with one object until it runs out. Caller frees. */
char *storage_sign(struct sim *s, const char *method, const char *bucket, const char *name);

#endif
