/*
 * api/system.c - /_ping and /version.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <sys/utsname.h>
#include "api/call.h"
#include "api/internal.h"
#include "base/clock.h"
#include "json/jw.h"

/* Reference 2.1.7. Builder-Version 1: there is no BuildKit behind this daemon. */
bool api_ping(struct http_req *req)
{
    const char *method = http_req_method(req);
    bool head = strcmp(method, "HEAD") == 0;

    if (!head && strcmp(method, "GET") != 0)
        return false;
    http_res_header(req, "Builder-Version", "1");
    http_res_header(req, "Cache-Control", "no-cache, no-store, must-revalidate");
    http_res_header(req, "Pragma", "no-cache");
    http_res_header(req, "Swarm", "inactive");
    http_res_send(req, 200, "text/plain; charset=utf-8", head ? "" : "OK", head ? 0 : 2);
    return true;
}

void api_ping_get(struct api_call *c)
{
    api_ping(c->req);
    api_call_free(c);
}

/* Docker's spelling of the machine (Go's GOARCH). */
const char *api_architecture(void)
{
    static struct utsname u;

    if (uname(&u) < 0)
        return "unknown";
    if (strcmp(u.machine, "x86_64") == 0)
        return "amd64";
    if (strcmp(u.machine, "aarch64") == 0)
        return "arm64";
    return u.machine;
}

static void write_components(struct jw *w, const struct utsname *u)
{
    jw_array(w, "Components");
    jw_object(w, NULL);
    jw_string(w, "Name", "Engine");
    jw_string(w, "Version", PACKAGE_VERSION);
    jw_object(w, "Details");
    jw_string(w, "ApiVersion", API_VERSION_MAX);
    jw_string(w, "Arch", api_architecture());
    jw_string(w, "BuildTime", API_BUILD_TIME);
    jw_string(w, "Experimental", "false");
    jw_string(w, "GitCommit", API_GIT_COMMIT);
    jw_string(w, "GoVersion", "");
    jw_string(w, "KernelVersion", u->release);
    jw_string(w, "MinAPIVersion", API_VERSION_MIN);
    jw_string(w, "Os", "linux");
    jw_object_end(w);
    jw_object_end(w);
    jw_array_end(w);
}

void api_version(struct api_call *c)
{
    struct utsname u = {0};
    struct buf out;
    struct jw w;

    uname(&u);
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_object(&w, "Platform");
    jw_string(&w, "Name", "Sockerless Engine");
    jw_object_end(&w);
    write_components(&w, &u);
    jw_string(&w, "Version", PACKAGE_VERSION);
    jw_string(&w, "ApiVersion", API_VERSION_MAX);
    jw_string(&w, "MinAPIVersion", API_VERSION_MIN);
    jw_string(&w, "GitCommit", API_GIT_COMMIT);
    jw_string(&w, "GoVersion", "");
    jw_string(&w, "Os", "linux");
    jw_string(&w, "Arch", api_architecture());
    jw_string(&w, "KernelVersion", u.release);
    jw_string(&w, "BuildTime", API_BUILD_TIME);
    jw_object_end(&w);
    api_reply_json(c, 200, &out);
}
