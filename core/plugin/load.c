/*
 * plugin/load.c - from a path to a checked driver, from a driver to an instance.
 *
 * The order keeps foreign code out as long as possible: who can write the file, what it exports, and only then dlopen.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "json/json.h"
#include "plugin/elf.h"
#include "plugin/internal.h"
#include "plugin/trust.h"

#define KNOWN_CAPS                                                                                                   \
    (SKL_CAP_LIST | SKL_CAP_INSPECT | SKL_CAP_STOP | SKL_CAP_SIGNAL | SKL_CAP_PAUSE | SKL_CAP_AGENT_EXIT |            \
     SKL_CAP_AGENT_LOGS | SKL_CAP_START_STAGED | SKL_CAP_RESTART_RUN | SKL_CAP_AGENT)
#define TEXT_MAX 256

static bool name_ok(const char *name)
{
    size_t n = name != NULL ? strlen(name) : 0;

    return n > 0 && n <= PLUGIN_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* NAME, or an absolute path. Caller frees; NULL with err. */
char *driver_path(const struct plugin_host *host, const char *name_or_path, struct skl_error *err)
{
    if (name_or_path[0] == '/')
        return xstrdup(name_or_path);
    if (!name_ok(name_or_path)) {
        error_set(err, SKL_ERR_INVALID,
                  "driver %s: neither a driver's name ([a-z0-9-]) nor an absolute path", name_or_path);
        return NULL;
    }
    if (str_empty(host->driver_dir)) {
        error_set(err, SKL_ERR_NOT_FOUND, "driver %s: there is no driver directory", name_or_path);
        return NULL;
    }
    return xasprintf("%s/%s.so", host->driver_dir, name_or_path);
}

static int check_ops(const struct driver_file *f, struct skl_error *err)
{
    const struct skl_ops *o = &f->ops;
    const struct {
        const char *name;
        bool there, needed;
    } ops[] = {
        {"create", o->create != NULL, true},
        {"start", o->start != NULL, true},
        {"kill", o->kill != NULL, true},
        {"remove", o->remove != NULL, true},
        {"logs", o->logs != NULL, true},
        {"list", o->list != NULL, (f->driver.caps & SKL_CAP_LIST) != 0},
        {"inspect", o->inspect != NULL, (f->driver.caps & SKL_CAP_INSPECT) != 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (ops[i].needed && !ops[i].there)
            return error_set(err, SKL_ERR_UNAVAILABLE, "%s: the operation %s is missing", f->path, ops[i].name);
    return 0;
}

static int check_driver(struct driver_file *f, const char *expected_name, struct skl_error *err)
{
    const struct skl_driver *d = &f->driver;

    if (d->magic != SKL_DRIVER_MAGIC)
        return error_set(err, SKL_ERR_UNAVAILABLE, "%s: not a Sockerless driver (wrong magic number)", f->path);
    if (d->abi_major != SKL_ABI_MAJOR)
        return error_set(err, SKL_ERR_UNAVAILABLE, "%s: it was built for driver ABI %u.%u, this daemon has %u.%u",
                         f->path, d->abi_major, d->abi_minor, SKL_ABI_MAJOR, SKL_ABI_MINOR);
    if (!name_ok(d->name))
        return error_set(err, SKL_ERR_UNAVAILABLE, "%s: its name is not of [a-z0-9-], at most %d characters", f->path,
                         PLUGIN_NAME_MAX);
    if (expected_name != NULL && !str_eq(expected_name, d->name))
        return error_set(err, SKL_ERR_UNAVAILABLE, "%s: it calls itself %s, not %s", f->path, d->name, expected_name);
    if (d->version == NULL || !text_ok(d->version, TEXT_MAX) || d->description == NULL ||
        !text_ok(d->description, TEXT_MAX) || !text_ok(d->platform_name, TEXT_MAX))
        return error_set(err, SKL_ERR_UNAVAILABLE, "%s: version or description is missing or no text", f->path);
    if (d->open == NULL || d->close == NULL || d->ops == NULL)
        return error_set(err, SKL_ERR_UNAVAILABLE, "%s: open, close or the operations are missing", f->path);
    return 0;
}

static int take_driver(struct driver_file *f, const struct skl_driver *d, const char *expected_name,
                       struct skl_error *err)
{
    if (take_struct(&f->driver, sizeof f->driver, d, TAKE_MIN(struct skl_driver, platform_name)) < 0)
        return error_set(err, SKL_ERR_UNAVAILABLE, "%s: its skl_driver is %u bytes long, ABI 1.0 has at least %zu",
                         f->path, d->size, TAKE_MIN(struct skl_driver, platform_name));
    if (check_driver(f, expected_name, err) < 0)
        return -1;
    if (take_struct(&f->ops, sizeof f->ops, f->driver.ops, TAKE_MIN(struct skl_ops, inspect)) < 0)
        return error_set(err, SKL_ERR_UNAVAILABLE, "%s: its skl_ops is %u bytes long, ABI 1.0 has at least %zu",
                         f->path, f->driver.ops->size, TAKE_MIN(struct skl_ops, inspect));
    if (check_ops(f, err) < 0)
        return -1;
    if (options_check(&f->options, f->driver.options, err) < 0)
        return error_prefix(err, "%s", f->path);
    return 0;
}

static int call_entry(struct driver_file *f, void *lib, const char *expected_name, struct skl_error *err)
{
    struct skl_abi abi = {.size = sizeof abi, .major = SKL_ABI_MAJOR, .minor = SKL_ABI_MINOR};
    struct skl_error theirs = {0}, safe;
    skl_driver_entry_fn entry;
    const struct skl_driver *d;

    *(void **)&entry = dlsym(lib, SKL_DRIVER_ENTRY);
    if (entry == NULL)
        return error_set(err, SKL_ERR_UNAVAILABLE, "%s: it has no %s", f->path, SKL_DRIVER_ENTRY);
    d = entry(&abi, &theirs);
    if (d == NULL) {
        take_error(&safe, &theirs);
        return error_set(err, SKL_ERR_UNAVAILABLE, "%s: the driver declines: %s", f->path,
                         safe.message[0] != '\0' ? safe.message : "without a reason");
    }
    return take_driver(f, d, expected_name, err);
}

int driver_file_load(struct driver_file *f, const char *path, const char *expected_name, struct skl_error *err)
{
    int fd, rc;
    void *lib;

    memset(f, 0, sizeof *f);
    fd = trust_open(path, &f->path, err);
    if (fd < 0)
        return error_prefix(err, "%s", path);
    rc = elf_check_exports(fd, SKL_DRIVER_ENTRY, err);
    close(fd);
    if (rc < 0) {
        error_prefix(err, "%s", f->path);
        driver_file_fini(f);
        return -1;
    }
    lib = dlopen(f->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (lib == NULL) {
        error_set(err, SKL_ERR_UNAVAILABLE, "%s", dlerror());
        driver_file_fini(f);
        return -1;
    }
    if (call_entry(f, lib, expected_name, err) < 0) {
        driver_file_fini(f);
        return -1;
    }
    return 0;
}

void driver_file_fini(struct driver_file *f)
{
    options_fini(&f->options);
    free(f->path);
    memset(f, 0, sizeof *f);
}

/* ---- instances ---- */

static void plugin_discard(struct plugin *p)
{
    handles_fini(&p->handles);
    option_values_fini(&p->values);
    driver_file_fini(&p->file);
    free(p->daemon_id);
    free(p->daemon_version);
    free(p->callback_url);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct plugin *plugin_new(struct plugin_host *host, struct driver_file *f)
{
    struct plugin *p = xcalloc(1, sizeof *p);

    p->host = host;
    p->loop = host->loop;
    p->file = *f;
    memset(f, 0, sizeof *f);
    p->daemon_id = xstrdup(host->daemon_id);
    p->daemon_version = xstrdup(host->daemon_version);
    p->callback_url = xstrdup(host->callback_url);
    pthread_mutex_init(&p->lock, NULL);
    list_init(&p->link);
    list_init(&p->calls);
    list_init(&p->timers);
    list_init(&p->requests);
    handles_init(&p->handles);
    runs_init(p);
    services_init(p);
    return p;
}

static int plugin_open(struct plugin *p, struct skl_error *err)
{
    struct plugin_host *host = p->host;
    struct json_object *section = host->drivers != NULL ? json_member(host->drivers, p->file.driver.name) : NULL;
    CLEANUP(free_p) char *where = xasprintf("%s: drivers.%s", host->config_file, p->file.driver.name);
    struct skl_error theirs = {0};
    uint64_t caps = p->file.driver.caps;

    if (option_values_init(&p->values, &p->file.options, section, where, err) < 0)
        return -1;
    if (p->file.driver.open(&p->services, p->values.pointers, &p->inst, &caps, &theirs) < 0) {
        services_close(p);
        take_error(err, &theirs);
        return error_prefix(err, "driver %s", p->file.driver.name);
    }
    if ((caps & ~p->file.driver.caps) != 0)
        plugin_fault(p, "the instance offers capabilities %#" PRIx64 " that the driver does not",
                     caps & ~p->file.driver.caps);
    p->caps = caps & p->file.driver.caps & KNOWN_CAPS;
    return 0;
}

int plugin_load(struct plugin_host *host, const char *name_or_path, struct plugin **ret, struct skl_error *err)
{
    CLEANUP(free_p) char *path = driver_path(host, name_or_path, err);
    struct driver_file f;
    struct plugin *p;

    if (path == NULL || driver_file_load(&f, path, name_or_path[0] == '/' ? NULL : name_or_path, err) < 0)
        return -1;
    if (plugin_find(host, f.driver.name) != NULL) {
        error_set(err, SKL_ERR_CONFLICT, "%s: a driver named %s is loaded already", f.path, f.driver.name);
        driver_file_fini(&f);
        return -1;
    }
    p = plugin_new(host, &f);
    if (plugin_open(p, err) < 0) {
        plugin_discard(p);
        return -1;
    }
    list_push_back(&host->plugins, &p->link);
    *ret = p;
    return 0;
}
