/*
 * sim_owa: the pages of Outlook Web Access that programs look into: the welcome page whose <base> names the mailbox
 * (2000, 2003), the address lookups galfind and gallookup, and of 2007 /owa/ with its options page.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/str.h"
#include "base/xml.h"
#include "sim.h"
#include "sim_reply.h"
#include "sim_store.h"
#include "sim_value.h"

#include <string.h>

#define VALUE_MAX 4096
#define FOUND_MAX 100

/* A query is application/x-www-form-urlencoded here: '+' is a space. */
const char *sim_query(struct sim_request *r, const char *name, unsigned n)
{
    size_t name_len = strlen(name);
    for (const char *p = httpd_query(r->req); p != NULL && *p != '\0';) {
        size_t len;
        const char *rest = str_split(p, '&', &len);
        if (len > name_len && p[name_len] == '=' && str_starts_nocase(p, name) && n-- == 0) {
            char *text = arena_strndup(r->arena, p + name_len + 1, len - name_len - 1);
            for (char *c = text; c != NULL && *c != '\0'; c++)
                *c = *c == '+' ? ' ' : *c;
            struct buf b;
            buf_init(&b, VALUE_MAX);
            const char *value = text != NULL && str_percent_decode(&b, text, strlen(text))
                                    ? arena_strndup(r->arena, b.data, b.len)
                                    : "";
            buf_free(&b);
            return value;
        }
        p = rest;
    }
    return NULL;
}

static const struct sim_mailbox *own_mailbox(const struct sim_request *r)
{
    if (r->account == NULL || r->account->address == NULL)
        return NULL;
    return sim_store_mailbox(r->sim->store, r->account->address);
}

static void welcome_2003(struct sim_request *r)
{
    const struct sim_mailbox *m = own_mailbox(r);
    struct sim_node node = {.place = SIM_AT_MAILBOX};
    if (m == NULL) { /* an account without mailbox: its own is implied, and there is none */
        sim_reply_error(r, 404);
        return;
    }
    node.as = m->alias;
    struct buf path;
    buf_init(&path, VALUE_MAX);
    sim_path_write(&path, &node);
    sim_reply_page(
        r, 200,
        sim_arena_printf(
            r->arena,
            "<HTML>\r\n<HEAD>\r\n<TITLE>Microsoft Outlook Web Access</TITLE>\r\n<BASE href=\"%s://%s%s\">\r\n"
            "</HEAD>\r\n<FRAMESET cols=\"200,*\"><FRAME name=\"viewer\" src=\"Inbox/?Cmd=contents\"></FRAMESET></HTML>",
            r->scheme, r->host, path.data));
    buf_free(&path);
}

void sim_owa_root(struct sim_request *r)
{
    const struct sim_faults *f = &r->sim->faults;
    if (sim_auth_is_hybrid(f) && !sim_forms_has_session(r))
        sim_forms_to_form(r);
    else if (f->profile == SIM_2007 || sim_auth_is_hybrid(f))
        sim_reply_redirect(r, sim_arena_printf(r->arena, "%s://%s/owa/", r->scheme, r->host));
    else
        welcome_2003(r);
}

static void add_field(struct buf *out, const char *name, const char *text)
{
    buf_addf(out, "<a:%s>", name);
    xml_escape(out, text, strlen(text));
    buf_addf(out, "</a:%s>", name);
}

static bool begins(const char *text, const char *wanted)
{
    return wanted == NULL || str_starts_nocase(text, wanted);
}

/* galfind looks by the beginning of alias (AN) or display name (DN), gallookup by the whole address (ADDR). */
static bool is_found(const struct sim_mailbox *m, const char *an, const char *dn, const char *address)
{
    if (address != NULL)
        return str_eq_nocase(m->address, address);
    return (an != NULL || dn != NULL) && begins(m->alias, an) && begins(m->display, dn);
}

static void gal(struct sim_request *r)
{
    const char *an = sim_query(r, "AN", 0), *dn = sim_query(r, "DN", 0), *address = sim_query(r, "ADDR", 0);
    const struct sim_store *store = r->sim->store;
    struct buf xml;
    buf_init(&xml, 1u << 20);
    buf_adds(&xml, "<a:response xmlns:a=\"WM\"><a:recipients>");
    for (size_t i = 0, found = 0; i < store->mailbox_count && found < FOUND_MAX; i++) {
        const struct sim_mailbox *m = store->mailboxes[i];
        if (!is_found(m, an, dn, address))
            continue;
        found++;
        buf_adds(&xml, "<a:item>");
        add_field(&xml, "AN", m->alias);
        add_field(&xml, "EM", m->address);
        add_field(&xml, "DN", m->display);
        add_field(&xml, "TL", "");
        add_field(&xml, "CP", "");
        add_field(&xml, "OFFICE", "");
        add_field(&xml, "PH", "");
        buf_adds(&xml, "</a:item>");
    }
    buf_adds(&xml, "</a:recipients></a:response>");
    sim_reply(r, &(struct sim_reply){.status = 200, .type = "text/xml", .body = xml.data, .len = xml.len});
    buf_free(&xml);
}

void sim_owa_page(struct sim_request *r)
{
    const char *command = sim_query(r, "cmd", 0);
    bool lookup = command != NULL && (str_eq_nocase(command, "galfind") || str_eq_nocase(command, "gallookup"));
    if (lookup && r->sim->faults.profile != SIM_2007)
        gal(r);
    else if (lookup)
        sim_reply_error(r, 404);
    else
        sim_reply_page(r, 200,
                       "<HTML><HEAD><TITLE>Microsoft Outlook Web Access</TITLE></HEAD><BODY>A folder.</BODY></HTML>");
}

void sim_owa_2007(struct sim_request *r)
{
    const struct sim_mailbox *m = own_mailbox(r);
    const char *page = sim_query(r, "ae", 0);
    bool is_2007 = r->sim->faults.profile == SIM_2007 || sim_auth_is_hybrid(&r->sim->faults);
    if (!is_2007 || strcmp(r->method, "GET") != 0) {
        sim_reply(
            r,
            &(struct sim_reply){
                .status = is_2007 ? 403 : 404, .type = "text/html", .body = "<html></html>", .len = 13, .bare = true});
        return;
    }
    const char *html = "<html><head><title>Outlook Web Access</title></head><body>Outlook Web Access</body></html>";
    if (page != NULL && str_eq_nocase(page, "Options") && m != NULL)
        html = sim_arena_printf(r->arena,
                                "<html><body>Mailbox owner: %s [%s]<br>User: "
                                "/o=Example/ou=First Administrative Group/cn=Recipients/cn=%s<br></body></html>",
                                m->display, m->address, m->alias);
    sim_reply(r, &(struct sim_reply){.status = 200,
                                     .type = "text/html; charset=utf-8",
                                     .body = html,
                                     .len = strlen(html),
                                     .header = "Set-Cookie: UserContext=0123456789abcdef0123456789abcdef; path=/owa",
                                     .bare = true});
}
