/*
 * gateway_private: the daemon's parts as its own files see them. gateway.c makes and unmakes the whole, reload.c
 * exchanges configurations, servers.c and people.c keep the two lists, feed.c brings answers in, secrets.c watches
 * files.
 */
#ifndef GATEWAY_GATEWAY_PRIVATE_H
#define GATEWAY_GATEWAY_PRIVATE_H

#include "causes.h"
#include "config_users.h"
#include "gateway.h"
#include "listeners.h"
#include "outlets.h"
#include "poller.h"
#include "presence/rules.h"

struct gw_demand;
struct gw_policy;
struct gw_choices;
struct gw_marked;
struct gw_marks;
struct gw_log;
struct gw_traces;
struct gw_keep;
struct dav_question;
struct dav_result;
struct secret;
struct gw_faces;
struct gw_inlet;
struct gw_published;
struct map;
struct gw_files;

/* What few people have. */
struct gw_extra {
    char *path, *zone;
    char *remember; /* where davclient found the calendar */
    char **aliases; /* NULL-terminated */
};

/* How well a person is known: the columns of `servers`. */
enum gw_class { GW_CLASS_UNKNOWN, GW_CLASS_FRESH, GW_CLASS_AGEING, GW_CLASS_STALE };
enum { GW_CLASSES = GW_CLASS_STALE + 1 };

/* By pres_id, beside the table's and the poller's records. */
struct gw_person {
    struct gw_extra *extra;         /* NULL: nothing special */
    const char *way;                /* how it is read, from the last answer; static, NULL */
    struct gw_published *published; /* see published.h; NULL */
    struct gw_marked *marked;       /* see marker.c; NULL: no marker in the calendar */
    uint16_t skipped;               /* broken items in the last answer */
    uint8_t cause;   /* of the last failure, see causes.h; 0: the last answer was good, or there was none */
    uint8_t class;   /* enum gw_class */
    uint8_t unknown; /* state last reported was unknown */
    uint8_t was_read;
    uint8_t held; /* rules_epoch of the last whole answer, which is in the table; 0: there is none to build on */
    uint8_t ways; /* enum gw_poller_way */
    uint8_t choice; /* enum pres_level + 1 that the person has chosen at the most, 0: none; see policy_choice.c */
    uint8_t used;
    uint32_t kept_hash, kept_as_of; /* of the row in the state file, see keep_person.c */
    uint64_t seen_since; /* the journal's head when the person's own word about who may see them was last another, */
    uint64_t seen_turn;  /* and gw_policy_turn */
};

/* A file as it was when it was last looked at; all zero: it was not there. */
struct gw_stamp {
    int64_t ctime_ns, size; /* the inode's change time: sees a chmod, too */
    uint64_t inode;
};
void gw_stamp_of(const char *path, struct gw_stamp *ret); /* blocks on stat */
bool gw_stamp_same(const struct gw_stamp *a, const struct gw_stamp *b);

/* A counter as it was every few seconds, for the rate of the last minute. */
enum { GW_RATE_SAMPLES = 5 };
struct gw_rate {
    struct {
        int64_t at; /* monotonic ms, 0: not yet */
        uint64_t count;
    } samples[GW_RATE_SAMPLES];
    unsigned next;
};

struct gw_server {
    const struct gw_config_server *config; /* in gateway's config */
    struct dav_session *session;
    unsigned number; /* the poller's */
    struct gw_causes causes;
    size_t classes[GW_CLASSES];
    size_t persons;
    double per_poll;  /* requests that an answer took, lately */
    unsigned answers; /* that it is made of */
    size_t differing;          /* whose published free/busy and calendar disagree */
    int64_t differing_since;   /* of the first of them */
    pres_id differing_example; /* of one of them, lately */
    int64_t failing_since;     /* wall s, 0: it answers */
    int64_t failing_logged_at;
    const char *failing_code; /* that was logged; static text */
    bool failing_told;        /* its failing is in the log, its recovery is not */

    struct gw_inlet *relay; /* of kind relay: there is no session; NULL */
    struct secret *secret;
    struct gw_stamp secret_stamp, proxy_stamp;
    int64_t secret_changed_at; /* wall s */
    char *secret_note;         /* NULL */
    struct gw_rate rate;       /* requests lately */
    bool kept_refusal;         /* of this secret, in the state file */
};

struct gateway {
    struct loop *loop;
    struct gw_config *config;
    struct pres_table *table;
    struct pres_journal *journal;
    struct gw_poller *poller;
    struct gw_demand *demand;
    struct gw_policy *policy;
    struct gw_choices *choices;
    struct gw_marks *marks;
    struct gw_server **servers; /* in the order of the configuration */
    unsigned server_count;
    struct gw_person *persons;
    size_t person_capacity;
    uint64_t people_generation; /* counts changes of who is there, and as what */
    struct pres_rules rules;
    uint8_t rules_epoch;     /* counts their changes, never 0 */
    struct map *group_rules; /* group -> struct group_rules, see feed.c */
    struct pres_interval *scratch;
    size_t scratch_size;
    struct gw_listeners *listeners;
    struct gw_outlets *outlets;
    bool alone; /* a check without a daemon: outlets connect, and answer nobody */
    struct pres_sip_doc *pidf; /* how the site writes PIDF */
    struct gw_keep *keep;
    struct gw_forgotten *forgotten;
    struct gw_gate *gate;
    struct gw_audit *audit;
    struct gw_http *http;
    struct gw_ctl *ctl;
    struct gw_files *files;
    struct gw_faces *retired;         /* replaced by a reload, still finishing their answers */
    struct gw_stamp certificate, key, client_ca; /* of the listeners, as they were when they were read */
    struct gw_stamp identities;                  /* of the file, as it was when it was looked at */
    struct loop_timer *cause_timer;
    struct gw_check *checks;
    struct gw_rush *rush;
    struct gw_why *whys; /* explanations that wait for an answer */
    struct gw_log *log;  /* a level that ends by itself; NULL: there was none */
    struct gw_traces *traces;
    int64_t started_at, reloaded_at;
    char *reload_error;
    struct gw_reload *reloads; /* the first one is under way */
    struct gw_stats stats;
};

/* servers.c. A server's session and secret are made before anything else changes, so that what cannot be made changes
 * nothing. */
struct gw_server *gw_server_new(struct gateway *g, const struct gw_config *config,
                                const struct gw_config_server *server, char *why, size_t why_size);
void gw_server_free(struct gw_server **s, const char *reason);
struct dav_session *gw_server_session(struct gateway *g, const struct gw_config *config,
                                      const struct gw_config_server *server, const struct secret *secret, char *why,
                                      size_t why_size);
void gw_server_tick(struct gateway *g, struct gw_server *s); /* every 15 s */
struct gw_server *gw_server_named(const struct gateway *g, const char *name);
struct gw_server *gw_server_of(const struct gateway *g, pres_id id);
struct gw_server *gw_server_numbered(const struct gateway *g, unsigned number); /* the poller's number */
void gw_server_secret(struct gateway *g, struct gw_server *s, struct secret *secret, const char *why);
void gw_server_proxy_secret(struct gateway *g, struct gw_server *s, const struct secret *secret, const char *why);

/* people.c. Brings table and poller in line with the roster: adds, removes, changes; who did not change is not touched.
 * The table still numbers servers by old_servers; afterwards by g->servers. */
struct gw_people_change {
    size_t added, removed, changed;
};
struct gw_people_change gw_people_apply(struct gateway *g, const struct gw_roster *roster,
                                        struct gw_server **old_servers, unsigned old_count);
struct gw_people_diff;
struct gw_people_change gw_people_take(struct gateway *g, const struct gw_people_diff *diff,
                                       struct gw_server **old_servers);
void gw_people_remove(struct gateway *g, pres_id id);
void gw_people_free(struct gateway *g);
void gw_people_log_notes(const struct gw_roster *roster);
void gw_people_forget_places(struct gateway *g, const struct gw_server *s); /* its calendars may be elsewhere now */
/* Somebody of the server of whom is(number) is true: the one at *at if it still is, else another one, who is there from
 * now on. PRES_NOBODY: not found this time; many are looked at in several calls. */
typedef bool gw_people_is_fn(const struct gateway *g, pres_id id, unsigned number);
pres_id gw_people_example(const struct gateway *g, const struct gw_server *s, gw_people_is_fn *is, unsigned number,
                          pres_id *at);
struct gw_extra *gw_person_extra(struct gw_person *p);
bool gw_person_extra_same(const struct gw_person *p, const struct gw_user *u); /* as the roster says */
void gw_person_reclass(struct gateway *g, pres_id id);

/* feed.c */
extern const struct gw_poller_ops gw_feed_ops;
void gw_feed_change(void *arg, pres_id id, const struct pres_presence *now); /* pres_change_fn */
void gw_feed_hint(void *arg, uint32_t number);                               /* dav_hint_fn */
void gw_feed_rules(struct gateway *g);                                       /* from the configuration */
void gw_feed_free(struct gateway *g);
bool gw_feed_has_rules(const struct gateway *g, pres_id id); /* are there rules of this group? */
const struct pres_rules *gw_feed_rules_of(const struct gateway *g, pres_id id);
void gw_feed_question(const struct gateway *g, pres_id id, struct dav_question *ret); /* for the whole window */
/* The same for what nobody asked for: a relay's answer, its word that nothing has changed, its last word. */
void gw_feed_pushed(struct gateway *g, pres_id id, const struct dav_result *result);
void gw_feed_confirmed(struct gateway *g, pres_id id, int64_t as_of);
void gw_feed_withdrawn(struct gateway *g, pres_id id, const char *code); /* static text */
void gw_feed_count(struct gateway *g, const struct dav_result *result);
void gw_feed_room(struct gateway *g, size_t count);
size_t gw_feed_weigh(struct gateway *g, const struct pres_rules *rules, const struct dav_result *result);

/* outside_hours.c: adds time outside the working hours to the n events in the scratch, where none of them is. */
size_t gw_hours_weigh(struct gateway *g, size_t n, const struct pres_rules *rules, const struct dav_result *result);
void gw_feed_well(struct gateway *g, pres_id id);
void gw_feed_failure(struct gateway *g, pres_id id, const struct dav_result *result);

/* secrets.c: looks at secret and CSV files every few seconds, in the worker. */
struct gw_files *gw_files_new(struct gateway *g);
void gw_files_free(struct gw_files **f);

/* ctl_log.c, trace.c */
void gw_log_free(struct gw_log **l);
void gw_traces_free(struct gw_traces **t);
void gw_trace_watch(struct gateway *g, struct dav_session *session); /* of each new session */

/* probe.c */
void gw_checks_free(struct gateway *g);

/* reload.c: the way in of every configuration, also of the first. Takes `config` in any case. False: nothing has
 * changed, and why. True: `why` is a line about what has. `people`: its roster, compared; NULL: not yet. */
bool gw_swap(struct gateway *g, struct gw_config *config, const struct gw_people_diff *people, char *why,
             size_t why_size);
void gw_faces_free_retired(struct gateway *g);

/* reload_run.c */
void gw_reloads_free(struct gateway *g);
bool gw_reloading(const struct gateway *g);
void gw_config_drop(struct gw_config *config); /* one reference less */

#endif
