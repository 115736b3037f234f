/*
 * secrets: the files that are watched: each server's secret, its proxy's, and the CSV files of people. Every few
 * seconds a job goes to the worker, because a file may lie on a slow disk: it looks at time stamps, and reads what has
 * changed. Back in the loop a new secret goes to its session, a new roster, compared in slices, to people.c.
 * A file that is gone or cannot be used changes nothing, and says so once.
 *
 * One job at a time. It holds a reference on the configuration it looks at, so that a reload meanwhile pulls nothing
 * from under it, and its findings are dropped when the configuration is not in use any more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "gateway_private.h"
#include "people_diff.h"
#include "policy.h"
#include "who.h"
#include "who_table.h"

enum { LOOK_EVERY_MS = 3000 };

struct secret_file {
    const char *server, *path; /* in the job's configuration */
    struct gw_stamp stamp;     /* before, then after */
    bool of_proxy, changed;
    struct secret *secret;
    char why[300];
};

struct job {
    struct gw_files *files; /* NULL: the daemon stops, nobody wants to know */
    struct gw_config *config;
    struct secret_file *secrets;
    unsigned secret_count;
    bool outdated;
    struct gw_roster *roster;
    struct gw_people_diff *people; /* of it */
    struct gw_stamp identities; /* before, then after */
    bool identities_changed;
    struct gw_whos *whos;
    struct gw_config_error err, who_err;
};

struct gw_files {
    struct gateway *g;
    struct loop_timer *timer;
    struct job *job;
    char *users_note; /* the last complaint about CSV files, said once */
};

static void look(void *arg);
static void add_secret(struct job *job, const struct gw_server *s, const char *path, const struct gw_stamp *stamp,
                       bool of_proxy);
static void job_work(void *arg);
static void job_done(void *arg);
static void take_secrets(struct gateway *g, struct job *job);
static void say_trouble(struct gw_files *f, const struct job *job);
static void compare(struct gw_files *f, struct job *job);
static void compared(void *arg);
static void take_roster(struct gateway *g, struct job *job);
static void take_identities(struct gateway *g, struct job *job);
static void drop_roster(void *arg);
static void dropped(void *arg);
static void job_free(struct job *job);

struct gw_files *gw_files_new(struct gateway *g)
{
    struct gw_files *f = mem_calloc(1, sizeof *f);
    f->g = g;
    f->timer = loop_timer_new(g->loop, "watched-files", look, f);
    loop_timer_in(f->timer, LOOK_EVERY_MS);
    return f;
}

void gw_files_free(struct gw_files **f)
{
    if (!*f)
        return;
    if ((*f)->job && (*f)->job->people)
        job_free((*f)->job);
    else if ((*f)->job)
        (*f)->job->files = NULL;
    loop_timer_free(&(*f)->timer);
    free((*f)->users_note);
    free(*f);
    *f = NULL;
}

void gw_stamp_of(const char *path, struct gw_stamp *ret)
{
    struct stat st;
    *ret = (struct gw_stamp){0, 0, 0};
    if (stat(path, &st) == 0)
        *ret = (struct gw_stamp){.ctime_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec,
                                 .size = st.st_size,
                                 .inode = st.st_ino};
}

bool gw_stamp_same(const struct gw_stamp *a, const struct gw_stamp *b)
{
    return a->ctime_ns == b->ctime_ns && a->size == b->size && a->inode == b->inode;
}

static void look(void *arg)
{
    struct gw_files *f = arg;
    struct gateway *g = f->g;
    loop_timer_in(f->timer, LOOK_EVERY_MS);
    if (f->job)
        return; /* a slow disk */
    struct job *job = mem_calloc(1, sizeof *job);
    job->files = f;
    job->config = g->config;
    job->config->refs++;
    job->secrets = mem_calloc(2 * g->server_count + 1, sizeof *job->secrets);
    for (unsigned i = 0; i < g->server_count; i++) {
        const struct gw_server *s = g->servers[i];
        add_secret(job, s, s->config->password_file, &s->secret_stamp, false);
        add_secret(job, s, s->config->proxy_password_file, &s->proxy_stamp, true);
    }
    job->identities = g->identities;
    f->job = job;
    loop_work(g->loop, job_work, job_done, job);
}

static void add_secret(struct job *job, const struct gw_server *s, const char *path, const struct gw_stamp *stamp,
                       bool of_proxy)
{
    if (path)
        job->secrets[job->secret_count++] =
            (struct secret_file){.server = s->config->name, .path = path, .stamp = *stamp, .of_proxy = of_proxy};
}

/* In the worker. */
static void job_work(void *arg)
{
    struct job *job = arg;
    for (unsigned i = 0; i < job->secret_count; i++) {
        struct secret_file *s = &job->secrets[i];
        struct gw_stamp now;
        gw_stamp_of(s->path, &now);
        if (gw_stamp_same(&now, &s->stamp))
            continue;
        s->changed = true;
        s->stamp = now;
        s->secret = secret_read(s->path, s->why, sizeof s->why);
    }
    if (job->config->identities_file) {
        struct gw_stamp now;
        gw_stamp_of(job->config->identities_file, &now);
        job->identities_changed = !gw_stamp_same(&now, &job->identities);
        job->identities = now;
    }
    if (job->identities_changed)
        job->whos = gw_whos_reread(job->config, &job->who_err);
    job->outdated = gw_roster_outdated(job->config->roster);
    if (job->outdated)
        job->roster = gw_roster_reread(job->config, &job->err);
}

static void job_done(void *arg)
{
    struct job *job = arg;
    struct gw_files *f = job->files;
    if (f && job->config == f->g->config) {
        take_secrets(f->g, job);
        take_identities(f->g, job);
        say_trouble(f, job);
        if (job->roster && !gw_reloading(f->g)) { /* which reads it itself */
            compare(f, job);
            return;
        }
    }
    if (f)
        f->job = NULL;
    if (f && job->roster)
        loop_work(f->g->loop, drop_roster, dropped, job);
    else
        job_free(job);
}

static void take_secrets(struct gateway *g, struct job *job)
{
    for (unsigned i = 0; i < job->secret_count; i++) {
        struct secret_file *found = &job->secrets[i];
        struct gw_server *s = gw_server_named(g, found->server);
        if (!found->changed || !s)
            continue;
        if (found->of_proxy) {
            s->proxy_stamp = found->stamp;
            gw_server_proxy_secret(g, s, found->secret, found->why);
            continue;
        }
        s->secret_stamp = found->stamp;
        gw_server_secret(g, s, found->secret, found->why);
        found->secret = NULL;
    }
}

static void say_trouble(struct gw_files *f, const struct job *job)
{
    bool told = f->users_note && job->err.why[0] && strcmp(f->users_note, job->err.why) == 0;
    if (!job->outdated)
        return;
    if (!job->roster && !told)
        log_error("users", "%s; everybody stays as before", job->err.why);
    free(f->users_note);
    f->users_note = job->roster ? NULL : mem_strdup(job->err.why);
}

static void compare(struct gw_files *f, struct job *job)
{
    struct gateway *g = f->g;
    gw_people_diff_free(&job->people);
    job->people = gw_people_diff_new(g, g->config, job->roster, g->servers, g->server_count);
    gw_people_diff_run(job->people, compared, job);
}

/* A reload may have come in between, and has read the file itself. */
static void compared(void *arg)
{
    struct job *job = arg;
    struct gw_files *f = job->files;
    bool ours = job->config == f->g->config;
    if (ours && gw_people_diff_outdated(job->people)) {
        compare(f, job);
        return;
    }
    f->job = NULL;
    if (ours)
        take_roster(f->g, job);
    gw_people_diff_free(&job->people);
    loop_work(f->g->loop, drop_roster, dropped, job);
}

static void take_roster(struct gateway *g, struct job *job)
{
    gw_people_log_notes(job->roster);
    struct gw_people_change change = gw_people_take(g, job->people, g->servers);
    log_notice("users", "CSV file read again persons=%zu added=%zu removed=%zu changed=%zu", pres_table_count(g->table),
               change.added, change.removed, change.changed);
    gw_roster_free(&g->config->roster);
    g->config->roster = job->roster;
    job->roster = gw_roster_forget_users(g->config->roster);
}

static void take_identities(struct gateway *g, struct job *job)
{
    if (!job->identities_changed)
        return;
    g->identities = job->identities;
    if (!job->whos) {
        log_error("identities", "%s; everybody may ask as before", job->who_err.why);
        return;
    }
    gw_whos_free(&g->config->whos);
    g->config->whos = job->whos;
    job->whos = NULL;
    gw_gate_changed(g->gate);
    gw_policy_apply(g); /* streams of who is gone end */
    log_notice("identities", "file read again");
}

/* In the worker: of very many people it takes a while. */
static void drop_roster(void *arg)
{
    struct job *job = arg;
    gw_roster_free(&job->roster);
}

static void dropped(void *arg)
{
    job_free(arg);
}

static void job_free(struct job *job)
{
    gw_people_diff_free(&job->people);
    for (unsigned i = 0; i < job->secret_count; i++)
        secret_free(&job->secrets[i].secret);
    free(job->secrets);
    gw_roster_free(&job->roster);
    gw_whos_free(&job->whos);
    gw_config_drop(job->config);
    free(job);
}
