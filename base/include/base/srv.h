/*
 * srv: which hosts serve a domain, as its DNS says: SRV records (RFC 2782), NAPTR records (RFC 3403), and TXT beside an
 * SRV (RFC 6763), for SIP and for calendar servers. The question goes to the system's name servers (/etc/resolv.conf)
 * without blocking; addresses of the hosts found are the business of whoever connects.
 */
#ifndef BASE_SRV_H
#define BASE_SRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct srv;

#define SRV_NAME_MAX 256
#define SRV_MAX 32 /* records looked at */

enum srv_result {
    SRV_FOUND,
    SRV_NONE, /* the domain has no such records, or does not exist */
    SRV_LATE, /* no name server answered, or each said that it failed */
};

/* In the order in which they are to be tried: by priority, within one by weighted lot. */
struct srv_host {
    char host[SRV_NAME_MAX];
    unsigned port;
    uint16_t priority, weight;
};

/* By order and preference. Only records that end in another question ("S": SRV, "A": addresses). */
struct srv_rule {
    char service[64];        /* "SIP+D2T" */
    char next[SRV_NAME_MAX]; /* "_sip._tcp.example.com" */
    char flag;               /* 'S' or 'A' */
    uint16_t order, preference;
};

struct srv_answer {
    enum srv_result result;
    size_t count;
    const struct srv_host *hosts; /* of srv_find */
    const struct srv_rule *rules; /* of srv_find_rules */
    const char *text;             /* of srv_find_text: its strings ("path=/dav/"), a line each; else "" */
};

/* Once, from the loop; the search is gone then. */
typedef void srv_fn(void *arg, const struct srv_answer *answer);

/*
 * "_sip._tcp.example.com". `server` is "127.0.0.1:53" in tests, NULL: the system's. A domain whose only record names
 * "." says that it has no such service: SRV_NONE.
 */
struct srv *srv_find(struct loop *loop, const char *name, const char *server, srv_fn *fn, void *arg);

/* The domain's NAPTR records. */
struct srv *srv_find_rules(struct loop *loop, const char *domain, const char *server, srv_fn *fn, void *arg);

/* The TXT records of "_caldavs._tcp.example.com". */
struct srv *srv_find_text(struct loop *loop, const char *name, const char *server, srv_fn *fn, void *arg);

void srv_cancel(struct srv **s); /* NULL is fine */

#endif
