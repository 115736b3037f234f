/*
 * fetch_client: one server as fetch sees it. Owns a curl multi handle and lends it the loop: curl says which sockets
 * and which moment it waits for, we wake it and then let fetch_drain() tell the users what came of it.
 *
 * Two things differ from the textbook. Curl forgets a socket whenever a connection is idle, and asks for it again with
 * the next request; we keep watching it in between, which saves the system calls and shows what happens on an idle
 * connection: only its end, or bytes that nobody asked for, and after either it must not be used again. And the sockets
 * are opened and closed by us, so connections can be counted, numbered, and shut down from outside, for which curl has
 * no call.
 *
 * Curl's timer is only ever moved forward; when it goes off early, on_timer() finds out and sleeps again.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "fetch_private.h"

enum {
    CONNECTIONS = 8,
    CONNECT_MS = 10000,
    IDLE_MS = 30000,
};

static CURLM *multi_new(struct fetch_client *c);
static long tls_version(const char *name);
static const char *ca_directory(void);
static void client_destroy(void *client);
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *client, void *socket);
static int on_timeout(CURLM *multi, long ms, void *client);
static void on_ready(void *socket, int fd, unsigned ready);
static void on_kick(void *client);
static void on_timer(void *client);
static struct fetch_socket *socket_new(struct fetch_client *c, int fd, int64_t id);
static struct fetch_socket *socket_find(const struct fetch_client *c, int fd);
static bool socket_is_used(const struct fetch_socket *s);
static void socket_hang_up(struct fetch_socket *s);
static void socket_free(struct fetch_socket *s);

const char *fetch_version(void)
{
    return curl_version();
}

struct fetch_client *fetch_client_new(struct loop *loop, const struct fetch_client_settings *settings)
{
    struct fetch_client *c = mem_calloc(1, sizeof(*c));

    c->loop = loop;
    c->name = mem_strdup(settings->name ? settings->name : "?");
    c->ca_file = mem_strdup_or_null(settings->ca_file);
    c->pinned_key = mem_strdup_or_null(settings->pinned_key);
    c->client_cert_file = mem_strdup_or_null(settings->client_cert_file);
    c->client_key_file = mem_strdup_or_null(settings->client_key_file);
    c->proxy = mem_strdup_or_null(settings->proxy);
    c->proxy_user = mem_strdup_or_null(settings->proxy_user);
    c->proxy_password = mem_strdup_or_null(settings->proxy_password);
    c->unix_socket = mem_strdup_or_null(settings->unix_socket);
    c->user_agent = mem_strdup(settings->user_agent ? settings->user_agent : "freebusyd/" FB_VERSION);
    c->ca_dir = ca_directory();
    c->min_tls = tls_version(settings->min_tls);
    c->legacy_ciphers = settings->legacy_ciphers;
    c->address_ok = settings->address_ok;
    c->address_arg = settings->address_arg;
    c->max_connections = settings->max_connections ? settings->max_connections : CONNECTIONS;
    c->connect_ms = settings->connect_ms ? settings->connect_ms : CONNECT_MS;
    c->idle_ms = settings->idle_ms ? settings->idle_ms : IDLE_MS;
    c->keep_ms = settings->keep_ms;
    TAILQ_INIT(&c->running);
    TAILQ_INIT(&c->waiting);
    TAILQ_INIT(&c->sockets);
    c->timer = loop_timer_new(loop, "fetch", on_timer, c);
    c->timer_due_ms = INT64_MAX;
    c->multi = multi_new(c);
    return c;
}

void fetch_client_free(struct fetch_client **cp)
{
    struct fetch_client *c = *cp;
    struct fetch_slot *slot;
    CURLM *multi;

    if (!c)
        return;
    *cp = NULL;
    fetch_abandon_all(c);
    while ((slot = c->slots)) {
        c->slots = slot->next;
        fetch_slot_free(slot);
    }
    multi = c->multi;
    c->multi = NULL;
    curl_multi_cleanup(multi); /* closes what is idle, through fetch_socket_close() */
    while (!TAILQ_EMPTY(&c->sockets))
        socket_free(TAILQ_FIRST(&c->sockets));
    loop_undefer(c->loop, on_kick, c);
    loop_timer_free(&c->timer);
    loop_reap(c->loop, client_destroy, c); /* user code that frees us was called by fetch_drain() */
}

void fetch_client_drop_connections(struct fetch_client *c)
{
    struct fetch_socket *s;

    TAILQ_FOREACH(s, &c->sockets, entry)
    {
        s->stale = s->id >= 0;
    }
    fetch_socket_sweep(c);
}

void fetch_client_load(const struct fetch_client *c, unsigned *ret_connections, unsigned *ret_exchanges)
{
    const struct fetch_socket *s;
    unsigned count = 0;

    TAILQ_FOREACH(s, &c->sockets, entry)
    {
        count += s->id >= 0 && !s->dead;
    }
    *ret_connections = count;
    *ret_exchanges = c->running_count + c->waiting_count;
}

static void wipe_text(char **text)
{
    if (*text)
        mem_wipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static void client_destroy(void *client)
{
    struct fetch_client *c = client;

    free(c->name);
    free(c->ca_file);
    free(c->pinned_key);
    free(c->client_cert_file);
    free(c->client_key_file);
    wipe_text(&c->proxy); /* may hold a password */
    wipe_text(&c->proxy_user);
    wipe_text(&c->proxy_password);
    free(c->unix_socket);
    free(c->user_agent);
    free(c);
}

static CURLM *multi_new(struct fetch_client *c)
{
    static bool ready;
    CURLM *multi;

    if (!ready && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
    ready = true;
    multi = curl_multi_init();
    if (!multi)
        abort(); /* no memory */
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)c->max_connections);
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)c->max_connections);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)c->max_connections);
    return multi;
}

static long tls_version(const char *name)
{
    if (!name)
        return CURL_SSLVERSION_TLSv1_2;
    if (strcmp(name, "1.0") == 0)
        return CURL_SSLVERSION_TLSv1_0;
    if (strcmp(name, "1.1") == 0)
        return CURL_SSLVERSION_TLSv1_1;
    if (strcmp(name, "1.3") == 0)
        return CURL_SSLVERSION_TLSv1_3;
    return CURL_SSLVERSION_TLSv1_2;
}

/*
 * Parsing the file of all authorities takes a tenth of a second, in the loop; in the directory OpenSSL finds the one it
 * needs by the hash of its name (c_rehash). NULL when this system has none that is hashed.
 */
static const char *ca_directory(void)
{
    const char *path = curl_version_info(CURLVERSION_NOW)->capath;
    const struct dirent *entry;
    bool hashed = false;
    DIR *dir = path ? opendir(path) : NULL;

    if (!dir)
        return NULL;
    while (!hashed && (entry = readdir(dir)))
        hashed = str_ends(entry->d_name, ".0");
    closedir(dir);
    return hashed ? path : NULL;
}

/* --- waking curl --- */

/* Inside curl: only notes. 0 ms comes with each new transfer and goes through loop_defer, once for all that start in a
 * turn. */
static int on_timeout(CURLM *multi, long ms, void *client)
{
    struct fetch_client *c = client;

    (void)multi;
    c->timer_due_ms = INT64_MAX;
    if (!c->multi || ms < 0)
        return 0;
    if (ms == 0) {
        if (!c->kicked)
            loop_defer(c->loop, on_kick, c);
        c->kicked = true;
        return 0;
    }
    int64_t now_ms = clk_mono_ms(loop_clk(c->loop));
    c->timer_due_ms = now_ms + ms;
    if (!loop_timer_armed(c->timer) || c->timer_at_ms > c->timer_due_ms) {
        c->timer_at_ms = c->timer_due_ms;
        loop_timer_in(c->timer, ms);
    }
    return 0;
}

static void act(struct fetch_client *c, int fd, int what)
{
    int running;
    CURLMcode code = curl_multi_socket_action(c->multi, fd, what, &running);

    if (code != CURLM_OK)
        log_error("fetch", "srv=%s curl: %s", c->name, curl_multi_strerror(code));
    fetch_drain(c);
}

static void on_kick(void *client)
{
    struct fetch_client *c = client;

    c->kicked = false;
    act(c, CURL_SOCKET_TIMEOUT, 0);
}

static void on_timer(void *client)
{
    struct fetch_client *c = client;
    int64_t left_ms = c->timer_due_ms - clk_mono_ms(loop_clk(c->loop));
    long more_ms = -1;

    if (c->timer_due_ms == INT64_MAX)
        return;
    if (left_ms > 0) {
        c->timer_at_ms = c->timer_due_ms;
        loop_timer_in(c->timer, left_ms);
        return;
    }
    /* the clock of a test may be ahead of curl's, which then has nothing to do and does not ask again */
    if (curl_multi_timeout(c->multi, &more_ms) == CURLM_OK && more_ms > 0)
        on_timeout(c->multi, more_ms, c);
    act(c, CURL_SOCKET_TIMEOUT, 0);
}

static void on_ready(void *socket, int fd, unsigned ready)
{
    struct fetch_socket *s = socket;
    int what = (ready & LOOP_READ ? CURL_CSELECT_IN : 0) | (ready & LOOP_WRITE ? CURL_CSELECT_OUT : 0);

    if (!s->idle)
        act(s->client, fd, what);
    else if (socket_is_used(s))
        loop_fd_want(s->watch, 0); /* its exchange is busy with something else */
    else
        socket_hang_up(s);
}

/* --- sockets --- */

curl_socket_t fetch_socket_open(void *slot, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch_client *c = ((struct fetch_slot *)slot)->client;
    struct fetch *f = ((struct fetch_slot *)slot)->fetch;
    int fd;

    (void)purpose;
    if (f->pin) { /* curl found the connection dead, and would like another one */
        bool sent = f->state == FETCH_TRANSFERRING;

        f->early = sent ? FETCH_TCP_RESET : FETCH_PIN_LOST;
        f->early_text = sent ? "the connection ended instead of an answer" : "the connection was closed meanwhile";
        return CURL_SOCKET_BAD;
    }
    if (c->address_ok && !fetch_address_allowed(c, &address->addr))
        return CURL_SOCKET_BAD;
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    socket_new(c, fd, ++c->next_id);
    return fd;
}

int fetch_socket_close(void *client, curl_socket_t fd)
{
    struct fetch_socket *s = socket_find(client, fd);

    if (s)
        socket_free(s);
    return close(fd);
}

/* Inside curl. `socket` is what curl_multi_assign() stored, until curl forgets the socket. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *client, void *socket)
{
    struct fetch_client *c = client;
    struct fetch_socket *s = socket ? socket : socket_find(c, fd);
    struct fetch_slot *slot = NULL;

    if (what == CURL_POLL_REMOVE) {
        if (s && s->active)
            s->idle = true;
        else if (s)
            socket_free(s);
        return 0;
    }
    if (!c->multi)
        return 0;
    if (!s)
        s = socket_new(c, fd, -1);
    if (!socket)
        curl_multi_assign(c->multi, fd, s);
    if (!s->watch)
        s->watch = loop_fd_new(c->loop, "fetch", fd, on_ready, s);
    s->idle = false;
    s->active = s->active || (s->id >= 0 && what & CURL_POLL_IN);
    loop_fd_want(s->watch, (what & CURL_POLL_IN ? LOOP_READ : 0U) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0U));
    if (s->id >= 0 && curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot) == CURLE_OK && slot)
        slot->connection_id = s->id;
    return 0;
}

/* Gives up the stale connections that no exchange uses any more. */
void fetch_socket_sweep(struct fetch_client *c)
{
    struct fetch_socket *s;

    TAILQ_FOREACH(s, &c->sockets, entry)
    {
        if (s->stale && s->idle && !s->dead && !socket_is_used(s))
            socket_hang_up(s);
    }
}

struct fetch_socket *fetch_socket_of(const struct fetch_client *c, int64_t id)
{
    struct fetch_socket *s;

    TAILQ_FOREACH(s, &c->sockets, entry)
    {
        if (s->id >= 0 && s->id == id && !s->dead)
            return s;
    }
    return NULL;
}

bool fetch_socket_stands(const struct fetch_slot *slot)
{
    const struct fetch_socket *s = fetch_socket_of(slot->client, slot->connection_id);
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);

    return s && getpeername(s->fd, (struct sockaddr *)&peer, &len) == 0;
}

/*
 * Makes a connection look dead to curl, which asks the socket before it uses one again. The bytes that are there must
 * go: curl would take them for the answer to its next request.
 */
static void socket_hang_up(struct fetch_socket *s)
{
    char rubbish[4096];

    if (s->watch)
        loop_fd_want(s->watch, 0);
    shutdown(s->fd, SHUT_RDWR);
    while (recv(s->fd, rubbish, sizeof(rubbish), MSG_DONTWAIT) > 0)
        continue;
    s->dead = true;
}

static bool socket_is_used(const struct fetch_socket *s)
{
    const struct fetch *f;

    TAILQ_FOREACH(f, &s->client->running, entry)
    {
        if (f->slot->connection_id == s->id)
            return true;
    }
    return false;
}

static struct fetch_socket *socket_new(struct fetch_client *c, int fd, int64_t id)
{
    struct fetch_socket *s = mem_calloc(1, sizeof(*s));

    *s = (struct fetch_socket){.client = c, .fd = fd, .id = id};
    TAILQ_INSERT_HEAD(&c->sockets, s, entry);
    return s;
}

static struct fetch_socket *socket_find(const struct fetch_client *c, int fd)
{
    struct fetch_socket *s;

    TAILQ_FOREACH(s, &c->sockets, entry)
    {
        if (s->fd == fd)
            return s;
    }
    return NULL;
}

static void socket_free(struct fetch_socket *s)
{
    TAILQ_REMOVE(&s->client->sockets, s, entry);
    loop_fd_free(&s->watch);
    free(s);
}
