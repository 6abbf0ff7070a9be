/*
 * sockerless/retry.h - when a driver may send a request again, and when.
 *
 * Whether a repetition does harm depends on the method, on what the server said, and on whether the request can have arrived at all. These
 * helpers hold the rules; attempts are counted and timers started by the driver, which knows its call's deadline. They are inline, so
 * they are no part of the ABI.
 *
 * Never repeat the request that starts a run, whatever they say.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOCKERLESS_RETRY_H
#define SOCKERLESS_RETRY_H

#include <stdlib.h>
#include "sockerless/driver.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SKL_RETRY_FIRST_NS (INT64_C(250) * 1000000)       /* upper end of the first pause */
#define SKL_RETRY_PAUSE_MAX_NS (INT64_C(30) * 1000000000)
#define SKL_RETRY_AFTER_MAX_S 300                         /* a server that asks for more is not waited for longer */

/* 1: sending the request again can do no harm and may help. idempotent: the method is (GET, PUT, DELETE), or a request ID makes it so. */
static inline int skl_retry_allowed(const struct skl_http_response *res, int idempotent)
{
    if (res->status == 0) {
        int32_t kind = res->error != NULL ? res->error->kind : SKL_ERR_INTERNAL;

        if (kind == SKL_ERR_CANCELED || kind == SKL_ERR_INVALID)
            return 0;
        return idempotent || !res->request_sent;
    }
    if (res->status == 429)
        return 1; /* refused, not begun */
    return idempotent && (res->status == 408 || res->status == 500 || res->status == 502 || res->status == 503 || res->status == 504);
}

/*
 * The pause before attempt `attempt` (1: the first repetition): what the server asks for in Retry-After (seconds), else a random time up to
 * an end that doubles, so that many who failed together do not come back together.
 */
static inline int64_t skl_retry_pause(const struct skl_host *host, const struct skl_http_response *res, unsigned attempt)
{
    const char *after = res->status != 0 ? res->header(res, "Retry-After") : NULL;
    int64_t end = SKL_RETRY_FIRST_NS;
    uint64_t random = 0;

    if (after != NULL && *after >= '0' && *after <= '9') {
        long s = strtol(after, NULL, 10);

        return (int64_t)(s < SKL_RETRY_AFTER_MAX_S ? s : SKL_RETRY_AFTER_MAX_S) * 1000000000;
    }
    while (attempt-- > 1 && end < SKL_RETRY_PAUSE_MAX_NS)
        end *= 2;
    if (end > SKL_RETRY_PAUSE_MAX_NS)
        end = SKL_RETRY_PAUSE_MAX_NS;
    host->random(host->ctx, &random, sizeof(random));
    return 1 + (int64_t)(random % (uint64_t)end);
}

#ifdef __cplusplus
}
#endif
#endif
