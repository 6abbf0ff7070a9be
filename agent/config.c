/*
 * agent/config.c - what the environment tells the agent. Everything of it is kept from the container's processes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "agent/agent.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/clock.h"
#include "json/json.h"

#define DEFAULT_PORT 8080
#define DEFAULT_CONNECT_NS (INT64_C(60) * NS_PER_S)
#define DEFAULT_RECONNECT_NS (INT64_C(30) * 60 * NS_PER_S)
#define CONNECT_MS_MAX (INT64_C(24) * 3600 * 1000)
#define IMAGE_FILE_MAX (4u * 1024 * 1024)

extern char **environ;

static int get_duration(const char *name, int64_t if_absent, int64_t *ret, struct skl_error *err)
{
    const char *v = getenv(name);
    double seconds;

    *ret = if_absent;
    if (str_empty(v) || duration_parse(v, ret))
        return 0;
    if (!str_to_double(v, &seconds) || seconds < 0 || seconds > 1e6)
        return error_set(err, SKL_ERR_INVALID, "%s: \"%s\" is not a duration", name, v);
    *ret = (int64_t)(seconds * 1e9);
    return 0;
}

static int get_process(struct agent_config *c, struct skl_error *err)
{
    const char *v = getenv("SOCKERLESS_PROCESS");
    struct buf json;
    int64_t ms = 0;
    int rc = 0;

    if (str_empty(v))
        return 0;
    buf_init(&json, AGENT_BODY_MAX);
    if (base64_decode(&json, v, strlen(v)) < 0)
        rc = error_set(err, SKL_ERR_INVALID, "the environment variable SOCKERLESS_PROCESS is not base64");
    else if ((c->process = json_parse_object(buf_str(&json), json.len, AGENT_BODY_MAX, err)) == NULL)
        rc = error_prefix(err, "the environment variable SOCKERLESS_PROCESS");
    buf_fini(&json);
    if (rc == 0 && json_member(c->process, "ca") != NULL)
        c->ca_pem = json_string_or(json_member(c->process, "ca"), "");
    if (rc == 0 && str_empty(getenv("SOCKERLESS_CONNECT_TIMEOUT")) &&
        json_get_i64_range(c->process, "connect_timeout_ms", 1, CONNECT_MS_MAX, &ms, NULL) >= 0 && ms > 0)
        c->connect_timeout = ms * 1000000;
    return rc;
}

static int get_image_config(struct agent_config *c, struct skl_error *err)
{
    struct buf text;
    int rc = 0;

    buf_init(&text, IMAGE_FILE_MAX);
    if (fs_read_file(AGENT_IMAGE_FILE, &text, NULL) == 0) {
        c->image_config = json_parse_object(buf_str(&text), text.len, IMAGE_FILE_MAX, err);
        if (c->image_config == NULL)
            rc = error_prefix(err, AGENT_IMAGE_FILE);
    }
    buf_fini(&text);
    return rc;
}

/* The platform's variables, and those that describe the agent's own surroundings. */
static bool is_hidden(const char *kv)
{
    static const char *const prefixes[] = {"SOCKERLESS_", "K_", "FUNCTION_", "CLOUD_RUN_", "PORT=", "HOME=", "PWD=",
                                           "HOSTNAME=", "TERM=", "SHLVL=", "_=", "OLDPWD="};

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts(kv, prefixes[i]))
            return true;
    return false;
}

static void take_env(struct agent_config *c)
{
    size_t n = 0;

    while (environ[n] != NULL)
        n++;
    c->env = xcalloc(n + 1, sizeof(*c->env));
    n = 0;
    for (char **e = environ; *e != NULL; e++)
        if (!is_hidden(*e))
            c->env[n++] = xstrdup(*e);
}

static char *take_text(const char *name)
{
    const char *v = getenv(name);

    return str_empty(v) ? NULL : xstrdup(v);
}

int config_from_env(struct agent_config *c, struct skl_error *err)
{
    const char *port = getenv("PORT"), *level = getenv("SOCKERLESS_LOG_LEVEL");
    enum log_level log_level = LOG_LEVEL_WARN;
    uint64_t n = DEFAULT_PORT;

    memset(c, 0, sizeof(*c));
    if (!str_empty(port) && !str_to_u64(port, 1, 65535, &n))
        return error_set(err, SKL_ERR_INVALID, "PORT: \"%s\" is not a port", port);
    c->port = (uint16_t)n;
    if (!str_empty(level) && !log_level_parse(level, &log_level))
        return error_set(err, SKL_ERR_INVALID, "SOCKERLESS_LOG_LEVEL: unknown level \"%s\"", level);
    log_set_level(log_level);
    c->container = take_text("SOCKERLESS_CONTAINER_ID");
    c->token = take_text("SOCKERLESS_AGENT_TOKEN");
    c->callback_url = take_text("SOCKERLESS_AGENT_CALLBACK_URL");
    c->image = take_text("SOCKERLESS_IMAGE");
    c->ca_file = take_text("SOCKERLESS_CA_FILE");
    take_env(c);
    if (get_duration("SOCKERLESS_CONNECT_TIMEOUT", DEFAULT_CONNECT_NS, &c->connect_timeout, err) < 0 ||
        get_duration("SOCKERLESS_RECONNECT_TIMEOUT", DEFAULT_RECONNECT_NS, &c->reconnect_timeout, err) < 0)
        return -1;
    return get_process(c, err) < 0 || get_image_config(c, err) < 0 ? -1 : 0;
}

void config_fini(struct agent_config *c)
{
    if (c->token != NULL)
        mem_wipe(c->token, strlen(c->token));
    free(c->token);
    free(c->container);
    free(c->callback_url);
    free(c->image);
    free(c->ca_file);
    json_object_put(c->process);
    json_object_put(c->image_config);
    for (char **e = c->env; e != NULL && *e != NULL; e++)
        free(*e);
    free(c->env);
}
