/*
 * sim_render: see the header. Prefixes are handed out per document: a for DAV:, b for the data types, c for the members
 * of multi-values, then d, e, ... in order of first use in the request. On the root, b is declared first and a last.
 */
#include "sim_render.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/xml.h"
#include "sim.h"
#include "sim_path.h"
#include "sim_repl.h"
#include "sim_store.h"

#include <stdio.h>
#include <string.h>

#define NAMESPACES_MAX 64

struct doc {
    const struct sim_render *in;
    struct buf *out;
    const char *ns[NAMESPACES_MAX]; /* [0] DAV:, [1] data types, [2] members, then those of the request */
    size_t ns_count;
    struct sim_value *values; /* of the row at hand */
    bool *present;
    char repl[4]; /* "d:", of the replication's namespace */
};

static void prefix_of(size_t i, char out[3])
{
    if (i < 26)
        snprintf(out, 3, "%c", (char)('a' + i));
    else
        snprintf(out, 3, "%c%c", (char)('a' + i / 26 - 1), (char)('a' + i % 26));
}

static size_t ns_index(struct doc *d, const char *ns)
{
    for (size_t i = 0; i < d->ns_count; i++)
        if (strcmp(d->ns[i], ns) == 0)
            return i;
    if (d->ns_count == NAMESPACES_MAX)
        return 0;
    d->ns[d->ns_count] = ns;
    return d->ns_count++;
}

static void collect_namespaces(struct doc *d)
{
    d->ns[0] = SIM_NS_DAV;
    d->ns[1] = "urn:uuid:c2f41010-65b3-11d1-a29f-00aa00c14882/";
    d->ns[2] = "xml:";
    d->ns_count = 3;
    for (size_t i = 0; i < d->in->prop_count; i++)
        if (d->in->props[i].alias == NULL)
            ns_index(d, d->in->props[i].ns);
}

/* Exchange 2000 declares c only where it is needed. */
static bool declares_members(const struct doc *d)
{
    if (d->in->request->sim->faults.profile != SIM_2000)
        return true;
    for (size_t i = 0; i < d->in->prop_count; i++)
        if (d->in->props[i].type >= SIM_T_MV_STRING || strcmp(d->in->props[i].ns, SIM_NS_TAG) == 0)
            return true;
    return false;
}

static void declare(const struct doc *d, size_t i)
{
    char prefix[3];
    prefix_of(i, prefix);
    buf_addf(d->out, " xmlns:%s=\"", prefix);
    xml_escape(d->out, d->ns[i], strlen(d->ns[i]));
    buf_addc(d->out, '"');
}

static void open_root(const struct doc *d)
{
    buf_adds(d->out, "<?xml version=\"1.0\"?><a:multistatus");
    declare(d, 1);
    size_t others = d->ns_count - 2; /* in an order that looks like chance: from somewhere, backwards */
    uint64_t seed = d->in->request->sim->options.seed;
    for (size_t k = 0; k < others; k++) {
        size_t i = 2 + (others * 2 - k + seed % others) % others;
        if (i != 2 || declares_members(d))
            declare(d, i);
    }
    declare(d, 0);
    buf_addc(d->out, '>');
}

static void add_name(struct doc *d, const struct sim_prop *p)
{
    unsigned number;
    if (p->alias != NULL) {
        buf_adds(d->out, p->alias);
        return;
    }
    char prefix[3];
    prefix_of(ns_index(d, p->ns), prefix);
    buf_addf(d->out, "%s:", prefix);
    if (sim_prop_number(p, &number) && p->name[1] == 'x')
        buf_addf(d->out, sim_fault_on(&d->in->request->sim->faults, NULL, SIM_F_LONG_IDS) ? "0x%08x" : "0x%04x",
                 number);
    else
        buf_adds(d->out, p->name);
}

/* Faults that spoil a text, behind its first byte. */
static void add_text(const struct doc *d, const struct sim_node *node, const char *text, bool spoil)
{
    const struct sim_faults *f = &d->in->request->sim->faults;
    size_t first = text[0] != '\0';
    xml_escape(d->out, text, first);
    if (spoil && sim_fault_on(f, node->mailbox, SIM_F_CONTROL_CHAR))
        buf_adds(d->out, "&#1;");
    if (spoil && sim_fault_on(f, node->mailbox, SIM_F_BAD_UTF8))
        buf_addc(d->out, '\xff');
    xml_escape(d->out, text + first, strlen(text) - first);
}

static bool may_spoil(enum sim_pid pid)
{
    return pid == SIM_P_SUBJECT || pid == SIM_P_LOCATION || pid == SIM_P_UID;
}

static void add_value(struct doc *d, const struct sim_node *node, const struct sim_prop *p, const struct sim_value *v)
{
    switch (v->type) {
    case SIM_T_STRING:
        add_text(d, node, v->s, may_spoil(p->pid));
        break;
    case SIM_T_INT:
    case SIM_T_BOOL:
        buf_addf(d->out, "%lld", (long long)v->i);
        break;
    case SIM_T_TIME:
        buf_adds(d->out, sim_time_text(d->in->request->arena, v->i));
        break;
    case SIM_T_MV_STRING:
    case SIM_T_MV_TIME:
    case SIM_T_MV_INT:
    case SIM_T_MV_BINARY:
        for (size_t i = 0; i < v->count; i++)
            buf_addf(d->out, "<c:v>%s</c:v>", v->list[i]);
        break;
    case SIM_T_NULL:
        break;
    }
}

static void add_present(struct doc *d, const struct sim_node *node)
{
    buf_adds(d->out, "<a:prop>");
    for (size_t i = 0; i < d->in->prop_count; i++) {
        if (!d->present[i])
            continue;
        const char *dt = sim_type_dt(d->values[i].type);
        buf_addc(d->out, '<');
        add_name(d, &d->in->props[i]);
        if (dt != NULL)
            buf_addf(d->out, " b:dt=\"%s\"", dt);
        buf_addc(d->out, '>');
        add_value(d, node, &d->in->props[i], &d->values[i]);
        buf_adds(d->out, "</");
        add_name(d, &d->in->props[i]);
        buf_addc(d->out, '>');
    }
    buf_adds(d->out, "</a:prop>");
}

static void add_absent(struct doc *d)
{
    buf_adds(d->out, "<a:prop>");
    for (size_t i = 0; i < d->in->prop_count; i++) {
        if (d->present[i])
            continue;
        buf_addc(d->out, '<');
        add_name(d, &d->in->props[i]);
        buf_adds(d->out, "/>");
    }
    buf_adds(d->out, "</a:prop>");
}

/* Status before prop, against RFC 2518, unless a switch says otherwise. */
static void add_propstat(struct doc *d, const struct sim_node *node, bool present)
{
    const char *status =
        present ? "<a:status>HTTP/1.1 200 OK</a:status>" : "<a:status>HTTP/1.1 404 Resource Not Found</a:status>";
    bool rfc = sim_fault_on(&d->in->request->sim->faults, node->mailbox, SIM_F_RFC_ORDER);
    buf_adds(d->out, "<a:propstat>");
    if (!rfc)
        buf_adds(d->out, status);
    if (present)
        add_present(d, node);
    else
        add_absent(d);
    if (rfc)
        buf_adds(d->out, status);
    buf_adds(d->out, "</a:propstat>");
}

static void add_row(struct doc *d, const struct sim_node *node)
{
    static const struct sim_prop href = {.pid = SIM_P_HREF};
    const struct sim_request *r = d->in->request;
    struct sim_value v;
    size_t found = 0;
    for (size_t i = 0; i < d->in->prop_count; i++) {
        d->present[i] = sim_prop_get(r, node, &d->in->props[i], &d->values[i]);
        found += d->present[i];
    }
    buf_adds(d->out, "<a:response><a:href>");
    if (sim_prop_get(r, node, &href, &v))
        add_text(d, node, v.s, true);
    buf_adds(d->out, "</a:href>");
    if (d->in->replicated != NULL)
        buf_addf(d->out, "<%schangetype>%s</%schangetype>", d->repl,
                 sim_repl_new(node->instance.item, d->in->since) ? "new" : "change", d->repl);
    if (found > 0 || d->in->brief)
        add_propstat(d, node, true);
    if (found < d->in->prop_count && !d->in->brief)
        add_propstat(d, node, false);
    buf_adds(d->out, "</a:response>");
}

void sim_render(const struct sim_render *in, const struct sim_node *nodes, size_t count, struct buf *out)
{
    struct doc d = {.in = in, .out = out};
    d.values = arena_alloc(in->request->arena, (in->prop_count + 1) * sizeof(*d.values));
    d.present = arena_alloc(in->request->arena, (in->prop_count + 1) * sizeof(*d.present));
    if (d.values == NULL || d.present == NULL)
        return;
    collect_namespaces(&d);
    char prefix[3];
    if (in->replicated != NULL) {
        prefix_of(ns_index(&d, SIM_NS_REPL), prefix);
        snprintf(d.repl, sizeof(d.repl), "%s:", prefix);
    }
    open_root(&d);
    if (in->replicated != NULL)
        buf_addf(out, "<%srepl><%scollblob>%s</%scollblob></%srepl>", d.repl, d.repl,
                 sim_repl_blob(in->request->arena, in->replicated), d.repl, d.repl);
    for (size_t i = 0; i < count; i++)
        add_row(&d, &nodes[i]);
    if (in->replicated != NULL)
        sim_repl_deleted(in->replicated, in->since, d.repl, out);
    buf_adds(out, "</a:multistatus>");
}
