/*
 * simulator/schema_run.c - what clients of Cloud Run Admin API send. Made by mkschema.py from the discovery document of revision
 * 20240614.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include "simulator/schema.h"

static const struct schema_field m_binary_authorization_fields[] = {
    {"breakglassJustification", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"policy", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"useDefault", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_binary_authorization = {"BinaryAuthorization", m_binary_authorization_fields};

static const struct schema_enum e_service_ingress = {"google.cloud.run.v2.Service.Ingress", (const char *const[]){"INGRESS_TRAFFIC_UNSPECIFIED", "INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_ONLY", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "INGRESS_TRAFFIC_NONE", NULL}};
static const struct schema_enum e_service_launch_stage = {"google.cloud.run.v2.Service.LaunchStage", (const char *const[]){"LAUNCH_STAGE_UNSPECIFIED", "EARLY_ACCESS", "ALPHA", "BETA", "GA", "DEPRECATED", "UNIMPLEMENTED", "PRELAUNCH", NULL}};
static const struct schema_enum e_service_scaling_scaling_mode = {"google.cloud.run.v2.ServiceScaling.ScalingMode", (const char *const[]){"SCALING_MODE_UNSPECIFIED", "AUTOMATIC", "MANUAL", NULL}};
static const struct schema_field m_service_scaling_fields[] = {
    {"manualInstanceCount", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"maxInstanceCount", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"minInstanceCount", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"scalingMode", SCHEMA_ENUM, SCHEMA_ONE, false, &e_service_scaling_scaling_mode},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_service_scaling = {"ServiceScaling", m_service_scaling_fields};

static const struct schema_field m_secret_key_selector_fields[] = {
    {"secret", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"version", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_secret_key_selector = {"SecretKeySelector", m_secret_key_selector_fields};

static const struct schema_field m_env_var_source_fields[] = {
    {"secretKeyRef", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_secret_key_selector},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_env_var_source = {"EnvVarSource", m_env_var_source_fields};

static const struct schema_field m_env_var_fields[] = {
    {"name", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"value", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"valueSource", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_env_var_source},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_env_var = {"EnvVar", m_env_var_fields};

static const struct schema_field m_grpc_action_fields[] = {
    {"port", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"service", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_grpc_action = {"GRPCAction", m_grpc_action_fields};

static const struct schema_field m_http_header_fields[] = {
    {"name", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"value", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_http_header = {"HTTPHeader", m_http_header_fields};

static const struct schema_field m_http_get_action_fields[] = {
    {"httpHeaders", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_http_header},
    {"path", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"port", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_http_get_action = {"HTTPGetAction", m_http_get_action_fields};

static const struct schema_field m_tcp_socket_action_fields[] = {
    {"port", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_tcp_socket_action = {"TCPSocketAction", m_tcp_socket_action_fields};

static const struct schema_field m_probe_fields[] = {
    {"failureThreshold", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"grpc", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_grpc_action},
    {"httpGet", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_http_get_action},
    {"initialDelaySeconds", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"periodSeconds", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"tcpSocket", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_tcp_socket_action},
    {"timeoutSeconds", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_probe = {"Probe", m_probe_fields};

static const struct schema_field m_container_port_fields[] = {
    {"containerPort", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"name", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_container_port = {"ContainerPort", m_container_port_fields};

static const struct schema_field m_resource_requirements_fields[] = {
    {"cpuIdle", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {"limits", SCHEMA_STRING, SCHEMA_MAP, false, NULL},
    {"startupCpuBoost", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_resource_requirements = {"ResourceRequirements", m_resource_requirements_fields};

static const struct schema_field m_volume_mount_fields[] = {
    {"mountPath", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"name", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_volume_mount = {"VolumeMount", m_volume_mount_fields};

static const struct schema_field m_container_fields[] = {
    {"args", SCHEMA_STRING, SCHEMA_LIST, false, NULL},
    {"baseImageUri", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"buildInfo", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"command", SCHEMA_STRING, SCHEMA_LIST, false, NULL},
    {"dependsOn", SCHEMA_STRING, SCHEMA_LIST, false, NULL},
    {"env", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_env_var},
    {"image", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"livenessProbe", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_probe},
    {"name", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"ports", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_container_port},
    {"readinessProbe", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_probe},
    {"resources", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_resource_requirements},
    {"sourceCode", SCHEMA_ANY, SCHEMA_ONE, false, NULL},
    {"startupProbe", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_probe},
    {"volumeMounts", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_volume_mount},
    {"workingDir", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_container = {"Container", m_container_fields};

static const struct schema_enum e_revision_template_encryption_key_revocation_action = {"google.cloud.run.v2.RevisionTemplate.EncryptionKeyRevocationAction", (const char *const[]){"ENCRYPTION_KEY_REVOCATION_ACTION_UNSPECIFIED", "PREVENT_NEW", "SHUTDOWN", NULL}};
static const struct schema_enum e_revision_template_execution_environment = {"google.cloud.run.v2.RevisionTemplate.ExecutionEnvironment", (const char *const[]){"EXECUTION_ENVIRONMENT_UNSPECIFIED", "EXECUTION_ENVIRONMENT_GEN1", "EXECUTION_ENVIRONMENT_GEN2", NULL}};
static const struct schema_field m_node_selector_fields[] = {
    {"accelerator", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_node_selector = {"NodeSelector", m_node_selector_fields};

static const struct schema_field m_revision_scaling_fields[] = {
    {"maxInstanceCount", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"minInstanceCount", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_revision_scaling = {"RevisionScaling", m_revision_scaling_fields};

static const struct schema_field m_cloud_sql_instance_fields[] = {
    {"instances", SCHEMA_STRING, SCHEMA_LIST, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_cloud_sql_instance = {"CloudSqlInstance", m_cloud_sql_instance_fields};

static const struct schema_enum e_empty_dir_volume_source_medium = {"google.cloud.run.v2.EmptyDirVolumeSource.Medium", (const char *const[]){"MEDIUM_UNSPECIFIED", "MEMORY", NULL}};
static const struct schema_field m_empty_dir_volume_source_fields[] = {
    {"medium", SCHEMA_ENUM, SCHEMA_ONE, false, &e_empty_dir_volume_source_medium},
    {"sizeLimit", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_empty_dir_volume_source = {"EmptyDirVolumeSource", m_empty_dir_volume_source_fields};

static const struct schema_field m_gcs_volume_source_fields[] = {
    {"bucket", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"readOnly", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_gcs_volume_source = {"GCSVolumeSource", m_gcs_volume_source_fields};

static const struct schema_field m_nfs_volume_source_fields[] = {
    {"path", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"readOnly", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {"server", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_nfs_volume_source = {"NFSVolumeSource", m_nfs_volume_source_fields};

static const struct schema_field m_version_to_path_fields[] = {
    {"mode", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"path", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"version", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_version_to_path = {"VersionToPath", m_version_to_path_fields};

static const struct schema_field m_secret_volume_source_fields[] = {
    {"defaultMode", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"items", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_version_to_path},
    {"secret", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_secret_volume_source = {"SecretVolumeSource", m_secret_volume_source_fields};

static const struct schema_field m_volume_fields[] = {
    {"cloudSqlInstance", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_cloud_sql_instance},
    {"emptyDir", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_empty_dir_volume_source},
    {"gcs", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_gcs_volume_source},
    {"name", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"nfs", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_nfs_volume_source},
    {"secret", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_secret_volume_source},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_volume = {"Volume", m_volume_fields};

static const struct schema_enum e_vpc_access_egress = {"google.cloud.run.v2.VpcAccess.Egress", (const char *const[]){"VPC_EGRESS_UNSPECIFIED", "ALL_TRAFFIC", "PRIVATE_RANGES_ONLY", NULL}};
static const struct schema_field m_network_interface_fields[] = {
    {"network", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"subnetwork", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"tags", SCHEMA_STRING, SCHEMA_LIST, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_network_interface = {"NetworkInterface", m_network_interface_fields};

static const struct schema_field m_vpc_access_fields[] = {
    {"connector", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"egress", SCHEMA_ENUM, SCHEMA_ONE, false, &e_vpc_access_egress},
    {"networkInterfaces", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_network_interface},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_vpc_access = {"VpcAccess", m_vpc_access_fields};

static const struct schema_field m_revision_template_fields[] = {
    {"annotations", SCHEMA_STRING, SCHEMA_MAP, false, NULL},
    {"client", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"clientVersion", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"containers", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_container},
    {"encryptionKey", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"encryptionKeyRevocationAction", SCHEMA_ENUM, SCHEMA_ONE, false, &e_revision_template_encryption_key_revocation_action},
    {"encryptionKeyShutdownDuration", SCHEMA_DURATION, SCHEMA_ONE, false, NULL},
    {"executionEnvironment", SCHEMA_ENUM, SCHEMA_ONE, false, &e_revision_template_execution_environment},
    {"gpuZonalRedundancyDisabled", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {"healthCheckDisabled", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {"labels", SCHEMA_STRING, SCHEMA_MAP, false, NULL},
    {"maxInstanceRequestConcurrency", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"nodeSelector", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_node_selector},
    {"revision", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"scaling", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_revision_scaling},
    {"serviceAccount", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"serviceMesh", SCHEMA_ANY, SCHEMA_ONE, false, NULL},
    {"sessionAffinity", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {"timeout", SCHEMA_DURATION, SCHEMA_ONE, false, NULL},
    {"volumes", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_volume},
    {"vpcAccess", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_vpc_access},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_revision_template = {"RevisionTemplate", m_revision_template_fields};

static const struct schema_enum e_traffic_target_type = {"google.cloud.run.v2.TrafficTarget.Type", (const char *const[]){"TRAFFIC_TARGET_ALLOCATION_TYPE_UNSPECIFIED", "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", NULL}};
static const struct schema_field m_traffic_target_fields[] = {
    {"percent", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"revision", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"tag", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"type", SCHEMA_ENUM, SCHEMA_ONE, false, &e_traffic_target_type},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_traffic_target = {"TrafficTarget", m_traffic_target_fields};

static const struct schema_field m_service_fields[] = {
    {"annotations", SCHEMA_STRING, SCHEMA_MAP, false, NULL},
    {"binaryAuthorization", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_binary_authorization},
    {"buildConfig", SCHEMA_ANY, SCHEMA_ONE, false, NULL},
    {"client", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"clientVersion", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"conditions", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"createTime", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"creator", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"customAudiences", SCHEMA_STRING, SCHEMA_LIST, false, NULL},
    {"defaultUriDisabled", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {"deleteTime", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"description", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"etag", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"expireTime", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"generation", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"iapEnabled", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {"ingress", SCHEMA_ENUM, SCHEMA_ONE, false, &e_service_ingress},
    {"invokerIamDisabled", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {"labels", SCHEMA_STRING, SCHEMA_MAP, false, NULL},
    {"lastModifier", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"latestCreatedRevision", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"latestReadyRevision", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"launchStage", SCHEMA_ENUM, SCHEMA_ONE, false, &e_service_launch_stage},
    {"name", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"observedGeneration", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"reconciling", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"satisfiesPzi", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"satisfiesPzs", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"scaling", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_service_scaling},
    {"template", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_revision_template},
    {"terminalCondition", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"threatDetectionEnabled", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"traffic", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_traffic_target},
    {"trafficStatuses", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"uid", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"updateTime", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"uri", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"urls", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_service = {"Service", m_service_fields};

const struct schema_message *const schema_service = &m_service;
