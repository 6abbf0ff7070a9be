/*
 * simulator/schema_functions.c - what clients of Cloud Functions API send. Made by mkschema.py from the discovery document of revision
 * 20240523.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>
#include "simulator/schema.h"

static const struct schema_field m_automatic_update_policy_fields[] = {
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_automatic_update_policy = {"AutomaticUpdatePolicy", m_automatic_update_policy_fields};

static const struct schema_enum e_build_config_docker_registry = {"google.cloud.functions.v2.BuildConfig.DockerRegistry", (const char *const[]){"DOCKER_REGISTRY_UNSPECIFIED", "CONTAINER_REGISTRY", "ARTIFACT_REGISTRY", NULL}};
static const struct schema_field m_on_deploy_update_policy_fields[] = {
    {"runtimeVersion", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_on_deploy_update_policy = {"OnDeployUpdatePolicy", m_on_deploy_update_policy_fields};

static const struct schema_field m_repo_source_fields[] = {
    {"branchName", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"commitSha", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"dir", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"projectId", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"repoName", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"tagName", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_repo_source = {"RepoSource", m_repo_source_fields};

static const struct schema_field m_storage_source_fields[] = {
    {"bucket", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"generation", SCHEMA_INT64, SCHEMA_ONE, false, NULL},
    {"object", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"sourceUploadUrl", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_storage_source = {"StorageSource", m_storage_source_fields};

static const struct schema_field m_source_fields[] = {
    {"gitUri", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"repoSource", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_repo_source},
    {"storageSource", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_storage_source},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_source = {"Source", m_source_fields};

static const struct schema_field m_build_config_fields[] = {
    {"automaticUpdatePolicy", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_automatic_update_policy},
    {"build", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"dockerRegistry", SCHEMA_ENUM, SCHEMA_ONE, false, &e_build_config_docker_registry},
    {"dockerRepository", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"entryPoint", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"environmentVariables", SCHEMA_STRING, SCHEMA_MAP, false, NULL},
    {"onDeployUpdatePolicy", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_on_deploy_update_policy},
    {"runtime", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"serviceAccount", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"source", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_source},
    {"sourceProvenance", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"sourceToken", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"workerPool", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_build_config = {"BuildConfig", m_build_config_fields};

static const struct schema_enum e_function_environment = {"google.cloud.functions.v2.Function.Environment", (const char *const[]){"ENVIRONMENT_UNSPECIFIED", "GEN_1", "GEN_2", NULL}};
static const struct schema_field m_event_filter_fields[] = {
    {"attribute", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"operator", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"value", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_event_filter = {"EventFilter", m_event_filter_fields};

static const struct schema_enum e_event_trigger_retry_policy = {"google.cloud.functions.v2.EventTrigger.RetryPolicy", (const char *const[]){"RETRY_POLICY_UNSPECIFIED", "RETRY_POLICY_DO_NOT_RETRY", "RETRY_POLICY_RETRY", NULL}};
static const struct schema_field m_event_trigger_fields[] = {
    {"channel", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"eventFilters", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_event_filter},
    {"eventType", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"pubsubTopic", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"retryPolicy", SCHEMA_ENUM, SCHEMA_ONE, false, &e_event_trigger_retry_policy},
    {"service", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"serviceAccountEmail", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"trigger", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"triggerRegion", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_event_trigger = {"EventTrigger", m_event_trigger_fields};

static const struct schema_enum e_service_config_direct_vpc_egress = {"google.cloud.functions.v2.ServiceConfig.DirectVpcEgress", (const char *const[]){"DIRECT_VPC_EGRESS_UNSPECIFIED", "VPC_EGRESS_PRIVATE_RANGES_ONLY", "VPC_EGRESS_ALL_TRAFFIC", NULL}};
static const struct schema_enum e_service_config_ingress_settings = {"google.cloud.functions.v2.ServiceConfig.IngressSettings", (const char *const[]){"INGRESS_SETTINGS_UNSPECIFIED", "ALLOW_ALL", "ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB", NULL}};
static const struct schema_field m_secret_env_var_fields[] = {
    {"key", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"projectId", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"secret", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"version", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_secret_env_var = {"SecretEnvVar", m_secret_env_var_fields};

static const struct schema_field m_secret_version_fields[] = {
    {"path", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"version", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_secret_version = {"SecretVersion", m_secret_version_fields};

static const struct schema_field m_secret_volume_fields[] = {
    {"mountPath", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"projectId", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"secret", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"versions", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_secret_version},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_secret_volume = {"SecretVolume", m_secret_volume_fields};

static const struct schema_enum e_service_config_security_level = {"google.cloud.functions.v2.ServiceConfig.SecurityLevel", (const char *const[]){"SECURITY_LEVEL_UNSPECIFIED", "SECURE_ALWAYS", "SECURE_OPTIONAL", NULL}};
static const struct schema_enum e_service_config_vpc_connector_egress_settings = {"google.cloud.functions.v2.ServiceConfig.VpcConnectorEgressSettings", (const char *const[]){"VPC_CONNECTOR_EGRESS_SETTINGS_UNSPECIFIED", "PRIVATE_RANGES_ONLY", "ALL_TRAFFIC", NULL}};
static const struct schema_field m_service_config_fields[] = {
    {"allTrafficOnLatestRevision", SCHEMA_BOOL, SCHEMA_ONE, false, NULL},
    {"availableCpu", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"availableMemory", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"binaryAuthorizationPolicy", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"directVpcEgress", SCHEMA_ENUM, SCHEMA_ONE, false, &e_service_config_direct_vpc_egress},
    {"environmentVariables", SCHEMA_STRING, SCHEMA_MAP, false, NULL},
    {"ingressSettings", SCHEMA_ENUM, SCHEMA_ONE, false, &e_service_config_ingress_settings},
    {"maxInstanceCount", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"maxInstanceRequestConcurrency", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"minInstanceCount", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"revision", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"secretEnvironmentVariables", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_secret_env_var},
    {"secretVolumes", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_secret_volume},
    {"securityLevel", SCHEMA_ENUM, SCHEMA_ONE, false, &e_service_config_security_level},
    {"service", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"serviceAccountEmail", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"timeoutSeconds", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {"uri", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"vpcConnector", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"vpcConnectorEgressSettings", SCHEMA_ENUM, SCHEMA_ONE, false, &e_service_config_vpc_connector_egress_settings},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_service_config = {"ServiceConfig", m_service_config_fields};

static const struct schema_field m_function_fields[] = {
    {"buildConfig", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_build_config},
    {"buildpackStack", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"createTime", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"description", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"environment", SCHEMA_ENUM, SCHEMA_ONE, false, &e_function_environment},
    {"eventTrigger", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_event_trigger},
    {"kmsKeyName", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"labels", SCHEMA_STRING, SCHEMA_MAP, false, NULL},
    {"name", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"satisfiesPzi", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"satisfiesPzs", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"serviceConfig", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_service_config},
    {"state", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"stateMessages", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"updateTime", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"upgradeInfo", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {"url", SCHEMA_ANY, SCHEMA_ONE, true, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_function = {"Function", m_function_fields};

static const struct schema_enum e_audit_log_config_log_type = {"google.cloud.functions.v2.AuditLogConfig.LogType", (const char *const[]){"LOG_TYPE_UNSPECIFIED", "ADMIN_READ", "DATA_WRITE", "DATA_READ", NULL}};
static const struct schema_field m_audit_log_config_fields[] = {
    {"exemptedMembers", SCHEMA_STRING, SCHEMA_LIST, false, NULL},
    {"logType", SCHEMA_ENUM, SCHEMA_ONE, false, &e_audit_log_config_log_type},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_audit_log_config = {"AuditLogConfig", m_audit_log_config_fields};

static const struct schema_field m_audit_config_fields[] = {
    {"auditLogConfigs", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_audit_log_config},
    {"service", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_audit_config = {"AuditConfig", m_audit_config_fields};

static const struct schema_field m_expr_fields[] = {
    {"description", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"expression", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"location", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {"title", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_expr = {"Expr", m_expr_fields};

static const struct schema_field m_binding_fields[] = {
    {"condition", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_expr},
    {"members", SCHEMA_STRING, SCHEMA_LIST, false, NULL},
    {"role", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_binding = {"Binding", m_binding_fields};

static const struct schema_field m_policy_fields[] = {
    {"auditConfigs", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_audit_config},
    {"bindings", SCHEMA_MESSAGE, SCHEMA_LIST, false, &m_binding},
    {"etag", SCHEMA_BYTES, SCHEMA_ONE, false, NULL},
    {"version", SCHEMA_INT32, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_policy = {"Policy", m_policy_fields};

static const struct schema_field m_set_iam_policy_request_fields[] = {
    {"policy", SCHEMA_MESSAGE, SCHEMA_ONE, false, &m_policy},
    {"updateMask", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_set_iam_policy_request = {"SetIamPolicyRequest", m_set_iam_policy_request_fields};

static const struct schema_field m_test_iam_permissions_request_fields[] = {
    {"permissions", SCHEMA_STRING, SCHEMA_LIST, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_test_iam_permissions_request = {"TestIamPermissionsRequest", m_test_iam_permissions_request_fields};

static const struct schema_enum e_generate_upload_url_request_environment = {"google.cloud.functions.v2.GenerateUploadUrlRequest.Environment", (const char *const[]){"ENVIRONMENT_UNSPECIFIED", "GEN_1", "GEN_2", NULL}};
static const struct schema_field m_generate_upload_url_request_fields[] = {
    {"environment", SCHEMA_ENUM, SCHEMA_ONE, false, &e_generate_upload_url_request_environment},
    {"kmsKeyName", SCHEMA_STRING, SCHEMA_ONE, false, NULL},
    {NULL, 0, 0, false, NULL},
};
static const struct schema_message m_generate_upload_url_request = {"GenerateUploadUrlRequest", m_generate_upload_url_request_fields};

const struct schema_message *const schema_function = &m_function;
const struct schema_message *const schema_set_iam_policy_request = &m_set_iam_policy_request;
const struct schema_message *const schema_test_iam_permissions_request = &m_test_iam_permissions_request;
const struct schema_message *const schema_generate_upload_url_request = &m_generate_upload_url_request;
