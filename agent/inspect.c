/*
 * agent/inspect.c - GET /top and GET /stats, from /proc and the cgroup files as far as the function's kernel shows
 * them. What is not known is left out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agent/inspect.h"
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#define FILE_MAX (256u * 1024)
#define COLUMNS_MAX 16

/* ---- one process ---- */

struct proc_info {
    int pid, ppid, tty, pgid, sid, nlwp, nice;
    char state;
    uint64_t utime, stime, start, vsize;
    int64_t rss; /* pages */
    uid_t uid;
    char comm[64];
    char args[512];
};

static bool read_file(struct buf *b, int pid, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    buf_clear(b);
    return fs_read_file(path, b, NULL) == 0;
}

static bool parse_stat(struct proc_info *p, char *text)
{
    char *open = strchr(text, '('), *close = strrchr(text, ')');

    if (open == NULL || close == NULL)
        return false;
    snprintf(p->comm, sizeof(p->comm), "%.*s", (int)(close - open - 1), open + 1);
    return sscanf(close + 2, "%c %d %d %d %d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %d %d %*d %lu %lu %ld", &p->state,
                  &p->ppid, &p->pgid, &p->sid, &p->tty, (unsigned long *)&p->utime, (unsigned long *)&p->stime, &p->nice,
                  &p->nlwp, (unsigned long *)&p->start, (unsigned long *)&p->vsize, (long *)&p->rss) == 12;
}

static void join_args(struct proc_info *p, const struct buf *b)
{
    size_t n = b->len < sizeof(p->args) - 1 ? b->len : sizeof(p->args) - 1;

    if (b->len == 0) {
        snprintf(p->args, sizeof(p->args), "[%s]", p->comm);
        return;
    }
    for (size_t i = 0; i < n; i++)
        p->args[i] = b->data[i] == '\0' || (unsigned char)b->data[i] < 32 ? ' ' : b->data[i];
    while (n > 0 && p->args[n - 1] == ' ')
        n--;
    p->args[n] = '\0';
}

static bool read_proc(struct proc_info *p, int pid)
{
    struct buf b;
    struct stat st;
    char path[32];
    bool ok;

    memset(p, 0, sizeof(*p));
    p->pid = pid;
    snprintf(path, sizeof(path), "/proc/%d", pid);
    if (stat(path, &st) < 0)
        return false;
    p->uid = st.st_uid;
    buf_init(&b, FILE_MAX);
    ok = read_file(&b, pid, "stat") && b.len > 0 && parse_stat(p, b.data);
    if (ok && read_file(&b, pid, "cmdline"))
        join_args(p, &b);
    buf_fini(&b);
    return ok;
}

/* ---- columns ---- */

static void user_name(uid_t uid, char *out, size_t size)
{
    struct buf b;
    char *save = NULL;

    snprintf(out, size, "%u", uid);
    buf_init(&b, FILE_MAX);
    if (fs_read_file("/etc/passwd", &b, NULL) == 0 && b.len > 0)
        for (char *line = strtok_r(b.data, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
            size_t n;
            char **f = str_split(line, ':', &n);
            uint64_t id;
            bool match = n >= 3 && str_to_u64(f[2], 0, UINT32_MAX, &id) && id == uid;
            if (match)
                snprintf(out, size, "%s", f[0]);
            free(f);
            if (match)
                break;
        }
    buf_fini(&b);
}

static uint64_t boot_seconds(void)
{
    struct buf b;
    double up = 0;
    struct timespec ts;

    buf_init(&b, 4096);
    if (fs_read_file("/proc/uptime", &b, NULL) == 0)
        up = strtod(buf_str(&b), NULL);
    buf_fini(&b);
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)((double)ts.tv_sec - up);
}

static void column(const char *name, const struct proc_info *p, char *out, size_t size)
{
    uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK), cpu = (p->utime + p->stime) / hz;
    time_t started = (time_t)(boot_seconds() + p->start / hz), now = time(NULL);
    int64_t kib = p->rss * (int64_t)(sysconf(_SC_PAGESIZE) / 1024);
    struct tm tm;

    if (str_eq(name, "user"))
        user_name(p->uid, out, size);
    else if (str_eq(name, "uid"))
        snprintf(out, size, "%u", p->uid);
    else if (str_eq(name, "pid"))
        snprintf(out, size, "%d", p->pid);
    else if (str_eq(name, "ppid"))
        snprintf(out, size, "%d", p->ppid);
    else if (str_eq(name, "pgid"))
        snprintf(out, size, "%d", p->pgid);
    else if (str_eq(name, "c") || str_eq(name, "pcpu"))
        snprintf(out, size, "%.*f", name[0] == 'p', now > started ? 100.0 * (double)cpu / (double)(now - started) : 0.0);
    else if (str_eq(name, "pmem"))
        snprintf(out, size, "%.1f", 100.0 * (double)p->rss / (double)sysconf(_SC_PHYS_PAGES));
    else if (str_eq(name, "stime"))
        strftime(out, size, "%H:%M", gmtime_r(&started, &tm));
    else if (str_eq(name, "tty"))
        snprintf(out, size, "%s", p->tty == 0 ? "?" : "pts/0");
    else if (str_eq(name, "time"))
        snprintf(out, size, "%02u:%02u:%02u", (unsigned)(cpu / 3600), (unsigned)(cpu / 60 % 60), (unsigned)(cpu % 60));
    else if (str_eq(name, "etime"))
        snprintf(out, size, "%02u:%02u", (unsigned)((now - started) / 60), (unsigned)((now - started) % 60));
    else if (str_eq(name, "stat"))
        snprintf(out, size, "%c", p->state);
    else if (str_eq(name, "nlwp"))
        snprintf(out, size, "%d", p->nlwp);
    else if (str_eq(name, "ni"))
        snprintf(out, size, "%d", p->nice);
    else if (str_eq(name, "vsz"))
        snprintf(out, size, "%llu", (unsigned long long)(p->vsize / 1024));
    else if (str_eq(name, "rss"))
        snprintf(out, size, "%lld", (long long)kib);
    else if (str_eq(name, "comm"))
        snprintf(out, size, "%s", p->comm);
    else
        snprintf(out, size, "%s", p->args);
}

struct layout {
    const char *names[COLUMNS_MAX];  /* column names */
    const char *titles[COLUMNS_MAX];
    size_t n;
    char *text;                      /* backs names of -o */
};

static void set_layout(struct layout *l, const char *const *names, const char *const *titles)
{
    for (l->n = 0; names[l->n] != NULL; l->n++) {
        l->names[l->n] = names[l->n];
        l->titles[l->n] = titles[l->n];
    }
}

static const char *const known[][2] = {
    {"user", "USER"}, {"uid", "UID"},     {"pid", "PID"},   {"ppid", "PPID"}, {"pgid", "PGID"}, {"c", "C"},
    {"pcpu", "%CPU"}, {"pmem", "%MEM"},   {"stime", "STIME"}, {"tty", "TTY"},   {"time", "TIME"}, {"etime", "ELAPSED"}, {"stat", "STAT"},
    {"nlwp", "NLWP"}, {"ni", "NI"},       {"vsz", "VSZ"},   {"rss", "RSS"},   {"comm", "COMMAND"}, {"args", "COMMAND"},
    {"cmd", "CMD"},   {"command", "COMMAND"}, {"ruser", "RUSER"}, {"euser", "EUSER"},
};

static bool add_column(struct layout *l, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(known[i][0], name) && l->n < COLUMNS_MAX) {
            l->names[l->n] = str_eq(name, "ruser") || str_eq(name, "euser") ? "user" : name;
            l->titles[l->n++] = known[i][1];
            return true;
        }
    return false;
}

/* What ps would make of it, as far as we follow: -ef, aux, and -o/-eo with a list of columns. */
static bool choose_layout(struct layout *l, const char *ps_args)
{
    static const char *const ef[] = {"user", "pid", "ppid", "c", "stime", "tty", "time", "args", NULL};
    static const char *const ef_titles[] = {"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD", NULL};
    static const char *const aux[] = {"user", "pid", "pcpu", "pmem", "vsz", "rss", "tty", "stat", "stime", "time", "args", NULL};
    static const char *const aux_titles[] = {"USER",  "PID",  "%CPU", "%MEM", "VSZ",     "RSS",
                                             "TTY", "STAT", "START", "TIME", "COMMAND", NULL};
    const char *list;
    char *save = NULL;

    memset(l, 0, sizeof(*l));
    if (str_empty(ps_args) || str_eq(ps_args, "-ef") || str_eq(ps_args, "ef") || str_eq(ps_args, "-f")) {
        set_layout(l, ef, ef_titles);
        return true;
    }
    if (str_eq(ps_args, "aux") || str_eq(ps_args, "-aux")) {
        set_layout(l, aux, aux_titles);
        return true;
    }
    list = strstr(ps_args, "o ");
    list = list != NULL ? list + 2 : strstr(ps_args, "o") != NULL ? strstr(ps_args, "o") + 1 : NULL;
    if (list == NULL)
        return false;
    l->text = xstrdup(list);
    for (char *name = strtok_r(l->text, ", ", &save); name != NULL; name = strtok_r(NULL, ", ", &save))
        if (!add_column(l, name))
            return false;
    return l->n > 0;
}

static void add_row(struct json_object *rows, const struct layout *l, const struct proc_info *p)
{
    struct json_object *row = json_new_array();

    for (size_t i = 0; i < l->n; i++) {
        char text[600];
        column(l->names[i], p, text, sizeof(text));
        json_push_string(row, text);
    }
    json_push(rows, row);
}

void inspect_top(struct request *r)
{
    CLEANUP(free_p) char *ps_args = request_query(r, "ps_args");
    struct json_object *o, *titles, *rows;
    struct layout l;
    DIR *d;

    if (!choose_layout(&l, ps_args)) {
        free(l.text);
        request_fail(r, SKL_ERR_INVALID, "ps arguments other than -ef, aux and -o with known columns are not supported");
        return;
    }
    o = json_new_object();
    titles = json_add_array(o, "Titles");
    for (size_t i = 0; i < l.n; i++)
        json_push_string(titles, l.titles[i]);
    rows = json_add_array(o, "Processes");
    d = opendir("/proc");
    for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
        uint64_t pid;
        struct proc_info p;
        if (str_to_u64(de->d_name, 1, INT32_MAX, &pid) && (pid_t)pid != getpid() && read_proc(&p, (int)pid))
            add_row(rows, &l, &p);
    }
    if (d != NULL)
        closedir(d);
    free(l.text);
    request_json(r, 200, o);
}

/* ---- stats ---- */

static bool read_number(const char *path, uint64_t *ret)
{
    struct buf b;
    bool ok;

    buf_init(&b, 4096);
    ok = fs_read_file(path, &b, NULL) == 0 && b.len > 0 && isdigit((unsigned char)b.data[0]);
    if (ok)
        *ret = strtoull(b.data, NULL, 10);
    buf_fini(&b);
    return ok;
}

struct totals {
    uint64_t cpu_ns, rss_bytes, pids;
};

/* Where no cgroup file is to be seen: the sum over the processes that live. */
static void sum_processes(struct totals *t)
{
    DIR *d = opendir("/proc");
    uint64_t tick = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK), page = (uint64_t)sysconf(_SC_PAGESIZE);

    for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
        uint64_t pid;
        struct proc_info p;
        if (!str_to_u64(de->d_name, 1, INT32_MAX, &pid) || (pid_t)pid == getpid() || !read_proc(&p, (int)pid))
            continue;
        t->cpu_ns += (p.utime + p.stime) * tick;
        t->rss_bytes += (uint64_t)p.rss * page;
        t->pids += (uint64_t)p.nlwp;
    }
    if (d != NULL)
        closedir(d);
}

static uint64_t system_cpu_ns(void)
{
    struct buf b;
    uint64_t total = 0;

    buf_init(&b, FILE_MAX);
    if (fs_read_file("/proc/stat", &b, NULL) == 0 && str_starts(buf_str(&b), "cpu ")) {
        char *p = b.data + 4, *end;
        for (int i = 0; i < 8; i++, p = end)
            total += strtoull(p, &end, 10);
    }
    buf_fini(&b);
    return total * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void add_networks(struct json_object *o)
{
    struct json_object *nets = json_add_object(o, "networks");
    struct buf b;
    char *save = NULL;

    buf_init(&b, FILE_MAX);
    if (fs_read_file("/proc/net/dev", &b, NULL) == 0 && b.len > 0)
        for (char *line = strtok_r(b.data, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
            unsigned long long v[16];
            char name[32];
            struct json_object *n;
            if (sscanf(line, " %31[^:]: %llu %llu %llu %llu %*u %*u %*u %*u %llu %llu %llu %llu", name, &v[0], &v[1], &v[2], &v[3],
                       &v[4], &v[5], &v[6], &v[7]) != 9 || str_eq(name, "lo"))
                continue;
            n = json_add_object(nets, name);
            json_add_u64(n, "rx_bytes", v[0]);
            json_add_u64(n, "rx_packets", v[1]);
            json_add_u64(n, "rx_errors", v[2]);
            json_add_u64(n, "rx_dropped", v[3]);
            json_add_u64(n, "tx_bytes", v[4]);
            json_add_u64(n, "tx_packets", v[5]);
            json_add_u64(n, "tx_errors", v[6]);
            json_add_u64(n, "tx_dropped", v[7]);
        }
    buf_fini(&b);
}

static void add_memory(struct json_object *o, const struct totals *t)
{
    struct json_object *m = json_add_object(o, "memory_stats");
    uint64_t usage = t->rss_bytes, limit = 0;

    (void)read_number("/sys/fs/cgroup/memory.current", &usage);
    if (!read_number("/sys/fs/cgroup/memory.max", &limit))
        limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    json_add_u64(m, "usage", usage);
    json_add_u64(m, "limit", limit);
    json_add_object(m, "stats");
}

void inspect_stats(struct request *r)
{
    struct json_object *o = json_new_object(), *pids, *cpu, *usage;
    struct totals t = {0};

    sum_processes(&t);
    json_add_i64(o, "read", clock_wall());
    pids = json_add_object(o, "pids_stats");
    (void)read_number("/sys/fs/cgroup/pids.current", &t.pids);
    json_add_u64(pids, "current", t.pids);
    cpu = json_add_object(o, "cpu_stats");
    usage = json_add_object(cpu, "cpu_usage");
    json_add_u64(usage, "total_usage", t.cpu_ns);
    json_add_u64(usage, "usage_in_kernelmode", 0);
    json_add_u64(usage, "usage_in_usermode", t.cpu_ns);
    json_add_u64(cpu, "system_cpu_usage", system_cpu_ns());
    json_add_i64(cpu, "online_cpus", sysconf(_SC_NPROCESSORS_ONLN));
    add_memory(o, &t);
    json_add(o, "blkio_stats", json_new_object());
    add_networks(o);
    request_json(r, 200, o);
}
