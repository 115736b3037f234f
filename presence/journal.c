/*
 * journal: the last changes, numbered without gaps, in a ring of 48 bytes each. The table's change function adds;
 * watches (watch.c) read at their own pace by number, and know by the tail when they are too late.
 *
 * A removal is an entry like the others; the person's names and group, which the table forgets, stand in a second queue
 * beside the ring and leave it when the ring's slot is taken again.
 *
 * Entries about the same id are chained backwards, so that a reader of a few persons need not look at all entries.
 * Who is told that there are new ones, and when, is journal_readers.c.
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

struct pres_journal {
    struct pres_table *table;
    uint64_t epoch;
    uint64_t former_epoch, former_head; /* of the one that this one follows, */
    size_t n_former;                    /* the last entries of which are this one's first */
    bool follows;
    uint64_t head; /* number of the newest */
    size_t head_at; /* its place in the ring */
    size_t capacity;
    struct entry *ring;
    struct pres_change *read; /* what pres_journal_get lends */
    uint32_t *last;           /* by id: the low half of the number of its last entry */
    size_t n_last;
    struct removal *removals; /* by seq; those before the first are gone */
    size_t first_removal, n_removals, cap_removals;
    struct pres_readers *readers;
    char epoch_text[PRES_EPOCH_TEXT + 1];
};

static struct entry *entry_at(const struct pres_journal *j, uint64_t seq);
static uint64_t last_of(const struct pres_journal *j, pres_id id);
static void set_last(struct pres_journal *j, pres_id id);
static void forget_removal(struct pres_journal *j, uint64_t seq);
static const struct removal *removal_at(const struct pres_journal *j, uint64_t seq);
static void removal_free(struct removal *r);
static void advance(struct pres_journal *j);
static void epoch_write(struct pres_journal *j);

struct pres_journal *pres_journal_new(struct pres_table *table, size_t capacity)
{
    struct pres_journal *j = mem_calloc(1, sizeof(*j));

    j->table = table;
    j->epoch = crypto_random_u64();
    j->readers = pres_readers_new(j);
    epoch_write(j);
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
    pres_readers_free(&j->readers);
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

    advance(j);
    j->ring[j->head_at] = (struct entry){
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
    pres_readers_more(j->readers);
}

void pres_journal_remove(struct pres_journal *j, pres_id id)
{
    const char *published = pres_table_publish_as(j->table, id), *address = pres_table_address(j->table, id);
    struct pres_presence gone = {.state = PRES_UNKNOWN,
                                 .since = clk_wall_s(loop_clk(pres_table_loop(j->table))),
                                 .until = PRES_NEVER,
                                 .reason = PRES_REMOVED};

    pres_journal_add(j, id, &gone);
    j->ring[j->head_at].removed = true;
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

void pres_journal_follow(struct pres_journal *j, uint64_t epoch, uint64_t head, const pres_id *last, size_t n)
{
    j->former_epoch = epoch;
    j->former_head = head;
    j->n_former = n;
    j->follows = true;
    for (size_t i = 0; i < n; i++) {
        if (last[i] != PRES_NOBODY) {
            pres_journal_renamed(j, last[i]);
        } else {
            advance(j);
            j->ring[j->head_at] = (struct entry){.id = PRES_NOBODY, .generation = UINT32_MAX};
        }
    }
}

bool pres_journal_former(const struct pres_journal *j, uint64_t epoch, uint64_t seq, uint64_t *ret_seq)
{
    if (!j->follows || epoch != j->former_epoch || seq > j->former_head || seq + j->n_former < j->former_head)
        return false;
    *ret_seq = seq + j->n_former - j->former_head;
    return true;
}

const char *pres_journal_epoch_text(const struct pres_journal *j)
{
    return j->epoch_text;
}

size_t pres_journal_capacity(const struct pres_journal *j)
{
    return j->capacity;
}

struct pres_readers *pres_journal_readers(const struct pres_journal *j)
{
    return j->readers;
}

struct pres_table *pres_journal_table(const struct pres_journal *j)
{
    return j->table;
}

bool pres_journal_whose(const struct pres_journal *j, uint64_t seq, pres_id *ret_id, uint32_t *ret_generation)
{
    const struct entry *e;

    if (seq < pres_journal_tail(j) || seq > j->head)
        return false;
    e = entry_at(j, seq);
    *ret_id = e->id;
    *ret_generation = e->generation;
    return true;
}

void pres_journal_fetch(const struct pres_journal *j, uint64_t seq)
{
    const struct entry *e;

    if (seq < pres_journal_tail(j) || seq > j->head)
        return;
    e = entry_at(j, seq);
    __builtin_prefetch(e);
    __builtin_prefetch((const char *)(e + 1) - 1); /* it may lie in two lines */
}

pres_id pres_journal_id(const struct pres_journal *j, uint64_t seq)
{
    return seq >= pres_journal_tail(j) && seq <= j->head ? entry_at(j, seq)->id : PRES_NOBODY;
}

bool pres_journal_is_removal(const struct pres_journal *j, uint64_t seq)
{
    return entry_at(j, seq)->removed;
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
    struct pres_change *ret = j->read;

    if (seq < pres_journal_tail(j) || seq > j->head)
        return NULL;
    ret->seq = seq;
    ret->id = entry_at(j, seq)->id;
    ret->generation = entry_at(j, seq)->generation;
    ret->removed = pres_journal_read(j, seq, &ret->now);
    return ret;
}

const char *pres_journal_read(const struct pres_journal *j, uint64_t seq, struct pres_presence *ret)
{
    const struct entry *e = entry_at(j, seq);
    const struct removal *removal = e->removed ? removal_at(j, seq) : NULL;

    ret->state = (enum pres_kind)e->state;
    ret->since = pres_time_unpack(e->since);
    ret->until = pres_time_unpack(e->until);
    ret->as_of = pres_time_unpack(e->as_of);
    ret->valid_until = pres_time_unpack(e->valid_until);
    ret->reason = e->reason;
    if (e->next != PRES_FREE)
        ret->next = (struct pres_next){true, (enum pres_kind)e->next, pres_time_unpack(e->next_start),
                                       pres_time_unpack(e->next_end)};
    else
        ret->next = (struct pres_next){false, PRES_FREE, 0, 0};
    return removal ? removal->published : NULL;
}

uint64_t pres_journal_latest(const struct pres_journal *j, pres_id id)
{
    return last_of(j, id);
}

uint64_t pres_journal_before(const struct pres_journal *j, uint64_t seq)
{
    uint32_t back = entry_at(j, seq)->back;

    return back && back < seq && seq - back >= pres_journal_tail(j) ? seq - back : 0;
}

/* To the next entry, in the slot of the oldest. */
static void advance(struct pres_journal *j)
{
    j->head++;
    j->head_at = j->head_at + 1 < j->capacity ? j->head_at + 1 : 0;
    if (j->n_removals > 0 && j->head > j->capacity)
        forget_removal(j, j->head - j->capacity);
}

/* "0123456789abcdef-" */
static void epoch_write(struct pres_journal *j)
{
    uint64_t rest = j->epoch;

    for (unsigned i = PRES_EPOCH_TEXT - 1; i > 0; i--, rest >>= 4)
        j->epoch_text[i - 1] = "0123456789abcdef"[rest & 15];
    j->epoch_text[PRES_EPOCH_TEXT - 1] = '-';
}

/* Of one that is kept: counted back from the newest, for dividing by the capacity would cost more than all the rest. */
static struct entry *entry_at(const struct pres_journal *j, uint64_t seq)
{
    size_t back = (size_t)(j->head - seq);

    return &j->ring[back <= j->head_at ? j->head_at - back : j->head_at + j->capacity - back];
}

/* 0: none that is kept. What the low half says is believed only of an entry that is about this id indeed. */
static uint64_t last_of(const struct pres_journal *j, pres_id id)
{
    uint64_t seq = id < j->n_last ? j->head - (uint32_t)((uint32_t)j->head - j->last[id]) : 0;

    return seq > 0 && seq <= j->head && seq >= pres_journal_tail(j) && entry_at(j, seq)->id == id ? seq : 0;
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

