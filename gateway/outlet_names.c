/*
 * outlet_names: see outlet_names.h. The ways: as it is (webhooks, MQTT, a SIP address); percent-encoded (SIP, MQTT);
 * escaped into the local part of a contact (XMPP, XEP-0106); and the bare local part at the beginning of an XMPP row,
 * where contacts leave out their domain. alice@example.com is not in malice@example.com nor in alice@example.com.au.
 */
#include "outlet_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

enum { FORMS = 3, FORM_MAX = 4000 };

struct gw_row_name {
    struct gw_row_name *next;
    char *name, *form[FORMS]; /* lower case */
    char *local;              /* of XMPP rows, NULL */
    bool closed;
};

static char *contact_of(const char *text, size_t len);
static char *escaped(const char *name);
static bool has(const char *text, const char *name);
static bool is_of_name(char c);

void gw_row_name_add(struct gw_row_name **list, const char *name, const char *domain)
{
    struct gw_row_name *n = mem_calloc(1, sizeof *n);
    n->name = str_lower(mem_strdup(name));
    const char *at = strrchr(n->name, '@');
    n->form[0] = mem_strdup(n->name);
    n->form[1] = escaped(n->name);
    n->form[2] = contact_of(n->name, strlen(n->name));
    if (at && domain && str_eq_nocase(at + 1, domain))
        n->local = contact_of(n->name, (size_t)(at - n->name));
    n->next = *list;
    *list = n;
}

void gw_row_names_free(struct gw_row_name **list)
{
    while (*list) {
        struct gw_row_name *n = *list;
        *list = n->next;
        for (unsigned i = 0; i < FORMS; i++)
            free(n->form[i]);
        free(n->local);
        free(n->name);
        free(n);
    }
}

void gw_row_names_close(struct gw_row_name *list)
{
    for (; list; list = list->next)
        list->closed = true;
}

bool gw_row_names_in(const struct gw_row_name *list, const char *space, const char *text, bool closed_only)
{
    if (!list)
        return false;
    char *lower = str_lower(mem_strdup(text));
    bool found = false;
    for (const struct gw_row_name *n = list; n && !found; n = n->next) {
        if (closed_only && !n->closed)
            continue;
        for (unsigned i = 0; i < FORMS && !found; i++)
            found = has(lower, n->form[i]);
        size_t len = n->local ? strlen(n->local) : 0;
        if (len && strcmp(space, "xmpp") == 0)
            found = found || (strncmp(lower, n->local, len) == 0 && lower[len] == ' ');
    }
    free(lower);
    return found;
}

/* XEP-0106. */
static char *contact_of(const char *text, size_t len)
{
    static const char special[] = " \"&'/:<>@\\";
    struct buf b;
    buf_init(&b, FORM_MAX);
    for (size_t i = 0; i < len; i++)
        if (strchr(special, text[i]))
            buf_addf(&b, "\\%02x", (unsigned)(unsigned char)text[i]);
        else
            buf_addc(&b, text[i]);
    return buf_take(&b);
}

static char *escaped(const char *name)
{
    struct buf b;
    buf_init(&b, FORM_MAX);
    str_percent_encode(&b, name, strlen(name), "");
    return str_lower(buf_take(&b));
}

static bool has(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = text; len && (at = strstr(at, name)); at++)
        if ((at == text || !is_of_name(at[-1])) && (!is_of_name(at[len]) || at[len] == '+'))
            return true;
    return false;
}

static bool is_of_name(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '-' || c == '_' || c == '+' || (unsigned char)c >= 128;
}
