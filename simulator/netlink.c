/*
 * simulator/netlink.c - see netns.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "simulator/netns.h"

#define REQUEST_MAX 1024

struct request {
    union {
        struct nlmsghdr head;
        char space[REQUEST_MAX];
    };
};

int nl_open(void)
{
    struct sockaddr_nl sa = {.nl_family = AF_NETLINK};
    struct timeval timeout = {.tv_sec = 5};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void *begin(struct request *r, uint16_t type, uint16_t flags, size_t body)
{
    memset(r, 0, sizeof(*r));
    r->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
    r->head.nlmsg_type = type;
    r->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    return NLMSG_DATA(&r->head);
}

static struct rtattr *add(struct request *r, uint16_t type, const void *data, size_t n)
{
    struct rtattr *a = (struct rtattr *)(r->space + NLMSG_ALIGN(r->head.nlmsg_len));

    a->rta_type = type;
    a->rta_len = (unsigned short)RTA_LENGTH(n);
    if (n > 0)
        memcpy(RTA_DATA(a), data, n);
    r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + (uint32_t)RTA_ALIGN(a->rta_len);
    return a;
}

static void end(struct request *r, struct rtattr *nest)
{
    nest->rta_len = (unsigned short)(r->space + r->head.nlmsg_len - (char *)nest);
}

/* Sends and waits for the kernel's word: it answers within the call. */
static int talk(int nl, struct request *r)
{
    char answer[4096];
    ssize_t n;
    const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)answer;

    if (send(nl, r, r->head.nlmsg_len, 0) < 0)
        return -1;
    do {
        n = recv(nl, answer, sizeof(answer), 0);
    } while (n < 0 && errno == EINTR);
    if (n < (ssize_t)sizeof(*h) || h->nlmsg_type != NLMSG_ERROR)
        return -1;
    errno = -((const struct nlmsgerr *)NLMSG_DATA(h))->error;
    return errno == 0 ? 0 : -1;
}

int nl_link_index(int nl, const char *name)
{
    struct request r;
    char answer[8192];
    const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)answer;
    struct ifinfomsg *m = begin(&r, RTM_GETLINK, 0, sizeof(*m));
    ssize_t n;

    r.head.nlmsg_flags = NLM_F_REQUEST;
    m->ifi_family = AF_UNSPEC;
    add(&r, IFLA_IFNAME, name, strlen(name) + 1);
    if (send(nl, &r, r.head.nlmsg_len, 0) < 0)
        return -1;
    n = recv(nl, answer, sizeof(answer), 0);
    if (n < (ssize_t)NLMSG_LENGTH(sizeof(*m)) || h->nlmsg_type != RTM_NEWLINK) {
        errno = ENODEV;
        return -1;
    }
    return ((const struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
}

int nl_veth_add(int nl, const char *name, uint32_t group, const char *peer, int peer_ns_fd)
{
    struct request r;
    struct ifinfomsg *m = begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m)), inner = {0};
    struct rtattr *info, *data, *p;
    uint32_t fd = (uint32_t)peer_ns_fd;

    add(&r, IFLA_IFNAME, name, strlen(name) + 1);
    add(&r, IFLA_GROUP, &group, sizeof(group));
    info = add(&r, IFLA_LINKINFO, NULL, 0);
    add(&r, IFLA_INFO_KIND, "veth", 4);
    data = add(&r, IFLA_INFO_DATA, NULL, 0);
    p = add(&r, VETH_INFO_PEER, &inner, sizeof(inner));
    add(&r, IFLA_IFNAME, peer, strlen(peer) + 1);
    add(&r, IFLA_NET_NS_FD, &fd, sizeof(fd));
    end(&r, p);
    end(&r, data);
    end(&r, info);
    return talk(nl, &r);
}

int nl_link_delete(int nl, const char *name)
{
    struct request r;

    begin(&r, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
    add(&r, IFLA_IFNAME, name, strlen(name) + 1);
    return talk(nl, &r);
}

int nl_group_delete(int nl, uint32_t group)
{
    struct request r;

    begin(&r, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
    add(&r, IFLA_GROUP, &group, sizeof(group));
    return talk(nl, &r);
}

int nl_link_up(int nl, int index)
{
    struct request r;
    struct ifinfomsg *m = begin(&r, RTM_NEWLINK, 0, sizeof(*m));

    m->ifi_index = index;
    m->ifi_flags = m->ifi_change = IFF_UP;
    return talk(nl, &r);
}

int nl_addr_add(int nl, int index, struct in_addr addr, int prefix)
{
    struct request r;
    struct ifaddrmsg *m = begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));

    m->ifa_family = AF_INET;
    m->ifa_prefixlen = (uint8_t)prefix;
    m->ifa_index = (uint32_t)index;
    add(&r, IFA_LOCAL, &addr, sizeof(addr));
    add(&r, IFA_ADDRESS, &addr, sizeof(addr));
    return talk(nl, &r);
}

int nl_route_add(int nl, int index, struct in_addr to, int prefix, const struct in_addr *via, int exclusive)
{
    struct request r;
    struct rtmsg *m = begin(&r, RTM_NEWROUTE, (uint16_t)(NLM_F_CREATE | (exclusive ? NLM_F_EXCL : NLM_F_REPLACE)), sizeof(*m));
    uint32_t oif = (uint32_t)index;

    m->rtm_family = AF_INET;
    m->rtm_table = RT_TABLE_MAIN;
    m->rtm_protocol = RTPROT_BOOT;
    m->rtm_scope = via != NULL ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    m->rtm_type = RTN_UNICAST;
    m->rtm_dst_len = (uint8_t)prefix;
    if (prefix > 0)
        add(&r, RTA_DST, &to, sizeof(to));
    if (via != NULL)
        add(&r, RTA_GATEWAY, via, sizeof(*via));
    add(&r, RTA_OIF, &oif, sizeof(oif));
    return talk(nl, &r);
}
