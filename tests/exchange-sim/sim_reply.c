/*
 * sim_reply: see the header. A 207 document is streamed, so that it goes out chunked; the stream is also where it is
 * cut, dribbled byte by byte, or never ends.
 */
#include "sim_reply.h"

#include "base/buf.h"
#include "base/httpd.h"
#include "base/mem.h"
#include "sim.h"
#include "sim_log.h"
#include "sim_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 16

static const char *server_line(enum sim_profile profile)
{
    switch (profile) {
    case SIM_2000:
        return "Server: Microsoft-IIS/5.0";
    case SIM_2003:
        return "Server: Microsoft-IIS/6.0";
    case SIM_2007:
        break;
    }
    return "Server: Microsoft-IIS/7.0";
}

/* Early builds of 2000 leave the header out here and there: ours in the answers to SEARCH. */
static const char *webstorage_line(const struct sim_request *r)
{
    if (sim_fault_on(&r->sim->faults, r->node.mailbox, SIM_F_NO_WEBSTORAGE))
        return NULL;
    switch (r->sim->faults.profile) {
    case SIM_2000:
        return strcmp(r->method, "SEARCH") == 0 ? NULL : "MS-WebStorage: 6.0.6249";
    case SIM_2003:
        return "MS-WebStorage: 6.5.7638";
    case SIM_2007:
        break;
    }
    return "MS-WebStorage: 08.01.10240";
}

static void add(const char **headers, size_t *n, const char *line)
{
    if (line != NULL && *n < HEADERS_MAX - 1)
        headers[(*n)++] = line;
    headers[*n] = NULL;
}

static void usual_headers(struct sim_request *r, const char **headers, size_t *n, bool bare)
{
    add(headers, n, server_line(r->sim->faults.profile));
    add(headers, n, "X-Powered-By: ASP.NET");
    if (!bare)
        add(headers, n, webstorage_line(r));
    if (r->sim->faults.profile == SIM_2007)
        add(headers, n, "Cache-Control: no-cache");
    for (size_t i = 0; r->cookies != NULL && r->cookies[i] != NULL; i++)
        add(headers, n, r->cookies[i]);
}

void sim_reply(struct sim_request *r, const struct sim_reply *reply)
{
    const char *headers[HEADERS_MAX];
    size_t n = 0;
    usual_headers(r, headers, &n, reply->bare);
    if (reply->type != NULL)
        add(headers, &n, sim_arena_printf(r->arena, "Content-Type: %s", reply->type));
    if (reply->location != NULL)
        add(headers, &n, sim_arena_printf(r->arena, "Location: %s", reply->location));
    add(headers, &n, reply->header);
    for (size_t i = 0; reply->more != NULL && reply->more[i] != NULL; i++)
        add(headers, &n, reply->more[i]);
    int64_t wait = sim_fault_number(&r->sim->faults, r->node.mailbox, SIM_F_RETRY_AFTER);
    if (wait > 0 && (reply->status == 429 || reply->status == 503))
        add(headers, &n, sim_arena_printf(r->arena, "Retry-After: %lld", (long long)wait));
    sim_log_answer(r->sim->log, r, reply->status);
    httpd_reply(r->req, reply->status, headers, reply->body != NULL ? reply->body : "", reply->len);
    sim_request_free(r);
}

void sim_reply_page(struct sim_request *r, int status, const char *html)
{
    sim_reply(r, &(struct sim_reply){.status = status, .type = "text/html", .body = html, .len = strlen(html)});
}

void sim_reply_error(struct sim_request *r, int status)
{
    const char *html =
        sim_arena_printf(r->arena, "<html><head><title>Error</title></head><body><h2>HTTP/1.1 %d %s</h2></body></html>",
                         status, status == 404 ? "Resource Not Found" : "Error");
    sim_reply_page(r, status, html);
}

void sim_reply_redirect(struct sim_request *r, const char *location)
{
    sim_reply(r, &(struct sim_reply){.status = 302, .location = location});
}

void sim_reply_violation(struct sim_request *r, const char *what)
{
    sim_log_violation(r->sim->log, r, what);
    sim_reply_page(r, 400,
                   sim_arena_printf(r->arena, "<html><body>400 the simulator's complaint: %s</body></html>", what));
}

struct document {
    struct buf xml;
    size_t at;
    size_t cut_at; /* break off here; SIZE_MAX: never */
    size_t pad_at; /* the padding stands before this byte */
    int64_t pad_left;
    bool dribble;
    bool endless;
};

#define RESPONSE_END "</a:response></a:multistatus>"

/* A document made long: its last row gets a comment property of so many bytes, which are written only when asked for.
 */
static void pad(struct document *d, int64_t bytes)
{
    static const char before[] = "<a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop><a:comment>";
    static const char after[] = "</a:comment></a:prop></a:propstat>" RESPONSE_END;
    size_t row_end = d->xml.len - strlen(RESPONSE_END);
    if (bytes <= 0 || d->xml.len < strlen(RESPONSE_END) || strcmp(d->xml.data + row_end, RESPONSE_END) != 0)
        return;
    d->xml.len = row_end;
    buf_adds(&d->xml, before);
    d->pad_at = d->xml.len;
    d->pad_left = bytes;
    buf_adds(&d->xml, after);
}

/* An endless document repeats what follows its root element. */
static void wrap(struct document *d)
{
    const char *first = memmem(d->xml.data, d->xml.len, "<a:response>", strlen("<a:response>"));
    if (first != NULL)
        d->at = (size_t)(first - d->xml.data);
}

/* The next bytes, which lie in one piece; 0: the end. */
static size_t document_piece(struct document *d, char *out, size_t max)
{
    size_t end = d->endless ? d->xml.len - strlen("</a:multistatus>") : d->xml.len;
    if (d->endless && d->at >= end)
        wrap(d);
    if (d->at == d->pad_at && d->pad_left > 0) {
        size_t n = d->pad_left < (int64_t)max ? (size_t)d->pad_left : max;
        memset(out, 'p', n);
        d->pad_left -= (int64_t)n;
        return n;
    }
    end = d->at < d->pad_at && d->pad_at < end ? d->pad_at : end;
    end = d->cut_at < end ? d->cut_at : end;
    size_t n = end - d->at < max ? end - d->at : max;
    memcpy(out, d->xml.data + d->at, n);
    d->at += n;
    return n;
}

/* Whole blocks: an endless document in its short pieces would keep everybody else waiting. */
static ssize_t document_pull(void *arg, char *out, size_t max)
{
    struct document *d = arg;
    size_t n = 0, piece = 1;
    max = d->dribble ? 1 : max;
    while (n < max && d->at < d->cut_at && piece > 0)
        n += piece = document_piece(d, out + n, max - n);
    if (n > 0)
        return (ssize_t)n;
    return d->at >= d->cut_at ? HTTPD_PULL_ABORT : HTTPD_PULL_END;
}

static void document_gone(void *arg)
{
    struct document *d = arg;
    buf_free(&d->xml);
    free(d);
}

void sim_reply_multistatus(struct sim_request *r, struct buf *xml, const char *header)
{
    const struct sim_faults *f = &r->sim->faults;
    const struct sim_mailbox *m = r->node.mailbox;
    if (sim_fault_on(f, m, SIM_F_HTML)) {
        buf_free(xml);
        sim_reply_page(r, 200, "<html><head><title>Welcome</title></head><body><p>It works.<br></body></html>");
        return;
    }
    if (sim_fault_on(f, m, SIM_F_NOT_XML))
        memcpy(xml->data + xml->len - strlen("</a:multistatus>"), "</a:multistupid>", strlen("</a:multistatus>"));
    struct document *d = mem_calloc(1, sizeof(*d));
    d->xml = *xml;
    d->pad_at = SIZE_MAX;
    pad(d, sim_fault_number(f, m, SIM_F_PAD));
    d->cut_at = sim_fault_on(f, m, SIM_F_CUT) ? xml->len / 2 : SIZE_MAX;
    d->dribble = sim_fault_on(f, m, SIM_F_DRIBBLE);
    d->endless = sim_fault_on(f, m, SIM_F_ENDLESS) && strstr(xml->data, "<a:response>") != NULL;
    const char *headers[HEADERS_MAX];
    size_t n = 0;
    usual_headers(r, headers, &n, false);
    add(headers, &n, "Content-Type: text/xml");
    add(headers, &n, "Accept-Ranges: rows");
    add(headers, &n, header);
    sim_log_answer(r->sim->log, r, 207);
    httpd_stream_start(r->req, 207, headers, document_pull, document_gone, d);
    sim_request_free(r);
}
