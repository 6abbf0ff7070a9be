/*
 * tests/unit/test_daemon_config.c - the daemon's configuration: precedence, and errors that say where.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "daemon/config.h"
#include "daemon/listen.h"
#include "json/json.h"
#include "tests/unit/harness.h"

static const char *const *variables; /* "NAME=value", NULL-terminated */

static const char *env(const char *name)
{
    size_t n = strlen(name);

    for (const char *const *v = variables; v != NULL && *v != NULL; v++)
        if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
            return *v + n + 1;
    return NULL;
}

/* Loads from a file's text (NULL: none), variables and flags. The error's message, or "ok". */
static const char *load(struct config *c, const char *file, const char *const *vars, const char *const *flags)
{
    static struct skl_error err;
    struct config_args args;
    CLEANUP(free_p) char *path = fs_join(unit_tmpdir(), "c.json");
    char *argv[32] = {(char[]){"sockerlessd"}, (char[]){"--config"}, path};
    int argc = file != NULL ? 3 : 1;

    variables = vars;
    err = (struct skl_error){0};
    if (file != NULL)
        fs_write_file_atomic(path, file, strlen(file), 0600, NULL);
    for (; flags != NULL && *flags != NULL; flags++)
        argv[argc++] = (char *)(uintptr_t)*flags; /* getopt moves the pointers and leaves the text */
    if (config_args_parse(argc, argv, &args, &err) < 0) {
        config_init_defaults(c);
        return err.message;
    }
    return config_load(c, &args, env, &err) < 0 ? err.message : "ok";
}

static void expect_error(const char *file, const char *const *vars, const char *const *flags, const char *part)
{
    struct config c;
    const char *got = load(&c, file, vars, flags);

    if (strstr(got, part) == NULL)
        UNIT_STR_EQ(got, part);
    config_fini(&c);
}

static void test_defaults(void)
{
    struct config c;

    UNIT_STR_EQ(load(&c, "{}", (const char *const[]){"HOME=/h", NULL}, NULL), "ok");
    UNIT_STR_EQ(c.driver, "cloud-run-functions");
    UNIT_STR_EQ(c.log_level, "info");
    UNIT_STR_EQ(c.agent_listen, "tcp://127.0.0.1:3376");
    UNIT_INT_EQ(c.connect_timeout, 60 * NS_PER_S);
    UNIT_STR_EQ(c.resolve, "synthetic");
    UNIT_STR_EQ(c.synthetic_exec, "refuse");
    UNIT_STR_EQ(c.tlscacert, "/h/.docker/ca.pem");
    CU_ASSERT_PTR_NULL(c.hosts[0]);
    CU_ASSERT(!c.simulator);
    config_fini(&c);
}

static void test_design_example(void)
{
    struct config c;

    UNIT_STR_EQ(load(&c,
                     "{ // the daemon\n \"hosts\": [\"unix:///run/sockerless.sock\"], \"driver\": \"cloud-run-functions\",\n"
                     "\"driver-dir\": \"/d\", \"state-dir\": \"/s\", \"log-level\": \"debug\", \"simulator\": false, /* x */\n"
                     "\"agent\": { \"listen\": \"tcp://127.0.0.1:3376\", \"callback-url\": \"https://a.example\","
                     " \"connect-timeout\": \"30s\" },\n"
                     "\"images\": { \"resolve\": \"registry\", \"registry-mirrors\": [\"http://m\"], "
                     "\"insecure-registries\": [] },\n"
                     "\"exec\": { \"synthetic\": \"echo\" },\n"
                     "\"drivers\": { \"cloud-run-functions\": { \"project\": \"p\", \"timeout\": 3600 } } }",
                     NULL, NULL),
                "ok");
    UNIT_STR_EQ(c.hosts[0], "unix:///run/sockerless.sock");
    UNIT_STR_EQ(c.callback_url, "https://a.example");
    UNIT_INT_EQ(c.connect_timeout, 30 * NS_PER_S);
    UNIT_STR_EQ(c.mirrors[0], "http://m");
    UNIT_STR_EQ(c.synthetic_exec, "echo");
    UNIT_STR_EQ(json_string_or(json_member(json_member(c.drivers, "cloud-run-functions"), "project"), ""), "p");
    config_fini(&c);
}

static void test_precedence(void)
{
    const char *file = "{\"log-level\":\"warn\",\"driver\":\"f\",\"state-dir\":\"/f\",\"hosts\":[\"unix:///f\"]}";
    const char *const vars[] = {"SOCKERLESS_LOG_LEVEL=error", "SOCKERLESS_DRIVER=e", "SOCKERLESS_HOST=unix:///a,unix:///b",
                                NULL};
    const char *const flags[] = {"--driver=g", "-H", "fd://", "--host", "unix:///g", "--simulator", NULL};
    struct config c;

    UNIT_STR_EQ(load(&c, file, vars, flags), "ok");
    UNIT_STR_EQ(c.state_dir, "/f");
    UNIT_STR_EQ(c.log_level, "error");
    UNIT_STR_EQ(c.driver, "g");
    UNIT_STR_EQ(c.hosts[0], "fd://");
    UNIT_STR_EQ(c.hosts[1], "unix:///g");
    CU_ASSERT_PTR_NULL(c.hosts[2]);
    CU_ASSERT(c.simulator);
    UNIT_INT_EQ(config_source_of(&c, "state-dir"), CONFIG_FROM_FILE);
    UNIT_INT_EQ(config_source_of(&c, "log-level"), CONFIG_FROM_ENV);
    UNIT_INT_EQ(config_source_of(&c, "driver"), CONFIG_FROM_FLAG);
    UNIT_INT_EQ(config_source_of(&c, "agent.listen"), CONFIG_FROM_DEFAULT);
    config_fini(&c);
    UNIT_STR_EQ(load(&c, file, vars, NULL), "ok");
    UNIT_STR_EQ(c.hosts[1], "unix:///b");
    config_fini(&c);
}

static void test_errors_say_where(void)
{
    expect_error("{\"drvier\":1}", NULL, NULL, "c.json: unknown key \"drvier\"");
    expect_error("{\"agent\":{\"lissen\":\"x\"}}", NULL, NULL, "c.json: unknown key \"agent.lissen\"");
    expect_error("{\"agent\":3}", NULL, NULL, "c.json: \"agent\" must be an object, not a number");
    expect_error("{\"simulator\":\"yes\"}", NULL, NULL, "c.json: \"simulator\": must be true or false, not a string");
    expect_error("{\"hosts\":\"x\"}", NULL, NULL, "c.json: \"hosts\": must be an array of strings, not a string");
    expect_error("{\"log-level\":\"loud\"}", NULL, NULL, "c.json: \"log-level\": \"loud\" is not one of");
    expect_error("{\"agent\":{\"connect-timeout\":\"soon\"}}", NULL, NULL, "is not a duration");
    expect_error("{\"drivers\":{\"x\":1}}", NULL, NULL, "member \"x\" must be an object");
    expect_error("{\n\"driver\": }", NULL, NULL, "c.json: line 2");
    expect_error("{", NULL, NULL, "c.json: line 1");
    expect_error(NULL, NULL, (const char *const[]){"--config", "/no/such/file", NULL}, "/no/such/file");
    expect_error("{}", (const char *const[]){"SOCKERLESS_LOG_LEVEL=x", NULL}, NULL,
                 "environment variable SOCKERLESS_LOG_LEVEL: \"x\" is not one of");
    expect_error("{}", NULL, (const char *const[]){"--log-level", "x", NULL}, "flag --log-level: \"x\" is not one of");
    expect_error("{}", NULL, (const char *const[]){"--ip", "localhost", NULL}, "flag --ip: \"localhost\" is not an IP address");
    expect_error("{\"ip\":\"1.2.3\"}", NULL, NULL, "c.json: \"ip\": \"1.2.3\" is not an IP address");
    expect_error("{}", NULL, (const char *const[]){"--nope", NULL}, "unknown flag --nope");
    expect_error("{}", NULL, (const char *const[]){"-x", NULL}, "unknown flag -x");
    expect_error("{}", NULL, (const char *const[]){"--driver", NULL}, "needs a value");
    expect_error("{}", NULL, (const char *const[]){"stray", NULL}, "unexpected argument stray");
}

static void test_modes(void)
{
    static const struct {
        const char *flag;
        enum config_mode mode;
    } cases[] = {{"--validate", CONFIG_VALIDATE}, {"--list-drivers", CONFIG_LIST_DRIVERS}, {"--help", CONFIG_HELP},
                 {"-h", CONFIG_HELP},             {"--version", CONFIG_VERSION},           {"-v", CONFIG_VERSION},
                 {"--help-driver=x", CONFIG_HELP_DRIVER}, {"-D", CONFIG_RUN}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(free_p) char *flag = xstrdup(cases[i].flag);
        char *argv[] = {(char[]){"sockerlessd"}, flag, NULL};
        struct config_args args;
        UNIT_INT_EQ(config_args_parse(2, argv, &args, NULL), 0);
        UNIT_INT_EQ(args.mode, cases[i].mode);
    }
}

static size_t n_applied, n_refused;
static void on_changed(void *arg, const char *path, bool applied)
{
    (void)arg;
    (void)path;
    n_applied += applied;
    n_refused += !applied;
}

static void test_reload(void)
{
    struct config a, b;

    load(&a, "{\"log-level\":\"warn\",\"driver\":\"x\"}", NULL, NULL);
    load(&b, "{\"log-level\":\"debug\",\"driver\":\"y\"}", NULL, NULL);
    config_reload(&a, &b, on_changed, NULL);
    UNIT_STR_EQ(a.log_level, "debug");
    UNIT_STR_EQ(a.driver, "x");
    UNIT_INT_EQ(n_applied, 1);
    UNIT_INT_EQ(n_refused, 1);
    config_fini(&a);
    config_fini(&b);
}

static void test_listen_parse(void)
{
    struct listen_addr a;

    UNIT_INT_EQ(listen_parse("unix:///run/x.sock", 0, &a, NULL), 0);
    UNIT_STR_EQ(a.path, "/run/x.sock");
    UNIT_INT_EQ(listen_parse("tcp://localhost", 2375, &a, NULL), 0);
    UNIT_STR_EQ(a.host, "127.0.0.1");
    UNIT_INT_EQ(a.port, 2375);
    UNIT_INT_EQ(listen_parse("tcp://:80", 0, &a, NULL), 0);
    UNIT_STR_EQ(a.host, "0.0.0.0");
    CU_ASSERT(!listen_is_loopback(a.host));
    UNIT_INT_EQ(listen_parse("tcp://[::1]:80", 0, &a, NULL), 0);
    UNIT_STR_EQ(a.host, "::1");
    UNIT_INT_EQ(a.port, 80);
    CU_ASSERT(listen_is_loopback(a.host));
    UNIT_INT_EQ(listen_parse("fd://", 0, &a, NULL), 0);
    UNIT_INT_EQ(a.fd, -1);
    UNIT_INT_EQ(listen_parse("fd://4", 0, &a, NULL), 0);
    UNIT_INT_EQ(a.fd, 4);
}

static void test_listen_bad(void)
{
    static const char *const cases[] = {"",           "http://x", "unix://rel", "tcp://host.name:1", "tcp://127.0.0.1:99999",
                                        "tcp://[::1", "fd://x",   "fd://1",     "tcp://127.0.0.1:80/x", "tcp://127.0.0.1:"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct listen_addr a;
        UNIT_INT_EQ(listen_parse(cases[i], 1, &a, NULL), -1);
    }
}

UNIT_MAIN("daemon_config", UNIT(test_defaults), UNIT(test_design_example), UNIT(test_precedence),
          UNIT(test_errors_say_where), UNIT(test_modes), UNIT(test_reload), UNIT(test_listen_parse),
          UNIT(test_listen_bad))
