/*
 * publisher: carries everybody's presence to one outlet (an XMPP server, a phone system, a broker, a hook). One
 * publisher an outlet, each with its own queue, rate and connection, so that none delays another or the polls.
 *
 * The queue holds persons, not states: what is delivered is the state at the moment of delivery, so a newer one takes
 * the place of an older one that waits, and the queue is never longer than there are persons. After the outlet was away
 * everybody's present state is brought again, behind the changes; so the outlet ends with exactly what is so.
 *
 * What an outlet must know is struct pres_outlet_ops: one constant table per kind, in pub_KIND.c.
 */
#ifndef PRESENCE_PUBLISHER_H
#define PRESENCE_PUBLISHER_H

#include "presence/table.h"

struct pres_publisher;
struct pres_viewer;

/* A number with its stable name ("watchers") and a sentence, both static. */
struct pres_count {
    const char *name;
    const char *help;
    uint64_t value;
};

enum pres_delivered {
    PRES_DELIVERED, /* handed over, or nobody there wants it */
    PRES_MORE,      /* a part of it; call again with `again` */
    PRES_FULL,      /* no room: call again after pres_publisher_room() */
};

struct pres_delivery {
    pres_id id;
    const char *address; /* publish_as */
    const struct pres_presence *now;
    bool again;      /* the last call for this person said PRES_MORE or PRES_FULL */
    bool resync;     /* the other side may have lost what it was told: say it even if it is what was said before */
    unsigned budget; /* messages that may be sent now, at least 1 */
    unsigned sent;   /* out: messages sent */
};

/*
 * What a kind of outlet does. No function may free the publisher. An outlet that cannot connect, or loses its
 * connection, calls pres_publisher_down(); the publisher then waits and calls connect again.
 */
struct pres_outlet_ops {
    const char *kind; /* "xmpp": in log lines, status, metrics */
    /* Its audience has parts with policies of their own: it is told of everybody, and puts the viewer in front of each
     * watcher by itself. */
    bool parts;
    /* Begins; success is pres_publisher_up(), later, never inside. */
    void (*connect)(void *outlet);
    /* Now and silently; the outlet calls neither up nor down for this attempt afterwards. */
    void (*disconnect)(void *outlet, const char *why);
    /* Only while up. */
    enum pres_delivered (*deliver)(void *outlet, struct pres_delivery *d);
    /* Tells the other side that we are going. Called again and again until true, only while up; NULL: nothing to say.
     */
    bool (*farewell)(void *outlet);
    /* Persons were removed or renamed; NULL: nothing to do. */
    void (*people_changed)(void *outlet);
    /* Somebody is gone for good: what was agreed with those who watched this address ends, and what is kept of it goes
     * as soon as they were told. Called again and again while something is left; NULL: people_changed does all of it.
     */
    void (*forget)(void *outlet, const char *address);
    /* An administrator asks whether the other side takes what we send. Tries it, if it is not clear from the connection
     * and can be tried without telling anybody of anybody; how it went is pres_publisher_proved or _checked, later.
     * `begin` false: only, is it under way? NULL: proved by itself when it connects. */
    bool (*check)(void *outlet, bool begin);
    /* Further numbers for status and metrics, at most `max`; returns how many. NULL: none. */
    size_t (*counts)(const void *outlet, struct pres_count *rows, size_t max);
    /* Whom anybody there watches; NULL: it tells of everybody. */
    void (*watched)(const void *outlet, void (*fn)(void *arg, pres_id id), void *arg);
    void (*free)(void *outlet);
};

/* Zero means the default in brackets. `name` is copied. */
struct pres_publisher_settings {
    const char *name;     /* for log lines, status, metrics: usually the kind */
    double rate;          /* messages a second [5000] */
    const struct pres_viewer *viewer; /* copied; NULL: one who sees everything */
    size_t ceiling;       /* persons that may wait; when more do, everybody is brought again instead [1 000 000] */
    int64_t retry_ms;     /* the first wait after a failure; doubles with each [1000] */
    int64_t retry_max_ms; /* [60 000] */
};

/* Takes the outlet: ops->free when the publisher goes. Nothing happens before pres_publisher_start. */
struct pres_publisher *pres_publisher_new(struct loop *loop, struct pres_table *table,
                                          const struct pres_publisher_settings *settings,
                                          const struct pres_outlet_ops *ops, void *outlet);
void pres_publisher_start(struct pres_publisher *p);
void pres_publisher_free(struct pres_publisher **p);

/* Somebody's presence changed. */
void pres_publisher_changed(struct pres_publisher *p, pres_id id);
/* Changes may have been missed: everybody is brought again. */
void pres_publisher_resync(struct pres_publisher *p);
/* Persons were added, removed or renamed: everybody is looked at again. To be called before the loop's turn ends. */
void pres_publisher_people_changed(struct pres_publisher *p);
/* Beside that: somebody is gone for good. */
void pres_publisher_forget(struct pres_publisher *p, const char *address);

/* The way out: no more deliveries; true when the outlet has said what it must, or cannot say it. Call it every few
 * milliseconds, for as long as one cares to wait. */
bool pres_publisher_farewell(struct pres_publisher *p);

/* For outlets. */
void pres_publisher_up(struct pres_publisher *p);
/* `code` is a stable word (static text), `text` printable evidence. `slow`: trying again at once is of no use (a
 * refused secret): begin with the longest wait. */
void pres_publisher_down(struct pres_publisher *p, const char *code, const char *text, bool slow);
void pres_publisher_room(struct pres_publisher *p);
/* The check "deliver one state to itself" came back. */
void pres_publisher_proved(struct pres_publisher *p);
/* It did not: as for pres_publisher_down, but deliveries go on. */
void pres_publisher_checked(struct pres_publisher *p, const char *code, const char *text);
size_t pres_counts_copy(struct pres_count *rows, size_t max, const struct pres_count *all, size_t count);
void pres_publisher_spent(struct pres_publisher *p, unsigned messages); /* sent beside deliveries */

struct pres_publisher_status {
    const char *name, *kind;
    const char *state;  /* "connecting" "up" "waiting" "stopped" */
    int64_t since;      /* wall s */
    int64_t last_up_at; /* wall s, 0: never */
    int64_t proved_at;  /* wall s, 0: not since it is up */
    int64_t retry_at;   /* wall s, 0: not waiting */
    const char *code;   /* why it is not up, NULL: it is, or has not been tried */
    const char *text;
    const char *check_code; /* of the last check, while up; NULL: there was none, or it went well */
    const char *check_text;
    bool names_watched; /* it knows whom anybody watches; otherwise it tells of everybody */
    size_t waiting;     /* persons in the queue */
    bool resyncing;
    uint64_t delivered; /* states handed over */
    uint64_t messages;
    uint64_t replaced; /* a newer state took the place of one that waited */
    uint64_t failures; /* connections that failed or were lost */
};
void pres_publisher_status(const struct pres_publisher *p, struct pres_publisher_status *ret); /* borrowed texts */
/* Begins a check, or says whether one is under way. */
bool pres_publisher_check(struct pres_publisher *p, bool begin);
size_t pres_publisher_counts(const struct pres_publisher *p, struct pres_count *rows, size_t max);
/* As pres_watch_each(). */
bool pres_publisher_watched(const struct pres_publisher *p, void (*fn)(void *arg, pres_id id), void *arg);
/* Through whose eyes the outlet sees; its table is the publisher's. */
const struct pres_viewer *pres_publisher_viewer(const struct pres_publisher *p);
/* The viewer's owner goes: from now on the outlet, which may still have to say goodbye, sees nobody. */
void pres_publisher_blind(struct pres_publisher *p);
void *pres_publisher_outlet(const struct pres_publisher *p);

#endif
