/*
 * asked_bodies: the texts of the requests, where they are fixed, so that asked.c can say what is in them. Each is in
 * the file that sends it.
 */
#ifndef DAVCLIENT_ASKED_BODIES_H
#define DAVCLIENT_ASKED_BODIES_H

/* Exchange */
extern const char dav_asked_folder[], dav_asked_tag[];
extern const char dav_asked_search[], dav_asked_search_where[], dav_asked_search_end[]; /* three parts of one */
extern const char dav_asked_search_marks[]; /* behind the first of them, where there are markers */

/* CalDAV */
extern const char dav_asked_principal[], dav_asked_roots[], dav_asked_person[];
extern const char dav_asked_whose[], dav_asked_whose_end[];     /* two parts of one */
extern const char dav_asked_calendars[], dav_asked_poll[], dav_asked_etags[], dav_asked_outbox[];
extern const char dav_asked_changes[], dav_asked_changes_end[]; /* two parts of one */
extern const char dav_asked_items[];

#endif
