/*
 * tests/unit/gcp/driver.c - opening the driver under test with options as text (fake.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fake.h"
#include "cloud-run-functions/instance.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 40

uint64_t fake_caps;

static int64_t duration(const char *text)
{
    char *end;
    int64_t n = strtoll(text, &end, 10);

    return !strcmp(end, "ns") ? n : n * FAKE_SEC;
}

static void set(struct skl_value *v, const struct skl_option *o, const char *text)
{
    v->size = sizeof(*v);
    v->str = text;
    if (text && o->type == SKL_OPT_DURATION)
        v->num = duration(text);
    else if (text && (o->type == SKL_OPT_INT || o->type == SKL_OPT_BOOL))
        v->num = strtoll(text, NULL, 10);
}

struct skl_instance *fake_open(struct fake *f, struct skl_error *err, ...)
{
    static struct skl_value values[OPTIONS_MAX];
    const struct skl_value *table[OPTIONS_MAX] = {NULL};
    const struct skl_option *o = gcf_driver.options;
    struct skl_instance *inst = NULL;
    const char *name;
    va_list ap;

    memset(values, 0, sizeof(values));
    for (int i = 0; o[i].name; i++) {
        table[i] = &values[i];
        set(&values[i], &o[i], o[i].default_value);
    }
    va_start(ap, err);
    while ((name = va_arg(ap, const char *))) {
        const char *text = va_arg(ap, const char *);

        for (int i = 0; o[i].name; i++)
            if (!strcmp(o[i].name, name)) {
                set(&values[i], &o[i], text);
                values[i].is_set = 1;
            }
    }
    va_end(ap);
    return gcf_driver.open(&f->host, table, &inst, &fake_caps, err) < 0 ? NULL : inst;
}

void fake_close(struct fake *f, struct skl_instance *inst)
{
    fake_shutdown(f);
    gcf_driver.close(inst);
}

struct skl_container fake_container(void)
{
    static const char *const argv[] = {"echo", "hi", NULL};
    static const char *const env[] = {"PATH=/bin", "A=1", NULL};
    static const struct skl_kv labels[] = {{"com.example/x", "y"}, {NULL, NULL}};
    struct skl_container c = {
        .size = sizeof(c), .id = FAKE_ID, .name = "web", .image = "busybox", .image_id = "sha256:1"};

    c.argv = argv;
    c.env = env;
    c.working_dir = "";
    c.user = "";
    c.labels = labels;
    c.platform = "";
    c.agent_token = "secret-agent-token";
    c.agent_callback_url = "http://127.0.0.1:3376";
    c.process = "eyJhcmd2IjpbImVjaG8iLCJoaSJdfQ==";
    c.daemon_id = "daemon-1";
    return c;
}
