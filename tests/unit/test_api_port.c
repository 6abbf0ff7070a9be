/*
 * tests/unit/test_api_port.c - port and bind specifications, names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "api/port.h"
#include "base/mem.h"
#include "tests/unit/harness.h"

static void test_port_good(void)
{
    static const struct {
        const char *text;
        uint16_t first, last;
        const char *proto;
    } cases[] = {
        {"80", 80, 80, "tcp"},         {"80/tcp", 80, 80, "tcp"},    {"53/UDP", 53, 53, "udp"},
        {"8000-8010/udp", 8000, 8010, "udp"}, {"65535/sctp", 65535, 65535, "sctp"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct port p;
        UNIT_INT_EQ(port_parse(cases[i].text, &p, NULL), 0);
        UNIT_INT_EQ(p.first, cases[i].first);
        UNIT_INT_EQ(p.last, cases[i].last);
        UNIT_STR_EQ(p.proto, cases[i].proto);
    }
}

static void test_port_bad(void)
{
    static const char *const cases[] = {"",      "/",     "0",        "65536", "80/",    "80/icmp", "-1",       "80-70",
                                        "80-",   "-80",   "80-90-99", "a",     " 80",    "80 ",     "80/tcp/x", "1e3",
                                        "80/tcptcptcptcptcp"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct port p;
        struct skl_error err = {0};
        UNIT_INT_EQ(port_parse(cases[i], &p, &err), -1);
        UNIT_INT_EQ(err.kind, SKL_ERR_INVALID);
    }
}

static void test_port_host(void)
{
    uint16_t a, b;

    UNIT_INT_EQ(port_parse_host("", &a, &b, NULL), 0);
    UNIT_INT_EQ(a, 0);
    UNIT_INT_EQ(port_parse_host("8080-8090", &a, &b, NULL), 0);
    UNIT_INT_EQ(a, 8080);
    UNIT_INT_EQ(b, 8090);
    UNIT_INT_EQ(port_parse_host("x", &a, &b, NULL), -1);
    UNIT_INT_EQ(port_parse_host("70000", &a, &b, NULL), -1);
}

static void test_bind_good(void)
{
    struct bind b;

    UNIT_INT_EQ(bind_parse("/a:/b:ro,z", &b, NULL), 0);
    UNIT_INT_EQ(b.kind, BIND_HOST);
    UNIT_STR_EQ(b.source, "/a");
    UNIT_STR_EQ(b.target, "/b");
    UNIT_STR_EQ(b.mode, "ro,z");
    CU_ASSERT(b.read_only);
    bind_fini(&b);
    UNIT_INT_EQ(bind_parse("vol_1.x:/data", &b, NULL), 0);
    UNIT_INT_EQ(b.kind, BIND_VOLUME);
    UNIT_STR_EQ(b.mode, "");
    CU_ASSERT(!b.read_only);
    bind_fini(&b);
    UNIT_INT_EQ(bind_parse("vol:/data:nocopy", &b, NULL), 0);
    CU_ASSERT(b.no_copy);
    bind_fini(&b);
    UNIT_INT_EQ(bind_parse("/anonymous", &b, NULL), 0);
    UNIT_INT_EQ(b.kind, BIND_VOLUME);
    UNIT_STR_EQ(b.source, "");
    UNIT_STR_EQ(b.target, "/anonymous");
    UNIT_STR_EQ(b.mode, "");
    bind_fini(&b);
}

static void test_bind_bad(void)
{
    static const char *const cases[] = {"",        "a",       "/",         ":/b",       "/a:b",      "/a:/",      "/a:///",  "a:/b:xx",
                                        "/a:/b:nocopy", "x:/b", "./a:/b",  "a b:/c",    "/a:/b:ro:x", "a:",     "/a:/b:,"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bind b;
        struct skl_error err = {0};
        int rc = bind_parse(cases[i], &b, &err);
        UNIT_INT_EQ(rc, -1);
        if (rc == 0)
            printf("# accepted: %s\n", cases[i]);
        UNIT_INT_EQ(err.kind, SKL_ERR_INVALID);
        bind_fini(&b);
    }
}

static void test_names(void)
{
    CU_ASSERT(name_is_valid("c1"));
    CU_ASSERT(name_is_valid("A.b_c-9"));
    CU_ASSERT(!name_is_valid("a"));
    CU_ASSERT(!name_is_valid("-x"));
    CU_ASSERT(!name_is_valid("x y"));
    CU_ASSERT(!name_is_valid(""));
    CU_ASSERT(!name_is_valid("x/y"));
    CU_ASSERT(!name_is_valid("\xc3\xa4\xc3\xa4"));
}

UNIT_MAIN("api_port", UNIT(test_port_good), UNIT(test_port_bad), UNIT(test_port_host), UNIT(test_bind_good),
          UNIT(test_bind_bad), UNIT(test_names))
