/*
 * load-outlets: what a thousand-person change storm costs at the outlets.
 *
 * xmpp: stanzas handed to a component stream, 1,000 contacts with 100 watchers each, from the change in the table to
 * the last byte in the kernel's hands; the limit is a bare bufferevent that is given the same stanzas, one by one. Both
 * write to a thread that reads and throws away. A round of either takes 20 ms of the processor, most of it the
 * kernel's, and differs from the next by half: so there are many, in turns, and the one with the median ratio counts.
 *
 * mqtt: retained messages with QoS 1, until the broker has acknowledged the last; the limit is `mosquitto_pub -l` with
 * messages of the same size at the same broker.
 *
 *   load-outlets [--smoke | xmpp | mqtt]
 */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "presence/pub_mqtt.h"
#include "presence/pub_xmpp.h"
#include "stopwatch.h"

enum { MAX_OUTPUT = 2 << 20, QUIET_MS = 300, PATIENCE_S = 60 };
enum { ROUNDS = 51, MQTT_ROUNDS = 7, PINGS = 8 /* to itself, at the start */ };

static unsigned people = 1000, watchers = 100, mqtt_storms = 10;

struct world {
    struct loop *loop;
    struct pres_table *table;
    struct pres_publisher *publisher;
    struct pres_store store;
    int64_t noon;
    bool busy;
};

/* The reader at the other end. */
struct sink {
    int listener, fd;
    unsigned port;
    pthread_t thread;
    atomic_size_t bytes;
    struct buf *keep; /* of the first round, NULL: thrown away */
};

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct world *w = arg;
    (void)now;
    if (w->publisher)
        pres_publisher_changed(w->publisher, id);
}

static void load_rows(void *impl, const char *space, pres_store_row_fn *row, void *arg)
{
    char key[200];
    (void)impl;
    for (unsigned p = 0; strcmp(space, "xmpp") == 0 && p < people; p++)
        for (unsigned i = 0; i < watchers; i++) {
            snprintf(key, sizeof key, "person%04u\\40corp.example watcher%04u@im.example", p, (p * 7 + i) % 5000);
            row(arg, key, "subscribed");
        }
}

static void put_row(void *impl, const char *space, const char *key, const char *value, pres_store_done_fn *done,
                    void *arg)
{
    (void)impl, (void)space, (void)key, (void)value, (void)done, (void)arg;
}

static void forget_rows(void *impl, void *arg)
{
    (void)impl, (void)arg;
}

static struct secret *read_secret(void *arg, char *why, size_t why_size)
{
    (void)arg, (void)why, (void)why_size;
    return secret_new("s3cret");
}

/* Everybody changes. */
static void storm(struct world *w)
{
    int64_t now = clk_wall_s(loop_clk(w->loop));
    struct pres_interval one = {.start = w->noon - 3600, .end = w->noon + 3600 + (w->busy ? 60 : 0), .kind = PRES_BUSY};
    for (pres_id id = pres_table_next(w->table, PRES_NOBODY); id != PRES_NOBODY; id = pres_table_next(w->table, id))
        pres_table_update(w->table, id, &one, 1, w->noon - 86400, w->noon + 86400, now);
    w->busy = !w->busy;
}

static void world_begin(struct world *w)
{
    *w = (struct world){.loop = loop_new(clk_system()), .store = {NULL, load_rows, put_row, forget_rows}};
    w->noon = clk_wall_s(clk_system());
    w->table = pres_table_new(w->loop, on_change, w);
    for (unsigned p = 0; p < people; p++) {
        char address[60];
        snprintf(address, sizeof address, "person%04u@corp.example", p);
        pres_table_add(w->table, &(struct pres_person_spec){.address = address, .stale_after = 86400});
    }
    storm(w);
}

static void world_end(struct world *w)
{
    pres_publisher_free(&w->publisher);
    pres_table_free(&w->table);
    loop_free(&w->loop);
}

static uint64_t messages(const struct world *w)
{
    struct pres_publisher_status s;
    pres_publisher_status(w->publisher, &s);
    return s.messages;
}

/* Seconds of the processor that this thread has used: the others on this machine, and the reader, have theirs. */
static double thread_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *read_all(void *arg)
{
    static char data[1 << 18];
    struct sink *s = arg;
    for (ssize_t n; (n = recv(s->fd, data, sizeof data, 0)) > 0;) {
        if (s->keep)
            buf_add(s->keep, data, (size_t)n);
        atomic_fetch_add(&s->bytes, (size_t)n);
    }
    return NULL;
}

static void sink_listen(struct sink *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    *s = (struct sink){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .fd = -1};
    if (bind(s->listener, (struct sockaddr *)&a, len) < 0 || listen(s->listener, 1) < 0 ||
        getsockname(s->listener, (struct sockaddr *)&a, &len) < 0)
        die("listen");
    s->port = ntohs(a.sin_port);
}

static void sink_end(struct sink *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    close(s->listener);
}

static void expect(struct world *w, int fd, const char *text)
{
    char seen[4096];
    size_t len = 0;
    for (int i = 0; i < 5000; i++) {
        loop_turn(w->loop, 1);
        ssize_t n = recv(fd, seen + len, sizeof seen - 1 - len, MSG_DONTWAIT);
        len += n > 0 ? (size_t)n : 0;
        seen[len] = '\0';
        if (strstr(seen, text))
            return;
    }
    fprintf(stderr, "load-outlets: the component did not say %s\n", text);
    exit(2);
}

static void say(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        die("send");
}

/* A server as far as the handshake goes. */
static void component_accept(struct world *w, struct sink *s)
{
    for (int i = 0; i < 50; i++)
        loop_turn(w->loop, 1);
    s->fd = accept(s->listener, NULL, NULL);
    if (s->fd < 0)
        die("accept");
    expect(w, s->fd, "to='cal.example'>");
    say(s->fd,
        "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='1'>");
    expect(w, s->fd, "</handshake>");
    say(s->fd, "<handshake/>");
}

/* Until so many more stanzas are written, and the other side has all of them. */
static void settle(struct world *w, struct sink *s, uint64_t target)
{
    size_t before = 0;
    while (messages(w) < target)
        loop_turn(w->loop, 10);
    for (int quiet = 0; quiet < QUIET_MS; quiet++) {
        loop_turn(w->loop, 1);
        if (atomic_load(&s->bytes) != before)
            quiet = 0;
        before = atomic_load(&s->bytes);
    }
}

/* One storm; seconds of this thread until its last byte was read. */
static double storm_time(struct world *w, struct sink *s, uint64_t stanzas, size_t bytes)
{
    size_t target = atomic_load(&s->bytes) + bytes;
    uint64_t count = messages(w) + stanzas;
    storm(w); /* only notes what is new; the rest happens in the turns below */
    double began = thread_now(), clock = stopwatch_now();
    while (messages(w) < count || atomic_load(&s->bytes) < target)
        if (stopwatch_now() - clock > PATIENCE_S) {
            fprintf(stderr, "load-outlets: %zu bytes are missing\n", target - atomic_load(&s->bytes));
            exit(2);
        } else {
            loop_turn(w->loop, 1);
        }
    return thread_now() - began;
}

static void on_bare_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev, (void)what, (void)arg;
}

/* The same stanzas by nothing but a bufferevent, in runs of a hundred and no more than ours may have waiting. */
static double bare_time(char **starts, size_t count)
{
    struct sink s;
    struct event_base *base = event_base_new();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sink_listen(&s);
    a.sin_port = htons((uint16_t)s.port);
    struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    bufferevent_setcb(bev, NULL, NULL, on_bare_event, NULL);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
    if (bufferevent_socket_connect(bev, (struct sockaddr *)&a, sizeof a) < 0 ||
        (s.fd = accept(s.listener, NULL, NULL)) < 0)
        die("connect");
    pthread_create(&s.thread, NULL, read_all, &s);
    event_base_loop(base, EVLOOP_ONCE);
    double began = thread_now();
    for (size_t i = 0; i < count;) {
        for (unsigned k = 0; k < 100 && i < count; k++, i++)
            bufferevent_write(bev, starts[i], (size_t)(starts[i + 1] - starts[i]));
        event_base_loop(base, EVLOOP_NONBLOCK);
        while (evbuffer_get_length(bufferevent_get_output(bev)) > MAX_OUTPUT)
            event_base_loop(base, EVLOOP_ONCE);
    }
    while (evbuffer_get_length(bufferevent_get_output(bev)) > 0)
        event_base_loop(base, EVLOOP_ONCE);
    double took = thread_now() - began;
    bufferevent_free(bev);
    sink_end(&s);
    event_base_free(base);
    return took;
}

static char **split(const struct buf *all, size_t *ret_count)
{
    static const char end[] = "</presence>";
    size_t room = (size_t)people * watchers + 2;
    char **starts = mem_calloc(room, sizeof *starts);
    *ret_count = 0;
    for (char *p = all->data; p < all->data + all->len && *ret_count < room - 1;) {
        starts[(*ret_count)++] = p;
        char *next = memmem(p, (size_t)(all->data + all->len - p), end, sizeof end - 1);
        p = next ? next + sizeof end - 1 : all->data + all->len;
    }
    starts[*ret_count] = all->data + all->len;
    return starts;
}

static void xmpp(void)
{
    struct world w;
    struct sink s;
    struct buf one;
    char why[200] = "";
    struct stopwatch_round rounds[ROUNDS];
    world_begin(&w);
    sink_listen(&s);
    struct pres_publisher_settings publisher = {.name = "xmpp", .rate = 1e9};
    struct pres_xmpp_settings settings = {.component = "cal.example",
                                          .host = "127.0.0.1",
                                          .port = s.port,
                                          .secret = read_secret,
                                          .max_watchers = people * watchers,
                                          .show = {[PRES_BUSY] = "dnd"},
                                          .text = {[PRES_BUSY] = "Busy[ until {until}]"},
                                          .store = &w.store};
    w.publisher = pres_xmpp_new(w.loop, w.table, &publisher, &settings, why, sizeof why);
    if (!w.publisher)
        die(why);
    pres_publisher_start(w.publisher);
    component_accept(&w, &s);
    pthread_create(&s.thread, NULL, read_all, &s);
    uint64_t each = (uint64_t)people * watchers;
    settle(&w, &s, each + PINGS);
    buf_init(&one, (size_t)1 << 30);
    s.keep = &one;
    storm(&w);
    settle(&w, &s, messages(&w) + each);
    s.keep = NULL;
    size_t count;
    char **starts = split(&one, &count);
    if (count != each)
        fprintf(stderr, "load-outlets: %zu stanzas came of %llu\n", count, (unsigned long long)each);
    for (int i = 0; i < ROUNDS; i++) { /* in turns, each first as often as the other: others use this machine, too */
        if (i % 2)
            rounds[i].limit = (double)count / bare_time(starts, count);
        rounds[i].ours = (double)each / storm_time(&w, &s, each, one.len);
        if (i % 2 == 0)
            rounds[i].limit = (double)count / bare_time(starts, count);
    }
    stopwatch_print_median("outlets-xmpp", "stanzas/s", rounds, ROUNDS,
                           "a bare bufferevent writing the same stanzas");
    world_end(&w);
    sink_end(&s);
    free(starts);
    buf_free(&one);
}

/* mosquitto on a free port, as tests/peers/mosquitto.py has it. */
static pid_t broker(const char *folder, unsigned *ret_port)
{
    struct sink s;
    char path[300];
    sink_listen(&s); /* for a port that is free */
    *ret_port = s.port;
    close(s.listener);
    snprintf(path, sizeof path, "%s/conf", folder);
    FILE *f = fopen(path, "w");
    fprintf(f,
            "user root\nlistener %u 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type none\n"
            "max_inflight_messages 0\nmax_queued_messages 0\n",
            *ret_port);
    fclose(f);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/usr/sbin/mosquitto", "mosquitto", "-c", path, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static double publisher_time(const char *folder, unsigned port, unsigned count, const char *payload)
{
    char path[300], command[700];
    snprintf(path, sizeof path, "%s/lines", folder);
    FILE *f = fopen(path, "w");
    for (unsigned i = 0; i < count; i++)
        fprintf(f, "%s\n", payload);
    fclose(f);
    snprintf(command, sizeof command, "mosquitto_pub -h 127.0.0.1 -p %u -q 1 -r -t presence/limit -l < %s", port, path);
    double began = stopwatch_now();
    if (system(command) != 0)
        die("mosquitto_pub");
    return stopwatch_now() - began;
}

static unsigned unacknowledged(const struct world *w)
{
    struct pres_count rows[20];
    size_t n = pres_publisher_counts(w->publisher, rows, 20);
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, "unacknowledged") == 0)
            return (unsigned)rows[i].value;
    return 0;
}

static void mqtt_settle(struct world *w, uint64_t target)
{
    while (messages(w) < target || unacknowledged(w) > 0)
        loop_turn(w->loop, 1);
}

/* Everybody changes some times; until the broker has acknowledged the last. */
static double mqtt_time(struct world *w)
{
    double began = stopwatch_now();
    for (unsigned i = 0; i < mqtt_storms; i++) {
        uint64_t target = messages(w) + people;
        storm(w);
        mqtt_settle(w, target);
    }
    return stopwatch_now() - began;
}

static void mqtt(void)
{
    struct world w;
    char why[200] = "", folder[] = "/tmp/load-outlets-XXXXXX";
    unsigned port;
    struct stopwatch_round rounds[MQTT_ROUNDS];
    static const char payload[] =
        "{\"address\":\"person0000@corp.example\",\"state\":\"busy\",\"since\":\"2026-11-22T11:00:00Z\",\"until\":"
        "\"2026-11-22T13:00:00Z\","
        "\"next\":null,\"as_of\":\"2026-11-22T12:00:00Z\",\"valid_until\":\"2026-11-23T12:00:00Z\",\"reason\":null}";
    if (!mkdtemp(folder))
        die("mkdtemp");
    pid_t pid = broker(folder, &port);
    world_begin(&w);
    struct pres_publisher_settings publisher = {.name = "mqtt", .rate = 1e9, .retry_ms = 50};
    struct pres_mqtt_settings settings = {.host = "127.0.0.1",
                                          .port = port,
                                          .client_id = "load",
                                          .topic = "presence/{address}",
                                          .status_topic = "online",
                                          .content_type = "application/json",
                                          .store = &w.store};
    w.publisher = pres_mqtt_new(w.loop, w.table, &publisher, &settings, why, sizeof why);
    pres_publisher_start(w.publisher);
    mqtt_settle(&w, people);
    for (int i = 0; i < MQTT_ROUNDS; i++) { /* in turns, as above */
        unsigned count = mqtt_storms * people;
        if (i % 2)
            rounds[i].limit = count / publisher_time(folder, port, count, payload);
        rounds[i].ours = count / mqtt_time(&w);
        if (i % 2 == 0)
            rounds[i].limit = count / publisher_time(folder, port, count, payload);
    }
    stopwatch_print_median("outlets-mqtt", "messages/s", rounds, MQTT_ROUNDS,
                           "mosquitto_pub -l -q 1 -r with messages of the same size at the same broker");
    world_end(&w);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        die(command);
}

int main(int argc, char **argv)
{
    log_set_level(LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    if (stopwatch_smoke(argc, argv)) {
        people = 20;
        watchers = 3;
        mqtt_storms = 2;
    }
    const char *only = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
    if (!*only || strcmp(only, "xmpp") == 0)
        xmpp();
    if (!*only || strcmp(only, "mqtt") == 0)
        mqtt();
    return 0;
}
