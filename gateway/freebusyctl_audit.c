/*
 * freebusyctl_audit: reads the audit's files themselves, so that what it says of them rests on nobody's word; the
 * daemon only says where they are, writes what it still holds, and where they begin and end. Without the daemon, a
 * small file in its state directory says so, or a copy of that which somebody kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/chain.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "freebusyctl.h"

enum { KEEP_MAX = 1000, TRIES = 3, ENDS_MAX = 64 << 10 };

#define ENDS_FILE "audit.head"

struct audit {
    char *file;
    char *head, *oldest; /* how its ends are known; NULL: they are not, */
    char unknown[400];   /* for this reason */
    unsigned keep;       /* so many older files */
};

struct end {
    const char *head;
    struct chain_report *report;
    bool found;
};

static enum ctl_exit find_file(const struct ctl_options *o, struct audit *ret);
static enum ctl_exit find_ends(const struct ctl_options *o, struct audit *ret);
static struct jv *read_ends(const char *file, char *why, size_t why_size);
static bool same_file(const char *one, const char *other);
static void take_ends(const struct jv *v, struct audit *ret);
static enum ctl_exit verify(const struct ctl_options *o, struct audit *a);
static void print_json(const struct audit *a, const struct chain_report *r);
static void print(const struct audit *a, const struct chain_report *r);
static void verify_ends(const struct audit *a, struct chain_report *r);
static bool look_at_end(void *arg, const char *file, unsigned number, char *line);
static enum ctl_exit show(const struct ctl_options *o, const struct audit *a);
static bool show_line(void *arg, const char *file, unsigned number, char *line);
static void readable(char *line);

enum ctl_exit ctl_audit(const struct ctl_options *o)
{
    struct audit a = {.keep = 0};
    if (!o->verify && o->arg_count == 0) {
        fprintf(stderr, "usage: freebusyctl audit ADDRESS, or freebusyctl audit --verify\n");
        return CTL_USAGE;
    }
    enum ctl_exit result = find_file(o, &a);
    if (result == CTL_WELL)
        result = o->verify ? verify(o, &a) : show(o, &a);
    free(a.file);
    free(a.head);
    free(a.oldest);
    return result;
}

static enum ctl_exit find_file(const struct ctl_options *o, struct audit *ret)
{
    struct jv *v = NULL;
    if (o->file) {
        ret->file = mem_strdup(o->file);
        return o->verify ? find_ends(o, ret) : CTL_WELL;
    }
    enum ctl_exit result = ctl_talk(o, "GET", "/ctl/audit", &v);
    if (result != CTL_WELL)
        return result;
    ret->file = mem_strdup(jv_str(jv_get(v, "file"), ""));
    take_ends(v, ret);
    if (!jv_truth(jv_get(v, "written"), true))
        fprintf(stderr, "freebusyctl: the daemon cannot write: %s\n", ctl_text(jv_get(v, "trouble"), "?"));
    jv_free(&v);
    return CTL_WELL;
}

/* As told, else where a daemon has its state. That may know another audit than this one, which is then no comparison.
 */
static enum ctl_exit find_ends(const struct ctl_options *o, struct audit *ret)
{
    const char *directory = getenv("STATE_DIRECTORY");
    char *file = o->head ? mem_strdup(o->head)
                         : mem_printf("%s/" ENDS_FILE, directory && *directory ? directory : "/var/lib/freebusyd");
    struct jv *v = read_ends(file, ret->unknown, sizeof ret->unknown);
    enum ctl_exit result = CTL_WELL;
    if (!v && o->head) {
        fprintf(stderr, "freebusyctl: %s\n", ret->unknown);
        result = CTL_USAGE;
    } else if (v && !o->head && !same_file(jv_str(jv_get(v, "file"), ""), ret->file)) {
        snprintf(ret->unknown, sizeof ret->unknown, "%s is about another file", file);
    } else if (v) {
        take_ends(v, ret);
    }
    jv_free(&v);
    free(file);
    return result;
}

static struct jv *read_ends(const char *file, char *why, size_t why_size)
{
    FILE *in = fopen(file, "re");
    struct jv *v = NULL;
    struct buf b;
    char piece[4096];
    buf_init(&b, ENDS_MAX);
    if (!in) {
        snprintf(why, why_size, "%s: %m", file);
        return NULL;
    }
    for (size_t n; (n = fread(piece, 1, sizeof piece, in)) > 0 && buf_add(&b, piece, n);)
        ;
    if (!ferror(in) && !b.failed && b.len > 0)
        v = jv_parse(b.data, b.len, why, why_size);
    if (!jv_str(jv_get(v, "head"), NULL)) {
        snprintf(why, why_size, "%s does not say which line was the last", file);
        jv_free(&v);
    }
    buf_free(&b);
    fclose(in);
    return v;
}

static bool same_file(const char *one, const char *other)
{
    char *a = realpath(one, NULL), *b = realpath(other, NULL);
    bool same = a && b && strcmp(a, b) == 0;
    free(a);
    free(b);
    return same;
}

static void take_ends(const struct jv *v, struct audit *ret)
{
    ret->head = mem_strdup_or_null(jv_str(jv_get(v, "head"), NULL));
    ret->oldest = mem_strdup_or_null(jv_str(jv_get(v, "oldest"), NULL));
    ret->keep = (unsigned)jv_num(jv_get(v, "keep"), 0);
    if (!ret->head)
        snprintf(ret->unknown, sizeof ret->unknown, "the daemon has written nothing");
}

/* The daemon goes on writing, and may begin a new file under our eyes: what seems broken is looked at once more. */
static enum ctl_exit verify(const struct ctl_options *o, struct audit *a)
{
    struct chain_report r;
    unsigned tries = 0;
    do {
        chain_verify(a->file, KEEP_MAX, &r);
        verify_ends(a, &r);
    } while (!r.whole && !o->file && ++tries < TRIES);
    if (o->json)
        print_json(a, &r);
    else
        print(a, &r);
    return r.whole ? CTL_WELL : CTL_NOT_WELL;
}

static void print_json(const struct audit *a, const struct chain_report *r)
{
    struct jv *v = jv_set_bool(jv_object(), "whole", r->whole);
    jv_set_str(v, "file", a->file);
    jv_set_int(v, "files", r->files);
    jv_set_int(v, "lines", (int64_t)r->lines);
    jv_set_str(v, "broken", r->broken[0] ? r->broken : NULL);
    jv_set_bool(v, "end_compared", a->head != NULL);
    jv_set_str(v, "end_unknown", a->head ? NULL : a->unknown);
    ctl_print_json(v);
    jv_free(&v);
}

static void print(const struct audit *a, const struct chain_report *r)
{
    if (!r->whole) {
        printf("broken at %s\n%llu lines before it hold\n", r->broken, (unsigned long long)r->lines);
        return;
    }
    printf("%s: %llu lines in %u files, unbroken\n", a->file, (unsigned long long)r->lines, r->files);
    if (a->head)
        puts("nothing is missing at its end");
    else
        printf("whether lines are missing at its end cannot be said: %s\n", a->unknown);
    if (strspn(r->begins, "0") < CHAIN_HEX - 1)
        puts("older files than these are gone, as `keep` has it; the oldest one here says what was before it");
}

/*
 * What was cut off at an end breaks no chain: the daemon knows its last line, and says when it missed one. It also
 * knows the oldest file, which only goes when there are as many as are to be kept.
 */
static void verify_ends(const struct audit *a, struct chain_report *r)
{
    char why[300];
    struct end end = {.head = a->head, .report = r};
    if (!r->whole)
        return;
    r->whole = chain_each(a->file, KEEP_MAX, look_at_end, &end, why, sizeof why);
    if (!r->whole && !r->broken[0])
        snprintf(r->broken, sizeof r->broken, "%s", why);
    if (r->whole && a->head && !end.found) {
        r->whole = false;
        snprintf(r->broken, sizeof r->broken, "%s: the last lines that the daemon wrote are not there", a->file);
    }
    if (r->whole && a->oldest && r->files <= a->keep && strcmp(r->begins, a->oldest) != 0) {
        r->whole = false;
        snprintf(r->broken, sizeof r->broken, "%s: older files that the daemon wrote are not there", a->file);
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
    if (chain_each(a->file, KEEP_MAX, show_line, (void *)(uintptr_t)o, why, sizeof why))
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
