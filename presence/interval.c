/*
 * interval: packed sets of busy time. Answers of a server come in as loose intervals, in any order and overlapping; a
 * set is what a person's record keeps of them.
 *
 * pres_set_build() turns each interval into two edges (a kind begins, a kind ends), sorts the edges and sweeps over
 * them with one counter a kind: between two edges the strongest kind with a counter above zero holds. The sweep runs
 * twice, first to count the runs, then to write them into a block of exactly that size: a person's set lives for hours,
 * and a million of them are kept.
 *
 * The block is a count and 8 bytes an interval: start in seconds since 1970 (32 bits), length (29 bits), kind (3 bits).
 * state.c and render_vfb.c read the sets; the table owns them.
 */
#include "presence/interval.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LENGTH_BITS 29
#define LENGTH_MAX ((UINT32_C(1) << LENGTH_BITS) - 1)

/* Answers up to this many intervals are built without an allocation for the edges. */
#define SMALL 64

struct item {
    uint32_t start;
    uint32_t packed; /* kind << LENGTH_BITS | length */
};

struct pres_set {
    uint32_t count;
    struct item item[];
};

static_assert(sizeof(struct item) == 8, "eight bytes an interval is a promise");
static_assert(PRES_UNKNOWN < 8, "a kind fits in three bits");

static size_t edges_make(uint64_t *edges, const struct pres_interval *in, size_t n, int64_t from, int64_t until);
static void edges_sort(uint64_t *edges, size_t n);
static int edge_compare(const void *a, const void *b);
static size_t sweep(const uint64_t *edges, size_t n, struct item *out);
static size_t emit(struct item *out, size_t count, uint32_t start, uint32_t end, enum pres_kind kind);
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
    uint64_t small[2 * SMALL] = {0}, *edges = n <= SMALL ? small : mem_calloc(n, 2 * sizeof(*edges));
    size_t count = edges_make(edges, in, n, from, until), runs;
    struct pres_set *set = NULL;

    edges_sort(edges, count);
    runs = sweep(edges, count, NULL);
    if (runs > 0) {
        set = mem_calloc(1, pres_set_bytes(runs));
        set->count = (uint32_t)sweep(edges, count, set->item);
    }
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
    return unpack(&set->item[i]);
}

bool pres_set_equal(const struct pres_set *a, const struct pres_set *b)
{
    size_t count = pres_set_count(a);

    if (count != pres_set_count(b))
        return false;
    return count == 0 || memcmp(a->item, b->item, count * sizeof(a->item[0])) == 0;
}

size_t pres_set_find(const struct pres_set *set, int64_t t)
{
    size_t low = 0, high = pres_set_count(set);

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (unpack(&set->item[mid]).end > t)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

size_t pres_set_bytes(size_t n)
{
    return n > 0 ? sizeof(struct pres_set) + n * sizeof(struct item) : 0;
}

/* An edge is one number, so that sorting is comparing: time << 4 | kind << 1 | "ends here". Returns how many there are.
 */
static size_t edges_make(uint64_t *edges, const struct pres_interval *in, size_t n, int64_t from, int64_t until)
{
    size_t count = 0;

    if (from < 0)
        from = 0;
    if (until > UINT32_MAX)
        until = UINT32_MAX;
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
