/*
 * simulator/options.c - the command line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/clock.h"
#include "simulator/sim.h"

static const char help[] =
    "usage: sockerless-gcp-simulator [options]\n"
    "       sockerless-gcp-simulator image import NAME PATH [--cmd W]... [--entrypoint W]... [--env K=V]... [--user U] [--workdir D]\n"
    "       sockerless-gcp-simulator image list | remove NAME | pull NAME\n"
    "\n"
    "Google's APIs on loopback (Functions v2, operations, Logging v2), executing functions from OCI images with crun.\n"
    "\n"
    "  --listen ADDR:PORT        where to listen (default 127.0.0.1:8811; port 0 picks a free one)\n"
    "  --port-file FILE          written with the port once listening\n"
    "  --state-dir DIR           functions, objects, instances, request log (default: a private directory that is removed at the end)\n"
    "  --fresh                   forget the functions that an earlier run left in the state directory\n"
    "  --images DIR              the image store (default: $SOCKERLESS_IMAGES_DIR, or the system's)\n"
    "  --docker-runtime          accept buildConfig.runtime \"docker\": the image that the environment variable\n"
    "                            SOCKERLESS_IMAGE names is run with sockerless-agent as its entry point\n"
    "  --operation-delay D, --build-delay D, --cold-start-delay D, --log-delay D\n"
    "                            Go durations; all 0 by default\n"
    "  --network isolated|host   a network namespace for each instance (default for root), or the host's network\n"
    "  --pull                    get images that are not here from where their name says, with skopeo\n"
    "  --limits all|memory|none  what of a function's memory and CPU limits is enforced where control groups allow (default all)\n"
    "  --require-auth            refuse API calls without an access token of the simulator's, and requests to private\n"
    "                            services without an ID token\n"
    "  --credentials FILE        a credential file that clients use (may be repeated): what they say is verified against it,\n"
    "                            and nobody else is known\n"
    "  --fault SPEC              RPC[@WHEN]=WHAT (may be repeated): RPC as in the request log, or *; WHEN is N, N-M, /N or P%;\n"
    "                            WHAT is a status, reset, lost, slow:D or fail[:CODE]; or agents/D=cut,\n"
    "                            ListX=short[:N], LogEntry=late:D, LogEntry=twice\n"
    "  --control ADDR:PORT       GET, POST {\"fault\":SPEC}, DELETE /faults at run time; the port is in STATE-DIR/control-port\n"
    "  --agent FILE              the agent's binary (default: $SOCKERLESS_AGENT, or beside this program)\n"
    "  --log-level L             error, warn, info, debug\n"
    "  --version, --help\n";

enum {
    OPT_LISTEN = 256, OPT_PORT_FILE, OPT_STATE_DIR, OPT_IMAGES, OPT_DOCKER, OPT_OPERATION_DELAY, OPT_BUILD_DELAY,
    OPT_COLD_DELAY, OPT_LOG_DELAY, OPT_NETWORK, OPT_AUTH, OPT_LOG_LEVEL, OPT_VERSION, OPT_HELP, OPT_AGENT, OPT_FAULT, OPT_CONTROL, OPT_FRESH, OPT_CREDENTIALS, OPT_LIMITS, OPT_PULL
};

static const struct option long_options[] = {
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"port-file", required_argument, NULL, OPT_PORT_FILE},
    {"state-dir", required_argument, NULL, OPT_STATE_DIR},
    {"images", required_argument, NULL, OPT_IMAGES},
    {"credentials", required_argument, NULL, OPT_CREDENTIALS},
    {"pull", no_argument, NULL, OPT_PULL},
    {"limits", required_argument, NULL, OPT_LIMITS},
    {"fresh", no_argument, NULL, OPT_FRESH},
    {"fault", required_argument, NULL, OPT_FAULT},
    {"control", required_argument, NULL, OPT_CONTROL},
    {"docker-runtime", no_argument, NULL, OPT_DOCKER},
    {"operation-delay", required_argument, NULL, OPT_OPERATION_DELAY},
    {"build-delay", required_argument, NULL, OPT_BUILD_DELAY},
    {"cold-start-delay", required_argument, NULL, OPT_COLD_DELAY},
    {"log-delay", required_argument, NULL, OPT_LOG_DELAY},
    {"network", required_argument, NULL, OPT_NETWORK},
    {"require-auth", no_argument, NULL, OPT_AUTH},
    {"agent", required_argument, NULL, OPT_AGENT},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static _Noreturn void usage_error(const char *what, const char *value)
{
    fprintf(stderr, "sockerless-gcp-simulator: %s%s%s\nTry --help.\n", what, value != NULL ? ": " : "",
            value != NULL ? value : "");
    exit(2);
}

static int64_t delay(const char *text)
{
    int64_t ns;

    if (!duration_parse(text, &ns) || ns < 0)
        usage_error("not a duration", text);
    return ns;
}

char *sim_default_images_dir(void)
{
    const char *env = getenv("SOCKERLESS_IMAGES_DIR"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

    if (!str_empty(env))
        return xstrdup(env);
    if (geteuid() == 0)
        return xstrdup(SKL_LOCALSTATEDIR "/lib/sockerless/images");
    if (!str_empty(data))
        return xasprintf("%s/sockerless/images", data);
    return xasprintf("%s/.local/share/sockerless/images", str_empty(home) ? "/tmp" : home);
}

static void set_log_level(const char *text)
{
    enum log_level level;

    if (!log_level_parse(text, &level))
        usage_error("unknown log level", text);
    log_set_level(level);
}

static void set_limits(struct sim_options *o)
{
    static const char *const words[] = {"all", "memory", "none"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(words[i], optarg)) {
            o->limits = i == 0 ? LIMITS_ALL : i == 1 ? LIMITS_MEMORY : LIMITS_NONE;
            return;
        }
    usage_error("--limits is all, memory or none, not", optarg);
}

static void set_text(char **at)
{
    free(*at); /* the last one counts */
    *at = xstrdup(optarg);
}

static void take(struct sim_options *o, int opt)
{
    switch (opt) {
    case OPT_LISTEN: o->listen = optarg; break;
    case OPT_PORT_FILE: o->port_file = optarg; break;
    case OPT_STATE_DIR: set_text(&o->state_dir); break;
    case OPT_IMAGES: set_text(&o->images_dir); break;
    case OPT_CREDENTIALS:
        o->credentials = xrealloc(o->credentials, (o->n_credentials + 1) * sizeof(*o->credentials));
        o->credentials[o->n_credentials++] = optarg;
        break;
    case OPT_PULL: o->pull = true; break;
    case OPT_LIMITS: set_limits(o); break;
    case OPT_FRESH: o->fresh = true; break;
    case OPT_DOCKER: o->docker_runtime = true; break;
    case OPT_OPERATION_DELAY: o->operation_delay = delay(optarg); break;
    case OPT_BUILD_DELAY: o->build_delay = delay(optarg); break;
    case OPT_COLD_DELAY: o->cold_start_delay = delay(optarg); break;
    case OPT_LOG_DELAY: o->log_delay = delay(optarg); break;
    case OPT_NETWORK:
        if (!str_eq(optarg, "host") && !str_eq(optarg, "isolated"))
            usage_error("--network is isolated or host, not", optarg);
        o->network_host = str_eq(optarg, "host");
        o->network_isolated = !o->network_host;
        break;
    case OPT_AUTH: o->require_auth = true; break;
    case OPT_AGENT: o->agent = optarg; break;
    case OPT_FAULT:
        o->faults = xrealloc(o->faults, (o->n_faults + 1) * sizeof(*o->faults));
        o->faults[o->n_faults++] = optarg;
        break;
    case OPT_CONTROL: o->control = optarg; break;
    case OPT_LOG_LEVEL: set_log_level(optarg); break;
    case OPT_VERSION:
        printf("sockerless-gcp-simulator %s\n", PACKAGE_VERSION);
        exit(0);
    case OPT_HELP:
        fputs(help, stdout);
        exit(0);
    default: exit(2);
    }
}

/* Beside this program (the build tree, or one bin directory), else where it is installed. */
static const char *find_agent(void)
{
    static char path[4096];
    const char *env = getenv("SOCKERLESS_AGENT");
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
    char *slash;

    if (!str_empty(env))
        return env;
    if (n > 0) {
        path[n] = '\0';
        slash = strrchr(path, '/');
        memcpy(slash + 1, "sockerless-agent", sizeof("sockerless-agent"));
        if (access(path, X_OK) == 0)
            return path;
    }
    return SKL_PKGLIBEXECDIR "/sockerless-agent";
}

void sim_options_parse(struct sim_options *o, int argc, char **argv)
{
    int opt;

    memset(o, 0, sizeof(*o));
    o->listen = "127.0.0.1:8811";
    while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        take(o, opt);
    if (optind < argc)
        usage_error("unexpected argument", argv[optind]);
    if (o->images_dir == NULL)
        o->images_dir = sim_default_images_dir();
    if (o->agent == NULL)
        o->agent = find_agent();
    if (o->state_dir == NULL) {
        const char *tmp = getenv("TMPDIR");
        o->state_dir = fs_join(str_empty(tmp) ? "/tmp" : tmp, "sockerless-gcp-simulator-XXXXXX");
        if (mkdtemp(o->state_dir) == NULL)
            usage_error("making a state directory", o->state_dir);
        o->own_state_dir = true;
    }
}
