/*
 * exchange_place: which mailbox is this person's? Exchange names mailboxes by SMTP address, or by what stands before
 * the @ in the virtual directory's own domain; which of them it takes is the site's business.
 *
 * The address as configured is asked for first, then the person's further addresses (`aliases`, where a user principal
 * name may stand as well): these are the administrator's word. Only then comes the alias, and never as a guess: the
 * server's directory must name it for this very address (gallookup), nobody else may have it (galfind), and the mailbox
 * that answers must call itself so. Anything less could be somebody else's calendar. What works is remembered by the
 * caller and proved again once a day (exchange_watch.c); what does not is left alone for as long.
 *
 * exchange.c asks here when a mailbox was not found.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/xml.h"
#include "exchange_watch.h"
#include "url.h"

#define TRIED_S 86400
#define FIELD_MAX 512

/* A person of the directory's answer. */
struct listed {
    struct dav_query *q;
    const char *wanted;  /* alias that is counted; NULL: by address */
    struct buf text, alias, address;
    unsigned count;      /* those meant */
    char *found;         /* alias of the last of them whose address is the person's */
};

static char *mailbox_called(struct dav_query *q, const char *name);
static bool list_read(struct listed *list, const struct dav_reply *reply);
static bool on_start(void *arg, const char *ns, const char *name);
static bool on_end(void *arg, const char *ns, const char *name);
static bool on_text(void *arg, const char *text, size_t len);
static bool is_persons(struct dav_query *q, const char *address);
static void give_up(struct dav_query *q, struct exchange *x);

static const struct xml_handler handler = {on_start, on_end, on_text};

/* What Internet Explorer gets as XML. */
static const char *const lookup_headers[] = {
    "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.2)", "Accept-Language: en-us", NULL};

char *dav_exchange_mailbox(struct dav_query *q)
{
    const struct dav_question *question = dav_query_question(q);
    struct buf path;
    char *kept = NULL;
    bool ok;

    if (!question->path)
        return question->address[0] ? mailbox_called(q, question->address) : NULL;
    buf_init(&path, DAV_URL_PATH_MAX + DAV_URL_HOST_MAX);
    if (str_starts_nocase(question->path, "http://") || str_starts_nocase(question->path, "https://")) {
        const char *slash = strchr(strchr(question->path, ':') + 3, '/');

        buf_add(&path, question->path, slash ? (size_t)(slash - question->path) : strlen(question->path));
        ok = dav_url_add_path(&path, slash ? slash : "/", slash ? strlen(slash) : 1);
    } else {
        if (question->path[0] != '/')
            buf_adds(&path, dav_query_base_path(q));
        ok = dav_url_add_path(&path, question->path, strlen(question->path));
    }
    if (ok && path.len > 0 && path.data[path.len - 1] != '/')
        buf_addc(&path, '/');
    if (ok && !path.failed)
        kept = arena_strndup(dav_query_arena(q), path.data, path.len);
    buf_free(&path);
    return kept;
}

bool dav_exchange_place_is_own(struct dav_query *q, const char *calendar)
{
    const char *mailbox = dav_exchange_mailbox(q);
    struct dav_url url, own;

    if (mailbox && mailbox[0] != '/' && dav_url_parse(mailbox, &own))
        mailbox = own.path;
    if (calendar[0] != '/' && dav_url_parse(calendar, &url))
        calendar = url.path;
    return mailbox && str_starts(calendar, mailbox);
}

bool dav_exchange_place_another(struct dav_query *q, struct exchange *x)
{
    const struct dav_question *question = dav_query_question(q);
    struct exchange_known *known = dav_exchange_known(q, x);
    const char *const *aliases = question->aliases;

    if (question->path || x->alias || (known && known->no_form_until > dav_query_now(q)))
        return false;
    for (unsigned i = 0; aliases && aliases[i] && i < EXCHANGE_FORMS; i++) {
        if (i < x->form || str_eq_nocase(aliases[i], question->address))
            continue;
        x->form = i + 1;
        x->mailbox = mailbox_called(q, aliases[i]);
        if (!x->mailbox)
            continue;
        dav_exchange_enter(q, x, EXCHANGE_ROOT);
        return true;
    }
    if (x->form > EXCHANGE_FORMS || !strchr(question->address, '@')) {
        give_up(q, x);
        return false;
    }
    x->form = EXCHANGE_FORMS + 1;
    dav_exchange_enter(q, x, EXCHANGE_WHO);
    return true;
}

/* May what the mailbox at hand answered be taken for the person's? */
bool dav_exchange_place_proved(struct dav_query *q, const struct exchange *x)
{
    (void)q;
    return !x->alias || (x->answered_as && str_eq_nocase(x->answered_as, x->alias));
}

void dav_exchange_place_ask(struct dav_query *q, struct exchange *x)
{
    const char *address = dav_query_question(q)->address, *at = strchr(address, '@');
    struct arena *arena = dav_query_arena(q);
    struct dav_ask ask = {.method = "GET", .headers = lookup_headers};
    char *local = arena_strndup(arena, address, (size_t)(at - address));
    char *page = local && *local ? mailbox_called(q, local) : NULL;
    struct buf url;

    buf_init(&url, DAV_URL_PATH_MAX);
    buf_adds(&url, page ? page : "");
    buf_adds(&url, x->stage == EXCHANGE_WHO ? "?Cmd=gallookup&ADDR=" : "?Cmd=galfind&AN=");
    dav_url_add_segment(&url, x->stage == EXCHANGE_WHO ? address : x->alias);
    ask.url = page && !url.failed ? arena_strndup(arena, url.data, url.len) : NULL;
    buf_free(&url);
    if (ask.url)
        dav_query_send(q, &ask);
    else
        dav_query_fail(q, x->root_code, "the address cannot be looked up");
}

void dav_exchange_place_answer(struct dav_query *q, struct exchange *x, const struct dav_reply *reply)
{
    struct listed list = {.q = q, .wanted = x->stage == EXCHANGE_WHO_ELSE ? x->alias : NULL};
    bool only_one = reply->status == 200 && list_read(&list, reply) && list.count == 1 && list.found;

    if (only_one && x->stage == EXCHANGE_WHO) {
        x->alias = list.found;
        dav_exchange_enter(q, x, EXCHANGE_WHO_ELSE);
        return;
    }
    x->mailbox = only_one ? mailbox_called(q, x->alias) : NULL;
    if (x->mailbox) {
        dav_exchange_enter(q, x, EXCHANGE_ROOT);
        return;
    }
    give_up(q, x);
    dav_query_fail(q, x->root_code, "there is no mailbox of that address, and the directory names no other (%d)",
                   reply->status);
}

static char *mailbox_called(struct dav_query *q, const char *name)
{
    struct buf path;
    char *kept = NULL;

    buf_init(&path, DAV_URL_PATH_MAX);
    buf_adds(&path, dav_query_base_path(q));
    dav_url_add_store_segment(&path, name);
    buf_addc(&path, '/');
    if (!path.failed)
        kept = arena_strndup(dav_query_arena(q), path.data, path.len);
    buf_free(&path);
    return kept;
}

static bool list_read(struct listed *list, const struct dav_reply *reply)
{
    struct xml_limits limits = {.max_bytes = reply->body_len + 1, .max_depth = 16};
    struct xml_reader *reader = xml_reader_new(&handler, list, &limits);
    bool ok;

    buf_init(&list->text, FIELD_MAX);
    buf_init(&list->alias, FIELD_MAX);
    buf_init(&list->address, FIELD_MAX);
    xml_reader_feed(reader, reply->body, reply->body_len);
    ok = xml_reader_finish(reader) == XML_OK;
    xml_reader_free(&reader);
    buf_free(&list->text);
    buf_free(&list->alias);
    buf_free(&list->address);
    return ok;
}

static bool on_start(void *arg, const char *ns, const char *name)
{
    struct listed *list = arg;

    (void)ns;
    buf_reset(&list->text);
    if (strcmp(name, "item") == 0) {
        buf_reset(&list->alias);
        buf_reset(&list->address);
    }
    return true;
}

static bool on_end(void *arg, const char *ns, const char *name)
{
    struct listed *list = arg;
    bool persons;

    (void)ns;
    if (strcmp(name, "AN") == 0)
        buf_add(&list->alias, list->text.data, list->text.len);
    else if (strcmp(name, "EM") == 0)
        buf_add(&list->address, list->text.data, list->text.len);
    buf_reset(&list->text);
    if (strcmp(name, "item") != 0)
        return true;
    persons = list->alias.len > 0 && is_persons(list->q, list->address.data);
    if (list->wanted ? str_eq_nocase(list->alias.data, list->wanted) : persons) {
        list->count++;
        list->found = persons ? arena_strndup(dav_query_arena(list->q), list->alias.data, list->alias.len) : NULL;
    }
    return true;
}

static bool on_text(void *arg, const char *text, size_t len)
{
    struct listed *list = arg;

    buf_add(&list->text, text, len);
    return true;
}

static bool is_persons(struct dav_query *q, const char *address)
{
    const struct dav_question *question = dav_query_question(q);
    bool own = str_eq_nocase(address, question->address);

    for (const char *const *alias = question->aliases; !own && alias && *alias; alias++)
        own = str_eq_nocase(address, *alias);
    return own;
}

/* Not with every question again. */
static void give_up(struct dav_query *q, struct exchange *x)
{
    struct exchange_watch *w = dav_exchange_watch(q);
    int64_t now = dav_query_now(q);

    if (w)
        dav_exchange_known_add(w->table, x->person, now)->no_form_until = (uint32_t)(now + TRIED_S);
}
