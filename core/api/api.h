/*
 * api/api.h - the Docker Engine API: one request in, one answer or stream out.
 *
 * The daemon makes one `struct api` and gives api_on_request() to its HTTP servers. What stands behind the calls is
 * core/state (the model) and drivers/ (what happens inside a container); this folder translates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_API_H
#define SKL_API_API_H

#include <stdbool.h>
#include <stddef.h>

struct api;
struct chain;
struct engine;
struct http_client;
struct http_req;
struct loop;
struct plugin_host;

#define API_VERSION_MAX "1.44"
#define API_VERSION_MIN "1.24"
#define API_MINOR_MAX 44

struct api_opts {
    struct loop *loop;
    struct engine *engine;
    struct chain *chain;
    struct http_client *http;          /* registries; owned by the daemon */
    struct plugin_host *plugins;       /* drivers appear as runtimes */
    const char *default_runtime;       /* the driver's name */
    const char *state_dir;             /* DockerRootDir */
    bool resolve_registry;             /* images.resolve = "registry" */
    const char *const *registry_mirrors;    /* NULL-terminated; may be NULL */
    const char *const *insecure_registries; /* NULL-terminated; may be NULL */
    bool debug;
};

/* Strings and arrays of opts are borrowed for the api's life. */
struct api *api_new(const struct api_opts *opts);
/* After the servers are gone: nothing refers to a request any more. */
void api_free(struct api *api);

/* struct http_server_opts: on_request with arg = the api, and its default_headers. */
void api_on_request(struct http_req *req, void *api);
extern const char *const api_default_headers[];

#endif
