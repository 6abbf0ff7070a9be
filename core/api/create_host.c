/*
 * api/create_host.c - checks of a create body's HostConfig: see create.h.
 *
 * A table says for each field that limits or isolates what becomes of it here: a function's sandbox is fixed, so most
 * are recorded and warned about. Values that are wrong on any Docker host are refused with Docker's words.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "api/create.h"
#include "api/port.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/container.h"

#define MEMORY_MIN (INT64_C(6) * 1024 * 1024)

/* ---- fields without effect ---- */
static const struct {
    const char *name;
    const char *what;
} discarded[] = {
    {"CpuShares", "CPU shares"},
    {"CpusetCpus", "cpusets"},
    {"CpusetMems", "cpusets"},
    {"CpuRealtimePeriod", "CPU real-time scheduling"},
    {"CpuRealtimeRuntime", "CPU real-time scheduling"},
    {"BlkioWeight", "block I/O limits"},
    {"BlkioWeightDevice", "block I/O limits"},
    {"BlkioDeviceReadBps", "block I/O limits"},
    {"BlkioDeviceWriteBps", "block I/O limits"},
    {"BlkioDeviceReadIOps", "block I/O limits"},
    {"BlkioDeviceWriteIOps", "block I/O limits"},
    {"Cgroup", "joining cgroups"},
    {"CgroupParent", "a parent cgroup"},
    {"CpuCount", "limits of Windows containers"},
    {"CpuPercent", "limits of Windows containers"},
    {"IOMaximumBandwidth", "limits of Windows containers"},
    {"IOMaximumIOps", "limits of Windows containers"},
    {"DeviceCgroupRules", "device rules"},
    {"KernelMemory", "kernel memory limits"},
    {"KernelMemoryTCP", "kernel memory limits"},
    {"MemoryReservation", "memory reservations"},
    {"MemorySwappiness", "swap"},
    {"OomKillDisable", "disabling the OOM killer"},
    {"PidsLimit", "a limit of processes"},
    {"Links", "links of containers"},
    {"MaskedPaths", "masking paths"},
    {"ReadonlyPaths", "read-only paths"},
    {"ShmSize", "sizes of shared memory"},
    {"CapAdd", "adding capabilities"},
    {"CapDrop", "dropping capabilities"},
    {"Privileged", "privileged mode"},
    {"ReadonlyRootfs", "a read-only root file system"},
    {"StorageOpt", "storage options"},
    {"Sysctls", "sysctls"},
    {"UsernsMode", "user namespace modes"},
    {"PidMode", "sharing the PID namespace"},
    {"UTSMode", "sharing the UTS namespace"},
    {"Dns", "DNS servers"},
    {"DnsOptions", "DNS options"},
    {"DnsSearch", "DNS search domains"},
};

static struct json_object *member(struct json_object *obj, const char *name)
{
    struct json_object *v = NULL;

    json_get_any(obj, name, &v, NULL);
    return v;
}

static bool is_set(struct json_object *v)
{
    switch (json_object_get_type(v)) {
    case json_type_boolean:
        return json_object_get_boolean(v);
    case json_type_int:
        return json_object_get_int64(v) > 0; /* -1 stands for "default" or "unlimited" */
    case json_type_string:
        return json_object_get_string_len(v) > 0;
    case json_type_array:
        return json_object_array_length(v) > 0;
    case json_type_object:
        return json_object_object_length(v) > 0;
    default:
        return false;
    }
}

static void warn_security(struct json_object *host, struct create_warnings *w)
{
    struct json_object *list = member(host, "SecurityOpt");

    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
        const char *opt = json_string_or(json_object_array_get_idx(list, i), "");
        if (!security_opt_no_new_privileges(opt))
            create_warn(w, "SecurityOpt: cloud functions do not support %s. Discarded.", opt);
    }
}

static void warn_discarded(struct json_object *host, struct create_warnings *w)
{
    warn_security(host, w);
    if (is_set(member(host, "Ulimits")))
        create_warn(w, "Ulimits: what exceeds those of a cloud function is cut down to them.");
    for (size_t i = 0; i < ARRAY_LEN(discarded); i++)
        if (is_set(member(host, discarded[i].name)))
            create_warn(w, "%s: cloud functions do not support %s. Discarded.", discarded[i].name, discarded[i].what);
}

/* ---- limits ---- */
static int64_t number(struct json_object *host, const char *name)
{
    struct json_object *v = member(host, name);

    return v != NULL ? json_object_get_int64(v) : 0;
}

static int check_memory(struct json_object *host, struct skl_error *err)
{
    int64_t memory = number(host, "Memory"), swap = number(host, "MemorySwap");
    int64_t reservation = number(host, "MemoryReservation"), swappiness = number(host, "MemorySwappiness");

    if (memory != 0 && memory < MEMORY_MIN)
        return error_set(err, SKL_ERR_INVALID, "Minimum memory limit allowed is 6MB");
    if (memory > 0 && swap > 0 && swap < memory)
        return error_set(err, SKL_ERR_INVALID,
                         "Minimum memoryswap limit should be larger than memory limit, see usage");
    if (memory == 0 && swap > 0)
        return error_set(err, SKL_ERR_INVALID,
                         "You should always set the Memory limit when using Memoryswap limit, see usage");
    if (reservation != 0 && reservation < MEMORY_MIN)
        return error_set(err, SKL_ERR_INVALID, "Minimum memory reservation allowed is 6MB");
    if (memory > 0 && reservation > 0 && memory < reservation)
        return error_set(err, SKL_ERR_INVALID,
                         "Minimum memory limit can not be less than memory reservation limit, see usage");
    if (swappiness < -1 || swappiness > 100)
        return error_set(err, SKL_ERR_INVALID, "Invalid value: %lld, valid memory swappiness range is 0-100",
                         (long long)swappiness);
    return 0;
}

static int check_cpu(struct json_object *host, struct skl_error *err)
{
    int64_t nano = number(host, "NanoCpus"), period = number(host, "CpuPeriod"), quota = number(host, "CpuQuota");

    if (nano != 0 && period != 0)
        return error_set(err, SKL_ERR_INVALID, "Conflicting options: Nano CPUs and CPU Period cannot both be set.");
    if (nano != 0 && quota != 0)
        return error_set(err, SKL_ERR_INVALID, "Conflicting options: Nano CPUs and CPU Quota cannot both be set.");
    if (nano < 0)
        return error_set(err, SKL_ERR_INVALID, "Invalid value for NanoCpus: %lld", (long long)nano);
    if (period != 0 && (period < 1000 || period > 1000000))
        return error_set(err, SKL_ERR_INVALID,
                         "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    if (quota > 0 && quota < 1000)
        return error_set(err, SKL_ERR_INVALID, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    return 0;
}

int create_check_resources(struct json_object *host, struct create_warnings *w, struct skl_error *err)
{
    int64_t oom = number(host, "OomScoreAdj"), weight = number(host, "BlkioWeight");

    if (check_memory(host, err) < 0 || check_cpu(host, err) < 0)
        return -1;
    if (oom < -1000 || oom > 1000)
        return error_set(err, SKL_ERR_INVALID, "Invalid value %lld, range for oom score adj is [-1000, 1000]",
                         (long long)oom);
    if (weight != 0 && (weight < 10 || weight > 1000))
        return error_set(err, SKL_ERR_INVALID, "Range of blkio weight is from 10 to 1000");
    warn_discarded(host, w);
    if (number(host, "Memory") > 0 && number(host, "MemorySwap") > number(host, "Memory"))
        create_warn(w, "MemorySwap: cloud functions have no swap. Discarded.");
    return 0;
}

/* ---- restart policy ---- */
int create_check_restart(struct json_object *host, struct skl_error *err)
{
    const char *name = "";
    int64_t count = 0;
    bool remove = false;

    if (json_get_string(host, "RestartPolicy.Name", &name, err) < 0 ||
        json_get_i64_range(host, "RestartPolicy.MaximumRetryCount", INT32_MIN, INT32_MAX, &count, err) < 0 ||
        json_get_bool(host, "AutoRemove", &remove, err) < 0)
        return -1;
    if (strcmp(name, "on-failure") == 0) {
        if (count < 0)
            return error_set(err, SKL_ERR_INVALID, "invalid restart policy: maximum retry count cannot be negative");
    } else if (name[0] != '\0' && strcmp(name, "no") != 0 && strcmp(name, "always") != 0 &&
               strcmp(name, "unless-stopped") != 0) {
        return error_set(err, SKL_ERR_INVALID,
                         "invalid restart policy: unknown policy '%s'; use one of 'no', 'always', 'on-failure', or "
                         "'unless-stopped'",
                         name);
    } else if (count != 0) {
        return error_set(err, SKL_ERR_INVALID,
                         "invalid restart policy: maximum retry count can only be used with 'on-failure'%s",
                         count < 0 ? " and cannot be negative" : "");
    }
    if (remove && name[0] != '\0' && strcmp(name, "no") != 0)
        return error_set(err, SKL_ERR_INVALID, "can't create 'AutoRemove' container with restart policy");
    return 0;
}

/* ---- logging ---- */
static bool is_log_option(const char *name)
{
    static const char *const known[] = {"max-size", "max-file", "compress", "labels", "labels-regex", "env",
                                        "env-regex", "tag", "mode", "max-buffer-size"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i], name) == 0)
            return true;
    return false;
}

static int check_logging(struct json_object *host, struct create_warnings *w, struct skl_error *err)
{
    static const char *const others[] = {"syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "gcplogs"};
    const char *type = "";
    struct json_object *options = NULL;

    if (json_get_string(host, "LogConfig.Type", &type, err) < 0 ||
        json_get_object(host, "LogConfig.Config", &options, err) < 0)
        return -1;
    if (strcmp(type, "none") == 0)
        return 0;
    if (type[0] != '\0' && strcmp(type, "json-file") != 0 && strcmp(type, "local") != 0) {
        for (size_t i = 0; i < ARRAY_LEN(others); i++) {
            if (strcmp(others[i], type) == 0) {
                create_warn(w, "logging driver %s is not available: the daemon keeps the log itself", type);
                return 0;
            }
        }
        return error_set(err, SKL_ERR_INVALID, "error looking up logging plugin %s: plugin \"%s\" not found", type, type);
    }
    if (options == NULL)
        return 0;
    json_object_object_foreach(options, name, v)
    {
        (void)v;
        if (!is_log_option(name))
            return error_set(err, SKL_ERR_INVALID, "unknown log opt '%s' for json-file log driver", name);
    }
    return 0;
}

/* ---- the rest ---- */
static int check_port_bindings(struct json_object *host, struct skl_error *err)
{
    struct json_object *map = NULL;
    struct port port;
    uint16_t first, last;

    if (json_get_object(host, "PortBindings", &map, err) < 0)
        return -1;
    if (map == NULL)
        return 0;
    json_object_object_foreach(map, spec, list)
    {
        if (port_parse(spec, &port, err) < 0)
            return -1;
        for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
            const char *text = "";
            if (json_get_string(json_object_array_get_idx(list, i), "HostPort", &text, err) < 0 ||
                port_parse_host(text, &first, &last, err) < 0)
                return -1;
        }
    }
    return 0;
}

static int check_annotations(struct json_object *host, struct skl_error *err)
{
    struct json_object *map = NULL;

    if (json_get_object(host, "Annotations", &map, err) < 0)
        return -1;
    if (map != NULL && json_object_object_get_ex(map, "", NULL))
        return error_set(err, SKL_ERR_INVALID,
                         "invalid Annotations: the empty string is not permitted as an annotation key");
    return 0;
}

int create_check_devices(struct json_object *host, struct skl_error *err)
{
    if (is_set(member(host, "Devices")))
        return error_set(err, SKL_ERR_INVALID, "Devices: a cloud function has no access to devices of a host");
    if (is_set(member(host, "DeviceRequests")))
        return error_set(err, SKL_ERR_INVALID, "could not select device driver: cloud functions have no devices");
    return 0;
}

/* What would make the container something else than was asked for. */
static int refuse_impossible(struct json_object *host, struct skl_error *err)
{
    const char *isolation = json_string_or(member(host, "Isolation"), "");
    const char *pid = json_string_or(member(host, "PidMode"), ""), *ipc = json_string_or(member(host, "IpcMode"), "");

    if (isolation[0] != '\0' && strcmp(isolation, "default") != 0)
        return error_set(err, SKL_ERR_INVALID, "invalid isolation '%s' on linux", isolation);
    if (create_check_devices(host, err) < 0)
        return -1;
    if (str_starts(pid, "container:") || str_starts(ipc, "container:"))
        return error_set(err, SKL_ERR_INVALID, "a cloud function cannot join the namespaces of another container (%s)",
                         str_starts(pid, "container:") ? pid : ipc);
    if (number(host, "ShmSize") < 0)
        return error_set(err, SKL_ERR_INVALID, "SHM size can not be less than 0");
    return 0;
}

int create_check_host(struct json_object *host, struct create_warnings *w, struct skl_error *err)
{
    if (create_check_restart(host, err) < 0 || refuse_impossible(host, err) < 0 ||
        create_check_resources(host, w, err) < 0 || check_logging(host, w, err) < 0 ||
        check_port_bindings(host, err) < 0)
        return -1;
    return check_annotations(host, err);
}
