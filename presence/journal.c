/*
 * journal: the last changes, numbered without gaps, in a ring of 48 bytes each. The table's change function adds;
 * watches (watch.c) read at their own pace by number, and know by the tail when they are too late.
 *
 * A removal is an entry like the others; the person's names and group, which the table forgets, stand in a second queue
 * beside the ring and leave it when the ring's slot is taken again.
 *
 * Entries about the same id are chained backwards, so that a reader of a few persons need not look at all entries.
 *
 * Readers are told once a turn that there is more, however much was added, and never from inside the addition: a reader
 * may do anything in its wake, removing itself and others included. The walk over the readers keeps its next stop in
 * the journal, where a removal can move it.
 */
#include "presence/journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/crypto.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal_private.h"
#include "table_private.h"

struct entry {
    const char *reason; /* static text */
    pres_id id;
    uint32_t generation;
    uint32_t since, until; /* UINT32_MAX: PRES_NEVER; so are the others */
    uint32_t next_start, next_end;
    uint32_t as_of, valid_until;
    uint8_t state;
    uint8_t next; /* kind; FREE: there is no next */
    bool removed; /* what else there is to say stands in the queue of removals */
    uint32_t back; /* to the entry about the same id before it, in entries; 0: there is none, or it is too far */
};

static_assert(sizeof(struct entry) <= 48, "a journal holds a million of them");

/* What an entry about a removal needs beyond its slot. */
struct removal {
    uint64_t seq;
    char *published;
    char *address; /* as configured; NULL: the same */
    char *group;   /* NULL: none */
};

struct pres_journal_reader {
    struct pres_journal *journal;
    pres_journal_fn *wake;
    void *arg;
    struct pres_journal_reader *before, *after;
};

struct pres_journal {
    struct pres_table *table;
    uint64_t epoch;
    uint64_t head; /* number of the newest */
    size_t capacity;
    struct entry *ring;       /* number n is at n % capacity */
    struct pres_change *read; /* what pres_journal_get lends */
    uint32_t *last;           /* by id: the low half of the number of its last entry */
    size_t n_last;
    struct removal *removals; /* by seq; those before the first are gone */
    size_t first_removal, n_removals, cap_removals;
    struct pres_journal_reader *readers;
    struct pres_journal_reader *next_to_wake;
    bool deferred;
    unsigned postponed; /* how often the readers were not told yet, because there is more to come */
};

/* In a storm of changes readers are told after so many of the table's slices: each time costs every one of them a
 * packet. */
#define POSTPONED_MAX 16

static uint64_t last_of(const struct pres_journal *j, pres_id id);
static void set_last(struct pres_journal *j, pres_id id);
static void forget_removal(struct pres_journal *j, uint64_t seq);
static const struct removal *removal_at(const struct pres_journal *j, uint64_t seq);
static void removal_free(struct removal *r);
static void wake_readers(void *arg);

struct pres_journal *pres_journal_new(struct pres_table *table, size_t capacity)
{
    struct pres_journal *j = mem_calloc(1, sizeof(*j));

    j->table = table;
    j->epoch = crypto_random_u64();
    j->capacity = capacity > 0 ? capacity : 1;
    j->ring = mem_calloc(j->capacity, sizeof(*j->ring));
    j->read = mem_calloc(1, sizeof(*j->read));
    return j;
}

void pres_journal_free(struct pres_journal **journal)
{
    struct pres_journal *j = *journal;

    if (!j)
        return;
    assert(!j->readers);
    if (j->deferred)
        loop_undefer(pres_table_loop(j->table), wake_readers, j);
    for (size_t i = j->first_removal; i < j->n_removals; i++)
        removal_free(&j->removals[i]);
    free(j->removals);
    free(j->ring);
    free(j->last);
    free(j->read);
    free(j);
    *journal = NULL;
}

void pres_journal_add(struct pres_journal *j, pres_id id, const struct pres_presence *now)
{
    uint64_t last = last_of(j, id);

    j->head++;
    if (j->head > j->capacity)
        forget_removal(j, j->head - j->capacity);
    j->ring[j->head % j->capacity] = (struct entry){
        .reason = now->reason,
        .id = id,
        .generation = pres_table_generation(j->table, id),
        .since = pres_time_pack(now->since),
        .until = pres_time_pack(now->until),
        .next_start = pres_time_pack(now->next.start),
        .next_end = pres_time_pack(now->next.end),
        .as_of = pres_time_pack(now->as_of),
        .valid_until = pres_time_pack(now->valid_until),
        .state = (uint8_t)now->state,
        .next = now->next.some ? (uint8_t)now->next.kind : PRES_FREE,
        .back = last ? (uint32_t)(j->head - last) : 0,
    };
    set_last(j, id);
    if (!j->deferred && j->readers) {
        j->deferred = true;
        loop_defer(pres_table_loop(j->table), wake_readers, j);
    }
}

void pres_journal_remove(struct pres_journal *j, pres_id id)
{
    const char *published = pres_table_publish_as(j->table, id), *address = pres_table_address(j->table, id);
    struct pres_presence gone = {.state = PRES_UNKNOWN,
                                 .since = clk_wall_s(loop_clk(pres_table_loop(j->table))),
                                 .until = PRES_NEVER,
                                 .reason = PRES_REMOVED};

    pres_journal_add(j, id, &gone);
    j->ring[j->head % j->capacity].removed = true;
    if (j->n_removals == j->cap_removals) {
        j->cap_removals = j->cap_removals ? j->cap_removals * 2 : 16;
        j->removals = mem_realloc(j->removals, j->cap_removals, sizeof(*j->removals));
    }
    j->removals[j->n_removals++] =
        (struct removal){j->head, mem_strdup(published), mem_strdup_or_null(published == address ? NULL : address),
                         mem_strdup_or_null(pres_table_group(j->table, id))};
}

void pres_journal_renamed(struct pres_journal *j, pres_id id)
{
    struct pres_presence now;

    pres_table_told(j->table, id, &now);
    pres_journal_add(j, id, &now);
}

uint64_t pres_journal_head(const struct pres_journal *j)
{
    return j->head;
}

uint64_t pres_journal_tail(const struct pres_journal *j)
{
    return j->head < j->capacity ? 1 : j->head - j->capacity + 1;
}

uint64_t pres_journal_epoch(const struct pres_journal *j)
{
    return j->epoch;
}

struct pres_table *pres_journal_table(const struct pres_journal *j)
{
    return j->table;
}

bool pres_journal_whose(const struct pres_journal *j, uint64_t seq, pres_id *ret_id, uint32_t *ret_generation)
{
    const struct entry *e = &j->ring[seq % j->capacity];

    if (seq < pres_journal_tail(j) || seq > j->head)
        return false;
    *ret_id = e->id;
    *ret_generation = e->generation;
    return true;
}

bool pres_journal_is_removal(const struct pres_journal *j, uint64_t seq)
{
    return j->ring[seq % j->capacity].removed;
}

bool pres_journal_find_removed(const struct pres_journal *j, const char *address, uint64_t after, pres_id *ret_id,
                               uint32_t *ret_generation)
{
    for (size_t i = j->n_removals; i > j->first_removal && j->removals[i - 1].seq > after; i--) {
        const struct removal *r = &j->removals[i - 1];

        if (str_eq_nocase(r->published, address) || (r->address && str_eq_nocase(r->address, address)))
            return pres_journal_whose(j, r->seq, ret_id, ret_generation);
    }
    return false;
}

bool pres_journal_removed_member(const struct pres_journal *j, const char *group, uint64_t after, size_t *at,
                                 pres_id *ret_id, uint32_t *ret_generation)
{
    while (*at < j->n_removals - j->first_removal) {
        const struct removal *r = &j->removals[j->n_removals - ++*at];

        if (r->seq <= after)
            return false;
        if (r->group && strcmp(r->group, group) == 0)
            return pres_journal_whose(j, r->seq, ret_id, ret_generation);
    }
    return false;
}

const struct pres_change *pres_journal_get(const struct pres_journal *j, uint64_t seq)
{
    const struct entry *e = &j->ring[seq % j->capacity];
    struct pres_change *ret = j->read;
    const struct removal *removal = NULL;

    if (seq < pres_journal_tail(j) || seq > j->head)
        return NULL;
    if (e->removed)
        removal = removal_at(j, seq);
    *ret = (struct pres_change){
        .seq = seq,
        .id = e->id,
        .generation = e->generation,
        .now = {.state = (enum pres_kind)e->state,
                .since = pres_time_unpack(e->since),
                .until = pres_time_unpack(e->until),
                .as_of = pres_time_unpack(e->as_of),
                .valid_until = pres_time_unpack(e->valid_until),
                .reason = e->reason},
        .removed = removal ? removal->published : NULL,
    };
    if (e->next != PRES_FREE)
        ret->now.next = (struct pres_next){true, (enum pres_kind)e->next, pres_time_unpack(e->next_start),
                                           pres_time_unpack(e->next_end)};
    return ret;
}

uint64_t pres_journal_latest(const struct pres_journal *j, pres_id id)
{
    return last_of(j, id);
}

uint64_t pres_journal_before(const struct pres_journal *j, uint64_t seq)
{
    uint32_t back = j->ring[seq % j->capacity].back;

    return back && back < seq && seq - back >= pres_journal_tail(j) ? seq - back : 0;
}

struct pres_journal_reader *pres_journal_reader_new(struct pres_journal *j, pres_journal_fn *wake, void *arg)
{
    struct pres_journal_reader *r = mem_calloc(1, sizeof(*r));

    *r = (struct pres_journal_reader){.journal = j, .wake = wake, .arg = arg, .after = j->readers};
    if (j->readers)
        j->readers->before = r;
    j->readers = r;
    return r;
}

void pres_journal_reader_free(struct pres_journal_reader **reader)
{
    struct pres_journal_reader *r = *reader;

    if (!r)
        return;
    if (r->journal->next_to_wake == r)
        r->journal->next_to_wake = r->after;
    if (r->before)
        r->before->after = r->after;
    else
        r->journal->readers = r->after;
    if (r->after)
        r->after->before = r->before;
    free(r);
    *reader = NULL;
}

/* 0: none that is kept. What the low half says is believed only of an entry that is about this id indeed. */
static uint64_t last_of(const struct pres_journal *j, pres_id id)
{
    uint64_t seq = id < j->n_last ? j->head - (uint32_t)((uint32_t)j->head - j->last[id]) : 0;

    return seq > 0 && seq <= j->head && seq >= pres_journal_tail(j) && j->ring[seq % j->capacity].id == id ? seq : 0;
}

static void set_last(struct pres_journal *j, pres_id id)
{
    if (id >= j->n_last) {
        size_t n = j->n_last ? j->n_last : 64;

        while (n <= id)
            n *= 2;
        j->last = mem_realloc(j->last, n, sizeof(*j->last));
        memset(j->last + j->n_last, 0, (n - j->n_last) * sizeof(*j->last));
        j->n_last = n;
    }
    j->last[id] = (uint32_t)j->head;
}

/* The slot of entry `seq` is about to be another's. A whole company may leave at once: the queue moves up by halves. */
static void forget_removal(struct pres_journal *j, uint64_t seq)
{
    while (j->first_removal < j->n_removals && j->removals[j->first_removal].seq <= seq)
        removal_free(&j->removals[j->first_removal++]);
    if (j->first_removal <= j->n_removals / 2)
        return;
    j->n_removals -= j->first_removal;
    memmove(j->removals, j->removals + j->first_removal, j->n_removals * sizeof(*j->removals));
    j->first_removal = 0;
}

static const struct removal *removal_at(const struct pres_journal *j, uint64_t seq)
{
    size_t low = j->first_removal, high = j->n_removals;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (j->removals[mid].seq >= seq)
            high = mid;
        else
            low = mid + 1;
    }
    return low < j->n_removals && j->removals[low].seq == seq ? &j->removals[low] : NULL;
}

static void removal_free(struct removal *r)
{
    free(r->published);
    free(r->address);
    free(r->group);
}

static void wake_readers(void *arg)
{
    struct pres_journal *j = arg;
    struct pres_journal_reader *r;

    if (pres_table_busy(j->table) && ++j->postponed < POSTPONED_MAX) {
        loop_defer(pres_table_loop(j->table), wake_readers, j);
        return;
    }
    j->postponed = 0;
    j->deferred = false;
    j->next_to_wake = j->readers;
    while ((r = j->next_to_wake)) {
        j->next_to_wake = r->after;
        r->wake(r->arg);
    }
}
