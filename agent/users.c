/*
 * agent/users.c - users and groups from the container's own /etc/passwd and /etc/group.
 *
 * Read by hand: a static program has no name service. Files are read anew each time, so users added at run time are
 * found.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "agent/agent.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define USERS_FILE_MAX (4u * 1024 * 1024)
#define GROUPS_MAX 256

/* Calls fn for each line's fields; stops when it returns true. false when nothing stopped it (or no file). */
static bool each_line(const char *file, size_t min_fields, bool (*fn)(void *arg, char **fields), void *arg)
{
    struct buf text;
    char *save = NULL;
    bool stopped = false;

    buf_init(&text, USERS_FILE_MAX);
    if (fs_read_file(file, &text, NULL) == 0 && text.len > 0)
        for (char *line = strtok_r(text.data, "\n", &save); line != NULL && !stopped; line = strtok_r(NULL, "\n", &save)) {
            size_t n;
            char **fields = str_split(line, ':', &n);
            if (n >= min_fields && line[0] != '#')
                stopped = fn(arg, fields);
            free(fields);
        }
    buf_fini(&text);
    return stopped;
}

static bool number(const char *s, uint32_t *ret)
{
    uint64_t v;

    if (!str_to_u64(s, 0, UINT32_MAX - 1, &v))
        return false;
    *ret = (uint32_t)v;
    return true;
}

struct passwd_query {
    const char *name;
    bool by_id;
    uint32_t id;
    struct user *user;
    char *found_name;
};

static bool match_passwd(void *arg, char **f)
{
    struct passwd_query *q = arg;
    uint32_t uid, gid;

    if (!number(f[2], &uid) || !number(f[3], &gid))
        return false;
    if (q->by_id ? uid != q->id : !str_eq(f[0], q->name))
        return false;
    q->user->uid = uid;
    q->user->gid = gid;
    q->user->home = xstrdup(f[5]);
    q->found_name = xstrdup(f[0]);
    return true;
}

struct group_query {
    const char *name;   /* to find, or */
    const char *member; /* whose groups to collect */
    gid_t *ret;
    struct user *user;
};

static bool match_group(void *arg, char **f)
{
    struct group_query *q = arg;
    uint32_t gid;

    if (!number(f[2], &gid) || !str_eq(f[0], q->name))
        return false;
    *q->ret = gid;
    return true;
}

static bool is_member(const char *list, const char *name)
{
    size_t n;
    char **names = str_split(list, ',', &n);
    bool found = false;

    for (size_t i = 0; i < n && !found; i++)
        found = str_eq(names[i], name);
    free(names);
    return found;
}

static bool collect_group(void *arg, char **f)
{
    struct group_query *q = arg;
    struct user *u = q->user;
    uint32_t gid;

    if (!number(f[2], &gid) || !is_member(f[3], q->member))
        return false;
    u->groups = xrealloc(u->groups, (u->n_groups + 1) * sizeof(*u->groups));
    u->groups[u->n_groups++] = gid;
    return u->n_groups >= GROUPS_MAX;
}

int group_find(const char *name, gid_t *ret, struct skl_error *err)
{
    struct group_query q = {.name = name, .ret = ret};
    uint32_t id;

    if (each_line("/etc/group", 4, match_group, &q))
        return 0;
    if (number(name, &id)) {
        *ret = id;
        return 0;
    }
    return error_set(err, SKL_ERR_INVALID, "unable to find group %s: no matching entries in group file", name);
}

static int find_user_part(const char *name, struct user *u, struct skl_error *err)
{
    struct passwd_query q = {.name = name, .user = u};
    struct group_query g = {.user = u};
    uint32_t id;

    q.by_id = number(name, &id);
    q.id = id;
    if (!each_line("/etc/passwd", 6, match_passwd, &q)) {
        if (!q.by_id)
            return error_set(err, SKL_ERR_INVALID, "unable to find user %s: no matching entries in passwd file", name);
        u->uid = id;
        u->gid = 0;
        return 0;
    }
    g.member = q.found_name;
    (void)each_line("/etc/group", 4, collect_group, &g);
    free(q.found_name);
    return 0;
}

int user_find(const char *spec, struct user *ret, struct skl_error *err)
{
    const char *colon = strchr(spec, ':');
    CLEANUP(free_p) char *name = colon != NULL ? xstrndup(spec, (size_t)(colon - spec)) : xstrdup(spec);

    memset(ret, 0, sizeof(*ret));
    if (find_user_part(name[0] != '\0' ? name : "0", ret, err) < 0)
        return -1;
    if (colon != NULL && colon[1] != '\0') {
        /* An explicit group stands alone, as in Docker. */
        free(ret->groups);
        ret->groups = NULL;
        ret->n_groups = 0;
        if (group_find(colon + 1, &ret->gid, err) < 0) {
            user_fini(ret);
            return -1;
        }
    }
    if (ret->home == NULL)
        ret->home = xstrdup("/");
    return 0;
}

void user_fini(struct user *u)
{
    free(u->groups);
    free(u->home);
    memset(u, 0, sizeof(*u));
}
