/*
 * sim_props: the table of properties. Named MAPI properties are compared by number, because clients write 0x8205,
 * 0x00008205 or decimal; property tags by their first four hex digits; everything else by spelling.
 */
#include "sim_props.h"

#include "base/arena.h"
#include "base/str.h"
#include "sim_path.h"

#include <stdlib.h>
#include <string.h>

struct row {
    const char *ns;
    const char *name;
    enum sim_pid pid;
    enum sim_type type;
};

#define S SIM_T_STRING
#define I SIM_T_INT
#define B SIM_T_BOOL
#define T SIM_T_TIME

static const struct row table[] = {
    {SIM_NS_DAV, "href", SIM_P_HREF, S},
    {SIM_NS_DAV, "displayname", SIM_P_DISPLAYNAME, S},
    {SIM_NS_DAV, "contentclass", SIM_P_CONTENTCLASS, S},
    {SIM_NS_DAV, "getetag", SIM_P_GETETAG, S},
    {SIM_NS_DAV, "ishidden", SIM_P_ISHIDDEN, B},
    {SIM_NS_DAV, "isfolder", SIM_P_ISFOLDER, B},
    {SIM_NS_DAV, "iscollection", SIM_P_ISFOLDER, B},
    {SIM_NS_DAV, "parentname", SIM_P_PARENTNAME, S},
    {SIM_NS_DAV, "getlastmodified", SIM_P_LASTMODIFIED, T},
    {SIM_NS_DAV, "creationdate", SIM_P_CREATED, T},
    {SIM_NS_DAV, "uid", SIM_P_DAV_UID, S},
    {SIM_NS_DAV, "nosubs", SIM_P_NOSUBS, B},
    {SIM_NS_DAV, "hassubs", SIM_P_HASSUBS, B},
    {SIM_NS_DAV, "objectcount", SIM_P_OBJECTCOUNT, I},
    {SIM_NS_MAIL, "unreadcount", SIM_P_UNREADCOUNT, I},
    {SIM_NS_MAIL, "read", SIM_P_READ, B},
    {SIM_NS_MAIL, "sendmsg", SIM_P_SENDMSG, S},
    {SIM_NS_MAIL, "subject", SIM_P_SUBJECT, S},
    {SIM_NS_MAIL, "textdescription", SIM_P_DESCRIPTION, S},
    {SIM_NS_HEADER, "subject", SIM_P_SUBJECT, S},
    {SIM_NS_MAPI, "subject", SIM_P_SUBJECT, S},
    {SIM_NS_EX, "outlookfolderclass", SIM_P_FOLDERCLASS, S},
    {SIM_NS_EX, "outlookmessageclass", SIM_P_MESSAGECLASS, S},
    {SIM_NS_EX, "permanenturl", SIM_P_PERMANENTURL, S},
    {SIM_NS_EX, "sensitivity", SIM_P_SENSITIVITY, I},
    {SIM_NS_MAPI, "sensitivity", SIM_P_SENSITIVITY, I},
    {SIM_NS_REPL, "contenttag", SIM_P_CONTENTTAG, S},
    {SIM_NS_REPL, "resourcetag", SIM_P_RESOURCETAG, S},
    {SIM_NS_REPL, "repl-uid", SIM_P_REPL_UID, S},
    {SIM_NS_CAL, "dtstart", SIM_P_START, T},
    {SIM_NS_CAL, "dtend", SIM_P_END, T},
    {SIM_NS_CAL, "duration", SIM_P_DURATION, I},
    {SIM_NS_CAL, "busystatus", SIM_P_BUSYSTATUS, S},
    {SIM_NS_CAL, "instancetype", SIM_P_INSTANCETYPE, I},
    {SIM_NS_CAL, "alldayevent", SIM_P_ALLDAY, B},
    {SIM_NS_CAL, "location", SIM_P_LOCATION, S},
    {SIM_NS_CAL, "uid", SIM_P_UID, S},
    {SIM_NS_CAL, "organizer", SIM_P_ORGANIZER, S},
    {SIM_NS_CAL, "meetingstatus", SIM_P_MEETINGSTATUS, S},
    {SIM_NS_CAL, "created", SIM_P_CREATED, T},
    {SIM_NS_CAL, "lastmodified", SIM_P_LASTMODIFIED, T},
    {SIM_NS_CAL, "lastmodifiedtime", SIM_P_LASTMODIFIED, T},
    {SIM_NS_CAL, "rrule", SIM_P_RRULE, SIM_T_MV_STRING},
    {SIM_NS_CAL, "exdate", SIM_P_EXDATE, SIM_T_MV_TIME},
    {SIM_NS_CAL, "recurrenceid", SIM_P_RECURRENCEID, T},
    {SIM_NS_CAL, "transparent", SIM_P_TRANSPARENT, S},
    {SIM_NS_CAL, "timezone", SIM_P_ZONE_NAME, S},
    {SIM_NS_CAL, "timezoneid", SIM_P_ZONE_ID, I},
    {SIM_NS_CAL, "reminderoffset", SIM_P_REMINDER, I},
    {SIM_NS_MAPI, "busystatus", SIM_P_BUSY_INT, I},
    {SIM_NS_MAPI, "intendedbusystatus", SIM_P_BUSY_INT, I},
    {SIM_NS_MAPI, "apptsubtype", SIM_P_ALLDAY, B},
    {SIM_NS_MAPI, "apptstateflags", SIM_P_STATEFLAGS, I},
    {SIM_NS_MAPI, "responsestatus", SIM_P_RESPONSE, I},
    {SIM_NS_MAPI, "recurring", SIM_P_RECURRING, B},
    {SIM_NS_MAPI, "is_recurring", SIM_P_RECURRING, B},
    {SIM_NS_MAPI, "is_exception", SIM_P_IS_EXCEPTION, B},
    {SIM_NS_MAPI, "commonstart", SIM_P_START, T},
    {SIM_NS_MAPI, "commonend", SIM_P_END, T},
    {SIM_NS_MAPI, "apptstartwhole", SIM_P_START, T},
    {SIM_NS_MAPI, "apptendwhole", SIM_P_END, T},
    {SIM_NS_MAPI, "timezonedesc", SIM_P_ZONE_NAME, S},
};

static const struct {
    const char *ns;
    unsigned number;
    enum sim_pid pid;
    enum sim_type type;
} numbers[] = {
    {SIM_NS_APPT, 0x8205, SIM_P_BUSY_INT, I},   {SIM_NS_APPT, 0x8224, SIM_P_BUSY_INT, I},
    {SIM_NS_APPT, 0x8208, SIM_P_LOCATION, S},   {SIM_NS_APPT, 0x820d, SIM_P_START, T},
    {SIM_NS_APPT, 0x820e, SIM_P_END, T},        {SIM_NS_APPT, 0x8215, SIM_P_ALLDAY, B},
    {SIM_NS_APPT, 0x8217, SIM_P_STATEFLAGS, I}, {SIM_NS_APPT, 0x8218, SIM_P_RESPONSE, I},
    {SIM_NS_APPT, 0x8223, SIM_P_RECURRING, B},  {SIM_NS_APPT, 0x8234, SIM_P_ZONE_NAME, S},
    {SIM_NS_COMMON, 0x8506, SIM_P_PRIVATE, B},  {SIM_NS_COMMON, 0x8516, SIM_P_START, T},
    {SIM_NS_COMMON, 0x8517, SIM_P_END, T},
};

/* By the first four hex digits of "x0ff40003". */
static const struct row tags[] = {
    {SIM_NS_TAG, "x0ff4", SIM_P_ACCESS, I},       {SIM_NS_TAG, "x10f3", SIM_P_URLNAME, S},
    {SIM_NS_TAG, "x0e23", SIM_P_ARTICLE, I},      {SIM_NS_TAG, "x0036", SIM_P_SENSITIVITY, I},
    {SIM_NS_TAG, "x10c3", SIM_P_START, T},        {SIM_NS_TAG, "x10c4", SIM_P_END, T},
    {SIM_NS_TAG, "x10c5", SIM_P_RECURRENCEID, T}, {SIM_NS_TAG, "x0e1d", SIM_P_SUBJECT, S},
    {SIM_NS_TAG, "x1000", SIM_P_DESCRIPTION, S},  {SIM_NS_TAG, "x0037", SIM_P_SUBJECT, S},
};

bool sim_prop_number(const struct sim_prop *p, unsigned *ret)
{
    if (!str_starts(p->ns, SIM_NS_ID))
        return false;
    const char *digits = p->name;
    bool hex = str_starts_nocase(digits, "0x");
    char *end;
    unsigned long n = strtoul(digits, &end, hex ? 16 : 10);
    if (digits[0] < '0' || digits[0] > '9' || *end != '\0' || n > 0xffff)
        return false;
    *ret = (unsigned)n;
    return true;
}

static void resolve_number(struct sim_prop *p)
{
    unsigned n;
    if (!sim_prop_number(p, &n))
        return;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (numbers[i].number == n && str_eq_nocase(numbers[i].ns, p->ns)) {
            p->pid = numbers[i].pid;
            p->type = numbers[i].type;
        }
    }
}

static void take(struct sim_prop *p, const struct row *row)
{
    p->pid = row->pid;
    p->type = row->type;
}

void sim_prop_resolve(struct sim_prop *p)
{
    p->pid = SIM_P_UNKNOWN;
    p->type = SIM_T_NULL;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && p->pid == SIM_P_UNKNOWN; i++)
        if (strcmp(table[i].name, p->name) == 0 && strcmp(table[i].ns, p->ns) == 0)
            take(p, &table[i]);
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]) && p->pid == SIM_P_UNKNOWN; i++)
        if (strlen(p->name) == 9 && str_starts_nocase(p->name, tags[i].name) && strcmp(p->ns, SIM_NS_TAG) == 0)
            take(p, &tags[i]);
    if (p->pid == SIM_P_UNKNOWN)
        resolve_number(p);
    if (p->pid == SIM_P_UNKNOWN && strcmp(p->ns, SIM_NS_MAIL) == 0 && sim_folder_by_prop(p->name, &p->folder)) {
        p->pid = SIM_P_FOLDER_URL;
        p->type = S;
    }
}

/* A name's last part begins behind the last '/', ':' or '#'. */
bool sim_prop_from_text(struct arena *a, const char *full, size_t len, struct sim_prop *ret)
{
    size_t cut = len;
    while (cut > 0 && strchr("/:#", full[cut - 1]) == NULL)
        cut--;
    if (cut == 0 || cut == len)
        return false;
    *ret = (struct sim_prop){.ns = arena_strndup(a, full, cut), .name = arena_strndup(a, full + cut, len - cut)};
    if (ret->ns == NULL || ret->name == NULL)
        return false;
    sim_prop_resolve(ret);
    return true;
}
