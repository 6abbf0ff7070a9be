/*
 * simulator/netns.c - network namespaces for instances. Making and deleting one takes the kernel some 20 ms, so a few are made
 * ahead and they are used again: an instance can't change its network (it has no CAP_NET_ADMIN), and its processes, and with
 * them its sockets, are gone when its namespace comes back. The one that rested longest is taken first, so that connections in
 * TIME_WAIT are over by then.
 *
 * Each is a point-to-point link: a veth whose host end has NETNS_HOST_ADDR/32 (all of them have) and whose inner
 * end has an address of its own out of 169.254.1.0 to 169.254.126.255; a route for it on the host, a default route inside. Addresses are drawn
 * at random and the route is made exclusively, so that several simulators on one machine don't meet.
 *
 * A namespace is made in a thread: unshare() moves only the calling thread, and the namespace lives on by a file
 * descriptor. Configuration is netlink; no program is run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "simulator/netns.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/error.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "simulator/sim.h"

#define POOL_SIZE 4   /* made ahead */
#define RESTING_MAX 64 /* kept for another use; more are deleted */
#define ADDRESS_TRIES 16

struct netns_pool {
    struct loop *loop;
    struct list ready;
    size_t n, working;   /* resting; calls to threads under way */
    size_t making;
    uint32_t group;      /* all host ends are in it: deleted at once */
    bool broken;
    bool closed;
    struct skl_error why;
};

struct making {
    struct netns_pool *pool;
    struct netns *ns;
    bool failed;
    struct skl_error err;
};

/* ---- in the new namespace ---- */

struct unshared {
    int ns_fd, nl_fd;
    int error;
};

/* Leaves with a descriptor of the namespace and a netlink socket in it. */
static void *unshare_thread(void *arg)
{
    struct unshared *u = arg;

    u->ns_fd = u->nl_fd = -1;
    if (unshare(CLONE_NEWNET) < 0) {
        u->error = errno;
        return NULL;
    }
    u->ns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    u->nl_fd = nl_open();
    if (u->ns_fd < 0 || u->nl_fd < 0)
        u->error = errno;
    return NULL;
}

static int make_namespace(struct unshared *u, struct skl_error *err)
{
    pthread_t t;
    int rc = pthread_create(&t, NULL, unshare_thread, u);

    if (rc != 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, rc, "making a thread");
    pthread_join(t, NULL);
    if (u->error == EPERM)
        return error_set(err, SKL_ERR_FORBIDDEN,
                         "making a network namespace is not permitted: run as root, or use --network host");
    return u->error != 0 ? error_set_errno(err, SKL_ERR_INTERNAL, u->error, "making a network namespace") : 0;
}

static int configure_inside(struct netns *n, int nl, struct skl_error *err)
{
    struct in_addr host;
    int lo = nl_link_index(nl, "lo"), eth = nl_link_index(nl, "eth0");

    inet_pton(AF_INET, NETNS_HOST_ADDR, &host);
    if (nl_link_up(nl, lo) < 0 || nl_link_up(nl, eth) < 0 || nl_addr_add(nl, eth, n->addr, 32) < 0 ||
        nl_route_add(nl, eth, host, 32, NULL, 0) < 0 || nl_route_add(nl, eth, (struct in_addr){0}, 0, &host, 0) < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "setting up a function's network");
    return 0;
}

static int configure_host(struct netns *n, int nl, struct skl_error *err)
{
    struct in_addr host;
    int index = nl_link_index(nl, n->host_if);

    inet_pton(AF_INET, NETNS_HOST_ADDR, &host);
    if (index < 0 || nl_addr_add(nl, index, host, 32) < 0 || nl_link_up(nl, index) < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "setting up %s", n->host_if);
    for (int i = 0; i < ADDRESS_TRIES; i++) {
        n->addr.s_addr = htonl(0xa9fe0100u + (uint32_t)(random_u64() % 0x7e00));
        if (n->addr.s_addr == host.s_addr)
            continue;
        if (nl_route_add(nl, index, n->addr, 32, NULL, 1) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return error_set_errno(err, SKL_ERR_INTERNAL, errno, "no address for a function");
}

static int make(struct netns *n, struct skl_error *err)
{
    struct unshared u = {0};
    int nl = -1, rc = -1;

    snprintf(n->host_if, sizeof(n->host_if), "skl%09llx", (unsigned long long)(random_u64() & 0xfffffffffULL));
    if (make_namespace(&u, err) == 0 && (nl = nl_open()) >= 0) {
        if (nl_veth_add(nl, n->host_if, n->pool->group, "eth0", u.ns_fd) < 0)
            error_set_errno(err, SKL_ERR_INTERNAL, errno, "making a pair of interfaces");
        else if (configure_host(n, nl, err) == 0 && configure_inside(n, u.nl_fd, err) == 0)
            rc = 0;
    }
    if (nl >= 0)
        close(nl);
    if (u.nl_fd >= 0)
        close(u.nl_fd);
    n->fd = u.ns_fd;
    return rc;
}

/* ---- the pool ---- */

static struct netns *netns_new(struct netns_pool *p)
{
    struct netns *n = xcalloc(1, sizeof(*n));

    n->pool = p;
    n->fd = -1;
    list_init(&n->link);
    return n;
}

static void delete_link(const struct netns *n)
{
    int nl = nl_open();

    if (nl < 0)
        return;
    (void)nl_link_delete(nl, n->host_if);
    close(nl);
}

/* Deleting one end of the pair deletes both, and the route. */
static void netns_free(struct netns *n)
{
    list_remove(&n->link);
    if (n->fd >= 0)
        close(n->fd);
    free(n);
}

static void work_done(struct netns_pool *p)
{
    if (--p->working == 0 && p->closed)
        free(p);
}

static void make_work(void *arg)
{
    struct making *m = arg;

    m->failed = make(m->ns, &m->err) < 0;
    if (m->failed)
        delete_link(m->ns);
}

static void make_done(void *arg)
{
    struct making *m = arg;
    struct netns_pool *p = m->pool;

    p->making--;
    if (m->failed && !p->closed) {
        p->broken = true;
        p->why = m->err;
        log_error("netns", "%s", m->err.message);
    }
    if (m->failed)
        netns_free(m->ns);
    else
        netns_put(m->ns);
    free(m);
    work_done(p);
}

static void delete_work(void *arg)
{
    struct making *m = arg;

    delete_link(m->ns);
}

static void delete_done(void *arg)
{
    struct making *m = arg;

    netns_free(m->ns);
    work_done(m->pool);
    free(m);
}

static void start_work(struct netns_pool *p, struct netns *n, void (*work)(void *arg), void (*done)(void *arg))
{
    struct making *m = xcalloc(1, sizeof(*m));

    m->pool = p;
    m->ns = n;
    p->working++;
    loop_work(p->loop, work, done, m);
}

static void refill(struct netns_pool *p)
{
    while (!p->broken && p->n + p->making < POOL_SIZE) {
        p->making++;
        start_work(p, netns_new(p), make_work, make_done);
    }
}

struct netns_pool *netns_pool_new(struct loop *loop, struct skl_error *err)
{
    struct netns_pool *p = xcalloc(1, sizeof(*p));
    struct netns *first;

    p->loop = loop;
    p->group = (uint32_t)random_u64() | 1u;
    list_init(&p->ready);
    first = netns_take(p, err); /* says at once what is missing */
    if (first == NULL) {
        free(p);
        return NULL;
    }
    netns_put(first);
    return p;
}

struct netns *netns_take(struct netns_pool *p, struct skl_error *err)
{
    struct netns *n;

    if (p->n > 0) {
        n = LIST_ENTRY(p->ready.next, struct netns, link);
        list_remove(&n->link);
        p->n--;
    } else if (n = netns_new(p), make(n, err) < 0) {
        delete_link(n);
        netns_free(n);
        return NULL;
    }
    refill(p);
    return n;
}

void netns_put(struct netns *n)
{
    struct netns_pool *p = n != NULL ? n->pool : NULL;

    if (p == NULL)
        return;
    if (p->closed) {
        delete_link(n);
        netns_free(n);
    } else if (p->n < RESTING_MAX) {
        list_push_back(&p->ready, &n->link);
        p->n++;
    } else {
        start_work(p, n, delete_work, delete_done);
    }
}

void netns_pool_free(struct netns_pool *p)
{
    int nl;

    if (p == NULL)
        return;
    p->closed = true;
    if ((nl = nl_open()) >= 0) {
        (void)nl_group_delete(nl, p->group);
        close(nl);
    }
    LIST_FOREACH_SAFE(node, tmp, &p->ready)
        netns_free(LIST_ENTRY(node, struct netns, link));
    if (p->working == 0)
        free(p);
}
