/*
 * tests/fuzz/fuzz_state_row.c - what the store's rows hold as text: lines of config, host config, mounts, endpoints,
 * labels, IPAM configuration.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/ipam.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct engine *engine;
static char dir[] = "/tmp/skl-fuzz-row-XXXXXX";

static void clean_up(void)
{
    struct loop *loop = engine_loop(engine);

    engine_close(engine);
    loop_free(loop);
    fs_remove_tree(dir, NULL);
}

static void set_up(void)
{
    struct engine_opts opts = {.loop = loop_new(NULL), .state_dir = dir};

    if (mkdtemp(dir) == NULL || engine_open(&opts, &engine, NULL) < 0)
        abort();
    atexit(clean_up);
}

static void try_network(const char *text)
{
    struct network n = {.engine = engine};
    JSON_CLEANUP struct json_object *o = json_from_text(text);

    list_init(&n.endpoints);
    if (ipam_pool(&n, o, NULL) == 0 && n.has_pool) {
        struct endpoint ep = {.network = &n};

        if (ipam_address(&n, &ep, NULL, NULL) == 0 && (ep.ip & prefix_mask(n.prefix_len)) != n.subnet)
            abort();
    }
    free(n.ipam_config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(free_p) char *text = xstrndup((const char *)data, size);
    CLEANUP(free_p) char **lines = str_split(text, '\n', NULL);
    const char *part[6] = {"", "", "", "", "", ""};
    struct container *c;
    struct label *labels;
    size_t n;

    if (engine == NULL)
        set_up();
    for (size_t i = 0; i < ARRAY_LEN(part) && lines[i] != NULL; i++)
        part[i] = lines[i];
    c = container_new(engine);
    c->config = xstrdup(part[0]);
    c->host_config = xstrdup(part[1]);
    container_derive(c, NULL);
    mounts_from_text(c, part[2], NULL);
    endpoints_from_text(c, part[3], NULL);
    container_unref(c);
    labels = labels_from_text(part[4], &n);
    for (size_t i = 0; i < n; i++)
        if (labels_get(labels, n, labels[i].key) == NULL)
            abort();
    labels_free(labels);
    try_network(part[5]);
    return 0;
}
