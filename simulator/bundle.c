/*
 * simulator/bundle.c - an OCI bundle for crun: the image's root under an overlay; the agent, or what the image says, as entry point.
 *
 * As on Cloud Run the container has few privileges, a PID, IPC, UTS, mount (and mostly a network) namespace of its own,
 * and an in-memory /dev and /tmp of the image's making. The agent and what it needs are bind mounts under /.sockerless.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/service.h"

#define BUNDLE_MAX (1024u * 1024)

static void add_env(struct json_object *env, const char *name, const char *value)
{
    CLEANUP(free_p) char *kv = xasprintf("%s=%s", name, value);

    json_push_string(env, kv);
}

static void fill_env(struct instance *in, struct json_object *env)
{
    struct json_object *vars = json_member(in->rev->container, "env"), *own = in->rev->agent ? NULL : json_member(in->rev->image->config, "Env");
    char port[8];

    if (!in->rev->agent) { /* what an image without one gets, and where programs find their credentials; the image's own come behind */
        CLEANUP(free_p) char *metadata = xasprintf("host.sockerless.internal:%u", in->sim->port);
        add_env(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        add_env(env, "GCE_METADATA_HOST", metadata);
    }
    for (size_t i = 0; own != NULL && i < json_object_array_length(own); i++)
        json_push(env, json_object_get(json_object_array_get_idx(own, i)));
    for (size_t i = 0; vars != NULL && i < json_object_array_length(vars); i++) {
        struct json_object *e = json_object_array_get_idx(vars, i);
        add_env(env, json_string_or(json_member(e, "name"), ""), json_string_or(json_member(e, "value"), ""));
    }
    snprintf(port, sizeof(port), "%u", in->port);
    add_env(env, "PORT", port);
    add_env(env, "K_SERVICE", in->service);
    add_env(env, "K_CONFIGURATION", in->service);
    add_env(env, "K_REVISION", in->revision);
}

static void add_caps(struct json_object *process)
{
    static const char *const caps[] = {
        "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FSETID",  "CAP_FOWNER",     "CAP_MKNOD",  "CAP_NET_RAW",   "CAP_SETGID",
        "CAP_SETUID", "CAP_SETFCAP",      "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE", NULL,
    };
    struct json_object *o = json_add_object(process, "capabilities");

    json_add_strings(o, "bounding", caps);
    json_add_strings(o, "effective", caps);
    json_add_strings(o, "permitted", caps);
}

static void add_mount(struct json_object *mounts, const char *to, const char *type, const char *from, const char *const *options)
{
    struct json_object *m = json_new_object();

    json_add_string(m, "destination", to);
    json_add_string(m, "type", type);
    json_add_string(m, "source", from);
    json_add_strings(m, "options", options);
    json_push(mounts, m);
}

static void add_mounts(struct instance *in, struct json_object *mounts)
{
    static const char *const ro_bind[] = {"bind", "ro", NULL}, *const rw_bind[] = {"bind", NULL};
    CLEANUP(free_p) char *hosts = fs_join(in->dir, "hosts");
    CLEANUP(free_p) char *image = fs_join(in->dir, "image.json");

    add_mount(mounts, "/proc", "proc", "proc", (const char *const[]){"nosuid", "noexec", "nodev", NULL});
    add_mount(mounts, "/dev", "tmpfs", "tmpfs", (const char *const[]){"nosuid", "strictatime", "mode=755", "size=65536k", NULL});
    add_mount(mounts, "/dev/pts", "devpts", "devpts",
              (const char *const[]){"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", NULL});
    add_mount(mounts, "/dev/shm", "tmpfs", "shm", (const char *const[]){"nosuid", "noexec", "nodev", "mode=1777", "size=65536k", NULL});
    if (in->sim->ordinary) /* a sysfs of its own takes a network of its own */
        add_mount(mounts, "/sys", "bind", "/sys", (const char *const[]){"rbind", "nosuid", "noexec", "nodev", "ro", NULL});
    else
        add_mount(mounts, "/sys", "sysfs", "sysfs", (const char *const[]){"nosuid", "noexec", "nodev", "ro", NULL});
    if (in->rev->agent) {
        add_mount(mounts, "/.sockerless/agent", "bind", in->sim->opts.agent, ro_bind);
        add_mount(mounts, "/.sockerless/image.json", "bind", image, ro_bind);
    }
    add_mount(mounts, "/etc/hosts", "bind", hosts, rw_bind);
    if (access("/etc/resolv.conf", R_OK) == 0)
        add_mount(mounts, "/etc/resolv.conf", "bind", "/etc/resolv.conf", ro_bind);
}

static void add_namespace(struct json_object *list, const char *type, const char *path)
{
    struct json_object *o = json_new_object();

    json_add_string(o, "type", type);
    if (path != NULL)
        json_add_string(o, "path", path);
    json_push(list, o);
}

static void add_linux(struct instance *in, struct json_object *spec)
{
    static const char *const masked[] = {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                                         "/proc/sched_debug", "/sys/firmware", NULL};
    static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};
    struct json_object *linux_part = json_add_object(spec, "linux"), *list = json_add_array(linux_part, "namespaces");
    CLEANUP(free_p) char *path = in->net != NULL ? xasprintf("/proc/%d/fd/%d", (int)getpid(), in->net->fd) : NULL;

    add_namespace(list, "pid", NULL);
    add_namespace(list, "ipc", NULL);
    add_namespace(list, "uts", NULL);
    add_namespace(list, "mount", NULL);
    if (path != NULL)
        add_namespace(list, "network", path);
    json_add_strings(linux_part, "maskedPaths", masked);
    json_add_strings(linux_part, "readonlyPaths", readonly);
}

/* The agent is root and looks after the user itself. */
static int fill_process(struct instance *in, struct json_object *process, struct skl_error *err)
{
    static const char *const args[] = {"/.sockerless/agent", NULL};
    struct json_object *user;

    json_add_bool(process, "terminal", false);
    fill_env(in, json_add_array(process, "env"));
    add_caps(process);
    if (!in->rev->agent)
        return process_write(in, process, err);
    user = json_add_object(process, "user");
    json_add_i64(user, "uid", 0);
    json_add_i64(user, "gid", 0);
    json_add_strings(process, "args", args);
    json_add_string(process, "cwd", "/");
    return 0;
}

static struct json_object *make_spec(struct instance *in, struct skl_error *err)
{
    struct json_object *spec = json_new_object(), *root;
    CLEANUP(free_p) char *rootfs = fs_join(in->dir, "rootfs");

    json_add_string(spec, "ociVersion", "1.0.2");
    if (fill_process(in, json_add_object(spec, "process"), err) < 0) {
        json_object_put(spec);
        return NULL;
    }
    root = json_add_object(spec, "root");
    json_add_string(root, "path", rootfs);
    json_add_string(spec, "hostname", "localhost");
    add_mounts(in, json_add_array(spec, "mounts"));
    add_linux(in, spec);
    return spec;
}

static int write_json(const char *dir, const char *name, struct json_object *o, struct skl_error *err)
{
    CLEANUP(free_p) char *path = fs_join(dir, name);
    struct buf b;
    int rc;

    buf_init(&b, BUNDLE_MAX);
    rc = json_emit(&b, o) < 0 ? error_set(err, SKL_ERR_INVALID, "the function's environment is too large")
                              : fs_write_file_atomic(path, b.data, b.len, 0600, err);
    buf_fini(&b);
    return rc;
}

static int write_hosts(struct instance *in, struct skl_error *err)
{
    CLEANUP(free_p) char *path = fs_join(in->dir, "hosts");
    CLEANUP(free_p) char *text = xasprintf("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n%s\thost.sockerless.internal\n",
                                           in->net != NULL ? NETNS_HOST_ADDR : "127.0.0.1");

    return fs_write_file_atomic(path, text, strlen(text), 0644, err);
}

static int mount_root(struct instance *in, struct skl_error *err)
{
    CLEANUP(free_p) char *upper = fs_join(in->dir, "upper"), *work = fs_join(in->dir, "work"), *root = fs_join(in->dir, "rootfs");
    CLEANUP(free_p) char *options = xasprintf("lowerdir=%s,upperdir=%s,workdir=%s%s", in->rev->image->rootfs, upper, work,
                                              in->sim->ordinary ? ",userxattr" : "");
    CLEANUP(free_p) char *unsynced = xasprintf("%s,volatile", options); /* from Linux 5.10 */
    struct stat st;

    if (in->sim->ordinary && stat(in->rev->image->rootfs, &st) == 0 && st.st_uid != geteuid())
        return error_set(err, SKL_ERR_FORBIDDEN, "the files of image %s belong to another user: import it as the one that the simulator runs as", in->rev->image->name);
    if (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0 || mkdir(root, 0755) < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "making an instance's directories");
    /* What an instance wrote goes with it: an unmount that first brings it to the disk, seconds on a busy one, is for nothing. */
    if (mount("overlay", root, "overlay", 0, unsynced) < 0 && (errno != EINVAL || mount("overlay", root, "overlay", 0, options) < 0))
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "mounting the root of an instance");
    in->mounted = true;
    return 0;
}

int bundle_write(struct instance *in, struct skl_error *err)
{
    struct json_object *spec;
    int rc;

    if (write_hosts(in, err) < 0 || write_json(in->dir, "image.json", in->rev->image->config, err) < 0 || mount_root(in, err) < 0)
        return -1;
    spec = make_spec(in, err);
    if (spec == NULL)
        return -1;
    rc = write_json(in->dir, "config.json", spec, err);
    json_object_put(spec);
    return rc;
}
