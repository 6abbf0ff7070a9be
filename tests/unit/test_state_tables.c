/*
 * Names, references, images, networks, volumes, execs, events, store: the tables around the containers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "tests/unit/state/fake.h"

static struct json_object *json(const char *text)
{
    return json_parse_object(text, strlen(text), JSON_SIZE_MAX, NULL);
}

/* ---- references ---- */

static void test_references(void)
{
    static const char *const good[][3] = {
        {"alpine", "docker.io/library/alpine:latest", "alpine:latest"},
        {"alpine:3.19", "docker.io/library/alpine:3.19", "alpine:3.19"},
        {"docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"},
        {"index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest"},
        {"user/app", "docker.io/user/app:latest", "user/app:latest"},
        {"localhost/x", "localhost/x:latest", "localhost/x:latest"},
        {"localhost:5000/x/y:t", "localhost:5000/x/y:t", "localhost:5000/x/y:t"},
        {"ghcr.io/a/b__c-d.e", "ghcr.io/a/b__c-d.e:latest", "ghcr.io/a/b__c-d.e:latest"},
        {"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
        {"x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "docker.io/library/x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
    };
    static const char *const bad[] = {
        "", ":", "a:", "a@", "A", "-a", "a//b", "a/", "/a", "a:b:c", "a b", "a@sha256:12", "a..b", "a___b", "a:-x", "x.y:z/a",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "a@md5:0123", "a/B",
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CLEANUP(free_p) char *full = reference_normalise(good[i][0], NULL);
        CLEANUP(free_p) char *familiar = NULL;
        struct reference r;

        UNIT_STR_EQ(full, good[i][1]);
        CU_ASSERT_FATAL(reference_parse(full, &r, NULL) == 0);
        familiar = reference_familiar(&r);
        UNIT_STR_EQ(familiar, good[i][2]);
        reference_fini(&r);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(free_p) char *full = reference_normalise(bad[i], NULL);

        UNIT_STR_EQ(full, NULL);
    }
}

/* ---- names and lookup: P-37, P-38 ---- */

static void test_names(void)
{
    struct skl_error err;
    static const char *const bad[] = {"a", "-x", "x y", "", "/", "a/b", "\xc3\xa9x"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CU_ASSERT(container_name_check(bad[i], &err) < 0);
    CU_ASSERT(container_name_check("/c1", NULL) == 0);
    CU_ASSERT(container_name_check("a_.-", NULL) == 0);
    UNIT_STR_EQ((container_name_check("x y", &err), err.message),
                "Invalid container name (x y), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
}

static void test_lookup(void)
{
    struct fake f;
    struct container *a, *b, *c;
    char prefix[6];
    struct skl_error err;

    fake_init(&f, FAKE_CAPS, true);
    a = fake_create(&f, "/first", FAKE_CMD, NULL);
    memcpy(prefix, a->id, 5);
    prefix[5] = '\0';
    UNIT_STR_EQ(a->name, "first");
    CU_ASSERT_PTR_EQUAL(container_find(f.e, a->id, NULL), a);
    CU_ASSERT_PTR_EQUAL(container_find(f.e, "/first", NULL), a);
    CU_ASSERT_PTR_EQUAL(container_find(f.e, prefix, NULL), a);
    b = fake_create(&f, prefix, FAKE_CMD, NULL);
    CU_ASSERT_PTR_EQUAL(container_find(f.e, prefix, NULL), b);
    CU_ASSERT_PTR_EQUAL(container_first(f.e), b);
    CU_ASSERT_PTR_EQUAL(container_next(b), a);
    for (int i = 0; i < 20; i++)
        c = fake_create(&f, NULL, FAKE_CMD, NULL);
    CU_ASSERT_PTR_NOT_NULL(strchr(c->name, '_'));
    for (char x[2] = "0"; x[0] <= '9'; x[0]++) { /* 22 IDs, 16 digits: some first digit is ambiguous */
        if (container_find(f.e, x, &err) == NULL && err.kind == SKL_ERR_INVALID) {
            CLEANUP(free_p) char *want = xasprintf("multiple IDs found with provided prefix: %s", x);

            UNIT_STR_EQ(err.message, want);
        }
    }
    CU_ASSERT(container_rename(a, "second", NULL) == 0);
    CU_ASSERT_PTR_NULL(container_find(f.e, "first", NULL));
    CU_ASSERT_PTR_EQUAL(container_find(f.e, "second", NULL), a);
    CU_ASSERT(container_rename(a, prefix, &err) < 0 && err.kind == SKL_ERR_CONFLICT);
    fake_reopen(&f);
    CU_ASSERT_PTR_NOT_NULL(container_find(f.e, "second", NULL));
    UNIT_INT_EQ(container_count(f.e), 22);
    fake_fini(&f);
}

/* ---- what is derived ---- */

static void test_derive(void)
{
    struct fake f;
    struct container *c;

    fake_init(&f, FAKE_CAPS, true);
    c = fake_create(&f, "one",
                    "{\"Entrypoint\":[\"e\"],\"Cmd\":[\"a\",\"b\"],\"Env\":[\"A=1\"],\"Tty\":true,\"StopSignal\":\"SIGUSR1\","
                    "\"StopTimeout\":2,\"Labels\":{\"z\":\"1\",\"a\":\"2\"},\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"x\"],"
                    "\"Interval\":1000000}}",
                    "{\"NanoCpus\":500000000,\"Memory\":1024,\"ConsoleSize\":[24,80],\"LogConfig\":{\"Config\":"
                    "{\"max-size\":\"10m\"}},\"RestartPolicy\":{\"Name\":\"always\"}}");
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    UNIT_STR_EQ(c->argv[0], "e");
    UNIT_STR_EQ(c->argv[2], "b");
    CU_ASSERT_PTR_NULL(c->argv[3]);
    UNIT_INT_EQ(c->n_entrypoint, 1);
    UNIT_INT_EQ(c->stop_signal, 10);
    UNIT_INT_EQ(c->stop_timeout_ns, 2 * NS_PER_S);
    UNIT_STR_EQ(container_label(c, "a"), "2");
    UNIT_STR_EQ(container_label(c, "b"), NULL);
    UNIT_INT_EQ(c->log_limits.max_size, 10 * 1024 * 1024);
    UNIT_INT_EQ(c->log_limits.max_files, 1);
    UNIT_INT_EQ(c->tty_cols, 80);
    UNIT_STR_EQ(c->health->test[0], "/bin/sh");
    CU_ASSERT(strncmp(c->hostname, c->id, 12) == 0 && strlen(c->hostname) == 12);
    CU_ASSERT_PTR_NULL(fake_create(&f, "two", FAKE_CMD, "{\"RestartPolicy\":{\"Name\":\"sometimes\"}}"));
    CU_ASSERT_PTR_NULL(fake_create(&f, "two", FAKE_CMD, "{\"LogConfig\":{\"Config\":{\"max-size\":\"many\"}}}"));
    CU_ASSERT_PTR_NULL(fake_create(&f, "two", "{\"Cmd\":[\"x\"],\"StopSignal\":\"NOPE\"}", NULL));
    c = fake_create(&f, "two", "{\"Entrypoint\":[\"\"]}", NULL); /* the image's own command: the agent's to know */
    CU_ASSERT(c != NULL && c->argv[0] == NULL && c->n_entrypoint == 0);
    fake_fini(&f);
}

/* ---- images ---- */

static void on_step(void *arg, const char *what, const char *which)
{
    buf_printf(arg, "%s %s;", what, strncmp(which, "sha256:", 7) == 0 ? "ID" : which);
}

static const char *removed(struct fake *f, const char *name, bool force)
{
    static char out[1024];
    struct buf b;
    struct skl_error err;

    buf_init(&b, 1000);
    if (image_remove(f->e, name, force, on_step, &b, &err) < 0)
        snprintf(out, sizeof(out), "%d", err.kind);
    else
        snprintf(out, sizeof(out), "%s", buf_str(&b));
    buf_fini(&b);
    return out;
}

static void test_images(void)
{
    struct fake f;
    struct image *i, *j;
    struct image_spec spec = {.ref = "alpine"};
    struct skl_error err;
    char id[IMAGE_ID_SIZE];
    bool fresh;

    fake_init(&f, FAKE_CAPS, true);
    CU_ASSERT(image_add(f.e, &spec, &i, &fresh, NULL) == 0 && fresh);
    UNIT_STR_EQ(fake_events(&f), "image.pull");
    CU_ASSERT(image_add(f.e, &spec, &j, &fresh, NULL) == 0 && !fresh && i == j);
    memcpy(id, i->id, sizeof(id));
    CU_ASSERT_PTR_EQUAL(image_find(f.e, "docker.io/library/alpine:latest", NULL), i);
    CU_ASSERT_PTR_EQUAL(image_find(f.e, id, NULL), i);
    CU_ASSERT_PTR_EQUAL(image_find(f.e, id + 7, NULL), i);
    id[7 + 12] = '\0';
    CU_ASSERT_PTR_EQUAL(image_find(f.e, id + 7, NULL), i);
    CU_ASSERT_PTR_NULL(image_find(f.e, "nope", &err));
    UNIT_STR_EQ(err.message, "No such image: nope:latest");
    CU_ASSERT(image_tag(i, "my/app:1", NULL) == 0);
    UNIT_INT_EQ(i->n_tags, 2);
    UNIT_STR_EQ(i->tags[1], "my/app:1");
    fake_reopen(&f);
    i = image_find(f.e, "my/app:1", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(i);
    UNIT_INT_EQ(i->n_tags, 2);
    UNIT_STR_EQ(removed(&f, i->id, false), "5"); /* two tags */
    UNIT_STR_EQ(removed(&f, "my/app:1", false), "Untagged my/app:1;");
    UNIT_STR_EQ(removed(&f, "alpine", false), "Untagged alpine:latest;Deleted ID;");
    UNIT_STR_EQ(fake_events(&f), "image.untag image.untag image.delete");
    UNIT_INT_EQ(image_count(f.e), 0);
    UNIT_STR_EQ(removed(&f, "alpine", false), "4");
    fake_fini(&f);
}

/* P-50, 2.9.9 */
static void test_image_in_use(void)
{
    struct fake f;
    struct image *i;
    struct image_spec spec = {.ref = "busybox", .id = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                              .digest = "sha256:1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
    struct container_spec cs = {.image_ref = "busybox", .image_id = spec.id};
    struct skl_error err;
    struct container *c;

    fake_init(&f, FAKE_CAPS, true);
    CU_ASSERT(image_add(f.e, &spec, &i, NULL, NULL) == 0);
    UNIT_INT_EQ(i->n_digests, 1);
    (void)cs;
    c = fake_create(&f, "one", FAKE_CMD, NULL);
    free(c->image_id);
    c->image_id = xstrdup(spec.id);
    image_attach(c);
    CU_ASSERT(image_remove(f.e, "busybox", false, NULL, NULL, &err) < 0);
    CU_ASSERT(str_starts(err.message, "conflict: unable to remove repository reference \"busybox\" (must force) - container "));
    UNIT_INT_EQ(err.kind, SKL_ERR_CONFLICT);
    container_start(c, NULL, NULL);
    fake_spin(&f);
    CU_ASSERT(image_remove(f.e, "busybox", true, NULL, NULL, &err) < 0);
    CU_ASSERT(image_remove(f.e, spec.id, true, NULL, NULL, &err) < 0);
    fake_fini(&f);
}

/* ---- networks ---- */

static void test_networks(void)
{
    struct fake f;
    struct network *n, *m;
    struct network_spec spec = {.name = "net1"};
    struct skl_error err;
    struct container *c, *d;
    struct endpoint_spec es = {.aliases = (const char *const[]){"db", NULL}};
    char ip[IP_TEXT_SIZE], mac[MAC_TEXT_SIZE];
    JSON_CLEANUP struct json_object *ipam = json("{\"a\":[{\"Subnet\":\"10.5.0.0/24\",\"IPRange\":\"10.5.0.128/25\"}]}");
    CLEANUP(free_p) char **names = NULL;

    fake_init(&f, FAKE_CAPS, true);
    CU_ASSERT(network_create(f.e, &spec, &n, NULL) == 0);
    UNIT_STR_EQ(network_subnet_text(n, ip), "172.18.0.0/16");
    UNIT_STR_EQ(network_gateway_text(n, ip), "172.18.0.1");
    CU_ASSERT(network_create(f.e, &spec, &m, &err) < 0 && err.kind == SKL_ERR_CONFLICT);
    UNIT_STR_EQ(err.message, "network with name net1 already exists");
    spec.name = "bridge";
    CU_ASSERT(network_create(f.e, &spec, &m, &err) < 0 && err.kind == SKL_ERR_FORBIDDEN);
    spec.name = "net2";
    spec.ipam_config = json_member(ipam, "a");
    CU_ASSERT(network_create(f.e, &spec, &m, &err) == 0);
    spec.name = "net3";
    CU_ASSERT(network_create(f.e, &spec, NULL, &err) < 0 && err.kind == SKL_ERR_FORBIDDEN);
    c = fake_running(&f, "one", FAKE_CMD, NULL);
    d = fake_create(&f, "two", FAKE_CMD, NULL);
    fake_events(&f);
    CU_ASSERT(network_connect(m, c, &es, NULL) == 0);
    UNIT_STR_EQ(endpoint_cidr_text(c->endpoints[0], ip), "10.5.0.129/24");
    UNIT_STR_EQ(endpoint_mac_text(c->endpoints[0], mac), "02:42:0a:05:00:81");
    names = endpoint_dns_names(c->endpoints[0]);
    UNIT_STR_EQ(names[0], "one");
    UNIT_STR_EQ(names[1], "db");
    CU_ASSERT(network_connect(m, c, &es, &err) < 0 && err.kind == SKL_ERR_FORBIDDEN);
    CU_ASSERT(network_connect(m, d, &es, &err) == 0);
    CU_ASSERT(network_connect(m, d, &es, &err) == 0); /* not running: new settings */
    es.ipv4 = "10.5.0.129";
    CU_ASSERT(network_connect(n, d, &es, &err) < 0);
    CU_ASSERT(network_disconnect(m, d, false, NULL) == 0);
    CU_ASSERT(network_connect(m, d, &es, &err) < 0); /* taken */
    UNIT_STR_EQ(err.message, "Address already in use");
    CU_ASSERT(network_remove(m, &err) < 0 && err.kind == SKL_ERR_FORBIDDEN);
    CU_ASSERT(network_remove(network_find(f.e, "host", NULL), &err) < 0 && err.kind == SKL_ERR_FORBIDDEN);
    fake_reopen(&f);
    c = container_find(f.e, "one", NULL);
    m = network_find(f.e, "net2", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    UNIT_INT_EQ(c->n_endpoints, 1);
    UNIT_STR_EQ(endpoint_ip_text(c->endpoints[0], ip), "10.5.0.129");
    UNIT_STR_EQ(c->endpoints[0]->aliases[0], "db");
    CU_ASSERT(network_disconnect(m, c, false, NULL) == 0);
    CU_ASSERT(network_disconnect(m, c, false, &err) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "is not connected to"));
    CU_ASSERT(network_remove(m, NULL) == 0);
    UNIT_STR_EQ(fake_events(&f), "network.disconnect network.destroy");
    UNIT_INT_EQ(f.e->n_networks, 4);
    fake_fini(&f);
}

/* Addresses are used up, given back, and never given twice. */
static void test_addresses(void)
{
    struct fake f;
    struct network *n;
    struct network_spec spec = {.name = "small"};
    struct endpoint_spec es = {0};
    JSON_CLEANUP struct json_object *ipam = json("{\"a\":[{\"Subnet\":\"10.9.0.0/29\"}]}");
    struct container *c[6];
    uint32_t freed;

    fake_init(&f, FAKE_CAPS, true);
    spec.ipam_config = json_member(ipam, "a");
    CU_ASSERT(network_create(f.e, &spec, &n, NULL) == 0);
    for (int i = 0; i < 6; i++)
        c[i] = fake_create(&f, NULL, FAKE_CMD, NULL);
    for (int i = 0; i < 5; i++)
        CU_ASSERT(network_connect(n, c[i], &es, NULL) == 0);
    CU_ASSERT(network_connect(n, c[5], &es, NULL) < 0);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < i; k++)
            CU_ASSERT(c[i]->endpoints[0]->ip != c[k]->endpoints[0]->ip);
    freed = c[2]->endpoints[0]->ip;
    container_remove(c[2], false, false, NULL, NULL);
    fake_spin(&f);
    CU_ASSERT(network_connect(n, c[5], &es, NULL) == 0);
    UNIT_INT_EQ(c[5]->endpoints[0]->ip, freed);
    fake_fini(&f);
}

/* ---- volumes: P-56 ---- */

static void on_failed(void *arg, const struct skl_error *err, struct container *c, const char *const *warnings)
{
    (void)arg;
    (void)warnings;
    CU_ASSERT_PTR_NULL(c);
    UNIT_STR_EQ(err->message, "no");
}

static void on_created(void *arg, const struct skl_error *err, struct container *c, const char *const *warnings)
{
    (void)warnings;
    CU_ASSERT_PTR_NULL(err);
    *(struct container **)arg = c;
}

static void test_volumes(void)
{
    struct fake f;
    struct volume *v, *w;
    struct volume_spec vs = {.name = "data"};
    struct skl_error err;
    struct container *c = NULL;
    struct container_mount mounts[] = {{.type = MOUNT_VOLUME, .name = "data", .destination = "/d", .rw = true},
                                       {.type = MOUNT_VOLUME, .destination = "/anon", .rw = true},
                                       {.type = MOUNT_BIND, .source = "/src", .destination = "/b"}};
    JSON_CLEANUP struct json_object *config = json(FAKE_CMD);
    struct container_spec cs = {.name = "one", .image_ref = "x", .image_id = "sha256:0", .config = config, .mounts = mounts,
                                .n_mounts = 3};

    fake_init(&f, FAKE_CAPS, true);
    CU_ASSERT(volume_create(f.e, &vs, &v, NULL) == 0);
    CU_ASSERT(volume_create(f.e, &vs, &w, NULL) == 0 && v == w);
    UNIT_STR_EQ(fake_events(&f), "volume.create");
    vs.driver = "nfs";
    CU_ASSERT(volume_create(f.e, &vs, &w, &err) < 0 && err.kind == SKL_ERR_CONFLICT);
    CU_ASSERT(container_create(f.e, &cs, on_created, &c, NULL) == 0);
    fake_spin(&f);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    UNIT_STR_EQ(fake_events(&f), "volume.create create");
    UNIT_INT_EQ(v->n_refs, 1);
    CU_ASSERT(volume_remove(v, &err) < 0);
    CU_ASSERT(str_starts(err.message, "remove data: volume is in use - ["));
    fake_reopen(&f);
    c = container_find(f.e, "one", NULL);
    UNIT_INT_EQ(c->n_mounts, 3);
    UNIT_STR_EQ(c->mounts[2].source, "/src");
    CU_ASSERT(c->mounts[1].rw && !c->mounts[2].rw);
    v = volume_find(f.e, c->mounts[1].name, NULL);
    CU_ASSERT(v != NULL && v->anonymous && volume_used_by(v, c));
    UNIT_STR_EQ(volume_label(v, VOLUME_ANONYMOUS_LABEL), "");
    container_remove(c, false, true, NULL, NULL);
    fake_spin(&f);
    UNIT_STR_EQ(fake_events(&f), "volume.destroy destroy");
    UNIT_INT_EQ(f.e->n_volumes, 1);
    CU_ASSERT(volume_remove(volume_find(f.e, "data", NULL), NULL) == 0);
    f.host.fail_create = "no"; /* a failed create takes back the volumes it made, and no others */
    CU_ASSERT(container_create(f.e, &cs, on_failed, NULL, NULL) == 0);
    fake_spin(&f);
    UNIT_INT_EQ(f.e->n_volumes, 0);
    fake_fini(&f);
}

/* ---- execs ---- */

static void test_execs(void)
{
    struct fake f;
    struct container *c;
    struct exec *x, *y;
    char *argv[] = {"ls", "-l", NULL};
    struct exec_config config = {.argv = argv};
    struct skl_error err;
    char id[ID_SIZE];

    fake_init(&f, FAKE_CAPS, true);
    c = fake_create(&f, "one", FAKE_CMD, NULL);
    CU_ASSERT(exec_create(c, &config, &x, &err) < 0 && err.kind == SKL_ERR_CONFLICT);
    container_start(c, NULL, NULL);
    fake_spin(&f);
    fake_events(&f);
    CU_ASSERT(exec_create(c, &config, &x, NULL) == 0);
    CU_ASSERT(exec_create(c, &config, &y, NULL) == 0);
    CU_ASSERT_PTR_EQUAL(exec_find(f.e, x->id, NULL), x);
    CU_ASSERT(exec_begin(x, NULL) == 0);
    CU_ASSERT(exec_begin(x, &err) < 0 && err.kind == SKL_ERR_CONFLICT);
    exec_set_running(x, 12);
    exec_set_exited(x, 3);
    exec_set_exited(x, 4);
    UNIT_INT_EQ(x->exit_code, 3);
    CU_ASSERT(exec_begin(x, &err) < 0);
    UNIT_STR_EQ(fake_events(&f), "exec_create: ls -l exec_create: ls -l exec_start: ls -l exec_die:3");
    exec_begin(y, NULL);
    exec_set_running(y, 13);
    memcpy(id, y->id, sizeof(id));
    fake_exit(c, 0);
    fake_spin(&f);
    CU_ASSERT(!y->running && y->exited);
    container_remove(c, false, false, NULL, NULL);
    fake_spin(&f);
    CU_ASSERT_PTR_NULL(exec_find(f.e, id, &err));
    CU_ASSERT(str_starts(err.message, "No such exec instance: "));
    fake_fini(&f);
}

/* ---- events ---- */

static void publish(struct fake *f, const char *action, const char *label)
{
    struct event_attr attrs[] = {{"name", "web"}, {"image", "nginx:1"}, {"k", label}};

    events_publish(f->e, "container", action, "abcdef", attrs, ARRAY_LEN(attrs));
}

static bool matches(const char *key, const char *value, const struct event *ev)
{
    struct event_filter *f = event_filter_new();
    bool ok;

    CU_ASSERT(event_filter_add(f, key, value));
    ok = event_filter_match(f, ev);
    event_filter_free(f);
    return ok;
}

static void test_event_filters(void)
{
    struct fake f;
    struct event *ev;
    struct event_filter *none = event_filter_new();

    CU_ASSERT(!event_filter_add(none, "colour", "red"));
    event_filter_free(none);
    fake_init(&f, FAKE_CAPS, true);
    publish(&f, "exec_start: ls", "v=1");
    ev = events_next(f.sub);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ev);
    CU_ASSERT(matches("type", "container", ev) && !matches("type", "image", ev));
    CU_ASSERT(matches("event", "exec_start", ev) && !matches("event", "exec", ev));
    CU_ASSERT(matches("container", "abc", ev) && matches("container", "web", ev) && !matches("container", "we", ev));
    CU_ASSERT(matches("image", "nginx", ev) && matches("image", "nginx:1", ev) && !matches("image", "ngin", ev));
    CU_ASSERT(matches("label", "k", ev) && matches("label", "k=v=1", ev) && !matches("label", "k=v", ev));
    CU_ASSERT(!matches("network", "abc", ev));
    event_unref(ev);
    fake_fini(&f);
}

static void test_event_replay(void)
{
    struct fake f;
    struct events_opts o = {0};
    struct events_sub *s;
    struct event *ev;
    int64_t last = 0;
    size_t n = 0;

    fake_init(&f, FAKE_CAPS, true);
    for (int i = 0; i < 300; i++)
        publish(&f, "tick", "x");
    o.since = 1;
    s = events_subscribe(f.e, &o);
    while ((ev = events_next(s)) != NULL) {
        CU_ASSERT(ev->time > last);
        last = ev->time;
        n++;
        event_unref(ev);
    }
    UNIT_INT_EQ(n, EVENTS_RING);
    for (unsigned i = 0; i <= EVENTS_QUEUE; i++)
        publish(&f, "tick", "x");
    CU_ASSERT(events_dropped(s));
    events_unsubscribe(s);
    UNIT_INT_EQ(events_subscribers(f.e), 1);
    fake_fini(&f);
}

/* ---- the store ---- */

static int try_open(struct fake *f, const char *dir, struct skl_error *err)
{
    struct engine_opts opts = {.loop = f->loop, .state_dir = dir};
    struct engine *e = NULL;
    int rc = engine_open(&opts, &e, err);

    if (rc == 0)
        engine_close(e);
    return rc;
}

static void sql(const char *dir, const char *text)
{
    CLEANUP(free_p) char *path = xasprintf("%s/state.db", dir);
    sqlite3 *db;

    CU_ASSERT(sqlite3_open(path, &db) == SQLITE_OK);
    CU_ASSERT(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
}

static void test_store(void)
{
    struct fake f;
    struct skl_error err = {0};
    char first[ID_SIZE], dir[300];
    size_t len;
    char *v;
    FILE *file;
    CLEANUP(free_p) char *path = NULL;
    struct stat st;

    fake_init(&f, FAKE_CAPS, true);
    CU_ASSERT(try_open(&f, f.dir, &err) < 0); /* two daemons */
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "in use by another daemon"));
    memcpy(first, engine_daemon_id(f.e), sizeof(first));
    CU_ASSERT(engine_kv(f.e)->put(f.e, "fake", "k", "v\0w", 3, NULL) == 0);
    fake_reopen(&f);
    UNIT_STR_EQ(engine_daemon_id(f.e), first);
    v = engine_kv(f.e)->get(f.e, "fake", "k", &len);
    CU_ASSERT(v != NULL && len == 3 && memcmp(v, "v\0w", 4) == 0);
    free(v);
    CU_ASSERT_PTR_NULL(engine_kv(f.e)->get(f.e, "other", "k", &len));
    snprintf(dir, sizeof(dir), "%s", f.dir);
    path = xasprintf("%s/state.db", dir);
    stat(path, &st);
    UNIT_INT_EQ(st.st_mode & 077, 0);
    snprintf(f.dir, sizeof(f.dir), "%s/other", unit_tmpdir());
    fake_reopen(&f); /* lets go of dir */
    sql(dir, "PRAGMA user_version = 99");
    CU_ASSERT(try_open(&f, dir, &err) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "newer version"));
    sql(dir, "PRAGMA user_version = 1");
    CU_ASSERT(try_open(&f, dir, &err) == 0);
    sql(dir, "INSERT INTO containers(id,name,created,image_ref,image_id,driver,platform,config,host_config,token,mounts,"
             "endpoints,visible,status,starting,run,started,finished,exit_code,error,oom,manually_stopped,restart_count)"
             "VALUES('short','n',0,'','','','','{}','{}','','[]','[]',1,0,0,0,0,0,0,'',0,0,0)");
    CU_ASSERT(try_open(&f, dir, &err) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "malformed container"));
    file = fopen(path, "w");
    fputs("this was a database once, a long time ago, and it is not any more; nobody may overwrite it", file);
    fclose(file);
    unlink((free(path), path = xasprintf("%s/state.db-wal", dir)));
    CU_ASSERT(try_open(&f, dir, &err) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "is damaged"));
    free(path);
    path = xasprintf("%s/state.db", dir);
    stat(path, &st);
    UNIT_INT_EQ(st.st_size, 90);
    fake_fini(&f);
}

UNIT_MAIN("state_tables", UNIT(test_references), UNIT(test_names), UNIT(test_lookup), UNIT(test_derive), UNIT(test_images),
          UNIT(test_image_in_use), UNIT(test_networks), UNIT(test_addresses), UNIT(test_volumes), UNIT(test_execs),
          UNIT(test_event_filters), UNIT(test_event_replay), UNIT(test_store))
