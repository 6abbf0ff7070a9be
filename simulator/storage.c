/*
 * simulator/storage.c - see storage.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "simulator/storage.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"

#define RESOURCE_MAX (256u * 1024)

struct storage_write {
    struct sim *sim;
    int fd;
    char *path;
    uint64_t size, max;
    EVP_MD_CTX *md5;
    uint32_t crc;
};

static char *place(struct sim *s, const char *bucket, const char *name, const char *suffix)
{
    CLEANUP(free_p) char *key = xasprintf("%s/%s", bucket, name);
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;

    EVP_Digest(key, strlen(key), hash, &n, EVP_sha256(), NULL);
    hex_encode(hash, n, hex);
    return xasprintf("%s/storage/%s%s", s->opts.state_dir, hex, suffix);
}

char *storage_path(struct sim *s, const char *bucket, const char *name)
{
    return place(s, bucket, name, ".data");
}

static struct json_object *read_resource(const char *path)
{
    struct json_object *o = NULL;
    struct buf text;

    buf_init(&text, RESOURCE_MAX);
    if (fs_read_file(path, &text, NULL) == 0)
        o = json_parse_object(buf_str(&text), text.len, RESOURCE_MAX, NULL);
    buf_fini(&text);
    return o;
}

struct json_object *storage_find(struct sim *s, const char *bucket, const char *name)
{
    CLEANUP(free_p) char *path = place(s, bucket, name, ".json");

    return read_resource(path);
}

bool storage_has(struct sim *s, const char *bucket, const char *name)
{
    CLEANUP(free_p) char *path = place(s, bucket, name, ".json");

    return access(path, F_OK) == 0;
}

int storage_remove(struct sim *s, const char *bucket, const char *name, struct skl_error *err)
{
    CLEANUP(free_p) char *json = place(s, bucket, name, ".json"), *data = place(s, bucket, name, ".data");

    if (unlink(json) < 0)
        return error_set(err, SKL_ERR_NOT_FOUND, "No such object: %s/%s", bucket, name);
    (void)unlink(data);
    return 0;
}

struct json_object *storage_list(struct sim *s, const char *bucket, const char *prefix)
{
    CLEANUP(free_p) char *dir = fs_join(s->opts.state_dir, "storage");
    struct json_object *all = json_new_array();
    DIR *d = opendir(dir);

    for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
        CLEANUP(free_p) char *path = fs_join(dir, de->d_name);
        struct json_object *o = str_ends(de->d_name, ".json") ? read_resource(path) : NULL;
        if (o != NULL && (bucket[0] == '\0' || str_eq(json_string_or(json_member(o, "bucket"), ""), bucket)) &&
            str_starts(json_string_or(json_member(o, "name"), ""), prefix))
            json_push(all, o);
        else
            json_object_put(o);
    }
    if (d != NULL)
        closedir(d);
    return all;
}

/* ---- writing ---- */

/* CRC-32C, as Storage gives it. */
static uint32_t crc32c(uint32_t crc, const unsigned char *p, size_t n)
{
    static uint32_t table[256];

    for (uint32_t i = 0; table[255] == 0 && i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = (c & 1) != 0 ? c >> 1 ^ 0x82f63b78u : c >> 1;
        table[i] = c;
    }
    for (crc = ~crc; n > 0; n--)
        crc = table[(crc ^ *p++) & 0xff] ^ crc >> 8;
    return ~crc;
}

struct storage_write *storage_write_begin(struct sim *s, uint64_t max, struct skl_error *err)
{
    struct storage_write *w = xcalloc(1, sizeof(*w));
    CLEANUP(free_p) char *dir = fs_join(s->opts.state_dir, "storage");

    w->sim = s;
    w->max = max;
    w->fd = -1;
    w->path = xasprintf("%s/part-%016llx", dir, (unsigned long long)random_u64());
    w->md5 = EVP_MD_CTX_new();
    EVP_DigestInit_ex(w->md5, EVP_md5(), NULL);
    if (fs_mkdir_p(dir, 0700, err) == 0) {
        w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (w->fd >= 0)
            return w;
        error_set_errno(err, SKL_ERR_INTERNAL, errno, "making %s", w->path);
    }
    storage_write_abort(w);
    return NULL;
}

int storage_write(struct storage_write *w, const void *p, size_t n, struct skl_error *err)
{
    int rc;

    if (n > w->max - w->size)
        return error_set(err, SKL_ERR_TOO_LARGE, "The object is larger than %" PRIu64 " bytes.", w->max);
    rc = fs_write_all(w->fd, p, n);
    if (rc < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, -rc, "writing an object");
    w->size += n;
    w->crc = crc32c(w->crc, p, n);
    EVP_DigestUpdate(w->md5, p, n);
    return 0;
}

uint64_t storage_written(const struct storage_write *w)
{
    return w->size;
}

static void write_free(struct storage_write *w)
{
    if (w->fd >= 0)
        close(w->fd);
    EVP_MD_CTX_free(w->md5);
    free(w->path);
    free(w);
}

void storage_write_abort(struct storage_write *w)
{
    if (w == NULL)
        return;
    (void)unlink(w->path);
    write_free(w);
}

static void add_base64(struct json_object *o, const char *key, const void *p, size_t n)
{
    struct buf b;

    buf_init(&b, 64);
    (void)base64_encode(&b, p, n, false, true);
    json_add_string(o, key, buf_str(&b));
    buf_fini(&b);
}

static struct json_object *resource(struct storage_write *w, const char *bucket, const char *name, const char *content_type)
{
    struct json_object *o = json_new_object();
    unsigned char md5[EVP_MAX_MD_SIZE], crc[4] = {(unsigned char)(w->crc >> 24), (unsigned char)(w->crc >> 16), (unsigned char)(w->crc >> 8), (unsigned char)w->crc};
    char when[TIME_RFC3339_SIZE], number[24];
    int64_t generation = clock_wall() / 1000;
    CLEANUP(free_p) char *id = xasprintf("%s/%s/%" PRId64, bucket, name, generation);
    unsigned n = 0;

    EVP_DigestFinal_ex(w->md5, md5, &n);
    json_add_string(o, "kind", "storage#object");
    json_add_string(o, "id", id);
    json_add_string(o, "name", name);
    json_add_string(o, "bucket", bucket);
    snprintf(number, sizeof(number), "%" PRId64, generation);
    json_add_string(o, "generation", number);
    json_add_string(o, "metageneration", "1");
    json_add_string(o, "contentType", content_type != NULL ? content_type : "application/octet-stream");
    json_add_string(o, "storageClass", "STANDARD");
    snprintf(number, sizeof(number), "%" PRIu64, w->size);
    json_add_string(o, "size", number);
    add_base64(o, "md5Hash", md5, n);
    add_base64(o, "crc32c", crc, sizeof(crc));
    json_add_string(o, "etag", id + strlen(bucket) + 1);
    json_add_string(o, "timeCreated", time_format_rfc3339(clock_wall(), when));
    json_add_string(o, "updated", when);
    return o;
}

/* The bytes first: a resource without them would be a lie. */
struct json_object *storage_write_end(struct storage_write *w, const char *bucket, const char *name, const char *content_type, struct skl_error *err)
{
    CLEANUP(free_p) char *data = place(w->sim, bucket, name, ".data"), *json = place(w->sim, bucket, name, ".json");
    struct json_object *o = resource(w, bucket, name, content_type);
    struct buf b;
    int rc;

    if (rename(w->path, data) < 0) {
        error_set_errno(err, SKL_ERR_INTERNAL, errno, "putting an object in place");
        storage_write_abort(w);
        json_object_put(o);
        return NULL;
    }
    buf_init(&b, RESOURCE_MAX);
    (void)json_emit(&b, o);
    rc = fs_write_file_atomic(json, b.data, b.len, 0600, err);
    buf_fini(&b);
    write_free(w);
    if (rc == 0)
        return o;
    json_object_put(o);
    return NULL;
}

/* The bytes never change under a name's file, so both names may have the same. */
int storage_copy(struct sim *s, const char *bucket, const char *name, const char *to_bucket, const char *to_name, struct skl_error *err)
{
    CLEANUP(free_p) char *from = storage_path(s, bucket, name), *to = storage_path(s, to_bucket, to_name), *json = place(s, to_bucket, to_name, ".json");
    JSON_CLEANUP struct json_object *o = storage_find(s, bucket, name);
    struct buf b;
    int rc;

    if (o == NULL)
        return error_set(err, SKL_ERR_NOT_FOUND, "No such object: %s/%s", bucket, name);
    if (str_eq(from, to))
        return 0;
    (void)unlink(to);
    if (link(from, to) < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "copying %s/%s", bucket, name);
    json_add_string(o, "bucket", to_bucket);
    json_add_string(o, "name", to_name);
    buf_init(&b, RESOURCE_MAX);
    (void)json_emit(&b, o);
    rc = fs_write_file_atomic(json, b.data, b.len, 0600, err);
    buf_fini(&b);
    return rc;
}
