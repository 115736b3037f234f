/*
 * sim_props: the properties that the simulator knows, by namespace and name, and their values for a place on the
 * server.
 */
#ifndef SIM_PROPS_H
#define SIM_PROPS_H

#include "sim_value.h"

struct arena;
struct sim_item;
struct sim_node;
struct sim_request;

#define SIM_NS_DAV "DAV:"
#define SIM_NS_CAL "urn:schemas:calendar:"
#define SIM_NS_MAIL "urn:schemas:httpmail:"
#define SIM_NS_HEADER "urn:schemas:mailheader:"
#define SIM_NS_EX "http://schemas.microsoft.com/exchange/"
#define SIM_NS_REPL "http://schemas.microsoft.com/repl/"
#define SIM_NS_MAPI "http://schemas.microsoft.com/mapi/"
#define SIM_NS_TAG "http://schemas.microsoft.com/mapi/proptag/"
#define SIM_NS_ID "http://schemas.microsoft.com/mapi/id/"
#define SIM_NS_APPT SIM_NS_ID "{00062002-0000-0000-C000-000000000046}/"
#define SIM_NS_COMMON SIM_NS_ID "{00062008-0000-0000-C000-000000000046}/"

enum sim_pid {
    SIM_P_UNKNOWN,
    SIM_P_HREF,
    SIM_P_DISPLAYNAME,
    SIM_P_CONTENTCLASS,
    SIM_P_GETETAG,
    SIM_P_ISHIDDEN,
    SIM_P_ISFOLDER,
    SIM_P_PARENTNAME,
    SIM_P_LASTMODIFIED,
    SIM_P_CREATED,
    SIM_P_DAV_UID,
    SIM_P_NOSUBS,
    SIM_P_HASSUBS,
    SIM_P_OBJECTCOUNT,
    SIM_P_UNREADCOUNT,
    SIM_P_READ,
    SIM_P_FOLDER_URL,
    SIM_P_SENDMSG,
    SIM_P_FOLDERCLASS,
    SIM_P_MESSAGECLASS,
    SIM_P_PERMANENTURL,
    SIM_P_CONTENTTAG,
    SIM_P_RESOURCETAG,
    SIM_P_REPL_UID,
    SIM_P_ACCESS,
    SIM_P_URLNAME,
    SIM_P_ARTICLE,
    SIM_P_SUBJECT,
    SIM_P_DESCRIPTION,
    SIM_P_LOCATION,
    SIM_P_START,
    SIM_P_END,
    SIM_P_DURATION,
    SIM_P_BUSYSTATUS,
    SIM_P_BUSY_INT,
    SIM_P_INSTANCETYPE,
    SIM_P_ALLDAY,
    SIM_P_UID,
    SIM_P_ORGANIZER,
    SIM_P_MEETINGSTATUS,
    SIM_P_STATEFLAGS,
    SIM_P_RESPONSE,
    SIM_P_SENSITIVITY,
    SIM_P_PRIVATE,
    SIM_P_RECURRING,
    SIM_P_IS_EXCEPTION,
    SIM_P_RRULE,
    SIM_P_EXDATE,
    SIM_P_RECURRENCEID,
    SIM_P_TRANSPARENT,
    SIM_P_ZONE_NAME,
    SIM_P_ZONE_ID,
    SIM_P_REMINDER,
};

struct sim_prop {
    const char *ns;
    const char *name;
    const char *alias; /* from "..." AS alias; NULL */
    enum sim_pid pid;
    enum sim_type type; /* SIM_T_NULL for an unknown one */
    int folder;         /* SIM_P_FOLDER_URL: which */
};

/* Fills pid, type and folder from ns and name. */
void sim_prop_resolve(struct sim_prop *p);

/* "urn:schemas:calendar:dtstart" to namespace and name; false: it has no name. */
bool sim_prop_from_text(struct arena *a, const char *full, size_t len, struct sim_prop *ret);

/* The number of a named MAPI property ("0x8205", "0x00008205", "33285"); false for any other name. */
bool sim_prop_number(const struct sim_prop *p, unsigned *ret);

/* False: this place does not have that property. */
bool sim_prop_get(const struct sim_request *r, const struct sim_node *node, const struct sim_prop *p,
                  struct sim_value *ret);

/* The series as iCalendar's RRULE has it. */
const char *sim_item_rule(struct arena *a, const struct sim_item *item);

#endif
