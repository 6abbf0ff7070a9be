/*
 * api/df.c - GET /system/df.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "api/containers_text.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/str.h"
#include "state/engine.h"

#define DF_CONTAINER 1u
#define DF_IMAGE 2u
#define DF_VOLUME 4u
#define DF_BUILD 8u

static int read_types(struct api_call *c, unsigned *ret, struct skl_error *err)
{
    static const char *const names[] = {"container", "image", "volume", "build-cache"};
    const char *type;

    *ret = 0;
    for (size_t i = 0; c->version >= 42 && (type = http_req_query_nth(c->req, "type", i)) != NULL; i++) {
        size_t k = 0;
        while (k < 4 && !str_eq(names[k], type))
            k++;
        if (k == 4)
            return error_set(err, SKL_ERR_INVALID, "unknown object type: %s", type);
        *ret |= 1u << k;
    }
    if (*ret == 0)
        *ret = DF_CONTAINER | DF_IMAGE | DF_VOLUME | DF_BUILD;
    return 0;
}

void api_system_df(struct api_call *c)
{
    struct engine *e = c->api->opts.engine;
    struct skl_error err = {0};
    unsigned types;
    struct buf out;
    struct jw w;

    if (read_types(c, &types, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_i64(&w, "LayersSize", 0);
    jw_array(&w, "Images");
    for (struct image *im = image_first(e); (types & DF_IMAGE) != 0 && im != NULL; im = image_next(im))
        image_write_item(&w, im, NULL, c->version, IMAGE_CONTAINERS | IMAGE_SHARED_SIZE);
    jw_array_end(&w);
    jw_array(&w, "Containers");
    if ((types & DF_CONTAINER) != 0) {
        int64_t now = clock_wall();
        CONTAINER_FOREACH(k, e)
            if (k->visible)
                container_write_item(c, &w, k, now, true);
    }
    jw_array_end(&w);
    jw_array(&w, "Volumes");
    for (struct volume *v = volume_first(e); (types & DF_VOLUME) != 0 && v != NULL; v = volume_next(v))
        volume_write(&w, v, true);
    jw_array_end(&w);
    jw_array(&w, "BuildCache");
    jw_array_end(&w);
    jw_object_end(&w);
    api_reply_json(c, 200, &out);
}
