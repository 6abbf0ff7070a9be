/*
 * simulator/process.c - the process of an instance whose image brings its own entry point: argv, user, working directory as the image and
 * the revision's container say.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/service.h"

#define ACCOUNTS_MAX (1024u * 1024)

static void append(struct json_object *to, struct json_object *list)
{
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++)
        json_push(to, json_object_get(json_object_array_get_idx(list, i)));
}

/* As Cloud Run: a command replaces entry point and arguments of the image, arguments replace its arguments. */
static int put_args(const struct instance *in, struct json_object *args, struct skl_error *err)
{
    struct json_object *c = in->rev->container, *config = in->rev->image->config;
    struct json_object *command = json_member(c, "command"), *arguments = json_member(c, "args");

    append(args, command != NULL ? command : json_member(config, "Entrypoint"));
    append(args, arguments != NULL ? arguments : command == NULL ? json_member(config, "Cmd") : NULL);
    return json_object_array_length(args) > 0 ? 0 : error_set(err, SKL_ERR_INVALID, "image %s has neither an entry point nor a command", in->rev->image->name);
}

/* A file of the image, links resolved inside it: an image is not trusted. */
static void read_inside(const char *rootfs, const char *path, struct buf *out)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = root >= 0 ? (int)syscall(SYS_openat2, root, path, &how, sizeof(how)) : -1;
    char *room;
    ssize_t n = 1;

    while (fd >= 0 && n > 0 && (room = buf_reserve(out, 4096)) != NULL && (n = read(fd, room, 4096)) > 0)
        buf_commit(out, (size_t)n);
    if (fd >= 0)
        close(fd);
    if (root >= 0)
        close(root);
}

/* name:x:ID:GROUP:... of passwd, name:x:ID:... of group. False: no such name. */
static bool look_up(const char *rootfs, const char *file, const char *name, int64_t *ret_id, int64_t *ret_group)
{
    struct buf text;
    char *save, *line;
    bool found = false;

    buf_init(&text, ACCOUNTS_MAX);
    read_inside(rootfs, file, &text);
    save = text.data;
    while (!found && save != NULL && (line = strsep(&save, "\n")) != NULL) {
        char *rest = line, *who = strsep(&rest, ":"), *id, *group;
        (void)strsep(&rest, ":");
        id = rest != NULL ? strsep(&rest, ":") : NULL;
        group = rest != NULL ? strsep(&rest, ":") : NULL;
        found = str_eq(who, name) && id != NULL && str_to_i64(id, 0, UINT32_MAX, ret_id);
        if (found && ret_group != NULL && group != NULL)
            (void)str_to_i64(group, 0, UINT32_MAX, ret_group);
    }
    buf_fini(&text);
    return found;
}

static int put_user(const struct instance *in, struct json_object *user, struct skl_error *err)
{
    const struct image *im = in->rev->image;
    const char *given = json_string_or(json_member(im->config, "User"), ""), *colon = strchr(given, ':');
    CLEANUP(free_p) char *name = colon != NULL ? xstrndup(given, (size_t)(colon - given)) : xstrdup(given);
    int64_t uid = 0, gid = 0;

    if (name[0] != '\0' && !str_to_i64(name, 0, UINT32_MAX, &uid) && !look_up(im->rootfs, "etc/passwd", name, &uid, &gid))
        return error_set(err, SKL_ERR_INVALID, "image %s: no user \"%s\" in its /etc/passwd", im->name, name);
    if (colon != NULL && !str_to_i64(colon + 1, 0, UINT32_MAX, &gid) && !look_up(im->rootfs, "etc/group", colon + 1, &gid, NULL))
        return error_set(err, SKL_ERR_INVALID, "image %s: no group \"%s\" in its /etc/group", im->name, colon + 1);
    json_add_i64(user, "uid", uid);
    json_add_i64(user, "gid", gid);
    return 0;
}

int process_write(const struct instance *in, struct json_object *process, struct skl_error *err)
{
    const char *cwd = json_string_or(json_member(in->rev->container, "workingDir"), NULL);

    if (cwd == NULL)
        cwd = json_string_or(json_member(in->rev->image->config, "WorkingDir"), "/");
    json_add_string(process, "cwd", cwd[0] == '/' ? cwd : "/");
    if (put_user(in, json_add_object(process, "user"), err) < 0)
        return -1;
    return put_args(in, json_add_array(process, "args"), err);
}
