/*
 * sim_helper: see the header. Each process has one end of a pair of sockets as its standard input and output, and ends
 * by itself when we close ours. Those that are not borrowed wait in a list for the next handshake.
 */
#include "sim_helper.h"

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX 65536

struct sim_helper {
    SLIST_ENTRY(sim_helper) entry; /* of the idle ones */
    struct sim_helpers *owner;
    pid_t pid;
    int fd;
    struct loop_fd *watch;
    struct buf answer;
    sim_helper_fn *fn; /* NULL: nothing was asked */
    void *arg;
};

struct sim_helpers {
    struct loop *loop;
    char *command;
    SLIST_HEAD(, sim_helper) idle;
};

static void helper_end(struct sim_helper *h);
static void on_readable(void *arg, int fd, unsigned ready);

struct sim_helpers *sim_helpers_new(struct loop *loop, const char *command)
{
    struct sim_helpers *s = mem_calloc(1, sizeof(*s));
    s->loop = loop;
    s->command = mem_strdup_or_null(command);
    SLIST_INIT(&s->idle);
    return s;
}

void sim_helpers_free(struct sim_helpers **helpers)
{
    struct sim_helper *h;
    if (*helpers == NULL)
        return;
    while ((h = SLIST_FIRST(&(*helpers)->idle)) != NULL) {
        SLIST_REMOVE_HEAD(&(*helpers)->idle, entry);
        helper_end(h);
    }
    free((*helpers)->command);
    free(*helpers);
    *helpers = NULL;
}

static void be_the_helper(int fd, const char *command)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static struct sim_helper *helper_start(struct sim_helpers *s)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return NULL;
    pid_t pid = fork();
    if (pid == 0)
        be_the_helper(ends[1], s->command);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return NULL;
    }
    struct sim_helper *h = mem_calloc(1, sizeof(*h));
    h->owner = s;
    h->pid = pid;
    h->fd = ends[0];
    buf_init(&h->answer, ANSWER_MAX);
    h->watch = loop_fd_new(s->loop, "exchange-sim helper", h->fd, on_readable, h);
    loop_fd_want(h->watch, LOOP_READ);
    return h;
}

static void helper_end(struct sim_helper *h)
{
    loop_fd_free(&h->watch);
    close(h->fd);
    kill(h->pid, SIGTERM);
    while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    buf_free(&h->answer);
    free(h);
}

struct sim_helper *sim_helper_take(struct sim_helpers *helpers)
{
    struct sim_helper *h = SLIST_FIRST(&helpers->idle);
    if (h == NULL)
        return helpers->command != NULL ? helper_start(helpers) : NULL;
    SLIST_REMOVE_HEAD(&helpers->idle, entry);
    return h;
}

void sim_helper_give_back(struct sim_helper **helper)
{
    struct sim_helper *h = *helper;
    *helper = NULL;
    if (h == NULL)
        return;
    if (h->fn != NULL)
        helper_end(h);
    else
        SLIST_INSERT_HEAD(&h->owner->idle, h, entry);
}

/* The other end reads until the end of the line before it does anything else, so writing does not wait for long. */
void sim_helper_ask(struct sim_helper *helper, const char *word, const char *token, sim_helper_fn *fn, void *arg)
{
    char *line = mem_printf("%s %s\n", word, token);
    size_t len = strlen(line);
    helper->fn = fn;
    helper->arg = arg;
    loop_fd_want(helper->watch, LOOP_READ); /* one that ended meanwhile answers with its end */
    for (size_t at = 0; at < len;) {
        ssize_t n = send(helper->fd, line + at, len - at, MSG_NOSIGNAL);
        if (n <= 0 && errno != EINTR)
            break; /* it has ended: the reading side will notice */
        at += n > 0 ? (size_t)n : 0;
    }
    free(line);
}

/* One line is all it says to a question. Nothing of `h` may be touched after the callback: it may have been given back.
 */
static void tell(struct sim_helper *h)
{
    sim_helper_fn *fn = h->fn;
    void *arg = h->arg;
    char *end = h->answer.len > 0 ? memchr(h->answer.data, '\n', h->answer.len) : NULL;
    char *answer = end != NULL ? mem_strndup(h->answer.data, (size_t)(end - h->answer.data)) : mem_strdup("");
    buf_reset(&h->answer);
    if (end != NULL)
        h->fn = NULL;
    if (fn != NULL)
        fn(arg, answer);
    free(answer);
}

static void on_readable(void *arg, int fd, unsigned ready)
{
    struct sim_helper *h = arg;
    char piece[4096];
    (void)ready;
    ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    bool more = n > 0 && buf_add(&h->answer, piece, (size_t)n);
    if (!more)
        loop_fd_want(h->watch, 0); /* what was asked stays owed, so it will be ended and not be used again */
    if (!more || memchr(piece, '\n', (size_t)n) != NULL)
        tell(h);
}
