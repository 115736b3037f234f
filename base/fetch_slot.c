/*
 * fetch_slot: one curl easy handle and what curl tells us through it. A client makes at most as many as it may have
 * connections (one more while a done() starts the next exchange) and uses them over and over: what is the same for all
 * exchanges is set once, in fetch_slot_new().
 *
 * The callbacks here run inside curl. They fill the buffers of the slot, count against the ceilings and decide nothing
 * else: an exchange that breaks a ceiling gets its `early` error, and curl is told to give up.
 *
 * Limits of time are ours and not curl's, because they must follow the loop's clock and know milliseconds: one timer
 * for each slot. It is not touched when bytes arrive; when it fires, it looks when the last ones came and sleeps again.
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "fetch_private.h"

enum {
    READ_SIZE = 64 * 1024,  /* what curl reads at a time */
    ORIGIN_MAX = 300,       /* of a URL: scheme, host and port */
    BODY_KEEP = 256 * 1024, /* a body buffer larger than this is not kept for the next exchange */
};

static void slot_destroy(void *arg);
static void set_for_ever(struct fetch_slot *slot);
static void set_tls(struct fetch_slot *slot);
static bool set_request(struct fetch_slot *slot, const struct fetch *f);
static CURLcode set_url(struct fetch_slot *slot, const struct fetch *f);
static size_t on_head(char *line, size_t size, size_t n, void *arg);
static size_t on_body(char *data, size_t size, size_t n, void *arg);
static CURLcode on_tls_context(CURL *easy, void *context, void *arg);
static int on_connected(void *arg, char *ip, char *local_ip, int port, int local_port);
static void on_timer(void *arg);
static void arm(struct fetch_slot *slot);
static int64_t now_of(const struct fetch_slot *slot);

struct fetch_slot *fetch_slot_new(struct fetch_client *c)
{
    struct fetch_slot *slot = mem_calloc(1, sizeof(*slot));

    slot->client = c;
    slot->easy = curl_easy_init();
    if (!slot->easy)
        abort(); /* no memory */
    slot->timer = loop_timer_new(c->loop, "fetch limit", on_timer, slot);
    buf_init(&slot->head, FETCH_HEAD_MAX);
    buf_init(&slot->body, 0);
    set_for_ever(slot);
    set_tls(slot);
    slot->next = c->slots;
    c->slots = slot;
    return slot;
}

/* The buffers stay until the end of the turn: the done() that frees the client may still look at its answer. */
void fetch_slot_free(struct fetch_slot *slot)
{
    curl_easy_cleanup(slot->easy);
    loop_timer_free(&slot->timer);
    loop_reap(slot->client->loop, slot_destroy, slot);
}

static void slot_destroy(void *arg)
{
    struct fetch_slot *slot = arg;

    buf_free(&slot->head);
    buf_free(&slot->body);
    free(slot);
}

bool fetch_slot_begin(struct fetch_slot *slot, struct fetch *f)
{
    buf_reset(&slot->head);
    buf_reset(&slot->body);
    slot->body.max = f->max_body;
    slot->error[0] = '\0';
    slot->connection_id = -1;
    slot->fetch = f;
    f->slot = slot;
    if (set_request(slot, f) && curl_multi_add_handle(slot->client->multi, slot->easy) == CURLM_OK) {
        f->start_ms = f->last_ms = now_of(slot);
        slot->timer_due_ms = INT64_MAX;
        arm(slot);
        return true;
    }
    slot->fetch = NULL;
    f->slot = NULL;
    return false;
}

void fetch_slot_detach(struct fetch_slot *slot)
{
    loop_timer_stop(slot->timer);
    curl_multi_remove_handle(slot->client->multi, slot->easy);
    slot->fetch = NULL;
    fetch_socket_sweep(slot->client);
}

void fetch_slot_release(struct fetch_slot *slot)
{
    struct fetch_client *c = slot->client;

    if (slot->body.cap > BODY_KEEP)
        buf_free(&slot->body);
    slot->next_free = c->free_slots;
    c->free_slots = slot;
}

/* Before it is detached, while curl still knows. */
void fetch_slot_describe(struct fetch_slot *slot, struct fetch_answer *answer)
{
    const struct fetch *f = slot->fetch;
    struct fetch_socket *s;
    curl_socket_t fd = CURL_SOCKET_BAD;
    long fresh = 0;

    if (answer->err == FETCH_OK && slot->body.len > 0) {
        answer->body = slot->body.data;
        answer->body_len = slot->body.len;
    }
    answer->total_ms = now_of(slot) - f->start_ms;
    curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &fresh);
    answer->connection_reused = fresh == 0 && f->state != FETCH_CONNECTING;
    if (slot->connection_id < 0 && curl_easy_getinfo(slot->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK) {
        TAILQ_FOREACH(s, &slot->client->sockets, entry)
        {
            if (s->fd == fd)
                slot->connection_id = s->id;
        }
    }
    answer->connection_id = slot->connection_id;
    if (fresh > 0 && str_starts_nocase(f->url, "https:"))
        answer->cert_not_after = fetch_cert_end(slot->easy);
    s = fetch_socket_of(slot->client, slot->connection_id);
    if (s && s->cert_hash_len > 0) {
        memcpy(slot->cert_hash, s->cert_hash, s->cert_hash_len);
        answer->cert_hash = slot->cert_hash;
        answer->cert_hash_len = s->cert_hash_len;
    }
}

/* --- settings --- */

static void set_for_ever(struct fetch_slot *slot)
{
    struct fetch_client *c = slot->client;
    CURL *e = slot->easy;

    curl_easy_setopt(e, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, slot->error);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* or giving up waits for a resolver that does not answer */
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L); /* or curl would make a logon of it */
    curl_easy_setopt(e, CURLOPT_PROXY, c->proxy ? c->proxy : "");
    curl_easy_setopt(e, CURLOPT_NOPROXY, ""); /* set, so that the environment is not asked */
    curl_easy_setopt(e, CURLOPT_PROXYUSERNAME, c->proxy_user);
    curl_easy_setopt(e, CURLOPT_PROXYPASSWORD, c->proxy_password);
    curl_easy_setopt(e, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
    curl_easy_setopt(e, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* no credential of the server's for the proxy */
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, c->unix_socket);
    curl_easy_setopt(e, CURLOPT_USERAGENT, c->user_agent);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)READ_SIZE);
    /* with several addresses curl gives each a share of this; our own timer ends the wait as a whole */
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)c->connect_ms);
    if (c->keep_ms > 0)
        curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)(c->keep_ms / 1000));
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, fetch_socket_open);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, slot);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, fetch_socket_close);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, c);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, slot);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, slot);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, slot);
}

static void set_tls(struct fetch_slot *slot)
{
    struct fetch_client *c = slot->client;
    CURL *e = slot->easy;

    if (c->ca_file || c->ca_dir)
        curl_easy_setopt(e, CURLOPT_CAINFO, c->ca_file);
    /* never both: with a directory curl reads the file anew for every connection */
    curl_easy_setopt(e, CURLOPT_CAPATH, c->ca_file ? NULL : c->ca_dir);
    curl_easy_setopt(e, CURLOPT_CERTINFO, 1L); /* costs something in a handshake only */
    curl_easy_setopt(e, CURLOPT_PINNEDPUBLICKEY, c->pinned_key);
    curl_easy_setopt(e, CURLOPT_SSLCERT, c->client_cert_file);
    curl_easy_setopt(e, CURLOPT_SSLKEY, c->client_key_file);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, c->min_tls);
    curl_easy_setopt(e, CURLOPT_PROXY_SSLVERSION, c->min_tls);
    if (c->legacy_ciphers) {
        curl_easy_setopt(e, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
        curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
    }
}

/* Whatever is not GET or HEAD goes as a POST under another name: then there is a Content-Length, which old servers
 * insist on. */
static bool set_request(struct fetch_slot *slot, const struct fetch *f)
{
    CURL *e = slot->easy;
    CURLcode code = CURLE_OK;

    if (strcmp(f->method, "HEAD") == 0 && !f->body) {
        code = curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    } else if (strcmp(f->method, "GET") == 0 && !f->body) {
        code = curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
        curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    } else {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, f->body ? f->body : "");
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(f->body ? f->body_len : 0));
        code = curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, f->method);
    }
    if (f->compressed != slot->compressed)
        curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, f->compressed ? "gzip, deflate" : NULL);
    slot->compressed = f->compressed;
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, (long)f->fresh);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers);
    return code == CURLE_OK && set_url(slot, f) == CURLE_OK;
}

/*
 * Curl takes a URL apart and puts it together again several times, character by character: with the names of a hundred
 * people in it that costs more than their answer. What stands behind the host is ours to say, and curl sends it as it
 * is. A proxy wants to see the whole, and a fragment must not be sent: there curl does the work.
 */
static CURLcode set_url(struct fetch_slot *slot, const struct fetch *f)
{
    const char *host = strstr(f->url, "://"), *path = host ? host + 3 + strcspn(host + 3, "/?#") : f->url;
    size_t origin = (size_t)(path - f->url);
    char url[ORIGIN_MAX];
    bool split = *path == '/' && strchr(path, '?') && !strchr(path, '#') && origin + 2 <= sizeof(url) &&
                 !slot->client->proxy;
    CURLcode code = CURLE_OK;

    if (split) {
        memcpy(url, f->url, origin);
        memcpy(url + origin, "/", 2);
    }
    if (split || slot->has_target)
        code = curl_easy_setopt(slot->easy, CURLOPT_REQUEST_TARGET, split ? path : NULL);
    slot->has_target = split;
    return code == CURLE_OK ? curl_easy_setopt(slot->easy, CURLOPT_URL, split ? url : f->url) : code;
}

/* --- callbacks of curl --- */

static size_t give_up(struct fetch *f, enum fetch_err err, const char *text)
{
    f->early = err;
    f->early_text = text;
    return CURL_WRITEFUNC_ERROR;
}

static int status_of(const char *line)
{
    const char *blank = strchr(line, ' ');
    int64_t status = 0;
    char digits[4] = "";

    if (blank)
        strncpy(digits, blank + 1, sizeof(digits) - 1);
    return str_to_int(digits, 100, 999, &status) ? (int)status : 0;
}

/* A line that begins with a blank belongs to the one before it (RFC 9112 5.2). */
static void head_add(struct buf *head, const char *line, size_t len)
{
    const char *text = str_trim(line, &len);

    if (head->len > 0 && (*line == ' ' || *line == '\t'))
        head->data[head->len - 1] = ' ';
    buf_add(head, text, len);
    buf_addc(head, '\0');
}

static size_t on_head(char *line, size_t size, size_t n, void *arg)
{
    struct fetch_slot *slot = arg;
    struct fetch *f = slot->fetch;
    size_t len = size * n;
    bool empty = len == 0 || line[0] == '\r' || line[0] == '\n';

    f->last_ms = now_of(slot);
    f->head_bytes += len;
    if (f->head_bytes > FETCH_HEAD_MAX)
        return give_up(f, FETCH_TOO_LARGE, "headers over 256 KiB");
    if (f->head_is_final)
        return len; /* trailers */
    if (empty) {
        f->in_head = false;
        f->head_is_final = f->status >= 200;
        return len;
    }
    if (!f->in_head) {
        buf_reset(&slot->head);
        f->in_head = true;
    }
    head_add(&slot->head, line, len);
    if (slot->head.data[0] != '\0' && strlen(slot->head.data) + 1 == slot->head.len)
        f->status = status_of(slot->head.data); /* the first line of this head */
    return len;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct fetch_slot *slot = arg;
    struct fetch *f = slot->fetch;
    size_t len = size * n;

    f->last_ms = now_of(slot);
    if (len > f->max_body - f->received || !buf_add(&slot->body, data, len))
        return give_up(f, FETCH_TOO_LARGE, "body over its ceiling");
    f->received += len;
    if (f->on_data && f->status >= 200 && f->status < 300 && len > 0 && !f->has_piece) {
        f->has_piece = true;
        slot->client->piece_count++;
    }
    return len;
}

/* Servers that were not patched since 2010 do not know RFC 5746, and OpenSSL 3 would not speak to them. */
static CURLcode on_tls_context(CURL *easy, void *context, void *arg)
{
    (void)easy, (void)arg;
    SSL_CTX_set_options(context, SSL_OP_LEGACY_SERVER_CONNECT);
    return CURLE_OK;
}

/* The exchange has its connection; the request goes out next. */
static int on_connected(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct fetch_slot *slot = arg;
    struct fetch *f = slot->fetch;

    struct fetch_socket *s = fetch_socket_of(slot->client, slot->connection_id);

    (void)ip, (void)local_ip, (void)port, (void)local_port;
    if (s && s->cert_hash_len == 0 && str_starts_nocase(f->url, "https:"))
        s->cert_hash_len = fetch_cert_hash(slot->easy, s->cert_hash);
    f->last_ms = now_of(slot);
    if (f->state == FETCH_CONNECTING) /* a second time when curl repeats the request, the kept connection being dead */
        fetch_enter(f, FETCH_TRANSFERRING);
    arm(slot);
    return CURL_PREREQFUNC_OK;
}

/* --- time --- */

static int64_t now_of(const struct fetch_slot *slot)
{
    return clk_mono_ms(loop_clk(slot->client->loop));
}

static int64_t deadline(const struct fetch *f)
{
    const struct fetch_client *c = f->client;
    int64_t due_ms = f->state == FETCH_TRANSFERRING ? f->last_ms + c->idle_ms : f->start_ms + c->connect_ms;

    if (f->total_ms >= 0 && f->start_ms + f->total_ms < due_ms)
        due_ms = f->start_ms + f->total_ms;
    return due_ms;
}

/* An earlier wake-up than needed stays: it costs less than moving it for each exchange. */
static void arm(struct fetch_slot *slot)
{
    int64_t due_ms = deadline(slot->fetch);

    if (due_ms >= slot->timer_due_ms)
        return;
    slot->timer_due_ms = due_ms;
    loop_timer_in(slot->timer, due_ms - now_of(slot));
}

static void on_timer(void *arg)
{
    struct fetch_slot *slot = arg;

    slot->timer_due_ms = INT64_MAX;
    if (deadline(slot->fetch) <= now_of(slot))
        fetch_expire(slot);
    else
        arm(slot);
}
