/* caldav_find: stub */
#include "caldav.h"
void dav_caldav_find(struct dav_caldav *c)
{
    dav_query_fail(c->q, "config-account", "no path leads to this person's calendar: set calendars or path");
}
void dav_caldav_found(struct dav_caldav *c, const struct dav_reply *reply)
{
    dav_caldav_refuse(c, reply);
}
