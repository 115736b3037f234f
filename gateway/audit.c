/*
 * audit: see audit.h. Lines gather in a buffer; the worker writes them, one job at a time, and owns the chain while it
 * does. What cannot be written is kept up to a ceiling and tried again; what is lost beyond it is counted, and that is
 * a line, too.
 *
 * A decision is known by its words: asker, means, person, rule, level, and whether the person
 * had it narrowed (by=choice, by=marker). The first of its kind is a line at once; the
 * others raise a number, and become one line when the time is over or the memory of them is full.
 */
#include "audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit_end.h"
#include "base/buf.h"
#include "base/chain.h"
#include "base/clk.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/utc.h"
#include "gateway_private.h"
#include "presence/view.h"
#include "recent.h"
#include "who.h"

enum { DECISIONS_MAX = 100000, PENDING_MAX = 16 << 20, WRITE_MS = 200, RETRY_MS = 5000, KEY_MAX = 2400, FIELDS = 6 };
#define BY_LINE "line"
#define GONE "%s: lines that we wrote are not there any more; that is a line, too"
enum { MEGABYTE = 1000 * 1000, FAREWELL_MS = 2000, TURN_MS = 5 };

struct repeats {
    uint64_t more; /* beside the line that was written */
    int64_t since; /* wall s */
    bool told;
};

struct waiter {
    struct waiter *next;
    gw_audit_done_fn *done;
    void *arg;
};

struct forgotten {
    struct forgotten *next;
    char address[];
};

/* What the worker does: writes `text`, then takes people out. */
struct job {
    struct gw_audit *audit; /* NULL: nobody waits any more */
    struct chain *chain;    /* NULL: not opened yet */
    char *path, *text, *state; /* state: the directory, NULL: none */
    size_t len, done; /* of text */
    int64_t max_size;
    unsigned keep;
    struct forgotten *forget;
    struct waiter *waiters;
    bool ok, gone;
    char why[300], ends_why[300], head[CHAIN_HEX], oldest[CHAIN_HEX];
    char end[CHAIN_HEX]; /* of the file as we left it, when it is to be opened; "": not known */
    char at[UTC_TEXT_MAX];
};

struct gw_audit {
    struct gateway *g;
    char *path; /* NULL: there is no audit */
    struct chain *chain;
    struct gw_recent *decisions;
    struct buf pending;
    struct forgotten *forget;
    struct waiter *waiters;
    struct job *job;
    struct loop_timer *write, *repeat;
    uint64_t lines, lost, lost_told;
    bool failing, ends_failing;
    char trouble[300], head[CHAIN_HEX], oldest[CHAIN_HEX];
};

static void decide(struct gw_audit *a, const struct gw_who *who, const char *whom, const struct pres_grant *grant);
static void add_line(struct gw_audit *a, const char *text);
static void add_decision(struct gw_audit *a, const char *key, uint64_t times, int64_t since);
static void decision_gone(void *arg, const char *key, void *value);
static void tell_repeats(void *arg);
static void start(void *arg);
static struct job *job_new(struct gw_audit *a);
static void work(void *arg);
static bool open_chain(struct job *job);
static bool look_behind(struct job *job);
static bool write_alarm(struct job *job, const char *what, const char *head);
static bool write_lines(struct job *job);
static bool take_out(struct job *job);
static void keep_ends(struct job *job);
static void tell_trouble(struct gw_audit *a, const struct job *job);
static void done(void *arg);
static void keep_rest(struct gw_audit *a, struct job *job);
static void tell_waiters(struct waiter *first, bool ok);
static void job_free(struct job *job);
static void forgotten_free(struct forgotten **first);

struct gw_audit *gw_audit_new(struct gateway *g)
{
    struct gw_audit *a = mem_calloc(1, sizeof *a);
    a->g = g;
    a->decisions = gw_recent_new(DECISIONS_MAX, sizeof(struct repeats), decision_gone, a);
    a->write = loop_timer_new(g->loop, "audit", start, a);
    a->repeat = loop_timer_new(g->loop, "audit-repeats", tell_repeats, a);
    buf_init(&a->pending, PENDING_MAX);
    return a;
}

/* The worker goes on beside us; the clock of the loop may stand still in tests. */
void gw_audit_farewell(struct gateway *g)
{
    struct gw_audit *a = g->audit;
    int64_t end = clk_mono_ms(clk_system()) + FAREWELL_MS;
    if (!a || !a->path)
        return;
    gw_recent_clear(a->decisions);
    while ((a->job || (a->pending.len > 0 && !a->failing)) && clk_mono_ms(clk_system()) < end) {
        start(a);
        loop_turn(g->loop, TURN_MS);
    }
}

void gw_audit_free(struct gw_audit **ap)
{
    struct gw_audit *a = *ap;
    if (!a)
        return;
    *ap = NULL;
    gw_recent_free(&a->decisions); /* the last repeats become lines */
    tell_waiters(a->waiters, false);
    a->waiters = NULL;
    if (a->job) {
        a->job->audit = NULL;
        tell_waiters(a->job->waiters, false);
        a->job->waiters = NULL;
    } else if (a->path) {
        struct job *job = job_new(a);
        job->audit = NULL;
        loop_work(a->g->loop, work, done, job);
    }
    loop_timer_free(&a->write);
    loop_timer_free(&a->repeat);
    buf_free(&a->pending);
    forgotten_free(&a->forget);
    free(a->path);
    free(a);
}

void gw_audit_apply(struct gateway *g)
{
    struct gw_audit *a = g->audit;
    const char *path = g->config->audit.file;
    bool same = a->path && path ? strcmp(a->path, path) == 0 : a->path == path;
    if (!same) {
        gw_recent_clear(a->decisions);
        if (a->path && !a->job)
            start(a); /* to the file where it belongs; a job under way takes what is pending to the new one */
        free(a->path);
        a->path = mem_strdup_or_null(path);
        if (!path)
            buf_reset(&a->pending);
    }
    if (a->path)
        loop_timer_in(a->repeat, g->config->audit.repeat_s * 1000);
    else
        loop_timer_stop(a->repeat);
    gw_audit_event(g, "configured", NULL);
}

void gw_audit(const struct gateway *g, const struct gw_who *who, pres_id id, const struct pres_grant *grant)
{
    if (g->audit && g->audit->path)
        decide(g->audit, who, pres_table_address(g->table, id), grant);
}

void gw_audit_everybody(const struct gateway *g, const struct gw_who *who)
{
    if (g->audit && g->audit->path)
        decide(g->audit, who, "*", &pres_grant_all);
}

static void decide(struct gw_audit *a, const struct gw_who *who, const char *whom, const struct pres_grant *grant)
{
    char key[KEY_MAX];
    snprintf(key, sizeof key, "%s\n%s\n%s\n%u\n%s\n%s", who->name, who->means, whom, grant->rule,
             pres_level_name(grant->level), grant->narrowed ? grant->narrowed : BY_LINE);
    struct repeats *r = gw_recent_put(a->decisions, key);
    if (r->told) {
        r->more++;
        return;
    }
    *r = (struct repeats){.told = true, .since = clk_wall_s(loop_clk(a->g->loop))};
    add_decision(a, key, 1, 0);
}

void gw_audit_event(struct gateway *g, const char *event, const char *more)
{
    struct gw_audit *a = g->audit;
    if (!a || !a->path)
        return;
    char *text = mem_printf("event=%s%s%s", event, more ? " " : "", more ? more : "");
    add_line(a, text);
    free(text);
}

void gw_audit_sync(struct gateway *g, gw_audit_done_fn *fn, void *arg)
{
    struct gw_audit *a = g->audit;
    struct waiter *w = mem_calloc(1, sizeof *w), **end = &a->waiters;
    *w = (struct waiter){.done = fn, .arg = arg};
    while (*end)
        end = &(*end)->next;
    *end = w;
    loop_timer_in(a->write, 0);
}

void gw_audit_cancel(struct gateway *g, void *arg)
{
    struct waiter *lists[] = {g->audit->waiters, g->audit->job ? g->audit->job->waiters : NULL};
    for (unsigned i = 0; i < 2; i++)
        for (struct waiter *w = lists[i]; w; w = w->next)
            if (w->arg == arg)
                w->done = NULL;
}

void gw_audit_forget(struct gateway *g, const char *address)
{
    struct gw_audit *a = g->audit;
    size_t len = strlen(address) + 1;
    if (!a->path)
        return;
    struct forgotten *f = mem_calloc(1, sizeof *f + len);
    memcpy(f->address, address, len);
    f->next = a->forget;
    a->forget = f;
    gw_recent_clear(a->decisions); /* its lines go before */
}

struct jv *gw_audit_report(const struct gateway *g)
{
    const struct gw_audit *a = g->audit;
    if (!a->path)
        return jv_null();
    struct jv *v = gw_audit_ends(a->path, g->config->audit.keep, a->head, a->oldest);
    jv_set_int(v, "lines", (int64_t)a->lines);
    jv_set_int(v, "lost", (int64_t)a->lost);
    return jv_set_str(v, "trouble", a->failing ? a->trouble : NULL);
}

static void add_line(struct gw_audit *a, const char *text)
{
    char at[UTC_TEXT_MAX];
    size_t before = a->pending.len;
    utc_rfc3339(clk_wall_s(loop_clk(a->g->loop)), at);
    if (strlen(text) + sizeof at + CHAIN_HEX + 20 > CHAIN_LINE_MAX || !buf_addf(&a->pending, "%s %s\n", at, text)) {
        a->pending.failed = false;
        a->pending.len = before;
        a->lost++;
        return;
    }
    if (!a->job && !loop_timer_armed(a->write))
        loop_timer_in(a->write, a->failing ? RETRY_MS : WRITE_MS);
}

/* From its key. */
static void add_decision(struct gw_audit *a, const char *key, uint64_t times, int64_t since)
{
    char fields[KEY_MAX], *field[FIELDS] = {NULL}, *save = NULL;
    struct buf b;
    snprintf(fields, sizeof fields, "%s", key);
    field[0] = strtok_r(fields, "\n", &save);
    for (unsigned i = 1; i < FIELDS; i++)
        field[i] = strtok_r(NULL, "\n", &save);
    if (!field[FIELDS - 1])
        return;
    buf_init(&b, CHAIN_LINE_MAX);
    chain_seal(&b, "who", field[0]);
    buf_addf(&b, " means=%s", field[1]);
    chain_seal(&b, "whom", field[2]);
    buf_addf(&b, " rule=%s level=%s", field[3], field[4]);
    if (strcmp(field[5], BY_LINE) != 0)
        buf_addf(&b, " by=%s", field[5]);
    buf_addf(&b, " times=%" PRIu64, times);
    if (since) {
        char at[UTC_TEXT_MAX];
        utc_rfc3339(since, at);
        buf_addf(&b, " since=%s", at);
    }
    add_line(a, b.data);
    buf_free(&b);
}

static void decision_gone(void *arg, const char *key, void *value)
{
    const struct repeats *r = value;
    if (r->more > 0)
        add_decision(arg, key, r->more, r->since);
}

static void tell_repeats(void *arg)
{
    struct gw_audit *a = arg;
    gw_recent_clear(a->decisions);
    loop_timer_in(a->repeat, a->g->config->audit.repeat_s * 1000);
}

static void start(void *arg)
{
    struct gw_audit *a = arg;
    if (a->job)
        return; /* done() looks again */
    if (!a->path) {
        struct waiter *waiters = a->waiters;
        a->waiters = NULL;
        tell_waiters(waiters, true);
        return;
    }
    if (a->lost > a->lost_told) {
        char *text = mem_printf("event=lost lines=%" PRIu64, a->lost - a->lost_told);
        a->lost_told = a->lost;
        add_line(a, text);
        free(text);
    }
    a->job = job_new(a);
    loop_work(a->g->loop, work, done, a->job);
}

static struct job *job_new(struct gw_audit *a)
{
    struct job *job = mem_calloc(1, sizeof *job);
    *job = (struct job){.audit = a,
                        .chain = a->chain,
                        .path = mem_strdup(a->path),
                        .state = mem_strdup_or_null(a->g->config->state_directory),
                        .len = a->pending.len,
                        .max_size = (int64_t)a->g->config->audit.max_size * MEGABYTE,
                        .keep = a->g->config->audit.keep,
                        .forget = a->forget,
                        .waiters = a->waiters};
    job->text = buf_take(&a->pending);
    utc_rfc3339(clk_wall_s(loop_clk(a->g->loop)), job->at);
    if (!a->chain)
        gw_audit_end_kept(a->g, a->path, job->end);
    memcpy(job->oldest, a->oldest, sizeof job->oldest);
    a->chain = NULL;
    a->forget = NULL;
    a->waiters = NULL;
    return job;
}

/* In the worker. */
static void work(void *arg)
{
    struct job *job = arg;
    job->ok = (job->chain || open_chain(job)) && look_behind(job) && write_lines(job) &&
              chain_sync(job->chain, job->why, sizeof job->why);
    if (job->chain)
        snprintf(job->head, sizeof job->head, "%s", chain_head(job->chain));
    job->ok = job->ok && take_out(job);
    keep_ends(job);
}

/* Somebody may have cut off its end meanwhile, which no chain shows. */
static bool open_chain(struct job *job)
{
    job->chain = chain_open(job->path, job->max_size, job->keep, job->why, sizeof job->why);
    if (job->state && !job->oldest[0])
        gw_audit_ends_read(job->state, job->path, job->oldest);
    if (!job->chain || !job->end[0] || strcmp(chain_head(job->chain), job->end) == 0)
        return job->chain != NULL;
    return !gw_audit_end_is_gone(job->path, job->keep, job->end) || write_alarm(job, "missing", job->end);
}

/* Older files only go when there are as many as are to be kept. */
static bool look_behind(struct job *job)
{
    char now[CHAIN_HEX];
    char *last = mem_printf("%s.%u", job->path, job->keep);
    bool full = job->keep == 0 || access(last, F_OK) == 0;
    free(last);
    bool same = full || !job->oldest[0] || !chain_oldest(job->path, job->keep, now) || strcmp(now, job->oldest) == 0;
    return same || write_alarm(job, "older", job->oldest);
}

static bool write_alarm(struct job *job, const char *what, const char *head)
{
    char *line = mem_printf("%s event=cut-off %s=%s", job->at, what, head);
    bool ok = chain_add(job->chain, line, job->why, sizeof job->why);
    job->gone = true;
    free(line);
    return ok;
}

static bool write_lines(struct job *job)
{
    while (job->done < job->len) {
        char *line = job->text + job->done;
        size_t len = strcspn(line, "\n");
        line[len] = '\0';
        bool ok = chain_add(job->chain, line, job->why, sizeof job->why);
        line[len] = '\n';
        if (!ok)
            return false;
        job->done += len + 1;
    }
    return true;
}

/* The files become others under the open one, which is therefore opened anew. */
static bool take_out(struct job *job)
{
    uint64_t lines;
    if (!job->forget)
        return true;
    chain_close(&job->chain);
    while (job->forget) {
        struct forgotten *f = job->forget;
        if (!chain_forget(job->path, job->keep, f->address, &lines, job->why, sizeof job->why))
            return false;
        job->forget = f->next;
        mem_wipe(f->address, strlen(f->address));
        free(f);
    }
    return true;
}

/* Of the lines as they are on the disk. Without them there would be nothing to compare with, which is no reason to stop
 * writing. */
static void keep_ends(struct job *job)
{
    if ((job->done == 0 && !job->gone) || !job->head[0] || !chain_oldest(job->path, job->keep, job->oldest) ||
        !job->state)
        return;
    gw_audit_ends_write(job->state, job->path, job->keep, job->head, job->oldest, job->ends_why, sizeof job->ends_why);
}

static void done(void *arg)
{
    struct job *job = arg;
    struct gw_audit *a = job->audit;
    if (!a) {
        if (!job->ok)
            log_error("audit", "%s; the last lines are lost", job->why);
        else if (job->gone)
            log_error("audit", GONE, job->path);
        job_free(job);
        return;
    }
    a->job = NULL;
    tell_trouble(a, job);
    if (job->done > 0)
        gw_audit_end_keep(a->g, job->path, job->head);
    a->failing = !job->ok;
    snprintf(a->trouble, sizeof a->trouble, "%s", job->why);
    memcpy(a->head, job->head, sizeof a->head);
    if (job->oldest[0])
        memcpy(a->oldest, job->oldest, sizeof a->oldest);
    keep_rest(a, job);
    struct waiter *waiters = job->waiters;
    job->waiters = NULL;
    bool ok = job->ok;
    job_free(job);
    if (a->pending.len > 0 || a->waiters || a->forget)
        loop_timer_in(a->write, !ok ? RETRY_MS : a->waiters ? 0 : WRITE_MS);
    tell_waiters(waiters, ok);
}

static void tell_trouble(struct gw_audit *a, const struct job *job)
{
    bool ends_failing = job->ends_why[0] != '\0';
    if (!job->ok && !a->failing)
        log_error("audit", "%s: what is to be written is kept, and tried again", job->why);
    if (job->ok && a->failing)
        log_notice("audit", "%s can be written again", job->path);
    if (job->gone)
        log_error("audit", GONE, job->path);
    if (ends_failing && !a->ends_failing)
        log_error("audit", "%s: who verifies the audit without us cannot see that its end is missing", job->ends_why);
    a->ends_failing = ends_failing;
}

/* The chain, and what it did not take, which goes before what came meanwhile. */
static void keep_rest(struct gw_audit *a, struct job *job)
{
    for (size_t i = 0; i < job->done; i++)
        a->lines += job->text[i] == '\n';
    if (a->path && strcmp(a->path, job->path) == 0) {
        a->chain = job->chain;
        job->chain = NULL;
    }
    if (job->done < job->len && a->path) {
        char *newer = buf_take(&a->pending);
        buf_add(&a->pending, job->text + job->done, job->len - job->done);
        if (!buf_adds(&a->pending, newer)) {
            a->pending.failed = false;
            a->lost++;
        }
        free(newer);
    }
    while (job->forget) {
        struct forgotten *f = job->forget;
        job->forget = f->next;
        f->next = a->forget;
        a->forget = f;
    }
}

static void tell_waiters(struct waiter *first, bool ok)
{
    for (struct waiter *w; (w = first);) {
        first = w->next;
        if (w->done)
            w->done(w->arg, ok);
        free(w);
    }
}

static void job_free(struct job *job)
{
    chain_close(&job->chain);
    forgotten_free(&job->forget);
    free(job->path);
    free(job->text);
    free(job->state);
    free(job);
}

static void forgotten_free(struct forgotten **first)
{
    for (struct forgotten *f; (f = *first);) {
        *first = f->next;
        free(f);
    }
}
