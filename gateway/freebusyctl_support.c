/*
 * freebusyctl_support: what one uses when something is wrong: more log for a while, the requests about one person, and
 * one file for whoever helps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "freebusyctl.h"

struct bundle {
    FILE *file;
    bool contents; /* the list on top is still being read */
};

static bool save_line(void *arg, char *line);
static bool print_request(void *arg, char *line);

enum ctl_exit ctl_log(const struct ctl_options *o)
{
    char path[200] = "/ctl/log";
    if (o->arg_count && strspn(o->args[0], "abcdefghijklmnopqrstuvwxyz") < strlen(o->args[0])) {
        fputs("freebusyctl: a level is error, warning, notice, info or debug\n", stderr);
        return CTL_USAGE;
    }
    if (o->arg_count)
        snprintf(path, sizeof path, "/ctl/log?level=%.40s%s%.40s", o->args[0], o->span ? "&for=" : "",
                 o->span ? o->span : "");
    struct jv *v = NULL;
    enum ctl_exit result = ctl_talk(o, "POST", path, &v);
    if (result != CTL_WELL)
        return result;
    if (o->json)
        ctl_print_json(v);
    else if (jv_is_string(jv_get(v, "until")))
        printf("the log is at %s until %s, then at %s again\n", jv_str(jv_get(v, "level"), "?"),
               ctl_when(jv_get(v, "until")), jv_str(jv_get(v, "then"), "?"));
    else
        printf("the log is at %s\n", jv_str(jv_get(v, "level"), "?"));
    jv_free(&v);
    return CTL_WELL;
}

enum ctl_exit ctl_trace(const struct ctl_options *o)
{
    char *path = ctl_path("/ctl/trace/", o->args[0]);
    char *whole = o->span ? mem_printf("%s?for=%.40s", path, o->span) : mem_strdup(path);
    if (!o->json)
        fprintf(stderr, "requests about %s for %s; end with Ctrl-C\n", o->args[0], o->span ? o->span : "10m");
    enum ctl_exit result = ctl_talk_lines(o, whole, print_request, (void *)(uintptr_t)o);
    free(path);
    free(whole);
    return result;
}

enum ctl_exit ctl_bundle(const struct ctl_options *o)
{
    char name[100];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(name, sizeof name, "freebusyd-bundle-%Y%m%d-%H%M%S.txt", &utc);
    const char *to = o->arg_count ? o->args[0] : name;
    bool out = strcmp(to, "-") == 0;
    int fd = out ? dup(STDOUT_FILENO) : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct bundle b = {.file = fd >= 0 ? fdopen(fd, "w") : NULL, .contents = !out};
    if (!b.file) {
        fprintf(stderr, "freebusyctl: %s: %s\n", to, strerror(errno));
        return CTL_USAGE;
    }
    enum ctl_exit result = ctl_talk_lines(o, o->names ? "/ctl/bundle?names=yes" : "/ctl/bundle", save_line, &b);
    bool written = fclose(b.file) == 0;
    if (result == CTL_WELL && !written) {
        fprintf(stderr, "freebusyctl: %s: %s\n", to, strerror(errno));
        result = CTL_NOT_WELL;
    }
    if (result != CTL_WELL && !out)
        unlink(to);
    else if (!out)
        printf("written to %s; read it before you send it\n", to);
    return result;
}

/* What is in it is shown, too: up to the first part. */
static bool save_line(void *arg, char *line)
{
    struct bundle *b = arg;
    if (strncmp(line, "== ", 3) == 0)
        b->contents = false;
    if (b->contents && line[0])
        puts(line);
    return fprintf(b->file, "%s\n", line) >= 0;
}

static bool print_request(void *arg, char *line)
{
    const struct ctl_options *o = arg;
    char why[100];
    struct jv *v = o->json ? NULL : jv_parse(line, strlen(line), why, sizeof why);
    if (!v)
        puts(line);
    else
        printf("%s  %-10s %s  %s%lld in %lld ms, %lld bytes%s\n", ctl_when(jv_get(v, "at")),
               ctl_text(jv_get(v, "method"), "?"), ctl_text(jv_get(v, "url"), "?"),
               jv_is_string(jv_get(v, "code")) ? jv_str(jv_get(v, "code"), "") : "",
               (long long)jv_num(jv_get(v, "status"), 0), (long long)jv_num(jv_get(v, "ms"), 0),
               (long long)jv_num(jv_get(v, "bytes"), 0),
               jv_truth(jv_get(v, "with_others"), false) ? ", about many people" : "");
    jv_free(&v);
    fflush(stdout);
    return true;
}
