/*
 * sim_store: what is on the pretended server: accounts, mailboxes, and the appointments in their calendars. Plain data
 * with one owner; the reader of the data file and the control interface fill it, the methods of WebDAV read it.
 */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include "sim_faults.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map;
struct sim_published;
struct sim_zone;

enum sim_busy { SIM_FREE, SIM_TENTATIVE, SIM_BUSY, SIM_OOF, SIM_BUSY_NONE /* the property is absent */ };

enum sim_freq { SIM_ONCE, SIM_DAILY, SIM_WEEKLY, SIM_MONTHLY, SIM_YEARLY };

/* One instance of a series that was moved or changed. */
struct sim_moved {
    int64_t id; /* when it would have begun */
    int64_t start;
    int64_t end;
    int busy; /* enum sim_busy, -1: as the master */
};

struct sim_recur {
    enum sim_freq freq;
    int interval;
    int count;     /* 0: not limited */
    int64_t until; /* last moment at which an instance may begin; 0: not limited */
    unsigned days; /* bit 0: Sunday ... 6; weekly: 0 means the start's own day; monthly: with nth */
    int nth;       /* monthly: 1..5 (5: last) of `days`; 0: the start's day of the month */
    int64_t *deleted;
    size_t deleted_count;
    struct sim_moved *moved;
    size_t moved_count;
};

/* A text of an item under a property that nothing else is known of, by its full name. */
struct sim_text {
    char *name;
    char *value;
};

struct sim_item {
    struct sim_mailbox *mailbox;
    unsigned id; /* of the whole store, never reused */
    char *name;  /* last part of its URL, not escaped: "Review.EML" */
    char *uid;   /* NULL: the property is absent */
    char *subject;
    char *location;
    const struct sim_zone *zone;
    int64_t start;
    int64_t end;
    bool has_end;  /* false: a damaged item */
    bool has_type; /* false: no instancetype */
    enum sim_busy busy;
    char *busy_word; /* said instead of the usual word; NULL */
    bool all_day;
    bool cancelled;
    bool meeting;
    int response;     /* 0..5 */
    int sensitivity;  /* 0..3 */
    int private_flag; /* 0x8506: -1 absent, 0, 1 */
    struct sim_recur recur;
    struct sim_text *texts;
    size_t text_count;
    int64_t created;
    int64_t modified;
    unsigned version;
    unsigned first_revision, revision; /* of the calendar, when it came and when it was changed last */
};

/* Of an item that is gone. */
struct sim_deleted {
    unsigned id;
    unsigned first_revision, revision; /* when it came, and when it went */
};

struct sim_mailbox {
    char *address; /* as it was given */
    char *key;     /* lower case */
    char *alias;
    char *alias_key;
    char *display;
    char *calendar; /* name of the calendar folder */
    char *language; /* "en", "de", "hu", "ja": names of the other folders */
    const struct sim_zone *zone;
    struct sim_item **items; /* oldest first */
    size_t count;
    size_t cap;
    unsigned revision; /* of the calendar's content */
    struct sim_deleted *deleted;
    size_t deleted_count;
    int64_t changed_at;
    uint64_t guid;
    struct sim_published *published; /* see sim_publish.c; one allocation, NULL */
    char *faults[SIM_FAULT_COUNT];   /* see sim_faults.h */
};

/* Why Windows lets somebody not in; also the state of an account, where SIM_LET_IN is the normal one. */
enum sim_refusal { SIM_LET_IN, SIM_WRONG, SIM_LOCKED, SIM_DISABLED, SIM_EXPIRED, SIM_MUST_CHANGE, SIM_NO_RIGHT };

/* "normal", "locked", "disabled", "expired", "must-change", "no-right" (sim_logon.c) */
const char *sim_refusal_name(enum sim_refusal refusal);
bool sim_refusal_parse(const char *name, enum sim_refusal *ret);

struct sim_account {
    char *name; /* without domain */
    char *key;
    char *password;
    char *address; /* of its own mailbox; NULL: a service account without one */
    bool receive_all;
    char **receive; /* addresses (lower case) it may open besides its own */
    size_t receive_count;
    enum sim_refusal state;
    int64_t wrong; /* passwords in a row */
};

struct sim_store {
    struct sim_mailbox **mailboxes; /* in the order of the file */
    size_t mailbox_count;
    size_t mailbox_cap;
    struct sim_account **accounts;
    size_t account_count;
    struct map *by_address; /* also by alias, where no address has that spelling */
    struct map *by_account;
    char *domain; /* NT domain of all accounts */
    unsigned next_id;
    uint64_t seed;
};

struct sim_store *sim_store_new(uint64_t seed);
void sim_store_free(struct sim_store **s);

/* NULL when the address is taken. A mailbox begins empty, with "Calendar", English, UTC. */
struct sim_mailbox *sim_store_add_mailbox(struct sim_store *s, const char *address);
bool sim_store_delete_mailbox(struct sim_store *s, const char *address);
void sim_store_set_alias(struct sim_store *s, struct sim_mailbox *m, const char *alias);

/* By address, alias, without case; NULL. */
struct sim_mailbox *sim_store_mailbox(const struct sim_store *s, const char *name);

struct sim_account *sim_store_add_account(struct sim_store *s, const char *name, const char *password);
void sim_store_grant(struct sim_account *a, const char *address);

/* "name", "DOMAIN\name" or "name@mail.domain" (a user principal name); NULL: nobody, or another domain. */
struct sim_account *sim_store_account(const struct sim_store *s, const char *login);
bool sim_store_may_open(const struct sim_account *a, const struct sim_mailbox *m);

/* An empty item that belongs to nobody yet. */
struct sim_item *sim_item_new(int64_t now);
void sim_item_free(struct sim_item **item);

/* Puts it into the calendar: gives it an id and, where they are missing, a name and a uid. The store owns it from now
 * on. */
void sim_store_add_item(struct sim_store *s, struct sim_mailbox *m, struct sim_item *item, int64_t now);
void sim_store_delete_item(struct sim_store *s, struct sim_item *item, int64_t now);
void sim_store_touch(struct sim_item *item, int64_t now); /* it was changed */
struct sim_item *sim_store_item(const struct sim_store *s, unsigned id);
struct sim_item *sim_mailbox_item(const struct sim_mailbox *m, const char *name);

const char *sim_busy_name(enum sim_busy busy); /* "free" ... */
bool sim_busy_parse(const char *text, enum sim_busy *ret);

#endif
