/*
 * interval: packed sets of busy time. Answers of a server come in as loose intervals, in any order and overlapping; a
 * set is what a person's record keeps of them.
 *
 * pres_set_build() turns each interval into two edges (a kind begins, a kind ends), sorts the edges and sweeps over
 * them with one counter a kind: between two edges the strongest kind with a counter above zero holds. What the sweep
 * finds is then packed into a block of exactly the size it needs: a person's set lives for hours, and a million of them
 * are kept.
 *
 * The block has 8 bytes an interval: start in seconds since 1970 (32 bits), length (29 bits), kind (3 bits). Nearly all
 * meetings begin and end with a minute, within weeks of each other: then 4 bytes do, for all but the first and the
 * last, which the window may have cut: minutes since the second one's start (16 bits), minutes it lasts (13 bits), kind
 * (3 bits). state.c and render_vfb.c read the sets; the table owns them.
 */
#include "presence/interval.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LENGTH_BITS 29
#define LENGTH_MAX ((UINT32_C(1) << LENGTH_BITS) - 1)

/* Answers up to this many intervals are built without an allocation for the edges, and for what comes of them. */
#define SMALL 64

/* In so many pieces more than one the runs of a set can be at the most: all of time has 2^32 seconds. */
#define LONG_PIECES 8

/* Of the narrow form. Below so many intervals it saves nothing. */
#define MINUTE 60
#define NARROW_LENGTH_BITS 13
#define NARROW_LENGTH_MAX ((1U << NARROW_LENGTH_BITS) - 1)
#define NARROW_MIN 5

struct item {
    uint32_t start;
    uint32_t packed; /* kind << LENGTH_BITS | length */
};

struct narrow {
    uint16_t start;  /* minutes from the second interval's */
    uint16_t packed; /* kind << NARROW_LENGTH_BITS | minutes */
};

struct pres_set {
    uint32_t count;
    bool is_narrow;
    struct item item[]; /* narrow: the first, the second and the last; then the others as struct narrow */
};

static_assert(sizeof(struct item) == 8, "eight bytes an interval is a promise");
static_assert(sizeof(struct narrow) == 4, "and four are a pleasure");
static_assert(PRES_UNKNOWN < 8, "a kind fits in three bits");

static bool in_order(const struct pres_interval *in, size_t n, int64_t from, int64_t until, struct item *out,
                     size_t *ret_count);
static size_t edges_make(uint64_t *edges, const struct pres_interval *in, size_t n, int64_t from, int64_t until);
static void edges_sort(uint64_t *edges, size_t n);
static int edge_compare(const void *a, const void *b);
static size_t sweep(const uint64_t *edges, size_t n, struct item *out);
static size_t emit(struct item *out, size_t count, uint32_t start, uint32_t end, enum pres_kind kind);
static struct pres_set *set_new(const struct item *items, size_t n);
static bool fits_narrow(const struct item *items, size_t n);
static struct pres_interval interval_at(const struct pres_set *set, size_t i);
static size_t find_narrow(const struct pres_set *set, int64_t t);
static struct pres_interval run_from(const struct pres_set *set, size_t i, size_t *ret_after);
static bool goes_on(const struct pres_set *set, size_t i);
static struct pres_interval unpack(const struct item *item);

static const char *const kind_names[PRES_KINDS] = {
    [PRES_FREE] = "free", [PRES_ELSEWHERE] = "elsewhere", [PRES_TENTATIVE] = "tentative", [PRES_BUSY] = "busy",
    [PRES_OOF] = "oof",   [PRES_UNKNOWN] = "unknown",
};

const char *pres_kind_name(enum pres_kind kind)
{
    return kind < PRES_KINDS ? kind_names[kind] : "unknown";
}

bool pres_kind_parse(const char *name, enum pres_kind *ret)
{
    for (unsigned i = 0; i < PRES_KINDS; i++)
        if (strcmp(name, kind_names[i]) == 0) {
            *ret = (enum pres_kind)i;
            return true;
        }
    return false;
}

struct pres_set *pres_set_build(const struct pres_interval *in, size_t n, int64_t from, int64_t until)
{
    uint64_t small[2 * SMALL] = {0}, *edges;
    struct item some[2 * SMALL + LONG_PIECES], *items;
    size_t count, runs;
    struct pres_set *set;

    if (from < 0)
        from = 0;
    if (until > UINT32_MAX)
        until = UINT32_MAX;
    if (n <= SMALL && in_order(in, n, from, until, some, &runs))
        return set_new(some, runs);
    edges = n <= SMALL ? small : mem_calloc(n, 2 * sizeof(*edges));
    count = edges_make(edges, in, n, from, until);
    edges_sort(edges, count);
    items = count <= sizeof(small) / sizeof(small[0]) ? some : mem_calloc(sweep(edges, count, NULL), sizeof(*items));
    runs = sweep(edges, count, items);
    set = set_new(items, runs);
    if (items != some)
        free(items);
    if (edges != small)
        free(edges);
    return set;
}

size_t pres_set_count(const struct pres_set *set)
{
    return set ? set->count : 0;
}

struct pres_interval pres_set_at(const struct pres_set *set, size_t i)
{
    assert(set && i < set->count);
    return interval_at(set, i);
}

bool pres_set_equal(const struct pres_set *a, const struct pres_set *b)
{
    size_t count = pres_set_count(a);

    if (count != pres_set_count(b))
        return false;
    if (count == 0)
        return true;
    return a->is_narrow == b->is_narrow && memcmp(a->item, b->item, pres_set_size(a) - sizeof(*a)) == 0;
}

/* Without a branch that could be guessed wrong, for this runs once for every change of a million people. */
size_t pres_set_find(const struct pres_set *set, int64_t t)
{
    size_t low = 0, n = pres_set_count(set);

    if (n > 0 && set->is_narrow)
        return find_narrow(set, t);
    while (n > 0) {
        size_t half = (n + 1) / 2;

        low += unpack(&set->item[low + half - 1]).end > t ? 0 : half;
        n -= half;
    }
    return low;
}

unsigned pres_set_look(const struct pres_set *set, int64_t t, struct pres_interval ret[2], int64_t *ret_before)
{
    size_t count = pres_set_count(set), i = pres_set_find(set, t);

    *ret_before = i > 0 ? interval_at(set, i - 1).end : INT64_MIN;
    if (i == count)
        return 0;
    ret[0] = run_from(set, i, &i);
    if (i == count)
        return 1;
    ret[1] = run_from(set, i, &i);
    return 2;
}

size_t pres_set_bytes(size_t n)
{
    return n > 0 ? sizeof(struct pres_set) + n * sizeof(struct item) : 0;
}

size_t pres_set_size(const struct pres_set *set)
{
    if (!set || !set->is_narrow)
        return pres_set_bytes(pres_set_count(set));
    return sizeof(*set) + 3 * sizeof(struct item) + (set->count - 3) * sizeof(struct narrow);
}

/* NULL for none. */
static struct pres_set *set_new(const struct item *items, size_t n)
{
    struct pres_set *set = NULL;
    struct narrow *narrow;

    if (n == 0)
        return NULL;
    if (!fits_narrow(items, n)) {
        set = mem_calloc(1, pres_set_bytes(n));
        set->count = (uint32_t)n;
        memcpy(set->item, items, n * sizeof(*items));
        return set;
    }
    set = mem_calloc(1, sizeof(*set) + 3 * sizeof(*items) + (n - 3) * sizeof(*narrow));
    set->count = (uint32_t)n;
    set->is_narrow = true;
    set->item[0] = items[0];
    set->item[1] = items[1];
    set->item[2] = items[n - 1];
    narrow = (struct narrow *)(void *)&set->item[3];
    for (size_t i = 2; i + 1 < n; i++)
        narrow[i - 2] = (struct narrow){
            .start = (uint16_t)((items[i].start - items[1].start) / MINUTE),
            .packed = (uint16_t)(items[i].packed >> LENGTH_BITS << NARROW_LENGTH_BITS |
                                 (items[i].packed & LENGTH_MAX) / MINUTE),
        };
    return set;
}

static bool fits_narrow(const struct item *items, size_t n)
{
    if (n < NARROW_MIN)
        return false;
    for (size_t i = 2; i + 1 < n; i++) {
        uint32_t start = items[i].start - items[1].start, length = items[i].packed & LENGTH_MAX;

        if (start % MINUTE != 0 || start / MINUTE > UINT16_MAX || length % MINUTE != 0 ||
            length / MINUTE > NARROW_LENGTH_MAX)
            return false;
    }
    return true;
}

static struct pres_interval interval_at(const struct pres_set *set, size_t i)
{
    const struct narrow *narrow = (const struct narrow *)(const void *)&set->item[3];
    int64_t start;

    if (!set->is_narrow || i < 2)
        return unpack(&set->item[i]);
    if (i + 1 == set->count)
        return unpack(&set->item[2]);
    start = (int64_t)set->item[1].start + (int64_t)narrow[i - 2].start * MINUTE;
    return (struct pres_interval){
        .start = start,
        .end = start + (int64_t)(narrow[i - 2].packed & NARROW_LENGTH_MAX) * MINUTE,
        .kind = (enum pres_kind)(narrow[i - 2].packed >> NARROW_LENGTH_BITS),
    };
}

/*
 * What is published comes in order of time and without overlaps, and is its own set, but for neighbours of one kind.
 * False: it needs the edges.
 */
static bool in_order(const struct pres_interval *in, size_t n, int64_t from, int64_t until, struct item *out,
                     size_t *ret_count)
{
    int64_t since = 0, last = 0; /* the run that may still go on */
    enum pres_kind run = PRES_FREE;
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        int64_t start = in[i].start > from ? in[i].start : from, end = in[i].end < until ? in[i].end : until;
        enum pres_kind kind = in[i].kind;

        if (start >= end || kind == PRES_FREE || kind >= PRES_UNKNOWN)
            continue;
        if (start < last)
            return false;
        if (kind != run || start > last) {
            since = start;
            run = kind;
            count++;
        }
        last = end;
        if (last - since > LENGTH_MAX)
            return false;
        out[count - 1] = (struct item){.start = (uint32_t)since,
                                       .packed = (uint32_t)kind << LENGTH_BITS | (uint32_t)(last - since)};
    }
    *ret_count = count;
    return true;
}

/* The search itself is in minutes. */
static size_t find_narrow(const struct pres_set *set, int64_t t)
{
    const struct narrow *narrow = (const struct narrow *)(const void *)&set->item[3];
    size_t low = 0, n = set->count - 3;
    int64_t minute;

    if (interval_at(set, 0).end > t)
        return 0;
    if (interval_at(set, 1).end > t)
        return 1;
    minute = (t - (int64_t)set->item[1].start) / MINUTE;
    while (n > 0) {
        size_t half = (n + 1) / 2;
        const struct narrow *at = &narrow[low + half - 1];

        low += at->start + (at->packed & NARROW_LENGTH_MAX) > minute ? 0 : half;
        n -= half;
    }
    if (low < set->count - 3)
        return low + 2;
    return interval_at(set, set->count - 1).end > t ? set->count - 1 : set->count;
}

/* The whole run that interval i belongs to, and the index behind it. */
static struct pres_interval run_from(const struct pres_set *set, size_t i, size_t *ret_after)
{
    struct pres_interval run = interval_at(set, i);

    for (size_t first = i; first > 0 && goes_on(set, first - 1); first--)
        run.start = interval_at(set, first - 1).start;
    for (; i + 1 < set->count && goes_on(set, i); i++)
        run.end = interval_at(set, i + 1).end;
    *ret_after = i + 1;
    return run;
}

/* A very long run is stored in pieces, of which all but the last have the greatest length: is this one of those? */
static bool goes_on(const struct pres_set *set, size_t i)
{
    size_t place = !set->is_narrow || i < 2 ? i : i + 1 == set->count ? 2 : 3;
    struct pres_interval a, b;

    if ((set->is_narrow && place == 3) || (set->item[place].packed & LENGTH_MAX) != LENGTH_MAX || i + 1 == set->count)
        return false;
    a = interval_at(set, i);
    b = interval_at(set, i + 1);
    return a.end == b.start && a.kind == b.kind;
}

/* An edge is one number, so that sorting is comparing: time << 4 | kind << 1 | "ends here". Returns how many there are.
 */
static size_t edges_make(uint64_t *edges, const struct pres_interval *in, size_t n, int64_t from, int64_t until)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        int64_t start = in[i].start > from ? in[i].start : from, end = in[i].end < until ? in[i].end : until;
        enum pres_kind kind = in[i].kind;

        if (start >= end || kind == PRES_FREE || kind >= PRES_UNKNOWN)
            continue;
        edges[count++] = (uint64_t)start << 4 | (uint64_t)kind << 1;
        edges[count++] = (uint64_t)end << 4 | (uint64_t)kind << 1 | 1;
    }
    return count;
}

/* Servers mostly answer in order of time: insertion is the quickest for a few nearly sorted edges. */
static void edges_sort(uint64_t *edges, size_t n)
{
    if (n > (size_t)2 * SMALL) {
        qsort(edges, n, sizeof(*edges), edge_compare);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        uint64_t edge = edges[i];
        size_t j = i;

        for (; j > 0 && edges[j - 1] > edge; j--)
            edges[j] = edges[j - 1];
        edges[j] = edge;
    }
}

static int edge_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* Writes the runs to `out`, or only counts them when it is NULL. All edges of one second are taken together: no flicker
 * between neighbours. */
static size_t sweep(const uint64_t *edges, size_t n, struct item *out)
{
    size_t active[PRES_KINDS] = {0}, count = 0;
    enum pres_kind kind = PRES_FREE;
    uint32_t since = 0;

    for (size_t i = 0; i < n;) {
        uint64_t time = edges[i] >> 4;
        unsigned strongest = PRES_OOF;

        for (; i < n && edges[i] >> 4 == time; i++) {
            if (edges[i] & 1)
                active[edges[i] >> 1 & 7]--;
            else
                active[edges[i] >> 1 & 7]++;
        }
        while (strongest > PRES_FREE && active[strongest] == 0)
            strongest--;
        if (strongest == kind)
            continue;
        if (kind != PRES_FREE)
            count = emit(out, count, since, (uint32_t)time, kind);
        kind = (enum pres_kind)strongest;
        since = (uint32_t)time;
    }
    return count;
}

/* One run, in several pieces when it is longer than a length can say. Returns the new count. */
static size_t emit(struct item *out, size_t count, uint32_t start, uint32_t end, enum pres_kind kind)
{
    while (start < end) {
        uint32_t length = end - start < LENGTH_MAX ? end - start : LENGTH_MAX;

        if (out)
            out[count] = (struct item){.start = start, .packed = (uint32_t)kind << LENGTH_BITS | length};
        count++;
        start += length;
    }
    return count;
}

static struct pres_interval unpack(const struct item *item)
{
    return (struct pres_interval){
        .start = item->start,
        .end = (int64_t)item->start + (item->packed & LENGTH_MAX),
        .kind = (enum pres_kind)(item->packed >> LENGTH_BITS),
    };
}
