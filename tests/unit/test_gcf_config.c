/*
 * tests/unit/test_gcf_config.c - options, memory and CPU, environment, names and labels.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "gcp/fake.h"
#include "cloud-run-functions/env.h"
#include "cloud-run-functions/function.h"
#include "cloud-run-functions/instance.h"
#include "cloud-run-functions/request.h"
#include "cloud-run-functions/resources.h"
#include "gcp/json.h"
#include "gcp/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake f;
static struct skl_error err;

__attribute__((constructor)) static void clean_environment(void)
{
    unsetenv("GOOGLE_CLOUD_PROJECT");
    unsetenv("GCLOUD_PROJECT");
}

static void refused(const char *key, const char *value, const char *why)
{
    struct skl_instance *inst;

    fake_init(&f);
    err.message[0] = '\0';
    inst = fake_open(&f, &err, "endpoint-url", "http://e", "project", "p", key, value, NULL);
    CU_ASSERT_PTR_NULL(inst);
    if (!strstr(err.message, why))
        printf("# %s=%s: %s\n", key, value, err.message);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, why));
    if (inst)
        fake_close(&f, inst);
    fake_fini(&f);
}

static void test_options(void)
{
    refused("memory", "lots", "memory: \"lots\"");
    refused("memory", "64Mi", "128Mi to 32Gi");
    refused("memory", "64Gi", "128Mi to 32Gi");
    refused("cpu", "3", "cpu: \"3\"");
    refused("cpu", "0.01", "cpu:");
    refused("project", "a/b", "project: \"a/b\"");
    refused("region", "", "region:");
    refused("region", "eu west", "region:");
    refused("endpoint-url", "ftp://x", "endpoint-url:");
    refused("project", "", "project: is not set");
}

static void test_caps(void)
{
    struct skl_instance *inst;
    const uint64_t always = SKL_CAP_LIST | SKL_CAP_INSPECT | SKL_CAP_AGENT | SKL_CAP_RESTART_RUN;

    fake_init(&f);
    inst = fake_open(&f, &err, "endpoint-url", "http://e/", "project", "p", "semantics", "strict", NULL);
    UNIT_INT_EQ(fake_caps, always);
    UNIT_INT_EQ(inst->config.log_timeout, 2 * FAKE_SEC); /* the mission's limit with another endpoint */
    UNIT_STR_EQ(inst->config.endpoint, "http://e");
    fake_close(&f, inst);
    inst = fake_open(&f, &err, "endpoint-url", "http://e/", "project", "p", "log-timeout", "1", NULL);
    UNIT_INT_EQ(fake_caps, gcf_driver.caps);
    CU_ASSERT((fake_caps & (SKL_CAP_STOP | SKL_CAP_SIGNAL | SKL_CAP_PAUSE | SKL_CAP_AGENT_EXIT |
                            SKL_CAP_AGENT_LOGS | SKL_CAP_START_STAGED)) ==
              (fake_caps & ~always));
    UNIT_INT_EQ(inst->config.log_timeout, FAKE_SEC);
    fake_close(&f, inst);
    inst = fake_open(&f, &err, NULL); /* no endpoint, no project: found out later; nothing is read now */
    CU_ASSERT_PTR_NOT_NULL_FATAL(inst);
    UNIT_INT_EQ(inst->config.log_timeout, 30 * FAKE_SEC);
    CU_ASSERT_PTR_NOT_NULL(inst->auth);
    fake_close(&f, inst);
    fake_fini(&f);
}

#define MI INT64_C(1048576)
#define GI (1024 * MI)

/* Pitfall 10: what Docker says becomes a pair that Google takes. */
static void test_pitfall_10_resources(void)
{
    static const struct {
        int64_t memory, nano;
        const char *want_memory, *want_cpu;
        int concurrent;
    } cases[] = {
        {0, 0, "1Gi", "1", 1},
        {100000000, 0, "128Mi", "1", 1},
        {1073741824, 0, "1024Mi", "1", 1},
        {1073741825, 0, "1025Mi", "1", 1},
        {6 * GI, 0, "6144Mi", "2", 1},
        {9 * GI, 1000000000, "9216Mi", "4", 1},
        {17 * GI, 0, "17408Mi", "6", 1},
        {32 * GI, 0, "32768Mi", "8", 1},
        {0, 500000000, "1Gi", "500m", 0},
        {2 * GI, 500000000, "2048Mi", "1", 1},
        {256 * MI, 10000000, "256Mi", "80m", 0},
        {256 * MI, 123456789, "256Mi", "130m", 0},
        {0, 1500000000, "1Gi", "2", 1},
        {0, 3000000000, "2048Mi", "4", 1},
        {0, 8000000000, "4096Mi", "8", 1},
    };
    struct gcf_resources r;
    int64_t v;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_INT_EQ(gcf_resources_choose(&r, cases[i].memory, cases[i].nano, GI, "1Gi", 1000, &err), 0);
        UNIT_STR_EQ(r.memory, cases[i].want_memory);
        UNIT_STR_EQ(r.cpu, cases[i].want_cpu);
        UNIT_INT_EQ(r.concurrency > 1, cases[i].concurrent);
    }
    CU_ASSERT(gcf_resources_choose(&r, 33 * GI, 0, GI, "1Gi", 1000, &err) < 0);
    CU_ASSERT(gcf_resources_choose(&r, 0, INT64_C(9000000000), GI, "1Gi", 1000, &err) < 0);
    UNIT_INT_EQ(gcf_memory_parse("512M", &v), 0);
    UNIT_INT_EQ(v, 512000000);
    UNIT_INT_EQ(gcf_memory_parse("1073741824", &v), 0);
    UNIT_INT_EQ(v, GI);
    UNIT_INT_EQ(gcf_memory_parse("1.5Gi", &v), 0);
    UNIT_INT_EQ(v, GI + 512 * MI);
    UNIT_INT_EQ(gcf_memory_parse("128M", &v), 0);
    CU_ASSERT(gcf_memory_parse("999999999999999999999Gi", &v) < 0);
    UNIT_INT_EQ(gcf_cpu_parse("583m", &v), 0);
    UNIT_INT_EQ(v, 583);
    UNIT_INT_EQ(gcf_cpu_parse("0.333", &v), 0);
    UNIT_INT_EQ(v, 333);
}

static struct json_object *vars;

static int fill(const char *const *env, const char *process, const char *callback)
{
    struct skl_container c = fake_container();

    json_object_put(vars);
    vars = json_object_new_object();
    c.env = env;
    c.process = process;
    c.agent_callback_url = callback;
    return gcf_env_fill(vars, &c, &err);
}

static const char *var(const char *name)
{
    struct json_object *v = NULL;

    return json_object_object_get_ex(vars, name, &v) ? json_object_get_string(v) : NULL;
}

/* Pitfall 9: reserved and ill-formed names, odd values, too much. */
static void test_pitfall_09_environment(void)
{
    static const char *const odd[] = {"PORT=1",
                                      "K_SERVICE=x",
                                      "GOOGLE_CLOUD_PROJECT=x",
                                      "X_GOOGLE_A=1",
                                      "a.b=1",
                                      "a-b=1",
                                      "1A=1",
                                      "=x",
                                      "NOVALUE",
                                      "EMPTY=",
                                      "NL=a\nb=c",
                                      "UTF=\xc3\xa9",
                                      "BAD=\xff",
                                      "SOCKERLESS_AGENT_TOKEN=mine",
                                      "A=1",
                                      "A=2",
                                      NULL};
    static const char *const gone[] = {
        "PORT", "K_SERVICE", "GOOGLE_CLOUD_PROJECT", "X_GOOGLE_A", "a.b", "a-b", "1A", "", "NOVALUE", "BAD"};

    UNIT_INT_EQ(fill(odd, "cHJvYw==", NULL), 0);
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        CU_ASSERT_PTR_NULL(var(gone[i]));
    UNIT_STR_EQ(var("EMPTY"), "");
    UNIT_STR_EQ(var("NL"), "a\nb=c");
    UNIT_STR_EQ(var("UTF"), "\xc3\xa9");
    UNIT_STR_EQ(var("A"), "2");
    UNIT_STR_EQ(var("SOCKERLESS_AGENT_TOKEN"), "secret-agent-token");
    UNIT_STR_EQ(var("SOCKERLESS_PROCESS"), "cHJvYw==");
    CU_ASSERT_PTR_NULL(var("SOCKERLESS_AGENT_CALLBACK_URL"));
}

static size_t total(void)
{
    size_t n = 0;

    json_object_object_foreach(vars, k, v) n += strlen(k) + (size_t)json_object_get_string_len(v);
    return n;
}

static void test_environment_budget(void)
{
    char *big = calloc(1, 20001), *bigger = calloc(1, 40001), *process = calloc(1, 16001);
    const char *env[] = {"SMALL=1", big, "LAST=2", NULL};
    const char *none[] = {bigger, NULL};

    memset(big, 'x', 20000);
    memset(bigger, 'y', 40000);
    memset(process, 'p', 16000);
    memcpy(big, "BIG=", 4);
    memcpy(bigger, "BIGGER=", 7);
    /* What does not fit beside SOCKERLESS_PROCESS, which has it all, is left out; the rest is there. */
    UNIT_INT_EQ(fill(env, process, "http://c"), 0);
    CU_ASSERT_PTR_NULL(var("BIG"));
    UNIT_STR_EQ(var("SMALL"), "1");
    UNIT_STR_EQ(var("LAST"), "2");
    CU_ASSERT(total() <= GCF_ENV_MAX);
    /* Too long for the variable: over the link. */
    UNIT_INT_EQ(fill(none, NULL, "http://c"), 0);
    CU_ASSERT_PTR_NULL(var("SOCKERLESS_PROCESS"));
    /* No link: refused, naming the variable. */
    CU_ASSERT(fill(none, NULL, NULL) < 0);
    UNIT_INT_EQ(err.kind, SKL_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "BIGGER with 40000 bytes"));
    CU_ASSERT_PTR_NULL(strstr(err.message, "yyyy"));
    json_object_put(vars);
    vars = NULL;
    free(big);
    free(bigger);
    free(process);
}

/* Pitfall 7: the ID fits no label, names are legal and unique. */
static void test_pitfall_07_names(void)
{
    struct skl_container c = fake_container();
    char id[GCF_ID_MAX], label[GCF_LABEL_MAX], nonce[GCF_LABEL_MAX], other[GCF_LABEL_MAX];

    gcf_function_id(c.id, id);
    UNIT_STR_EQ(id, "skls-0123456789ab");
    gcf_daemon_label("ABC:def", label);
    CU_ASSERT(strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(label) &&
              strlen(label) >= 20);
    gcf_daemon_label("ok_id-1", label);
    UNIT_STR_EQ(label, "ok_id-1");
    gcf_nonce(&c, nonce);
    CU_ASSERT_PTR_NULL(strstr(nonce, "secret"));
    c.agent_token = "another";
    gcf_nonce(&c, other);
    CU_ASSERT(strcmp(nonce, other) != 0);
    CU_ASSERT(strlen(nonce) == 40);
}

/* Pitfall 8: Docker's labels fit no label of the cloud, and none is tried: they live in the daemon's store.
 */
static void test_pitfall_08_labels(void)
{
    static const struct skl_kv labels[] = {{"com.example/x", "y"}, {"UPPER", "line\nbreak"}, {NULL, NULL}};
    static const char legal[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    struct skl_container c = fake_container();
    struct skl_instance *inst;
    struct json_object *o;
    char warning[200];

    fake_init(&f);
    inst = fake_open(&f, &err, "endpoint-url", "http://e", "project", "p", NULL);
    c.labels = labels;
    c.daemon_id = "Daemon With:Odd/Characters and much longer than any label of Google's cloud may ever be";
    o = gcf_request_function(inst, &c, warning, sizeof(warning), &err);
    UNIT_INT_EQ(json_object_object_length(gcp_json_get(o, "labels")), 5);
    json_object_object_foreach(gcp_json_get(o, "labels"), key, value)
    {
        const char *text = json_object_get_string(value);

        CU_ASSERT(strlen(key) <= 63 && strspn(key, legal) == strlen(key) && key[0] >= 'a' && key[0] <= 'z');
        CU_ASSERT(strlen(text) <= 63 && strspn(text, legal) == strlen(text));
        CU_ASSERT(strncmp(key, "goog-", 5) != 0);
    }
    json_object_put(o);
    fake_close(&f, inst);
    fake_fini(&f);
}

static void test_handle(void)
{
    struct gcf_handle h = {.name = "projects/p/locations/l/functions/f", .uri = "https://u", .created = 5},
                      back;
    char *text = gcf_handle_write(&h);

    CU_ASSERT_TRUE(gcf_handle_read(&back, text));
    UNIT_STR_EQ(back.name, h.name);
    UNIT_STR_EQ(back.uri, h.uri);
    UNIT_INT_EQ(back.created, 5);
    free(text);
    CU_ASSERT_FALSE(gcf_handle_read(&back, NULL));
    CU_ASSERT_FALSE(gcf_handle_read(&back, "{}"));
    CU_ASSERT_FALSE(gcf_handle_read(&back, "{\"function\":\"projects/../../x\"}"));
    CU_ASSERT_FALSE(gcf_handle_read(&back, "junk"));
}

static void test_request_variants(void)
{
    struct skl_container c = fake_container();
    struct skl_instance *inst;
    struct json_object *o;
    char warning[200];

    fake_init(&f);
    inst = fake_open(&f, &err, "endpoint-url", "http://e", "project", "p", "region", "europe-west1",
                     "service-account", "sa@p", "timeout", "60", "memory", "512Mi", "cpu", "0.5", NULL);
    c.memory = 5 * GI;
    o = gcf_request_function(inst, &c, warning, sizeof(warning), &err);
    UNIT_STR_EQ(gcp_json_str(o, "name"), "projects/p/locations/europe-west1/functions/skls-0123456789ab");
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.serviceAccountEmail"), "sa@p");
    UNIT_INT_EQ(gcp_json_int(o, "serviceConfig.timeoutSeconds", 0), 60);
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.availableCpu"), "2");
    CU_ASSERT_PTR_NOT_NULL(strstr(warning, "at least 2 CPUs"));
    json_object_put(o);
    c.memory = 0;
    c.nano_cpus = 3000000000;
    o = gcf_request_function(inst, &c, warning, sizeof(warning), &err);
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.availableCpu"), "4");
    CU_ASSERT_PTR_NOT_NULL(strstr(warning, "6 or 8 CPUs: this one has 4"));
    json_object_put(o);
    c.nano_cpus = 0;
    o = gcf_request_function(inst, &c, warning, sizeof(warning), &err);
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.availableMemory"), "512Mi");
    UNIT_INT_EQ(gcp_json_int(o, "serviceConfig.maxInstanceRequestConcurrency", 0), 1);
    UNIT_STR_EQ(warning, "");
    json_object_put(o);
    fake_close(&f, inst);
    fake_fini(&f);
}

UNIT_MAIN("gcf_config", UNIT(test_options), UNIT(test_caps), UNIT(test_pitfall_10_resources),
          UNIT(test_pitfall_09_environment), UNIT(test_environment_budget), UNIT(test_pitfall_07_names),
          UNIT(test_pitfall_08_labels), UNIT(test_handle), UNIT(test_request_variants))
