/* chain: lines that nobody changes unnoticed: every change, removal and addition is named; forgetting is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/chain.h"
#include "base/mem.h"

enum { KEEP = 50, BIG = 1 << 20, TEXT_MAX = 1 << 20 };

static char folder[] = "/tmp/test-chain-XXXXXX";
static char *path;
static char why[300];

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test-chain-XXXXXX");
    assert_non_null(mkdtemp(folder));
    path = mem_printf("%s/audit", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char *command = mem_printf("rm -r %s", folder);
    int rc = system(command);
    free(command);
    free(path);
    return rc;
}

static void add_about(struct chain *c, const char *who, const char *whom)
{
    struct buf b;
    buf_init(&b, CHAIN_LINE_MAX);
    chain_seal(&b, "who", who);
    chain_seal(&b, "whom", whom);
    buf_adds(&b, " level=kinds");
    assert_true(chain_add(c, b.data, why, sizeof why));
    buf_free(&b);
}

static void write_some(unsigned n, int64_t max_size)
{
    struct chain *c = chain_open(path, max_size, KEEP, why, sizeof why);
    assert_non_null(c);
    for (unsigned i = 0; i < n; i++)
        add_about(c, i % 2 ? "door" : "ops@example.com", i % 3 ? "alice@example.com" : "bob bold@example.com");
    assert_true(chain_sync(c, why, sizeof why));
    chain_close(&c);
}

static bool is_whole(struct chain_report *r)
{
    chain_verify(path, KEEP, r);
    return r->whole;
}

static char *read_text(const char *file)
{
    char *text = mem_calloc(1, TEXT_MAX);
    FILE *in = fopen(file, "r");
    assert_non_null(in);
    assert_true(fread(text, 1, TEXT_MAX - 1, in) > 0);
    fclose(in);
    return text;
}

static void write_text(const char *file, const char *text)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void it_goes_on_where_it_ended(void **state)
{
    (void)state;
    struct chain_report r;
    write_some(3, BIG);
    write_some(4, BIG);
    assert_true(is_whole(&r));
    assert_int_equal(r.lines, 8);
    assert_int_equal(r.files, 1);
}

static void rotation_carries_the_chain_over(void **state)
{
    (void)state;
    struct chain_report r;
    struct stat st;
    char *older = mem_printf("%s.3", path);
    write_some(40, 2000);
    assert_int_equal(stat(older, &st), 0);
    assert_true(st.st_size <= 2000);
    assert_true(is_whole(&r));
    assert_true(r.files > 4);
    assert_int_equal(r.lines, 40 + r.files);
    /* a whole file in the middle is gone */
    assert_int_equal(unlink(older), 0);
    assert_false(is_whole(&r));
    assert_non_null(strstr(r.broken, "audit.2:1: does not go on"));
    free(older);
}

static void what_is_older_than_keep_goes(void **state)
{
    (void)state;
    struct chain_report r;
    struct chain *c = chain_open(path, 1000, 2, why, sizeof why);
    char *third = mem_printf("%s.3", path);
    for (unsigned i = 0; i < 40; i++)
        add_about(c, "a", "b@c");
    chain_close(&c);
    assert_int_not_equal(access(third, F_OK), 0);
    chain_verify(path, 2, &r);
    assert_true(r.whole);
    assert_int_not_equal(strspn(r.begins, "0"), strlen(r.begins));
    free(third);
}

/* Every single byte of a file matters, but for the line's end at its end. */
static void any_changed_byte_is_seen(void **state)
{
    (void)state;
    struct chain_report r;
    write_some(3, BIG);
    char *text = read_text(path);
    size_t len = strlen(text);
    for (size_t i = 0; i + 1 < len; i++) {
        char was = text[i];
        text[i] = was == 'x' ? 'y' : 'x';
        write_text(path, text);
        text[i] = was;
        if (is_whole(&r))
            fail_msg("byte %zu ('%c') can be changed unnoticed", i, was);
        assert_non_null(strstr(r.broken, "/audit:"));
    }
    write_text(path, text);
    assert_true(is_whole(&r));
    free(text);
}

static void taken_out_and_swapped_lines_are_seen(void **state)
{
    (void)state;
    struct chain_report r;
    write_some(4, BIG);
    char *text = read_text(path), *line[6] = {NULL}, *save = NULL;
    unsigned n = 0;
    for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
        line[n++] = l;
    assert_int_equal(n, 5);
    static const unsigned orders[][5] = {
        {0, 1, 3, 4, 9}, {0, 2, 1, 3, 4}, {1, 2, 3, 4, 9}, {0, 1, 1, 2, 3}, {0, 1, 2, 0, 3}};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct buf b;
        buf_init(&b, TEXT_MAX);
        for (unsigned k = 0; k < 5 && orders[i][k] < n; k++)
            buf_addf(&b, "%s\n", line[orders[i][k]]);
        write_text(path, b.data);
        assert_false(is_whole(&r));
        buf_free(&b);
    }
    free(text);
}

static void somebody_forgotten_leaves_no_gap(void **state)
{
    (void)state;
    struct chain_report r;
    uint64_t lines;
    write_some(40, 2000);
    assert_true(chain_forget(path, KEEP, "Bob Bold@example.com", &lines, why, sizeof why));
    assert_int_equal(lines, 14);
    assert_true(is_whole(&r));
    char *command = mem_printf("! grep -ri 'bold' %s", folder);
    assert_int_equal(system(command), 0);
    free(command);
    assert_true(chain_forget(path, KEEP, "bob bold@example.com", &lines, why, sizeof why));
    assert_int_equal(lines, 0);
    write_some(2, BIG);
    assert_true(is_whole(&r));
}

/* Who is put in the place of somebody forgotten, or of somebody else, shows. */
static void what_a_greater_keep_left_is_forgotten_too(void **state)
{
    (void)state;
    uint64_t lines;
    write_some(40, 2000);
    assert_true(chain_forget(path, 1, "Bob Bold@example.com", &lines, why, sizeof why));
    assert_int_equal(lines, 14);
}

static void another_name_is_seen(void **state)
{
    (void)state;
    struct chain_report r;
    uint64_t lines;
    write_some(3, BIG);
    assert_true(chain_forget(path, KEEP, "alice@example.com", &lines, why, sizeof why));
    char *text = read_text(path), *hole = strstr(text, "whom=::");
    assert_non_null(hole);
    char *forged = mem_printf("%.*swhom=eve@example.com:0123456789abcdef:%s", (int)(hole - text), text, hole + 7);
    write_text(path, forged);
    assert_false(is_whole(&r));
    assert_non_null(strstr(r.broken, "names somebody else"));
    free(forged);
    forged = mem_printf("%.*swhom=eve@example.com::%s", (int)(hole - text), text, hole + 7);
    write_text(path, forged);
    assert_false(is_whole(&r));
    free(forged);
    free(text);
}

static void half_a_line_of_a_crash_is_cut_off(void **state)
{
    (void)state;
    struct chain_report r;
    write_some(3, BIG);
    char *text = read_text(path), *torn = mem_printf("%s2026-11-22T09:00:00Z who=al", text);
    write_text(path, torn);
    assert_false(is_whole(&r));
    write_some(1, BIG);
    assert_true(is_whole(&r));
    assert_int_equal(r.lines, 5);
    free(torn);
    free(text);
}

static bool count_about(void *arg, const char *file, unsigned number, char *line)
{
    (void)file, (void)number;
    *(unsigned *)arg += chain_has(line, "whom", "ALICE@example.com");
    return true;
}

static void lines_about_somebody_are_found(void **state)
{
    (void)state;
    unsigned n = 0;
    write_some(9, 1500);
    assert_true(chain_each(path, KEEP, count_about, &n, why, sizeof why));
    assert_int_equal(n, 6);
}

static void what_is_no_line_is_refused(void **state)
{
    (void)state;
    struct chain *c = chain_open(path, BIG, KEEP, why, sizeof why);
    char *long_line = mem_calloc(1, CHAIN_LINE_MAX + 1);
    memset(long_line, 'a', CHAIN_LINE_MAX);
    assert_false(chain_add(c, long_line, why, sizeof why));
    assert_false(chain_add(c, "two\nlines", why, sizeof why));
    free(long_line);
    chain_close(&c);
    assert_null(chain_open("/nonexistent/folder/audit", BIG, KEEP, why, sizeof why));
    assert_non_null(strstr(why, "/nonexistent/folder/audit"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(it_goes_on_where_it_ended),  T(rotation_carries_the_chain_over),      T(what_is_older_than_keep_goes),
        T(any_changed_byte_is_seen),   T(taken_out_and_swapped_lines_are_seen), T(somebody_forgotten_leaves_no_gap),
        T(another_name_is_seen),       T(half_a_line_of_a_crash_is_cut_off),    T(lines_about_somebody_are_found),
        T(what_is_no_line_is_refused), T(what_a_greater_keep_left_is_forgotten_too),
    };
    return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
