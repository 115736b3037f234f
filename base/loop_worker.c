/*
 * loop_worker: the one thread beside the loop, for calls that block (files on slow disks, SQLite). loop_work() hands it
 * a job; it runs them in order and puts them on a second list; an eventfd tells the loop, which runs their `done`.
 *
 * Only the two lists and the two flags are shared, under one lock. The thread never touches the loop, and blocks all
 * signals so that they come to the loop's thread.
 */
#include "loop_private.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct job {
    struct job *next;
    loop_fn *work;
    loop_fn *done;
    void *arg;
};

struct list {
    struct job *first;
    struct job **end;
};

struct loop_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more; /* to the thread: a job is waiting, or the loop ends */
    pthread_cond_t idle; /* from the thread: a job is finished */
    struct list waiting;
    struct list finished;
    bool busy; /* a job is on neither list, being run */
    bool ending;
    int fd;                /* eventfd: something is finished */
    struct loop_fd *watch; /* of fd */
};

static void worker_start(struct loop *loop);
static void *worker_main(void *arg);
static struct job *worker_next(struct loop_worker *w);
static void on_finished(void *arg, int fd, unsigned ready);
static void list_add(struct list *l, struct job *job);
static struct job *list_take(struct list *l);
static void die(const char *what, int error) __attribute__((noreturn));

void loop_work(struct loop *loop, loop_fn *work, loop_fn *done, void *arg)
{
    struct job *job = mem_calloc(1, sizeof(*job));
    struct loop_worker *w;

    *job = (struct job){.work = work, .done = done, .arg = arg};
    if (!loop->worker)
        worker_start(loop);
    w = loop->worker;
    pthread_mutex_lock(&w->lock);
    list_add(&w->waiting, job);
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

bool loop_worker_drain(struct loop *loop)
{
    struct loop_worker *w = loop->worker;
    bool some;

    if (!w)
        return false;
    pthread_mutex_lock(&w->lock);
    while (w->waiting.first || w->busy)
        pthread_cond_wait(&w->idle, &w->lock);
    some = w->finished.first != NULL;
    pthread_mutex_unlock(&w->lock);
    return some;
}

void loop_worker_finish(struct loop *loop)
{
    struct loop_worker *w = loop->worker;
    struct list ready = {0};
    struct job *job;
    int64_t start;

    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    while ((job = list_take(&w->finished)))
        list_add(&ready, job);
    pthread_mutex_unlock(&w->lock);
    while ((job = list_take(&ready))) {
        start = loop_clock_start();
        job->done(job->arg);
        loop_clock_stop(loop, start, "work done", NULL);
        free(job);
    }
}

void loop_worker_free(struct loop *loop)
{
    struct loop_worker *w = loop->worker;

    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    loop_fd_free(&w->watch);
    close(w->fd);
    pthread_cond_destroy(&w->idle);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w);
    loop->worker = NULL;
}

static void worker_start(struct loop *loop)
{
    struct loop_worker *w = mem_calloc(1, sizeof(*w));
    sigset_t all, before;
    int error;

    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->fd < 0)
        die("eventfd", errno);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    pthread_cond_init(&w->idle, NULL);
    w->watch = loop_fd_new(loop, "work done", w->fd, on_finished, loop);
    loop_fd_want(w->watch, LOOP_READ);
    loop->worker = w;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        die("worker thread", error);
}

static void *worker_main(void *arg)
{
    struct loop_worker *w = arg;
    uint64_t one = 1;
    struct job *job;
    ssize_t n;

    while ((job = worker_next(w))) {
        job->work(job->arg);
        pthread_mutex_lock(&w->lock);
        list_add(&w->finished, job);
        w->busy = false;
        pthread_cond_signal(&w->idle);
        pthread_mutex_unlock(&w->lock);
        n = write(w->fd, &one, sizeof(one)); /* fails only when the counter is full: the loop is awake then */
        (void)n;
    }
    return NULL;
}

/* NULL: the loop ends and everything is done. */
static struct job *worker_next(struct loop_worker *w)
{
    struct job *job;

    pthread_mutex_lock(&w->lock);
    while (!(job = list_take(&w->waiting)) && !w->ending)
        pthread_cond_wait(&w->more, &w->lock);
    w->busy = job != NULL;
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void on_finished(void *arg, int fd, unsigned ready)
{
    uint64_t count;
    ssize_t n;

    (void)ready;
    n = read(fd, &count, sizeof(count));
    (void)n; /* only to make it unreadable again */
    loop_worker_finish(arg);
}

static void list_add(struct list *l, struct job *job)
{
    job->next = NULL;
    if (!l->first)
        l->end = &l->first;
    *l->end = job;
    l->end = &job->next;
}

static struct job *list_take(struct list *l)
{
    struct job *job = l->first;

    if (job)
        l->first = job->next;
    return job;
}

/* At start-up, or never. */
static void die(const char *what, int error)
{
    log_error("loop", "cannot start the worker: %s: %s", what, strerror(error));
    abort();
}
