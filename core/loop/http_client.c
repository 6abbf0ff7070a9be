/*
 * loop/http_client.c - the pool: curl's multi handle on the loop.
 *
 * curl asks for descriptors and one timer to be watched (on_curl_socket, on_curl_timer) and is told when they are
 * ready (act). Its API must not be entered again from its own callbacks, and callers use ours from anywhere, so
 * starting, resuming and cancelling are noted in the call and done a moment later, from the loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/http_internal.h"

#define POOL_IDLE_MAX 64L /* kept-alive connections */

struct http_socket {
    struct list link;
    struct http_client *client;
    struct io io;
};

/* ---- completions ---- */

static void take_completions(struct http_client *c)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
        struct http_call *call = NULL;
        CURLcode result = m->data.result;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        http_call_complete(call, result);
    }
}

static void act(struct http_client *c, curl_socket_t fd, int what)
{
    int running;
    CURLMcode r;

    r = curl_multi_socket_action(c->multi, fd, what, &running);
    if (r != CURLM_OK)
        log_error("loop", "curl_multi_socket_action: %s", curl_multi_strerror(r));
    take_completions(c);
}

/* ---- what curl wants watched ---- */

static void on_socket_ready(void *arg, unsigned ready)
{
    struct http_socket *s = arg;

    act(s->client, s->io.fd,
        (ready & IO_READ ? CURL_CSELECT_IN : 0) | (ready & IO_WRITE ? CURL_CSELECT_OUT : 0));
}

static void socket_free(struct http_socket *s)
{
    list_remove(&s->link);
    io_fini(&s->io);
    free(s);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct http_client *c = arg;
    struct http_socket *s = socket_arg;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s != NULL)
            socket_free(s);
        return 0;
    }
    if (s == NULL) {
        s = xcalloc(1, sizeof(*s));
        s->client = c;
        list_push_back(&c->sockets, &s->link);
        io_init(c->loop, &s->io, fd, on_socket_ready, s);
        curl_multi_assign(c->multi, fd, s);
    }
    io_want(&s->io, (what & CURL_POLL_IN ? IO_READ : 0) | (what & CURL_POLL_OUT ? IO_WRITE : 0));
    return 0;
}

static void on_timeout(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long ms, void *arg)
{
    struct http_client *c = arg;

    (void)multi;
    if (ms < 0)
        timer_stop(&c->timer);
    else
        timer_start(&c->timer, ms * NS_PER_MS);
    return 0;
}

/* ---- life ---- */

/* What the environment says; loopback and link-local addresses always: a cloud's metadata server hands out this machine's
 * tokens. curl takes prefixes of networks here since 7.86. */
static char *no_proxy_list(void)
{
    const char *env = getenv("no_proxy");

    if (env == NULL)
        env = getenv("NO_PROXY");
    if (env != NULL && strcmp(env, "*") == 0)
        return xstrdup("*");
    return xasprintf("localhost,127.0.0.0/8,::1,169.254.0.0/16,metadata.google.internal%s%s", env != NULL ? "," : "", env != NULL ? env : "");
}

struct http_client *http_client_new(struct loop *loop, struct skl_error *err)
{
    static bool global_done;
    struct http_client *c;

    if (!global_done && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        error_set(err, SKL_ERR_INTERNAL, "curl_global_init failed");
        return NULL;
    }
    global_done = true;
    c = xcalloc(1, sizeof(*c));
    c->loop = loop;
    c->multi = curl_multi_init();
    if (c->multi == NULL) {
        free(c);
        error_set(err, SKL_ERR_INTERNAL, "curl_multi_init failed");
        return NULL;
    }
    list_init(&c->calls);
    list_init(&c->sockets);
    c->no_proxy = no_proxy_list();
    timer_init(loop, &c->timer, on_timeout, c);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, POOL_IDLE_MAX);
    return c;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    LIST_FOREACH_SAFE(node, tmp, &c->calls)
        http_call_free(LIST_ENTRY(node, struct http_call, link));
    curl_multi_cleanup(c->multi);
    LIST_FOREACH_SAFE(node, tmp, &c->sockets)
        socket_free(LIST_ENTRY(node, struct http_socket, link));
    timer_fini(&c->timer);
    free(c->no_proxy);
    free(c);
}

/* ---- what callers want done ---- */

static void call_start(struct http_call *call)
{
    CURLMcode r = curl_multi_add_handle(call->client->multi, call->easy);

    if (r != CURLM_OK) {
        snprintf(call->error_text, sizeof(call->error_text), "%s", curl_multi_strerror(r));
        http_call_complete(call, CURLE_FAILED_INIT);
        return;
    }
    call->added = true;
}

static void on_call_soon(void *arg)
{
    struct http_call *call = arg;
    unsigned todo = call->todo;

    call->todo = 0;
    if (todo & CALL_CANCEL) {
        http_call_complete(call, CURLE_OK);
        return;
    }
    if (todo & CALL_START) {
        call_start(call);
        return;
    }
    /* Delivers paused bytes at once; a completion shows up in a later act(). */
    if ((todo & CALL_RESUME) && call->added)
        curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

static void call_todo(struct http_call *call, unsigned what)
{
    call->todo |= what;
    loop_soon(call->client->loop, &call->soon);
}

struct http_call *http_client_submit(struct http_client *c, const struct http_call_spec *spec,
                                     struct skl_error *err)
{
    struct http_call *call = http_call_new(c, spec, err);

    if (call == NULL)
        return NULL;
    list_push_back(&c->calls, &call->link);
    soon_init(&call->soon, on_call_soon, call);
    call_todo(call, CALL_START);
    return call;
}

void http_call_cancel(struct http_call *call)
{
    call->canceled = true;
    call_todo(call, CALL_CANCEL);
}

void http_call_resume(struct http_call *call)
{
    call_todo(call, CALL_RESUME);
}

void http_call_forget(struct http_call *call)
{
    call->spec.on_done = NULL;
    call->spec.on_data = NULL;
    call->spec.on_head = NULL;
    call->spec.on_sent = NULL;
    http_call_cancel(call);
}
