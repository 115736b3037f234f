/*
 * sim_search: SEARCH. The SQL is parsed and evaluated as it stands; recurrences are expanded only when its conditions
 * bound both dtstart and dtend; without ORDER BY the newest item comes first.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/str.h"
#include "sim.h"
#include "sim_log.h"
#include "sim_render.h"
#include "sim_repl.h"
#include "sim_reply.h"
#include "sim_rows.h"
#include "sim_sql.h"
#include "sim_store.h"
#include "sim_xml_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (512u << 20)
#define ROWS_MAX 200000

/* The rows of one statement; they live in the request's arena, which is large. */
struct result {
    struct sim_request *r;
    struct sim_sql *sql;
    struct sim_node scope;
    struct sim_node *rows;
    size_t count, cap;
    const struct sim_node *at; /* the row whose conditions are being looked at */
    bool replicates;           /* only what has changed since this revision of the calendar */
    unsigned since;
};

/* The reason goes to the log only: the server does not tell it. */
static void refuse(struct sim_request *r, const char *why)
{
    sim_log_refusal(r->sim->log, r, why);
    sim_reply_page(r, 400,
                   "<html><body><h2>Error while processing WHERE clause in the SQL statement.</h2></body></html>");
}

/* A '<' in the SQL must come as &lt; our reader forgives it, a server of that time does not. */
static bool has_raw_angle(const char *text, size_t len)
{
    const char *sql = str_find_nocase(text, len, "sql>");
    if (sql == NULL)
        return false;
    const char *angle = memchr(sql, '<', len - (size_t)(sql - text));
    return angle != NULL && !str_starts(angle, "</") && !str_starts(angle, "<![CDATA[");
}

static bool row_value(void *arg, const struct sim_prop *p, struct sim_value *ret)
{
    const struct result *s = arg;
    return sim_prop_get(s->r, s->at, p, ret);
}

static void try_row(struct result *s, const struct sim_node *node)
{
    bool three = sim_fault_is(&s->r->sim->faults, node->mailbox, SIM_F_SQL_NULLS, "three");
    s->at = node;
    if (!sim_sql_matches(s->sql, three, row_value, s) || s->count >= ROWS_MAX)
        return;
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct sim_node *rows = arena_alloc(s->r->arena, cap * sizeof(*rows));
        if (rows == NULL)
            return;
        if (s->count > 0)
            memcpy(rows, s->rows, s->count * sizeof(*rows));
        s->rows = rows;
        s->cap = cap;
    }
    s->rows[s->count++] = *node;
}

static void try_instance(void *arg, const struct sim_instance *instance)
{
    struct result *s = arg;
    struct sim_node node = s->scope;
    node.place = SIM_AT_ITEM;
    node.instance = *instance;
    try_row(s, &node);
}

static void try_items(struct result *s, bool expand, int64_t from, int64_t to)
{
    const struct sim_mailbox *m = s->scope.mailbox;
    for (size_t i = m->count; i-- > 0;) { /* newest first */
        struct sim_instance whole;
        if (s->replicates && !sim_repl_changed(m->items[i], s->since))
            continue;
        sim_recur_whole(m->items[i], &whole);
        try_instance(s, &whole);
        if (expand)
            sim_recur_expand(m->items[i], from, to, try_instance, s);
    }
}

static void try_folders(struct result *s)
{
    for (int i = 0; i < SIM_FOLDER_COUNT; i++) {
        struct sim_node node = s->scope;
        node.place = SIM_AT_FOLDER;
        node.folder = i;
        try_row(s, &node);
    }
}

/* A message for each person, in public: no right on the mailbox is asked for. */
static void try_schedule(struct result *s)
{
    const struct sim_store *store = s->r->sim->store;
    for (size_t i = 0; i < store->mailbox_count; i++) {
        struct sim_node node = {.place = SIM_AT_SCHEDULE, .mailbox = store->mailboxes[i]};
        if (!sim_fault_on(&s->r->sim->faults, node.mailbox, SIM_F_ABSENT))
            try_row(s, &node);
    }
}

static void collect(struct result *s, bool expand, int64_t from, int64_t to)
{
    if (s->scope.place == SIM_AT_SCHEDULE)
        try_schedule(s);
    bool root = s->scope.place == SIM_AT_MAILBOX || s->scope.place == SIM_AT_NON_IPM;
    bool calendar = s->scope.place == SIM_AT_FOLDER && s->scope.folder == SIM_FOLDER_CALENDAR;
    if (root)
        try_folders(s);
    if (root && s->sql->traversal == SIM_SQL_DEEP) {
        s->scope.folder = SIM_FOLDER_CALENDAR;
        calendar = true;
    }
    if (calendar && s->sql->traversal != SIM_SQL_HIERARCHICAL)
        try_items(s, expand, from, to);
}

static int compare_rows(const void *va, const void *vb, void *arg)
{
    struct result *s = arg;
    for (size_t i = 0; i < s->sql->order_count; i++) {
        const struct sim_sql_order *o = &s->sql->order[i];
        struct sim_value a, b;
        bool has_a = sim_prop_get(s->r, va, &o->prop, &a), has_b = sim_prop_get(s->r, vb, &o->prop, &b);
        int order = has_a - has_b;
        if (has_a && has_b && !sim_value_compare(&a, &b, &order))
            order = 0;
        if (order != 0)
            return o->descending ? -order : order;
    }
    return 0;
}

/* FROM's path, relative to the request's URL when it is empty; its mailbox may be another one. */
static bool find_scope(struct result *s)
{
    struct sim_request *r = s->r;
    const char *path = s->sql->scope;
    if (path[0] == '\0') {
        s->scope = r->node;
        return true;
    }
    if (str_starts_nocase(path, "http://") || str_starts_nocase(path, "https://")) {
        const char *slash = strchr(strchr(path, ':') + 3, '/');
        path = slash != NULL ? slash : "/";
    }
    struct sim_path_in in = {r->arena, r->sim->store, &r->sim->faults};
    if (sim_path_find(&in, path, &s->scope) != SIM_PATH_FOUND) {
        sim_reply_error(r, 404);
        return false;
    }
    bool other = s->scope.mailbox != NULL && s->scope.mailbox != r->node.mailbox;
    return !other || sim_logon_may_open(r, s->scope.mailbox);
}

/* Leaves only the rows that Range asks for. False: answered. */
static bool page(struct result *s, const char **ret_header)
{
    const char *range = httpd_header(s->r->req, "Range");
    size_t first = 0, last = 0, count;
    if (range == NULL)
        return true;
    bool *wanted = arena_alloc(s->r->arena, s->count + 1);
    enum sim_rows_result result =
        wanted == NULL ? SIM_ROWS_BAD : sim_rows_parse(range, s->count, wanted, &first, &last, &count);
    if (result != SIM_ROWS_OK) {
        sim_reply_error(s->r, result == SIM_ROWS_BEYOND ? 416 : 400);
        return false;
    }
    size_t kept = 0, total = s->count;
    for (size_t i = 0; i < total; i++)
        if (wanted[i])
            s->rows[kept++] = s->rows[i];
    s->count = kept;
    if (kept == 0)
        return true;
    if (sim_fault_on(&s->r->sim->faults, s->r->node.mailbox, SIM_F_NO_TOTAL))
        *ret_header = sim_arena_printf(s->r->arena, "Content-Range: rows %zu-%zu", first, last);
    else
        *ret_header = sim_arena_printf(s->r->arena, "Content-Range: rows %zu-%zu; total=%zu", first, last, total);
    return true;
}

static void answer(struct result *s)
{
    struct sim_request *r = s->r;
    const char *brief = httpd_header(r->req, "Brief"), *header = NULL;
    if (s->sql->order_count > 0 && s->count > 1)
        qsort_r(s->rows, s->count, sizeof(*s->rows), compare_rows, s);
    if (!page(s, &header))
        return;
    struct sim_render render = {r, s->sql->props, s->sql->prop_count,
                                brief != NULL && str_eq_nocase(brief, "t") &&
                                    !sim_fault_on(&r->sim->faults, r->node.mailbox, SIM_F_BRIEF_IGNORED),
                                s->replicates ? s->scope.mailbox : NULL, s->since};
    struct buf xml;
    buf_init(&xml, ANSWER_MAX);
    sim_render(&render, s->rows, s->count, &xml);
    sim_reply_multistatus(r, &xml, header);
}

/* SELECT * gives what a look at the table shows. */
static void take_star(struct result *s)
{
    static const char *const names[] = {SIM_NS_DAV "href",    SIM_NS_DAV "displayname", SIM_NS_CAL "dtstart",
                                        SIM_NS_CAL "dtend",   SIM_NS_CAL "busystatus",  SIM_NS_CAL "instancetype",
                                        SIM_NS_MAIL "subject"};
    for (size_t i = 0; s->sql->star && i < sizeof(names) / sizeof(names[0]); i++)
        if (sim_prop_from_text(s->r->arena, names[i], strlen(names[i]), &s->sql->props[s->sql->prop_count]))
            s->sql->prop_count++;
}

static bool has_prop(const struct sim_prop *props, size_t count, const struct sim_prop *p)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(props[i].ns, p->ns) == 0 && strcmp(props[i].name, p->name) == 0)
            return true;
    return false;
}

static void add_unasked(struct result *s, const char *name)
{
    struct sim_sql *sql = s->sql;
    struct sim_prop p;
    if (!sim_prop_from_text(s->r->arena, name, strlen(name), &p) || has_prop(sql->props, sql->prop_count, &p))
        return;
    struct sim_prop *props = arena_alloc(s->r->arena, (sql->prop_count + 1) * sizeof(*props));
    if (props == NULL)
        return;
    memcpy(props, sql->props, sql->prop_count * sizeof(*props));
    props[sql->prop_count] = p;
    sql->props = props;
    sql->prop_count++;
}

/* Every text of an item: those that all have, and those of the data file. */
static void take_unasked(struct result *s)
{
    static const char *const names[] = {SIM_NS_DAV "href",         SIM_NS_DAV "displayname", SIM_NS_MAIL "subject",
                                        SIM_NS_CAL "location",     SIM_NS_CAL "organizer",   SIM_NS_CAL "uid",
                                        SIM_NS_EX "permanenturl"};
    const struct sim_mailbox *m = s->scope.mailbox;
    if (m == NULL || !sim_fault_on(&s->r->sim->faults, m, SIM_F_UNASKED))
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        add_unasked(s, names[i]);
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = 0; k < m->items[i]->text_count; k++)
            add_unasked(s, m->items[i]->texts[k].name);
}

/* Replication is of a calendar's items; anywhere else the blob is not looked at. False: answered. */
static bool take_blob(struct result *s, const char *blob)
{
    if (blob == NULL || s->scope.place != SIM_AT_FOLDER || s->scope.folder != SIM_FOLDER_CALENDAR)
        return true;
    s->replicates = sim_repl_since(s->scope.mailbox, blob, &s->since);
    if (!s->replicates)
        sim_reply_page(s->r, 475, "<html><body><h2>475 Invalid collblob</h2></body></html>");
    return s->replicates;
}

void sim_search(struct sim_request *r)
{
    size_t len;
    const char *text = httpd_body(r->req, &len);
    char why[200] = "";
    struct sim_xml_body body;
    struct result s = {.r = r};
    int64_t from = 0, to = 0;
    if (sim_fault_on(&r->sim->faults, r->node.mailbox, SIM_F_STRICT) && has_raw_angle(text, len)) {
        sim_reply_violation(r, "unescaped < in the SQL");
        return;
    }
    if (!sim_xml_body_read(r->arena, text, len, &body) || body.sql == NULL) {
        sim_reply_error(r, 400);
        return;
    }
    s.sql = sim_sql_parse(r->arena, body.sql, body.sql_len, why, sizeof(why));
    if (s.sql == NULL || !sim_sql_check(s.sql, why, sizeof(why))) {
        refuse(r, why);
        return;
    }
    enum sim_sql_window window = sim_sql_window(s.sql, &from, &to);
    if (window == SIM_SQL_TOO_LONG) {
        refuse(r, "a window of more than 732 days");
        return;
    }
    if (!find_scope(&s))
        return;
    if (!take_blob(&s, body.collblob))
        return;
    take_star(&s);
    take_unasked(&s);
    collect(&s, window == SIM_SQL_WINDOW && !s.replicates, from, to);
    answer(&s);
}
