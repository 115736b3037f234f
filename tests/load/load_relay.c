/*
 * load-relay: a relay pair in this process, both daemons on one core: TLS with both certificates, every message signed
 * and verified. 10,000 people, each with two meetings on every day of thirty.
 *
 * What is measured: the time from the start of the line until everybody is known outside, beside the time that the same
 * bytes take over the same HTTP (client, TLS, server) when nobody looks into them; the bytes of it; the bytes of one
 * round of digests, which is what a quiet line carries; and how long one change inside takes to be outside.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fetch.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/loop.h"
#include "gateway.h"
#include "outlets.h"
#include "stopwatch.h"

enum { PEOPLE = 10000, DAYS = 30, A_DAY = 2, DAY_S = 86400, DIGEST_S = 60, CHANGES = 20, BODY = 128 * 1024 };

struct pair {
    struct loop *loop;
    struct gateway *inside, *outside;
    unsigned people;
    double cpu; /* s of both ends, for the full sync */
    char folder[64];
};

static void run(const struct pair *p, const char *command)
{
    char line[1000];
    snprintf(line, sizeof line, "cd %s && %s", p->folder, command);
    if (system(line) != 0) {
        fprintf(stderr, "load-relay: failed: %s\n", command);
        exit(1);
    }
}

static FILE *create(const struct pair *p, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    FILE *file = fopen(path, "w");
    if (!file || fchmod(fileno(file), 0600) != 0) {
        perror(path);
        exit(1);
    }
    return file;
}

static void write_keys(const struct pair *p)
{
    run(p,
        "umask 077; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 "
        "-addext subjectAltName=IP:127.0.0.1 -keyout tls.key -out tls.pem 2>/dev/null && openssl genpkey -algorithm "
        "ed25519 -out sign.key && openssl pkey -in sign.key -pubout -out sign.pub");
    run(p,
        "printf 'sha256//%s' \"$(openssl x509 -in tls.pem -noout -pubkey | openssl pkey -pubin -outform DER | openssl "
        "dgst -sha256 -binary | openssl base64 -A)\" > pin");
    FILE *file = create(p, "people.csv");
    fputs("address\n", file);
    for (unsigned i = 0; i < p->people; i++)
        fprintf(file, "person%u@example.test\n", i);
    fclose(file);
}

static struct gateway *start(const struct pair *p, const char *name)
{
    struct gw_config_error err;
    char path[128], why[300];
    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    struct gw_config *config = gw_config_read(path, &err);
    struct gateway *g = config ? gw_new(p->loop, config, why, sizeof why) : NULL;
    if (!g) {
        fprintf(stderr, "load-relay: %s\n", config ? why : err.why);
        exit(1);
    }
    return g;
}

static void start_outside(struct pair *p)
{
    char pin[100] = "", path[128];
    snprintf(path, sizeof path, "%s/pin", p->folder);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(pin, sizeof pin, file))
        exit(1);
    fclose(file);
    file = create(p, "outside.yaml");
    fprintf(file,
            "servers:\n  - { name: inside, kind: relay, relay: { from: exporter, keys: [sign.pub], stream: load } }\n"
            "users: [ { file: people.csv } ]\nidentities: [ { name: exporter, certificate: '%s' } ]\n"
            "publish: { http: { listen: ['127.0.0.1:0'], certificate_file: tls.pem, key_file: tls.key } }\n"
            "control: { socket: %s/outside.sock }\n",
            pin, p->folder);
    fclose(file);
    p->outside = start(p, "outside.yaml");
    file = create(p, "inside.yaml");
    fprintf(file,
            "servers:\n  - { name: hq, kind: relay, relay: { from: nobody } }\nusers: [ { file: people.csv } ]\n"
            "poll: { window: 30d }\npublish:\n  http: { listen: [] }\n  relays:\n    - { name: out, stream: load, url: "
            "'https://127.0.0.1:%u/relay/inside/', ca_file: tls.pem, pinned_key: '%s', client_cert_file: tls.pem, "
            "client_key_file: tls.key, sign_key_file: sign.key, digest: 2s }\ncontrol: { socket: %s/inside.sock }\n",
            gw_http_port(gw_http(p->outside), 0), pin, p->folder);
    fclose(file);
}

/* As the poller's answers would be. `late` moves the first meeting. */
static void meet(struct gateway *g, pres_id id, int64_t now, unsigned salt, int64_t late)
{
    struct pres_interval in[DAYS * A_DAY];
    int64_t day = now / DAY_S * DAY_S;
    for (unsigned i = 0; i < DAYS * A_DAY; i++) {
        int64_t begin = day + (int64_t)(i / A_DAY) * DAY_S + (i % A_DAY ? 50400 : 32400) + (int64_t)(salt % 8) * 900;
        in[i] =
            (struct pres_interval){begin, begin + 1800 + (int64_t)(salt % 3) * 900, i % 7 ? PRES_BUSY : PRES_TENTATIVE};
    }
    in[A_DAY].start += late;
    in[A_DAY].end += late;
    pres_table_update(gw_table(g), id, in, DAYS * A_DAY, day - DAY_S, day + (int64_t)DAYS * DAY_S, now);
    gw_outlets_known(g, id);
}

static uint64_t counted(const struct gateway *g, const char *name)
{
    struct pres_count rows[20];
    size_t n = gw_outlet_counts(g, 0, rows, 20);
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].value;
    return 0;
}

static void wait_for(struct pair *p, const char *name, uint64_t value)
{
    for (double end = stopwatch_now() + 300; counted(p->inside, name) < value; loop_turn(p->loop, 10))
        if (stopwatch_now() > end) {
            struct pres_publisher_status s;
            gw_outlet_status(p->inside, 0, &s);
            fprintf(stderr, "load-relay: %s %s %s\n", s.state, s.code ? s.code : "", s.text ? s.text : "");
            exit(1);
        }
}

static double full_sync(struct pair *p)
{
    int64_t now = clk_wall_s(clk_system());
    p->inside = start(p, "inside.yaml");
    for (unsigned i = 0; i < p->people; i++) {
        char address[40];
        snprintf(address, sizeof address, "person%u@example.test", i);
        meet(p->inside, pres_table_find(gw_table(p->inside), address), now, i, 0);
    }
    double began = stopwatch_now(), cpu = stopwatch_cpu();
    wait_for(p, "exported", p->people);
    p->cpu = stopwatch_cpu() - cpu;
    return stopwatch_now() - began;
}

/* The longest of some changes: from the answer inside to the table outside. */
static double change(struct pair *p, unsigned changes)
{
    double worst = 0;
    for (unsigned i = 0; i < changes; i++) {
        char address[40];
        struct pres_known known;
        snprintf(address, sizeof address, "person%u@example.test", i * 7 % p->people);
        pres_id far = pres_table_find(gw_table(p->outside), address);
        pres_table_known(gw_table(p->outside), far, &known);
        int64_t before = pres_set_at(known.set, A_DAY).start, now = before;
        double began = stopwatch_now();
        meet(p->inside, pres_table_find(gw_table(p->inside), address), clk_wall_s(clk_system()), i * 7, 300);
        for (; now == before && stopwatch_now() < began + 60; loop_turn(p->loop, 1)) {
            pres_table_known(gw_table(p->outside), far, &known);
            now = pres_set_at(known.set, A_DAY).start;
        }
        double took = stopwatch_now() - began;
        worst = took > worst ? took : worst;
    }
    return worst;
}

/* The same bytes, which nobody looks into. */
struct bare {
    struct fetch_client *client;
    char url[100], *body;
    uint64_t left;
};

static void on_bare(void *arg, struct httpd_req *req)
{
    (void)arg;
    httpd_reply(req, 204, NULL, NULL, 0);
}

static void put_bare(void *arg, const struct fetch_answer *answer)
{
    struct bare *b = arg;
    if (answer && answer->status != 204) {
        fprintf(stderr, "load-relay: %d %s\n", answer->status, answer->text);
        exit(1);
    }
    size_t len = b->left < BODY ? b->left : BODY;
    b->left -= len;
    if (len > 0)
        fetch_start(b->client, &(struct fetch_request){.method = "PUT", .url = b->url, .body = b->body, .body_len = len,
                                                       .done = put_bare, .arg = b});
    else
        b->url[0] = '\0';
}

static char *read_file(const struct pair *p, const char *name)
{
    char path[128], *text = calloc(1, 8192);
    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    FILE *file = fopen(path, "r");
    if (!file || fread(text, 1, 8191, file) == 0)
        exit(1);
    fclose(file);
    return text;
}

static double bare(struct pair *p, uint64_t bytes)
{
    char why[300], path[128], *cert = read_file(p, "tls.pem"), *key = read_file(p, "tls.key");
    snprintf(path, sizeof path, "%s/tls.pem", p->folder);
    struct httpd_settings server = {.listen = "127.0.0.1:0", .tls_cert_pem = cert, .tls_key_pem = key};
    struct httpd *h = httpd_new(p->loop, &server, on_bare, NULL, why, sizeof why);
    struct fetch_client_settings client = {.name = "bare", .max_connections = 1, .ca_file = path, .min_tls = "1.3"};
    struct bare b = {.client = fetch_client_new(p->loop, &client), .body = malloc(BODY), .left = bytes};
    memset(b.body, 'x', BODY);
    snprintf(b.url, sizeof b.url, "https://127.0.0.1:%u/", httpd_port(h));
    double began = stopwatch_now();
    for (put_bare(&b, NULL); b.url[0];)
        loop_turn(p->loop, 10);
    double took = stopwatch_now() - began;
    fetch_client_free(&b.client);
    httpd_free(&h);
    free(b.body);
    free(cert);
    free(key);
    return took;
}

int main(int argc, char **argv)
{
    bool smoke = stopwatch_smoke(argc, argv);
    struct pair p = {.people = smoke ? 20 : PEOPLE, .folder = "/tmp/load-relay.XXXXXX"};
    log_set_level(LOG_LEVEL_ERROR);
    stopwatch_pin(0);
    if (!mkdtemp(p.folder))
        abort();
    p.loop = loop_new(clk_system());
    write_keys(&p);
    start_outside(&p);
    double full = full_sync(&p);
    uint64_t bytes = counted(p.inside, "sent_bytes");
    double limit = bare(&p, bytes);
    double late = change(&p, smoke ? 1 : CHANGES);
    uint64_t parts = p.people / 4000 + 1, digests = counted(p.inside, "digests");
    wait_for(&p, "digests", digests + parts);
    uint64_t before = counted(p.inside, "sent_bytes");
    wait_for(&p, "digests", digests + 2 * parts);
    double quiet = (double)(counted(p.inside, "sent_bytes") - before) / DIGEST_S / p.people * 1000;
    fprintf(stderr, "%u people, %d periods each: full %.2f s, %.2f s of CPU, %.2f MB; quiet %.0f bytes/s "
                    "per 1000 people with a digest a minute; a change is outside within %.3f s\n",
            p.people, DAYS * A_DAY, full, p.cpu, (double)bytes / 1e6, quiet, late);
    stopwatch_print("load-relay", "people/s", p.people / full, p.people / limit,
                    "the same bytes over the same HTTP and TLS, not looked into");
    gw_free(&p.inside);
    gw_free(&p.outside);
    loop_free(&p.loop);
    run(&p, "rm -f -- tls.* sign.* pin people.csv *.yaml *.sock");
    rmdir(p.folder);
    return 0;
}
