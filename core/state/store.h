/*
 * state/store.h - the SQLite store under the state directory. Internal to core/state.
 *
 * One connection, on the loop thread, WAL with synchronous=NORMAL: a commit is a write(2) into the WAL, so what was
 * acknowledged survives a kill -9 at any moment; a power failure may cost the last commits, never consistency. The only
 * fsyncs are those of checkpoints, and these run on a pool thread over a connection of their own.
 *
 * Statements are prepared once, when first used. Values are bound by a format string:
 * s text (NULL: SQL NULL), i int64_t, b blob (pointer, size_t).
 *
 * user_version is the schema's version. Older ones are migrated step by step in one transaction; a newer one is
 * refused; a file that is no database, or whose rows can't be read, is refused and left as it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_STORE_H
#define SKL_STATE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct loop;
struct sqlite3_stmt;
struct store;

#define STORE_SCHEMA_VERSION 1
#define STORE_CHECKPOINT_PAGES 1000

enum store_sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_META_GET,
    SQL_META_PUT,
    SQL_KV_GET,
    SQL_KV_PUT,
    SQL_KV_DELETE,
    SQL_CONTAINER_INSERT,
    SQL_CONTAINER_CREATED,   /* handle, visible */
    SQL_CONTAINER_STATE,
    SQL_CONTAINER_NAME,
    SQL_CONTAINER_HOST_CONFIG,
    SQL_CONTAINER_ENDPOINTS,
    SQL_CONTAINER_DELETE,
    SQL_CONTAINER_ALL,
    SQL_REMOVAL_INSERT,
    SQL_REMOVAL_DELETE,
    SQL_REMOVAL_ALL,
    SQL_IMAGE_PUT,
    SQL_IMAGE_DELETE,
    SQL_IMAGE_ALL,
    SQL_REF_PUT,
    SQL_REF_DELETE,
    SQL_REF_ALL,
    SQL_NETWORK_PUT,
    SQL_NETWORK_DELETE,
    SQL_NETWORK_ALL,
    SQL_VOLUME_PUT,
    SQL_VOLUME_DELETE,
    SQL_VOLUME_ALL,
    SQL_MAX
};

int store_open(struct loop *loop, const char *path, struct store **ret, struct skl_error *err);
void store_close(struct store *s);

/* Runs a statement that gives no rows. */
int store_run(struct store *s, enum store_sql sql, struct skl_error *err, const char *fmt, ...);

/* Runs a query; row is called for each row and returns 0 to go on (negative: stop, with err filled). */
typedef int (*store_row_fn)(void *arg, struct sqlite3_stmt *row, struct skl_error *err);
int store_query(struct store *s, enum store_sql sql, store_row_fn row, void *arg, struct skl_error *err,
                const char *fmt, ...);

/* Several statements that stand or fall together. Nesting is allowed; the outermost end counts. */
int store_begin(struct store *s, struct skl_error *err);
int store_commit(struct store *s, struct skl_error *err); /* rolls back when it fails */
void store_rollback(struct store *s);

/* ---- columns of a row; text is copied by the caller ---- */
const char *row_text(struct sqlite3_stmt *row, int col);   /* "" for NULL */
const char *row_text_or_null(struct sqlite3_stmt *row, int col);
int64_t row_i64(struct sqlite3_stmt *row, int col);
const void *row_blob(struct sqlite3_stmt *row, int col, size_t *ret_len);

#endif
