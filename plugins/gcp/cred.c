/*
 * gcp/cred.c - see cred.h.
 *
 * A credential file may come from somebody else, so the URLs in it are not believed: what is sent there is a
 * subject token or a signed assertion. They must be Google's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/cred.h"
#include "gcp/json.h"
#include "gcp/jwt.h"
#include "gcp/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FILE_MAX     ((size_t)256 * 1024)
#define UNIVERSE     "googleapis.com"
#define TOKEN_URI    "https://oauth2.googleapis.com/token"
#define LIFETIME     3600
#define LIFETIME_MIN 600
#define LIFETIME_MAX 43200
#define IMPERSONATE  "https://iamcredentials.%s/v1/projects/-/serviceAccounts/%s:generateAccessToken"

void gcp_cred_free(struct gcp_cred *c)
{
    if (!c)
        return;

    char *const texts[] = {
        c->where,      c->project,      c->quota_project,  c->universe,          c->email,
        c->key_id,     c->token_uri,    c->client_id,      c->client_secret,     c->refresh_token,
        c->audience,   c->subject_type, c->sts_url,        c->workforce_project, c->source_file,
        c->source_url, c->source_field, c->impersonate_url};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
    gcp_key_free(c->key);
    json_object_put(c->source_headers);
    json_object_put(c->delegates);
    free(c);
}

/* ---- small things ---- */

char *gcp_file_read(const char *path, size_t max, size_t *ret_len, struct skl_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char *data = fd < 0 ? NULL : malloc(max + 1);
    size_t n = 0;
    ssize_t got = -1;

    while (data && n <= max && (got = read(fd, data + n, max + 1 - n)) > 0)
        n += (size_t)got;
    if (fd < 0 || !data || got < 0 || n > max) {
        (void)gcp_error(err, SKL_ERR_INVALID, "%s: %s", path, n > max ? "is too large" : strerror(errno));
        free(data);
        data = NULL;
    }
    if (fd >= 0)
        (void)close(fd);
    if (!data)
        return NULL;
    data[n] = '\0';
    *ret_len = n;
    return data;
}

static bool is_loopback(const char *host, size_t n)
{
    return (n == 9 && !strncasecmp(host, "localhost", 9)) || (n == 5 && !strncmp(host, "[::1]", 5)) ||
           (n >= 7 && !strncmp(host, "127.", 4) && strspn(host, "0123456789.") >= n);
}

bool gcp_url_trusted(const char *url, const char *universe)
{
    const char *host = strstr(url, "://");
    size_t n, u = strlen(universe);
    bool https = gcp_has_prefix(url, "https://");

    if (!host || (!https && !gcp_has_prefix(url, "http://")))
        return false;
    host += 3;
    n = strcspn(host, "/?#");
    if (memchr(host, '@', n) || memchr(host, '\\', n))
        return false;
    n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    if (is_loopback(host, n))
        return true;
    return https && n > u + 1 && host[n - u - 1] == '.' && !strncasecmp(host + n - u, universe, u);
}

/* Copies a member; false when it is missing and needed. */
static bool take(char **ret, struct json_object *o, const char *key, bool needed)
{
    const char *text = gcp_json_str(o, key);

    *ret = gcp_dup(text);
    return *ret || (!needed && !text);
}

static int check_url(const char *key, const char *url, const char *universe, const char *where,
                     struct skl_error *err)
{
    if (!url || gcp_url_trusted(url, universe))
        return 0;
    return gcp_error(err, SKL_ERR_INVALID, "%s: %s is not an https address of %s: %.200s", where, key,
                     universe, url);
}

static int missing(const char *where, const char *type, struct skl_error *err)
{
    return gcp_error(err, SKL_ERR_INVALID,
                     "%s: a member that a credential of type %s needs is missing or no text", where, type);
}

/* ---- the types ---- */

static int parse_service_account(struct gcp_cred *c, struct json_object *o, struct skl_error *err)
{
    const char *pem = gcp_json_str(o, "private_key");
    struct skl_error why;

    c->kind = GCP_CRED_SERVICE_ACCOUNT;
    if (!pem || !take(&c->email, o, "client_email", true) || !take(&c->key_id, o, "private_key_id", false) ||
        !take(&c->token_uri, o, "token_uri", false))
        return missing(c->where, "service_account", err);
    if (!c->token_uri)
        c->token_uri = strdup(TOKEN_URI);
    c->key = gcp_key_new(pem, &why);
    if (!c->key)
        return gcp_error(err, why.kind, "%s: %s", c->where, why.message);
    return check_url("token_uri", c->token_uri, c->universe ? c->universe : UNIVERSE, c->where, err);
}

static int parse_user(struct gcp_cred *c, struct json_object *o, struct skl_error *err)
{
    c->kind = GCP_CRED_USER;
    if (!take(&c->client_id, o, "client_id", true) || !take(&c->client_secret, o, "client_secret", true) ||
        !take(&c->refresh_token, o, "refresh_token", true) || !take(&c->token_uri, o, "token_uri", false))
        return missing(c->where, "authorized_user", err);
    if (!c->token_uri)
        c->token_uri = strdup(TOKEN_URI);
    return check_url("token_uri", c->token_uri, UNIVERSE, c->where, err);
}

static int parse_source(struct gcp_cred *c, struct json_object *source, struct skl_error *err)
{
    const char *format = gcp_json_str(source, "format.type");

    if (!take(&c->source_file, source, "file", false) || !take(&c->source_url, source, "url", false))
        return gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    c->source_headers = json_object_get(gcp_json_get(source, "headers"));
    if (gcp_json_get(source, "executable") || gcp_json_str(source, "environment_id") ||
        gcp_json_get(source, "certificate"))
        return gcp_error(
            err, SKL_ERR_UNIMPLEMENTED,
            "%s: credential_source may be a file or a url; executable, AWS and certificate sources are not "
            "supported",
            c->where);
    if (!c->source_file && !c->source_url)
        return gcp_error(err, SKL_ERR_INVALID, "%s: credential_source has neither file nor url", c->where);
    if (format && !strcmp(format, "json") &&
        !take(&c->source_field, source, "format.subject_token_field_name", true))
        return gcp_error(err, SKL_ERR_INVALID, "%s: credential_source.format needs subject_token_field_name",
                         c->where);
    return 0;
}

static int parse_external(struct gcp_cred *c, struct json_object *o, struct skl_error *err)
{
    const char *universe = c->universe ? c->universe : UNIVERSE;

    c->kind = GCP_CRED_EXTERNAL;
    if (!take(&c->audience, o, "audience", true) || !take(&c->subject_type, o, "subject_token_type", true) ||
        !take(&c->sts_url, o, "token_url", true) || !take(&c->client_id, o, "client_id", false) ||
        !take(&c->client_secret, o, "client_secret", false) ||
        !take(&c->workforce_project, o, "workforce_pool_user_project", false) ||
        !take(&c->impersonate_url, o, "service_account_impersonation_url", false))
        return missing(c->where, "external_account", err);
    c->lifetime_s = (long)gcp_json_int(o, "service_account_impersonation.token_lifetime_seconds", LIFETIME);
    if (c->lifetime_s < LIFETIME_MIN || c->lifetime_s > LIFETIME_MAX)
        return gcp_error(err, SKL_ERR_INVALID, "%s: token_lifetime_seconds is not within %d and %d", c->where,
                         LIFETIME_MIN, LIFETIME_MAX);
    if (check_url("token_url", c->sts_url, universe, c->where, err) < 0 ||
        check_url("service_account_impersonation_url", c->impersonate_url, universe, c->where, err) < 0)
        return -1;
    return parse_source(c, gcp_json_get(o, "credential_source"), err);
}

static int parse_type(struct gcp_cred *c, struct json_object *o, bool inner, struct skl_error *err);

/* impersonated_service_account: the source is a credential of its own. */
static int parse_impersonated(struct gcp_cred *c, struct json_object *o, struct skl_error *err)
{
    char *url = NULL;

    if (!take(&url, o, "service_account_impersonation_url", true))
        return missing(c->where, "impersonated_service_account", err);
    if (check_url("service_account_impersonation_url", url, c->universe ? c->universe : UNIVERSE, c->where,
                  err) < 0 ||
        parse_type(c, gcp_json_get(o, "source_credentials"), true, err) < 0) {
        free(url);
        return -1;
    }
    free(c->impersonate_url);
    c->impersonate_url = url;
    c->delegates = json_object_get(gcp_json_array(o, "delegates"));
    return 0;
}

static int parse_type(struct gcp_cred *c, struct json_object *o, bool inner, struct skl_error *err)
{
    const char *type = gcp_json_str(o, "type");

    if (!type)
        return gcp_error(err, SKL_ERR_INVALID, "%s: is not a Google credential file (no \"type\")", c->where);
    if (!strcmp(type, "service_account"))
        return parse_service_account(c, o, err);
    if (!strcmp(type, "authorized_user"))
        return parse_user(c, o, err);
    if (!strcmp(type, "external_account"))
        return parse_external(c, o, err);
    if (!strcmp(type, "impersonated_service_account") && !inner)
        return parse_impersonated(c, o, err);
    return gcp_error(err, SKL_ERR_UNIMPLEMENTED,
                     "%s: credentials of type \"%.60s\" are not supported; service_account, authorized_user, "
                     "impersonated_service_account and external_account are",
                     c->where, type);
}

static bool parse_common(struct gcp_cred *c, struct json_object *o)
{
    c->lifetime_s = LIFETIME;
    return take(&c->project, o, "project_id", false) &&
           take(&c->quota_project, o, "quota_project_id", false) &&
           take(&c->universe, o, "universe_domain", false);
}

struct gcp_cred *gcp_cred_parse(const char *text, size_t n, const char *where, struct skl_error *err)
{
    struct gcp_cred *c = calloc(1, sizeof(*c));
    struct json_object *o = gcp_json_parse(text, n);
    int r;

    if (c)
        c->where = strdup(where);
    if (!c || !c->where || (o && !parse_common(c, o)))
        r = gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    else if (!o)
        r = gcp_error(err, SKL_ERR_INVALID, "%s: is not JSON", where);
    else
        r = parse_type(c, o, false, err);
    json_object_put(o);
    if (r == 0)
        return c;
    if (c)
        gcp_cred_free(c);
    return NULL;
}

/* ---- the search ---- */

static struct gcp_cred *load_file(const char *path, struct skl_error *err)
{
    size_t n;
    char *text = gcp_file_read(path, FILE_MAX, &n, err);
    struct gcp_cred *c = text ? gcp_cred_parse(text, n, path, err) : NULL;

    if (text)
        explicit_bzero(text, n);
    free(text);
    return c;
}

/* gcloud's file; new string, NULL when there is none. */
static char *well_known(void)
{
    const char *config = getenv("CLOUDSDK_CONFIG"), *home = getenv("HOME");
    char *path = NULL;

    if (config && *config)
        path = gcp_format("%s/application_default_credentials.json", config);
    else if (home && *home)
        path = gcp_format("%s/.config/gcloud/application_default_credentials.json", home);
    if (path && access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

static struct gcp_cred *find(const char *file, struct skl_error *err)
{
    struct gcp_cred *c;
    char *path;

    if (!file)
        file = getenv("GOOGLE_APPLICATION_CREDENTIALS");
    if (file && *file)
        return load_file(file, err);
    path = well_known();
    if (path) {
        c = load_file(path, err);
        free(path);
        return c;
    }
    c = calloc(1, sizeof(*c));
    if (c) {
        c->kind = GCP_CRED_METADATA;
        c->where = strdup("the metadata server");
        c->lifetime_s = LIFETIME;
        if (c->where)
            return c;
        gcp_cred_free(c);
    }
    (void)gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    return NULL;
}

/* Letters, digits and what service account addresses have: it becomes part of a URL. */
static bool is_address(const char *s)
{
    const char *at = strchr(s, '@');

    for (const char *p = s; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-.@_:", *p))
            return false;
    return at && at != s && at[1];
}

struct gcp_cred *gcp_cred_load(const char *file, const char *impersonate, struct skl_error *err)
{
    struct gcp_cred *c = find(file, err);
    const char *quota = getenv("GOOGLE_CLOUD_QUOTA_PROJECT");

    if (!c)
        return NULL;
    if (impersonate && !is_address(impersonate)) {
        (void)gcp_error(err, SKL_ERR_INVALID, "impersonate: \"%.200s\" is not a service account's address",
                        impersonate);
        gcp_cred_free(c);
        return NULL;
    }
    if (impersonate) {
        free(c->impersonate_url);
        c->impersonate_url = gcp_format(IMPERSONATE, c->universe ? c->universe : UNIVERSE, impersonate);
    }
    if (quota && *quota) {
        free(c->quota_project);
        c->quota_project = strdup(quota);
    }
    return c;
}
