/*
 * dav_message (private): the question that a calendar program posts to a scheduling outbox (RFC 6638 5, RFC
 * 5546 3.3.2): a calendar with METHOD:REQUEST and one VFREEBUSY. As plain data, bounded, in the caller's arena.
 */
#ifndef GATEWAY_DAV_MESSAGE_H
#define GATEWAY_DAV_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

struct arena;

enum { GW_DAV_ATTENDEES_MAX = 500, GW_DAV_MESSAGE_MAX = 1024 * 1024 };

struct gw_dav_message {
    const char *uid;       /* as sent, "" for none */
    const char *organizer; /* "mailto:anna@example.com", as sent */
    const char *attendees[GW_DAV_ATTENDEES_MAX];
    unsigned attendee_count;
    int64_t start, end;
};

enum gw_dav_message_result {
    GW_DAV_MESSAGE_OK,
    GW_DAV_MESSAGE_BROKEN,   /* no iCalendar */
    GW_DAV_MESSAGE_WRONG,    /* iCalendar, but not such a question */
    GW_DAV_MESSAGE_TOO_MANY, /* attendees */
};

/* `why` is a sentence about what is wrong: static text. */
enum gw_dav_message_result gw_dav_message_read(const char *text, size_t len, struct arena *arena,
                                               struct gw_dav_message *ret, const char **ret_why);

/* The address in "mailto:anna@example.com", decoded, in the arena; one without a scheme stands for itself. NULL: it is
 * none. */
const char *gw_dav_mailbox(const char *uri, struct arena *arena);

#endif
