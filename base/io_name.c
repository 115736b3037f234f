/*
 * io_name: from a host's name to a numeric address, over evdns (which reads /etc/hosts and /etc/resolv.conf). For
 * outlets whose library makes its own connections and would block on the name; io.c itself lets libevent do both.
 */
#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/loop.h"
#include "base/mem.h"
#include "loop_private.h"

struct io_name {
    struct loop *loop;
    io_name_fn *fn;
    void *arg;
    struct evdns_base *dns;
    struct evdns_getaddrinfo_request *request;
    bool over; /* nothing is called any more */
    char address[INET6_ADDRSTRLEN];
    enum io_end why;
    const char *text;
};

static void on_answer(int error, struct evutil_addrinfo *list, void *arg);
static void tell(void *arg);
static void free_all(void *obj);

struct io_name *io_name_find(struct loop *loop, const char *host, io_name_fn *fn, void *arg)
{
    struct io_name *n = mem_calloc(1, sizeof *n);
    struct in6_addr numeric;
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    n->loop = loop;
    n->fn = fn;
    n->arg = arg;
    if (inet_pton(AF_INET, host, &numeric) == 1 || inet_pton(AF_INET6, host, &numeric) == 1) {
        snprintf(n->address, sizeof n->address, "%s", host);
        loop_defer(loop, tell, n);
        return n;
    }
    n->dns = evdns_base_new(loop->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!n->dns) {
        n->why = IO_NAME_LATE;
        n->text = "no name server is known";
        loop_defer(loop, tell, n);
        return n;
    }
    n->request = evdns_getaddrinfo(n->dns, host, NULL, &hints, on_answer, n);
    return n;
}

void io_name_cancel(struct io_name **np)
{
    struct io_name *n = *np;
    if (!n)
        return;
    *np = NULL;
    n->over = true;
    loop_undefer(n->loop, tell, n);
    if (n->request)
        evdns_getaddrinfo_cancel(n->request); /* on_answer comes once more, which frees */
    else
        loop_reap(n->loop, free_all, n);
}

/* Also inside evdns_getaddrinfo, and once after a cancel. */
static void on_answer(int error, struct evutil_addrinfo *list, void *arg)
{
    struct io_name *n = arg;
    n->request = NULL;
    for (struct evutil_addrinfo *i = error ? NULL : list; i && !n->address[0]; i = i->ai_next) {
        if (i->ai_family == AF_INET) {
            const struct sockaddr_in *v4 = (const void *)i->ai_addr;
            inet_ntop(AF_INET, &v4->sin_addr, n->address, sizeof n->address);
        } else if (i->ai_family == AF_INET6) {
            const struct sockaddr_in6 *v6 = (const void *)i->ai_addr;
            inet_ntop(AF_INET6, &v6->sin6_addr, n->address, sizeof n->address);
        }
    }
    if (list)
        evutil_freeaddrinfo(list);
    bool missing = !error || error == EVUTIL_EAI_NONAME || error == EVUTIL_EAI_NODATA;
    n->why = missing ? IO_NO_NAME : IO_NAME_LATE;
    n->text = error ? evutil_gai_strerror(error) : "the name has no address";
    if (n->over)
        loop_reap(n->loop, free_all, n);
    else
        loop_defer(n->loop, tell, n);
}

static void tell(void *arg)
{
    struct io_name *n = arg;
    if (n->over)
        return;
    n->over = true;
    loop_reap(n->loop, free_all, n);
    n->fn(n->arg, n->address[0] ? n->address : NULL, n->why, n->address[0] ? "" : n->text);
}

static void free_all(void *obj)
{
    struct io_name *n = obj;
    if (n->dns)
        evdns_base_free(n->dns, 0);
    free(n);
}
