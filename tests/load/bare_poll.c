/*
 * bare_poll: see bare_poll.h. It sends each request, feeds what arrives to a SAX parser, picks out the texts of what is
 * wanted (of an appointment start, end and kind) by the element's local name, and counts the rows that have all of
 * them. Nothing is converted, nothing is checked, nothing is kept, no ceiling is watched. Handles and parser are made
 * once for each connection.
 */
#include "bare_poll.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <libxml/parser.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "stopwatch.h"

struct bare {
    struct event_base *base;
    struct event *timer;
    CURLM *multi;
    unsigned todo, running;
    unsigned long rows;
    const struct bare_poll_job *job;
};

enum { TEXT_MAX = 4096 };

struct lane {
    struct bare *bare;
    CURL *easy;
    xmlParserCtxtPtr parser;
    int reading; /* index of the wanted element that is open, -1: none */
    size_t len[BARE_POLL_WANTED];
    char text[BARE_POLL_WANTED][TEXT_MAX];
};

static void on_start(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int namespaces,
                     const xmlChar **namespace_list, int attributes, int defaulted, const xmlChar **attribute_list)
{
    (void)prefix, (void)uri, (void)namespaces, (void)namespace_list, (void)attributes, (void)defaulted,
        (void)attribute_list;
    struct lane *lane = arg;
    lane->reading = -1;
    const char *const *wanted = lane->bare->job->wanted;
    for (int i = 0; i < BARE_POLL_WANTED && wanted[i]; i++)
        if (strcmp((const char *)name, wanted[i]) == 0)
            lane->len[lane->reading = i] = 0;
}

static void on_text(void *arg, const xmlChar *text, int len)
{
    struct lane *lane = arg;
    if (lane->reading < 0 || lane->len[lane->reading] + (size_t)len > TEXT_MAX)
        return;
    memcpy(lane->text[lane->reading] + lane->len[lane->reading], text, (size_t)len);
    lane->len[lane->reading] += (size_t)len;
}

static void on_end(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    (void)prefix, (void)uri;
    struct lane *lane = arg;
    lane->reading = -1;
    const struct bare_poll_job *job = lane->bare->job;
    if (strcmp((const char *)name, job->row) != 0)
        return;
    bool all = true;
    for (int i = 0; i < BARE_POLL_WANTED && job->wanted[i]; i++)
        all = all && lane->len[i] > 0;
    lane->bare->rows += all;
    memset(lane->len, 0, sizeof(lane->len));
}

static xmlSAXHandler sax = {.initialized = XML_SAX2_MAGIC,
                            .startElementNs = on_start,
                            .endElementNs = on_end,
                            .characters = on_text,
                            .ignorableWhitespace = on_text};

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
    struct lane *lane = arg;
    xmlParseChunk(lane->parser, data, (int)(size * n), 0);
    return size * n;
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct bare *b = arg;
    int mask = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(b->multi, fd, mask, &(int){0});
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct bare *b = arg;
    curl_multi_socket_action(b->multi, CURL_SOCKET_TIMEOUT, 0, &(int){0});
}

static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *per_socket)
{
    (void)easy;
    struct bare *b = arg;
    struct event *event = per_socket;
    if (event)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        short kinds = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
        event = event_new(b->base, fd, kinds, on_socket, b);
        event_add(event, NULL);
    }
    curl_multi_assign(b->multi, fd, event);
    return 0;
}

static int timer_wanted(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct bare *b = arg;
    struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    if (ms < 0)
        evtimer_del(b->timer);
    else
        evtimer_add(b->timer, &wait);
    return 0;
}

static void start(struct lane *lane)
{
    struct bare *b = lane->bare;
    if (b->todo == 0)
        return;
    b->todo--;
    b->running++;
    xmlCtxtResetPush(lane->parser, NULL, 0, NULL, NULL);
    curl_multi_add_handle(b->multi, lane->easy);
}

/* What is finished makes room for the next request on the same handle. */
static void drain(struct bare *b)
{
    CURLMsg *msg;
    while ((msg = curl_multi_info_read(b->multi, &(int){0}))) {
        struct lane *lane;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&lane);
        curl_multi_remove_handle(b->multi, lane->easy);
        xmlParseChunk(lane->parser, NULL, 0, 1);
        b->running--;
        start(lane);
    }
}

static void lane_init(struct lane *lane, struct bare *b, struct curl_slist *headers)
{
    lane->bare = b;
    lane->parser = xmlCreatePushParserCtxt(&sax, lane, NULL, 0, NULL);
    lane->easy = curl_easy_init();
    curl_easy_setopt(lane->easy, CURLOPT_URL, b->job->url);
    curl_easy_setopt(lane->easy, CURLOPT_CUSTOMREQUEST, b->job->method);
    curl_easy_setopt(lane->easy, CURLOPT_HTTPHEADER, headers);
    if (b->job->body)
        curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDS, b->job->body);
    curl_easy_setopt(lane->easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(lane->easy, CURLOPT_WRITEDATA, lane);
    curl_easy_setopt(lane->easy, CURLOPT_PRIVATE, lane);
    curl_easy_setopt(lane->easy, CURLOPT_NOSIGNAL, 1L);
}

static struct curl_slist *request_headers(const struct bare_poll_job *job)
{
    struct curl_slist *list = NULL;
    for (const char *const *line = job->headers; *line; line++)
        list = curl_slist_append(list, *line);
    return list;
}

double bare_poll(const struct bare_poll_job *job, unsigned requests, unsigned connections, unsigned long *ret_rows)
{
    struct bare b = {.base = event_base_new(), .multi = curl_multi_init(), .todo = requests, .job = job};
    b.timer = evtimer_new(b.base, on_timer, &b);
    curl_multi_setopt(b.multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
    curl_multi_setopt(b.multi, CURLMOPT_SOCKETDATA, &b);
    curl_multi_setopt(b.multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
    curl_multi_setopt(b.multi, CURLMOPT_TIMERDATA, &b);
    struct curl_slist *headers = request_headers(job);
    struct lane *lanes = calloc(connections, sizeof(*lanes));
    double began = stopwatch_cpu();
    for (unsigned i = 0; lanes && i < connections; i++) {
        lane_init(&lanes[i], &b, headers);
        start(&lanes[i]);
    }
    while (b.running > 0) {
        event_base_loop(b.base, EVLOOP_ONCE);
        drain(&b);
    }
    double took = stopwatch_cpu() - began;
    for (unsigned i = 0; lanes && i < connections; i++) {
        curl_easy_cleanup(lanes[i].easy);
        xmlFreeParserCtxt(lanes[i].parser);
    }
    curl_multi_cleanup(b.multi);
    curl_slist_free_all(headers);
    event_free(b.timer);
    event_base_free(b.base);
    free(lanes);
    *ret_rows = b.rows;
    return requests / took;
}
