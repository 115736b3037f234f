/* Who is forgotten: each watcher is told once, whatever the stream does, and no row is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xmpp_world.h"

#define ALICE "alice@example.com"
#define CONTACT "alice\\40example.com@cal.example"

static void watch(struct world *w, const char *who, const char *contact)
{
    char text[300];
    int len = snprintf(text, sizeof text, "<presence type='subscribe' from='%s' to='%s'/>", who, contact);
    world_say(w, text, (size_t)len);
}

/* How many stanzas of the type `type` came for `who`, of all that come now. */
static unsigned told(struct world *w, const char *type, const char *who)
{
    unsigned n = 0;
    struct buf one;
    buf_init(&one, 65536);
    while (world_stanza(w, &one))
        n += strstr(one.data, type) && strstr(one.data, who);
    buf_free(&one);
    return n;
}

static void drain(struct world *w)
{
    (void)told(w, "", "");
}

static struct world *watched(void)
{
    struct world *w = world_new();
    world_set(w, ALICE, PRES_FREE, 0, 1);
    world_set(w, "ben@example.com", PRES_FREE, 0, 1);
    world_start(w);
    assert_true(world_connect(w));
    watch(w, "bob@im.example", CONTACT);
    watch(w, "eve@im.example", CONTACT);
    watch(w, "bob@im.example", "alice%example.com@cal.example");
    watch(w, "bob@im.example", "ben\\40example.com@cal.example");
    drain(w);
    assert_int_equal(w->row_count, 4);
    return w;
}

static void leave(struct world *w, const char *address)
{
    pres_id id = pres_table_find(w->table, address);
    if (id != PRES_NOBODY) {
        pres_table_remove(w->table, id);
        pres_publisher_people_changed(w->publisher);
    }
    pres_publisher_forget(w->publisher, address);
}

static void test_told_in_each_spelling(void **state)
{
    struct world *w = watched();
    (void)state;
    leave(w, ALICE);
    assert_int_equal(w->row_count, 1);
    assert_int_equal(told(w, "'unsubscribed'", "bob@im.example"), 2);
    pres_publisher_forget(w->publisher, ALICE);
    drain(w);
    watch(w, "eve@im.example", CONTACT);
    assert_int_equal(told(w, "'unsubscribed'", "eve@im.example"), 1);
    assert_int_equal(w->row_count, 1);
    world_free(&w);
}

/* Without a stream the rows stay until the watchers were told. */
static void test_told_when_the_stream_is_back(void **state)
{
    struct world *w = watched();
    (void)state;
    world_hang_up(w);
    for (int i = 0; i < 20; i++)
        world_turn(w);
    leave(w, ALICE);
    assert_int_equal(w->row_count, 4);
    loop_advance(w->loop, 1500);
    assert_true(world_connect(w));
    assert_int_equal(told(w, "'unsubscribed'", "im.example'"), 3);
    assert_int_equal(w->row_count, 1);
    world_free(&w);
}

/* Taken back before anybody was told: then nothing is said. */
static void test_taken_back(void **state)
{
    struct world *w = watched();
    (void)state;
    world_hang_up(w);
    for (int i = 0; i < 20; i++)
        world_turn(w);
    leave(w, ALICE);
    world_set(w, ALICE, PRES_BUSY, WORLD_NOON - 60, WORLD_NOON + 3600);
    pres_publisher_people_changed(w->publisher);
    loop_advance(w->loop, 1500);
    assert_true(world_connect(w));
    assert_int_equal(told(w, "'unsubscribed'", "im.example'"), 0);
    assert_int_equal(w->row_count, 4);
    world_free(&w);
}

/* A watcher is forgotten; so is a request that nobody has decided. */
static void test_watchers_and_requests(void **state)
{
    struct world *w = watched();
    (void)state;
    leave(w, "Bob@im.example");
    assert_int_equal(w->row_count, 1);
    assert_int_equal(told(w, "'unsubscribed'", "bob@im.example"), 3);
    world_free(&w);

    w = world_new();
    w->admins[w->admin_count++] = "root@im.example";
    w->allow_count = 0;
    world_set(w, ALICE, PRES_FREE, 0, 1);
    world_start(w);
    assert_true(world_connect(w));
    watch(w, "eve@other.example", CONTACT);
    drain(w);
    assert_int_equal(w->row_count, 1);
    leave(w, ALICE);
    assert_int_equal(w->row_count, 0);
    assert_int_equal(told(w, "'unavailable'", "eve@other.example"), 0);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told_in_each_spelling),
        cmocka_unit_test(test_told_when_the_stream_is_back),
        cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_watchers_and_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
