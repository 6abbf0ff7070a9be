/*
 * agent/spec.c - what a request says of a process, with what it leaves out filled in.
 *
 * The main process: request, then SOCKERLESS_PROCESS, then the image's own configuration (AGENT_IMAGE_FILE), then the
 * agent's. An exec: request, then the main process. Environment is merged in the reverse of that order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"
#include "base/mem.h"
#include "base/signame.h"
#include "base/str.h"
#include "json/json.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ENV_MAX 65536
#define CODE_FAILED 128
#define CODE_NOT_FOUND 127

/* ---- environment ---- */

static size_t name_len(const char *kv)
{
    return strcspn(kv, "=");
}

static size_t strv_len(char **v)
{
    size_t n = 0;

    while (v != NULL && v[n] != NULL)
        n++;
    return n;
}

static void strv_free(char **v)
{
    for (size_t i = 0; v != NULL && v[i] != NULL; i++)
        free(v[i]);
    free(v);
}

/* Sets, replaces, or (a bare name) removes. */
static void env_set(char ***env, const char *kv)
{
    size_t len = name_len(kv), n = strv_len(*env), i = 0;

    while (i < n && !(name_len((*env)[i]) == len && strncmp((*env)[i], kv, len) == 0))
        i++;
    if (kv[len] != '=') {
        if (i == n)
            return;
        free((*env)[i]);
        memmove(&(*env)[i], &(*env)[i + 1], (n - i) * sizeof(**env));
        return;
    }
    if (i < n) {
        free((*env)[i]);
        (*env)[i] = xstrdup(kv);
        return;
    }
    *env = xrealloc(*env, (n + 2) * sizeof(**env));
    (*env)[n] = xstrdup(kv);
    (*env)[n + 1] = NULL;
}

static bool env_has(char **env, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; env != NULL && env[i] != NULL; i++)
        if (name_len(env[i]) == len && strncmp(env[i], name, len) == 0)
            return true;
    return false;
}

static void env_set_all(char ***env, char **more)
{
    for (size_t i = 0; more != NULL && more[i] != NULL; i++)
        env_set(env, more[i]);
}

static int env_set_json(char ***env, struct json_object *o, const char *path, struct skl_error *err)
{
    char **more = NULL;
    size_t n = 0;

    if (json_get_strings(o, path, &more, &n, err) < 0)
        return -1;
    if (n > ENV_MAX) {
        free(more);
        return error_set(err, SKL_ERR_INVALID, "more than %d environment variables", ENV_MAX);
    }
    env_set_all(env, more);
    free(more);
    return 0;
}

static void env_default(char ***env, const char *name, const char *value)
{
    CLEANUP(free_p) char *kv = xasprintf("%s=%s", name, value);

    if (!env_has(*env, name))
        env_set(env, kv);
}

/* ---- the parts ---- */

struct sources {
    struct json_object *body, *base, *image;
    const struct agent_config *cfg;
    const struct process_spec *of;
};

static char **strv_dup(char **v)
{
    char **out = xcalloc(strv_len(v) + 1, sizeof(*out));

    for (size_t i = 0; v != NULL && v[i] != NULL; i++)
        out[i] = xstrdup(v[i]);
    return out;
}

static int get_argv(char ***ret, struct json_object *o, const char *path, struct skl_error *err)
{
    char **v = NULL;
    size_t n = 0;

    if (json_get_strings(o, path, &v, &n, err) < 0)
        return -1;
    if (n > 0) {
        strv_free(*ret);
        *ret = strv_dup(v);
    }
    free(v);
    return 0;
}

/* The image's own command: Entrypoint and Cmd together. */
static int image_argv(char ***ret, struct json_object *image, struct skl_error *err)
{
    char **entry = NULL, **cmd = NULL;
    size_t n = 0, m = 0;

    if (json_get_strings(image, "Entrypoint", &entry, &n, err) < 0 || json_get_strings(image, "Cmd", &cmd, &m, err) < 0) {
        free(entry);
        return -1;
    }
    *ret = xcalloc(n + m + 1, sizeof(**ret));
    for (size_t i = 0; i < n; i++)
        (*ret)[i] = xstrdup(entry[i]);
    for (size_t i = 0; i < m; i++)
        (*ret)[n + i] = xstrdup(cmd[i]);
    free(entry);
    free(cmd);
    return 0;
}

static int take_argv(struct process_spec *s, const struct sources *f, int *ret_code, struct skl_error *err)
{
    if (get_argv(&s->argv, f->base, "argv", err) < 0 || get_argv(&s->argv, f->body, "argv", err) < 0)
        return -1;
    if (strv_len(s->argv) == 0 && f->of == NULL) {
        strv_free(s->argv);
        if (image_argv(&s->argv, f->image, err) < 0)
            return -1;
    }
    if (strv_len(s->argv) == 0) {
        *ret_code = CODE_NOT_FOUND;
        return error_set(err, SKL_ERR_INVALID, "no command specified");
    }
    return 0;
}

static const char *first_text(const struct sources *f, const char *name, const char *image_name)
{
    struct json_object *in[] = {f->body, f->of == NULL ? f->base : NULL};
    const char *v = NULL;

    for (size_t i = 0; i < ARRAY_LEN(in); i++)
        if (in[i] != NULL && !str_empty(v = json_string_or(json_member(in[i], name), "")))
            return v;
    if (f->of == NULL && image_name != NULL && f->image != NULL)
        return json_string_or(json_member(f->image, image_name), "");
    return "";
}

static int take_env(struct process_spec *s, const struct sources *f, struct skl_error *err)
{
    bool clear = false;

    if (json_get_bool(f->body, "env_clear", &clear, err) < 0)
        return -1;
    s->env = xcalloc(1, sizeof(*s->env));
    if (!clear) {
        env_set_all(&s->env, f->of != NULL ? f->of->env : f->cfg->env);
        if (f->of != NULL && f->of->home_made && first_text(f, "user", NULL)[0] != '\0')
            env_set(&s->env, "HOME"); /* the main process's user's */
        if (f->of == NULL && (env_set_json(&s->env, f->image, "Env", err) < 0 || env_set_json(&s->env, f->base, "env", err) < 0))
            return -1;
    }
    return env_set_json(&s->env, f->body, "env", err);
}

static int take_groups(struct process_spec *s, const struct sources *f, struct skl_error *err)
{
    char **names = NULL;
    size_t n = 0;
    int rc = json_get_strings(f->body, "groups", &names, &n, err);

    for (size_t i = 0; rc >= 0 && i < n; i++) {
        gid_t gid;
        if (group_find(names[i], &gid, err) < 0) {
            rc = -1;
            break;
        }
        s->groups = xrealloc(s->groups, (s->n_groups + 1) * sizeof(*s->groups));
        s->groups[s->n_groups++] = gid;
    }
    free(names);
    return rc < 0 ? -1 : 0;
}

static int take_user(struct process_spec *s, const struct sources *f, struct skl_error *err)
{
    const char *name = first_text(f, "user", "User");
    struct user u;

    if (f->of != NULL && name[0] == '\0') {
        s->uid = f->of->uid;
        s->gid = f->of->gid;
        s->n_groups = f->of->n_groups;
        s->groups = xmemdup(f->of->groups, f->of->n_groups * sizeof(*s->groups));
        return 0;
    }
    if (name[0] == '\0' && geteuid() != 0) { /* whoever we are */
        s->uid = geteuid();
        s->gid = getegid();
        return 0;
    }
    if (user_find(name, &u, err) < 0)
        return -1;
    s->uid = u.uid;
    s->gid = u.gid;
    s->groups = STEAL(u.groups);
    s->n_groups = u.n_groups;
    /* As in Docker, HOME follows the user unless it was set on purpose. */
    s->home_made = !env_has(s->env, "HOME");
    env_default(&s->env, "HOME", u.home);
    user_fini(&u);
    return take_groups(s, f, err);
}

static int take_flags(struct process_spec *s, const struct sources *f, struct skl_error *err)
{
    struct json_object *o = f->body;
    int64_t umask_value = -1, oom = INT32_MIN, stop = 15;
    bool privileged = false;

    if (f->of == NULL && (json_get_bool(f->base, "tty", &s->tty, err) < 0 ||
                          json_get_bool(f->base, "open_stdin", &s->open_stdin, err) < 0))
        return -1;
    if (json_get_bool(o, "tty", &s->tty, err) < 0 || json_get_bool(o, "open_stdin", &s->open_stdin, err) < 0 ||
        json_get_bool(o, "discard_output", &s->discard_output, err) < 0 ||
        json_get_bool(o, "no_new_privileges", &s->no_new_privileges, err) < 0 ||
        json_get_bool(o, "privileged", &privileged, err) < 0 || json_get_i64(o, "run", &s->run, err) < 0 ||
        json_get_i64_range(o, "umask", 0, 0777, &umask_value, err) < 0 ||
        json_get_i64_range(o, "stop_signal", 0, 64, &stop, err) < 0 ||
        json_get_i64_range(o, "oom_score_adj", -1000, 1000, &oom, err) < 0 ||
        json_get_array(o, "rlimits", &s->rlimits, err) < 0)
        return -1;
    s->umask = (int)umask_value;
    s->oom_score_adj = (int)oom;
    s->stop_signal = stop > 0 ? (int)stop : 15;
    if (privileged)
        return error_set(err, SKL_ERR_UNIMPLEMENTED,
                         "privileged processes: a function's instance has no more privileges to give");
    return 0;
}

static int take_size(struct process_spec *s, const struct sources *f, struct skl_error *err)
{
    struct json_object *size = NULL;

    s->rows = 24;
    s->cols = 80;
    if (json_get_array(f->body, "size", &size, err) < 0)
        return -1;
    if (size == NULL)
        return 0;
    if (json_object_array_length(size) != 2)
        return error_set(err, SKL_ERR_INVALID, "size is not [rows, columns]");
    s->rows = (unsigned)json_object_get_int(json_object_array_get_idx(size, 0)) & 0xffff;
    s->cols = (unsigned)json_object_get_int(json_object_array_get_idx(size, 1)) & 0xffff;
    return 0;
}

static void take_cwd(struct process_spec *s, const struct sources *f)
{
    const char *cwd = first_text(f, "cwd", "WorkingDir");

    s->make_cwd = f->of == NULL;
    if (cwd[0] != '\0')
        s->cwd = xstrdup(cwd);
    else if (f->of != NULL)
        s->cwd = xstrdup(f->of->cwd);
    if (s->cwd == NULL)
        s->cwd = xstrdup("/");
}

static void default_env(struct process_spec *s, const struct sources *f)
{
    char host[HOST_NAME_MAX + 1] = "";

    if (!env_has(s->env, "PATH"))
        env_set(&s->env, DEFAULT_PATH);
    s->hostname = xstrdup(first_text(f, "hostname", NULL));
    if (s->hostname[0] != '\0') {
        env_default(&s->env, "HOSTNAME", s->hostname);
    } else if (gethostname(host, sizeof(host) - 1) == 0) {
        env_default(&s->env, "HOSTNAME", host);
    }
    if (s->tty)
        env_default(&s->env, "TERM", "xterm");
    env_default(&s->env, "HOME", "/");
}

/* Strings of one block: free() is enough. */
static int take_paths(const char *name, char ***ret, const struct sources *f, struct skl_error *err)
{
    size_t n = 0;

    if (json_get_strings(f->body, name, ret, &n, err) < 0 || (*ret == NULL && json_get_strings(f->base, name, ret, &n, err) < 0))
        return -1;
    for (size_t i = 0; i < n; i++)
        if ((*ret)[i][0] != '/')
            return error_set(err, SKL_ERR_INVALID, "%s: \"%s\" is not absolute", name, (*ret)[i]);
    return 0;
}

static int take_dirs(struct process_spec *s, const struct sources *f, struct skl_error *err)
{
    if (f->of != NULL)
        return 0;
    return take_paths("dirs", &s->dirs, f, err) < 0 ? -1 : take_paths("scratch", &s->scratch, f, err);
}

int spec_parse(struct process_spec *s, const struct agent_config *cfg, struct json_object *body, struct json_object *base,
               const struct process_spec *of, int *ret_code, struct skl_error *err)
{
    struct sources f = {.body = body, .base = base, .image = cfg->image_config, .cfg = cfg, .of = of};

    memset(s, 0, sizeof(*s));
    *ret_code = CODE_FAILED;
    if (take_flags(s, &f, err) < 0 || take_argv(s, &f, ret_code, err) < 0 || take_env(s, &f, err) < 0 ||
        take_user(s, &f, err) < 0 || take_size(s, &f, err) < 0 || take_dirs(s, &f, err) < 0) {
        spec_fini(s);
        return -1;
    }
    take_cwd(s, &f);
    default_env(s, &f);
    *ret_code = 0;
    return 0;
}

void spec_fini(struct process_spec *s)
{
    strv_free(s->argv);
    strv_free(s->env);
    free(s->cwd);
    free(s->groups);
    free(s->hostname);
    free(s->dirs);
    free(s->scratch);
    memset(s, 0, sizeof(*s));
}
