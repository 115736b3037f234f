/*
 * sim_log: see the header. Counters are kept as JSON objects from the start, since they are only ever read that way;
 * the last requests are in a ring. No header, body or password is kept.
 */
#include "sim_log.h"

#include "base/httpd.h"
#include "base/json.h"
#include "base/mem.h"
#include "sim.h"
#include "sim_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING 4096
#define NOTES_MAX 200

struct entry {
    char *method;
    char *path;
    char *account;
    int status;
    int64_t at;
    uint64_t connection;
};

struct sim_log {
    FILE *file;
    struct entry ring[RING];
    uint64_t count;
    uint64_t connections;
    struct jv *methods, *statuses, *users, *accepted, *rejected, *ntlm, *violations, *refusals;
};

static void fresh(struct sim_log *log)
{
    log->methods = jv_object();
    log->statuses = jv_object();
    log->users = jv_object();
    log->accepted = jv_object();
    log->rejected = jv_object();
    log->ntlm = jv_object();
    log->violations = jv_array();
    log->refusals = jv_array();
}

static void stale(struct sim_log *log)
{
    jv_free(&log->methods);
    jv_free(&log->statuses);
    jv_free(&log->users);
    jv_free(&log->accepted);
    jv_free(&log->rejected);
    jv_free(&log->ntlm);
    jv_free(&log->violations);
    jv_free(&log->refusals);
}

static void entry_clear(struct entry *e)
{
    free(e->method);
    free(e->path);
    free(e->account);
    memset(e, 0, sizeof(*e));
}

struct sim_log *sim_log_new(const char *path)
{
    struct sim_log *log = mem_calloc(1, sizeof(*log));
    if (path != NULL && (log->file = fopen(path, "ae")) == NULL) {
        free(log);
        return NULL;
    }
    fresh(log);
    return log;
}

void sim_log_free(struct sim_log **log)
{
    if (*log == NULL)
        return;
    sim_log_reset(*log);
    stale(*log);
    if ((*log)->file != NULL)
        fclose((*log)->file);
    free(*log);
    *log = NULL;
}

void sim_log_reset(struct sim_log *log)
{
    stale(log);
    fresh(log);
    for (int i = 0; i < RING; i++)
        entry_clear(&log->ring[i]);
    log->count = 0;
    log->connections = 0;
}

static void bump(struct jv *object, const char *key)
{
    jv_set_int(object, key, jv_num(jv_get(object, key), 0) + 1);
}

void sim_log_connection(struct sim_log *log)
{
    log->connections++;
}

static void count_user(struct sim_log *log, const struct sim_request *r)
{
    if (r->node.mailbox == NULL)
        return;
    if (jv_get(log->users, r->node.mailbox->key) == NULL)
        jv_set(log->users, r->node.mailbox->key, jv_object());
    bump(jv_get(log->users, r->node.mailbox->key), r->method);
}

void sim_log_answer(struct sim_log *log, const struct sim_request *r, int status)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", status);
    bump(log->methods, r->method);
    bump(log->statuses, text);
    count_user(log, r);
    struct entry *e = &log->ring[log->count++ % RING];
    entry_clear(e);
    *e = (struct entry){mem_strdup(r->method),
                        mem_strdup(r->path),
                        mem_strdup(r->account != NULL ? r->account->name : "-"),
                        status,
                        sim_now(r->sim),
                        httpd_connection_id(r->req)};
    if (log->file == NULL)
        return;
    fprintf(log->file, "%llu %s %s %s %d connection=%llu\n", (unsigned long long)log->count, e->account, e->method,
            e->path, status, (unsigned long long)e->connection);
    fflush(log->file);
}

void sim_log_logon(struct sim_log *log, const char *account, bool accepted)
{
    bump(accepted ? log->accepted : log->rejected, account);
}

void sim_log_count(struct sim_log *log, const char *what)
{
    bump(log->ntlm, what);
}

static void note(struct sim_log *log, struct jv *list, const char *kind, const struct sim_request *r, const char *what)
{
    if (jv_count(list) >= NOTES_MAX)
        return;
    struct jv *v = jv_object();
    jv_set_str(v, "method", r->method);
    jv_set_str(v, "path", r->path);
    jv_set_str(v, "what", what);
    jv_add(list, v);
    if (log->file != NULL)
        fprintf(log->file, "%s: %s %s: %s\n", kind, r->method, r->path, what);
}

void sim_log_refusal(struct sim_log *log, const struct sim_request *r, const char *why)
{
    note(log, log->refusals, "refused", r, why);
}

void sim_log_violation(struct sim_log *log, const struct sim_request *r, const char *what)
{
    note(log, log->violations, "violation", r, what);
}

static struct jv *copy_counts(const struct jv *from)
{
    struct jv *out = jv_object();
    const char *key;
    struct jv *value;
    for (size_t pos = 0; jv_next(from, &pos, &key, &value);)
        jv_set(out, key, jv_is_object(value) ? copy_counts(value) : jv_int(jv_num(value, 0)));
    return out;
}

static int64_t total(const struct jv *counts)
{
    int64_t sum = 0;
    const char *key;
    struct jv *value;
    for (size_t pos = 0; jv_next(counts, &pos, &key, &value);)
        sum += jv_num(value, 0);
    return sum;
}

static struct jv *copy_notes(const struct jv *from)
{
    struct jv *out = jv_array();
    for (size_t i = 0; i < jv_count(from); i++) {
        struct jv *v = jv_object();
        jv_set_str(v, "method", jv_str(jv_get(jv_at(from, i), "method"), ""));
        jv_set_str(v, "path", jv_str(jv_get(jv_at(from, i), "path"), ""));
        jv_set_str(v, "what", jv_str(jv_get(jv_at(from, i), "what"), ""));
        jv_add(out, v);
    }
    return out;
}

struct jv *sim_log_counters(const struct sim_log *log)
{
    struct jv *out = jv_object();
    jv_set_int(out, "requests", (int64_t)log->count);
    jv_set_int(out, "connections", (int64_t)log->connections);
    jv_set(out, "methods", copy_counts(log->methods));
    jv_set(out, "statuses", copy_counts(log->statuses));
    jv_set(out, "users", copy_counts(log->users));
    struct jv *logons = jv_object();
    jv_set_int(logons, "accepted", total(log->accepted));
    jv_set_int(logons, "rejected", total(log->rejected));
    jv_set(logons, "accepted_by_account", copy_counts(log->accepted));
    jv_set(logons, "rejected_by_account", copy_counts(log->rejected));
    jv_set(out, "logons", logons);
    jv_set(out, "ntlm", copy_counts(log->ntlm));
    jv_set(out, "violations", copy_notes(log->violations));
    jv_set(out, "refusals", copy_notes(log->refusals));
    return out;
}

struct jv *sim_log_entries(const struct sim_log *log, uint64_t since)
{
    struct jv *out = jv_array();
    uint64_t first = log->count > RING ? log->count - RING : 0;
    if (since > first + 1)
        first = since - 1;
    for (uint64_t i = first; i < log->count; i++) {
        const struct entry *e = &log->ring[i % RING];
        struct jv *v = jv_object();
        jv_set_int(v, "n", (int64_t)i + 1);
        jv_set_int(v, "at", e->at);
        jv_set_str(v, "account", e->account);
        jv_set_str(v, "method", e->method);
        jv_set_str(v, "path", e->path);
        jv_set_int(v, "status", e->status);
        jv_set_int(v, "connection", (int64_t)e->connection);
        jv_add(out, v);
    }
    return out;
}
