/*
 * The cases of tests/data/freebusy at function level: calendar text in, periods out. What tests/integration does
 * through a real server and the whole program is asked here of ical.c alone, with presence's own rules and merging.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utc.h"
#include "ical.h"
#include "presence/interval.h"
#include "presence/rules.h"

#define FOLDER FB_SOURCE_DIR "/tests/data/freebusy/"
#define SPANS_MAX 1000

struct collected {
    struct pres_interval items[SPANS_MAX];
    size_t count;
};

static const enum pres_kind kind_of[] = {
    [DAV_FREE] = PRES_FREE, [DAV_ELSEWHERE] = PRES_ELSEWHERE, [DAV_TENTATIVE] = PRES_TENTATIVE, [DAV_BUSY] = PRES_BUSY,
    [DAV_OOF] = PRES_OOF,
};

static const struct {
    enum pres_kind kind;
    const char *type;
} types[] = {{PRES_BUSY, "BUSY"}, {PRES_TENTATIVE, "BUSY-TENTATIVE"}, {PRES_OOF, "BUSY-UNAVAILABLE"}};

static bool collect(void *arg, const struct dav_span *span)
{
    struct collected *c = arg;
    struct pres_rules rules = pres_rules_default();

    assert_true(c->count < SPANS_MAX);
    rules.elsewhere = PRES_FREE; /* as VFREEBUSY counts it */
    c->items[c->count++] =
        (struct pres_interval){span->start, span->end, pres_rules_apply(&rules, kind_of[span->kind], span->traits)};
    return true;
}

static char *read_file(const char *name, const char *suffix, size_t *ret_len)
{
    char path[1024];
    struct buf b;
    FILE *file;
    size_t got;
    char *room;

    snprintf(path, sizeof(path), FOLDER "%s%s", name, suffix);
    file = fopen(path, "rbe");
    assert_non_null(file);
    buf_init(&b, 1024 * 1024);
    while ((room = buf_room(&b, 4096)) != NULL && (got = fread(room, 1, 4096, file)) > 0)
        b.len += got;
    fclose(file);
    *ret_len = b.len;
    return buf_take(&b);
}

static void add_periods(struct buf *out, const struct pres_set *set, const char *only_type)
{
    for (size_t i = 0; i < pres_set_count(set); i++) {
        struct pres_interval p = pres_set_at(set, i);
        char start[UTC_TEXT_MAX], end[UTC_TEXT_MAX];

        for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
            if (types[t].kind == p.kind && (only_type == NULL || strcmp(only_type, types[t].type) == 0))
                buf_addf(out, "%s/%s/%s\n", utc_basic(p.start, start), utc_basic(p.end, end), types[t].type);
    }
}

static void add_expected(struct buf *out, const struct jv *list, const char *only_type)
{
    for (size_t i = 0; i < jv_count(list); i++) {
        const struct jv *p = jv_at(list, i);
        const char *type = jv_str(jv_at(p, 2), "");

        if (only_type == NULL || strcmp(only_type, type) == 0)
            buf_addf(out, "%s/%s/%s\n", jv_str(jv_at(p, 0), ""), jv_str(jv_at(p, 1), ""), type);
    }
}

static bool same(const char *id, const char *what, const struct buf *expected, const struct buf *got)
{
    if (strcmp(expected->data, got->data) == 0)
        return true;
    fprintf(stderr, "%s: %s differs\nexpected:\n%sgot:\n%s", id, what, expected->data, got->data);
    return false;
}

/* Each type alone, then one state at a time. */
static bool compare(const char *id, const struct jv *expected, const struct collected *c, int64_t from, int64_t until)
{
    bool right = true;

    for (size_t t = 0; t <= sizeof(types) / sizeof(types[0]); t++) {
        const char *type = t < sizeof(types) / sizeof(types[0]) ? types[t].type : NULL;
        struct pres_interval *some = mem_calloc(c->count + 1, sizeof(*some));
        struct pres_set *set;
        struct buf want, got;
        size_t n = 0;

        for (size_t i = 0; i < c->count; i++)
            if (type == NULL || c->items[i].kind == types[t].kind)
                some[n++] = c->items[i];
        set = pres_set_build(some, n, from, until);
        buf_init(&want, 65536);
        buf_init(&got, 65536);
        buf_adds(&want, "");
        buf_adds(&got, "");
        add_expected(&want, jv_get(expected, type != NULL ? "busy" : "timeline"), type);
        add_periods(&got, set, type);
        right = same(id, type != NULL ? type : "timeline", &want, &got) && right;
        buf_free(&want);
        buf_free(&got);
        free(set);
        free(some);
    }
    return right;
}

static bool run_case(const char *id)
{
    size_t json_len, ics_len;
    char *json_text = read_file(id, ".json", &json_len), *ics = read_file(id, ".ics", &ics_len);
    char why[200] = "";
    struct jv *json = jv_parse(json_text, json_len, why, sizeof(why));
    const struct jv *window = jv_get(json, "window");
    const char *owners[2] = {jv_str(jv_get(json, "owner"), NULL), NULL};
    struct collected *c = mem_calloc(1, sizeof(*c));
    struct dav_ical_setup setup = {
        .zone = jv_str(jv_get(json, "calendar_tz"), NULL), .owners = owners, .on_span = collect, .arg = c};
    struct dav_ical *ical;
    const char *start = jv_str(jv_get(window, "start"), ""), *end = jv_str(jv_get(window, "end"), "");
    bool right;

    assert_string_equal(why, "");
    assert_true(utc_parse_basic(start, strlen(start), &setup.from));
    assert_true(utc_parse_basic(end, strlen(end), &setup.until));
    ical = dav_ical_new(&setup);
    assert_non_null(ical);
    right = dav_ical_read(ical, ics, ics_len) == DAV_ICAL_OK && dav_ical_skipped(ical) == 0;
    right = compare(id, json, c, setup.from, setup.until) && right;
    dav_ical_free(&ical);
    jv_free(&json);
    free(json_text);
    free(ics);
    free(c);
    return right;
}

static int is_case(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static void test_all_cases(void **state)
{
    struct dirent **entries;
    int n = scandir(FOLDER, &entries, is_case, alphasort), right = 0;

    (void)state;
    assert_true(n >= 32);
    for (int i = 0; i < n; i++) {
        entries[i]->d_name[strlen(entries[i]->d_name) - 5] = '\0';
        if (run_case(entries[i]->d_name))
            right++;
        else
            fprintf(stderr, "%s: WRONG\n", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    printf("%d of %d cases right\n", right, n);
    assert_int_equal(right, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_cases)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
