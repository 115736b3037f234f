/*
 * caldav_store: what is kept of persons and their calendars, its ends, and who has it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "caldav_store.h"

#define DAY 86400

static struct dav_store *store;

static int set_up(void **state)
{
    (void)state;
    store = dav_store_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dav_store_free(store);
    return 0;
}

static void put_text(struct dav_kept *kept, uint64_t name, const char *zone, const char *text)
{
    struct dav_compacted compacted;

    dav_store_begin(store, &compacted, 1 << 20);
    if (zone != NULL)
        assert_true(dav_store_on_zone(&compacted, zone, strlen(zone)));
    buf_adds(&compacted.events, text);
    dav_store_put(&compacted, kept, name, 1);
    dav_store_end(&compacted);
}

static size_t count_of(const char *key, int64_t now)
{
    struct dav_person *person = dav_store_open(store, key, now);
    size_t count = dav_person_calendar(person, "/c/", 0)->count;

    dav_store_close(store, &person, true);
    return count;
}

static void zones_are_kept_once_and_come_back(void **state)
{
    struct dav_person *person = dav_store_open(store, "anna", 0);
    struct dav_kept *kept = dav_person_calendar(person, "/c/", 0);
    struct buf out;

    (void)state;
    put_text(kept, 2, "ZONE A\r\n", "EVENT 2\r\n");
    put_text(kept, 1, "ZONE A\r\n", "EVENT 1\r\n");
    put_text(kept, 3, "ZONE B\r\n", "");
    dav_kept_settle(kept);
    assert_string_equal(dav_kept_find(kept, 1)->text, "0\nEVENT 1\r\n");
    assert_null(dav_kept_find(kept, 3)->text); /* what is over needs no zone */
    buf_init(&out, 1 << 16);
    assert_true(dav_store_compose(store, dav_kept_find(kept, 2), &out));
    assert_string_equal(out.data, "BEGIN:VCALENDAR\r\nZONE A\r\nEVENT 2\r\nEND:VCALENDAR\r\n");
    dav_kept_put(kept, 4, 1, "77\nEVENT\r\n", 10, false); /* a zone that does not exist */
    dav_kept_settle(kept);
    assert_false(dav_store_compose(store, dav_kept_find(kept, 4), &out));
    buf_free(&out);
    dav_store_close(store, &person, true);
}

static void put_sweep_and_remove(void **state)
{
    struct dav_person *person = dav_store_open(store, "anna", 0);
    struct dav_kept *kept = dav_person_calendar(person, "/c/", 0);

    (void)state;
    for (uint64_t name = 50; name > 0; name--)
        dav_kept_put(kept, name, 1, "x", 1, false);
    dav_kept_put(kept, 7, 2, "yy", 2, false); /* twice before it is settled */
    dav_kept_settle(kept);
    assert_int_equal(kept->count, 50);
    kept->round++;
    dav_kept_find(kept, 20)->round = kept->round;
    dav_kept_put(kept, 30, 3, "z", 1, false);
    dav_kept_remove(kept, 20);
    dav_kept_remove(kept, 999);
    dav_kept_sweep(kept);
    assert_int_equal(kept->count, 1);
    assert_int_equal(kept->resources[0].name, 30);
    assert_int_equal(kept->bytes, sizeof(struct dav_resource) + 1);
    dav_kept_clear(kept);
    assert_int_equal(kept->bytes, 0);
    dav_store_close(store, &person, true);
}

static void a_second_question_is_a_stranger(void **state)
{
    struct dav_person *first = dav_store_open(store, "anna", 0), *second = dav_store_open(store, "anna", 0);

    (void)state;
    assert_ptr_not_equal(first, second);
    dav_kept_put(dav_person_calendar(first, "/c/", 0), 1, 1, "x", 1, false);
    assert_int_equal(dav_person_calendar(second, "/c/", 0)->count, 0);
    dav_store_close(store, &second, true);
    dav_store_close(store, &first, true);
    assert_int_equal(count_of("anna", 0), 1);
}

static void who_is_not_asked_about_is_forgotten(void **state)
{
    struct dav_person *person;

    (void)state;
    for (int i = 0; i < 40; i++) { /* 40 times 8 MiB are more than a session keeps */
        static char text[8 << 20];
        char key[20];

        memset(text, 'x', sizeof(text));
        snprintf(key, sizeof(key), "p%d", i);
        person = dav_store_open(store, key, i);
        dav_kept_put(dav_person_calendar(person, "/c/", 0), 1, 1, text, sizeof(text), false);
        assert_false(dav_person_is_full(person));
        dav_store_close(store, &person, true);
    }
    assert_int_equal(count_of("p39", 40), 1);
    assert_int_equal(count_of("p0", 40), 0);
    assert_int_equal(count_of("p38", 3 * DAY), 1);
    assert_int_equal(count_of("p37", 3 * DAY), 0); /* two days */
}

static void a_calendar_gone_or_a_window_further_back(void **state)
{
    struct dav_person *person = dav_store_open(store, "anna", 0);
    struct dav_kept *kept = dav_person_calendar(person, "/c/", 1000);

    (void)state;
    dav_kept_put(kept, 1, 1, "x", 1, false);
    kept->from = 1000;
    dav_kept_put(dav_person_calendar(person, "/d/", 1000), 1, 1, "x", 1, false);
    dav_store_close(store, &person, true);
    person = dav_store_open(store, "anna", 0);
    assert_int_equal(dav_person_calendar(person, "/c/", 1000)->count, 1);
    dav_store_close(store, &person, true); /* /d/ was not asked for */
    person = dav_store_open(store, "anna", 0);
    assert_int_equal(dav_person_calendar(person, "/d/", 1000)->count, 0);
    assert_int_equal(dav_person_calendar(person, "/c/", 999)->count, 0);
    dav_store_close(store, &person, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(zones_are_kept_once_and_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(put_sweep_and_remove, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_question_is_a_stranger, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_not_asked_about_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_calendar_gone_or_a_window_further_back, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
