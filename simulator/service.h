/*
 * simulator/service.h - functions, the Cloud Run services behind them, their revisions.
 *
 * A function is a resource of Functions v2; what runs is a service, made from it by each deployment:
 *
 *   function --deploy--> service --template changes--> revision --first request--> instances
 *
 * A service may also change without its function (Cloud Run's API puts another image under it): the next deployment of the function
 * restores what the function says. A service without a function is one that Cloud Run's API made.
 *
 * Both are written to the state directory with each change (persist.c), so a simulator that was killed has them again. Instances are not
 * resources: they end with the simulator.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_SERVICE_H
#define SKL_SIM_SERVICE_H

#include "simulator/sim.h"

#define TYPE_FUNCTION "type.googleapis.com/google.cloud.functions.v2.Function"
#define TYPE_SERVICE "type.googleapis.com/google.cloud.run.v2.Service"
#define TYPE_EMPTY "type.googleapis.com/google.protobuf.Empty"
#define GRPC_INVALID_ARGUMENT 3

#define REVISIONS_MAX 100u /* kept of a service; older ones go, as long as they don't serve */

struct deploy;

/* What an instance is made of; it holds on to its revision though the service has a newer one. */
struct revision {
    struct list link;            /* service's, newest first */
    char *id;
    struct json_object *json;    /* the Revision resource */
    struct json_object *container;
    struct image *image;         /* NULL: it can't run, see why */
    char *why;
    bool ready;                  /* also true of what a build would have pushed: there is nothing wrong with it, but it can't run here */
    bool agent;                  /* runtime "docker": sockerless-agent is the entry point */
    int64_t timeout_s;
    unsigned max_instances, concurrency;
    unsigned refs;
};

struct service {
    UT_hash_handle hh;
    struct sim *sim;
    char *name;                  /* projects/P/locations/L/services/S */
    char *project, *location, *id;
    struct function *f;          /* whose it is, or NULL */
    struct json_object *json;    /* the Service resource; NULL: the first deployment is not at its end */
    struct json_object *policy;  /* or NULL */
    struct list revisions, instances;
    struct revision *serving;    /* one of revisions; NULL: none is ready */
    uint64_t generation;
    unsigned created;            /* revisions so far */
    struct deploy *deploy;       /* in progress */
};

enum function_state { FUNCTION_DEPLOYING, FUNCTION_ACTIVE, FUNCTION_FAILED, FUNCTION_DELETING };
struct function {
    UT_hash_handle hh;
    struct sim *sim;
    char *name;                  /* projects/P/locations/L/functions/F */
    char *project, *location, *id;
    enum function_state state;
    struct json_object *json;    /* the resource; state is filled in when answered */
    struct json_object *next;    /* what it becomes when the deployment in progress ends well */
    struct json_object *policy;
    struct service *svc;
    struct deploy *deploy;       /* in progress */
};

/* ---- functions.c ---- */
struct function *function_find(struct sim *s, const char *project, const char *location, const char *id);
/* A function with this resource (taken); it is in no deployment. */
struct function *function_new(struct sim *s, const char *project, const char *location, const char *id, struct json_object *json);
void function_free(struct function *f);       /* instances stop */
struct json_object *function_answer(const struct function *f); /* a copy with its state */
int function_validate(struct sim *s, const char *id, const char *project, const char *location, struct json_object *fn,
                      struct skl_error *err); /* validate.c */
const char *const *sim_runtimes(void);        /* names; NULL-terminated */
bool sim_location_known(const char *location); /* companions.c */

/* ---- resource.c: what the server fills in ---- */
void function_fill(struct function *f, struct json_object *fn);    /* of a deployment that ended well */
void function_fill_build(const struct function *f, struct json_object *fn);
/* The service's template and settings as the function says; new object. */
struct json_object *function_service(const struct function *f, struct json_object *fn);
char *service_uri(const struct service *svc); /* caller frees */
int64_t json_number(struct json_object *o, const char *path, int64_t if_absent);
/* "id" of a service for a function's. Caller frees. */
char *service_id_of(const char *function_id);

/* ---- service.c ---- */
struct service *service_find(struct sim *s, const char *project, const char *location, const char *id); /* deployed or not */
struct service *service_new(struct sim *s, const char *project, const char *location, const char *id);
void service_free(struct service *svc);
/* Takes the settings over and makes a revision of the template. `image` (taken, may be NULL with why): what it runs. The service serves it
 * when it is ready; otherwise it goes on with the last that was. */
struct revision *service_roll(struct service *svc, struct json_object *settings, struct image *image, bool ready, const char *why);
/* A revision that an earlier simulator made, after those there are. Takes json. */
struct revision *service_restore(struct service *svc, const char *id, struct json_object *json);
/* Changes what needs no new revision. Takes settings. */
void service_settle(struct service *svc, struct json_object *settings);
const char *service_image(struct json_object *settings); /* of its first container, or "" */
bool service_runs_agent(const struct service *svc, struct json_object *settings);
struct json_object *service_answer(const struct service *svc); /* a copy with conditions, etag, ... */
struct json_object *revision_answer(const struct service *svc, const struct revision *r);
void revision_unref(struct revision *r);
void service_etag(const struct service *svc, char out[40]);

/* ---- deploy.c ---- */
/* Deploys the function's `next`. The operation may be over when it returns. */
struct operation *deploy_function(struct function *f, bool create, int fail_code);
/* Gives the service these settings (taken). */
struct operation *deploy_service(struct service *svc, struct json_object *settings, int fail_code);
struct operation *deploy_delete_function(struct function *f, int fail_code);
struct operation *deploy_delete_service(struct service *svc, int fail_code);
void deploy_cancel(struct deploy *d);         /* takes NULL; the operation stays as it is */

/* ---- persist.c ---- */
/* op: its newest operation, so that who polls it finds it after a restart. May be NULL. */
void persist_function(const struct function *f, struct json_object *op);
void persist_service(struct service *svc);
void persist_forget(const struct sim *s, const char *name); /* of either */
void persist_load(struct sim *s);

/* ---- process.c ---- */
/* args, user, cwd of an image with an entry point of its own. */
int process_write(const struct instance *in, struct json_object *process, struct skl_error *err);

/* ---- iam.c ---- */
extern const struct sim_route iam_routes[];
bool iam_grants(struct json_object *policy, const char *role, const char *member);

#endif
