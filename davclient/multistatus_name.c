/*
 * multistatus_name: see multistatus_name.h.
 */
#include "multistatus_name.h"

#include <string.h>

#include "base/str.h"

#define TRIES 4
#define MAPI "http://schemas.microsoft.com/mapi/"

static enum dav_ms_element element_of(const char *ns, const char *name);
static int prop_of(const struct dav_ms_spec *spec, const char *ns, const char *name);
static bool prop_matches(const struct dav_ms_prop *p, const char *ns, const char *name);

void dav_ms_names_init(struct dav_ms_names *n, const struct dav_ms_spec *spec)
{
    n->spec = spec;
    n->last = n->slots;
    n->last->next = n->slots;
}

struct dav_ms_name *dav_ms_names_look_up(struct dav_ms_names *n, const char *ns, const char *name)
{
    uint64_t hash = (uint64_t)(uintptr_t)name * UINT64_C(0x9e3779b97f4a7c15) >> 57;
    struct dav_ms_name *k = &n->slots[hash];

    for (unsigned i = 0; i < TRIES && n->slots[(hash + i) % DAV_MS_NAMES_SLOTS].document == n->document; i++) {
        k = &n->slots[(hash + i) % DAV_MS_NAMES_SLOTS];
        if (k->name == name && k->ns == ns)
            return k;
        k = &n->slots[(hash + i + 1) % DAV_MS_NAMES_SLOTS];
    }
    *k = (struct dav_ms_name){.document = n->document,
                        .ns = ns,
                        .name = name,
                        .element = element_of(ns, name),
                        .prop = prop_of(n->spec, ns, name),
                        .next = k};
    return k;
}

long dav_ms_mapi_id(const char *name)
{
    long id = 0;
    unsigned digits = 0;

    if (str_starts_nocase(name, "_x0030_"))
        name += strlen("_x0030_");
    else if (*name == '0')
        name++;
    if (*name != 'x' && *name != 'X')
        return -1;
    for (name++; *name; name++, digits++) {
        int digit = *name >= '0' && *name <= '9'                     ? *name - '0'
                    : (*name | 0x20) >= 'a' && (*name | 0x20) <= 'f' ? (*name | 0x20) - 'a' + 10
                                                                     : -1;

        if (digit < 0 || digits >= 8)
            return -1;
        id = id * 16 + digit;
    }
    return digits > 0 ? id : -1;
}

static enum dav_ms_element element_of(const char *ns, const char *name)
{
    static const struct {
        const char *name;
        enum dav_ms_element element;
    } elements[] = {
        {"multistatus", DAV_MS_EL_MULTISTATUS}, {"response", DAV_MS_EL_RESPONSE}, {"href", DAV_MS_EL_HREF},
        {"status", DAV_MS_EL_STATUS},           {"propstat", DAV_MS_EL_PROPSTAT}, {"prop", DAV_MS_EL_PROP},
        {"sync-token", DAV_MS_EL_SYNC_TOKEN},
    };

    if (strcmp(ns, "DAV:") != 0)
        return DAV_MS_EL_OTHER;
    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++)
        if (strcmp(name, elements[i].name) == 0)
            return elements[i].element;
    return DAV_MS_EL_OTHER;
}

static int prop_of(const struct dav_ms_spec *spec, const char *ns, const char *name)
{
    for (size_t i = 0; i < spec->count && i < DAV_MS_PROPS; i++)
        if (prop_matches(&spec->props[i], ns, name))
            return (int)i;
    return -1;
}

/* Below Microsoft's MAPI namespaces, names and the GUIDs in them come in either case. */
static bool prop_matches(const struct dav_ms_prop *p, const char *ns, const char *name)
{
    if (strcmp(name, p->name) == 0 && strcmp(ns, p->ns) == 0)
        return true;
    if (ns[0] != 'h' || !str_starts(ns, MAPI) || !str_eq_nocase(ns, p->ns))
        return false;
    return str_eq_nocase(name, p->name) ||
           (str_starts(p->name, "0x") && dav_ms_mapi_id(name) == dav_ms_mapi_id(p->name));
}
