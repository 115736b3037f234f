/* log: one line per call whatever is in it, the two spellings on standard error, and when a journal is believed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static char last[5000];
static int lines;

static void keep(void *arg, enum log_level level, const char *line)
{
    assert_ptr_equal(arg, &lines);
    assert_true(level <= LOG_LEVEL_DEBUG);
    snprintf(last, sizeof(last), "%s", line);
    lines++;
}

static int with_sink(void **state)
{
    (void)state;
    lines = 0;
    last[0] = '\0';
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(keep, &lines);
    return 0;
}

static int without_sink(void **state)
{
    (void)state;
    log_set_sink(NULL, NULL);
    log_set_level(LOG_LEVEL_INFO);
    return 0;
}

static void levels_filter(void **state)
{
    int evaluated = 0;

    (void)state;
    log_debug("m", "n=%d", ++evaluated);
    assert_int_equal(lines, 0);
    assert_int_equal(evaluated, 0);
    log_info("m", "x=%d", 1);
    assert_string_equal(last, "m: x=1");
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("m", "no");
    assert_int_equal(lines, 1);
    log_error("m", "yes");
    assert_int_equal(lines, 2);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("m", "n=%d", ++evaluated);
    assert_int_equal(lines, 3);
}

static void a_peer_cannot_forge_a_line(void **state)
{
    (void)state;
    log_info("m", "name=%s", "x\n2026-01-01 error root: all is lost\r\x1B[1A\x7F");
    assert_string_equal(last, "m: name=x\\x0a2026-01-01 error root: all is lost\\x0d\\x1b[1A\\x7f");
}

static void long_lines_end_in_dots(void **state)
{
    static char text[20000];

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    log_info("m", "%s", text);
    assert_true(strlen(last) > 1000 && strlen(last) < 4200);
    assert_string_equal(last + strlen(last) - 4, "a...");
    memset(text, '\n', sizeof(text) - 1);
    log_info("m", "%s", text);
    assert_string_equal(last + strlen(last) - 7, "\\x0a...");
}

static void names_there_and_back(void **state)
{
    enum log_level level;
    int i;

    (void)state;
    for (i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        assert_true(log_level_parse(log_level_name((enum log_level)i), &level));
        assert_int_equal(level, i);
    }
    level = LOG_LEVEL_NOTICE;
    assert_false(log_level_parse("verbose", &level));
    assert_false(log_level_parse("", &level));
    assert_int_equal(level, LOG_LEVEL_NOTICE);
}

static void errno_survives(void **state)
{
    (void)state;
    errno = ENOENT;
    log_info("m", "x");
    assert_int_equal(errno, ENOENT);
}

/*
 * Runs with standard error in a file; returns what was written. `journal`: what JOURNAL_STREAM says, "%" for the truth,
 * "%1" for another file of the same disk.
 */
static char *written(const char *journal)
{
    static char text[500];
    char path[] = "/tmp/test_log.XXXXXX", stream[100];
    int fd = mkstemp(path), saved = dup(STDERR_FILENO);
    struct stat st;
    ssize_t n;

    assert_true(fd >= 0 && saved >= 0 && fstat(fd, &st) == 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino + (journal && strcmp(journal, "%1") == 0));
    if (journal)
        setenv("JOURNAL_STREAM", journal[0] == '%' ? stream : journal, 1);
    else
        unsetenv("JOURNAL_STREAM");
    dup2(fd, STDERR_FILENO);
    log_init();
    log_warning("m", "a=1");
    log_notice("m", "b=2");
    dup2(saved, STDERR_FILENO);
    close(saved);
    n = pread(fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    unlink(path);
    unsetenv("JOURNAL_STREAM");
    log_init();
    return text;
}

static void journal_gets_priorities(void **state)
{
    (void)state;
    assert_string_equal(written("%"), "<4>m: a=1\n<5>m: b=2\n");
}

static void others_get_the_time(void **state)
{
    static const char *const streams[] = {NULL, "", "%1", "1:2", "junk", "8:"};
    int year, day, ms, end;
    size_t i;
    char *text;

    (void)state;
    for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        text = written(streams[i]);
        end = 0;
        sscanf(text, "%4d-%*2d-%2dT%*2d:%*2d:%*2d.%3dZ warning m: a=1%n", &year, &day, &ms, &end);
        assert_true(end > 0 && text[end] == '\n');
        assert_true(year >= 2024);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(levels_filter, with_sink, without_sink),
        cmocka_unit_test_setup_teardown(a_peer_cannot_forge_a_line, with_sink, without_sink),
        cmocka_unit_test_setup_teardown(long_lines_end_in_dots, with_sink, without_sink),
        cmocka_unit_test(names_there_and_back),
        cmocka_unit_test_setup_teardown(errno_survives, with_sink, without_sink),
        cmocka_unit_test(journal_gets_priorities),
        cmocka_unit_test(others_get_the_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
