/*
 * who_private: the gate, as its files see it. who.c finds the identity of a request, who_check.c looks at credentials,
 * which may take a while, who_table.c has everybody.
 */
#ifndef GATEWAY_WHO_PRIVATE_H
#define GATEWAY_WHO_PRIVATE_H

#include "base/crypto.h"
#include "http_face.h"
#include "who.h"
#include "who_header.h"
#include "who_net.h"
#include "who_table.h"

struct gw_recent;
struct gw_who_check;

enum gw_refusal {
    GW_REFUSED_NOBODY,    /* said nothing, and had to */
    GW_REFUSED_PASSWORD,  /* wrong */
    GW_REFUSED_TOKEN,     /* unknown */
    GW_REFUSED_BROKEN,    /* an Authorization header that is none */
    GW_REFUSED_SLOWED,    /* too many failures from there */
    GW_REFUSED_BUSY,      /* too many passwords at once */
    GW_REFUSED_URL_TOKEN, /* a token in a URL */
    GW_REFUSED_PROXY,     /* a proxy's header from elsewhere, or twice */
    GW_REFUSED_STRANGER,  /* a proxy names somebody unknown */
    GW_REFUSED_ROLE,      /* known, and not allowed */
};
enum { GW_REFUSALS = GW_REFUSED_ROLE + 1 };

/* A credential that was right. Void when the identities change. */
struct gw_who_known {
    const struct gw_who_entry *entry;
    const char *means;
    int64_t until_ms;
};

struct gw_gate {
    struct gateway *g;
    uint8_t key[CRYPTO_SHA256_LEN]; /* of the digests in `known` */
    struct gw_recent *known;        /* digest of a credential that was right -> struct gw_who_known */
    struct gw_recent *failures;     /* neighbourhood -> int64_t, see who_check.c */
    struct gw_who_check *checks;    /* under way: the first runs */
    unsigned check_count;
    uint64_t refused[GW_REFUSALS];
    int64_t told_ms[GW_REFUSALS]; /* when such a refusal was logged last */
    uint64_t told[GW_REFUSALS];   /* how many there were then */
};

const struct gw_whos *gw_gate_whos(const struct gw_gate *gate);

/* Answers, counts, and says so in the log now and then. */
void gw_gate_refuse(struct gw_gate *gate, struct httpd_req *req, enum gw_refusal why, int64_t retry_s);

/* The identity of the request from now on. */
void gw_gate_admit(struct httpd_req *req, const struct gw_who *who, const char *means);

/* Looks at a credential, now or later. */
enum gw_who_state gw_gate_check(struct gw_gate *gate, struct gw_face *face, struct httpd_req *req,
                                const struct gw_auth *auth, gw_who_then_fn *then, const void *arg);
void gw_gate_checks_free(struct gw_gate *gate);

#endif
