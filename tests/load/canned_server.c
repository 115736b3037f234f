/*
 * canned_server: see canned_server.h. One epoll loop; a request is read to the end of its Content-Length and answered
 * with one write. There is no error handling worth the name: a driver that sends nonsense hangs, and is wrong.
 */
#include "canned_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/utc.h"
#include "stopwatch.h"

struct connection {
    int fd;
    size_t len;
    char in[16384];
};

static void serve(int listener, const struct canned_answer *answers, size_t count) __attribute__((noreturn));

struct canned_answer canned_207(const char *method, const char *xml)
{
    struct canned_answer answer = {.method = method};
    int len =
        asprintf(&answer.bytes,
                 "HTTP/1.1 207 Multi-Status\r\nDate: Mon, 03 Mar 2008 08:00:00 GMT\r\nServer: Microsoft-IIS/6.0\r\n"
                 "X-Powered-By: ASP.NET\r\nMS-WebStorage: 6.5.7638\r\nContent-Type: text/xml\r\nAccept-Ranges: rows\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
                 strlen(xml), xml);
    if (len < 0)
        abort();
    answer.len = (size_t)len;
    return answer;
}

char *canned_search_xml(unsigned rows, long long first_start)
{
    char *xml = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&xml, &size);
    fputs("<?xml version=\"1.0\"?><a:multistatus xmlns:b=\"urn:uuid:c2f41010-65b3-11d1-a29f-00aa00c14882/\""
          " xmlns:e=\"http://schemas.microsoft.com/exchange/\" xmlns:c=\"xml:\" xmlns:d=\"urn:schemas:calendar:\""
          " xmlns:f=\"http://schemas.microsoft.com/mapi/\" xmlns:a=\"DAV:\">",
          out);
    for (unsigned i = 0; i < rows; i++) {
        char start[UTC_TEXT_MAX], end[UTC_TEXT_MAX];
        utc_rfc3339(first_start + (long long)i * 7200, start);
        utc_rfc3339(first_start + (long long)i * 7200 + 3600, end);
        fprintf(
            out,
            "<a:response><a:href>http://mail.example.test/exchange/anna@example.test/Calendar/Item-%u.EML</a:href>"
            "<a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop>"
            "<d:dtstart b:dt=\"dateTime.tz\">%.19s.000Z</d:dtstart><d:dtend b:dt=\"dateTime.tz\">%.19s.000Z</d:dtend>"
            "<d:busystatus>%s</d:busystatus><d:alldayevent b:dt=\"boolean\">0</d:alldayevent>"
            "<d:instancetype b:dt=\"int\">%u</d:instancetype><e:sensitivity b:dt=\"int\">0</e:sensitivity>"
            "<f:apptstateflags b:dt=\"int\">1</f:apptstateflags><f:responsestatus b:dt=\"int\">3</f:responsestatus>"
            "<busymapi b:dt=\"int\">2</busymapi></a:prop></a:propstat></a:response>",
            i, start, end, i % 5 ? "BUSY" : "TENTATIVE", i % 3 ? 0u : 2u);
    }
    fputs("</a:multistatus>", out);
    fclose(out);
    return xml;
}

char *canned_propfind_xml(void)
{
    return strdup("<?xml version=\"1.0\"?><a:multistatus xmlns:b=\"urn:uuid:c2f41010-65b3-11d1-a29f-00aa00c14882/\""
                  " xmlns:d=\"urn:schemas:httpmail:\" xmlns:c=\"xml:\" xmlns:a=\"DAV:\"><a:response>"
                  "<a:href>http://mail.example.test/exchange/anna@example.test/</a:href><a:propstat>"
                  "<a:status>HTTP/1.1 200 OK</a:status><a:prop><a:displayname>anna</a:displayname>"
                  "<d:calendar>http://mail.example.test/exchange/anna@example.test/Calendar</d:calendar>"
                  "</a:prop></a:propstat></a:response></a:multistatus>");
}

pid_t canned_server_start(const struct canned_answer *answers, size_t count, unsigned *ret_port)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(where);
    if (listener < 0 || bind(listener, (struct sockaddr *)&where, len) || listen(listener, 512) ||
        getsockname(listener, (struct sockaddr *)&where, &len)) {
        perror("canned server");
        exit(1);
    }
    *ret_port = ntohs(where.sin_port);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        stopwatch_pin(1);
        serve(listener, answers, count);
    }
    close(listener);
    return pid;
}

void canned_server_stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static const struct canned_answer *answer_for(const struct connection *c, const struct canned_answer *answers,
                                              size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(c->in, answers[i].method, strlen(answers[i].method)) == 0)
            return &answers[i];
    return &answers[0];
}

/* Length of the first request in the buffer, 0 when it is not whole yet. */
static size_t whole_request(struct connection *c)
{
    c->in[c->len] = '\0';
    const char *end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return 0;
    const char *length = strcasestr(c->in, "\r\nContent-Length:");
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size_t whole = (size_t)(end + 4 - c->in) + body;
    return whole <= c->len ? whole : 0;
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

/* False: the connection is over. */
static bool on_readable(struct connection *c, const struct canned_answer *answers, size_t count)
{
    ssize_t n = read(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len);
    if (n <= 0)
        return false;
    c->len += (size_t)n;
    for (size_t whole; (whole = whole_request(c)) > 0;) {
        const struct canned_answer *answer = answer_for(c, answers, count);
        write_all(c->fd, answer->bytes, answer->len);
        memmove(c->in, c->in + whole, c->len - whole);
        c->len -= whole;
    }
    return true;
}

static void accept_one(int epoll, int listener)
{
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct connection *c = calloc(1, sizeof(*c));
    if (!c)
        abort();
    c->fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
}

static void serve(int listener, const struct canned_answer *answers, size_t count)
{
    int epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) {
                accept_one(epoll, listener);
            } else if (!on_readable(c, answers, count)) {
                close(c->fd);
                free(c);
            }
        }
    }
}
