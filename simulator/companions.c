/*
 * simulator/companions.c - what clients ask beside functions: locations, runtimes, and the small calls of other APIs that
 * `gcloud functions deploy` makes on its way.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "simulator/page.h"
#include "simulator/service.h"

#define LOCATIONS_PAGE 1000

static const char *const locations[][2] = {
    {"africa-south1", "Johannesburg"}, {"asia-east1", "Taiwan"}, {"asia-east2", "Hong Kong"}, {"asia-northeast1", "Tokyo"},
    {"asia-northeast2", "Osaka"}, {"asia-northeast3", "Seoul"}, {"asia-south1", "Mumbai"}, {"asia-south2", "Delhi"},
    {"asia-southeast1", "Singapore"}, {"asia-southeast2", "Jakarta"}, {"australia-southeast1", "Sydney"}, {"australia-southeast2", "Melbourne"},
    {"europe-central2", "Warsaw"}, {"europe-north1", "Finland"}, {"europe-southwest1", "Madrid"}, {"europe-west1", "Belgium"},
    {"europe-west10", "Berlin"}, {"europe-west12", "Turin"}, {"europe-west2", "London"}, {"europe-west3", "Frankfurt"},
    {"europe-west4", "Netherlands"}, {"europe-west6", "Zurich"}, {"europe-west8", "Milan"}, {"europe-west9", "Paris"},
    {"me-central1", "Doha"}, {"me-central2", "Dammam"}, {"me-west1", "Tel Aviv"}, {"northamerica-northeast1", "Montreal"},
    {"northamerica-northeast2", "Toronto"}, {"southamerica-east1", "Sao Paulo"}, {"southamerica-west1", "Santiago"}, {"us-central1", "Iowa"},
    {"us-east1", "South Carolina"}, {"us-east4", "Northern Virginia"}, {"us-east5", "Columbus"}, {"us-south1", "Dallas"}, {"us-west1", "Oregon"},
    {"us-west2", "Los Angeles"}, {"us-west3", "Salt Lake City"}, {"us-west4", "Las Vegas"},
};

bool sim_location_known(const char *location)
{
    for (size_t i = 0; i < ARRAY_LEN(locations); i++)
        if (str_eq(locations[i][0], location))
            return true;
    return false;
}

/* /v1 has no metadata: Node's LocationsClient ends at an Any of a type it does not know. */
static struct json_object *location_json(const char *project, size_t i, bool v2)
{
    static const char *const environments[] = {"GEN_2", NULL};
    struct json_object *o = json_new_object(), *m;
    CLEANUP(free_p) char *name = xasprintf("projects/%s/locations/%s", project, locations[i][0]);

    json_add_string(o, "name", name);
    json_add_string(o, "locationId", locations[i][0]);
    json_add_string(o, "displayName", locations[i][1]);
    json_add_string(json_add_object(o, "labels"), "cloud.googleapis.com/region", locations[i][0]);
    if (v2) {
        m = json_add_object(o, "metadata");
        json_add_string(m, "@type", "type.googleapis.com/google.cloud.functions.v2.LocationMetadata");
        json_add_strings(m, "environments", environments);
    }
    return o;
}

static bool is_v2(const struct sim_call *c)
{
    return str_starts(http_req_path(c->req), "/v2/");
}

static void handle_locations(struct sim_call *c)
{
    JSON_CLEANUP struct json_object *all = json_new_array();
    struct json_object *o;
    struct page page;

    if (!page_read(c, LOCATIONS_PAGE, LOCATIONS_PAGE, &page))
        return;
    for (size_t i = 0; i < ARRAY_LEN(locations); i++)
        json_push(all, location_json(call_param(c, "project"), i, is_v2(c)));
    o = json_new_object();
    if (page_cut(c, &page, all, o, "locations"))
        call_json(c, 200, o);
    else
        json_object_put(o);
}

static void handle_location(struct sim_call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(locations); i++)
        if (str_eq(locations[i][0], call_param(c, "location"))) {
            call_json(c, 200, location_json(call_param(c, "project"), i, is_v2(c)));
            return;
        }
    call_fail(c, 404, "NOT_FOUND", "Location %s is not found or access is unauthorized.", call_param(c, "location"));
}

/* ---- runtimes ---- */

static void add_date(struct json_object *o, const char *key, int year, int month, int day)
{
    struct json_object *d = json_add_object(o, key);

    json_add_i64(d, "year", year);
    json_add_i64(d, "month", month);
    json_add_i64(d, "day", day);
}

/* "nodejs22" -> "Node.js 22" */
static void display_name(const char *runtime, char *out, size_t size)
{
    static const char *const names[][2] = {{"nodejs", "Node.js "}, {"python3", "Python 3."}, {"go1", "Go 1."}, {"java", "Java "},
                                           {"ruby3", "Ruby 3."},   {"php8", "PHP 8."},       {"dotnet", ".NET "}};

    snprintf(out, size, "%s", runtime);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_starts(runtime, names[i][0]))
            snprintf(out, size, "%s%s", names[i][1], runtime + strlen(names[i][0]));
}

static struct json_object *runtime_json(const char *name)
{
    struct json_object *o = json_new_object();
    char display[64];

    display_name(name, display, sizeof(display));
    json_add_string(o, "name", name);
    json_add_string(o, "displayName", display);
    json_add_string(o, "stage", "GA");
    json_add_string(o, "environment", "GEN_2");
    if (!str_eq(name, "docker")) {
        add_date(o, "deprecationDate", 2029, 10, 31);
        add_date(o, "decommissionDate", 2030, 4, 30);
    }
    return o;
}

static void handle_runtimes(struct sim_call *c)
{
    struct json_object *o = json_new_object(), *list = json_add_array(o, "runtimes");

    for (const char *const *r = sim_runtimes(); *r != NULL; r++)
        json_push(list, runtime_json(*r));
    if (c->sim->opts.docker_runtime)
        json_push(list, runtime_json("docker"));
    call_json(c, 200, o);
}

/* ---- other APIs ---- */

/* serviceusage: every API is on. */
static void handle_service_usage(struct sim_call *c)
{
    struct json_object *o = json_new_object();
    CLEANUP(free_p) char *name = xasprintf("projects/" SIM_PROJECT_NUMBER "/services/%s", call_param(c, "api"));

    json_add_string(o, "name", name);
    json_add_string(o, "parent", "projects/" SIM_PROJECT_NUMBER);
    json_add_string(json_add_object(o, "config"), "name", call_param(c, "api"));
    json_add_string(o, "state", "ENABLED");
    call_json(c, 200, o);
}

/* cloudresourcemanager: any project there is. */
static void handle_project(struct sim_call *c)
{
    struct json_object *o = json_new_object();

    json_add_string(o, "projectNumber", SIM_PROJECT_NUMBER);
    json_add_string(o, "projectId", call_param(c, "project"));
    json_add_string(o, "lifecycleState", "ACTIVE");
    json_add_string(o, "name", call_param(c, "project"));
    call_json(c, 200, o);
}

/* Who may do what in a project: its build account builds, as Google has arranged it in projects that are set up for functions. */
static void handle_project_policy(struct sim_call *c)
{
    struct json_object *o = json_new_object(), *binding = json_new_object();

    json_add_i64(o, "version", 1);
    json_add_string(o, "etag", "BwXsimulator=");
    json_add_string(binding, "role", "roles/cloudbuild.builds.builder");
    json_push_string(json_add_array(binding, "members"), "serviceAccount:" SIM_PROJECT_NUMBER "-compute@developer.gserviceaccount.com");
    json_push(json_add_array(o, "bindings"), binding);
    call_json(c, 200, o);
}

/* cloudbuild */
static void handle_build_account(struct sim_call *c)
{
    struct json_object *o = json_new_object();
    CLEANUP(free_p) char *name = xasprintf("projects/%s/locations/%s/defaultServiceAccount", call_param(c, "project"), call_param(c, "location"));
    CLEANUP(free_p) char *account =
        xasprintf("projects/%s/serviceAccounts/" SIM_PROJECT_NUMBER "-compute@developer.gserviceaccount.com", call_param(c, "project"));

    json_add_string(o, "name", name);
    json_add_string(o, "serviceAccountEmail", account);
    call_json(c, 200, o);
}

/* Functions v1: none of the 1st gen. */
static void handle_v1_functions(struct sim_call *c)
{
    call_json(c, 200, json_new_object());
}

#define LOCATION "/projects/{project}/locations/{location}"
const struct sim_route companions_routes[] = {
    {"GET", "/v2/projects/{project}/locations", "ListLocations", handle_locations, false},
    {"GET", "/v1/projects/{project}/locations", "ListLocations", handle_locations, false},
    {"GET", "/v2" LOCATION, "GetLocation", handle_location, false},
    {"GET", "/v1" LOCATION, "GetLocation", handle_location, false},
    {"GET", "/v2" LOCATION "/runtimes", "ListRuntimes", handle_runtimes, false},
    {"GET", "/v1" LOCATION "/functions", "ListFunctionsV1", handle_v1_functions, false},
    {"GET", "/v1" LOCATION "/defaultServiceAccount", "GetDefaultServiceAccount", handle_build_account, false},
    {"GET", "/v1/projects/{project}/services/{api}", "GetServiceUsage", handle_service_usage, false},
    {"GET", "/v1/projects/{project}", "GetProject", handle_project, false},
    {"POST", "/v1/projects/{project}:getIamPolicy", "GetProjectIamPolicy", handle_project_policy, false},
    {NULL, NULL, NULL, NULL, false},
};
