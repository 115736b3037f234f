/*
 * pub_xmpp_contact: which contact of ours is which person, and who may subscribe at all. A contact's local part is the
 * escaped address (XEP-0106); clients that do not escape write % for @; where the configuration names the mail domain,
 * the part before the @ will do. Somebody who asked in one spelling is answered in that spelling for ever, because it
 * is what stands in their contact list.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "pub_xmpp.h"

enum { FORM_ESCAPED, FORM_SHORT, FORM_PERCENT };

static pres_id find(const struct pub_xmpp *x, const char *local, const char *address);
static bool listed(char *const *list, size_t count, const struct pres_jid *jid);

pres_id pres_pub_person(const struct pub_xmpp *x, const char *local)
{
    struct buf plain;
    pres_id id = PRES_NOBODY;
    buf_init(&plain, 2 * PRES_JID_PART_MAX);
    if (pres_jid_unescape(&plain, local)) {
        id = find(x, local, plain.data);
        char *percent = strrchr(plain.data, '%');
        if (id == PRES_NOBODY && x->domain && buf_addf(&plain, "@%s", x->domain)) {
            id = find(x, local, plain.data);
            plain.len -= strlen(x->domain) + 1;
            plain.data[plain.len] = '\0';
            percent = strrchr(plain.data, '%');
        }
        if (id == PRES_NOBODY && percent) {
            *percent = '@';
            id = find(x, local, plain.data);
        }
    }
    buf_free(&plain);
    return id;
}

bool pres_pub_form(const struct pub_xmpp *x, const char *address, unsigned i, struct buf *out)
{
    char *lower = str_lower(mem_strdup(address));
    const char *at = strrchr(lower, '@');
    /* the short form comes first where there is one: it is the one to show */
    bool has_short = at && x->domain && strcmp(at + 1, x->domain) == 0, ok = false;
    unsigned form = has_short ? (i == 0   ? FORM_SHORT
                                 : i == 1 ? FORM_ESCAPED
                                          : FORM_PERCENT)
                              : (i == 0   ? FORM_ESCAPED
                                 : i == 1 ? FORM_PERCENT
                                          : PUB_FORMS);
    size_t local_len = at ? (size_t)(at - lower) : strlen(lower);
    buf_reset(out);
    if (form == FORM_ESCAPED)
        ok = pres_jid_escape(out, lower, strlen(lower));
    else if (form == FORM_SHORT)
        ok = pres_jid_escape(out, lower, local_len);
    else if (form == FORM_PERCENT && at)
        ok = pres_jid_escape(out, lower, local_len) && buf_addc(out, '%') &&
             pres_jid_escape(out, at + 1, strlen(at + 1));
    free(lower);
    return ok && out->len <= PRES_JID_PART_MAX;
}

bool pres_pub_allowed(const struct pub_xmpp *x, const struct pres_jid *jid)
{
    return listed(x->allow, x->allow_count, jid) || listed(x->admins, x->admin_count, jid);
}

bool pres_pub_is_admin(const struct pub_xmpp *x, const struct pres_jid *jid)
{
    return listed(x->admins, x->admin_count, jid);
}

bool pres_xmpp_jid_valid(const char *text)
{
    struct pres_jid jid;
    return pres_jid_parse(text, &jid) && !jid.resource[0];
}

/* Only the address that is shown outside counts, and only in the spellings that we would use ourselves: two spellings
 * of one contact would be two contacts to a client. */
static pres_id find(const struct pub_xmpp *x, const char *local, const char *address)
{
    struct buf form;
    pres_id id = pres_table_find(x->table, address);
    bool same = false;
    if (id == PRES_NOBODY || !str_eq_nocase(pres_table_publish_as(x->table, id), address))
        return PRES_NOBODY;
    buf_init(&form, 3 * PRES_JID_PART_MAX);
    for (unsigned i = 0; i < PUB_FORMS && !same; i++)
        same = pres_pub_form(x, address, i, &form) && strcmp(form.data, local) == 0;
    buf_free(&form);
    return same ? id : PRES_NOBODY;
}

static bool listed(char *const *list, size_t count, const struct pres_jid *jid)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], strchr(list[i], '@') ? jid->bare : jid->domain) == 0)
            return true;
    return false;
}
