/*
 * inlet: on a clock of ours: what a message makes of people, what time does to it, and what is refused without a trace
 * in the table. Signatures and the way in by HTTP are the integration tests' (relay.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "config_files.h"
#include "gateway_private.h"
#include "inlet.h"
#include "presence/render.h"
#include "relay_message.h"

#define NOW INT64_C(1800014400) /* 2027-01-15T12:00:00Z */

struct fixture {
    char *folder;
    struct clk *clk;
    struct loop *loop;
    struct gateway *g;
    struct gw_inlet *inlet;
    pres_id anna, bert, caro;
    uint64_t sequence;
};

static const char config_text[] = "servers:\n"
                                  "  - { name: inside, kind: relay, relay: { from: exporter, expiry: 1h } }\n"
                                  "  - { name: other, kind: relay, relay: { from: nobody } }\n"
                                  "users:\n"
                                  "  - { address: Anna@example.test, server: inside }\n"
                                  "  - { address: bert@example.test, server: inside }\n"
                                  "  - { address: caro@example.test, server: other }\n"
                                  "publish: { http: { listen: [] } }\n"
                                  "control: { socket: %s/control.sock }\n";

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct gw_config_error err;
    char text[2000], why[300];
    log_set_level(LOG_LEVEL_ERROR);
    f->folder = files_folder();
    snprintf(text, sizeof text, config_text, f->folder);
    files_write(f->folder, "c.yaml", 0600, text);
    f->clk = clk_fake_new(NOW * 1000);
    f->loop = loop_new(f->clk);
    struct gw_config *config = gw_config_read(files_path(f->folder, "c.yaml"), &err);
    if (!config)
        fail_msg("%s", err.why);
    f->g = gw_new(f->loop, config, why, sizeof why);
    if (!f->g)
        fail_msg("%s", why);
    f->inlet = f->g->servers[0]->relay;
    f->anna = pres_table_find(f->g->table, "anna@example.test");
    f->bert = pres_table_find(f->g->table, "bert@example.test");
    f->caro = pres_table_find(f->g->table, "caro@example.test");
    f->sequence = 100;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    gw_free(&f->g);
    loop_free(&f->loop);
    clk_fake_free(&f->clk);
    files_remove(f->folder);
    free(f);
    return 0;
}

static int64_t now_s(const struct fixture *f)
{
    return clk_wall_s(f->clk);
}

static struct gw_relay_head head_of(struct fixture *f)
{
    return (struct gw_relay_head){.stream = "inside", .sequence = ++f->sequence, .made = now_s(f), .keep_s = 900};
}

/* Busy from a minute ago on, for an hour. */
static void add_busy(struct fixture *f, struct buf *out, const char *address)
{
    const struct pres_interval busy = {now_s(f) - 60, now_s(f) + 3600, PRES_BUSY};
    struct pres_set *set = pres_set_build(&busy, 1, now_s(f) - 86400, now_s(f) + 86400);
    pres_render_vfb_part(out, address, set, now_s(f) - 86400, now_s(f) + 86400, now_s(f));
    free(set);
}

static enum gw_inlet_refusal tell(struct fixture *f, const struct gw_relay_head *head, const char *about,
                                  const char *only)
{
    struct buf out;
    buf_init(&out, GW_RELAY_MESSAGE_MAX);
    gw_relay_begin(&out, head, NULL);
    if (about && head->cancel)
        gw_relay_add_cancel(&out, about, now_s(f));
    else if (about)
        add_busy(f, &out, about);
    gw_relay_end(&out, NULL, 0);
    enum gw_inlet_refusal refusal = gw_inlet_take(f->inlet, only, out.data, out.len);
    buf_free(&out);
    loop_advance(f->loop, 1);
    return refusal;
}

static enum gw_inlet_refusal digest(struct fixture *f, const char *address, uint64_t sequence, int64_t age_s)
{
    struct gw_relay_head head = head_of(f);
    struct buf out;
    head.parts = 1;
    buf_init(&out, GW_RELAY_MESSAGE_MAX);
    gw_relay_begin(&out, &head, NULL);
    if (address)
        gw_relay_add_has(&out, address, sequence, age_s);
    gw_relay_end(&out, NULL, 0);
    enum gw_inlet_refusal refusal = gw_inlet_take(f->inlet, NULL, out.data, out.len);
    buf_free(&out);
    loop_advance(f->loop, 1);
    return refusal;
}

static enum pres_kind state_of(const struct fixture *f, pres_id id)
{
    struct pres_presence p;
    pres_table_presence(f->g->table, id, &p);
    return p.state;
}

static void told(void **state)
{
    struct fixture *f = *state;
    struct gw_relay_head head = head_of(f);
    assert_int_equal(tell(f, &head, "anna@example.test", NULL), GW_INLET_WELL);
    assert_int_equal(state_of(f, f->anna), PRES_BUSY);
    assert_int_equal(state_of(f, f->bert), PRES_UNKNOWN);
    assert_int_equal(tell(f, &head, "bert@example.test", NULL), GW_INLET_REPLAYED);
    head.sequence--;
    assert_int_equal(tell(f, &head, "bert@example.test", NULL), GW_INLET_REPLAYED);
    assert_int_equal(state_of(f, f->bert), PRES_UNKNOWN);
    head = head_of(f);
    head.cancel = true;
    assert_int_equal(tell(f, &head, "ANNA@example.test", NULL), GW_INLET_WELL);
    assert_int_equal(state_of(f, f->anna), PRES_UNKNOWN);
}

static void not_theirs(void **state)
{
    struct fixture *f = *state;
    struct gw_relay_head head = head_of(f);
    assert_int_equal(tell(f, &head, "caro@example.test", NULL), GW_INLET_WELL); /* left out */
    assert_int_equal(state_of(f, f->caro), PRES_UNKNOWN);
    head = head_of(f);
    assert_int_equal(tell(f, &head, "caro@example.test", "caro@example.test"), GW_INLET_PERSON);
    head = head_of(f);
    assert_int_equal(tell(f, &head, "bert@example.test", "anna@example.test"), GW_INLET_PERSON);
    head = head_of(f);
    assert_int_equal(tell(f, &head, "nobody@example.test", NULL), GW_INLET_WELL);
    assert_int_equal(state_of(f, f->bert), PRES_UNKNOWN);
    head = head_of(f);
    assert_int_equal(tell(f, &head, NULL, NULL), GW_INLET_WELL); /* the line is up */
}

static void of_another_time(void **state)
{
    struct fixture *f = *state;
    struct gw_relay_head head = head_of(f);
    head.made = now_s(f) - 900;
    assert_int_equal(tell(f, &head, "anna@example.test", NULL), GW_INLET_EXPIRED);
    head.made = now_s(f) + 301;
    assert_int_equal(tell(f, &head, "anna@example.test", NULL), GW_INLET_EXPIRED);
    head.made = now_s(f) - 899;
    assert_int_equal(tell(f, &head, "anna@example.test", NULL), GW_INLET_WELL); /* none of them spent the number */
    snprintf(head.stream, sizeof head.stream, "elsewhere");
    head.sequence = ++f->sequence;
    assert_int_equal(tell(f, &head, "bert@example.test", NULL), GW_INLET_STREAM);
}

/* The exporter's word, where it is shorter than ours; unknown at its second, and a digest moves that. */
static void silence(void **state)
{
    struct fixture *f = *state;
    struct gw_relay_head head = head_of(f);
    assert_int_equal(tell(f, &head, "anna@example.test", NULL), GW_INLET_WELL);
    loop_advance(f->loop, 600 * 1000);
    assert_int_equal(digest(f, "anna@example.test", head.sequence, 30), GW_INLET_WELL);
    loop_advance(f->loop, 869 * 1000);
    assert_int_equal(state_of(f, f->anna), PRES_BUSY);
    loop_advance(f->loop, 2 * 1000);
    assert_int_equal(state_of(f, f->anna), PRES_UNKNOWN);
    loop_advance(f->loop, 60 * 1000);
    struct dav_session_info info;
    gw_inlet_info(f->inlet, &info);
    assert_string_equal(info.code, "relay-silent");
    head = head_of(f);
    assert_int_equal(tell(f, &head, "anna@example.test", NULL), GW_INLET_WELL);
    gw_inlet_info(f->inlet, &info);
    assert_null(info.code);
    assert_int_equal(state_of(f, f->anna), PRES_BUSY);
}

static void digests(void **state)
{
    struct fixture *f = *state;
    struct gw_relay_head head = head_of(f), second;
    tell(f, &head, "anna@example.test", NULL);
    second = head_of(f);
    tell(f, &second, "bert@example.test", NULL);
    assert_int_equal(digest(f, "anna@example.test", head.sequence + 1, 0),
                     GW_INLET_MISSED); /* he is not in it, either */
    assert_int_equal(state_of(f, f->anna), PRES_BUSY);
    assert_int_equal(state_of(f, f->bert), PRES_UNKNOWN);
    assert_int_equal(digest(f, "anna@example.test", 0, 0), GW_INLET_WELL); /* "leave it as it is" */
    assert_int_equal(state_of(f, f->anna), PRES_BUSY);
    assert_int_equal(digest(f, "caro@example.test", 1, 0), GW_INLET_WELL); /* none of our business, and she is gone */
    assert_int_equal(state_of(f, f->anna), PRES_UNKNOWN);
    assert_int_equal(digest(f, NULL, 0, 0), GW_INLET_WELL);
}

/* Somebody else's program: no head of ours, and the path says whose it is. */
/* Several calendars in one file count together, for the time that all of them speak of, or not at all. */
static void several_calendars(void **state)
{
    static const char begin[] = "BEGIN:VCALENDAR\nVERSION:2.0\n", end[] = "END:VCALENDAR\n";
    struct fixture *f = *state;
    struct buf free_one, out;
    buf_init(&free_one, 10000);
    buf_init(&out, 400000);
    buf_addf(&free_one, "%sBEGIN:VFREEBUSY\nDTSTART:20260101T000000Z\nDTEND:20400101T000000Z\nEND:VFREEBUSY\n%s", begin,
             end);
    buf_addf(&out, "%s%s", free_one.data, begin);
    add_busy(f, &out, "whoever@elsewhere.test");
    buf_adds(&out, end);
    size_t two = out.len;
    buf_adds(&out, "BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\nEND:VFREEBUSY\nEND:VCALENDAR\n");
    assert_int_equal(gw_inlet_take(f->inlet, "anna@example.test", out.data, out.len), GW_INLET_MALFORMED);
    loop_advance(f->loop, 1);
    assert_int_equal(state_of(f, f->anna), PRES_UNKNOWN);
    assert_int_equal(gw_inlet_take(f->inlet, "anna@example.test", out.data, two), GW_INLET_WELL);
    loop_advance(f->loop, 1);
    assert_int_equal(state_of(f, f->anna), PRES_BUSY);
    buf_reset(&out);
    buf_addf(&out, "%s%sBEGIN:VFREEBUSY\nDTSTART:20500101T000000Z\nDTEND:20600101T000000Z\nEND:VFREEBUSY\n%s",
             free_one.data, begin, end);
    assert_int_equal(gw_inlet_take(f->inlet, "bert@example.test", out.data, out.len), GW_INLET_MALFORMED);
    buf_reset(&out);
    for (unsigned i = 0; i < 101; i++)
        buf_adds(&out, free_one.data);
    assert_int_equal(gw_inlet_take(f->inlet, "bert@example.test", out.data, out.len), GW_INLET_MALFORMED);
    loop_advance(f->loop, 1);
    assert_int_equal(state_of(f, f->bert), PRES_UNKNOWN);
    assert_int_equal(gw_inlet_take(f->inlet, "bert@example.test", out.data, out.len - free_one.len), GW_INLET_WELL);
    loop_advance(f->loop, 1);
    assert_int_equal(state_of(f, f->bert), PRES_FREE);
    buf_free(&free_one);
    buf_free(&out);
}

static void plain(void **state)
{
    struct fixture *f = *state;
    struct buf out;
    buf_init(&out, 10000);
    buf_adds(&out, "BEGIN:VCALENDAR\nVERSION:2.0\n");
    add_busy(f, &out, "whoever@elsewhere.test");
    buf_adds(&out, "END:VCALENDAR\n");
    assert_int_equal(gw_inlet_take(f->inlet, NULL, out.data, out.len), GW_INLET_PERSON); /* whose is it? */
    assert_int_equal(gw_inlet_take(f->inlet, "anna@example.test", out.data, out.len), GW_INLET_WELL);
    loop_advance(f->loop, 1);
    assert_int_equal(state_of(f, f->anna), PRES_BUSY);
    assert_int_equal(gw_inlet_take(f->inlet, "caro@example.test", out.data, out.len), GW_INLET_PERSON);
    assert_int_equal(gw_inlet_take(f->inlet, "bert@example.test", out.data, out.len - 20), GW_INLET_MALFORMED);
    assert_int_equal(gw_inlet_take(f->inlet, "bert@example.test", "", 0), GW_INLET_MALFORMED);
    assert_int_equal(state_of(f, f->bert), PRES_UNKNOWN);
    assert_int_equal(gw_inlet_delete(f->inlet, "anna@example.test"), GW_INLET_WELL);
    assert_int_equal(gw_inlet_delete(f->inlet, "caro@example.test"), GW_INLET_PERSON);
    loop_advance(f->loop, 1);
    assert_int_equal(state_of(f, f->anna), PRES_UNKNOWN);
    buf_free(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(told),    TEST(not_theirs), TEST(of_another_time),
                                       TEST(silence), TEST(digests),    TEST(plain),
                                       TEST(several_calendars)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
