/*
 * Reload: whole or not at all, and nobody notices who need not. A real gateway with its faces, whose servers are at a
 * port where nobody listens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "check.h"
#include "config_files.h"
#include "gateway_world.h"

#define HQ                                                                                                             \
    "  - { name: hq, kind: exchange, url: 'http://127.0.0.1:1/exchange/', account: a, password_file: pw, auth: "       \
    "[basic] }\n"
#define OFFICE                                                                                                         \
    "  - { name: office, kind: caldav, url: 'http://127.0.0.1:1/', account: a, password_file: pw, auth: [basic] }\n"
#define PUBLISH "publish: { http: { listen: ['127.0.0.1:0'] } }\n"

static void write_config(struct fixture *f, const char *servers, const char *rest)
{
    char text[8000];
    snprintf(text, sizeof text, "servers:\n%s%scontrol: { socket: %s/control.sock }\n", servers, rest, f->folder);
    files_write(f->folder, "c.yaml", 0600, text);
}

static void reload(struct fixture *f)
{
    if (!reload_now(f, false))
        fail_msg("refused: %s", f->why);
    assert_null(gw_reload_error(f->g));
}

/* The last step alone: no poll comes in between. */
static void swap(struct fixture *f)
{
    struct gw_config_error err;
    struct gw_config *c = gw_config_read(files_path(f->folder, "c.yaml"), &err);
    if (!c || !gw_swap(f->g, c, NULL, f->why, sizeof f->why))
        fail_msg("refused: %s", c ? f->why : err.why);
}

static void refused(struct fixture *f, const char *words)
{
    assert_false(reload_now(f, false));
    if (!strstr(f->why, words))
        fail_msg("\"%s\" is not in: %s", words, f->why);
    assert_string_equal(gw_reload_error(f->g), f->why);
}

static pres_id find(struct fixture *f, const char *address)
{
    return pres_table_find(gw_table(f->g), address);
}

static const char *server_of(struct fixture *f, const char *address)
{
    struct gw_person_view view;
    pres_id id = find(f, address);
    assert_int_not_equal(id, PRES_NOBODY);
    gw_person_view(f->g, id, &view);
    return view.server;
}

/* A good answer: busy for two hours. */
static void make_busy(struct fixture *f, const char *address)
{
    int64_t now = clk_wall_s(f->clk);
    struct dav_span span = {.start = now - 60, .end = now + 7200, .kind = DAV_BUSY};
    struct dav_result r = {
        .spans = &span, .count = 1, .from = now - 86400, .until = now + 86400, .as_of = now, .requests = 1};
    gw_feed_ops.answer(f->g, find(f, address), &r);
    loop_advance(f->loop, 0);
}

static enum pres_kind state_of(struct fixture *f, const char *address)
{
    struct pres_presence p;
    pres_table_presence(gw_table(f->g), find(f, address), &p);
    return p.state;
}

static void assert_counts(struct fixture *f)
{
    size_t all = 0;
    for (size_t i = 0; i < gw_server_count(f->g); i++) {
        struct gw_server_view v;
        gw_server_view(f->g, i, &v);
        assert_int_equal(v.persons, v.fresh + v.ageing + v.stale + v.unknown);
        all += v.persons;
    }
    assert_int_equal(all, pres_table_count(gw_table(f->g)));
}

static void unchanged(void **state)
{
    struct fixture *f = *state;
    write_config(f, HQ, "users: [ { address: a@x }, { address: b@x } ]\n" PUBLISH);
    start(f);
    make_busy(f, "a@x");
    struct dav_session *session = f->g->servers[0]->session;
    struct gw_http *http = gw_http(f->g);
    unsigned port = gw_http_port(http, 0);
    assert_int_not_equal(port, 0);
    reload(f);
    assert_ptr_equal(f->g->servers[0]->session, session);
    assert_ptr_equal(gw_http(f->g), http);
    assert_int_equal(gw_http_port(gw_http(f->g), 0), port);
    assert_int_equal(state_of(f, "a@x"), PRES_BUSY);
    assert_int_equal(gw_reloaded_at(f->g), clk_wall_s(f->clk));
    assert_counts(f);
}

/* Servers change places, one goes, people move: each stays with their server, and with what is known. */
static void servers_come_and_go(void **state)
{
    struct fixture *f = *state;
    write_config(f, HQ OFFICE,
                 "users: [ { address: a@x, server: hq }, { address: b@x, server: office }, { address: c@x, server: hq "
                 "} ]\n" PUBLISH);
    start(f);
    make_busy(f, "a@x");
    make_busy(f, "b@x");
    make_busy(f, "c@x");
    struct dav_session *hq = f->g->servers[0]->session, *office = f->g->servers[1]->session;
    write_config(f, OFFICE HQ,
                 "users: [ { address: a@x, server: hq }, { address: b@x, server: office }, { address: c@x, server: "
                 "office } ]\n" PUBLISH);
    reload(f);
    assert_ptr_equal(f->g->servers[0]->session, office);
    assert_ptr_equal(f->g->servers[1]->session, hq);
    assert_string_equal(server_of(f, "a@x"), "hq");
    assert_string_equal(server_of(f, "b@x"), "office");
    assert_string_equal(server_of(f, "c@x"), "office");
    assert_int_equal(pres_table_server(gw_table(f->g), find(f, "a@x")), 1); /* the configuration's number */
    assert_counts(f);
    write_config(f, OFFICE, "users: [ { address: b@x }, { address: c@x }, { address: d@x } ]\n" PUBLISH);
    reload(f);
    assert_int_equal(gw_server_count(f->g), 1);
    assert_int_equal(find(f, "a@x"), PRES_NOBODY);
    assert_string_equal(server_of(f, "d@x"), "office");
    assert_int_equal(state_of(f, "b@x"), PRES_BUSY);
    assert_int_equal(state_of(f, "c@x"), PRES_BUSY);
    assert_int_equal(state_of(f, "d@x"), PRES_UNKNOWN);
    assert_counts(f);
    loop_advance(f->loop, 5000); /* the poller goes on with what is there */
}

static void account_changed(void **state)
{
    struct fixture *f = *state;
    write_config(f, HQ, "users: [ { address: a@x } ]\n" PUBLISH);
    start(f);
    loop_advance(f->loop, 100);
    make_busy(f, "a@x");
    gw_person_extra(&f->g->persons[find(f, "a@x")])->remember = mem_strdup("http://old/place");
    struct dav_session *session = f->g->servers[0]->session;
    write_config(f,
                 "  - { name: hq, kind: exchange, url: 'http://127.0.0.1:1/exchange/', account: a, password_file: pw, "
                 "auth: [basic], max_connections: 2 }\n",
                 "users: [ { address: a@x } ]\n" PUBLISH);
    swap(f);
    assert_ptr_not_equal(f->g->servers[0]->session, session);
    struct gw_person_view view;
    gw_person_view(f->g, find(f, "a@x"), &view);
    assert_string_equal(view.remember, "http://old/place");
    write_config(f,
                 "  - { name: hq, kind: exchange, url: 'http://127.0.0.1:1/other/', account: a, password_file: pw, "
                 "auth: [basic] }\n",
                 "users: [ { address: a@x } ]\n" PUBLISH);
    swap(f);
    gw_person_view(f->g, find(f, "a@x"), &view);
    assert_null(view.remember);
    assert_int_equal(state_of(f, "a@x"), PRES_BUSY);
}

static void nothing_by_halves(void **state)
{
    struct fixture *f = *state;
    write_config(f, HQ, "users: [ { address: a@x } ]\n" PUBLISH);
    start(f);
    make_busy(f, "a@x");
    const struct gw_config *config = gw_config(f->g);
    struct gw_http *http = gw_http(f->g);
    write_config(f, HQ, "users: [ { address: b@x }, { adress: c@x } ]\n" PUBLISH);
    refused(f, "users[1].adress: unknown key");

    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_int_equal(bind(taken, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(taken, 1), 0);
    getsockname(taken, (struct sockaddr *)&address, &len);
    char publish[300];
    snprintf(
        publish, sizeof publish,
        "users: [ { address: b@x, server: hq } ]\npublish: { http: { listen: ['127.0.0.1:0', '127.0.0.1:%u'] } }\n",
        ntohs(address.sin_port));
    write_config(f, HQ OFFICE, publish);
    refused(f, "Address already in use");
    close(taken);

    assert_ptr_equal(gw_config(f->g), config);
    assert_ptr_equal(gw_http(f->g), http);
    assert_int_equal(gw_server_count(f->g), 1);
    assert_int_equal(find(f, "b@x"), PRES_NOBODY);
    assert_int_equal(state_of(f, "a@x"), PRES_BUSY);
    write_config(f, HQ, "users: [ { address: b@x } ]\n" PUBLISH);
    reload(f); /* and it can still */
    assert_int_equal(find(f, "a@x"), PRES_NOBODY);
}

static void names_change_hands(void **state)
{
    struct fixture *f = *state;
    write_config(f, HQ,
                 "users: [ { address: a@x, publish_as: one@y }, { address: b@x, publish_as: two@y }, { address: c@x } "
                 "]\n" PUBLISH);
    start(f);
    pres_id a = find(f, "a@x"), b = find(f, "b@x");
    make_busy(f, "a@x");
    write_config(f, HQ,
                 "users: [ { address: a@x, publish_as: two@y }, { address: b@x, publish_as: one@y }, { address: d@x, "
                 "publish_as: c@x } ]\n" PUBLISH);
    reload(f);
    assert_int_equal(find(f, "a@x"), a);
    assert_int_equal(find(f, "two@y"), a);
    assert_int_equal(find(f, "one@y"), b);
    assert_int_equal(find(f, "c@x"), find(f, "d@x"));
    assert_int_equal(state_of(f, "two@y"), PRES_BUSY);
    assert_counts(f);
}

static bool accepts(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return ok;
}

/* An address that stays keeps its socket, even where a second one comes beside it; one that goes is closed. */
static void listeners(void **state)
{
    struct fixture *f = *state;
    write_config(f, HQ, "users: [ { address: a@x } ]\n" PUBLISH);
    start(f);
    unsigned port = gw_http_port(gw_http(f->g), 0);
    struct gw_http *before = gw_http(f->g);
    write_config(
        f, HQ,
        "users: [ { address: a@x } ]\npublish: { http: { listen: ['127.0.0.1:0', '[::1]:0'], max_connections: 9 } }\n");
    if (!reload_now(f, false)) { /* a machine without IPv6 */
        assert_non_null(strstr(f->why, "[::1]:0"));
        write_config(f, HQ,
                     "users: [ { address: a@x } ]\npublish: { http: { listen: ['127.0.0.1:0', '127.0.0.2:0'], "
                     "max_connections: 9 } }\n");
        reload(f);
    }
    assert_ptr_not_equal(gw_http(f->g), before);
    assert_int_equal(gw_http_port(gw_http(f->g), 0), port);
    assert_int_not_equal(gw_http_port(gw_http(f->g), 1), 0);
    assert_true(accepts(port));
    loop_advance(f->loop, 2000); /* the old face goes */
    assert_true(accepts(port));
    write_config(f, HQ, "users: [ { address: a@x } ]\npublish: { http: { listen: [] } }\n");
    reload(f);
    loop_advance(f->loop, 2000);
    loop_turn(f->loop, 0);
    assert_false(accepts(port));
}

static void control_socket_moves(void **state)
{
    struct fixture *f = *state;
    write_config(f, HQ, "users: [ { address: a@x } ]\n" PUBLISH);
    start(f);
    assert_int_equal(access(files_path(f->folder, "control.sock"), F_OK), 0);
    char text[2000];
    snprintf(text, sizeof text,
             "servers:\n" HQ "users: [ { address: a@x } ]\n" PUBLISH "control: { socket: %s/other.sock }\n", f->folder);
    files_write(f->folder, "c.yaml", 0600, text);
    reload(f);
    assert_int_equal(access(files_path(f->folder, "other.sock"), F_OK), 0);
    loop_advance(f->loop, 2000);
    loop_turn(f->loop, 0);
    assert_int_not_equal(access(files_path(f->folder, "control.sock"), F_OK), 0);
}

static void age_changes(void **state)
{
    struct fixture *f = *state;
    write_config(f, HQ, "users: [ { address: a@x } ]\n" PUBLISH);
    start(f);
    make_busy(f, "a@x");
    write_config(f, HQ, "users: [ { address: a@x } ]\npoll: { interval: 2s }\npresence: { stale_after: 5s }\n" PUBLISH);
    reload(f);
    assert_int_equal(state_of(f, "a@x"), PRES_BUSY);
    clk_fake_advance(f->clk, 6000);
    assert_int_equal(state_of(f, "a@x"), PRES_UNKNOWN);
}

/* The watched files: time passes, the worker looks, the loop takes what it found. */
static void until(struct fixture *f, bool (*reached)(struct fixture *f))
{
    for (int i = 0; i < 2000 && !reached(f); i++) {
        loop_advance(f->loop, 100);
        loop_turn(f->loop, 1);
    }
    assert_true(reached(f));
}

static bool bob_is_there(struct fixture *f)
{
    return find(f, "bob@x") != PRES_NOBODY;
}

static bool bob_is_gone(struct fixture *f)
{
    return !bob_is_there(f);
}

static bool secret_is_new(struct fixture *f)
{
    size_t len;
    return strcmp(secret_bytes(f->g->servers[0]->secret, &len), "another") == 0;
}

static bool secret_is_complained_about(struct fixture *f)
{
    struct gw_server_view view;
    gw_server_view(f->g, 0, &view);
    return view.secret_note != NULL;
}

static bool no_complaint(struct fixture *f)
{
    return !secret_is_complained_about(f);
}

static void csv_is_watched(void **state)
{
    struct fixture *f = *state;
    files_write(f->folder, "u.csv", 0600, "address\nalice@x\n");
    write_config(f, HQ, "users: [ { file: u.csv } ]\n" PUBLISH);
    start(f);
    assert_string_equal(gw_check_default_user(gw_config(f->g), "hq"), "alice@x"); /* whom a check asks about */
    make_busy(f, "alice@x");
    files_write(f->folder, "u.csv", 0600, "address,group\nalice@x,g\ngarbage\nbob@x,g\n");
    until(f, bob_is_there);
    assert_int_equal(state_of(f, "alice@x"), PRES_BUSY);
    assert_string_equal(pres_table_group(gw_table(f->g), find(f, "alice@x")), "g");
    files_write(f->folder, "u.csv", 0600, "no,header\n");
    loop_advance(f->loop, 10000);
    for (int i = 0; i < 100; i++)
        loop_turn(f->loop, 1);
    assert_true(bob_is_there(f)); /* a file that cannot be used removes nobody */
    files_write(f->folder, "u.csv", 0600, "address\nalice@x\n");
    until(f, bob_is_gone);
    assert_int_equal(state_of(f, "alice@x"), PRES_BUSY);
    assert_counts(f);
}

static void secret_is_watched(void **state)
{
    struct fixture *f = *state;
    write_config(f, HQ, "users: [ { address: a@x } ]\n" PUBLISH);
    start(f);
    files_write(f->folder, "pw", 0644, "for everybody\n");
    until(f, secret_is_complained_about);
    assert_false(secret_is_new(f));
    struct gw_server_view view;
    gw_server_view(f->g, 0, &view);
    assert_null(strstr(view.secret_note, "everybody"));
    files_write(f->folder, "pw", 0600, "another\n");
    until(f, secret_is_new);
    assert_true(no_complaint(f));
    chmod(files_path(f->folder, "pw"), 0640);
    until(f, secret_is_complained_about);
    chmod(files_path(f->folder, "pw"), 0600);
    until(f, no_complaint);
    unlink(files_path(f->folder, "pw"));
    until(f, secret_is_complained_about);
    assert_true(secret_is_new(f)); /* the one that was read stays */
}

static void stopped_while_looking(void **state)
{
    struct fixture *f = *state;
    files_write(f->folder, "u.csv", 0600, "address\nalice@x\n");
    write_config(f, HQ, "users: [ { file: u.csv } ]\n" PUBLISH);
    start(f);
    files_write(f->folder, "u.csv", 0600, "address\nbob@x\n");
    loop_advance(f->loop, 3000); /* the job is under way, or just done */
    reload(f);
    gw_free(&f->g);
}

/* In turn, each with the file as it is then; who does not want to know is not told; the end may come at any time. */
static void several(void **state)
{
    struct fixture *f = *state;
    struct reloading one = {.f = f}, two = {.f = f}, three = {.f = f};
    write_config(f, HQ, "users: [ { address: a@x } ]\n" PUBLISH);
    start(f);
    write_config(f, HQ, "users: [ { address: b@x } ]\n" PUBLISH);
    gw_reload(f->g, false, reload_over, &one);
    gw_reload(f->g, false, reload_over, &two);
    struct gw_reload *unheard = gw_reload(f->g, false, reload_over, &three);
    assert_int_equal(find(f, "b@x"), PRES_NOBODY);
    assert_true(gw_reloading(f->g));
    gw_reload_forget(&unheard);
    assert_null(unheard);
    for (int i = 0; i < 4000 && gw_reloading(f->g); i++)
        loop_turn(f->loop, 5);
    assert_true(one.ok && two.ok && !three.over);
    assert_int_not_equal(find(f, "b@x"), PRES_NOBODY);
    assert_int_equal(find(f, "a@x"), PRES_NOBODY);
    one.over = false;
    gw_reload(f->g, false, reload_over, &one);
    gw_reload(f->g, false, reload_over, &two);
    gw_free(&f->g);
    for (int i = 0; i < 20; i++)
        loop_turn(f->loop, 1);
    assert_false(one.over);
}

static void cannot_start(void **state)
{
    struct fixture *f = *state;
    struct gw_config_error err;
    write_config(f, HQ, "users: [ { address: a@x } ]\n" PUBLISH);
    start(f);
    char text[2000];
    snprintf(
        text, sizeof text,
        "servers:\n" HQ
        "users: [ { address: a@x } ]\npublish: { http: { listen: ['127.0.0.1:%u'] } }\ncontrol: { socket: %s/c2 }\n",
        gw_http_port(gw_http(f->g), 0), f->folder);
    files_write(f->folder, "second.yaml", 0600, text);
    struct gw_config *c = gw_config_read(files_path(f->folder, "second.yaml"), &err);
    assert_null(gw_new(f->loop, c, f->why, sizeof f->why));
    assert_non_null(strstr(f->why, "Address already in use"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unchanged, setup, teardown),
        cmocka_unit_test_setup_teardown(servers_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(account_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_by_halves, setup, teardown),
        cmocka_unit_test_setup_teardown(names_change_hands, setup, teardown),
        cmocka_unit_test_setup_teardown(listeners, setup, teardown),
        cmocka_unit_test_setup_teardown(control_socket_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(age_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(csv_is_watched, setup, teardown),
        cmocka_unit_test_setup_teardown(secret_is_watched, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_while_looking, setup, teardown),
        cmocka_unit_test_setup_teardown(several, setup, teardown),
        cmocka_unit_test_setup_teardown(cannot_start, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
