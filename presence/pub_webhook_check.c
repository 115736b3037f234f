/*
 * pub_webhook_check: does the hook take what we send? Asked by an administrator's check, beside the lanes: one request,
 * answered or not, that tells nobody of anybody and is not tried again. A batch hook gets an empty batch, signed as any
 * other; of a ready-made product we read who the token says that we are. A hook with words of its own is not tried:
 * what they would do over there is not ours to know.
 *
 * How it went is the publisher's to tell; deliveries and the breaker are not touched.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fetch.h"
#include "base/json.h"
#include "pub_webhook.h"

enum { ANSWER_MAX = 256 * 1024 };

static void send(struct pub_webhook *h, bool outside);
static void on_answer(void *arg, const struct fetch_answer *answer);
static void follow(struct pub_webhook *h, const struct fetch_answer *answer);
static bool knows_us(const struct pres_hook_ready *r, const struct fetch_answer *answer);

bool pres_hook_check(struct pub_webhook *h, bool begin)
{
    struct pub_hook_lane *l = &h->probe;
    if (!begin || l->fetch || !(h->batch || h->ready))
        return l->fetch != NULL;
    l->redirects = 0;
    pres_hook_fill_check(l);
    send(h, false);
    return true;
}

static void send(struct pub_webhook *h, bool outside)
{
    struct pub_hook_lane *l = &h->probe;
    l->step = h->ready ? PUB_STEP_LOOKUP : PUB_STEP_SET;
    char **headers = pres_hook_headers(l);
    const struct fetch_request request = {.method = h->ready ? "GET" : h->method,
                                          .url = l->url.data,
                                          .headers = (const char *const *)headers,
                                          .body = h->ready ? NULL : l->body.data,
                                          .body_len = h->ready ? 0 : l->body.len,
                                          .total_ms = h->timeout_ms,
                                          .max_body = ANSWER_MAX,
                                          .done = on_answer,
                                          .arg = h};
    h->requests++;
    h->inner_refused = false;
    l->fetch = fetch_start(outside ? h->outside : h->client, &request);
    pres_hook_free_headers(headers);
}

static void on_answer(void *arg, const struct fetch_answer *answer)
{
    struct pub_webhook *h = arg;
    int status = answer->status;
    char text[100];
    h->probe.fetch = NULL;
    snprintf(text, sizeof text, "the hook answers %d%s", status, status == 404 ? ": is its URL right?" : "");
    if (answer->err == FETCH_TCP_REFUSED && h->inner_refused)
        pres_publisher_checked(h->publisher, "webhook-forbidden-address",
                               "the hook redirects to an address of this machine or this link");
    else if (answer->err != FETCH_OK)
        pres_publisher_checked(h->publisher, fetch_err_code(answer->err), answer->text);
    else if (status / 100 == 3)
        follow(h, answer);
    else if (status == 401 || status == 403)
        pres_publisher_checked(h->publisher, "webhook-not-authorized", text);
    else if (status == 410)
        pres_publisher_checked(h->publisher, "webhook-gone", text);
    else if (status / 100 != 2)
        pres_publisher_checked(h->publisher, "webhook-refused", text);
    else if (h->ready && !knows_us(h->ready, answer))
        pres_publisher_checked(h->publisher, "webhook-not-authorized", "the answer does not say who we are over there");
    else
        pres_publisher_proved(h->publisher);
    h->inner_refused = false;
}

static void follow(struct pub_webhook *h, const struct fetch_answer *answer)
{
    struct pub_hook_lane *l = &h->probe;
    const char *code, *text;
    bool outside = false;
    char *to = pres_hook_redirect(l, answer, &outside, &code, &text);
    if (!to) {
        pres_publisher_checked(h->publisher, code, text);
        return;
    }
    buf_reset(&l->url);
    buf_adds(&l->url, to);
    free(to);
    h->redirected++;
    send(h, outside);
}

/* Slack says no in an answer that is 200. */
static bool knows_us(const struct pres_hook_ready *r, const struct fetch_answer *answer)
{
    char why[100];
    struct jv *v = jv_parse(answer->body, answer->body_len, why, sizeof why);
    bool good = jv_is_object(v) && jv_get(v, r->who_field) && (!r->ok_field || jv_truth(jv_get(v, r->ok_field), false));
    jv_free(&v);
    return good;
}
