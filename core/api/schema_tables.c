/*
 * api/schema_tables.c - the documented fields of API 1.44's create body, in the order in which Docker writes them.
 *
 * Defaults are what `docker inspect` shows for a container that was created without the field. tests/e2e checks the
 * names against the specification, so that none is missing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/schema.h"

#define STR(n) {n, SCHEMA_STRING, "\"\"", NULL, 0}
#define STR_OMIT(n) {n, SCHEMA_STRING, NULL, NULL, 0}
#define BOOL(n) {n, SCHEMA_BOOL, "false", NULL, 0}
#define BOOL_OMIT(n) {n, SCHEMA_BOOL, NULL, NULL, 0}
#define BOOL_NULL(n) {n, SCHEMA_BOOL, "null", NULL, 0}
#define INT(n) {n, SCHEMA_INT, "0", NULL, 0}
#define STR_DEF(n, def_) {n, SCHEMA_STRING, "\"" def_ "\"", NULL, SCHEMA_EMPTY_IS_DEFAULT}
#define INT_OMIT(n) {n, SCHEMA_INT, NULL, NULL, 0}
#define INT_NULL(n) {n, SCHEMA_INT, "null", NULL, 0}
#define STRS(n) {n, SCHEMA_STRINGS, "null", NULL, 0}
#define STRS_OMIT(n) {n, SCHEMA_STRINGS, NULL, NULL, 0}
#define OBJS(n, sub_) {n, SCHEMA_OBJECTS, "null", sub_, 0}
#define MAP_OMIT(n) {n, SCHEMA_STRING_MAP, NULL, NULL, 0}
#define END {0}

const struct schema_field schema_health[] = {
    STRS_OMIT("Test"),     INT_OMIT("Interval"),      INT_OMIT("Timeout"), INT_OMIT("StartPeriod"),
    INT_OMIT("StartInterval"), INT_OMIT("Retries"), END,
};

const struct schema_field schema_config[] = {
    STR("Hostname"),
    STR("Domainname"),
    STR("User"),
    BOOL("AttachStdin"),
    BOOL("AttachStdout"),
    BOOL("AttachStderr"),
    {"ExposedPorts", SCHEMA_SET, NULL, NULL, 0},
    BOOL("Tty"),
    BOOL("OpenStdin"),
    BOOL("StdinOnce"),
    STRS("Env"),
    {"Cmd", SCHEMA_WORDS, "null", NULL, 0},
    {"Healthcheck", SCHEMA_OBJECT, NULL, schema_health, 0},
    BOOL_OMIT("ArgsEscaped"),
    STR("Image"),
    {"Volumes", SCHEMA_SET, "null", NULL, 0},
    STR("WorkingDir"),
    {"Entrypoint", SCHEMA_WORDS, "null", NULL, 0},
    BOOL_OMIT("NetworkDisabled"),
    STR_OMIT("MacAddress"),
    STRS("OnBuild"),
    {"Labels", SCHEMA_STRING_MAP, "{}", NULL, 0},
    STR_OMIT("StopSignal"),
    {"StopTimeout", SCHEMA_INT, NULL, NULL, SCHEMA_KEEP_EMPTY},
    {"Shell", SCHEMA_WORDS, NULL, NULL, 0},
    END,
};

static const struct schema_field log_config[] = {
    STR_DEF("Type", "json-file"),
    {"Config", SCHEMA_STRING_MAP, "{}", NULL, 0},
    END,
};
static const struct schema_field restart_policy[] = {
    STR_DEF("Name", "no"),
    INT("MaximumRetryCount"),
    END,
};
static const struct schema_field port_binding[] = {STR("HostIp"), STR("HostPort"), END};
static const struct schema_field weight_device[] = {STR("Path"), INT("Weight"), END};
static const struct schema_field throttle_device[] = {STR("Path"), INT("Rate"), END};
static const struct schema_field device[] = {
    STR("PathOnHost"), STR("PathInContainer"), STR("CgroupPermissions"), END,
};
static const struct schema_field device_request[] = {
    STR("Driver"), INT("Count"), STRS("DeviceIDs"), {"Capabilities", SCHEMA_STRING_LISTS, "null", NULL, 0},
    {"Options", SCHEMA_STRING_MAP, "null", NULL, 0}, END,
};
static const struct schema_field ulimit[] = {STR("Name"), INT("Hard"), INT("Soft"), END};
static const struct schema_field bind_options[] = {
    STR_OMIT("Propagation"), BOOL_OMIT("NonRecursive"), BOOL_OMIT("CreateMountpoint"),
    BOOL_OMIT("ReadOnlyNonRecursive"), BOOL_OMIT("ReadOnlyForceRecursive"), END,
};
static const struct schema_field driver_config[] = {STR_OMIT("Name"), MAP_OMIT("Options"), END};
static const struct schema_field volume_options[] = {
    BOOL_OMIT("NoCopy"), MAP_OMIT("Labels"), {"DriverConfig", SCHEMA_OBJECT, NULL, driver_config, 0}, STR_OMIT("Subpath"),
    END,
};
static const struct schema_field tmpfs_options[] = {INT_OMIT("SizeBytes"), INT_OMIT("Mode"), END};
static const struct schema_field mount[] = {
    STR_OMIT("Type"),
    STR_OMIT("Source"),
    STR_OMIT("Target"),
    BOOL_OMIT("ReadOnly"),
    STR_OMIT("Consistency"),
    {"BindOptions", SCHEMA_OBJECT, NULL, bind_options, 0},
    {"VolumeOptions", SCHEMA_OBJECT, NULL, volume_options, 0},
    {"TmpfsOptions", SCHEMA_OBJECT, NULL, tmpfs_options, 0},
    END,
};

const struct schema_field schema_host_config[] = {
    STRS("Binds"),
    STR("ContainerIDFile"),
    {"LogConfig", SCHEMA_OBJECT, SCHEMA_SUB_DEFAULTS, log_config, 0},
    STR_DEF("NetworkMode", "default"),
    {"PortBindings", SCHEMA_LIST_MAP, "{}", port_binding, 0},
    {"RestartPolicy", SCHEMA_OBJECT, SCHEMA_SUB_DEFAULTS, restart_policy, 0},
    BOOL("AutoRemove"),
    STR("VolumeDriver"),
    STRS("VolumesFrom"),
    {"ConsoleSize", SCHEMA_SIZE, "[0,0]", NULL, 0},
    MAP_OMIT("Annotations"),
    STRS("CapAdd"),
    STRS("CapDrop"),
    STR_DEF("CgroupnsMode", "private"),
    STRS("Dns"),
    STRS("DnsOptions"),
    STRS("DnsSearch"),
    STRS("ExtraHosts"),
    STRS("GroupAdd"),
    STR_DEF("IpcMode", "private"),
    STR("Cgroup"),
    STRS("Links"),
    INT("OomScoreAdj"),
    STR("PidMode"),
    BOOL("Privileged"),
    BOOL("PublishAllPorts"),
    BOOL("ReadonlyRootfs"),
    STRS("SecurityOpt"),
    MAP_OMIT("StorageOpt"),
    MAP_OMIT("Tmpfs"),
    STR("UTSMode"),
    STR("UsernsMode"),
    {"ShmSize", SCHEMA_INT, "67108864", NULL, SCHEMA_EMPTY_IS_DEFAULT},
    MAP_OMIT("Sysctls"),
    STR("Runtime"),
    STR("Isolation"),
    INT("CpuShares"),
    INT("Memory"),
    INT("NanoCpus"),
    STR("CgroupParent"),
    INT("BlkioWeight"),
    OBJS("BlkioWeightDevice", weight_device),
    OBJS("BlkioDeviceReadBps", throttle_device),
    OBJS("BlkioDeviceWriteBps", throttle_device),
    OBJS("BlkioDeviceReadIOps", throttle_device),
    OBJS("BlkioDeviceWriteIOps", throttle_device),
    INT("CpuPeriod"),
    INT("CpuQuota"),
    INT("CpuRealtimePeriod"),
    INT("CpuRealtimeRuntime"),
    STR("CpusetCpus"),
    STR("CpusetMems"),
    OBJS("Devices", device),
    STRS("DeviceCgroupRules"),
    OBJS("DeviceRequests", device_request),
    INT_OMIT("KernelMemory"),
    INT_OMIT("KernelMemoryTCP"),
    INT("MemoryReservation"),
    INT("MemorySwap"),
    INT_NULL("MemorySwappiness"),
    BOOL_NULL("OomKillDisable"),
    INT_NULL("PidsLimit"),
    OBJS("Ulimits", ulimit),
    INT("CpuCount"),
    INT("CpuPercent"),
    INT("IOMaximumIOps"),
    INT("IOMaximumBandwidth"),
    OBJS("Mounts", mount),
    STRS("MaskedPaths"),
    STRS("ReadonlyPaths"),
    {"Init", SCHEMA_BOOL, NULL, NULL, SCHEMA_KEEP_EMPTY},
    END,
};

static const struct schema_field endpoint_ipam[] = {
    STR_OMIT("IPv4Address"), STR_OMIT("IPv6Address"), STRS_OMIT("LinkLocalIPs"), END,
};
const struct schema_field schema_endpoint[] = {
    {"IPAMConfig", SCHEMA_OBJECT, "null", endpoint_ipam, 0},
    STRS("Links"),
    STRS("Aliases"),
    STR("MacAddress"),
    {"DriverOpts", SCHEMA_STRING_MAP, "null", NULL, 0},
    STR("NetworkID"),
    STR("EndpointID"),
    STR("Gateway"),
    STR("IPAddress"),
    INT("IPPrefixLen"),
    STR("IPv6Gateway"),
    STR("GlobalIPv6Address"),
    INT("GlobalIPv6PrefixLen"),
    STRS("DNSNames"),
    END,
};
const struct schema_field schema_networking[] = {
    {"EndpointsConfig", SCHEMA_OBJECT_MAP, "{}", schema_endpoint, 0},
    END,
};
