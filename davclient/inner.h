/*
 * inner: what session, query and check know of each other. Flavours do not include this.
 *
 * A session owns its queries by lists: a query is in exactly one of waiting, flying, doubtful, abroad and doomed (its
 * state says in which), and in `all`, oldest first, for the deadline. Three questions, three functions:
 * dav_session_enter() (what do I do now), dav_session_answer() (what did the peer say), dav_session_event() (what
 * happened on the wire).
 */
#ifndef DAVCLIENT_INNER_H
#define DAVCLIENT_INNER_H

#include <sys/queue.h>

#include "auth.h"
#include "base/buf.h"
#include "base/fetch.h"
#include "davclient/session.h"
#include "discover.h"
#include "flavour.h"
#include "pace.h"
#include "redirect.h"
#include "url.h"

#define DAV_QUERY_TOTAL_MS 120000  /* a question is answered within */
#define DAV_REQUEST_TOTAL_MS 60000 /* one request of it */
#define OWN_REQUEST_DEADLINE_MS 90000
#define DAV_ERROR_PAGE_MAX 65536 /* of an answer that is not the 207 we wanted */
#define DAV_HOSTS 16             /* the account's own and those that redirects led to */
#define DAV_SPARE_PARSERS 8
#define DAV_ACCUSED 16

struct dav_call;
struct dav_form_logon;
struct dav_jar;
struct dav_lane;
struct loop;
struct loop_timer;
struct secret;

enum dav_session_state {
    DAV_SESSION_NEW,         /* for a question */
    DAV_SESSION_PROBING,     /* for the answer to a request without credentials */
    DAV_SESSION_LOGGING_ON,  /* for the answer to the first request with them */
    DAV_SESSION_READY,       /* for nothing */
    DAV_SESSION_DOUBT,       /* for a proof that a 401 was meant for one person, not for the account */
    DAV_SESSION_BACKING_OFF, /* until the pause is over that the server asked for */
    DAV_SESSION_UNREACHABLE, /* until it is time to try again */
    DAV_SESSION_REFUSED,     /* for another secret, an administrator's word, or the one retry that is left */
    DAV_SESSION_CLOSED,      /* for the end of the turn */
};
#define DAV_SESSION_STATES (DAV_SESSION_CLOSED + 1)

enum dav_query_state {
    DAV_QUERY_WAITING,  /* for the session to be ready, a connection and the pace */
    DAV_QUERY_FLYING,   /* for an answer */
    DAV_QUERY_DOUBTFUL, /* was answered 401: for the session to find out whom that meant */
    DAV_QUERY_ABROAD,   /* for the logon at the host that a redirect led to */
    DAV_QUERY_DOOMED,   /* for its bad news to be given */
    DAV_QUERY_ENDED,    /* for the end of the turn */
};
#define DAV_QUERY_STATES (DAV_QUERY_ENDED + 1)

enum dav_decision { DAV_UNDECIDED, DAV_SEND, DAV_SUCCEED, DAV_FAIL };

TAILQ_HEAD(dav_query_list, dav_query);

/* An origin with its connections. */
struct dav_host {
    struct dav_url url; /* path unused */
    char *origin;       /* "https://ex2.example.com" */
    struct fetch_client *client;
    struct dav_lane *lanes; /* connections that NTLM logs on, each with a client of its own */
    /* of a host that wants another logon than the account's own; NULL: the session's */
    const struct dav_auth_ops *auth;
    dav_auth_set offered; /* by it */
    struct dav_session *session;
    unsigned good;               /* epoch + 1 of the secret that it took; 0: none, or that is not sure */
    struct dav_jar *jar;         /* cookies of its form */
    unsigned jar_epoch;          /* counts their changes ... */
    uint64_t jar_number;         /* ... by the answer to this request */
    struct dav_call *own;        /* session_abroad.c */
    struct dav_form_logon *form; /* the same */
};

/* One whose mailbox answered that we come too often (session_throttle.c). */
#define DAV_THROTTLED 16
struct dav_throttled {
    uint64_t person; /* hash of the address */
    int64_t at;      /* wall s, last */
    uint64_t served; /* then */
    unsigned times;  /* with good answers about others in between; 0: nobody */
};

struct dav_session {
    struct loop *loop;
    unsigned id;                /* in log lines */
    struct dav_account account; /* texts are ours */
    const struct dav_flavour *flavour;
    struct secret *secret; /* in use, or on trial; NULL when no scheme wants one */
    unsigned secret_epoch; /* counts secrets and pardons: a late 401 for an older one means nothing */
    struct dav_budget budget;
    struct secret *previous; /* good until the one on trial came; NULL */
    struct dav_budget previous_budget;
    struct secret *refused; /* the file's, while the one before it stays in use; NULL */
    bool second_chance;     /* is due to it: the one in use was good after it was refused */
    char secret_note[160];
    int64_t retry_ms;              /* REFUSED: until the one retry, -1: none */
    unsigned unjudged;             /* logons in a row that showed the secret and got no verdict */
    uint64_t accused[DAV_ACCUSED]; /* persons whose 401 could not be told from a refused logon */
    unsigned accused_next;
    struct dav_throttled throttled[DAV_THROTTLED]; /* of whom it was said to come later */
    unsigned throttled_next;
    uint64_t served;    /* good answers about others */
    bool denies_by_401; /* it was seen to say 401 to the right account, for a closed mailbox */
    char *domain;       /* of which DNS told the url, NULL: the url was configured */
    bool found;         /* it has, and the server there was not missed since */
    struct dav_discover_setup discovery;
    struct dav_url home;
    char *base_path; /* with trailing slash */
    struct dav_redirect_rules redirects;
    struct dav_host hosts[DAV_HOSTS]; /* [0] is the account's own */
    size_t host_count;

    enum dav_session_state state;
    char told_why[40];             /* the reason of the last bad state that the log was told of; "": none */
    int64_t told_at_ms;            /* mono */
    bool told_stands;              /* the server was not READY since */
    struct loop_timer *timer;      /* of the state */
    struct loop_timer *pace_timer; /* for the next token */
    struct loop_timer *deadline;   /* of the oldest query */
    bool woken;                    /* the pump will run at the end of the turn */
    struct dav_call *own;          /* probe, logon or proof */
    struct dav_discover *discover; /* before the first probe, where the url is a domain */
    struct dav_form_logon *form;   /* logon by form */

    const struct dav_auth_ops *auth;
    dav_auth_set offered;
    dav_auth_set unfit;     /* schemes that failed without a verdict on the secret, since the last pause */
    const char *unfit_code; /* of the first of them */
    char unfit_evidence[200];
    bool unfit_stays; /* over the next pause */
    char chosen_because[160];
    char server_says[160];    /* what an NTLM challenge told of the server */
    struct dav_call *showing; /* between showing the secret and the verdict; others wait with it */
    bool crowded;             /* one of them had to be put back */
    bool shows_each;          /* every request shows the password (Basic) ... */
    unsigned shown_beside;    /* ... so many beside one other: none as long as one at a time keeps up */
    int64_t backlog_since_ms; /* mono, of questions that wait for their turn; 0: none do */
    unsigned abroad_refused;  /* epoch + 1 of the secret that a host was refused with, to which a redirect led */
    uint64_t handshakes;
    dav_auth_set seen;    /* what mailboxes want where the base asks nobody; 0: not known */
    bool probed;          /* `offered` is what the server said */
    bool storage_outside; /* that 401 had a header of Exchange's */
    bool guarded;         /* the base answers 401 without credentials, so anything else with them proves them */
    bool accepted;        /* this secret was accepted */
    uint64_t sent;        /* requests with credentials, numbered */
    uint64_t good;        /* number of the youngest one that was not answered 401 */
    char *good_url;       /* something that answered to the credentials where the base is not guarded; NULL */

    struct dav_query_list waiting, flying, doubtful, abroad, doomed, all;
    unsigned waiting_count, flying_count;
    struct dav_pace pace;
    struct dav_ms *spare[DAV_SPARE_PARSERS];

    const struct dav_cause *cause; /* of the whole-server failure, NULL: none */
    char evidence[200];
    int64_t failing_since; /* wall s */
    int64_t retry_at;      /* wall s */
    int64_t asked_pause_s; /* Retry-After */
    unsigned attempts;     /* failures in a row, for the back-off */
    unsigned streak;       /* server-like errors in a row, for persons */
    int64_t good_at_ms;    /* mono, of the last answer that shows a living server; -1: never */

    dav_hint_fn *on_hint;
    void *hint_arg;
    dav_request_fn *on_request;
    void *request_arg;
    void *shared;       /* of the flavour */
    void *batch_shared; /* of its questions about many */
    bool batch_served;  /* one of them was answered */
    char product[80];
    char offered_text[64];
    int64_t last_ok, cert_not_after;
    uint64_t requests, failures, rejected_logons, bytes_in;
    double latency_ms;
};

struct dav_query {
    TAILQ_ENTRY(dav_query) entry; /* of the list that `state` names */
    TAILQ_ENTRY(dav_query) in_all;
    struct dav_session *session;       /* NULL when ended */
    const struct dav_flavour *flavour; /* the session's, or that one's `batch` */
    enum dav_query_state state;
    struct dav_question question; /* texts in the arena */
    struct arena *arena;
    dav_query_fn *done;
    dav_step_fn *on_step; /* the check; NULL for a plain question */
    void *arg;
    int64_t due_ms;
    int64_t as_of;

    bool begun;
    void *private;              /* of the flavour */
    enum dav_decision decision; /* of the flavour, made since it was last called */
    const char *code;
    char evidence[200];
    int64_t retry_after_s;
    bool throttled_alone; /* the pause is asked for this person only */

    struct dav_ask ask;
    struct buf url;    /* absolute, of the ask */
    struct buf origin; /* of the host that serves this person */
    unsigned hops;     /* redirects followed for this ask */
    struct dav_call *call;
    bool shown;      /* the answer is a verdict on the secret */
    int64_t flew_ms; /* mono, of the request that is in the air */
    uint64_t number; /* of the request, see dav_session.sent */
    unsigned epoch;
    bool resent;        /* once already, with a newer secret */
    bool pardoned;      /* a 401 of this query was proven to be personal ... */
    bool denied;        /* ... and is what the flavour has to hear next ... */
    int denied_status;  /* ... as 401, or 440 where one logs on by a form */
    bool suspect;       /* sent again, alone, to find out whether a 440 meant it or the cookies */
    unsigned jar_epoch; /* of the cookies it was sent with */
    unsigned stale;     /* how often those were outdated when it was denied */
    unsigned walks;     /* logons abroad that it waited for */
    struct dav_ms *ms;
    struct buf body;

    struct buf spans;
    unsigned skipped;
    struct buf remember;
    const char *way; /* static, NULL */
    bool unchanged, routine, markless;
    unsigned requests;
    int passed; /* last step reported, -1: none */
};

/* account.c */
void dav_account_copy(struct dav_account *to, const struct dav_account *from); /* deep, with defaults filled in */
void dav_account_move(struct dav_account *account, const char *url);           /* to another URL */
void dav_account_clear(struct dav_account *account);
void dav_account_proxy_secret(struct dav_account *account, const struct secret *secret); /* a copy; NULL: none */

/* session.c */
void dav_session_enter(struct dav_session *s, enum dav_session_state next, const char *why);
void dav_session_event(struct dav_session *s, struct dav_query *q, const struct fetch_answer *answer, const char *code);
void dav_session_answer(struct dav_session *s, struct dav_query *q, const struct fetch_answer *answer);
void dav_session_blame(struct dav_session *s, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void dav_session_count(struct dav_session *s, const struct fetch_answer *answer);
void dav_session_start_over(struct dav_session *s, const char *why);
void dav_session_trouble(struct dav_session *s, const char *code, const char *evidence);

/* session_secret.c: what a secret may still do. */
bool dav_session_secret_in(struct dav_session *s); /* it was accepted; true: it had been on trial */
void dav_session_refused(struct dav_session *s, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void dav_session_stuck(struct dav_session *s, const char *code, const char *evidence, bool shown);
void dav_session_acquit(struct dav_session *s, const struct dav_query *q);
bool dav_session_hold(struct dav_session *s); /* no proof now: the secret may be bad, and had its one rejection */
enum dav_session_state dav_session_rejected(struct dav_session *s); /* it had: what follows */

/* session_throttle.c */
void dav_session_served(struct dav_session *s, const struct dav_query *q);        /* a good answer */
bool dav_session_throttles_one(struct dav_session *s, const struct dav_query *q); /* or everybody? */

/* session_logon.c: the session's own requests. Each returns the state that follows. */
enum dav_session_state dav_session_probe(struct dav_session *s);
enum dav_session_state dav_session_logon(struct dav_session *s);
enum dav_session_state dav_session_prove(struct dav_session *s);
void dav_session_first_401(struct dav_session *s, const struct fetch_answer *answer, const char *where, bool shown);
void dav_session_doubt(struct dav_session *s, struct dav_query *q); /* q was answered 401 or 440 */
void dav_session_settle_doubt(struct dav_session *s);
bool dav_session_inside(const struct dav_session *s,
                        const struct fetch_answer *answer); /* a 401 from behind the logon */

/* session_abroad.c: forms of other hosts. False: there is none that may be used. */
bool dav_session_abroad(struct dav_session *s, struct dav_host *host, struct dav_query *q);
bool dav_session_abroad_refuses(struct dav_session *s, struct dav_host *host, struct dav_query *q);
void dav_session_abroad_stop(struct dav_session *s); /* who waits for a logon there waits for the session again */

/* session_queue.c: who goes next. */
void dav_session_wake(struct dav_session *s); /* the pump runs soon, from the loop */
void dav_session_pump(struct dav_session *s);
void dav_session_doom(struct dav_session *s); /* the waiting get the session's bad news, soon */
void dav_session_join(struct dav_session *s, struct dav_query *q);
void dav_session_sleep(struct dav_session *s); /* the pump will not run any more */
void dav_session_put(struct dav_session *s, struct dav_query *q, enum dav_query_state state);
void dav_session_on_deadline(void *session);

/* session_host.c */
bool dav_session_add_home(struct dav_session *s);
bool dav_session_move_home(struct dav_session *s, const char *url);        /* the account's host is another one */
struct dav_host *dav_session_host(struct dav_session *s, const char *url); /* NULL: not allowed, or too many */
bool dav_session_private_line(const struct dav_url *url);
const struct dav_auth_ops *dav_session_auth(const struct dav_session *s, const struct dav_host *host);
bool dav_session_logon_there(struct dav_session *s, struct dav_host *host, const struct fetch_answer *answer);
struct fetch_client *dav_session_client(struct dav_session *s, unsigned connections, int64_t keep_ms);
void dav_session_reconnect(struct dav_session *s); /* nothing may be in the air */
struct dav_ms *dav_session_parser(struct dav_session *s, const struct dav_ms_spec *spec);
void dav_session_give_back(struct dav_session *s, struct dav_ms **ms);

/* auth_ntlm.c */
void dav_ntlm_warn(const struct dav_session *s);
void dav_ntlm_lanes_free(struct dav_host *host);
unsigned dav_ntlm_lanes_load(const struct dav_host *host); /* connections */

/* session_hint.c */
void dav_session_report(const struct dav_query *q, const struct fetch_answer *answer);

/* query.c */
void dav_query_launch(struct dav_query *q);
void dav_query_end(struct dav_query *q, const char *code, const char *evidence); /* code NULL: all is well */
void dav_query_discard(struct dav_query *q);                                     /* without callback */
void dav_query_recall(struct dav_query *q);                                      /* off the wire, to be sent again */
struct dav_query *dav_query_new(struct dav_session *s, const struct dav_question *question, dav_step_fn *on_step,
                                dav_query_fn *done, void *arg);
const char *dav_fetch_code(enum fetch_err err);

/* check.c. The callbacks in there may end the query: look at q->state afterwards. */
void dav_check_logged_on(struct dav_query *q);
void dav_check_passed(struct dav_query *q, enum dav_step step, const char *evidence);
void dav_check_failed(struct dav_query *q, const char *code, const char *evidence);

#endif
