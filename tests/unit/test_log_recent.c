/* Unit tests of log_recent.c: whole lines, oldest first, the last ones of many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/log.h"
#include "log_private.h"

static char *kept(struct buf *b)
{
    buf_reset(b);
    log_recent(b);
    return b->data;
}

static void the_last_whole_lines(void **state)
{
    (void)state;
    struct buf b;
    char line[32];
    buf_init(&b, 4096);
    log_keep_recent(64);
    assert_string_equal(kept(&b), "");
    log_recent_add("one\n", 4);
    log_recent_add("two\n", 4);
    assert_string_equal(kept(&b), "one\ntwo\n");
    for (int i = 0; i < 1000; i++) {
        int n = snprintf(line, sizeof line, "line %d\n", i);
        log_recent_add(line, (size_t)n);
        const char *text = kept(&b);
        assert_true(b.len <= 64);
        assert_true(strncmp(text, "line ", 5) == 0 || strncmp(text, "one\n", 4) == 0 || strncmp(text, "two\n", 4) == 0);
        assert_true(b.len >= (size_t)n);
        assert_string_equal(text + b.len - n, line);
    }
    log_keep_recent(0);
    assert_string_equal(kept(&b), "");
    buf_free(&b);
}

static void a_line_longer_than_the_ring(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    log_keep_recent(8);
    log_recent_add("short\n", 6);
    log_recent_add("much too long\n", 14);
    assert_string_equal(kept(&b), "short\n");
    log_recent_add("7 bytes\n", 8); /* just fits */
    log_recent_add("x\n", 2);
    assert_string_equal(kept(&b), "x\n");
    log_recent_add("yz\n", 3);
    assert_string_equal(kept(&b), "x\nyz\n");
    log_keep_recent(0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_whole_lines),
                                       cmocka_unit_test(a_line_longer_than_the_ring)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
