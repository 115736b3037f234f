/*
 * sim_propfind: PROPFIND on any place, Depth 0 or 1: how a client finds the calendar folder, and asks for contenttag.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/str.h"
#include "sim.h"
#include "sim_render.h"
#include "sim_reply.h"
#include "sim_store.h"
#include "sim_xml_body.h"

#include <string.h>

#define ANSWER_MAX (512u << 20)

/* What allprop gives: not all, but what somebody who looks around wants to see. */
static const char *const usual[] = {
    SIM_NS_DAV "displayname",     SIM_NS_DAV "contentclass", SIM_NS_DAV "isfolder",
    SIM_NS_DAV "getlastmodified", SIM_NS_DAV "getetag",      SIM_NS_EX "outlookfolderclass",
    SIM_NS_REPL "contenttag",     SIM_NS_MAIL "calendar",    SIM_NS_CAL "dtstart",
    SIM_NS_CAL "dtend",           SIM_NS_CAL "busystatus",   SIM_NS_CAL "instancetype",
};

static void take_usual(struct sim_request *r, struct sim_xml_body *body)
{
    body->prop_count = 0;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        sim_prop_from_text(r->arena, usual[i], strlen(usual[i]), &body->props[body->prop_count++]);
}

static size_t add_folders(const struct sim_node *at, struct sim_node *out)
{
    for (int i = 0; i < SIM_FOLDER_COUNT; i++) {
        out[i] = *at;
        out[i].place = SIM_AT_FOLDER;
        out[i].folder = i;
    }
    return SIM_FOLDER_COUNT;
}

static size_t add_items(const struct sim_node *at, struct sim_node *out)
{
    for (size_t i = 0; i < at->mailbox->count; i++) {
        out[i] = *at;
        out[i].place = SIM_AT_ITEM;
        sim_recur_whole(at->mailbox->items[i], &out[i].instance);
    }
    return at->mailbox->count;
}

static size_t collect(struct sim_request *r, bool self, bool children, struct sim_node **ret)
{
    const struct sim_node *at = &r->node;
    size_t most = 1 + SIM_FOLDER_COUNT + (at->mailbox != NULL ? at->mailbox->count : 0), n = 0;
    *ret = arena_alloc(r->arena, most * sizeof(struct sim_node));
    if (*ret == NULL)
        return 0;
    if (self)
        (*ret)[n++] = *at;
    if (children && (at->place == SIM_AT_MAILBOX || at->place == SIM_AT_NON_IPM))
        n += add_folders(at, *ret + n);
    if (children && at->place == SIM_AT_FOLDER && at->folder == SIM_FOLDER_CALENDAR)
        n += add_items(at, *ret + n);
    return n;
}

void sim_propfind(struct sim_request *r)
{
    size_t len;
    const char *text = httpd_body(r->req, &len);
    const char *depth = httpd_header(r->req, "Depth"), *brief = httpd_header(r->req, "Brief");
    struct sim_xml_body body;
    if (depth == NULL && sim_fault_on(&r->sim->faults, r->node.mailbox, SIM_F_STRICT)) {
        sim_reply_violation(r, "PROPFIND without Depth");
        return;
    }
    if (len > 0 && !sim_xml_body_read(r->arena, text, len, &body)) {
        sim_reply_error(r, 400);
        return;
    }
    if (len == 0)
        body = (struct sim_xml_body){.all = true, .props = arena_alloc(r->arena, 32 * sizeof(struct sim_prop))};
    if (body.all)
        take_usual(r, &body);
    bool children = depth != NULL && depth[0] == '1';
    struct sim_node *nodes;
    size_t count = collect(r, !(children && strstr(depth, "noroot") != NULL), children, &nodes);
    struct sim_render render = {r, body.props, body.prop_count,
                                brief != NULL && str_eq_nocase(brief, "t") &&
                                    !sim_fault_on(&r->sim->faults, r->node.mailbox, SIM_F_BRIEF_IGNORED),
                                NULL, 0};
    struct buf xml;
    buf_init(&xml, ANSWER_MAX);
    sim_render(&render, nodes, count, &xml);
    sim_reply_multistatus(r, &xml, NULL);
}
