/*
 * who_check: passwords under attack: thousands of wrong ones cost neither memory nor time, from one address or from
 * many, and who was right before is let in beside them. Over real connections to a gateway on a clock of ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "gateway_world.h"
#include "recent.h"
#include "who_private.h"

enum { WRONG = 10000, CROWD = 100, CHECKS_MAX = 64, PATIENCE = 60000, ANSWER_MAX = 16384 };

static const char config_text[] = "servers: [ { name: hq, kind: ifb, url: 'http://127.0.0.1:9/', account: a, "
                                  "password_file: pw, calendars: ['/{address}'] } ]\n"
                                  "users: [ { address: a@example.com, server: hq } ]\n"
                                  "identities_file: ids\n"
                                  "publish: { http: { listen: ['127.0.0.1:0'] } }\n"
                                  "control: { socket: '%s/ctl' }\n";

struct client {
    unsigned from; /* 127.0.0.FROM */
    int fd;        /* -1: not connected */
};

static int setup_gate(void **state)
{
    setup(state);
    struct fixture *f = *state;
    struct buf ids;
    char text[1000];
    buf_init(&ids, 1000);
    buf_adds(&ids, "alice@example.com role=reader password=");
    crypto_password_hash(&ids, "right", 5);
    buf_adds(&ids, "\n");
    snprintf(text, sizeof text, config_text, f->folder);
    files_write(f->folder, "ids", 0600, ids.data);
    files_write(f->folder, "pw", 0600, "x");
    files_write(f->folder, "c.yaml", 0600, text);
    buf_free(&ids);
    start(f);
    return 0;
}

static void leave(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void ask(struct fixture *f, struct client *c, const char *password)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000u + c->from)};
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)gw_http_port(f->g->http, 0))};
    char credential[200], request[600];
    struct buf b;
    if (c->fd < 0) {
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(c->fd, (struct sockaddr *)&here, sizeof here), 0);
        assert_int_equal(connect(c->fd, (struct sockaddr *)&there, sizeof there), 0);
    }
    snprintf(credential, sizeof credential, "alice@example.com:%s", password);
    buf_init(&b, sizeof request);
    crypto_base64_encode(&b, credential, strlen(credential));
    snprintf(request, sizeof request,
             "GET /v1/presence/a@example.com HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %s\r\n\r\n", b.data);
    buf_free(&b);
    assert_int_equal(send(c->fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
}

/* The status, when all of the answer is there. */
static int answered(struct fixture *f, struct client *c)
{
    char text[ANSWER_MAX];
    size_t len = 0;
    for (unsigned i = 0; i < PATIENCE; i++) {
        ssize_t n = recv(c->fd, text + len, sizeof text - 1 - len, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            loop_turn(f->loop, 1);
            continue;
        }
        len += n > 0 ? (size_t)n : 0;
        text[len] = '\0';
        const char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length: ");
        bool whole = body && length && strlen(body + 4) >= strtoul(length + 18, NULL, 10);
        if (n <= 0 || (whole && strcasestr(text, "\r\nConnection: close")))
            leave(c);
        if (whole)
            return atoi(text + strlen("HTTP/1.1 "));
        assert_true(n > 0);
    }
    fail_msg("no answer");
    return 0;
}

static int try(struct fixture *f, struct client *c, const char *password)
{
    ask(f, c, password);
    return answered(f, c);
}

static void thousands_from_one_address(void **state)
{
    struct fixture *f = *state;
    struct client good = {.from = 1, .fd = -1}, bad = {.from = 1, .fd = -1};
    unsigned looked_at = 0;
    assert_int_equal(try(f, &good, "right"), 200);
    for (unsigned i = 0; i < WRONG; i++) {
        char password[20];
        snprintf(password, sizeof password, "wrong%u", i);
        int status = try(f, &bad, password);
        looked_at += status == 401;
        if (status != 401 && status != 429)
            fail_msg("%s: %d", password, status);
    }
    assert_in_range(looked_at, 9, 11); /* the others cost nothing */
    assert_int_equal(gw_recent_count(f->g->gate->failures), 1);
    assert_int_equal(gw_recent_count(f->g->gate->known), 1); /* no wrong one is remembered */
    assert_int_equal(f->g->gate->check_count, 0);
    assert_int_equal(try(f, &good, "right"), 200); /* one program with an old password shuts nobody out */
    gw_gate_changed(f->g->gate);
    assert_int_equal(try(f, &good, "right"), 429); /* but what is not known is not looked at ... */
    loop_advance(f->loop, 7000);
    assert_int_equal(try(f, &good, "right"), 200); /* ... until some time has passed */
    leave(&good);
    leave(&bad);
}

/* Everybody at once: so many wait, all others are told to come again. Some leave while theirs is looked at. */
static void many_addresses_at_once(void **state)
{
    struct fixture *f = *state;
    struct client crowd[CROWD], good = {.from = 1, .fd = -1};
    unsigned refused = 0, busy = 0, most = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        char password[20];
        snprintf(password, sizeof password, "wrong%u", i);
        crowd[i] = (struct client){.from = 2 + i, .fd = -1};
        ask(f, &crowd[i], password);
    }
    for (unsigned i = 0; i < PATIENCE && f->g->gate->refused[GW_REFUSED_BUSY] == 0; i++) {
        loop_turn(f->loop, 1);
        most = f->g->gate->check_count > most ? f->g->gate->check_count : most;
    }
    assert_in_range(most, 1, CHECKS_MAX);
    leave(&crowd[0]);
    leave(&crowd[1]);
    leave(&crowd[2]);
    for (unsigned i = 3; i < CROWD; i++) {
        int status = answered(f, &crowd[i]);
        refused += status == 401;
        busy += status == 429;
        leave(&crowd[i]);
    }
    assert_int_equal(refused + busy, CROWD - 3);
    assert_true(busy > 0);
    assert_int_equal(f->g->gate->check_count, 0);
    assert_int_equal(gw_recent_count(f->g->gate->known), 0);
    assert_int_equal(try(f, &good, "right"), 200);
    leave(&good);
}

/* Requests that show the same password wait for one look at it. */
static void one_look_for_the_same(void **state)
{
    struct fixture *f = *state;
    struct client several[5];
    unsigned most = 0;
    for (unsigned i = 0; i < 5; i++) {
        several[i] = (struct client){.from = 1, .fd = -1};
        ask(f, &several[i], "right");
    }
    for (unsigned i = 0; i < PATIENCE && f->g->gate->check_count == 0; i++)
        loop_turn(f->loop, 1);
    most = f->g->gate->check_count;
    for (unsigned i = 0; i < 5; i++) {
        most = f->g->gate->check_count > most ? f->g->gate->check_count : most;
        assert_int_equal(answered(f, &several[i]), 200);
        leave(&several[i]);
    }
    assert_int_equal(most, 1);
}

/* The daemon stops while passwords are looked at and others wait. */
static void stopped_in_the_middle(void **state)
{
    struct fixture *f = *state;
    struct client several[3];
    for (unsigned i = 0; i < 3; i++) {
        several[i] = (struct client){.from = 2 + i, .fd = -1};
        ask(f, &several[i], i ? "wrong" : "right");
    }
    for (unsigned i = 0; i < PATIENCE && f->g->gate->check_count < 2; i++)
        loop_turn(f->loop, 1);
    assert_in_range(f->g->gate->check_count, 1, 2);
    gw_free(&f->g);
    for (unsigned i = 0; i < 3; i++)
        leave(&several[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(thousands_from_one_address, setup_gate, teardown),
        cmocka_unit_test_setup_teardown(many_addresses_at_once, setup_gate, teardown),
        cmocka_unit_test_setup_teardown(one_look_for_the_same, setup_gate, teardown),
        cmocka_unit_test_setup_teardown(stopped_in_the_middle, setup_gate, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
