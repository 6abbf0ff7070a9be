/*
 * layer.c - what is put on top of an image: the agent (declared in bake.h). All pure but for reading the
 * agent's file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/bake.h"
#include "gcp/archive.h"
#include "gcp/cred.h"
#include "gcp/json.h"

#include <stdlib.h>
#include <string.h>

#define AGENT_DIR    ".sockerless/"
#define AGENT_PATH   AGENT_DIR "sockerless-agent"
#define AGENT_MAX    ((size_t)64 << 20)
#define OCI_LAYER    "application/vnd.oci.image.layer.v1.tar+gzip"
#define DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define ROOT_USER    "0:0"

int gcf_layer_make(struct gcf_layer *l, const char *agent_binary, struct skl_error *err)
{
    struct gcp_str tar = {0}, gz = {0};
    struct skl_error why;
    size_t n;
    char *agent = gcp_file_read(agent_binary, AGENT_MAX, &n, &why);

    if (!agent)
        return gcp_error(err, SKL_ERR_INTERNAL, "agent-binary: %s", why.message);

    const struct gcp_archive_file files[] = {
        {AGENT_DIR, NULL, 0, 0755}, {AGENT_PATH, agent, n, 0755}, {NULL, NULL, 0, 0}};

    gcp_tar_write(&tar, files);
    free(agent);
    if (!tar.failed)
        gcp_gzip_write(&gz, tar.data, tar.len);
    if (tar.failed || gz.failed) {
        gcp_str_fini(&tar);
        gcp_str_fini(&gz);
        return gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    }
    gcp_digest(tar.data, tar.len, l->diff_id);
    gcp_digest(gz.data, gz.len, l->digest);
    gcp_str_fini(&tar);
    l->len = gz.len;
    l->blob = gcp_str_take(&gz);
    return 0;
}

void gcf_layer_fini(struct gcf_layer *l)
{
    free(l->blob);
    memset(l, 0, sizeof(*l));
}

int gcf_bake_source(const struct gcf_config *c, const char *image, struct gcp_ref *ret, struct skl_error *err)
{
    char *name;

    if (gcp_ref_parse(ret, image, err) < 0)
        return -1;
    if (!strcmp(ret->host, c->repository.host))
        return 0;
    if (strcmp(ret->host, "docker.io") || !*c->hub)
        return gcp_error(
            err, SKL_ERR_INVALID,
            "image %s is not in the registry %s, where functions get theirs from: push it there%s", image,
            c->repository.host,
            strcmp(ret->host, "docker.io")
                ? ""
                : ", or name a remote repository for Docker Hub (option \"hub-repository\")");
    name = gcp_format("%s/%s", c->hub, ret->repo);
    if (!name || strlen(name) >= sizeof(ret->repo)) {
        free(name);
        return gcp_error(err, SKL_ERR_INVALID, "image %s: its name is too long", image);
    }
    memcpy(ret->repo, name, strlen(name) + 1);
    memcpy(ret->host, c->repository.host, sizeof(ret->host));
    free(name);
    return 0;
}

static struct json_object *string_array(const char *text)
{
    struct json_object *a = json_object_new_array();

    if (a && text)
        json_object_array_add(a, json_object_new_string(text));
    return a;
}

/* Sets a member by its exact name (OCI's are not camelCase), taking value. */
static void set(struct json_object *o, const char *key, struct json_object *value)
{
    if (json_object_object_add(o, key, value))
        json_object_put(value);
}

static struct json_object *member(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;

    return json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, &v) ? v : NULL;
}

static const char *text_member(struct json_object *o, const char *key)
{
    struct json_object *v = member(o, key);

    return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

/* Entry point and user: the agent runs first, and needs root only to become the user that the container
 * names. */
static void change_config(struct json_object *o, bool as_root)
{
    struct json_object *config = member(o, "config");

    if (!json_object_is_type(config, json_type_object)) {
        set(o, "config", json_object_new_object());
        config = member(o, "config");
    }
    set(config, "Entrypoint", string_array("/" AGENT_PATH));
    set(config, "Cmd", string_array(NULL));
    json_object_object_del(config, "Healthcheck");
    if (as_root)
        set(config, "User", json_object_new_string(ROOT_USER));
}

static void add_history(struct json_object *o)
{
    struct json_object *history = member(o, "history"), *entry = json_object_new_object();

    set(entry, "created_by", json_object_new_string("sockerless: add the agent"));
    if (json_object_is_type(history, json_type_array))
        json_object_array_add(history, entry);
    else
        json_object_put(entry);
}

char *gcf_bake_config(const char *config, size_t n, const struct gcf_layer *l, bool as_root,
                      struct skl_error *err)
{
    struct json_object *o = gcp_json_parse(config, n), *ids = member(member(o, "rootfs"), "diff_ids");
    const char *os = text_member(o, "os"), *arch = text_member(o, "architecture");
    char *text = NULL;

    if (!json_object_is_type(ids, json_type_array)) {
        (void)gcp_error(err, SKL_ERR_INVALID, "the image's configuration is not one of an OCI image");
    } else if ((*os && strcmp(os, "linux")) || (*arch && strcmp(arch, "amd64"))) {
        (void)gcp_error(err, SKL_ERR_INVALID, "the image is for %s/%s; functions run linux/amd64", os, arch);
    } else {
        change_config(o, as_root);
        add_history(o);
        json_object_array_add(ids, json_object_new_string(l->diff_id));
        text = gcp_dup(gcp_json_text(o));
        if (!text)
            (void)gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    }
    json_object_put(o);
    return text;
}

char *gcf_bake_manifest(const char *manifest, size_t n, const struct gcf_layer *l, const char *config_digest,
                        size_t config_len, struct skl_error *err)
{
    struct json_object *o = gcp_json_parse(manifest, n), *layers = member(o, "layers"),
                       *config = member(o, "config");
    struct json_object *layer = json_object_new_object();
    const char *type = text_member(config, "mediaType");
    char *text = NULL;

    if (!json_object_is_type(layers, json_type_array) || !json_object_is_type(config, json_type_object)) {
        (void)gcp_error(err, SKL_ERR_INVALID, "the image's manifest has no layers or configuration");
        json_object_put(layer);
    } else {
        set(layer, "mediaType", json_object_new_string(strstr(type, "docker") ? DOCKER_LAYER : OCI_LAYER));
        set(layer, "size", json_object_new_int64((int64_t)l->len));
        set(layer, "digest", json_object_new_string(l->digest));
        json_object_array_add(layers, layer);
        set(config, "digest", json_object_new_string(config_digest));
        set(config, "size", json_object_new_int64((int64_t)config_len));
        json_object_object_del(o, "subject");
        text = gcp_dup(gcp_json_text(o));
        if (!text)
            (void)gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    }
    json_object_put(o);
    return text;
}
