/*
 * env.c - see env.h.
 *
 * The container's whole environment travels in SOCKERLESS_PROCESS, or over the agent's link when that is too
 * long. The function's own variables repeat what the cloud allows, as the mapping asks: so a variable that
 * can't be one is not lost.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/env.h"
#include "gcp/json.h"
#include "gcp/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_LEN 256
#define VALUE_MAX    32767
#define VARS_MAX     900 /* of Cloud Run's 1000; the platform adds some */

static const char *const reserved[] = {"PORT",
                                       "K_SERVICE",
                                       "K_REVISION",
                                       "K_CONFIGURATION",
                                       "FUNCTION_TARGET",
                                       "FUNCTION_SIGNATURE_TYPE",
                                       "ENTRY_POINT",
                                       "GCP_PROJECT",
                                       "GCLOUD_PROJECT",
                                       "GOOGLE_CLOUD_PROJECT",
                                       "FUNCTION_TRIGGER_TYPE",
                                       "FUNCTION_NAME",
                                       "FUNCTION_MEMORY_MB",
                                       "FUNCTION_TIMEOUT_SEC",
                                       "FUNCTION_IDENTITY",
                                       "FUNCTION_REGION"};

bool gcf_env_allowed(const char *name, size_t n)
{
    if (!n || n > NAME_MAX_LEN || isdigit((unsigned char)*name))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_')
            return false;
    if (n >= 9 && !strncmp(name, "X_GOOGLE_", 9))
        return false;
    if (n >= 11 && !strncmp(name, "SOCKERLESS_", 11))
        return false;
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (strlen(reserved[i]) == n && !strncmp(reserved[i], name, n))
            return false;
    return true;
}

static void put_own(struct json_object *vars, const char *name, const char *value, size_t *used)
{
    if (!value || !*value)
        return;
    gcp_json_put_str(vars, name, value);
    *used += strlen(name) + strlen(value);
}

/* One "K=V" of the container, when the cloud allows it and it fits. */
static void put_user(struct json_object *vars, const char *entry, size_t *used)
{
    const char *eq = strchr(entry, '=');
    size_t n = eq ? (size_t)(eq - entry) : 0;
    char name[NAME_MAX_LEN + 1];

    if (!eq || !gcf_env_allowed(entry, n) || strlen(eq + 1) > VALUE_MAX || !gcp_utf8_valid(eq + 1) ||
        *used + strlen(entry) - 1 > GCF_ENV_MAX || json_object_object_length(vars) >= VARS_MAX)
        return;
    memcpy(name, entry, n);
    name[n] = '\0';
    gcp_json_put_str(vars, name, eq + 1);
    *used += strlen(entry) - 1;
}

/* There is no way for the environment to reach the process: names the variable that takes the most room. */
static int refuse(const struct skl_container *c, struct skl_error *err)
{
    const char *worst = "";

    for (size_t i = 0; c->env && c->env[i]; i++)
        if (strlen(c->env[i]) > strlen(worst))
            worst = c->env[i];
    return gcp_error(
        err, SKL_ERR_INVALID,
        "the command and environment are too large for a function (32 KiB in all) and there is no agent link "
        "to carry them (agent.callback-url is not set); the largest variable is %.*s with %zu bytes",
        (int)(strcspn(worst, "=") > 200 ? 200 : strcspn(worst, "=")), worst, strlen(worst));
}

int gcf_env_fill(struct json_object *vars, const struct skl_container *c, struct skl_error *err)
{
    size_t used = 0;

    put_own(vars, "SOCKERLESS_CONTAINER_ID", c->id, &used);
    put_own(vars, "SOCKERLESS_IMAGE", c->image, &used);
    put_own(vars, "SOCKERLESS_AGENT_TOKEN", c->agent_token, &used);
    put_own(vars, "SOCKERLESS_AGENT_CALLBACK_URL", c->agent_callback_url, &used);
    if (c->process && used + strlen("SOCKERLESS_PROCESS") + strlen(c->process) <= GCF_ENV_MAX)
        put_own(vars, "SOCKERLESS_PROCESS", c->process, &used);
    else if (!c->agent_callback_url)
        return refuse(c, err);
    for (size_t i = 0; c->env && c->env[i]; i++)
        put_user(vars, c->env[i], &used);
    return 0;
}
