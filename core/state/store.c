/*
 * state/store.c - see store.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "state/store.h"

struct store {
    struct loop *loop;
    sqlite3 *db;
    char *path;
    sqlite3_stmt *stmts[SQL_MAX];
    unsigned depth;      /* of store_begin() */
    bool failed;         /* an inner part of the transaction was rolled back */
    struct checkpoint *checkpoint; /* in progress on a pool thread */
};

static const char *const schema_1 =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE kv(driver TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY(driver, key)) STRICT;"
    "CREATE TABLE containers("
    " seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,"
    " image_ref TEXT NOT NULL, image_id TEXT NOT NULL, driver TEXT NOT NULL, handle TEXT, platform TEXT NOT NULL,"
    " config TEXT NOT NULL, host_config TEXT NOT NULL, token TEXT NOT NULL, mounts TEXT NOT NULL,"
    " endpoints TEXT NOT NULL, visible INTEGER NOT NULL, status INTEGER NOT NULL, starting INTEGER NOT NULL,"
    " run INTEGER NOT NULL, started INTEGER NOT NULL, finished INTEGER NOT NULL, exit_code INTEGER NOT NULL,"
    " error TEXT NOT NULL, oom INTEGER NOT NULL, manually_stopped INTEGER NOT NULL, restart_count INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE removals(id TEXT PRIMARY KEY, driver TEXT NOT NULL, handle TEXT, name TEXT NOT NULL,"
    " image TEXT NOT NULL, image_id TEXT NOT NULL, since INTEGER NOT NULL) STRICT;"
    "CREATE TABLE images(id TEXT PRIMARY KEY, synthetic INTEGER NOT NULL, created INTEGER NOT NULL,"
    " tagged INTEGER NOT NULL, size INTEGER NOT NULL, architecture TEXT NOT NULL, os TEXT NOT NULL,"
    " variant TEXT NOT NULL, author TEXT NOT NULL, comment TEXT NOT NULL, config TEXT NOT NULL,"
    " rootfs TEXT NOT NULL, history TEXT NOT NULL, origin TEXT NOT NULL) STRICT;"
    "CREATE TABLE refs(ref TEXT PRIMARY KEY, image TEXT NOT NULL) STRICT;"
    "CREATE TABLE networks(seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,"
    " created INTEGER NOT NULL, driver TEXT NOT NULL, flags INTEGER NOT NULL, ipam_config TEXT NOT NULL,"
    " ipam_options TEXT NOT NULL, options TEXT NOT NULL, labels TEXT NOT NULL) STRICT;"
    "CREATE TABLE volumes(seq INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL,"
    " created INTEGER NOT NULL, anonymous INTEGER NOT NULL, options TEXT NOT NULL, labels TEXT NOT NULL) STRICT;";

/* migrations[v] leads from version v to v + 1. */
static const char *const *const migrations[] = {&schema_1};

static const char *const sql_text[SQL_MAX] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_META_GET] = "SELECT value FROM meta WHERE key = ?",
    [SQL_META_PUT] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)",
    [SQL_KV_GET] = "SELECT value FROM kv WHERE driver = ? AND key = ?",
    [SQL_KV_PUT] = "INSERT OR REPLACE INTO kv(driver, key, value) VALUES(?, ?, ?)",
    [SQL_KV_DELETE] = "DELETE FROM kv WHERE driver = ? AND key = ?",
    [SQL_CONTAINER_INSERT] =
        "INSERT INTO containers(id, name, created, image_ref, image_id, driver, handle, platform, config,"
        " host_config, token, mounts, endpoints, visible, status, starting, run, started, finished, exit_code,"
        " error, oom, manually_stopped, restart_count)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0,0,0,0,0,'',0,0,0)",
    [SQL_CONTAINER_CREATED] = "UPDATE containers SET handle = ?2, visible = 1 WHERE id = ?1",
    [SQL_CONTAINER_STATE] =
        "UPDATE containers SET status = ?2, starting = ?3, run = ?4, started = ?5, finished = ?6, exit_code = ?7,"
        " error = ?8, oom = ?9, manually_stopped = ?10, restart_count = ?11 WHERE id = ?1",
    [SQL_CONTAINER_NAME] = "UPDATE containers SET name = ?2 WHERE id = ?1",
    [SQL_CONTAINER_HOST_CONFIG] = "UPDATE containers SET host_config = ?2 WHERE id = ?1",
    [SQL_CONTAINER_ENDPOINTS] = "UPDATE containers SET endpoints = ?2 WHERE id = ?1",
    [SQL_CONTAINER_DELETE] = "DELETE FROM containers WHERE id = ?",
    [SQL_CONTAINER_ALL] =
        "SELECT id, name, created, image_ref, image_id, driver, handle, platform, config, host_config, token,"
        " mounts, endpoints, visible, status, starting, run, started, finished, exit_code, error, oom,"
        " manually_stopped, restart_count FROM containers ORDER BY seq",
    [SQL_REMOVAL_INSERT] = "INSERT OR REPLACE INTO removals(id, driver, handle, name, image, image_id, since)"
                           " VALUES(?,?,?,?,?,?,?)",
    [SQL_REMOVAL_DELETE] = "DELETE FROM removals WHERE id = ?",
    [SQL_REMOVAL_ALL] = "SELECT id, driver, handle, name, image, image_id, since FROM removals ORDER BY since",
    [SQL_IMAGE_PUT] = "INSERT OR REPLACE INTO images(id, synthetic, created, tagged, size, architecture, os,"
                      " variant, author, comment, config, rootfs, history, origin) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [SQL_IMAGE_DELETE] = "DELETE FROM images WHERE id = ?",
    [SQL_IMAGE_ALL] = "SELECT id, synthetic, created, tagged, size, architecture, os, variant, author, comment,"
                      " config, rootfs, history, origin FROM images ORDER BY rowid",
    [SQL_REF_PUT] = "INSERT OR REPLACE INTO refs(ref, image) VALUES(?, ?)",
    [SQL_REF_DELETE] = "DELETE FROM refs WHERE ref = ?",
    [SQL_REF_ALL] = "SELECT ref, image FROM refs",
    [SQL_NETWORK_PUT] = "INSERT INTO networks(id, name, created, driver, flags, ipam_config, ipam_options, options,"
                        " labels) VALUES(?,?,?,?,?,?,?,?,?)",
    [SQL_NETWORK_DELETE] = "DELETE FROM networks WHERE id = ?",
    [SQL_NETWORK_ALL] = "SELECT id, name, created, driver, flags, ipam_config, ipam_options, options, labels"
                        " FROM networks ORDER BY seq",
    [SQL_VOLUME_PUT] = "INSERT INTO volumes(name, driver, created, anonymous, options, labels) VALUES(?,?,?,?,?,?)",
    [SQL_VOLUME_DELETE] = "DELETE FROM volumes WHERE name = ?",
    [SQL_VOLUME_ALL] = "SELECT name, driver, created, anonymous, options, labels FROM volumes ORDER BY seq",
};

static int store_error(struct store *s, int rc, struct skl_error *err, const char *what)
{
    const char *why = s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);

    switch (rc & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return error_set(err, SKL_ERR_INTERNAL,
                         "the state store %s is damaged (%s); it was left as it is: restore it from a copy, or move it away "
                         "to begin anew", s->path, why);
    case SQLITE_FULL:
        return error_set(err, SKL_ERR_INTERNAL, "no space left on the device of the state store %s", s->path);
    default:
        return error_set(err, SKL_ERR_INTERNAL, "state store %s: %s: %s", s->path, what, why);
    }
}

static int exec_text(struct store *s, const char *sql, struct skl_error *err)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : store_error(s, rc, err, "set-up");
}

/* ---- statements ---- */

static sqlite3_stmt *stmt_get(struct store *s, enum store_sql sql, struct skl_error *err)
{
    if (s->stmts[sql] == NULL) {
        int rc = sqlite3_prepare_v3(s->db, sql_text[sql], -1, SQLITE_PREPARE_PERSISTENT, &s->stmts[sql], NULL);

        if (rc != SQLITE_OK) {
            store_error(s, rc, err, sql_text[sql]);
            return NULL;
        }
    }
    return s->stmts[sql];
}

static void stmt_bind(sqlite3_stmt *st, const char *fmt, va_list ap)
{
    for (int i = 1; *fmt != '\0'; fmt++, i++) {
        if (*fmt == 'i') {
            sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
        } else if (*fmt == 's') {
            const char *text = va_arg(ap, const char *);

            sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC);
        } else {
            const void *p = va_arg(ap, const void *);
            size_t n = va_arg(ap, size_t);

            sqlite3_bind_blob64(st, i, n > 0 ? p : "", n, SQLITE_STATIC);
        }
    }
}

static int stmt_end(struct store *s, sqlite3_stmt *st, int rc, struct skl_error *err)
{
    int ret = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : store_error(s, rc, err, "write");

    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return ret;
}

int store_run(struct store *s, enum store_sql sql, struct skl_error *err, const char *fmt, ...)
{
    sqlite3_stmt *st = stmt_get(s, sql, err);
    va_list ap;

    if (st == NULL)
        return -1;
    va_start(ap, fmt);
    stmt_bind(st, fmt, ap);
    va_end(ap);
    return stmt_end(s, st, sqlite3_step(st), err);
}

int store_query(struct store *s, enum store_sql sql, store_row_fn row, void *arg, struct skl_error *err,
                const char *fmt, ...)
{
    sqlite3_stmt *st = stmt_get(s, sql, err);
    int rc;
    int ret = 0;
    va_list ap;

    if (st == NULL)
        return -1;
    va_start(ap, fmt);
    stmt_bind(st, fmt, ap);
    va_end(ap);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        ret = row(arg, st, err);
        if (ret < 0)
            break;
    }
    if (ret < 0) {
        stmt_end(s, st, SQLITE_DONE, NULL);
        return ret;
    }
    return stmt_end(s, st, rc, err);
}

int store_begin(struct store *s, struct skl_error *err)
{
    if (s->depth == 0) {
        if (store_run(s, SQL_BEGIN, err, "") < 0)
            return -1;
        s->failed = false;
    }
    s->depth++;
    return 0;
}

int store_commit(struct store *s, struct skl_error *err)
{
    if (--s->depth > 0)
        return s->failed ? error_set(err, SKL_ERR_INTERNAL, "an inner change was rolled back") : 0;
    if (!s->failed && store_run(s, SQL_COMMIT, err, "") == 0)
        return 0;
    if (s->failed)
        error_set(err, SKL_ERR_INTERNAL, "an inner change was rolled back");
    if (sqlite3_get_autocommit(s->db) == 0)
        store_run(s, SQL_ROLLBACK, NULL, "");
    return -1;
}

void store_rollback(struct store *s)
{
    s->failed = true;
    if (--s->depth == 0 && sqlite3_get_autocommit(s->db) == 0)
        store_run(s, SQL_ROLLBACK, NULL, "");
}

/* ---- checkpoints ---- */

struct checkpoint {
    struct store *store; /* NULL: the store was closed meanwhile */
    char *path;
};

/* One whose store was closed while a thread worked on it: when the loop ends as well nobody is told of its end. */
static struct checkpoint *left_behind;

static void checkpoint_work(void *arg)
{
    struct checkpoint *cp = arg;
    sqlite3 *db = NULL;

    if (sqlite3_open_v2(cp->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK)
        sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    sqlite3_close(db);
}

static void checkpoint_done(void *arg)
{
    struct checkpoint *cp = arg;

    if (cp->store != NULL)
        cp->store->checkpoint = NULL;
    if (left_behind == cp)
        left_behind = NULL;
    free(cp->path);
    free(cp);
}

static int on_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct store *s = arg;

    (void)db;
    (void)name;
    if (pages < STORE_CHECKPOINT_PAGES || s->checkpoint != NULL || s->loop == NULL)
        return SQLITE_OK;
    s->checkpoint = xcalloc(1, sizeof(*s->checkpoint));
    s->checkpoint->store = s;
    s->checkpoint->path = xstrdup(s->path);
    loop_work(s->loop, checkpoint_work, checkpoint_done, s->checkpoint);
    return SQLITE_OK;
}

/* ---- opening ---- */

static int on_version(void *arg, int n, char **values, char **names)
{
    (void)n;
    (void)names;
    *(int *)arg = values[0] != NULL ? (int)strtol(values[0], NULL, 10) : 0;
    return 0;
}

static int schema_version(struct store *s, int *ret, struct skl_error *err)
{
    int rc = sqlite3_exec(s->db, "PRAGMA user_version", on_version, ret, NULL);

    return rc == SQLITE_OK ? 0 : store_error(s, rc, err, "read version");
}

static int migrate(struct store *s, int from, struct skl_error *err)
{
    if (store_begin(s, err) < 0)
        return -1;
    for (int v = from; v < STORE_SCHEMA_VERSION; v++) {
        if (exec_text(s, *migrations[v], err) < 0) {
            store_rollback(s);
            return -1;
        }
    }
    CLEANUP(free_p) char *mark = xasprintf("PRAGMA user_version = %d", STORE_SCHEMA_VERSION);
    if (exec_text(s, mark, err) < 0) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, err);
}

static int store_set_up(struct store *s, struct skl_error *err)
{
    int version = 0;

    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, 5000);
    if (schema_version(s, &version, err) < 0)
        return -1;
    if (version > STORE_SCHEMA_VERSION)
        return error_set(err, SKL_ERR_INTERNAL,
                         "the state store %s was made by a newer version of sockerlessd (schema %d, this one knows %d)",
                         s->path, version, STORE_SCHEMA_VERSION);
    if (exec_text(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
                     "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -512; PRAGMA wal_autocheckpoint = 0", err) < 0)
        return -1;
    sqlite3_wal_hook(s->db, on_wal, s);
    return version < STORE_SCHEMA_VERSION ? migrate(s, version, err) : 0;
}

/* The file holds tokens: it must be private from its first moment on. */
static int touch_private(const char *path, struct skl_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "cannot open the state store %s", path);
    close(fd);
    return 0;
}

int store_open(struct loop *loop, const char *path, struct store **ret, struct skl_error *err)
{
    struct store *s = xcalloc(1, sizeof(*s));
    int rc;

    s->loop = loop;
    s->path = xstrdup(path);
    if (touch_private(path, err) < 0) {
        store_close(s);
        return -1;
    }
    rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        store_error(s, rc, err, "open");
        store_close(s);
        return -1;
    }
    if (store_set_up(s, err) < 0) {
        store_close(s);
        return -1;
    }
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    if (s->checkpoint != NULL) {
        s->checkpoint->store = NULL;
        left_behind = s->checkpoint;
    }
    for (size_t i = 0; i < SQL_MAX; i++)
        sqlite3_finalize(s->stmts[i]);
    if (sqlite3_close(s->db) != SQLITE_OK)
        log_error("state", "closing the store failed: %s", sqlite3_errmsg(s->db));
    free(s->path);
    free(s);
}

/* ---- columns ---- */

const char *row_text_or_null(struct sqlite3_stmt *row, int col)
{
    return (const char *)sqlite3_column_text(row, col);
}

const char *row_text(struct sqlite3_stmt *row, int col)
{
    const char *s = row_text_or_null(row, col);

    return s != NULL ? s : "";
}

int64_t row_i64(struct sqlite3_stmt *row, int col)
{
    return sqlite3_column_int64(row, col);
}

const void *row_blob(struct sqlite3_stmt *row, int col, size_t *ret_len)
{
    const void *p = sqlite3_column_blob(row, col);

    *ret_len = (size_t)sqlite3_column_bytes(row, col);
    return p != NULL ? p : "";
}
