/*
 * pub_webhook: what the files of the webhook outlet share. pub_webhook.c is the outlet (deliveries, the circuit
 * breaker), pub_webhook_queue.c who waits and what was told, pub_webhook_lane.c one request at a time until it is
 * settled, pub_webhook_fill.c what stands in it, pub_webhook_redirect.c where it may be led, pub_webhook_check.c the
 * administrator's check, pub_webhook_ready.c the known products.
 */
#ifndef PRESENCE_PUB_WEBHOOK_PRIVATE_H
#define PRESENCE_PUB_WEBHOOK_PRIVATE_H

#include <sys/queue.h>

#include "base/buf.h"
#include "presence/pub_webhook.h"
#include "pub_webhook_ready.h"

struct fetch;
struct fetch_answer;
struct fetch_client;
struct jv;
struct map;

enum { PUB_HOOK_LANES = 4, PUB_HOOK_BATCH_MAX = 1000, PUB_HOOK_HEADERS = 24 };

/* Somebody of whom the other side was, or will be, told. */
struct pub_hook_person {
    TAILQ_ENTRY(pub_hook_person) entry;
    bool queued;
    bool flying;   /* in a lane */
    bool old;      /* what waits is from before our start: the table may not know it */
    bool gone;     /* not configured any more: forget when told */
    uint64_t told; /* hash of what was acknowledged last, 0: nothing */
    uint64_t hash; /* of what waits or flies */
    char *json;    /* what waits, as in the store */
    char *mark;    /* ready-made: what we set, NULL: nothing */
    char *id;      /* ready-made: what the other side calls the person, NULL: not known */
    char address[];
};
TAILQ_HEAD(pub_hook_list, pub_hook_person);

enum pub_hook_step { PUB_STEP_IDLE, PUB_STEP_LOOKUP, PUB_STEP_GUARD, PUB_STEP_SET };

/* One request after the other, for a batch or for one person. */
struct pub_hook_lane {
    struct pub_webhook *hook;
    enum pub_hook_step step;
    struct pub_hook_person *persons[PUB_HOOK_BATCH_MAX];
    uint64_t hashes[PUB_HOOK_BATCH_MAX];
    unsigned count;
    uint64_t sequence;
    unsigned attempts; /* of this step */
    unsigned redirects;
    bool release;   /* ready-made: nothing is to be shown */
    bool looked_up; /* the id is fresh */
    struct fetch *fetch;
    struct loop_timer *retry;
    struct buf url, body;
    char *mark;               /* what will be set */
    struct jv *parsed;        /* an old state's reason lives in it */
    struct pres_presence now; /* the one person's */
};

enum pub_hook_gate { PUB_GATE_SHUT, PUB_GATE_TRYING, PUB_GATE_OPEN };

struct pub_webhook {
    struct loop *loop;
    struct pres_table *table;
    struct pres_publisher *publisher;
    const struct pres_store *store;
    const struct pres_hook_ready *ready;
    char *name, *space, *url, *method, *body, *content_type, *id;
    char **headers, **persons, **groups;
    size_t header_count, person_count, group_count;
    unsigned kinds, batch, break_after, lane_count;
    int64_t delay_ms, timeout_ms;
    size_t queue_max;
    bool allow_inner;
    char *show[PRES_KINDS], *text[PRES_KINDS];
    struct pres_zone *zone;
    bool (*secrets)(void *arg, struct secret **ret_sign, struct secret **ret_token, char *why, size_t why_size);
    void *secrets_arg;
    struct secret *sign, *token;
    int64_t secrets_at_ms;

    struct fetch_client *client;
    struct fetch_client *outside; /* for redirects: asks about addresses */
    bool inner_refused;           /* by the last request of `outside` */

    enum pub_hook_gate gate;
    struct loop_timer *start, *wait, *settle;
    char why[200];
    bool why_slow;
    bool leaving;
    int64_t not_before_ms; /* Retry-After */
    unsigned failures;     /* in a row */

    struct map *known; /* address -> struct pub_hook_person */
    struct pub_hook_list queue;
    size_t queued;
    int64_t oldest_ms; /* since when the first of them waits */
    struct pub_hook_lane lanes[PUB_HOOK_LANES];
    struct pub_hook_lane probe; /* the check's request: has no persons */
    uint64_t sequence, reserved;

    uint64_t requests, retries, rejected, kept, redirected;
};

/* pub_webhook.c */
void pres_hook_pump(struct pub_webhook *h);
/* The other side answered well; or not, and whether trying again can help. */
void pres_hook_succeeded(struct pub_webhook *h);
/* True: the breaker is open now, all lanes are empty. */
bool pres_hook_failed(struct pub_webhook *h, const char *code, const char *text, bool slow, int64_t retry_after_s);

/* pub_webhook_queue.c */
void pres_hook_load(struct pub_webhook *h);
void pres_hook_forget_all(struct pub_webhook *h);
struct pub_hook_person *pres_hook_person(struct pub_webhook *h, const char *address); /* made when new */
void pres_hook_enqueue(struct pub_webhook *h, struct pub_hook_person *p, const struct pres_presence *now,
                       uint64_t hash);
struct pub_hook_person *pres_hook_dequeue(struct pub_webhook *h);
void pres_hook_requeue(struct pub_webhook *h, struct pub_hook_person *p); /* at the front */
void pres_hook_settled(struct pub_webhook *h, struct pub_hook_person *p, uint64_t hash);
uint64_t pres_hook_sequence(struct pub_webhook *h);
void pres_hook_people_changed(struct pub_webhook *h);
/* What is so of somebody: from the table, or what the queue kept. *ret_parsed: free it after use. */
void pres_hook_state(struct pub_webhook *h, const struct pub_hook_person *p, struct pres_presence *ret,
                     struct jv **ret_parsed);

/* pub_webhook_lane.c */
void pres_hook_lane_start(struct pub_hook_lane *l); /* persons are in */
void pres_hook_lane_drop(struct pub_hook_lane *l);  /* they wait again */
void pres_hook_lane_free(struct pub_hook_lane *l);

/* pub_webhook_fill.c */
void pres_hook_fill_batch(struct pub_hook_lane *l);
void pres_hook_fill_one(struct pub_hook_lane *l, const char *path, const char *body);
void pres_hook_fill_check(struct pub_hook_lane *l);
void pres_hook_fill_mark(struct pub_hook_lane *l);
char *pres_hook_fill_id(struct pub_hook_lane *l);
/* NULL-terminated, to be freed with pres_hook_free_headers. */
char **pres_hook_headers(struct pub_hook_lane *l);
void pres_hook_free_headers(char **headers);
bool pres_hook_shown(const struct pub_webhook *h, enum pres_kind kind); /* ready-made: is anything to be shown? */

/* pub_webhook_check.c: begins, or only says whether one is under way. */
bool pres_hook_check(struct pub_webhook *h, bool begin);

/* pub_webhook_redirect.c: where an answer leads. NULL with a code and a text: nowhere. */
char *pres_hook_redirect(struct pub_hook_lane *l, const struct fetch_answer *answer, bool *ret_outside,
                         const char **ret_code, const char **ret_text);
bool pres_hook_address_ok(void *hook, const char *address);

#endif
