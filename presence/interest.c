/*
 * interest: for each person a chain of the readers who have asked for that person by name. The journal walks the chain
 * of whoever changed, once for each entry: with a thousand subscribers to a thousand people each, a million changes are
 * a million visits, not a thousand million. A person nobody has asked for costs four bytes, and none before somebody
 * asks for anybody; a wish costs 16.
 *
 * Links are places in one array, which may move when it grows; place 0 is nobody's.
 */
#include "interest.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_LINKS 64

struct link {
    struct pres_journal_reader *who; /* NULL: unused */
    uint32_t next;                   /* of an unused one: the next unused one */
    uint32_t before;                 /* 0: the person's first */
};

struct pres_interest {
    uint32_t *first; /* by person; 0: nobody has asked */
    size_t n_first;
    struct link *links;
    uint32_t n_links, cap_links, unused;
};

static uint32_t link_take(struct pres_interest *i);
static void first_grow(struct pres_interest *i, pres_id id);

struct pres_interest *pres_interest_new(void)
{
    struct pres_interest *i = mem_calloc(1, sizeof(*i));

    i->n_links = 1;
    return i;
}

void pres_interest_free(struct pres_interest **i)
{
    if (!*i)
        return;
    free((*i)->first);
    free((*i)->links);
    free(*i);
    *i = NULL;
}

uint32_t pres_interest_add(struct pres_interest *i, pres_id id, struct pres_journal_reader *who)
{
    uint32_t ref = link_take(i);

    if (id >= i->n_first)
        first_grow(i, id);
    i->links[ref] = (struct link){.who = who, .next = i->first[id]};
    if (i->first[id])
        i->links[i->first[id]].before = ref;
    i->first[id] = ref;
    return ref;
}

void pres_interest_drop(struct pres_interest *i, pres_id id, uint32_t ref)
{
    struct link *gone = &i->links[ref];

    if (gone->before)
        i->links[gone->before].next = gone->next;
    else
        i->first[id] = gone->next;
    if (gone->next)
        i->links[gone->next].before = gone->before;
    *gone = (struct link){.next = i->unused};
    i->unused = ref;
}

void pres_interest_tell(const struct pres_interest *i, pres_id id, uint64_t seq, pres_interest_fn *fn)
{
    for (uint32_t ref = id < i->n_first ? i->first[id] : 0; ref; ref = i->links[ref].next)
        fn(i->links[ref].who, seq);
}

void pres_interest_tell_all(const struct pres_interest *i, uint64_t seq, pres_interest_fn *fn)
{
    for (uint32_t ref = 1; ref < i->n_links; ref++)
        if (i->links[ref].who)
            fn(i->links[ref].who, seq);
}

static uint32_t link_take(struct pres_interest *i)
{
    uint32_t ref = i->unused;

    if (ref) {
        i->unused = i->links[ref].next;
        return ref;
    }
    if (i->n_links >= i->cap_links) {
        i->cap_links = i->cap_links ? 2 * i->cap_links : FIRST_LINKS;
        i->links = mem_realloc(i->links, i->cap_links, sizeof(*i->links));
    }
    return i->n_links++;
}

static void first_grow(struct pres_interest *i, pres_id id)
{
    size_t n = i->n_first ? i->n_first : FIRST_LINKS;

    while (n <= id)
        n *= 2;
    i->first = mem_realloc(i->first, n, sizeof(*i->first));
    memset(i->first + i->n_first, 0, (n - i->n_first) * sizeof(*i->first));
    i->n_first = n;
}
