/*
 * table_age: how old the oldest answer is, of everybody on a server, without a walk over everybody. One setter changes
 * the age mark of a person's answer, and counts how many people have each mark. The counts are for single seconds, kept
 * in blocks of 64 seconds that exist while somebody's mark is in them: a round of polls needs a handful, a company
 * whose answers are spread over a week some thousands.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "table_private.h"

#define BLOCK_BITS 6
#define BLOCK_S (1U << BLOCK_BITS)

struct block {
    uint32_t number; /* of its first second, in blocks */
    uint32_t people;
    uint32_t counts[BLOCK_S];
};

/* Of one server. */
struct pres_ages {
    struct block **blocks; /* ascending */
    size_t count, capacity;
};

static struct pres_ages *ages_of(struct pres_table *t, unsigned server);
static size_t find(const struct pres_ages *a, uint32_t number);
static void add(struct pres_ages *a, uint32_t at);
static void drop(struct pres_ages *a, uint32_t at);

void pres_age_set(struct pres_table *t, struct pres_person *p, uint32_t as_of)
{
    struct pres_ages *a = ages_of(t, t->classes[p->class]->server);

    if (as_of == p->as_of)
        return;
    if (p->as_of)
        drop(a, p->as_of);
    p->as_of = as_of;
    if (as_of)
        add(a, as_of);
}

void pres_age_free(struct pres_table *t)
{
    for (unsigned server = 0; server < t->n_ages; server++) {
        for (size_t i = 0; i < t->ages[server].count; i++)
            free(t->ages[server].blocks[i]);
        free(t->ages[server].blocks);
    }
    free(t->ages);
}

int64_t pres_table_oldest(const struct pres_table *t, unsigned server)
{
    const struct block *first;
    uint32_t second = 0;

    if (server >= t->n_ages || t->ages[server].count == 0)
        return 0;
    first = t->ages[server].blocks[0];
    while (first->counts[second] == 0)
        second++;
    return ((int64_t)first->number << BLOCK_BITS) + second;
}

int64_t pres_age_oldest(const struct pres_table *t)
{
    int64_t oldest = 0;

    for (unsigned server = 0; server < t->n_ages; server++) {
        int64_t its = pres_table_oldest(t, server);

        if (its && (oldest == 0 || its < oldest))
            oldest = its;
    }
    return oldest;
}

static struct pres_ages *ages_of(struct pres_table *t, unsigned server)
{
    if (server >= t->n_ages) {
        t->ages = mem_realloc(t->ages, server + 1, sizeof(*t->ages));
        memset(t->ages + t->n_ages, 0, (server + 1 - t->n_ages) * sizeof(*t->ages));
        t->n_ages = server + 1;
    }
    return &t->ages[server];
}

/* The place of a block, or where it belongs. Answers that come now are in the last one. */
static size_t find(const struct pres_ages *a, uint32_t number)
{
    size_t low = 0, high = a->count;

    if (high > 0 && a->blocks[high - 1]->number <= number)
        low = a->blocks[high - 1]->number == number ? high - 1 : high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (a->blocks[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add(struct pres_ages *a, uint32_t at)
{
    uint32_t number = at >> BLOCK_BITS;
    size_t i = find(a, number);

    if (i == a->count || a->blocks[i]->number != number) {
        if (a->count == a->capacity) {
            a->capacity = a->capacity ? 2 * a->capacity : 16;
            a->blocks = mem_realloc(a->blocks, a->capacity, sizeof(*a->blocks));
        }
        memmove(a->blocks + i + 1, a->blocks + i, (a->count++ - i) * sizeof(*a->blocks));
        a->blocks[i] = mem_calloc(1, sizeof(*a->blocks[i]));
        a->blocks[i]->number = number;
    }
    a->blocks[i]->people++;
    a->blocks[i]->counts[at % BLOCK_S]++;
}

static void drop(struct pres_ages *a, uint32_t at)
{
    size_t i = find(a, at >> BLOCK_BITS);

    a->blocks[i]->counts[at % BLOCK_S]--;
    if (--a->blocks[i]->people > 0)
        return;
    free(a->blocks[i]);
    memmove(a->blocks + i, a->blocks + i + 1, (--a->count - i) * sizeof(*a->blocks));
}
