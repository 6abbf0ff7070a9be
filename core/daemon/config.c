/*
 * daemon/config.c - the table of keys and the readers of file, environment and flags: see config.h.
 *
 * A value is text (environment, flag) or JSON (file). Both end in the setters below, which check it against the key's
 * type and choices; the readers add where it came from to the error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "daemon/config.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

enum config_type { TYPE_STRING, TYPE_ADDRESS, TYPE_BOOL, TYPE_DURATION, TYPE_SIZE, TYPE_STRINGS, TYPE_CHOICE };

struct config_key {
    const char *path; /* in the file; "agent.listen" is a member of "agent" */
    const char *flag;
    char short_flag;
    const char *env;
    enum config_type type;
    size_t offset;
    const char *def;     /* as text; NULL: worked out at start (paths) */
    const char *choices; /* "a|b" */
    bool reloadable;
    const char *arg; /* for --help */
    const char *help;
};

#define AT(member) offsetof(struct config, member)

static const struct config_key keys[] = {
    {"hosts", "host", 'H', "SOCKERLESS_HOST", TYPE_STRINGS, AT(hosts), "", NULL, false, "URL",
     "listen here: unix:///path, tcp://addr:port, fd:// (may be repeated)"},
    {"driver", "driver", 0, "SOCKERLESS_DRIVER", TYPE_STRING, AT(driver), "cloud-run-functions", NULL, false, "NAME",
     "the driver that runs containers by default"},
    {"driver-dir", "driver-dir", 0, "SOCKERLESS_DRIVER_DIR", TYPE_STRING, AT(driver_dir), SKL_DRIVERDIR, NULL, false,
     "DIR", "where drivers (NAME.so) are"},
    {"driver-timeout", "driver-timeout", 0, NULL, TYPE_DURATION, AT(driver_timeout), "30m", NULL, false, "TIME",
     "no operation of a driver may take longer"},
    {"state-dir", "state-dir", 0, "SOCKERLESS_STATE_DIR", TYPE_STRING, AT(state_dir), NULL, NULL, false, "DIR",
     "where the daemon keeps its state"},
    {"log-level", "log-level", 'l', "SOCKERLESS_LOG_LEVEL", TYPE_CHOICE, AT(log_level), "info",
     "error|warn|info|debug", true, "LEVEL", "error, warn, info or debug"},
    {"simulator", "simulator", 0, "SOCKERLESS_SIMULATOR", TYPE_BOOL, AT(simulator), "false", NULL, false, NULL,
     "start sockerless-gcp-simulator and use it as the cloud"},
    {"simulator-images", "simulator-images", 0, "SOCKERLESS_SIMULATOR_IMAGES", TYPE_STRING, AT(simulator_images), "",
     NULL, false, "DIR", "the simulator's image store"},
    {"group", "group", 'G', NULL, TYPE_STRING, AT(group), "docker", NULL, false, "NAME",
     "group of unix sockets, if it exists"},
    {"pidfile", "pidfile", 'p', NULL, TYPE_STRING, AT(pidfile), "", NULL, false, "FILE", "write the process ID here"},
    {"ip", "ip", 0, NULL, TYPE_ADDRESS, AT(ip), "0.0.0.0", NULL, false, "ADDR", "where published ports listen that name no address"},
    {"tls", "tls", 0, NULL, TYPE_BOOL, AT(tls), "false", NULL, false, NULL, "use TLS on tcp:// hosts"},
    {"tlsverify", "tlsverify", 0, NULL, TYPE_BOOL, AT(tlsverify), "false", NULL, false, NULL,
     "use TLS and demand a client certificate"},
    {"tlscacert", "tlscacert", 0, NULL, TYPE_STRING, AT(tlscacert), NULL, NULL, false, "FILE",
     "trust client certificates signed by this CA"},
    {"tlscert", "tlscert", 0, NULL, TYPE_STRING, AT(tlscert), NULL, NULL, false, "FILE", "the server's certificate"},
    {"tlskey", "tlskey", 0, NULL, TYPE_STRING, AT(tlskey), NULL, NULL, false, "FILE", "the server's key"},
    {"insecure-tcp", "insecure-tcp", 0, NULL, TYPE_BOOL, AT(insecure_tcp), "false", NULL, false, NULL,
     "allow tcp:// beyond loopback without --tlsverify"},
    {"agent.listen", "agent-listen", 0, "SOCKERLESS_AGENT_LISTEN", TYPE_STRING, AT(agent_listen),
     "tcp://127.0.0.1:3376", NULL, false, "URL", "where agents reach the daemon (behind callback-url)"},
    {"agent.callback-url", "callback-url", 0, "SOCKERLESS_CALLBACK_URL", TYPE_STRING, AT(callback_url), "", NULL, false,
     "URL", "what agents dial from inside a function; unset: no agents"},
    {"agent.connect-timeout", "agent-connect-timeout", 0, NULL, TYPE_DURATION, AT(connect_timeout), "60s", NULL, false,
     "TIME", "how long a start waits for the agent"},
    {"agent.capture-paths", "agent-capture-path", 0, NULL, TYPE_STRINGS, AT(capture_paths), ".", NULL, false, "PATH",
     "keep this of an exited container's files; relative: to its working directory (may be repeated)"},
    {"agent.capture-limit", "agent-capture-limit", 0, NULL, TYPE_SIZE, AT(capture_limit), "256m", NULL, false, "SIZE",
     "keep no more than that of a container"},
    {"agent.volume-limit", "agent-volume-limit", 0, NULL, TYPE_SIZE, AT(volume_limit), "1g", NULL, false, "SIZE",
     "keep no more than that of a volume"},
    {"agent.ca-file", "agent-ca-file", 0, NULL, TYPE_STRING, AT(agent_ca_file), "", NULL, false, "FILE",
     "agents trust this CA for an https callback URL, instead of those of their image"},
    {"agent.tls-cert", "agent-tls-cert", 0, NULL, TYPE_STRING, AT(agent_tls_cert), "", NULL, false, "FILE",
     "TLS certificate of the agents' listener"},
    {"agent.tls-key", "agent-tls-key", 0, NULL, TYPE_STRING, AT(agent_tls_key), "", NULL, false, "FILE",
     "TLS key of the agents' listener"},
    {"prune-orphans", "prune-orphans", 0, NULL, TYPE_BOOL, AT(prune_orphans), "false", NULL, false, NULL,
     "delete resources in the cloud that carry this daemon's label and that it does not know"},
    {"images.resolve", "images-resolve", 0, NULL, TYPE_CHOICE, AT(resolve), "synthetic", "synthetic|registry", false,
     "HOW", "synthetic: a pull makes the image up; registry: it asks the registry"},
    {"images.registry-mirrors", "registry-mirror", 0, NULL, TYPE_STRINGS, AT(mirrors), "", NULL, false, "URL",
     "ask this first for Docker Hub images (may be repeated)"},
    {"images.insecure-registries", "insecure-registry", 0, NULL, TYPE_STRINGS, AT(insecure_registries), "", NULL,
     false, "HOST", "plain HTTP or an unknown certificate is fine here (may be repeated)"},
    {"exec.synthetic", "exec-synthetic", 0, NULL, TYPE_CHOICE, AT(synthetic_exec), "refuse", "refuse|echo", false,
     "HOW", "what an exec does in a container without an agent"},
};
#define N_KEYS ARRAY_LEN(keys)
_Static_assert(N_KEYS <= CONFIG_KEYS_MAX, "struct config: source[] is too small");

/* ---- values ---- */
static void *slot(struct config *c, const struct config_key *k)
{
    return (char *)c + k->offset;
}

static void free_strings(char **list)
{
    for (char **s = list; s != NULL && *s != NULL; s++)
        free(*s);
    free(list);
}

static void set_string(struct config *c, const struct config_key *k, const char *v)
{
    char **p = slot(c, k);

    free(*p);
    *p = xstrdup(v);
}

static bool is_choice(const char *choices, const char *v)
{
    size_t n = strlen(v);

    for (const char *at = choices; n > 0 && (at = strstr(at, v)) != NULL; at += n)
        if ((at == choices || at[-1] == '|') && (at[n] == '|' || at[n] == '\0'))
            return true;
    return false;
}

static void clear_strings(struct config *c, const struct config_key *k)
{
    char ***p = slot(c, k);

    free_strings(*p);
    *p = xcalloc(1, sizeof(**p));
}

static int add_string(struct config *c, const struct config_key *k, const char *v, struct skl_error *err)
{
    char ***p = slot(c, k);
    size_t n = 0;

    while ((*p)[n] != NULL)
        n++;
    if (n >= CONFIG_LIST_MAX)
        return error_set(err, SKL_ERR_INVALID, "more than %u values", CONFIG_LIST_MAX);
    *p = xrealloc(*p, (n + 2) * sizeof(**p));
    (*p)[n] = xstrdup(v);
    (*p)[n + 1] = NULL;
    return 0;
}

static int parse_bool(const char *v, bool *ret)
{
    bool yes = str_ieq(v, "true") || str_eq(v, "1") || str_ieq(v, "yes");

    if (!yes && !str_ieq(v, "false") && !str_eq(v, "0") && !str_ieq(v, "no"))
        return -1;
    *ret = yes;
    return 0;
}

/* A value given as text. For a list it is one more element. */
static int set_text(struct config *c, const struct config_key *k, const char *v, struct skl_error *err)
{
    unsigned char address[sizeof(struct in6_addr)];

    switch (k->type) {
    case TYPE_BOOL:
        if (parse_bool(v, slot(c, k)) < 0)
            return error_set(err, SKL_ERR_INVALID, "\"%s\" is neither true nor false", v);
        return 0;
    case TYPE_DURATION:
        if (!duration_parse(v, slot(c, k)) || *(int64_t *)slot(c, k) <= 0)
            return error_set(err, SKL_ERR_INVALID, "\"%s\" is not a duration such as 60s or 2m", v);
        return 0;
    case TYPE_SIZE:
        if (!str_to_size(v, slot(c, k)))
            return error_set(err, SKL_ERR_INVALID, "\"%s\" is not a size such as 100k, 64m or 1g", v);
        return 0;
    case TYPE_STRINGS:
        return add_string(c, k, v, err);
    case TYPE_CHOICE:
        if (!is_choice(k->choices, v))
            return error_set(err, SKL_ERR_INVALID, "\"%s\" is not one of %s", v, k->choices);
        break;
    case TYPE_ADDRESS:
        if (inet_pton(AF_INET, v, address) != 1 && inet_pton(AF_INET6, v, address) != 1)
            return error_set(err, SKL_ERR_INVALID, "\"%s\" is not an IP address", v);
        break;
    case TYPE_STRING:
        break;
    }
    set_string(c, k, v);
    return 0;
}

/* Several values in one variable are separated by commas. */
static int set_list_text(struct config *c, const struct config_key *k, const char *v, struct skl_error *err)
{
    size_t n;
    CLEANUP(free_p) char **parts = str_split(v, ',', &n);

    clear_strings(c, k);
    for (size_t i = 0; i < n; i++)
        if (add_string(c, k, parts[i], err) < 0)
            return -1;
    return 0;
}

/* ---- defaults ---- */
static const char *config_env(const char *name)
{
    return getenv(name);
}

/* A directory of the user's own: $VAR/sockerless, or $HOME/rest/sockerless. */
static char *user_dir(const char *(*env)(const char *), const char *var, const char *rest)
{
    const char *base = env(var), *home = env("HOME");

    if (!str_empty(base))
        return xasprintf("%s/sockerless", base);
    return xasprintf("%s/%s/sockerless", home != NULL ? home : "", rest);
}

static char *default_state_dir(const char *(*env)(const char *))
{
    if (geteuid() == 0)
        return xstrdup(SKL_LOCALSTATEDIR "/lib/sockerless");
    return user_dir(env, "XDG_DATA_HOME", ".local/share");
}

static char *default_tls_file(const char *(*env)(const char *), const char *name)
{
    const char *dir = env("DOCKER_CERT_PATH"), *home = env("HOME");

    if (!str_empty(dir))
        return fs_join(dir, name);
    return xasprintf("%s/.docker/%s", home != NULL ? home : "", name);
}

static void init_defaults(struct config *c, const char *(*env)(const char *))
{
    *c = (struct config){0};
    for (size_t i = 0; i < N_KEYS; i++) {
        if (keys[i].type == TYPE_STRINGS)
            clear_strings(c, &keys[i]);
        if (keys[i].def != NULL && (keys[i].type != TYPE_STRINGS || keys[i].def[0] != '\0'))
            set_text(c, &keys[i], keys[i].def, NULL);
    }
    c->state_dir = default_state_dir(env);
    c->tlscacert = default_tls_file(env, "ca.pem");
    c->tlscert = default_tls_file(env, "cert.pem");
    c->tlskey = default_tls_file(env, "key.pem");
}

void config_init_defaults(struct config *c)
{
    init_defaults(c, config_env);
}

void config_fini(struct config *c)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        if (keys[i].type == TYPE_STRINGS)
            free_strings(*(char ***)slot(c, &keys[i]));
        else if (keys[i].type == TYPE_STRING || keys[i].type == TYPE_ADDRESS || keys[i].type == TYPE_CHOICE)
            free(*(char **)slot(c, &keys[i]));
    }
    json_put_p(&c->drivers);
    free(c->file);
    *c = (struct config){0};
}

/* ---- the file ---- */
static const struct config_key *find_path(const char *path)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (strcmp(keys[i].path, path) == 0)
            return &keys[i];
    return NULL;
}

static bool is_section(const char *path)
{
    size_t n = strlen(path);

    for (size_t i = 0; i < N_KEYS; i++)
        if (strncmp(keys[i].path, path, n) == 0 && keys[i].path[n] == '.')
            return true;
    return false;
}

static int wrong_type(struct json_object *v, const char *wanted, struct skl_error *err)
{
    return error_set(err, SKL_ERR_INVALID, "must be %s, not %s", wanted, json_type_text(v));
}

static int set_json_strings(struct config *c, const struct config_key *k, struct json_object *v, struct skl_error *err)
{
    if (!json_object_is_type(v, json_type_array))
        return wrong_type(v, "an array of strings", err);
    clear_strings(c, k);
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        struct json_object *e = json_object_array_get_idx(v, i);
        if (!json_object_is_type(e, json_type_string))
            return wrong_type(e, "an array of strings", err);
        if (add_string(c, k, json_object_get_string(e), err) < 0)
            return -1;
    }
    return 0;
}

static int set_json_duration(struct config *c, const struct config_key *k, struct json_object *v, struct skl_error *err)
{
    char text[32];

    if (!json_object_is_type(v, json_type_int))
        return json_object_is_type(v, json_type_string) ? set_text(c, k, json_object_get_string(v), err)
                                                        : wrong_type(v, "a duration such as \"60s\"", err);
    snprintf(text, sizeof(text), "%llds", (long long)json_object_get_int64(v));
    return set_text(c, k, text, err);
}

static int set_json(struct config *c, const struct config_key *k, struct json_object *v, struct skl_error *err)
{
    if (k->type == TYPE_STRINGS)
        return set_json_strings(c, k, v, err);
    if (k->type == TYPE_DURATION)
        return set_json_duration(c, k, v, err);
    if (k->type == TYPE_SIZE && json_object_is_type(v, json_type_int))
        return set_text(c, k, json_object_get_string(v), err);
    if (k->type == TYPE_BOOL) {
        if (!json_object_is_type(v, json_type_boolean))
            return wrong_type(v, "true or false", err);
        *(bool *)slot(c, k) = json_object_get_boolean(v);
        return 0;
    }
    if (!json_object_is_type(v, json_type_string))
        return wrong_type(v, "a string", err);
    if (strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v))
        return error_set(err, SKL_ERR_INVALID, "holds a NUL character");
    return set_text(c, k, json_object_get_string(v), err);
}

static int read_drivers(struct config *c, struct json_object *v, struct skl_error *err)
{
    if (!json_object_is_type(v, json_type_object))
        return wrong_type(v, "an object", err);
    json_object_object_foreach(v, name, options)
    {
        if (!json_object_is_type(options, json_type_object))
            return error_set(err, SKL_ERR_INVALID, "member \"%s\" must be an object, not %s", name,
                             json_type_text(options));
    }
    json_put_p(&c->drivers);
    c->drivers = json_object_get(v);
    return 0;
}

static int read_object(struct config *c, const char *file, const char *prefix, struct json_object *obj,
                       struct skl_error *err);

static int read_member(struct config *c, const char *file, const char *path, struct json_object *v,
                       struct skl_error *err)
{
    const struct config_key *k = find_path(path);

    if (is_section(path)) {
        if (json_object_is_type(v, json_type_object))
            return read_object(c, file, path, v, err);
        return error_set(err, SKL_ERR_INVALID, "%s: \"%s\" must be an object, not %s", file, path, json_type_text(v));
    }
    if (strcmp(path, "drivers") == 0) {
        if (read_drivers(c, v, err) < 0)
            return error_prefix(err, "%s: \"drivers\"", file);
        return 0;
    }
    if (k == NULL)
        return error_set(err, SKL_ERR_INVALID, "%s: unknown key \"%s\"", file, path);
    if (set_json(c, k, v, err) < 0)
        return error_prefix(err, "%s: \"%s\"", file, path);
    c->source[k - keys] = CONFIG_FROM_FILE;
    return 0;
}

static int read_object(struct config *c, const char *file, const char *prefix, struct json_object *obj,
                       struct skl_error *err)
{
    json_object_object_foreach(obj, name, v)
    {
        CLEANUP(free_p) char *path = prefix != NULL ? xasprintf("%s.%s", prefix, name) : xstrdup(name);
        if (read_member(c, file, path, v, err) < 0)
            return -1;
    }
    return 0;
}

int config_read_text(struct config *c, const char *file, const char *text, size_t n, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *top = NULL;

    top = json_parse(text, n, CONFIG_FILE_MAX, JSON_COMMENTS | JSON_WANT_OBJECT, NULL, err);
    if (top == NULL)
        return error_prefix(err, "%s", file);
    return read_object(c, file, NULL, top, err);
}

static char *default_file(const char *(*env)(const char *))
{
    if (geteuid() == 0 || access(SKL_SYSCONFDIR "/sockerless/sockerless.json", R_OK) == 0)
        return xstrdup(SKL_SYSCONFDIR "/sockerless/sockerless.json");
    CLEANUP(free_p) char *dir = user_dir(env, "XDG_CONFIG_HOME", ".config");
    return fs_join(dir, "sockerless.json");
}

static int read_file(struct config *c, const char *wanted, const char *(*env)(const char *), struct skl_error *err)
{
    CLEANUP(free_p) char *file = wanted != NULL ? xstrdup(wanted) : default_file(env);
    struct skl_error why = {0};
    struct buf text;
    int rc;

    buf_init(&text, CONFIG_FILE_MAX);
    rc = fs_read_file(file, &text, &why);
    if (rc < 0) {
        buf_fini(&text);
        if (wanted == NULL && why.detail == ENOENT)
            return 0;
        error_copy(err, &why);
        return -1;
    }
    rc = config_read_text(c, file, buf_str(&text), text.len, err);
    c->file = STEAL(file);
    buf_fini(&text);
    return rc;
}

/* ---- environment and flags ---- */
static int read_env(struct config *c, const char *(*env)(const char *), struct skl_error *err)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        const char *v = keys[i].env != NULL ? env(keys[i].env) : NULL;
        if (str_empty(v))
            continue;
        if ((keys[i].type == TYPE_STRINGS ? set_list_text : set_text)(c, &keys[i], v, err) < 0)
            return error_prefix(err, "environment variable %s", keys[i].env);
        c->source[i] = CONFIG_FROM_ENV;
    }
    return 0;
}

static int read_flags(struct config *c, const struct config_args *args, struct skl_error *err)
{
    for (size_t i = 0; i < args->n_flags; i++) {
        const struct config_key *k = &keys[args->flags[i].key];
        const char *v = args->flags[i].value;

        if (k->type == TYPE_STRINGS && c->source[k - keys] != CONFIG_FROM_FLAG)
            clear_strings(c, k);
        if (set_text(c, k, v != NULL ? v : "true", err) < 0)
            return error_prefix(err, "flag --%s", k->flag);
        c->source[k - keys] = CONFIG_FROM_FLAG;
    }
    return 0;
}

int config_load(struct config *ret, const struct config_args *args, const char *(*env)(const char *name),
                struct skl_error *err)
{
    const char *file = args->config_file != NULL ? args->config_file : env("SOCKERLESS_CONFIG");

    init_defaults(ret, env);
    if (read_file(ret, str_empty(file) ? NULL : file, env, err) < 0 || read_env(ret, env, err) < 0)
        return -1;
    return read_flags(ret, args, err);
}

enum config_source config_source_of(const struct config *c, const char *path)
{
    const struct config_key *k = find_path(path);

    return k != NULL ? (enum config_source)c->source[k - keys] : CONFIG_FROM_DEFAULT;
}

/* ---- argv ---- */
enum { OPT_CONFIG = 256, OPT_VALIDATE, OPT_LIST_DRIVERS, OPT_HELP_DRIVER, OPT_KEY = 512 };

#define N_MODE_OPTIONS 8
static void fill_options(struct option *o, char *short_opts)
{
    static const struct option modes[N_MODE_OPTIONS] = {
        {"config", required_argument, NULL, OPT_CONFIG},
        {"config-file", required_argument, NULL, OPT_CONFIG},
        {"validate", no_argument, NULL, OPT_VALIDATE},
        {"list-drivers", no_argument, NULL, OPT_LIST_DRIVERS},
        {"help-driver", required_argument, NULL, OPT_HELP_DRIVER},
        {"debug", no_argument, NULL, 'D'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
    };

    memcpy(o, modes, sizeof(modes));
    o += N_MODE_OPTIONS;
    memcpy(short_opts, ":Dhv", 5);
    short_opts += 4;
    for (size_t i = 0; i < N_KEYS; i++) {
        *o++ = (struct option){keys[i].flag, keys[i].type == TYPE_BOOL ? optional_argument : required_argument, NULL,
                               OPT_KEY + (int)i};
        if (keys[i].short_flag != 0) {
            *short_opts++ = keys[i].short_flag;
            *short_opts++ = ':';
        }
    }
    *short_opts = '\0';
    *o = (struct option){0};
}

static int add_flag(struct config_args *a, size_t key, const char *value, struct skl_error *err)
{
    if (a->n_flags >= ARRAY_LEN(a->flags))
        return error_set(err, SKL_ERR_INVALID, "too many flags");
    a->flags[a->n_flags].key = (uint8_t)key;
    a->flags[a->n_flags++].value = value;
    return 0;
}

static int add_short(struct config_args *a, int opt, const char *value, struct skl_error *err)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (keys[i].short_flag == opt)
            return add_flag(a, i, value, err);
    return error_set(err, SKL_ERR_INVALID, "unknown flag -%c", opt);
}

static int on_option(struct config_args *a, int opt, char **argv, struct skl_error *err)
{
    switch (opt) {
    case OPT_CONFIG:
        a->config_file = optarg;
        return 0;
    case OPT_VALIDATE:
        a->mode = CONFIG_VALIDATE;
        return 0;
    case OPT_LIST_DRIVERS:
        a->mode = CONFIG_LIST_DRIVERS;
        return 0;
    case OPT_HELP_DRIVER:
        a->mode = CONFIG_HELP_DRIVER;
        a->help_driver = optarg;
        return 0;
    case 'D':
        return add_flag(a, (size_t)(find_path("log-level") - keys), "debug", err);
    case 'h':
        a->mode = CONFIG_HELP;
        return 0;
    case 'v':
        a->mode = CONFIG_VERSION;
        return 0;
    case ':':
        return error_set(err, SKL_ERR_INVALID, "flag %s needs a value", argv[optind - 1]);
    case '?':
        return error_set(err, SKL_ERR_INVALID, "unknown flag %s", argv[optind - 1]);
    default:
        return opt >= OPT_KEY ? add_flag(a, (size_t)(opt - OPT_KEY), optarg, err) : add_short(a, opt, optarg, err);
    }
}

int config_args_parse(int argc, char **argv, struct config_args *ret, struct skl_error *err)
{
    struct option options[N_MODE_OPTIONS + N_KEYS + 1];
    char short_opts[8 + 2 * N_KEYS];
    int opt;

    *ret = (struct config_args){0};
    fill_options(options, short_opts);
    optind = 0;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, short_opts, options, NULL)) != -1)
        if (on_option(ret, opt, argv, err) < 0)
            return -1;
    if (optind < argc)
        return error_set(err, SKL_ERR_INVALID, "unexpected argument %s", argv[optind]);
    return 0;
}

/* ---- --help ---- */
static void print_key(FILE *out, const struct config_key *k)
{
    char left[64], short_text[8] = "    ";

    if (k->short_flag != 0)
        snprintf(short_text, sizeof(short_text), "-%c, ", k->short_flag);
    snprintf(left, sizeof(left), "%s--%s%s%s", short_text, k->flag, k->arg != NULL ? " " : "",
             k->arg != NULL ? k->arg : "");
    fprintf(out, "  %-34s %s", left, k->help);
    if (!str_empty(k->def) && k->type != TYPE_BOOL)
        fprintf(out, " [%s]", k->def);
    fputc('\n', out);
    if (k->env != NULL)
        fprintf(out, "  %-34s (environment: %s)\n", "", k->env);
}

void config_print_help(FILE *out)
{
    fputs("Usage: sockerlessd [FLAG]...\n"
          "Speaks the Docker Engine API and runs every container as a serverless function.\n\n"
          "  -h, --help                         print this\n"
          "  -v, --version                      print the version\n"
          "      --config FILE                  configuration [" SKL_SYSCONFDIR "/sockerless/sockerless.json]\n"
          "                                     (environment: SOCKERLESS_CONFIG)\n"
          "      --validate                     check the configuration and exit\n"
          "      --list-drivers                 list the drivers in the driver directory\n"
          "      --help-driver NAME             explain a driver's options\n"
          "  -D, --debug                        the same as --log-level debug\n",
          out);
    for (size_t i = 0; i < N_KEYS; i++)
        print_key(out, &keys[i]);
    fputs("\nEach flag but the first six has a key in the configuration file: sockerless.json(5).\n"
          "A flag wins over the environment, that over the file.\n",
          out);
}

/* ---- reload ---- */
static bool same_strings(char **a, char **b)
{
    for (; *a != NULL && *b != NULL; a++, b++)
        if (strcmp(*a, *b) != 0)
            return false;
    return *a == *b;
}

static bool same_value(struct config *a, struct config *b, const struct config_key *k)
{
    switch (k->type) {
    case TYPE_BOOL:
        return *(bool *)slot(a, k) == *(bool *)slot(b, k);
    case TYPE_DURATION:
    case TYPE_SIZE:
        return *(int64_t *)slot(a, k) == *(int64_t *)slot(b, k);
    case TYPE_STRINGS:
        return same_strings(*(char ***)slot(a, k), *(char ***)slot(b, k));
    case TYPE_STRING:
    case TYPE_ADDRESS:
    case TYPE_CHOICE:
        break;
    }
    return str_eq(*(char **)slot(a, k), *(char **)slot(b, k));
}

/* Only text keys are reloadable (the table's user checks that there are no others). */
void config_reload(struct config *c, struct config *fresh,
                   void (*changed)(void *arg, const char *path, bool applied), void *arg)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        if (same_value(c, fresh, &keys[i]))
            continue;
        if (keys[i].reloadable)
            set_string(c, &keys[i], *(char **)slot(fresh, &keys[i]));
        changed(arg, keys[i].path, keys[i].reloadable);
    }
    if (!json_equal(c->drivers, fresh->drivers))
        changed(arg, "drivers", false);
}
