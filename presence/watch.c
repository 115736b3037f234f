/*
 * watch: one subscriber's place in the journal. http_events and the control socket hold one for each stream, pull
 * events when the client takes bytes, and give each event's cursor along; a client that comes back hands the cursor in.
 *
 * The whole state is a place: all journal entries up to `seq` are dealt with, and while the snapshot runs, all persons
 * with an id below `next_id` have been yielded. The rule that makes it exact: entries are always read first. One about
 * somebody below next_id is yielded; one about somebody else is passed over, because that person's state will be taken
 * when the place has reached the head, so it contains the entry. A cursor is the place in letters, and unget is the
 * place before.
 *
 * A removal is an entry too, the last about that person, and goes by the same rule: a snapshot does not contain
 * somebody who is gone. A list names people by id and generation, so an id that has a new owner may stand in it twice.
 *
 * A place is never behind the journal's tail: then entries are missing, and the watch is at its end.
 *
 * A list does not look at entries about others: the journal notes those about its persons with it (`todo`). While it
 * has them all (`noted`), all else up to the last note is passed over without a look. What it has not, because it came
 * back with a cursor, or did not read while its persons changed again and again, it looks up by the chains that lead
 * from one entry about a person to the one before.
 */
#include "presence/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal_private.h"
#include "table_private.h"

/* Entries about others that one call passes over before it lets the loop have a turn. */
#define SKIP_MAX 20000

/* A list that has missed notes is looked up when so many entries more wait than it has persons. */
#define LOOK_UP_MIN 16

/* Of a list with n persons so many numbers of entries are kept; more are looked up when they are wanted: a subscriber
 * who does not read has no queue. */
#define TODO_MAX(n) (4 * (n) + 64)
#define TODO_FIRST 8

/* Of entries that lie scattered in memory: so many before its turn an entry is fetched, its person, and the names. */
#define AHEAD_ENTRY 24
#define AHEAD_PERSON 16
#define AHEAD_NAME 8

#define EPOCH_DIGITS 16
#define CURSOR_MAX 48

struct who {
    pres_id id;
    uint32_t generation;
    uint32_t want; /* the journal's word for that we want to hear of this id; 0: the one before has it, or none */
};

struct place {
    uint64_t seq;
    pres_id next_id;
    bool snapshot;
};

struct pres_watch {
    struct pres_journal *journal;
    struct pres_table *table;
    struct pres_journal_reader *reader;
    pres_journal_fn *wake;
    void *arg;
    struct who *who; /* by id; NULL: everybody */
    size_t n;
    struct place now, before; /* before the last event */
    uint64_t *todo;           /* entries about persons of the list; from todo_at on they are to be dealt with */
    uint32_t todo_n, todo_at, todo_cap;
    bool noted; /* `todo` has all of them */
    bool resumed;
    bool deferred;
};

static char *cursor_write(const struct pres_watch *w, char out[CURSOR_MAX]);
static void who_copy(struct pres_watch *w, const pres_id *ids, size_t n);
static int who_compare(const void *a, const void *b);
static size_t who_find(const struct pres_watch *w, pres_id id);
static void who_add(struct pres_watch *w, pres_id id, uint32_t generation);
static bool listed(const struct pres_watch *w, pres_id id, uint32_t generation);
static pres_id next_wanted(const struct pres_watch *w, pres_id from);
static void want_all(struct pres_watch *w);
static void unwant_all(struct pres_watch *w);
static void on_note(void *arg, uint64_t seq);
static uint64_t reach(const struct pres_watch *w);
static bool todo_room(struct pres_watch *w);
static void todo_drop(struct pres_watch *w);
static void pass_over(struct pres_watch *w);
static void fetch_ahead(const struct pres_watch *w);
static void look_up(struct pres_watch *w);
static int seq_compare(const void *a, const void *b);
static bool event_of_change(struct pres_watch *w, struct pres_event *ret);
static bool event_of_snapshot(struct pres_watch *w, struct pres_event *ret);
static void on_wake(void *arg);
static void on_deferred(void *arg);
static bool cursor_read(const struct pres_journal *j, const char *text, struct place *ret);
static bool hex_read(const char **text, unsigned digits, uint64_t *ret);
static char *hex_write(char *out, uint64_t value, unsigned digits);

struct pres_watch *pres_watch_new(struct pres_journal *j, const pres_id *ids, size_t n, const char *cursor,
                                  pres_journal_fn *wake, void *arg)
{
    struct pres_watch *w = mem_calloc(1, sizeof(*w));

    *w = (struct pres_watch){.journal = j, .table = pres_journal_table(j), .wake = wake, .arg = arg};
    if (ids)
        who_copy(w, ids, n);
    w->resumed = cursor && cursor_read(j, cursor, &w->now);
    if (!w->resumed)
        w->now = (struct place){.seq = pres_journal_head(j), .snapshot = true};
    w->before = w->now;
    if (w->who)
        want_all(w);
    else
        w->reader = pres_journal_reader_new(j, on_wake, w);
    return w;
}

bool pres_watch_removed(struct pres_watch *w, const char *address)
{
    uint32_t generation;
    pres_id id;

    if (!w->who || !w->resumed || !pres_journal_find_removed(w->journal, address, w->now.seq, &id, &generation))
        return false;
    unwant_all(w);
    who_add(w, id, generation);
    want_all(w);
    return true;
}

void pres_watch_removed_members(struct pres_watch *w, const char *group)
{
    size_t capacity = w->n, at = 0;
    struct who one = {.want = 0};

    if (!w->who || !w->resumed)
        return;
    unwant_all(w);
    while (pres_journal_removed_member(w->journal, group, w->now.seq, &at, &one.id, &one.generation)) {
        if (w->n >= capacity)
            w->who = mem_realloc(w->who, capacity = 2 * capacity + 16, sizeof(*w->who));
        w->who[w->n++] = one;
    }
    qsort(w->who, w->n, sizeof(*w->who), who_compare);
    want_all(w);
}

void pres_watch_free(struct pres_watch **watch)
{
    struct pres_watch *w = *watch;

    if (!w)
        return;
    unwant_all(w);
    pres_journal_reader_free(&w->reader);
    if (w->deferred)
        loop_undefer(pres_table_loop(w->table), on_deferred, w);
    free(w->who);
    free(w->todo);
    free(w);
    *watch = NULL;
}

enum pres_watch_result pres_watch_next(struct pres_watch *w, struct pres_event *ret)
{
    unsigned skipped;

    for (skipped = 0; skipped < SKIP_MAX; skipped++) {
        w->before = w->now;
        if (w->who)
            pass_over(w);
        if (w->now.seq + 1 < pres_journal_tail(w->journal))
            return PRES_WATCH_BEHIND;
        if (w->now.seq < reach(w)) {
            if (event_of_change(w, ret))
                return PRES_WATCH_EVENT;
        } else if (w->now.snapshot) {
            if (event_of_snapshot(w, ret))
                return PRES_WATCH_EVENT;
        } else {
            return PRES_WATCH_NOTHING;
        }
    }
    if (!w->deferred) {
        w->deferred = true;
        loop_defer(pres_table_loop(w->table), on_deferred, w);
    }
    return PRES_WATCH_NOTHING;
}

void pres_watch_unget(struct pres_watch *w)
{
    w->now = w->before;
}

bool pres_watch_each(const struct pres_watch *w, pres_watched_fn *fn, void *arg)
{
    for (size_t i = 0; w->who && i < w->n; i++)
        if (pres_table_generation(w->table, w->who[i].id) == w->who[i].generation)
            fn(arg, w->who[i].id);
    return w->who != NULL;
}

bool pres_watch_names(const struct pres_watch *w, pres_id id)
{
    return listed(w, id, pres_table_generation(w->table, id));
}

bool pres_watch_resumed(const struct pres_watch *w)
{
    return w->resumed;
}

uint64_t pres_watch_seq(const struct pres_watch *w)
{
    return w->now.seq;
}

char *pres_watch_cursor(struct pres_watch *w, char out[CURSOR_MAX])
{
    if (w->who)
        pass_over(w);
    return cursor_write(w, out);
}

/* By hand: this runs once for every event of every subscriber. */
static char *cursor_write(const struct pres_watch *w, char out[CURSOR_MAX])
{
    char digits[20], *at = (char *)memcpy(out, pres_journal_epoch_text(w->journal), PRES_EPOCH_TEXT) + PRES_EPOCH_TEXT;
    uint64_t seq = w->now.seq;
    size_t n = sizeof(digits);

    do {
        digits[--n] = (char)('0' + seq % 10);
        seq /= 10;
    } while (seq > 0);
    memcpy(at, digits + n, sizeof(digits) - n);
    at += sizeof(digits) - n;
    if (w->now.snapshot) {
        *at++ = '-';
        at = hex_write(at, w->now.next_id, 8);
    }
    *at = '\0';
    return out;
}

/* An id without a person now is left out: whoever gets it later was not meant. */
static void who_copy(struct pres_watch *w, const pres_id *ids, size_t n)
{
    size_t kept = 0;

    w->who = mem_calloc(n + 1, sizeof(*w->who));
    for (size_t i = 0; i < n; i++)
        if (pres_table_generation(w->table, ids[i]) != 0)
            w->who[w->n++] = (struct who){.id = ids[i], .generation = pres_table_generation(w->table, ids[i])};
    qsort(w->who, w->n, sizeof(*w->who), who_compare);
    for (size_t i = 0; i < w->n; i++)
        if (i == 0 || w->who[i].id != w->who[i - 1].id)
            w->who[kept++] = w->who[i];
    w->n = kept;
}

static void who_add(struct pres_watch *w, pres_id id, uint32_t generation)
{
    size_t i = who_find(w, id);

    w->who = mem_realloc(w->who, w->n + 1, sizeof(*w->who));
    memmove(w->who + i + 1, w->who + i, (w->n++ - i) * sizeof(*w->who));
    w->who[i] = (struct who){.id = id, .generation = generation};
}

static int who_compare(const void *a, const void *b)
{
    const struct who *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* Index of the first one from `id` on. */
static size_t who_find(const struct pres_watch *w, pres_id id)
{
    size_t low = 0, high = w->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (w->who[mid].id >= id)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* Is an entry about `id`, at that generation, about somebody we watch? */
static bool listed(const struct pres_watch *w, pres_id id, uint32_t generation)
{
    if (!w->who)
        return true;
    for (size_t i = who_find(w, id); i < w->n && w->who[i].id == id; i++)
        if (w->who[i].generation == generation)
            return true;
    return false;
}

static pres_id next_wanted(const struct pres_watch *w, pres_id from)
{
    if (!w->who)
        return pres_table_next(w->table, from == 0 ? PRES_NOBODY : from - 1);
    for (size_t i = who_find(w, from); i < w->n; i++)
        if (pres_table_generation(w->table, w->who[i].id) == w->who[i].generation)
            return w->who[i].id;
    return PRES_NOBODY;
}

static void want_all(struct pres_watch *w)
{
    w->reader = pres_journal_reader_of_some(w->journal, on_wake, on_note, w);
    for (size_t i = 0; i < w->n; i++)
        w->who[i].want =
            i == 0 || w->who[i].id != w->who[i - 1].id ? pres_journal_want(w->reader, w->who[i].id) : 0;
}

static void unwant_all(struct pres_watch *w)
{
    for (size_t i = 0; w->who && i < w->n; i++) {
        if (w->who[i].want)
            pres_journal_unwant(w->reader, w->who[i].id, w->who[i].want);
        w->who[i].want = 0;
    }
    pres_journal_reader_free(&w->reader);
    todo_drop(w);
}

/* Numbers come in ascending order. */
static void on_note(void *arg, uint64_t seq)
{
    struct pres_watch *w = arg;

    if (!w->noted)
        return;
    if (seq == PRES_JOURNAL_MISSED || !todo_room(w))
        todo_drop(w);
    else
        w->todo[w->todo_n++] = seq;
}

/* For one more. Of those that were dealt with the last stays: it may be put back. */
static bool todo_room(struct pres_watch *w)
{
    if (w->todo_n < w->todo_cap)
        return true;
    if (w->todo_at > w->todo_n / 2) {
        w->todo_n -= w->todo_at - 1;
        memmove(w->todo, w->todo + w->todo_at - 1, w->todo_n * sizeof(*w->todo));
        w->todo_at = 1;
        return true;
    }
    if (w->todo_cap >= TODO_MAX(w->n))
        return false;
    w->todo_cap = w->todo_cap ? 2 * w->todo_cap : TODO_FIRST;
    w->todo = mem_realloc(w->todo, w->todo_cap, sizeof(*w->todo));
    return true;
}

static void todo_drop(struct pres_watch *w)
{
    free(w->todo);
    w->todo = NULL;
    w->todo_n = w->todo_at = w->todo_cap = 0;
    w->noted = false;
}

/*
 * The newest entry that is this subscriber's to read. A list that is up to date goes by what was noted with it, and is
 * woken when that has grown: if it looked further, it would find an entry or two each time as long as a storm lasts,
 * and send each in a packet of its own. A snapshot has to know all that it contains.
 */
static uint64_t reach(const struct pres_watch *w)
{
    return w->who && w->noted && !w->now.snapshot ? pres_journal_passed_on(w->journal) : pres_journal_head(w->journal);
}

/*
 * A list of a few among many: moves on to the entry before the next one that is about somebody of the list. What was
 * not noted is looked up when so many entries wait that it costs less than to look at each.
 */
static void pass_over(struct pres_watch *w)
{
    uint64_t head;

    if (!w->noted || w->now.snapshot || pres_journal_passed_on(w->journal) + 1 < pres_journal_tail(w->journal))
        pres_journal_pass_on(w->journal);
    head = reach(w);
    if (!w->noted) {
        if (w->now.seq + 1 < pres_journal_tail(w->journal))
            return;
        if (head - w->now.seq > w->n + LOOK_UP_MIN)
            look_up(w);
        else if (w->now.seq < head)
            return;
        w->noted = true;
    }
    while (w->todo_at > 0 && w->todo[w->todo_at - 1] > w->now.seq) /* one was put back */
        w->todo_at--;
    while (w->todo_at < w->todo_n && w->todo[w->todo_at] <= w->now.seq)
        w->todo_at++;
    if (w->todo_at < w->todo_n) {
        w->now.seq = w->todo[w->todo_at] - 1;
        fetch_ahead(w);
        return;
    }
    w->now.seq = head;
    free(w->todo);
    w->todo = NULL;
    w->todo_n = w->todo_at = w->todo_cap = 0;
}

static void fetch_ahead(const struct pres_watch *w)
{
    const uint64_t *todo = w->todo + w->todo_at;
    size_t left = w->todo_n - w->todo_at;

    if (left > AHEAD_ENTRY)
        pres_journal_fetch(w->journal, todo[AHEAD_ENTRY]);
    if (left > AHEAD_PERSON)
        pres_table_fetch(w->table, pres_journal_id(w->journal, todo[AHEAD_PERSON]));
    if (left > AHEAD_NAME)
        pres_table_fetch_names(w->table, pres_journal_id(w->journal, todo[AHEAD_NAME]));
}

/* While nothing is missing: what is lost of the journal later is about others, or found missing when its turn comes. */
static void look_up(struct pres_watch *w)
{
    for (size_t i = 0; i < w->n; i++) {
        if (i > 0 && w->who[i].id == w->who[i - 1].id)
            continue;
        for (uint64_t seq = pres_journal_latest(w->journal, w->who[i].id); seq > w->now.seq;
             seq = pres_journal_before(w->journal, seq)) {
            if (w->todo_n == w->todo_cap) {
                w->todo_cap = w->todo_cap ? 2 * w->todo_cap : (uint32_t)w->n + TODO_FIRST;
                w->todo = mem_realloc(w->todo, w->todo_cap, sizeof(*w->todo));
            }
            w->todo[w->todo_n++] = seq;
        }
    }
    if (w->todo_n > 1)
        qsort(w->todo, w->todo_n, sizeof(*w->todo), seq_compare);
}

static int seq_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* Takes the next journal entry. False: it is not for this subscriber, or will be contained in a state of the snapshot.
 */
static bool event_of_change(struct pres_watch *w, struct pres_event *ret)
{
    uint64_t seq = ++w->now.seq;
    uint32_t generation;
    pres_id id;

    if (!pres_journal_whose(w->journal, seq, &id, &generation) || (w->now.snapshot && id >= w->now.next_id) ||
        !listed(w, id, generation))
        return false;
    if (pres_table_generation(w->table, id) != generation && !pres_journal_is_removal(w->journal, seq))
        return false; /* gone since; the removal is still to come */
    ret->removed = pres_journal_read(w->journal, seq, &ret->now);
    ret->id = ret->removed ? PRES_NOBODY : id;
    cursor_write(w, ret->cursor);
    return true;
}

/* Takes the next person's state, at the head of the journal. False: there are no more. */
static bool event_of_snapshot(struct pres_watch *w, struct pres_event *ret)
{
    pres_id id = next_wanted(w, w->now.next_id);

    if (id == PRES_NOBODY) {
        w->now.snapshot = false;
        return false;
    }
    ret->id = id;
    ret->removed = NULL;
    pres_table_told(w->table, id, &ret->now);
    w->now.next_id = id + 1;
    w->now.snapshot = next_wanted(w, id + 1) != PRES_NOBODY;
    cursor_write(w, ret->cursor);
    return true;
}

static void on_wake(void *arg)
{
    struct pres_watch *w = arg;

    if (w->wake)
        w->wake(w->arg);
}

static void on_deferred(void *arg)
{
    struct pres_watch *w = arg;

    w->deferred = false;
    on_wake(w);
}

/* "EPOCH-SEQ" or "EPOCH-SEQ-ID". False when it is none of this journal's, or when entries behind it are gone. */
static bool cursor_read(const struct pres_journal *j, const char *text, struct place *ret)
{
    struct place place = {0};
    uint64_t epoch, next_id;
    char seq_text[24];
    const char *rest;
    size_t seq_len;
    int64_t seq;

    if (!hex_read(&text, EPOCH_DIGITS, &epoch) || *text++ != '-')
        return false;
    rest = str_split(text, '-', &seq_len);
    if (seq_len == 0 || seq_len >= sizeof(seq_text) || *text < '0' || *text > '9')
        return false;
    memcpy(seq_text, text, seq_len);
    seq_text[seq_len] = '\0';
    if (!str_to_int(seq_text, 0, INT64_MAX, &seq))
        return false;
    place.seq = (uint64_t)seq;
    if (rest) {
        if (!hex_read(&rest, 8, &next_id) || *rest != '\0')
            return false;
        place.next_id = (pres_id)next_id;
        place.snapshot = true;
    }
    if (epoch != pres_journal_epoch(j) && (place.snapshot || !pres_journal_former(j, epoch, place.seq, &place.seq)))
        return false;
    if (place.seq > pres_journal_head(j) || place.seq + 1 < pres_journal_tail(j))
        return false;
    *ret = place;
    return true;
}

/* Exactly `digits` of them, small letters, as we write them. */
static bool hex_read(const char **text, unsigned digits, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < digits; i++, (*text)++) {
        char c = **text;

        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret = value;
    return true;
}

static char *hex_write(char *out, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--, value >>= 4)
        out[i - 1] = "0123456789abcdef"[value & 15];
    return out + digits;
}
