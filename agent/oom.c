/*
 * agent/oom.c - how often the kernel killed for want of memory, where it tells.
 *
 * In order of what they speak of: our own cgroup (version 2, or 1's memory controller), by its path or, in a cgroup
 * namespace, at the root of what is mounted; then the whole machine, which in a function is a small virtual one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "agent/agent.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define OOM_FILE_MAX (64u * 1024)
#define OOM_KEY "oom_kill "

static bool read_count(const char *file, uint64_t *ret)
{
    struct buf text;
    char *at = NULL;

    buf_init(&text, OOM_FILE_MAX);
    if (fs_read_file(file, &text, NULL) == 0 && text.len > 0)
        at = str_starts(text.data, OOM_KEY) ? text.data : strstr(text.data, "\n" OOM_KEY);
    if (at != NULL)
        *ret = strtoull(strstr(at, OOM_KEY) + strlen(OOM_KEY), NULL, 10);
    buf_fini(&text);
    return at != NULL;
}

/* The path behind `which` in /proc/self/cgroup; caller frees. "": not there. */
static char *own_path(const char *which)
{
    struct buf text;
    char *save = NULL, *found = NULL;

    buf_init(&text, OOM_FILE_MAX);
    if (fs_read_file("/proc/self/cgroup", &text, NULL) == 0 && text.len > 0)
        for (char *line = strtok_r(text.data, "\n", &save); line != NULL && found == NULL; line = strtok_r(NULL, "\n", &save)) {
            char *at = strstr(line, which);
            if (at != NULL)
                found = xstrdup(at + strlen(which));
        }
    buf_fini(&text);
    return found != NULL ? found : xstrdup("");
}

static char *find_file(void)
{
    CLEANUP(free_p) char *v1 = own_path(":memory:");
    CLEANUP(free_p) char *v2 = own_path("0::");
    char *files[] = {
        xasprintf("/sys/fs/cgroup/memory%s/memory.oom_control", v1), xasprintf("/sys/fs/cgroup%s/memory.events", v2),
        xstrdup("/sys/fs/cgroup/memory/memory.oom_control"), xstrdup("/sys/fs/cgroup/memory.events"), xstrdup("/proc/vmstat"),
    };
    char *found = NULL;
    uint64_t n;

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (found == NULL && read_count(files[i], &n))
            found = files[i];
        else
            free(files[i]);
    }
    return found;
}

uint64_t oom_kills(void)
{
    static char *file;
    static bool looked;
    uint64_t n = 0;

    if (!looked)
        file = find_file();
    looked = true;
    return file != NULL && read_count(file, &n) ? n : 0;
}
