/*
 * simulator/auth/metadata.c - the metadata server: who the machine is, and tokens for its account.
 *
 * A request without `Metadata-Flavor: Google` is refused, and each answer has that header: clients know the server by it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/auth/auth.h"

#define ACCOUNT SIM_PROJECT_NUMBER "-compute@developer.gserviceaccount.com"
#define REGION "us-central1"
#define PROJECT "sockerless-local"

static void plain(struct sim_call *c, int status, const char *text)
{
    struct http_req *req = c->req;

    http_res_header(req, "Server", "Metadata Server for VM");
    call_end(c, status);
    http_res_send(req, status, status == 200 ? "application/text" : "text/html; charset=UTF-8", text, strlen(text));
}

static bool flavored(struct sim_call *c)
{
    const char *flavor = http_req_header(c->req, "Metadata-Flavor");

    http_res_header(c->req, "Metadata-Flavor", "Google");
    if (str_eq(flavor, "Google") && http_req_header(c->req, "X-Forwarded-For") == NULL)
        return true;
    plain(c, 403, flavor == NULL ? "Missing required header: Metadata-Flavor\n" : "Forbidden\n");
    return false;
}

static void handle_token(struct sim_call *c)
{
    const char *scopes = http_req_query(c->req, "scopes");
    CLEANUP(free_p) char *scope = xstrdup(str_empty(scopes) ? SCOPE_ALL : scopes);
    struct json_object *o;
    struct token *t;

    if (!flavored(c))
        return;
    for (char *p = scope; *p != '\0'; p++)
        *p = *p == ',' ? ' ' : *p;
    t = token_issue(c->sim, ACCOUNT, scope, AUTH_LIFE_S);
    o = json_new_object();
    json_add_string(o, "access_token", t->name);
    json_add_i64(o, "expires_in", (t->ends - clock_wall()) / NS_PER_S);
    json_add_string(o, "token_type", "Bearer");
    call_json(c, 200, o);
}

static void handle_identity(struct sim_call *c)
{
    const char *audience = http_req_query(c->req, "audience"), *format = http_req_query(c->req, "format");
    CLEANUP(free_p) char *id = NULL;

    if (!flavored(c))
        return;
    if (str_empty(audience)) {
        plain(c, 400, "non-empty audience parameter required\n");
        return;
    }
    id = id_token(c->sim, ACCOUNT, audience, str_eq(format, "full"));
    plain(c, 200, id);
}

/* The values that are text. */
static void handle_value(struct sim_call *c)
{
    static const char *const values[][2] = {
        {"instance/service-accounts/default/email", ACCOUNT},
        {"instance/service-accounts/default/scopes", SCOPE_ALL "\n"},
        {"instance/service-accounts/" ACCOUNT "/email", ACCOUNT},
        {"instance/service-accounts", "default/\n" ACCOUNT "/\n"},
        {"instance/region", "projects/" SIM_PROJECT_NUMBER "/regions/" REGION},
        {"instance/zone", "projects/" SIM_PROJECT_NUMBER "/zones/" REGION "-1"},
        {"instance/id", "1000000000000000001"},
        {"project/project-id", PROJECT},
        {"project/numeric-project-id", SIM_PROJECT_NUMBER},
        {"universe/universe-domain", "googleapis.com"},
        {"", "instance/\nproject/\nuniverse/\n"},
    };
    const char *path = call_param(c, "path");
    size_t n = strlen(path);

    if (!flavored(c))
        return;
    n -= n > 0 && path[n - 1] == '/';
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (strlen(values[i][0]) == n && strncmp(values[i][0], path, n) == 0) {
            plain(c, 200, values[i][1]);
            return;
        }
    plain(c, 404, "Not Found\n");
}

static void handle_root(struct sim_call *c)
{
    if (flavored(c))
        plain(c, 200, "computeMetadata/\n");
}

/* Pinged without the header, by clients that look whether they are on Google's machines. */
static void handle_ping(struct sim_call *c)
{
    http_res_header(c->req, "Metadata-Flavor", "Google");
    plain(c, 200, "computeMetadata/\n");
}

#define V1 "/computeMetadata/v1/"
const struct sim_route metadata_routes[] = {
    {"GET", V1 "instance/service-accounts/{account}/token", "MetadataToken", handle_token, false},
    {"GET", V1 "instance/service-accounts/{account}/identity", "MetadataIdentity", handle_identity, false},
    {"GET", V1 "{path*}", "Metadata", handle_value, false},
    {"GET", "/computeMetadata/v1", "Metadata", handle_root, false},
    {"GET", "/computeMetadata", "Metadata", handle_ping, false},
    {NULL, NULL, NULL, NULL, false},
};
