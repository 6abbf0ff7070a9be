/*
 * simulator/validate.c - what Google refuses in a function, in its words (reference 5.2, 6).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "simulator/service.h"
#include "simulator/storage.h"

#define ENV_TOTAL_MAX 32768u
#define LABELS_MAX 64

static const char *const runtimes[] = {
    "nodejs18", "nodejs20", "nodejs22", "python310", "python311", "python312", "python313", "go121", "go122", "go123",
    "go124", "go125", "java17", "java21", "ruby32", "ruby33", "php82", "php83", "dotnet6", "dotnet8", NULL,
};

const char *const *sim_runtimes(void)
{
    return runtimes;
}

static int check_id(const char *id, struct skl_error *err)
{
    size_t n = strlen(id);
    bool ok = n >= 4 && n <= 63 &&
              strspn(id, "-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == n &&
              ((id[0] | 32) >= 'a' && (id[0] | 32) <= 'z');

    return ok ? 0
              : error_set(err, SKL_ERR_INVALID,
                          "Invalid Request. Violations: {Violation in Function.name=Invalid function_id. Can only contain "
                          "[-_a-zA-Z0-9] and be between 4-63 characters.}");
}

static int check_runtime(struct sim *s, struct json_object *fn, struct skl_error *err)
{
    const char *runtime = NULL;

    if (json_get_string(fn, "buildConfig.runtime", &runtime, err) < 0)
        return -1;
    if (str_empty(runtime))
        return error_set(err, SKL_ERR_INVALID, "Runtime field cannot be empty.");
    if (str_eq(runtime, "docker") && s->opts.docker_runtime)
        return 0;
    for (size_t i = 0; runtimes[i] != NULL; i++)
        if (str_eq(runtimes[i], runtime))
            return 0;
    return error_set(err, SKL_ERR_INVALID,
                     "Failed to create function. runtime: Runtime validation errors: [error_code: INVALID_RUNTIME message: "
                     "\"Runtime \\\"%s\\\" is not supported on GCF Gen2\"]",
                     runtime);
}

static bool reserved_env(const char *name)
{
    static const char *const names[] = {
        "PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION", "FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE", "GCP_PROJECT",
        "GCLOUD_PROJECT", "GOOGLE_CLOUD_PROJECT", "ENTRY_POINT", "FUNCTION_TRIGGER_TYPE", "FUNCTION_NAME",
        "FUNCTION_MEMORY_MB", "FUNCTION_TIMEOUT_SEC", "FUNCTION_IDENTITY", "FUNCTION_REGION",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(names[i], name))
            return true;
    return str_starts(name, "X_GOOGLE_");
}

static bool reserved_build_env(const char *name)
{
    static const char *const names[] = {"GOOGLE_ENTRYPOINT", "GOOGLE_FUNCTION_TARGET", "GOOGLE_RUNTIME", "GOOGLE_RUNTIME_VERSION"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

static bool legal_env_name(const char *name)
{
    return name[0] != '\0' && !(name[0] >= '0' && name[0] <= '9') &&
           strspn(name, "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == strlen(name);
}

static int check_env(struct json_object *fn, struct skl_error *err)
{
    struct json_object *env = NULL;
    size_t total = 0;

    if (json_get_string_map(fn, "serviceConfig.environmentVariables", &env, err) < 0)
        return -1;
    if (env == NULL)
        return 0;
    json_object_object_foreach(env, key, v) {
        if (reserved_env(key))
            return error_set(err, SKL_ERR_INVALID,
                             "environment variable name %s is reserved by the system: it cannot be set by users", key);
        if (!legal_env_name(key))
            return error_set(err, SKL_ERR_INVALID, "environment variable name %s is malformed", key);
        total += strlen(key) + strlen(json_object_get_string(v));
    }
    if (json_get_string_map(fn, "buildConfig.environmentVariables", &env, err) == JSON_FOUND) {
        json_object_object_foreach(env, name, w) {
            (void)w;
            if (reserved_build_env(name))
                return error_set(err, SKL_ERR_INVALID, "build environment variable name %s is reserved by the system: it cannot be set by users", name);
        }
    }
    return total > ENV_TOTAL_MAX
               ? error_set(err, SKL_ERR_INVALID, "environment variables exceed the limit of %u bytes", ENV_TOTAL_MAX)
               : 0;
}

static bool legal_label(const char *s, bool is_key)
{
    return strlen(s) <= 63 && (!is_key || (s[0] >= 'a' && s[0] <= 'z')) &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(s);
}

static int check_labels(struct json_object *fn, struct skl_error *err)
{
    struct json_object *labels = NULL;

    if (json_get_string_map(fn, "labels", &labels, err) < 0)
        return -1;
    if (labels == NULL)
        return 0;
    if (json_object_object_length(labels) > LABELS_MAX)
        return error_set(err, SKL_ERR_INVALID, "at most %d labels", LABELS_MAX);
    json_object_object_foreach(labels, key, v)
        if (!legal_label(key, true) || !legal_label(json_object_get_string(v), false))
            return error_set(err, SKL_ERR_INVALID, "Invalid label: key or value of \"%s\" does not match [a-z0-9_-]{0,63}", key);
    return 0;
}

int64_t memory_bytes(const char *text)
{
    static const struct {
        const char *suffix;
        int64_t unit;
    } units[] = {{"Ki", 1024}, {"Mi", 1024 * 1024}, {"Gi", 1024 * 1024 * 1024}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {"", 1}};
    char digits[24];

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t n = strlen(text), m = strlen(units[i].suffix);
        int64_t v;
        if (n <= m || n - m >= sizeof(digits) || !str_ends(text, units[i].suffix))
            continue;
        memcpy(digits, text, n - m);
        digits[n - m] = '\0';
        if (str_to_i64(digits, 1, INT64_C(1) << 40, &v))
            return v * units[i].unit;
    }
    return -1;
}

static int parse_cpu(const char *cpu, double *ret, struct skl_error *err)
{
    CLEANUP(free_p) char *milli = str_ends(cpu, "m") ? xstrndup(cpu, strlen(cpu) - 1) : NULL;
    double cpus = 0;

    if (!str_to_double(milli != NULL ? milli : cpu, &cpus))
        return error_set(err, SKL_ERR_INVALID, "Invalid value for availableCpu: %s", cpu);
    *ret = cpus = milli != NULL ? cpus / 1000 : cpus;
    if (cpus < 0.08 || cpus > 8 || (cpus > 1 && cpus != 2 && cpus != 4 && cpus != 6 && cpus != 8))
        return error_set(err, SKL_ERR_INVALID, "Invalid value for availableCpu: %s", cpu);
    return 0;
}

/* Which go together: much memory needs CPUs, many CPUs need memory (reference 6). */
static int check_pair(int64_t bytes, double cpus, const char *memory, const char *cpu, struct skl_error *err)
{
    static const struct {
        int64_t above;
        double cpus;
    } needs[] = {{INT64_C(24) << 30, 8}, {INT64_C(16) << 30, 6}, {INT64_C(8) << 30, 4}, {INT64_C(4) << 30, 2}};
    int64_t least = cpus > 4 ? INT64_C(4000000000) : cpus > 2 ? INT64_C(2000000000) : 0;

    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        if (bytes > needs[i].above && cpus < needs[i].cpus)
            return error_set(err, SKL_ERR_INVALID, "Memory of %s requires at least %d CPU", memory, (int)needs[i].cpus);
    return bytes < least ? error_set(err, SKL_ERR_INVALID, "Invalid value specified for memory. For the specified value of cpu (%s), the memory must be at least %lldGi.",
                                     cpu, (long long)(least / 1000000000))
                         : 0;
}

static int check_memory(const char *memory, int64_t *ret, struct skl_error *err)
{
    *ret = memory_bytes(memory);
    if (*ret < 0)
        return error_set(err, SKL_ERR_INVALID, "Invalid value for availableMemory: %s", memory);
    return *ret < INT64_C(128) * 1000000 || *ret > INT64_C(32) << 30
               ? error_set(err, SKL_ERR_INVALID, "Invalid value for availableMemory: %s must be between 128Mi and 32Gi", memory)
               : 0;
}

static int check_scaling(struct json_object *fn, double cpus, struct skl_error *err)
{
    int64_t min = json_number(fn, "serviceConfig.minInstanceCount", 0), max = json_number(fn, "serviceConfig.maxInstanceCount", 0);
    int64_t concurrency = json_number(fn, "serviceConfig.maxInstanceRequestConcurrency", 1);

    if (min < 0 || max < 0 || (max > 0 && min > max))
        return error_set(err, SKL_ERR_INVALID, "minInstanceCount (%lld) must not be greater than maxInstanceCount (%lld)", (long long)min, (long long)max);
    if (concurrency < 1 || concurrency > 1000)
        return error_set(err, SKL_ERR_INVALID, "maxInstanceRequestConcurrency must be between 1 and 1000");
    return concurrency > 1 && cpus < 1
               ? error_set(err, SKL_ERR_INVALID, "Invalid value specified for container concurrency. Total cpu < 1 is not supported with concurrency > 1.")
               : 0;
}

static int check_resources(struct json_object *fn, struct skl_error *err)
{
    const char *memory = NULL, *cpu = NULL;
    double cpus = 0;
    int64_t bytes = 0, timeout = 60;

    if (json_get_string(fn, "serviceConfig.availableMemory", &memory, err) < 0 ||
        json_get_string(fn, "serviceConfig.availableCpu", &cpu, err) < 0 ||
        json_get_i64(fn, "serviceConfig.timeoutSeconds", &timeout, err) < 0)
        return -1;
    if (timeout < 1 || timeout > 3600)
        return error_set(err, SKL_ERR_INVALID, "timeoutSeconds must be between 1 and 3600");
    if (memory != NULL && check_memory(memory, &bytes, err) < 0)
        return -1;
    if (cpu != NULL && (parse_cpu(cpu, &cpus, err) < 0 || check_pair(memory != NULL ? bytes : INT64_C(256000000), cpus, memory, cpu, err) < 0))
        return -1;
    return check_scaling(fn, cpu != NULL ? cpus : bytes > INT64_C(1) << 30 ? 1 : 0.5, err);
}

/* Where the source is taken from; runtime "docker" has none. */
static int check_source(struct sim *s, struct json_object *fn, struct skl_error *err)
{
    const char *bucket = NULL, *object = NULL, *runtime = NULL;
    struct json_object *source = NULL;

    (void)json_get_string(fn, "buildConfig.runtime", &runtime, NULL);
    (void)json_get_object(fn, "buildConfig.source", &source, NULL);
    if (str_eq(runtime, "docker"))
        return 0;
    if (source == NULL)
        return error_set(err, SKL_ERR_INVALID, "Invalid Request. Violations: {Violation in Function.buildConfig.source=Source must be specified.}");
    if (json_get_string(source, "storageSource.object", &object, NULL) != JSON_FOUND)
        return 0;
    (void)json_get_string(source, "storageSource.bucket", &bucket, NULL);
    return bucket != NULL && storage_has(s, bucket, object)
               ? 0
               : error_set(err, SKL_ERR_INVALID, "Invalid value for buildConfig.source.storageSource: the object gs://%s/%s does not exist or can't be read.",
                           bucket != NULL ? bucket : "", object);
}

int function_validate(struct sim *s, const char *id, const char *project, const char *location, struct json_object *fn,
                      struct skl_error *err)
{
    const char *name = NULL, *environment = NULL;
    CLEANUP(free_p) char *full = xasprintf("projects/%s/locations/%s/functions/%s", project, location, id);

    if (check_id(id, err) < 0 || json_get_string(fn, "name", &name, err) < 0 || json_get_string(fn, "environment", &environment, err) < 0)
        return -1;
    if (!str_empty(name) && !str_eq(name, full))
        return error_set(err, SKL_ERR_INVALID, "Function.name does not match the function_id in the request");
    if (str_eq(environment, "GEN_1"))
        return error_set(err, SKL_ERR_INVALID, "Invalid Request. Violations: {Violation in Function.environment=The environment GEN_1 is not supported.}");
    if (check_runtime(s, fn, err) < 0 || check_source(s, fn, err) < 0 || check_env(fn, err) < 0 || check_labels(fn, err) < 0)
        return -1;
    return check_resources(fn, err);
}
