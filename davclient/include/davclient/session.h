/*
 * session: one login to one server: connections, pacing, authentication, back-off. Every question to a server goes
 * through its session.
 */
#ifndef DAVCLIENT_SESSION_H
#define DAVCLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "davclient/account.h"
#include "davclient/cause.h"

struct loop;
struct secret;
struct dav_session;

/* Copies account and secret. Contacts nobody until the first question. NULL with a sentence in why when the account
 * makes no sense. */
struct dav_session *dav_session_new(struct loop *loop, const struct dav_account *account, const struct secret *secret,
                                    char *why, size_t why_size);

/* Cancels all questions without callbacks. `reason` is logged. */
void dav_session_close(struct dav_session **s, const char *reason);

/*
 * A changed secret file. The new secret is tried once; when it is refused and the one before was good, that one stays
 * in use (info.secret_note). A refusal of the old one is forgotten.
 */
void dav_session_set_secret(struct dav_session *s, const struct secret *secret);

/* A changed password for the proxy, NULL: none. What is in the air is asked again. A refusal by the proxy is forgotten.
 */
void dav_session_set_proxy_secret(struct dav_session *s, const struct secret *secret);

/* An administrator says that a refused secret may be tried again. */
void dav_session_unbreak(struct dav_session *s);

/*
 * The secret in use was refused, and how; for whoever remembers it over a restart. Texts as in dav_session_info.
 */
bool dav_session_refusal(const struct dav_session *s, const char **ret_code, const char **ret_evidence);

/* At the start, before any question: this very secret was refused in an earlier life, so it is not shown again. `code`
 * is one of cause.h's. */
void dav_session_refuse(struct dav_session *s, const char *code, const char *evidence);

struct dav_session_info {
    const char *state;          /* phrase: "new", "ready", "refused", "backing off", "unreachable" */
    const char *product;        /* "Exchange 2003 (6.5.7638)", "Radicale 3.1.8", NULL: not known yet */
    const char *scheme;         /* in use: "basic"..., NULL: none yet */
    const char *offered;        /* what the server offers, "ntlm, basic"; NULL: not known */
    const char *chosen_because; /* a sentence, NULL: nothing chosen */
    const char *server_says;    /* what its NTLM challenge told: names, version, clock; NULL */
    const char *changes;        /* how it is seen that calendars have changed, with numbers; NULL: by reading them */
    const char *secret_note;    /* "the new secret was refused, the one before stays in use", NULL: nothing to say */
    const char *code;           /* the last whole-server failure, NULL: none now */
    const char *evidence;       /* its line, NULL */
    int64_t failing_since;      /* wall s, 0: not failing */
    int64_t retry_at;           /* wall s when it is tried again, 0 */
    int64_t last_ok;            /* wall s of the last good answer, 0: never */
    int64_t cert_not_after;     /* wall s, 0: unknown */
    uint64_t requests, failures, rejected_logons, bytes_in;
    uint64_t handshakes; /* of logons bound to a connection */
    unsigned connections, running, waiting;
    int64_t latency_ms; /* moving average of one request */
};
/* Texts are borrowed until the next turn. */
void dav_session_info(const struct dav_session *s, struct dav_session_info *ret);

/*
 * Something says that the calendar of the person with this number (dav_question.number) may have changed; ask again
 * soon. No more than a hint: it may be false, forged, or missing. Comes from the loop; not from within a starting or
 * cancelling call. It may be told in the middle of another question's answer: do not start, cancel or close from it,
 * only take note.
 */
typedef void dav_hint_fn(void *arg, uint32_t number);
void dav_session_on_hint(struct dav_session *s, dav_hint_fn *fn, void *arg);

/*
 * Each request that a question made, when it was answered or failed, for who wants to watch them. Texts live during the
 * call; nothing in them is a secret, or of an answer's body. Comes from the loop, under the rules of dav_hint_fn.
 */
struct dav_request_report {
    const char *address; /* of the person asked about; NULL: about many at once */
    const char *method;
    const char *url; /* whole: what is shown of it ends before the query, which may name others */
    int status;       /* 0: none arrived */
    const char *code; /* why not, NULL */
    int64_t ms;
    size_t bytes; /* of the answer */
    int64_t connection;
};
typedef void dav_request_fn(void *arg, const struct dav_request_report *report);
void dav_session_on_request(struct dav_session *s, dav_request_fn *fn, void *arg);

/* How many further questions could start at once now, by connections and pace: 0 means ask later. */
unsigned dav_session_room(const struct dav_session *s);

#endif
