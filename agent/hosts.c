/*
 * agent/hosts.c - addresses from text: literals and /etc/hosts. See hosts.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agent/hosts.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#define HOSTS_MAX (1024u * 1024)

bool hosts_address(const char *text, uint16_t port, struct sockaddr_storage *ss, socklen_t *len)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

    memset(ss, 0, sizeof(*ss));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *len = sizeof(*v4);
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *len = sizeof(*v6);
        return true;
    }
    return false;
}

char *hosts_lookup(const char *name)
{
    struct buf text;
    char *save = NULL, *found = NULL;

    buf_init(&text, HOSTS_MAX);
    if (fs_read_file("/etc/hosts", &text, NULL) == 0 && text.len > 0)
        for (char *line = strtok_r(text.data, "\n", &save); line != NULL && found == NULL; line = strtok_r(NULL, "\n", &save)) {
            char *rest = NULL, *addr = strtok_r(line, " \t\r", &rest), *alias;
            if (addr == NULL || addr[0] == '#')
                continue;
            while ((alias = strtok_r(NULL, " \t\r", &rest)) != NULL && alias[0] != '#')
                if (str_ieq(alias, name)) {
                    found = xstrdup(addr);
                    break;
                }
        }
    buf_fini(&text);
    return found;
}
