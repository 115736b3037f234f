/*
 * The SIP outlets by dialogues: the .sip files of tests/dialogues say what a phone or a server sends over UDP and what
 * must come, in order. The clock is a fake one: 22 November 2026, 12:00 UTC. Words, one a line:
 *
 *   server [NAME:PASSWORD]   our presence server is started; without a password this machine is trusted
 *   publish [PASSWORD]       we publish to the other side, which answers OPTIONS, and refuses what is not about carol
 *   free A | busy A HH:MM HH:MM | oof ...          what A does
 *   later N      N seconds go by                    until N   the same, but only until something comes
 *   nothing      nothing was sent                   farewell  the outlet is asked to say goodbye
 *   code C       the outlet is down, and why (up: it is not)
 *   messages N   so many the status says that the outlet has sent
 *   store        from now on what the server keeps is kept; `slow`: but not safe before `safe`
 *   crash        the server is gone, with what was not safe; `server` starts the next one
 *   rows N       so many are kept
 *   forgotten A  nobody may write down A's name any more; forget A: and what was, goes
 *
 * `>> START LINE` and the lines behind it, up to one of a single dot, are sent; an empty line ends the head. In them
 * {dialog N} is Via, From, To, Call-ID, CSeq N SUBSCRIBE and Contact, {tag} the other side's tag, {auth NAME PW} an
 * answer to the last challenge, and "repeat N LINE" so many lines. `~~` sends only the first half. `<< START LINE` and
 * the lines behind it are patterns: the next message must begin so, and have a line for each; none for those behind a
 * `!`. `answer CODE WORDS` and its lines up to a dot answer the request that came last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <glob.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/udp.h"
#include "dialogue.h"
#include "presence/pub_sip.h"
#include "sip_digest.h"
#include "sip_message.h"

#define NOON INT64_C(1795348800)

enum { QUEUE_MAX = 64, TEXT_MAX = 70000, ROWS_MAX = 16 };

/* What was put and is not safe, or what is (value NULL: nothing). */
struct row {
    char *key, *value;
    pres_store_done_fn *done;
    void *arg;
};

struct world {
    struct clk *clk;
    struct loop *loop;
    struct pres_table *table;
    struct pres_publisher *publisher;
    struct udp *udp; /* of the other side */
    struct udp_peer to;
    struct arena *arena;
    struct {
        char *text;
        struct udp_peer from;
    } queue[QUEUE_MAX]; /* what came and was not looked at */
    unsigned count;
    char text[TEXT_MAX]; /* what was looked at last */
    struct pres_sip_message m;
    char tag[100];
    struct pres_sip_auth auth;
    char *password;
    unsigned branch;
    bool stored, slow;
    struct row rows[ROWS_MAX], put[ROWS_MAX];
    unsigned put_count;
    const char *forgotten;
};

static void on_change(void *arg, pres_id id, const struct pres_presence *now)
{
    struct world *w = arg;
    (void)now;
    if (w->publisher)
        pres_publisher_changed(w->publisher, id);
}

static void load(void *impl, const char *space, pres_store_row_fn *row, void *arg)
{
    struct world *w = impl;
    (void)space;
    for (unsigned i = 0; w && i < ROWS_MAX; i++)
        if (w->rows[i].value)
            row(arg, w->rows[i].key, w->rows[i].value);
}

static void row_free(struct row *r)
{
    free(r->key);
    free(r->value);
    *r = (struct row){NULL, NULL, NULL, NULL};
}

static void make_safe(void *arg)
{
    struct world *w = arg;
    while (w->put_count > 0) {
        struct row now = w->put[0];
        unsigned at = 0;
        memmove(w->put, w->put + 1, --w->put_count * sizeof w->put[0]);
        for (unsigned i = 0; i < ROWS_MAX; i++)
            if (w->rows[i].key && strcmp(w->rows[i].key, now.key) == 0)
                row_free(&w->rows[i]);
        while (at < ROWS_MAX && w->rows[at].key)
            at++;
        assert_true(at < ROWS_MAX);
        if (now.done)
            now.done(now.arg, now.key, true);
        if (now.value)
            w->rows[at] = now;
        else
            row_free(&now);
    }
}

static void put(void *impl, const char *space, const char *key, const char *value, pres_store_done_fn *done, void *arg)
{
    struct world *w = impl;
    (void)space;
    if (!w)
        return;
    assert_null(value ? strpbrk(value, "\r\n") : strpbrk(key, "\r\n"));
    assert_true(w->put_count < ROWS_MAX);
    w->put[w->put_count++] = (struct row){mem_strdup(key), mem_strdup_or_null(value), done, arg};
    if (!w->slow) {
        loop_undefer(w->loop, make_safe, w);
        loop_defer(w->loop, make_safe, w);
    }
}

static void forget(void *impl, void *arg)
{
    struct world *w = impl;
    for (unsigned i = 0; w && i < w->put_count; i++)
        if (w->put[i].arg == arg)
            w->put[i].done = NULL;
}

static bool is_forgotten(void *arg, const char *address)
{
    const struct world *w = arg;
    return w->forgotten && strcmp(w->forgotten, address) == 0;
}

/* What was put is lost. */
static void crash(struct world *w)
{
    pres_publisher_free(&w->publisher);
    loop_undefer(w->loop, make_safe, w);
    while (w->put_count > 0)
        row_free(&w->put[--w->put_count]);
    free(w->password);
    w->password = NULL;
}

static void expect_rows(const struct world *w, unsigned expected)
{
    unsigned n = 0;
    for (unsigned i = 0; i < ROWS_MAX; i++)
        n += w->rows[i].value != NULL;
    if (n != expected)
        fail_msg("%s:%u: expected %u rows, but there are %u", file, line_number, expected, n);
}

static void quiet(void *arg, enum log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

static void look_at(struct world *w, const char *text, const struct udp_peer *from)
{
    struct pres_sip_extent extent;
    snprintf(w->text, sizeof w->text, "%s", text);
    arena_reset(w->arena);
    if (pres_sip_cut(w->text, strlen(w->text), false, &extent) != PRES_SIP_WHOLE ||
        !pres_sip_read(&w->m, w->arena, w->text, &extent, from))
        fail_msg("%s:%u: there came what is no message:\n%s", file, line_number, text);
    w->to = *from;
}

static void send_answer(struct world *w, const char *status, const char *more)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    pres_sip_answer_begin(&out, &w->m, (unsigned)atoi(status), strchr(status, ' ') ? strchr(status, ' ') + 1 : "OK",
                          "srv");
    buf_addf(&out, "%sContent-Length: 0\r\n\r\n", more);
    udp_send(w->udp, &w->to, out.data, out.len);
    buf_free(&out);
}

static void on_datagram(void *arg, const struct udp_peer *from, const char *data, size_t len)
{
    struct world *w = arg;
    char *text = mem_strndup(data, len);
    bool other = w->password && !strstr(text, "carol"); /* a greeting, or what the outlet tells itself */
    if (other) {
        look_at(w, text, from);
        send_answer(w, str_starts(text, "OPTIONS") ? "200" : "403", "");
        free(text);
        return;
    }
    assert_true(w->count < QUEUE_MAX);
    w->queue[w->count].from = *from;
    w->queue[w->count++].text = text;
}

static void turns(struct world *w)
{
    for (int i = 0; i < 12; i++) {
        loop_advance(w->loop, 0);
        loop_turn(w->loop, 1);
    }
}

static bool find_password(void *arg, const char *name, char out[PRES_SIP_PASSWORD_MAX])
{
    const struct world *w = arg;
    size_t len = strlen(name);
    if (strncmp(w->password, name, len) != 0 || w->password[len] != ':')
        return false;
    snprintf(out, PRES_SIP_PASSWORD_MAX, "%s", w->password + len + 1);
    return true;
}

static struct secret *own_password(void *arg, char *why, size_t why_size)
{
    const struct world *w = arg;
    (void)why, (void)why_size;
    return w->password[0] ? secret_new(w->password) : NULL;
}

static void start_server(struct world *w, char *account)
{
    static const char *const listen[] = {"udp:127.0.0.1:0"}, *const trusted[] = {"127.0.0.1"};
    const struct pres_publisher_settings p = {.name = "sip-server"};
    const struct pres_store store = {.impl = w, .load = load, .put = put, .forget = forget};
    static struct pres_store rows;
    char why[200];
    rows = store;
    const struct pres_sip_server_settings s = {.listen = listen,
                                               .store = w->stored ? &rows : NULL,
                                               .forgotten = is_forgotten,
                                               .forgotten_arg = w,
                                               .listen_count = 1,
                                               .domain = "im.example",
                                               .trusted = trusted,
                                               .trusted_count = account[0] ? 0 : 1,
                                               .password = account[0] ? find_password : NULL,
                                               .password_arg = w,
                                               .looks.text[PRES_BUSY] = "Busy[ until {until}]"};
    char *kept = account[0] ? mem_strdup(account) : NULL;
    w->publisher = pres_sip_server_new(w->loop, w->table, &p, &s, why, sizeof why);
    assert_non_null(w->publisher);
    pres_publisher_start(w->publisher);
    turns(w);
    assert_true(udp_peer(&w->to, "127.0.0.1", pres_sip_server_port(w->publisher, "udp")));
    turns(w);
    w->password = kept;
}

static void start_publisher(struct world *w, const char *password)
{
    static struct pres_store store = {.load = load, .put = put};
    const struct pres_publisher_settings p = {.name = "sip"};
    char why[200], uri[100];
    w->password = mem_strdup(password);
    snprintf(uri, sizeof uri, "sip:127.0.0.1:%u;transport=udp", udp_port(w->udp));
    const struct pres_sip_settings s = {.server = uri,
                                        .domain = "im.example",
                                        .looks.text[PRES_BUSY] = "Busy[ until {until}]",
                                        .password = own_password,
                                        .password_arg = w,
                                        .store = &store};
    w->publisher = pres_sip_new(w->loop, w->table, &p, &s, why, sizeof why);
    assert_non_null(w->publisher);
    pres_publisher_start(w->publisher);
    turns(w);
}

/* One line of a message, with what stands in braces written out. */
static void add_line(struct world *w, const char *line, struct buf *out)
{
    char here[UDP_TEXT_MAX], name[50], word[50], *rest = NULL;
    unsigned n;
    snprintf(here, sizeof here, "127.0.0.1:%u", udp_port(w->udp));
    if (sscanf(line, "{dialog %u}", &n) == 1) {
        buf_addf(out, "Via: SIP/2.0/UDP %s;rport;branch=z9hG4bK%u\r\nMax-Forwards: 70\r\n", here, ++w->branch);
        buf_addf(out, "From: <sip:eve@im.example>;tag=eve\r\nTo: <sip:carol@im.example>%s%s\r\nCall-ID: one@phone\r\n",
                 w->tag[0] ? ";tag=" : "", w->tag);
        buf_addf(out, "CSeq: %u SUBSCRIBE\r\nContact: <sip:eve@%s>\r\n", n, here);
    } else if (sscanf(line, "{auth %49s %49[^}]}", name, word) == 2) {
        struct secret *secret = secret_new(word);
        assert_true(pres_sip_auth_take(&w->auth, &w->m));
        assert_true(pres_sip_auth_add(&w->auth, out, name, secret, "SUBSCRIBE", "sip:carol@im.example"));
        secret_free(&secret);
    } else if (sscanf(line, "repeat %u", &n) == 1) {
        rest = strchr(line + 7, ' ') + 1;
        for (unsigned i = 0; i < n; i++)
            buf_addf(out, "%s\r\n", rest);
    } else {
        const char *tag = strstr(line, "{tag}");
        buf_addf(out, "%.*s%s%s\r\n", tag ? (int)(tag - line) : (int)strlen(line), line, tag ? w->tag : "",
                 tag ? tag + 5 : "");
    }
}

/* False: the dot. */
static bool block_line(FILE *f, char line[8192])
{
    if (!fgets(line, 8192, f))
        fail_msg("%s:%u: a block that does not end", file, line_number);
    line_number++;
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, ".") != 0;
}

static void say(struct world *w, FILE *f, const char *start_line, bool torn)
{
    char line[8192];
    bool body = false;
    struct buf out;
    buf_init(&out, TEXT_MAX);
    buf_addf(&out, "%s\r\n", start_line);
    while (block_line(f, line)) {
        body = body || !line[0];
        add_line(w, line, &out);
    }
    if (!body)
        buf_adds(&out, "\r\n");
    udp_send(w->udp, &w->to, out.data, torn ? out.len / 2 : out.len);
    buf_free(&out);
    turns(w);
}

static bool has_line(const char *text, const char *pattern)
{
    char line[8192];
    for (const char *at = text, *next; at; at = next) {
        size_t len;
        next = str_split(at, '\n', &len);
        if (len > 0 && at[len - 1] == '\r')
            len--;
        snprintf(line, sizeof line, "%.*s", (int)len, at);
        if (matches(pattern, line))
            return true;
    }
    return false;
}

static void hear(struct world *w, FILE *f, const char *start_line)
{
    char line[8192];
    for (int i = 0; i < 50 && w->count == 0; i++)
        turns(w);
    if (w->count == 0)
        fail_msg("%s:%u: nothing came, expected %s", file, line_number, start_line);
    char *text = w->queue[0].text;
    struct udp_peer from = w->queue[0].from;
    memmove(w->queue, w->queue + 1, --w->count * sizeof w->queue[0]);
    look_at(w, text, &from);
    if (!w->m.request && w->m.to_tag)
        snprintf(w->tag, sizeof w->tag, "%s", w->m.to_tag);
    snprintf(line, sizeof line, "%s", start_line);
    do {
        bool none = line[0] == '!';
        if (has_line(text, line + none) == none)
            fail_msg("%s:%u: expected %s\nbut there came\n%s", file, line_number, line, text);
    } while (block_line(f, line));
    free(text);
}

static void answer(struct world *w, FILE *f, const char *status)
{
    char line[8192];
    struct buf more;
    buf_init(&more, TEXT_MAX);
    while (block_line(f, line))
        buf_addf(&more, "%s\r\n", line);
    send_answer(w, status, more.data);
    buf_free(&more);
    turns(w);
}

static void set_kind(struct world *w, enum pres_kind kind, char *rest)
{
    char *save = NULL, *who = strtok_r(rest, " ", &save), *from = strtok_r(NULL, " ", &save),
         *to = strtok_r(NULL, " ", &save);
    struct pres_interval in = {.kind = kind};
    pres_id id = pres_table_find(w->table, who);
    if (kind != PRES_FREE) {
        in.start = clock_of(from, NOON);
        in.end = clock_of(to, NOON);
    }
    if (id == PRES_NOBODY)
        id = pres_table_add(w->table, &(struct pres_person_spec){.address = who, .stale_after = 864000});
    pres_table_update(w->table, id, &in, kind != PRES_FREE, NOON - 86400, NOON + 864000, clk_wall_s(w->clk));
    turns(w);
}

static void expect_code(const struct world *w, const char *code)
{
    struct pres_publisher_status s;
    pres_publisher_status(w->publisher, &s);
    if (strcmp(s.code ? s.code : s.state, code) != 0)
        fail_msg("%s:%u: expected %s, but it is %s", file, line_number, code, s.code ? s.code : s.state);
}

static void expect_messages(const struct world *w, unsigned expected)
{
    struct pres_publisher_status s;
    pres_publisher_status(w->publisher, &s);
    if (s.messages != expected)
        fail_msg("%s:%u: expected %u messages, but it says %u", file, line_number, expected, (unsigned)s.messages);
}

static void do_word(struct world *w, FILE *f, const char *word, char *rest)
{
    enum pres_kind kind;
    if (strcmp(word, ">>") == 0 || strcmp(word, "~~") == 0) {
        say(w, f, rest, word[0] == '~');
    } else if (strcmp(word, "<<") == 0) {
        hear(w, f, rest);
    } else if (strcmp(word, "answer") == 0) {
        answer(w, f, rest);
    } else if (strcmp(word, "server") == 0) {
        start_server(w, rest);
    } else if (strcmp(word, "publish") == 0) {
        start_publisher(w, rest);
    } else if (strcmp(word, "code") == 0) {
        expect_code(w, rest);
    } else if (strcmp(word, "messages") == 0) {
        expect_messages(w, (unsigned)atoi(rest));
    } else if (strcmp(word, "later") == 0 || strcmp(word, "until") == 0) {
        for (int ms = atoi(rest) * 1000; ms > 0 && (word[0] == 'l' || w->count == 0); ms -= 250) {
            loop_advance(w->loop, 250);
            loop_turn(w->loop, 0);
            loop_turn(w->loop, 0);
        }
        turns(w);
    } else if (strcmp(word, "nothing") == 0) {
        turns(w);
        if (w->count > 0)
            fail_msg("%s:%u: expected nothing, but there came\n%s", file, line_number, w->queue[0].text);
    } else if (strcmp(word, "store") == 0 || strcmp(word, "slow") == 0) {
        w->stored = true;
        w->slow = word[1] == 'l';
    } else if (strcmp(word, "safe") == 0) {
        w->slow = false;
        make_safe(w);
        turns(w);
    } else if (strcmp(word, "crash") == 0) {
        crash(w);
    } else if (strcmp(word, "rows") == 0) {
        expect_rows(w, (unsigned)atoi(rest));
    } else if (strcmp(word, "forget") == 0 || strcmp(word, "forgotten") == 0) {
        static char name[100];
        snprintf(name, sizeof name, "%s", rest);
        w->forgotten = name;
        if (strcmp(word, "forget") == 0)
            pres_publisher_forget(w->publisher, name);
        turns(w);
    } else if (strcmp(word, "farewell") == 0) {
        pres_publisher_farewell(w->publisher);
        turns(w);
    } else if (pres_kind_parse(word, &kind)) {
        set_kind(w, kind, rest);
    } else {
        fail_msg("%s:%u: no such word: %s", file, line_number, word);
    }
}

static void play(const char *path)
{
    char why[200], text[8192];
    struct world *w = mem_calloc(1, sizeof *w);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    file = strrchr(path, '/') + 1;
    line_number = 0;
    w->clk = clk_fake_new(NOON * 1000);
    w->loop = loop_new(w->clk);
    w->arena = arena_new(1 << 20);
    w->table = pres_table_new(w->loop, on_change, w);
    w->udp = udp_open(w->loop, "peer", "127.0.0.1", 0, on_datagram, w, why, sizeof why);
    assert_non_null(w->udp);
    set_kind(w, PRES_FREE, (char[]){"carol@im.example"});
    while (fgets(text, sizeof text, f)) {
        line_number++;
        text[strcspn(text, "\n")] = '\0';
        if (!text[0] || text[0] == '#')
            continue;
        char *rest = strchr(text, ' ');
        if (rest)
            *rest++ = '\0';
        do_word(w, f, text, rest ? rest : (char[]){""});
    }
    fclose(f);
    if (w->count > 0)
        fail_msg("%s: at the end there was left\n%s", file, w->queue[0].text);
    crash(w);
    for (unsigned i = 0; i < ROWS_MAX; i++)
        row_free(&w->rows[i]);
    udp_close(&w->udp);
    pres_sip_auth_clear(&w->auth);
    pres_table_free(&w->table);
    loop_free(&w->loop);
    clk_fake_free(&w->clk);
    arena_free(&w->arena);
    free(w->password);
    free(w);
}

static void test_dialogues(void **state)
{
    glob_t found;
    (void)state;
    log_set_sink(quiet, NULL);
    assert_int_equal(glob(FB_SOURCE_DIR "/tests/dialogues/*.sip", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        play(found.gl_pathv[i]);
    print_message("%zu dialogues\n", found.gl_pathc);
    assert_true(found.gl_pathc >= 15);
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dialogues)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
