/*
 * freebusyctl_audit: reads the audit's files themselves, so that what it says of them rests on nobody's word; the
 * daemon only says where they are, writes what it still holds, and with which line it ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/chain.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "freebusyctl.h"

enum { KEEP_MAX = 1000, TRIES = 3 };

struct audit {
    char *file, *head; /* head NULL: there is no daemon to ask */
    unsigned keep;
};

struct end {
    const char *head;
    struct chain_report *report;
    bool found;
};

static enum ctl_exit find_file(const struct ctl_options *o, struct audit *ret);
static enum ctl_exit verify(const struct ctl_options *o, struct audit *a);
static void verify_end(const struct audit *a, struct chain_report *r);
static bool look_at_end(void *arg, const char *file, unsigned number, char *line);
static enum ctl_exit show(const struct ctl_options *o, const struct audit *a);
static bool show_line(void *arg, const char *file, unsigned number, char *line);
static void readable(char *line);

enum ctl_exit ctl_audit(const struct ctl_options *o)
{
    struct audit a = {.keep = KEEP_MAX};
    if (!o->verify && o->arg_count == 0) {
        fprintf(stderr, "usage: freebusyctl audit ADDRESS, or freebusyctl audit --verify\n");
        return CTL_USAGE;
    }
    enum ctl_exit result = find_file(o, &a);
    if (result == CTL_WELL)
        result = o->verify ? verify(o, &a) : show(o, &a);
    free(a.file);
    free(a.head);
    return result;
}

static enum ctl_exit find_file(const struct ctl_options *o, struct audit *ret)
{
    struct jv *v = NULL;
    if (o->file) {
        ret->file = mem_strdup(o->file);
        return CTL_WELL;
    }
    enum ctl_exit result = ctl_talk(o, "GET", "/ctl/audit", &v);
    if (result != CTL_WELL)
        return result;
    ret->file = mem_strdup(jv_str(jv_get(v, "file"), ""));
    ret->head = mem_strdup_or_null(jv_str(jv_get(v, "head"), NULL));
    if (!jv_truth(jv_get(v, "written"), true))
        fprintf(stderr, "freebusyctl: the daemon cannot write: %s\n", ctl_text(jv_get(v, "trouble"), "?"));
    jv_free(&v);
    return CTL_WELL;
}

/* The daemon goes on writing, and may begin a new file under our eyes: what seems broken is looked at once more. */
static enum ctl_exit verify(const struct ctl_options *o, struct audit *a)
{
    struct chain_report r;
    unsigned tries = 0;
    do {
        chain_verify(a->file, a->keep, &r);
        verify_end(a, &r);
    } while (!r.whole && !o->file && ++tries < TRIES);
    if (o->json) {
        struct jv *v = jv_set_bool(jv_object(), "whole", r.whole);
        jv_set_str(v, "file", a->file);
        jv_set_int(v, "files", r.files);
        jv_set_int(v, "lines", (int64_t)r.lines);
        jv_set_str(v, "broken", r.broken[0] ? r.broken : NULL);
        ctl_print_json(v);
        jv_free(&v);
    } else if (r.whole) {
        printf("%s: %llu lines in %u files, unbroken\n", a->file, (unsigned long long)r.lines, r.files);
        if (strspn(r.begins, "0") < CHAIN_HEX - 1)
            puts("older files than these are gone, as `keep` has it; the oldest one here says what was before it");
    } else {
        printf("broken at %s\n%llu lines before it hold\n", r.broken, (unsigned long long)r.lines);
    }
    return r.whole ? CTL_WELL : CTL_NOT_WELL;
}

/* What was cut off at the end breaks no chain: the daemon knows its last line, and says when it missed one. */
static void verify_end(const struct audit *a, struct chain_report *r)
{
    char why[300];
    struct end end = {.head = a->head, .report = r};
    if (!r->whole)
        return;
    r->whole = chain_each(a->file, a->keep, look_at_end, &end, why, sizeof why);
    if (!r->whole && !r->broken[0])
        snprintf(r->broken, sizeof r->broken, "%s", why);
    if (r->whole && a->head && !end.found) {
        r->whole = false;
        snprintf(r->broken, sizeof r->broken, "%s: the last lines that the daemon wrote are not there", a->file);
    }
}

static bool look_at_end(void *arg, const char *file, unsigned number, char *line)
{
    struct end *end = arg;
    end->found = end->found || (end->head && str_ends(line, end->head));
    if (!strstr(line, " event=cut-off "))
        return true;
    snprintf(end->report->broken, sizeof end->report->broken,
             "%s:%u: lines before it had been cut off when it was written", file, number);
    return false;
}

static enum ctl_exit show(const struct ctl_options *o, const struct audit *a)
{
    char why[300];
    if (chain_each(a->file, a->keep, show_line, (void *)(uintptr_t)o, why, sizeof why))
        return CTL_WELL;
    fprintf(stderr, "freebusyctl: %s\n", why);
    return CTL_USAGE;
}

static bool show_line(void *arg, const char *file, unsigned number, char *line)
{
    const struct ctl_options *o = arg;
    (void)file, (void)number;
    if (!chain_has(line, "whom", o->args[0]) && !chain_has(line, "who", o->args[0]))
        return true;
    if (!o->json)
        readable(line);
    puts(line);
    return true;
}

/* Without the digests, which are for the verification. */
static void readable(char *line)
{
    char *out = line, *chain = strstr(line, " chain=");
    if (chain)
        *chain = '\0';
    for (char *word = line; *word;) {
        size_t len = strcspn(word, " "), shown = len;
        bool sealed = str_starts(word, "who=") || str_starts(word, "whom=");
        if (sealed)
            shown = strcspn(word, ": ");
        memmove(out, word, shown);
        out += shown;
        word += len;
        if (*word)
            *out++ = *word++;
    }
    *out = '\0';
}
