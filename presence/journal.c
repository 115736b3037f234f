/*
 * journal: the last changes, numbered without gaps, in a ring of 48 bytes each. The table's change function adds;
 * watches (watch.c) read at their own pace by number, and know by the tail when they are too late.
 *
 * Readers are told once a turn that there is more, however much was added, and never from inside the addition: a reader
 * may do anything in its wake, removing itself and others included. The walk over the readers keeps its next stop in
 * the journal, where a removal can move it.
 */
#include "presence/journal.h"

#include <assert.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/loop.h"
#include "base/mem.h"
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
};

static_assert(sizeof(struct entry) <= 48, "a journal holds a million of them");

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
    struct pres_journal_reader *readers;
    struct pres_journal_reader *next_to_wake;
    bool deferred;
};

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
    free(j->ring);
    free(j->read);
    free(j);
    *journal = NULL;
}

void pres_journal_add(struct pres_journal *j, pres_id id, const struct pres_presence *now)
{
    j->head++;
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
    };
    if (!j->deferred && j->readers) {
        j->deferred = true;
        loop_defer(pres_table_loop(j->table), wake_readers, j);
    }
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

const struct pres_change *pres_journal_get(const struct pres_journal *j, uint64_t seq)
{
    const struct entry *e = &j->ring[seq % j->capacity];
    struct pres_change *ret = j->read;

    if (seq < pres_journal_tail(j) || seq > j->head)
        return NULL;
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
    };
    if (e->next != PRES_FREE)
        ret->now.next = (struct pres_next){true, (enum pres_kind)e->next, pres_time_unpack(e->next_start),
                                           pres_time_unpack(e->next_end)};
    return ret;
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

static void wake_readers(void *arg)
{
    struct pres_journal *j = arg;
    struct pres_journal_reader *r;

    j->deferred = false;
    j->next_to_wake = j->readers;
    while ((r = j->next_to_wake)) {
        j->next_to_wake = r->after;
        r->wake(r->arg);
    }
}
