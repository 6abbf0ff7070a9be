/*
 * tests/unit/test_api_create.c - create bodies: types, canonical form, rules between fields, image merge (cases U-57,
 * U-59, P-45, P-53).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "api/create.h"
#include "api/schema.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "tests/unit/harness.h"

#define TEXT_MAX 65536u

static struct json_object *parse(const char *s)
{
    struct json_object *v = json_parse_object(s, strlen(s), TEXT_MAX, NULL);

    CU_ASSERT_PTR_NOT_NULL(v);
    return v;
}

/* Writes body through a table; the text, or the error's. */
static const char *canonical(const struct schema_field *table, const char *body, const char *path)
{
    static char text[TEXT_MAX];
    JSON_CLEANUP struct json_object *v = parse(body);
    struct skl_error err = {0};
    struct buf b;
    struct jw w;

    buf_init(&b, TEXT_MAX);
    jw_init(&w, &b);
    if (schema_write(&w, NULL, table, v, path, &err) < 0)
        snprintf(text, sizeof(text), "%s", err.message);
    else
        snprintf(text, sizeof(text), "%s", buf_str(&b));
    buf_fini(&b);
    return text;
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        UNIT_STR_EQ(text, part);
}

static void test_host_defaults(void)
{
    const char *t = canonical(schema_host_config, "{}", NULL);

    has(t, "\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{}}");
    has(t, "\"RestartPolicy\":{\"Name\":\"no\",\"MaximumRetryCount\":0}");
    has(t, "\"NetworkMode\":\"default\"");
    has(t, "\"ShmSize\":67108864");
    has(t, "\"PortBindings\":{}");
    has(t, "\"ConsoleSize\":[0,0]");
    CU_ASSERT_PTR_NULL(strstr(t, "\"Init\""));
    t = canonical(schema_host_config,
                  "{\"LogConfig\":{\"Type\":\"\",\"Config\":null},\"NetworkMode\":\"\",\"ShmSize\":0,\"Init\":false}", NULL);
    has(t, "\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{}}");
    has(t, "\"NetworkMode\":\"default\"");
    has(t, "\"Init\":false");
}

static void test_round_trip(void)
{
    const char *t = canonical(schema_host_config,
                              "{\"binds\":[\"v:/x\"],\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}],"
                              "\"81/tcp\":null},\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"v\",\"Target\":\"/y\","
                              "\"VolumeOptions\":{\"Labels\":{\"a\":\"b\"}}}],\"Tmpfs\":{\"/run\":\"rw\"},"
                              "\"ConsoleSize\":[24,80],\"Unknown\":1}",
                              NULL);

    has(t, "\"Binds\":[\"v:/x\"]");
    has(t, "\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}],\"81/tcp\":null}");
    has(t, "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"v\",\"Target\":\"/y\",\"VolumeOptions\":{\"Labels\":{\"a\":\"b\"}}}]");
    has(t, "\"Tmpfs\":{\"/run\":\"rw\"}");
    has(t, "\"ConsoleSize\":[24,80]");
    CU_ASSERT_PTR_NULL(strstr(t, "Unknown"));
    t = canonical(schema_config, "{\"Cmd\":\"ls\",\"StopTimeout\":0,\"Labels\":{\"k\":null},\"Volumes\":{\"/v\":{}}}", NULL);
    has(t, "\"Cmd\":[\"ls\"]");
    has(t, "\"StopTimeout\":0");
    has(t, "\"Labels\":{\"k\":\"\"}");
    has(t, "\"Volumes\":{\"/v\":{}}");
    CU_ASSERT_PTR_NULL(strstr(t, "ExposedPorts"));
}

static void test_wrong_types(void)
{
    UNIT_STR_EQ(canonical(schema_host_config, "{\"Memory\":\"1\"}", "HostConfig"),
                "invalid JSON: HostConfig.Memory must be an integer, not a string");
    UNIT_STR_EQ(canonical(schema_config, "{\"Env\":[\"a\",1]}", NULL), "invalid JSON: Env[1] must be a string, not a number");
    UNIT_STR_EQ(canonical(schema_config, "{\"Healthcheck\":{\"Retries\":true}}", NULL),
                "invalid JSON: Healthcheck.Retries must be an integer, not a boolean");
    UNIT_STR_EQ(canonical(schema_networking, "{\"EndpointsConfig\":{\"n\":{\"Aliases\":\"x\"}}}", "NetworkingConfig"),
                "invalid JSON: NetworkingConfig.EndpointsConfig.n.Aliases must be an array of strings, not a string");
    UNIT_STR_EQ(canonical(schema_host_config, "{\"ConsoleSize\":[1,-2]}", NULL),
                "invalid JSON: ConsoleSize must be an array of two numbers, not a number");
    UNIT_STR_EQ(canonical(schema_config, "{\"Cmd\":{}}", NULL),
                "invalid JSON: Cmd must be an array of strings, not an object");
    has(canonical(schema_config, "{\"Image\":\"a\\u0000b\"}", NULL), "without NUL");
    has(canonical(schema_config, "{\"StopSignal\":[]}", NULL), "StopSignal must be a string");
}

/* ---- merge ---- */
static const char *merged(const char *config, const char *image, const char *member)
{
    static char text[TEXT_MAX];
    JSON_CLEANUP struct json_object *c = parse(config);
    JSON_CLEANUP struct json_object *i = parse(image);
    struct skl_error err = {0};
    struct buf b;

    if (create_merge(c, i, false, &err) < 0) {
        snprintf(text, sizeof(text), "%s", err.message);
        return text;
    }
    buf_init(&b, TEXT_MAX);
    json_emit(&b, json_member(c, member));
    snprintf(text, sizeof(text), "%s", buf_str(&b));
    buf_fini(&b);
    return text;
}

#define IMAGE                                                                                                  \
    "{\"Env\":[\"A=1\",\"B=2\"],\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"],\"User\":\"u\",\"Labels\":{\"l\":\"1\",\"m\":\"2\"}," \
    "\"ExposedPorts\":{\"80/tcp\":{}},\"WorkingDir\":\"/w\",\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":5000000}}"

static void test_merge_command(void)
{
    UNIT_STR_EQ(merged("{}", IMAGE, "Entrypoint"), "[\"e\"]");
    UNIT_STR_EQ(merged("{}", IMAGE, "Cmd"), "[\"c\"]");
    UNIT_STR_EQ(merged("{\"Entrypoint\":[\"x\"]}", IMAGE, "Cmd"), "null");
    UNIT_STR_EQ(merged("{\"Entrypoint\":\"/bin/sh\"}", IMAGE, "Entrypoint"), "\"/bin/sh\"");
    UNIT_STR_EQ(merged("{\"Cmd\":[\"y\"]}", IMAGE, "Entrypoint"), "[\"e\"]");
    UNIT_STR_EQ(merged("{\"Cmd\":[\"y\"]}", IMAGE, "Cmd"), "[\"y\"]");
    UNIT_STR_EQ(merged("{\"Entrypoint\":[]}", IMAGE, "Entrypoint"), "[]");
    UNIT_STR_EQ(merged("{\"Entrypoint\":[]}", IMAGE, "Cmd"), "[\"c\"]");
    UNIT_STR_EQ(merged("{\"Entrypoint\":[\"\"],\"Cmd\":[\"y\"]}", IMAGE, "Entrypoint"), "null");
    UNIT_STR_EQ(merged("{\"Entrypoint\":[\"\"]}", IMAGE, "Cmd"), "no command specified");
    UNIT_STR_EQ(merged("{}", "{}", "Cmd"), "no command specified");
}

static void test_merge_rest(void)
{
    UNIT_STR_EQ(merged("{\"Env\":[\"B=3\",\"C\"]}", IMAGE, "Env"), "[\"B=3\",\"C\",\"A=1\"]");
    UNIT_STR_EQ(merged("{}", IMAGE, "Env"), "[\"A=1\",\"B=2\"]");
    UNIT_STR_EQ(merged("{\"Env\":[\"A\"]}", IMAGE, "Env"), "[\"A\",\"B=2\"]");
    UNIT_STR_EQ(merged("{\"User\":\"v\"}", IMAGE, "User"), "\"v\"");
    UNIT_STR_EQ(merged("{\"User\":\"\"}", IMAGE, "User"), "\"u\"");
    UNIT_STR_EQ(merged("{\"Labels\":{\"l\":\"9\",\"n\":\"3\"}}", IMAGE, "Labels"), "{\"l\":\"9\",\"m\":\"2\",\"n\":\"3\"}");
    UNIT_STR_EQ(merged("{\"ExposedPorts\":{\"81/tcp\":{}}}", IMAGE, "ExposedPorts"), "{\"80/tcp\":{},\"81/tcp\":{}}");
    UNIT_STR_EQ(merged("{\"Healthcheck\":{\"Interval\":7000000}}", IMAGE, "Healthcheck"),
                "{\"Interval\":7000000,\"Test\":[\"CMD\",\"x\"]}");
    UNIT_STR_EQ(merged("{\"Healthcheck\":{\"Test\":[\"NONE\"]}}", IMAGE, "Healthcheck"),
                "{\"Test\":[\"NONE\"],\"Interval\":5000000}");
}

/* ---- checks ---- */
static const char *checked(const char *config)
{
    static char text[1024];
    JSON_CLEANUP struct json_object *c = parse(config);
    struct skl_error err = {0};

    snprintf(text, sizeof(text), "%s", create_check_config(c, &err) < 0 ? err.message : "ok");
    return text;
}

static void test_check_config(void)
{
    UNIT_STR_EQ(checked("{}"), "ok");
    UNIT_STR_EQ(checked("{\"Env\":[\"A=\",\"B\"]}"), "ok");
    UNIT_STR_EQ(checked("{\"Env\":[\"=x\"]}"), "invalid environment variable: =x");
    UNIT_STR_EQ(checked("{\"WorkingDir\":\"rel\"}"),
                "the working directory 'rel' is invalid, it needs to be an absolute path");
    UNIT_STR_EQ(checked("{\"StopSignal\":\"NOPE\"}"), "invalid signal: NOPE");
    UNIT_STR_EQ(checked("{\"StopSignal\":\"SIGRTMIN+3\"}"), "ok");
    UNIT_STR_EQ(checked("{\"Healthcheck\":{\"Interval\":500000}}"), "Interval in Healthcheck cannot be less than 1ms");
    UNIT_STR_EQ(checked("{\"Healthcheck\":{\"Interval\":0,\"Timeout\":1000000}}"), "ok");
    UNIT_STR_EQ(checked("{\"Healthcheck\":{\"Retries\":-1}}"), "Retries in Healthcheck cannot be negative");
    has(checked("{\"Healthcheck\":{\"Test\":[\"SHELL\",\"x\"]}}"), "Unknown healthcheck type");
    has(checked("{\"ExposedPorts\":{\"99999/tcp\":{}}}"), "invalid port specification");
    has(checked("{\"Volumes\":{\"data\":{}}}"), "must be absolute");
}

static const char *host_checked(const char *host, size_t *ret_warnings)
{
    static char text[1024];
    JSON_CLEANUP struct json_object *h = parse(host);
    JSON_CLEANUP struct json_object *none = parse("{}");
    struct create_warnings w = {0};
    struct skl_error err = {0};

    snprintf(text, sizeof(text), "%s", create_check_host(h, &w, &err) < 0 || create_check_modes(none, h, &w, &err) < 0 ? err.message : "ok");
    *ret_warnings = w.n;
    create_warnings_fini(&w);
    return text;
}

static void test_check_host(void)
{
    size_t n;

    UNIT_STR_EQ(host_checked("{}", &n), "ok");
    UNIT_INT_EQ(n, 0);
    UNIT_STR_EQ(host_checked("{\"CpuShares\":5,\"CapAdd\":[\"ALL\"],\"CpusetCpus\":\"\",\"PidsLimit\":-1}", &n), "ok");
    UNIT_INT_EQ(n, 2);
    UNIT_STR_EQ(host_checked("{\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"always\"}}", &n),
                "can't create 'AutoRemove' container with restart policy");
    has(host_checked("{\"RestartPolicy\":{\"Name\":\"sometimes\"}}", &n), "unknown policy 'sometimes'");
    has(host_checked("{\"RestartPolicy\":{\"Name\":\"always\",\"MaximumRetryCount\":2}}", &n), "can only be used with");
    UNIT_STR_EQ(host_checked("{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":2}}", &n), "ok");
    UNIT_STR_EQ(host_checked("{\"Memory\":1000}", &n), "Minimum memory limit allowed is 6MB");
    has(host_checked("{\"NanoCpus\":1000000000,\"CpuQuota\":5000}", &n), "Conflicting options");
    has(host_checked("{\"LogConfig\":{\"Type\":\"nope\"}}", &n), "plugin \"nope\" not found");
    UNIT_STR_EQ(host_checked("{\"LogConfig\":{\"Type\":\"syslog\"}}", &n), "ok");
    UNIT_INT_EQ(n, 1);
    has(host_checked("{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"x\":\"y\"}}}", &n), "unknown log opt 'x'");
    has(host_checked("{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"x\"}]}}", &n), "invalid port specification");
    has(host_checked("{\"ExtraHosts\":[\"nocolon\"]}", &n), "bad format for add-host");
    UNIT_STR_EQ(host_checked("{\"ExtraHosts\":[\"a:::1\",\"b:[::1]\",\"c:1.2.3.4\",\"d:host-gateway\"]}", &n), "ok");
    has(host_checked("{\"ExtraHosts\":[\"a:[\"]}", &n), "invalid IP address in add-host: \"[\"");
    has(host_checked("{\"IpcMode\":\"what\"}", &n), "invalid IPC mode: what");
    UNIT_STR_EQ(host_checked("{\"IpcMode\":\"private\",\"PidMode\":\"\",\"CgroupnsMode\":\"private\"}", &n), "ok");
    UNIT_INT_EQ(n, 0);
    UNIT_STR_EQ(host_checked("{\"Tmpfs\":{\"/a\":\"rw,noexec,,nosuid\",\"/b\":\"\"}}", &n), "ok");
    UNIT_INT_EQ(n, 0);
    UNIT_STR_EQ(host_checked("{\"Tmpfs\":{\"/a\":\"size=1m,mode=700\"}}", &n), "ok");
    UNIT_INT_EQ(n, 1);
    UNIT_STR_EQ(host_checked("{\"Tmpfs\":{\"/a\":\"rw,size\"}}", &n), "invalid tmpfs option [\"size\"]");
    has(host_checked("{\"Tmpfs\":{\"//\":\"\"}}", &n), "destination can't be '/'");
    UNIT_STR_EQ(host_checked("{\"SecurityOpt\":[\"no-new-privileges\",\"label=disable\"]}", &n), "ok");
    UNIT_INT_EQ(n, 1);
    has(host_checked("{\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"1.2.3\"}]}}", &n), "invalid IP address \"1.2.3\"");
    has(host_checked("{\"Devices\":[{\"PathOnHost\":\"/dev/x\"}]}", &n), "no access to devices");
}

UNIT_MAIN("api_create", UNIT(test_host_defaults), UNIT(test_round_trip), UNIT(test_wrong_types), UNIT(test_merge_command),
          UNIT(test_merge_rest), UNIT(test_check_config), UNIT(test_check_host))
