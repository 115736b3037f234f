/*
 * journal_readers: who is told that a journal has grown. Readers of everybody are told of whatever comes. A reader of
 * some is told only when there is something about one of those (interest.c), and has had each such entry's number
 * before.
 *
 * Readers are told once a turn that there is more, however much was added, and never from inside the addition: a reader
 * may do anything in its wake, removing itself and others included. The walk over the readers keeps its next stop here,
 * where a removal can move it.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "interest.h"
#include "journal_private.h"
#include "table_private.h"

struct pres_journal_reader {
    struct pres_readers *all;
    pres_journal_fn *wake;
    pres_journal_note_fn *note; /* NULL: reads of everybody */
    void *arg;
    struct pres_journal_reader *next, **back; /* in one of the lists; back is NULL: in none */
};

struct told {
    uint64_t head; /* when they were last told */
    int64_t ms;    /* monotonic; when the first entry after that was put off */
};

struct pres_readers {
    struct pres_journal *journal;
    struct pres_journal_reader *everybodys;
    struct pres_journal_reader *noted;  /* readers of some, for whom there is something */
    struct pres_journal_reader *waking; /* those of them who are being told */
    struct pres_journal_reader *next_to_wake;
    struct pres_interest *interest;
    size_t n_some;      /* readers of some */
    uint64_t passed_on; /* the entries up to this one were noted with those who want them */
    bool deferred;
    struct told told_all, told_some;
};

/*
 * In a storm of changes readers are told after so many entries or so much time: each time costs every one of them a
 * packet. Those of everybody have much to write each time, and there are few of them; those of some are many, and have
 * little.
 */
#define STORM_ENTRIES 8192
#define STORM_MS 50
#define STORM_SOME_ENTRIES 262144
#define STORM_SOME_MS 250
#define STORM_SHARE 4 /* of a small journal they are told after this part: before it has gone round */

static void note(struct pres_journal_reader *r, uint64_t seq);
static void list_add(struct pres_journal_reader **list, struct pres_journal_reader *r);
static void list_remove(struct pres_journal_reader *r);
static void on_deferred(void *arg);
static bool is_time(const struct pres_readers *all, struct told *told, uint64_t entries, int64_t ms);
static void wake_all(struct pres_readers *all);
static void wake_some(struct pres_readers *all);

struct pres_readers *pres_readers_new(struct pres_journal *j)
{
    struct pres_readers *all = mem_calloc(1, sizeof(*all));

    all->journal = j;
    all->interest = pres_interest_new();
    return all;
}

void pres_readers_free(struct pres_readers **readers)
{
    struct pres_readers *all = *readers;

    assert(!all->everybodys && all->n_some == 0);
    pres_interest_free(&all->interest);
    if (all->deferred)
        loop_undefer(pres_table_loop(pres_journal_table(all->journal)), on_deferred, all);
    free(all);
    *readers = NULL;
}

void pres_readers_more(struct pres_readers *all)
{
    if (all->deferred || (!all->everybodys && all->n_some == 0))
        return;
    all->deferred = true;
    loop_defer(pres_table_loop(pres_journal_table(all->journal)), on_deferred, all);
}

struct pres_journal_reader *pres_journal_reader_new(struct pres_journal *j, pres_journal_fn *wake, void *arg)
{
    struct pres_journal_reader *r = mem_calloc(1, sizeof(*r));

    *r = (struct pres_journal_reader){.all = pres_journal_readers(j), .wake = wake, .arg = arg};
    list_add(&r->all->everybodys, r);
    return r;
}

struct pres_journal_reader *pres_journal_reader_of_some(struct pres_journal *j, pres_journal_fn *wake,
                                                        pres_journal_note_fn *fn, void *arg)
{
    struct pres_journal_reader *r = mem_calloc(1, sizeof(*r));

    *r = (struct pres_journal_reader){.all = pres_journal_readers(j), .wake = wake, .note = fn, .arg = arg};
    pres_journal_pass_on(j); /* what was before is not for this one */
    r->all->n_some++;
    return r;
}

void pres_journal_reader_free(struct pres_journal_reader **reader)
{
    struct pres_journal_reader *r = *reader;

    if (!r)
        return;
    if (r->all->next_to_wake == r)
        r->all->next_to_wake = r->next;
    list_remove(r);
    if (r->note)
        r->all->n_some--;
    free(r);
    *reader = NULL;
}

uint32_t pres_journal_want(struct pres_journal_reader *r, pres_id id)
{
    return pres_interest_add(r->all->interest, id, r);
}

void pres_journal_unwant(struct pres_journal_reader *r, pres_id id, uint32_t ref)
{
    pres_interest_drop(r->all->interest, id, ref);
}

void pres_journal_pass_on(struct pres_journal *j)
{
    struct pres_readers *all = pres_journal_readers(j);
    uint64_t head = pres_journal_head(j);

    if (all->n_some > 0 && all->passed_on + 1 < pres_journal_tail(j))
        pres_interest_tell_all(all->interest, PRES_JOURNAL_MISSED, note);
    else if (all->n_some > 0)
        for (uint64_t seq = all->passed_on + 1; seq <= head; seq++)
            pres_interest_tell(all->interest, pres_journal_id(j, seq), seq, note);
    all->passed_on = head;
}

uint64_t pres_journal_passed_on(const struct pres_journal *j)
{
    return pres_journal_readers(j)->passed_on;
}

static void note(struct pres_journal_reader *r, uint64_t seq)
{
    r->note(r->arg, seq);
    if (!r->back)
        list_add(&r->all->noted, r);
}

static void list_add(struct pres_journal_reader **list, struct pres_journal_reader *r)
{
    r->next = *list;
    r->back = list;
    if (r->next)
        r->next->back = &r->next;
    *list = r;
}

static void list_remove(struct pres_journal_reader *r)
{
    if (!r->back)
        return;
    *r->back = r->next;
    if (r->next)
        r->next->back = r->back;
    r->next = NULL;
    r->back = NULL;
}

static void on_deferred(void *arg)
{
    struct pres_readers *all = arg;
    bool of_all = is_time(all, &all->told_all, STORM_ENTRIES, STORM_MS),
         of_some = is_time(all, &all->told_some, STORM_SOME_ENTRIES, STORM_SOME_MS);

    all->deferred = !of_all || !of_some;
    if (all->deferred)
        loop_defer(pres_table_loop(pres_journal_table(all->journal)), on_deferred, all);
    if (of_all)
        wake_all(all);
    if (of_some)
        wake_some(all);
}

/* There is nothing more to come at once, or enough has come. */
static bool is_time(const struct pres_readers *all, struct told *told, uint64_t entries, int64_t ms)
{
    const struct pres_table *table = pres_journal_table(all->journal);
    int64_t now_ms = clk_mono_ms(loop_clk(pres_table_loop(table)));
    uint64_t head = pres_journal_head(all->journal), share = pres_journal_capacity(all->journal) / STORM_SHARE;

    if (told->ms == 0)
        told->ms = now_ms;
    if (pres_table_busy(table) && head - told->head < (entries < share ? entries : share) && now_ms - told->ms < ms)
        return false;
    *told = (struct told){.head = head};
    return true;
}

static void wake_all(struct pres_readers *all)
{
    struct pres_journal_reader *r;

    all->next_to_wake = all->everybodys;
    while ((r = all->next_to_wake)) {
        all->next_to_wake = r->next;
        r->wake(r->arg);
    }
}

/* A wake may note others, or add entries: those are for the next time. */
static void wake_some(struct pres_readers *all)
{
    struct pres_journal_reader *r;

    pres_journal_pass_on(all->journal);
    all->waking = all->noted;
    all->noted = NULL;
    if (all->waking)
        all->waking->back = &all->waking;
    while ((r = all->waking)) {
        list_remove(r);
        r->wake(r->arg);
    }
}
