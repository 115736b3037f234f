/*
 * sim_props_get: what a place on the server answers for a property. Folders and mailboxes have one set, items another;
 * a property that a place does not have is absent (the 404 propstat), which is not the same as empty.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "sim.h"
#include "sim_props.h"
#include "sim_schedule.h"
#include "sim_store.h"
#include "sim_zone.h"

#include <stdio.h>
#include <string.h>

#define HREF_MAX 8192

static bool give_text(struct sim_value *v, const char *text)
{
    v->type = SIM_T_STRING;
    v->s = text;
    return text != NULL;
}

static bool give_number(struct sim_value *v, enum sim_type type, int64_t n)
{
    v->type = type;
    v->i = n;
    return true;
}

static bool give_time(struct sim_value *v, int64_t t)
{
    return give_number(v, SIM_T_TIME, t);
}

static bool give_bool(struct sim_value *v, bool b)
{
    return give_number(v, SIM_T_BOOL, b);
}

typedef void path_writer(struct buf *out, const struct sim_node *node);

/* "scheme://host" and the node's path. */
static const char *url_of(const struct sim_request *r, const struct sim_node *node, path_writer *write, bool cut_slash)
{
    struct buf b;
    buf_init(&b, HREF_MAX);
    buf_addf(&b, "%s://%s", r->scheme, r->host);
    write(&b, node);
    if (cut_slash && b.len > 0 && b.data[b.len - 1] == '/')
        b.len--;
    const char *url = arena_strndup(r->arena, b.data, b.len);
    buf_free(&b);
    return url;
}

static bool give_href(const struct sim_request *r, const struct sim_node *node, struct sim_value *v)
{
    return give_text(v, url_of(r, node, sim_path_write, false));
}

static bool give_folder_url(const struct sim_request *r, const struct sim_node *node, int folder, struct sim_value *v)
{
    const struct sim_faults *f = &r->sim->faults;
    if (node->place != SIM_AT_MAILBOX && node->place != SIM_AT_NON_IPM)
        return false;
    if (folder == SIM_FOLDER_CALENDAR && (sim_fault_is(f, node->mailbox, SIM_F_DENY, "empty") ||
                                          (sim_fault_is(f, NULL, SIM_F_NO_RIGHT, "empty") && r->account != NULL &&
                                           !sim_store_may_open(r->account, node->mailbox))))
        return false;
    struct sim_node at = *node;
    at.place = SIM_AT_FOLDER;
    at.folder = folder;
    return give_text(v, url_of(r, &at, sim_path_write, true));
}

static bool give_sendmsg(const struct sim_request *r, const struct sim_node *node, struct sim_value *v)
{
    struct sim_node root = *node;
    root.place = SIM_AT_MAILBOX;
    bool raw = sim_fault_on(&r->sim->faults, node->mailbox, SIM_F_RAW_SPACE);
    return give_text(v, sim_arena_printf(r->arena, "%s%%23%%23DavMailSubmission%sURI%%23%%23/",
                                         url_of(r, &root, sim_path_write, false), raw ? " " : "%20"));
}

static bool give_access(const struct sim_request *r, const struct sim_node *node, struct sim_value *v)
{
    const struct sim_faults *f = &r->sim->faults;
    bool right = r->account == NULL || sim_store_may_open(r->account, node->mailbox);
    bool none = sim_fault_is(f, node->mailbox, SIM_F_DENY, "access0") ||
                (!right && sim_fault_is(f, NULL, SIM_F_NO_RIGHT, "access0"));
    return give_number(v, SIM_T_INT, none ? 0 : 63);
}

static const char *folder_name(const struct sim_node *node)
{
    switch (node->place) {
    case SIM_AT_PUBLIC:
        return "public";
    case SIM_AT_SCHEDULE:
        return SIM_SCHEDULE_GROUP;
    case SIM_AT_MAILBOX:
        return node->mailbox->alias;
    case SIM_AT_NON_IPM:
        return "NON_IPM_SUBTREE";
    case SIM_AT_FOLDER:
        return sim_folder_name(node->mailbox, node->folder);
    case SIM_AT_ITEM:
        break;
    }
    return node->instance.item->name;
}

static bool holds_items(const struct sim_node *node)
{
    return node->place == SIM_AT_FOLDER && node->folder == SIM_FOLDER_CALENDAR;
}

static const char *resource_tag(const struct sim_request *r, const struct sim_node *node)
{
    unsigned revision = node->place == SIM_AT_ITEM ? node->instance.item->version : 1;
    unsigned long long place = (unsigned long long)node->place << 32;
    if (node->place == SIM_AT_ITEM)
        place |= node->instance.item->id;
    else if (node->place == SIM_AT_FOLDER)
        place |= (unsigned)node->folder;
    if (holds_items(node))
        revision = node->mailbox->revision;
    return sim_arena_printf(r->arena, "rt:%016llx%016llx%08x",
                            node->mailbox ? (unsigned long long)node->mailbox->guid : 0, place, revision);
}

static bool give_folder_class(const struct sim_node *node, struct sim_value *v)
{
    if (node->place == SIM_AT_FOLDER)
        return give_text(v, sim_folder_class(node->folder));
    return node->place == SIM_AT_MAILBOX && give_text(v, "IPF.Note");
}

static bool folder_get(const struct sim_request *r, const struct sim_node *node, const struct sim_prop *p,
                       struct sim_value *v)
{
    int64_t changed = node->mailbox != NULL ? node->mailbox->changed_at : 0;
    switch ((int)p->pid) {
    case SIM_P_HREF:
        return give_href(r, node, v);
    case SIM_P_DISPLAYNAME:
        return give_text(v, folder_name(node));
    case SIM_P_CONTENTCLASS:
        return give_text(v, holds_items(node) ? "urn:content-classes:calendarfolder" : "urn:content-classes:folder");
    case SIM_P_ISHIDDEN:
    case SIM_P_NOSUBS:
        return give_bool(v, false);
    case SIM_P_ISFOLDER:
        return give_bool(v, true);
    case SIM_P_HASSUBS:
        return give_bool(v, node->place != SIM_AT_FOLDER);
    case SIM_P_LASTMODIFIED:
    case SIM_P_CREATED:
        return give_time(v, p->pid == SIM_P_CREATED ? 0 : changed);
    case SIM_P_OBJECTCOUNT:
        return give_number(v, SIM_T_INT, holds_items(node) ? (int64_t)node->mailbox->count : 0);
    case SIM_P_UNREADCOUNT:
        return give_number(v, SIM_T_INT, 0);
    case SIM_P_FOLDER_URL:
        return give_folder_url(r, node, p->folder, v);
    case SIM_P_SENDMSG:
        return node->place == SIM_AT_MAILBOX && give_sendmsg(r, node, v);
    case SIM_P_FOLDERCLASS:
        return give_folder_class(node, v);
    case SIM_P_CONTENTTAG:
        return !sim_fault_on(&r->sim->faults, node->mailbox, SIM_F_NO_CONTENTTAG) &&
               give_text(v, resource_tag(r, node));
    case SIM_P_RESOURCETAG:
        return give_text(v, resource_tag(r, node));
    case SIM_P_ACCESS:
        return node->mailbox != NULL && give_access(r, node, v);
    case SIM_P_PERMANENTURL:
        return node->place == SIM_AT_FOLDER && give_text(v, url_of(r, node, sim_path_write_permanent, false));
    default:
        return false; /* a folder has no property of an item */
    }
}

static bool give_busy_word(const struct sim_request *r, const struct sim_instance *in, struct sim_value *v)
{
    static const char *const upper[] = {"FREE", "TENTATIVE", "BUSY"};
    static const char *const mixed[] = {"Free", "Tentative", "Busy"};
    const struct sim_faults *f = &r->sim->faults;
    if (in->item->busy_word != NULL)
        return give_text(v, in->item->busy_word);
    if (in->busy == SIM_BUSY_NONE)
        return false;
    if (in->busy == SIM_OOF)
        return give_text(v, sim_fault_text(f, in->item->mailbox, SIM_F_OOF_WORD));
    return give_text(v, sim_fault_on(f, in->item->mailbox, SIM_F_MIXED_CASE) ? mixed[in->busy] : upper[in->busy]);
}

static const char *meeting_status(const struct sim_item *item)
{
    if (item->cancelled)
        return "CANCELLED";
    return item->meeting ? "CONFIRMED" : "TENTATIVE";
}

/* Bits of apptstateflags: 1 a meeting, 2 received, 4 cancelled. */
static int state_flags(const struct sim_item *item)
{
    return (item->meeting ? 1 : 0) | (item->response >= 2 ? 2 : 0) | (item->cancelled ? 4 : 0);
}

/* Type and value of times: a damaged item has no end. */
static bool instance_time(const struct sim_instance *in, enum sim_pid pid, struct sim_value *v)
{
    if (pid == SIM_P_START)
        return give_time(v, in->start);
    if (pid == SIM_P_RECURRENCEID)
        return in->id != 0 && give_time(v, in->id);
    if (!in->item->has_end)
        return false;
    if (pid == SIM_P_END)
        return give_time(v, in->end);
    return give_number(v, SIM_T_INT, in->end - in->start);
}

const char *sim_item_rule(struct arena *a, const struct sim_item *item)
{
    static const char *const freqs[] = {"", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"};
    static const char days[] = "SUMOTUWETHFRSA";
    const struct sim_recur *rule = &item->recur;
    struct buf b;
    buf_init(&b, 512);
    buf_addf(&b, "FREQ=%s;INTERVAL=%d", freqs[rule->freq], rule->interval);
    if (rule->count > 0)
        buf_addf(&b, ";COUNT=%d", rule->count);
    if (rule->until != 0) {
        struct sim_civil c;
        sim_civil_of(rule->until, &c);
        buf_addf(&b, ";UNTIL=%04d%02d%02dT%02d%02d%02dZ", c.year, c.month, c.day, c.hour, c.minute, c.second);
    }
    const char *comma = ";BYDAY=";
    for (int d = 0; d < 7; d++) {
        if ((rule->days >> d & 1) == 0)
            continue;
        buf_adds(&b, comma);
        if (rule->nth != 0)
            buf_addf(&b, "%d", rule->nth == 5 ? -1 : rule->nth);
        buf_add(&b, days + 2 * d, 2);
        comma = ",";
    }
    const char *text = arena_strndup(a, b.data, b.len);
    buf_free(&b);
    return text;
}

static bool give_rule(const struct sim_request *r, const struct sim_instance *in, struct sim_value *v)
{
    if (in->type != SIM_MASTER)
        return false;
    v->type = SIM_T_MV_STRING;
    v->list = arena_alloc(r->arena, sizeof(char *));
    v->count = 1;
    if (v->list != NULL)
        v->list[0] = sim_item_rule(r->arena, in->item);
    return v->list != NULL;
}

static bool give_exdates(const struct sim_request *r, const struct sim_instance *in, struct sim_value *v)
{
    const struct sim_recur *rule = &in->item->recur;
    size_t n = rule->deleted_count + rule->moved_count;
    if (in->type != SIM_MASTER || n == 0)
        return false;
    v->type = SIM_T_MV_TIME;
    v->list = arena_alloc(r->arena, n * sizeof(char *));
    v->count = n;
    for (size_t i = 0; v->list != NULL && i < n; i++)
        v->list[i] = sim_time_text(r->arena, i < rule->deleted_count ? rule->deleted[i]
                                                                     : rule->moved[i - rule->deleted_count].id);
    return v->list != NULL;
}

static bool item_text(const struct sim_request *r, const struct sim_node *node, enum sim_pid pid, struct sim_value *v)
{
    const struct sim_item *item = node->instance.item;
    const struct sim_mailbox *m = item->mailbox;
    switch ((int)pid) {
    case SIM_P_HREF:
        return give_href(r, node, v);
    case SIM_P_DISPLAYNAME:
    case SIM_P_URLNAME:
        return give_text(v, item->name);
    case SIM_P_CONTENTCLASS:
        return give_text(v, "urn:content-classes:appointment");
    case SIM_P_GETETAG:
        return give_text(v, sim_arena_printf(r->arena, "\"%08x%08x\"", item->id, item->version));
    case SIM_P_PARENTNAME:
        return give_text(v, sim_folder_name(m, node->folder));
    case SIM_P_MESSAGECLASS:
        return give_text(v, "IPM.Appointment");
    case SIM_P_PERMANENTURL:
        return give_text(v, url_of(r, node, sim_path_write_permanent, false));
    case SIM_P_RESOURCETAG:
        return give_text(v, resource_tag(r, node));
    case SIM_P_REPL_UID:
        return give_text(v, sim_arena_printf(r->arena, "rid:%016llx%010x", (unsigned long long)m->guid, item->id));
    case SIM_P_SUBJECT:
        return give_text(v, item->subject);
    case SIM_P_DESCRIPTION:
        return give_text(v, "");
    case SIM_P_LOCATION:
        return give_text(v, item->location);
    case SIM_P_UID:
        return give_text(v, item->uid);
    case SIM_P_DAV_UID:
        return give_text(v, sim_arena_printf(r->arena, "AQ8AAAAA%08x", item->id));
    case SIM_P_ORGANIZER:
        return give_text(v, sim_arena_printf(r->arena, "\"%s\" <%s>", m->display, m->address));
    case SIM_P_MEETINGSTATUS:
        return give_text(v, meeting_status(item));
    case SIM_P_TRANSPARENT:
        return give_text(v, node->instance.busy == SIM_FREE ? "TRANSPARENT" : "OPAQUE");
    case SIM_P_ZONE_NAME:
        return give_text(v, item->zone->label);
    default:
        return false; /* an item has no property of a folder */
    }
}

/* What the data file says wins. */
static bool given_text(const struct sim_item *item, const struct sim_prop *p, struct sim_value *v)
{
    size_t len = strlen(p->ns);
    for (size_t i = 0; i < item->text_count; i++)
        if (strncmp(item->texts[i].name, p->ns, len) == 0 && strcmp(item->texts[i].name + len, p->name) == 0)
            return give_text(v, item->texts[i].value);
    return false;
}

static bool item_get(const struct sim_request *r, const struct sim_node *node, const struct sim_prop *p,
                     struct sim_value *v)
{
    const struct sim_instance *in = &node->instance;
    const struct sim_item *item = in->item;
    if (item->text_count > 0 && p->ns != NULL && given_text(item, p, v))
        return true;
    switch ((int)p->pid) {
    case SIM_P_ISHIDDEN:
    case SIM_P_ISFOLDER:
        return give_bool(v, false);
    case SIM_P_READ:
        return give_bool(v, true);
    case SIM_P_LASTMODIFIED:
        return give_time(v, item->modified);
    case SIM_P_CREATED:
        return give_time(v, item->created);
    case SIM_P_ARTICLE:
        return give_number(v, SIM_T_INT, item->id);
    case SIM_P_START:
    case SIM_P_END:
    case SIM_P_DURATION:
    case SIM_P_RECURRENCEID:
        return instance_time(in, p->pid, v);
    case SIM_P_BUSYSTATUS:
        return give_busy_word(r, in, v);
    case SIM_P_BUSY_INT:
        return in->busy != SIM_BUSY_NONE && give_number(v, SIM_T_INT, in->busy);
    case SIM_P_INSTANCETYPE:
        return item->has_type && give_number(v, SIM_T_INT, in->type);
    case SIM_P_ALLDAY:
        return give_bool(v, item->all_day);
    case SIM_P_STATEFLAGS:
        return give_number(v, SIM_T_INT, state_flags(item));
    case SIM_P_RESPONSE:
        return give_number(v, SIM_T_INT, item->response);
    case SIM_P_SENSITIVITY:
        return give_number(v, SIM_T_INT, item->sensitivity);
    case SIM_P_PRIVATE:
        return item->private_flag >= 0 && give_bool(v, item->private_flag != 0);
    case SIM_P_RECURRING:
        return give_bool(v, item->recur.freq != SIM_ONCE);
    case SIM_P_IS_EXCEPTION:
        return give_bool(v, in->type == SIM_EXCEPTION);
    case SIM_P_RRULE:
        return give_rule(r, in, v);
    case SIM_P_EXDATE:
        return give_exdates(r, in, v);
    case SIM_P_ZONE_ID:
        return give_number(v, SIM_T_INT, item->zone->cdo_id);
    case SIM_P_REMINDER:
        return give_number(v, SIM_T_INT, 900);
    default:
        return item_text(r, node, p->pid, v);
    }
}

bool sim_prop_get(const struct sim_request *r, const struct sim_node *node, const struct sim_prop *p,
                  struct sim_value *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (node->place == SIM_AT_SCHEDULE && node->mailbox != NULL)
        return sim_schedule_get(r, node, p, ret);
    if (node->place == SIM_AT_ITEM)
        return item_get(r, node, p, ret);
    return folder_get(r, node, p, ret);
}
