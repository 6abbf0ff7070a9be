/*
 * tests/fuzz/fuzz_api_specs.c - the small texts of the API: ports, binds, detach keys, challenges, versions, signals,
 * listeners, times. The first byte picks the parser.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "api/auth_config.h"
#include "api/detach.h"
#include "api/port.h"
#include "api/registry.h"
#include "api/version.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/signame.h"
#include "daemon/listen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void swallow(void *arg, const char *p, size_t n)
{
    *(size_t *)arg += n > 0 ? (unsigned char)p[n - 1] : 0;
}

static void detach(const char *s, const char *in, size_t n)
{
    struct detach d;
    size_t sum = 0;

    if (detach_parse(s, &d, NULL) == 0)
        detach_feed(&d, in, n, swallow, &sum);
}

static void bind(const char *s)
{
    struct bind b;

    bind_parse(s, &b, NULL);
    bind_fini(&b);
}

static void challenge(const char *s)
{
    struct registry_challenge c;

    if (registry_challenge_parse(s, &c) == 0)
        registry_challenge_fini(&c);
}

static void auth(const char *s)
{
    struct auth_config a;

    if (auth_config_parse_header(s, &a, NULL) == 0)
        auth_config_fini(&a);
}

static void version(const char *s)
{
    const char *rest;
    int minor, old;

    version_split(s, &rest, &minor, &old, NULL);
}

static void ports(const char *s)
{
    struct port p;
    uint16_t a, b;

    port_parse(s, &p, NULL);
    port_parse_host(s, &a, &b, NULL);
}

/* What was read is what it is when it is written and read again. */
static void times(const char *s)
{
    char text[TIME_RFC3339_SIZE];
    int64_t t = 0, again = 0, ns;

    duration_parse(s, &ns);
    if (!time_parse_docker(s, INT64_C(1700000000) * NS_PER_S, &t))
        return;
    if (!time_parse_rfc3339(time_format_rfc3339(t, text), &again) || again != t)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(free_p) char *s = NULL;
    struct listen_addr a;

    if (size == 0)
        return 0;
    s = xstrndup((const char *)data + 1, size - 1);
    if (data[0] == 't') {
        times(s);
        return 0;
    }
    switch (data[0] % 8) {
    case 0:
        ports(s);
        break;
    case 1:
        bind(s);
        break;
    case 2:
        detach(s, (const char *)data, size);
        break;
    case 3:
        challenge(s);
        break;
    case 4:
        version(s);
        break;
    case 5:
        signame_parse(s);
        break;
    case 6:
        listen_parse(s, 1, &a, NULL);
        break;
    default:
        auth(s);
    }
    return 0;
}
