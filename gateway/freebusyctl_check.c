/*
 * freebusyctl_check: walks to a calendar step by step. The running daemon does it when there is one, with its user,
 * certificates and network; with --config the daemon program does it from that file alone (`freebusyd --check-server`).
 * Both print the same lines.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "freebusyctl.h"

struct checking {
    const struct ctl_options *options;
    bool any, failed, config_failed, finished;
    char step[32], code[64]; /* that failed */
};

static enum ctl_exit by_daemon(struct checking *c);
static enum ctl_exit by_file(struct checking *c);
static enum ctl_exit verdict(const struct checking *c, enum ctl_exit result);
static bool on_line(void *arg, char *line);
static void print_step(const struct jv *v);
static void print_end(const struct jv *v, bool failed);
static char *daemon_program(void);
static void run_daemon_program(const struct ctl_options *o, int out) __attribute__((noreturn));

enum ctl_exit ctl_check(const struct ctl_options *o)
{
    struct checking c = {.options = o};
    setvbuf(stdout, NULL, _IOLBF, 0);
    return verdict(&c, o->config ? by_file(&c) : by_daemon(&c));
}

enum ctl_exit ctl_check_file(const struct ctl_options *o, char step[32], char code[64])
{
    struct checking c = {.options = o};
    enum ctl_exit result = by_file(&c);
    snprintf(step, sizeof c.step, "%s", c.step);
    snprintf(code, sizeof c.code, "%s", c.code);
    return verdict(&c, result);
}

static enum ctl_exit verdict(const struct checking *c, enum ctl_exit result)
{
    if (result != CTL_WELL)
        return result;
    if (c->config_failed)
        return CTL_USAGE;
    return c->failed || !c->finished ? CTL_NOT_WELL : CTL_WELL;
}

static enum ctl_exit by_daemon(struct checking *c)
{
    const struct ctl_options *o = c->options;
    struct buf path;
    buf_init(&path, 65536);
    buf_adds(&path, "/ctl/check?");
    if (o->arg_count > 0) {
        buf_adds(&path, "server=");
        str_percent_encode(&path, o->args[0], strlen(o->args[0]), "");
    }
    if (o->user) {
        buf_adds(&path, "&user=");
        str_percent_encode(&path, o->user, strlen(o->user), "@");
    }
    enum ctl_exit result = ctl_talk_lines(o, path.data, on_line, c);
    buf_free(&path);
    if (result == CTL_NO_DAEMON)
        fprintf(stderr, "  Without a daemon: freebusyctl check --config FILE\n");
    return result;
}

static enum ctl_exit by_file(struct checking *c)
{
    int ends[2];
    if (pipe(ends) != 0) {
        perror("freebusyctl: pipe");
        return CTL_NOT_WELL;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run_daemon_program(c->options, ends[1]);
    }
    close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    char *line = NULL;
    size_t size = 0;
    for (ssize_t n; in && (n = getline(&line, &size, in)) > 0;) {
        line[strcspn(line, "\n")] = '\0';
        on_line(c, line);
    }
    free(line);
    if (in)
        fclose(in);
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
        return CTL_NOT_WELL;
    return c->any ? CTL_WELL : WEXITSTATUS(status) == 127 ? CTL_USAGE : CTL_NOT_WELL;
}

static bool on_line(void *arg, char *line)
{
    struct checking *c = arg;
    char why[100];
    struct jv *v = jv_parse(line, strlen(line), why, sizeof(why));
    if (!v)
        return true;
    c->any = true;
    bool done = jv_truth(jv_get(v, "done"), false), ok = jv_truth(jv_get(v, "ok"), false);
    c->finished |= done;
    c->failed |= !ok;
    if (!done && !ok && !c->code[0]) {
        snprintf(c->step, sizeof c->step, "%s", jv_str(jv_get(v, "step"), ""));
        snprintf(c->code, sizeof c->code, "%s", jv_str(jv_get(v, "code"), ""));
    }
    c->config_failed |= !ok && strcmp(jv_str(jv_get(v, "step"), ""), "config") == 0;
    if (c->options->json)
        puts(line);
    else if (done)
        print_end(v, c->failed);
    else
        print_step(v);
    jv_free(&v);
    return true;
}

static void print_step(const struct jv *v)
{
    bool ok = jv_truth(jv_get(v, "ok"), false);
    printf("%-10s %-8s %s\n", ctl_text(jv_get(v, "step"), "?"), ok ? "ok" : "FAILED",
           ok ? ctl_text(jv_get(v, "evidence"), "") : ctl_text(jv_get(v, "code"), "?"));
    if (ok)
        return;
    printf("  what it means: %s\n", ctl_text(jv_get(v, "meaning"), ""));
    if (jv_is_string(jv_get(v, "evidence")))
        printf("  evidence:      %s\n", ctl_text(jv_get(v, "evidence"), ""));
    printf("  what to do:    %s\n", jv_str(jv_get(v, "advice"), ""));
}

static void print_end(const struct jv *v, bool failed)
{
    const char *by =
        strcmp(jv_str(jv_get(v, "by"), ""), "daemon") == 0 ? "the running daemon" : "this program, from the file";
    if (jv_truth(jv_get(v, "ok"), false) && failed)
        printf("the calendar can be read, but not everything that was read can be published (checked by %s)\n", by);
    else if (jv_truth(jv_get(v, "ok"), false))
        printf("all steps passed: %lld appointments of %s read from %s (checked by %s)\n",
               (long long)jv_num(jv_get(v, "appointments"), 0), ctl_text(jv_get(v, "user"), "?"),
               ctl_text(jv_get(v, "server"), "?"), by);
    else
        printf("stopped at the first step that failed (checked by %s)\n", by);
}

/* Beside this program, in ../sbin, or where PATH says. */
static char *daemon_program(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n > 0) {
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        char *beside = mem_printf("%s/freebusyd", self);
        if (access(beside, X_OK) == 0)
            return beside;
        free(beside);
        char *sbin = mem_printf("%s/../sbin/freebusyd", self);
        if (access(sbin, X_OK) == 0)
            return sbin;
        free(sbin);
    }
    return mem_strdup("freebusyd");
}

static void run_daemon_program(const struct ctl_options *o, int out)
{
    const char *argv[10] = {"freebusyd", "--config", o->config, "--check-server"};
    int n = 4;
    if (o->arg_count > 0)
        argv[n++] = o->args[0];
    else
        argv[n++] = "";
    if (o->user) {
        argv[n++] = "--check-user";
        argv[n++] = o->user;
    }
    dup2(out, STDOUT_FILENO);
    char *program = daemon_program();
    union {
        const char **from;
        char *const *to;
    } args = {.from = argv};
    execvp(program, args.to);
    fprintf(stderr, "freebusyctl: cannot run %s\n", program);
    _exit(127);
}
