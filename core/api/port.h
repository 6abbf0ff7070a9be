/*
 * api/port.h - port and bind specifications of a create body.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_PORT_H
#define SKL_API_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

struct port {
    uint16_t first, last; /* the same for one port */
    char proto[8];        /* tcp, udp, sctp */
};
/* "80", "80/tcp", "8000-8010/udp". */
int port_parse(const char *s, struct port *ret, struct skl_error *err);
/* "", "0", "8080", "8080-8090": *ret_first 0: any. */
int port_parse_host(const char *s, uint16_t *ret_first, uint16_t *ret_last, struct skl_error *err);

enum bind_kind { BIND_HOST, BIND_VOLUME };
struct bind {
    enum bind_kind kind;
    char *source;      /* path on the host or volume name; "": a volume without a name */
    char *target;
    char *mode;        /* what follows the second colon, "" */
    bool read_only;
    bool no_copy;
};
/* "/host:/target[:ro,...]", "volume:/target[:...]" or "/target". Docker's texts. */
int bind_parse(const char *s, struct bind *ret, struct skl_error *err);
void bind_fini(struct bind *b);

/* [a-zA-Z0-9][a-zA-Z0-9_.-]+ : names of containers and volumes. */
bool name_is_valid(const char *s);

#endif
