/*
 * table (private): a person's record, and what the table's files tell each other.
 *
 *   table.c         persons come, go, and are asked about; answers and failures come in
 *   table_name.c    addresses: texts and look-up
 *   table_class.c   what many persons share: group, age limit, server
 *   table_due.c     whose presence changes next
 *   table_age.c     whose answer is the oldest
 *   table_report.c  changes go out: at their second, at the end of the turn, in slices
 */
#ifndef PRESENCE_TABLE_PRIVATE_H
#define PRESENCE_TABLE_PRIVATE_H

#include <assert.h>

#include "presence/table.h"

struct map;
struct pres_ages;
struct loop_timer;
struct pres_slab;

#define PRES_CHUNK_BITS 10
#define PRES_CHUNK (1U << PRES_CHUNK_BITS)
#define PRES_NOT_DUE UINT32_MAX
#define PRES_CLASS_BITS 20
#define PRES_LATE_MINUTES 60

/*
 * Moments are seconds since 1970; UINT32_MAX stands for PRES_NEVER. The presence last reported ("told") is kept whole,
 * because a change is what differs from it, and because a subscriber's snapshot must agree with the changes already in
 * the journal.
 */
struct pres_person {
    struct pres_set *set;
    uint32_t text;  /* of the slab, see table_name.c */
    uint32_t as_of; /* 0: never read; set by table_age.c */
    uint32_t from, until;
    uint32_t due_pos; /* in the heap, or PRES_NOT_DUE; of an unused record: the next unused id */
    uint32_t generation;
    uint32_t told_since, told_until;
    uint32_t told_next_start, told_next_end;
    uint32_t class : PRES_CLASS_BITS;
    uint32_t told_state : 3;
    uint32_t told_next : 3; /* kind; FREE: there is no next */
    uint32_t used : 1;
    uint32_t queued : 1;       /* for the end of the turn */
    uint32_t has_spelling : 1; /* which texts follow the lower-cased address */
    uint32_t has_alias : 1;
    uint32_t has_alias_spelling : 1;
    uint8_t reason; /* in the table's reasons; 0: none */
    uint8_t told_reason;
};

static_assert(sizeof(struct pres_person) <= 56, "a million of them are kept");

struct pres_class {
    char *key;         /* "SERVER STALE_AFTER GROUP": in the map; the group is its tail */
    const char *group; /* NULL: none */
    uint32_t stale_after;
    uint32_t index;
    uint32_t users;
    uint16_t server;
};

struct pres_due {
    uint32_t at;
    pres_id id;
};

struct pres_table {
    struct loop *loop;
    pres_change_fn *change;
    void *arg;

    struct pres_person **chunks; /* a person's address never changes */
    uint32_t n_ids;              /* ever given */
    uint32_t first_unused;       /* PRES_NOBODY: none */
    size_t count;

    struct pres_slab *slab;
    uint32_t *slots; /* index of names, see table_name.c */
    uint32_t n_slots, n_names;
    uint64_t seed;

    struct map *class_by_key;
    struct pres_class **classes; /* by index, NULL: unused */
    uint32_t *free_classes;      /* numbers given back */
    uint32_t n_classes, n_free_classes, cap_classes;

    const char *reasons[UINT8_MAX + 1];
    unsigned n_reasons;

    struct pres_ages *ages; /* by server */
    unsigned n_ages;

    struct pres_due *due; /* heap */
    uint32_t n_due, cap_due;
    pres_id *batch; /* who is due now, the last one first; some may have been moved or removed since */
    size_t batch_len, batch_cap;

    pres_id *queue; /* ring of persons to be looked at when the turn ends */
    size_t queue_first, queue_len, queue_cap;
    uint32_t sweep; /* after a backward step of the clock: the next id to be looked at, PRES_NOBODY: none */
    struct loop_timer *timer, *minute;
    struct loop_step *step;
    int64_t armed_for;  /* s, PRES_NEVER: not armed */
    int64_t looked_ms;  /* wall, at most a few persons ago, while changes are looked for */
    int64_t settled_at; /* latest wall second at which changes were looked for */
    bool deferred;

    size_t by_state[PRES_KINDS];
    size_t transitions;
    struct {
        int64_t minute, worst_ms;
        size_t changes, late; /* at their second; of them told more than a second after it */
    } late[PRES_LATE_MINUTES];
};

static inline uint32_t pres_time_pack(int64_t t)
{
    return t < 0 ? 0 : t < UINT32_MAX ? (uint32_t)t : UINT32_MAX;
}

static inline int64_t pres_time_unpack(uint32_t t)
{
    return t == UINT32_MAX ? PRES_NEVER : t;
}

static inline struct pres_person *pres_person(const struct pres_table *t, pres_id id)
{
    return &t->chunks[id >> PRES_CHUNK_BITS][id & (PRES_CHUNK - 1)];
}

static inline bool pres_table_has(const struct pres_table *t, pres_id id)
{
    return id < t->n_ids && pres_person(t, id)->used;
}

/* For journal.c and watch.c. */
struct loop *pres_table_loop(const struct pres_table *t);
uint32_t pres_table_generation(const struct pres_table *t, pres_id id);                  /* 0: nobody has this id */

/* Has the processor load what will be asked soon: the record, and when that is there, the names. Anybody's id or
 * nobody's. */
void pres_table_fetch(const struct pres_table *t, pres_id id);
void pres_table_fetch_names(const struct pres_table *t, pres_id id);

/* table_name.c. False, and nothing changed, when somebody else has one of the names or one is too long. */
bool pres_name_set(struct pres_table *t, pres_id id, const char *address, const char *publish_as);
void pres_name_drop(struct pres_table *t, pres_id id);

/* table_class.c. NULL when there are too many. */
struct pres_class *pres_class_use(struct pres_table *t, const struct pres_person_spec *spec);
void pres_class_leave(struct pres_table *t, uint32_t index);

/* table_due.c. */
void pres_due_set(struct pres_table *t, pres_id id, int64_t at); /* PRES_NEVER: not due at all */
int64_t pres_due_first(const struct pres_table *t, pres_id *ret_id);
pres_id pres_due_take(struct pres_table *t, int64_t now, int64_t *ret_at); /* to be given another moment then */

/* table_age.c. */
void pres_age_set(struct pres_table *t, struct pres_person *p, uint32_t as_of); /* 0: never read */
int64_t pres_age_oldest(const struct pres_table *t);                            /* of all servers, 0: nobody was read */
void pres_age_free(struct pres_table *t);

/* table_report.c. */
void pres_report_start(struct pres_table *t);
void pres_report_stop(struct pres_table *t);
int64_t pres_report_now(const struct pres_table *t); /* wall s; does not go back by a second or two */
void pres_report_later(struct pres_table *t, pres_id id);
void pres_report_known(const struct pres_table *t, const struct pres_person *p, struct pres_known *ret);
void pres_report_presence(const struct pres_table *t, const struct pres_person *p, int64_t now,
                          struct pres_presence *ret);
void pres_report_told(const struct pres_table *t, const struct pres_person *p, struct pres_presence *ret);
void pres_report_tell(struct pres_table *t, struct pres_person *p, const struct pres_presence *now);
uint8_t pres_report_reason(struct pres_table *t, const char *code);
/* Fills what is told of the last hour. */
void pres_report_hour(const struct pres_table *t, struct pres_table_stats *ret);

#endif
