/*
 * config.c - see config.h. The host has checked types, ranges and choices; what is left is what only this
 * driver knows: memory and CPU as Google writes them, and which options need which.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/config.h"
#include "cloud-run-functions/resources.h"
#include "gcp/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The mission's limit for reading logs when the endpoint is not Google's. */
#define ENDPOINT_LOG_TIMEOUT (2 * GCP_SECOND)
/* Without a build a function is up in 10 to 30 s; with one, Cloud Build may queue. */
#define CREATE_TIMEOUT       (300 * GCP_SECOND)
#define CREATE_TIMEOUT_BUILD (900 * GCP_SECOND)

#ifndef SKL_AGENT_BINARY
#define SKL_AGENT_BINARY "/usr/libexec/sockerless/sockerless-agent"
#endif

enum option {
    OPT_PROJECT,
    OPT_REGION,
    OPT_SERVICE_ACCOUNT,
    OPT_MEMORY,
    OPT_CPU,
    OPT_TIMEOUT,
    OPT_ENDPOINT_URL,
    OPT_DEPLOY,
    OPT_SEMANTICS,
    OPT_CREATE,
    OPT_LOG_TIMEOUT,
    OPT_CREATE_TIMEOUT,
    OPT_CREDENTIALS,
    OPT_IMPERSONATE,
    OPT_REPOSITORY,
    OPT_HUB_REPOSITORY,
    OPT_AGENT_BINARY,
    OPT_STUB_RUNTIME,
    OPT_COUNT
};

static const char *const deploy_choices[] = {"docker-runtime", "image", NULL};
static const char *const semantics_choices[] = {"extended", "strict", NULL};
static const char *const create_choices[] = {"wait", "background", NULL};

#define OPTION(kind, key, variable, otherwise, text)                                                         \
    .size = sizeof(struct skl_option), .type = SKL_OPT_##kind, .name = key, .env = variable,                 \
    .default_value = otherwise, .help = text

const struct skl_option gcf_options[] = {
    [OPT_PROJECT] = {OPTION(STRING, "project", "SOCKERLESS_GCF_PROJECT", NULL,
                            "Google Cloud project; otherwise the one of the credentials")},
    [OPT_REGION] = {OPTION(STRING, "region", "SOCKERLESS_GCF_REGION", "us-central1",
                           "where functions are made")},
    [OPT_SERVICE_ACCOUNT] = {OPTION(STRING, "service-account", "SOCKERLESS_GCF_SERVICE_ACCOUNT", "",
                                    "identity the functions run as; empty: the project's default")},
    [OPT_MEMORY] = {OPTION(STRING, "memory", "SOCKERLESS_GCF_MEMORY", "1Gi",
                           "memory of a function where the container does not say")},
    [OPT_CPU] = {OPTION(STRING, "cpu", "SOCKERLESS_GCF_CPU", "1",
                        "CPUs of a function where the container does not say")},
    [OPT_TIMEOUT] = {OPTION(DURATION, "timeout", "SOCKERLESS_GCF_TIMEOUT", "3600",
                            "longest run of a container"),
                     .min = GCP_SECOND, .max = 3600 * GCP_SECOND},
    [OPT_ENDPOINT_URL] = {OPTION(STRING, "endpoint-url", "SOCKERLESS_ENDPOINT_URL", "",
                                 "base URL in place of Google's; no authentication, logs within 2 s")},
    [OPT_DEPLOY] = {OPTION(ENUM, "deploy", NULL, "docker-runtime",
                           "how an image becomes a function; Google itself takes \"image\""),
                    .choices = deploy_choices},
    [OPT_SEMANTICS] = {OPTION(ENUM, "semantics", NULL, "extended", "strict: the API mapping to the letter"),
                       .choices = semantics_choices},
    [OPT_CREATE] = {OPTION(ENUM, "create", NULL, "wait",
                           "background: docker create does not wait for the function, docker start does"),
                    .choices = create_choices},
    [OPT_LOG_TIMEOUT] = {OPTION(DURATION, "log-timeout", NULL, "30s", "longest read of Cloud Logging"),
                         .min = GCP_SECOND, .max = 600 * GCP_SECOND},
    [OPT_CREATE_TIMEOUT] = {OPTION(DURATION, "create-timeout", NULL, NULL,
                                   "longest wait for a function: 5 minutes, 15 with \"deploy\": \"image\""),
                            .min = GCP_SECOND, .max = 3600 * GCP_SECOND},
    [OPT_CREDENTIALS] = {OPTION(STRING, "credentials", NULL, "",
                                "credential file; empty: Application Default Credentials")},
    [OPT_IMPERSONATE] = {OPTION(STRING, "impersonate", NULL, "", "service account to act as")},
    [OPT_REPOSITORY] = {OPTION(
        STRING, "repository", NULL, "",
        "for \"deploy\": \"image\": HOST/PROJECT/REPOSITORY that images with the agent go to")},
    [OPT_HUB_REPOSITORY] = {OPTION(
        STRING, "hub-repository", NULL, "",
        "PROJECT/REPOSITORY, same host: a remote repository that stands for Docker Hub")},
    [OPT_AGENT_BINARY] = {OPTION(STRING, "agent-binary", NULL, SKL_AGENT_BINARY,
                                 "the agent that is added to images with \"deploy\": \"image\"")},
    [OPT_STUB_RUNTIME] = {OPTION(
        STRING, "stub-runtime", NULL, "nodejs22",
        "runtime of the placeholder function with \"deploy\": \"image\"; a Node.js one")},
    [OPT_COUNT] = {.size = sizeof(struct skl_option)},
};

static const char *text_or_null(const struct skl_value *v)
{
    return v->str && *v->str ? v->str : NULL;
}

static bool is_choice(const struct skl_value *v, const char *word)
{
    return v->str && !strcmp(v->str, word);
}

/* Names go into URLs: letters, digits, '-', and for projects '.' and ':' of domain-scoped ones. */
static int check_name(const char *key, const char *value, struct skl_error *err)
{
    for (const char *p = value; p && *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-.:_", *p))
            return gcp_error(err, SKL_ERR_INVALID, "%s: \"%s\" is not a name (letters, digits and - only)",
                             key, value);
    return 0;
}

static int read_endpoint(struct gcf_config *c, const char *url, struct skl_error *err)
{
    size_t n;

    if (!url)
        return 0;
    if (!gcp_has_prefix(url, "http://") && !gcp_has_prefix(url, "https://"))
        return gcp_error(err, SKL_ERR_INVALID, "endpoint-url: \"%s\" does not begin with http:// or https://",
                         url);
    c->endpoint = strdup(url);
    if (!c->endpoint)
        return gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    for (n = strlen(c->endpoint); n && c->endpoint[n - 1] == '/'; n--)
        c->endpoint[n - 1] = '\0';
    if (c->log_timeout > ENDPOINT_LOG_TIMEOUT)
        c->log_timeout = ENDPOINT_LOG_TIMEOUT;
    return 0;
}

static int read_resources(struct gcf_config *c, const struct skl_value *const *v, struct skl_error *err)
{
    c->memory_text = v[OPT_MEMORY]->str;
    if (gcf_memory_parse(c->memory_text, &c->memory) < 0)
        return gcp_error(err, SKL_ERR_INVALID,
                         "memory: \"%s\" is not a size such as 512Mi or 1Gi, from 128Mi to 32Gi",
                         c->memory_text ? c->memory_text : "");
    if (gcf_cpu_parse(v[OPT_CPU]->str, &c->cpu_milli) < 0)
        return gcp_error(err, SKL_ERR_INVALID, "cpu: \"%s\" is not 0.08 to 1, 2, 4, 6 or 8",
                         v[OPT_CPU]->str ? v[OPT_CPU]->str : "");
    return 0;
}

static int read_image(struct gcf_config *c, const struct skl_value *const *v, struct skl_error *err)
{
    const char *repository = text_or_null(v[OPT_REPOSITORY]), *hub = text_or_null(v[OPT_HUB_REPOSITORY]);
    struct gcp_ref hub_ref;

    if (!c->image_deploy)
        return 0;
    if (!repository)
        return gcp_error(err, SKL_ERR_INVALID, "repository: is needed with \"deploy\": \"image\"");
    if (gcp_ref_parse(&c->repository, repository, err) < 0 || strcmp(c->repository.tag, "latest") ||
        !strcmp(c->repository.host, "docker.io"))
        return gcp_error(err, SKL_ERR_INVALID, "repository: \"%s\" is not HOST/PROJECT/REPOSITORY",
                         repository);
    if (hub && gcp_ref_parse(&hub_ref, hub, err) < 0)
        return gcp_error(err, SKL_ERR_INVALID, "hub-repository: \"%s\" is not PROJECT/REPOSITORY", hub);
    if (hub)
        (void)snprintf(c->hub, sizeof(c->hub), "%s", hub);
    c->agent_binary = v[OPT_AGENT_BINARY]->str;
    c->stub_runtime = v[OPT_STUB_RUNTIME]->str;
    return 0;
}

int gcf_config_read(struct gcf_config *c, const struct skl_value *const *v, struct skl_error *err)
{
    memset(c, 0, sizeof(*c));
    c->project = text_or_null(v[OPT_PROJECT]);
    c->region = text_or_null(v[OPT_REGION]);
    c->service_account = text_or_null(v[OPT_SERVICE_ACCOUNT]);
    c->timeout_s = v[OPT_TIMEOUT]->num / GCP_SECOND;
    c->image_deploy = is_choice(v[OPT_DEPLOY], "image");
    c->extended = !is_choice(v[OPT_SEMANTICS], "strict");
    c->background = is_choice(v[OPT_CREATE], "background");
    c->log_timeout = v[OPT_LOG_TIMEOUT]->num;
    c->create_timeout = v[OPT_CREATE_TIMEOUT]->is_set ? v[OPT_CREATE_TIMEOUT]->num
                        : c->image_deploy             ? CREATE_TIMEOUT_BUILD
                                                      : CREATE_TIMEOUT;
    c->credentials = text_or_null(v[OPT_CREDENTIALS]);
    c->impersonate = text_or_null(v[OPT_IMPERSONATE]);
    if (!c->region)
        return gcp_error(err, SKL_ERR_INVALID, "region: is empty");
    if (check_name("project", c->project, err) < 0 || check_name("region", c->region, err) < 0)
        return -1;
    if (read_resources(c, v, err) < 0 || read_image(c, v, err) < 0)
        return -1;
    return read_endpoint(c, text_or_null(v[OPT_ENDPOINT_URL]), err);
}

void gcf_config_fini(struct gcf_config *c)
{
    free(c->endpoint);
    c->endpoint = NULL;
}
