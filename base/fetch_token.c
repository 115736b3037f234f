/*
 * fetch_token: the Kerberos token of a request (RFC 4559), made by libcurl's GSS-API. Runs in the worker, since the
 * Kerberos library asks name servers and KDCs and waits for them; the request itself is then sent from the loop with
 * the token in a header of its own.
 *
 * Curl makes a token only while it sends a request. So it gets one to send, over a socket of this process instead of a
 * network: once it is connected the answer is put there, and afterwards the request with the token is read.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "fetch_private.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define HEADER "\r\nAuthorization: Negotiate "
#define REQUEST_MAX (96 * 1024) /* a ticket with many groups in it has 64 KiB at the most */

struct work {
    int listener, far;
    struct sockaddr_un address; /* an abstract one that the kernel chose */
    char why[200];
};

static bool listen_anywhere(struct work *w);
static void perform(CURL *easy, struct work *w, const char *host);
static bool take_token(struct work *w, struct buf *out);
static int on_connected(void *work, char *ip, char *local_ip, int port, int local_port);
static int on_text(CURL *easy, curl_infotype type, char *text, size_t len, void *work);
static size_t on_body(char *data, size_t size, size_t n, void *arg);

bool fetch_negotiate_token(const char *host, struct buf *out, char *why, size_t why_size)
{
    struct work w = {.listener = -1, .far = -1};
    CURL *easy = curl_easy_init();
    bool ok = false;

    if (easy && listen_anywhere(&w)) {
        perform(easy, &w, host);
        ok = take_token(&w, out);
    }
    if (!ok)
        snprintf(why, why_size, "%s", w.why[0] ? w.why : "the Kerberos library made no token");
    curl_easy_cleanup(easy);
    if (w.listener >= 0)
        close(w.listener);
    if (w.far >= 0)
        close(w.far);
    return ok;
}

static bool listen_anywhere(struct work *w)
{
    socklen_t len = sizeof(w->address.sun_family);

    w->address.sun_family = AF_UNIX;
    w->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (w->listener < 0 || bind(w->listener, (struct sockaddr *)&w->address, len) != 0 || listen(w->listener, 4) != 0)
        return false;
    len = sizeof(w->address) - 1;
    return getsockname(w->listener, (struct sockaddr *)&w->address, &len) == 0;
}

static void perform(CURL *easy, struct work *w, const char *host)
{
    char url[300];

    snprintf(url, sizeof(url), strchr(host, ':') ? "http://[%s]/" : "http://%s/", host);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_ABSTRACT_UNIX_SOCKET, w->address.sun_path + 1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_NEGOTIATE);
    curl_easy_setopt(easy, CURLOPT_USERPWD, ":"); /* whoever the Kerberos library says we are */
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, w);
    curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L); /* the only way to hear why there is no token */
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_text);
    curl_easy_setopt(easy, CURLOPT_DEBUGDATA, w);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    if (curl_easy_perform(easy) != CURLE_OK && !w->why[0])
        snprintf(w->why, sizeof(w->why), "curl sent no request to itself");
}

static bool take_token(struct work *w, struct buf *out)
{
    struct buf request;
    char *header, *end, *room;
    ssize_t n;
    bool ok = false;

    buf_init(&request, REQUEST_MAX);
    while (w->far >= 0 && (room = buf_room(&request, 4096)) && (n = recv(w->far, room, 4096, MSG_DONTWAIT)) > 0)
        request.len += (size_t)n;
    buf_addc(&request, '\0');
    header = strstr(request.data, HEADER);
    end = header ? strstr(header + strlen(HEADER), "\r\n") : NULL;
    if (end)
        ok = buf_add(out, header + strlen(HEADER), (size_t)(end - header) - strlen(HEADER));
    buf_wipe(&request);
    return ok;
}

/* Anybody on this machine may connect to an abstract socket: only our own connection gets the answer. */
static int on_connected(void *work, char *ip, char *local_ip, int port, int local_port)
{
    struct work *w = work;
    struct ucred peer;
    socklen_t len = sizeof(peer);

    (void)ip, (void)local_ip, (void)port, (void)local_port;
    while (w->far < 0 && (w->far = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        if (getsockopt(w->far, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid == getpid())
            break;
        close(w->far);
        w->far = -1;
    }
    if (w->far < 0 || write(w->far, ANSWER, strlen(ANSWER)) != (ssize_t)strlen(ANSWER))
        return CURL_PREREQFUNC_ABORT;
    return CURL_PREREQFUNC_OK;
}

/* "gss_init_sec_context() failed: Unspecified GSS failure. ... Client not found in Kerberos database. " */
static int on_text(CURL *easy, curl_infotype type, char *text, size_t len, void *work)
{
    static const char *const noise[] = {"gss_init_sec_context() failed: ", "Minor code may provide more information. ",
                                        "unavailable or inaccessible. "};
    struct work *w = work;
    const char *reason = text, *at;

    (void)easy;
    if (type != CURLINFO_TEXT || w->why[0] || !str_find_nocase(text, len, "gss_init_sec_context() failed"))
        return 0;
    for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
        at = str_find_nocase(reason, len, noise[i]);
        if (at && (size_t)(at - reason) + strlen(noise[i]) < len) {
            len -= (size_t)(at - reason) + strlen(noise[i]);
            reason = at + strlen(noise[i]);
        }
    }
    reason = str_trim(reason, &len);
    str_printable(reason, len, w->why, sizeof(w->why));
    return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    (void)data, (void)arg;
    return size * n;
}
