/*
 * pub_webhook_lane: one request at a time, tried until it is settled. For a batch that is one POST; for a ready-made
 * product up to three: look up what it calls the person, see whether what it shows is still ours, set it.
 *
 * Every answer ends in one of four ways: the step is done; try it again later (no connection, 408, 425, 429, 5xx);
 * these states are refused for good, so that trying again would hold up all others (other 4xx): they are dropped and
 * counted; or the hook itself is not as configured (401, 403, 410, a redirect): the breaker opens at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clk.h"
#include "base/crypto.h"
#include "base/fetch.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "pub_text.h"
#include "pub_webhook.h"

enum { RETRY_MS = 1000, RETRY_MAX_MS = 60000, ANSWER_MAX = 256 * 1024, RETRY_AFTER_MAX_S = 3600 };

static void begin(struct pub_hook_lane *l, enum pub_hook_step step);
static void send(struct pub_hook_lane *l, bool outside);
static void on_retry(void *arg);
static void on_answer(void *arg, const struct fetch_answer *answer);
static void take_answer(struct pub_hook_lane *l, const struct fetch_answer *answer);
static void take_id(struct pub_hook_lane *l, const struct jv *v);
static void take_guard(struct pub_hook_lane *l, const struct jv *v);
static void follow(struct pub_hook_lane *l, const struct fetch_answer *answer);
static void refuse(struct pub_hook_lane *l, int status);
static void again(struct pub_hook_lane *l, const struct fetch_answer *answer, const char *text);
static void finish(struct pub_hook_lane *l, bool answered);
static void set_mark(struct pub_hook_lane *l, bool ours);
static int64_t retry_after_s(const struct fetch_answer *answer, int64_t now);
static bool is_denied(const struct pres_hook_ready *r, const struct jv *v);
static char *field(const struct jv *v, const char *path);

void pres_hook_lane_start(struct pub_hook_lane *l)
{
    struct pub_webhook *h = l->hook;
    struct pub_hook_person *p = l->persons[0];
    l->redirects = 0;
    l->looked_up = false;
    if (!l->retry)
        l->retry = loop_timer_new(h->loop, "webhook retry", on_retry, l);
    l->sequence = pres_hook_sequence(h);
    if (h->batch) {
        pres_hook_fill_batch(l);
        begin(l, PUB_STEP_SET);
        return;
    }
    jv_free(&l->parsed);
    pres_hook_state(h, p, &l->now, &l->parsed);
    l->hashes[0] = pres_text_hash(&l->now);
    if (!h->ready) {
        begin(l, PUB_STEP_SET);
        return;
    }
    l->release = !pres_hook_shown(h, l->now.state);
    if (l->release && !p->mark) { /* nothing of ours is there */
        l->step = PUB_STEP_GUARD;
        finish(l, false);
        return;
    }
    if (!p->id && (h->id || h->ready->id))
        p->id = pres_hook_fill_id(l);
    begin(l, p->id ? PUB_STEP_GUARD : PUB_STEP_LOOKUP);
}

void pres_hook_lane_drop(struct pub_hook_lane *l)
{
    if (l->step == PUB_STEP_IDLE)
        return;
    fetch_cancel(&l->fetch);
    loop_timer_stop(l->retry);
    l->step = PUB_STEP_IDLE;
    while (l->count > 0)
        pres_hook_requeue(l->hook, l->persons[--l->count]);
}

void pres_hook_lane_free(struct pub_hook_lane *l)
{
    fetch_cancel(&l->fetch);
    loop_timer_free(&l->retry);
    buf_free(&l->url);
    buf_free(&l->body);
    free(l->mark);
    jv_free(&l->parsed);
}

static void begin(struct pub_hook_lane *l, enum pub_hook_step step)
{
    struct pub_webhook *h = l->hook;
    const struct pres_hook_ready *r = h->ready;
    l->step = step;
    l->attempts = 0;
    if (step == PUB_STEP_LOOKUP)
        pres_hook_fill_one(l, r->lookup, NULL);
    else if (step == PUB_STEP_GUARD)
        pres_hook_fill_one(l, r->guard, NULL);
    else if (r)
        pres_hook_fill_one(l, r->path, l->release ? r->release : h->body ? h->body : r->body);
    else if (!h->batch)
        pres_hook_fill_one(l, NULL, h->body);
    if (step == PUB_STEP_SET && r)
        pres_hook_fill_mark(l);
    send(l, false);
}

static void send(struct pub_hook_lane *l, bool outside)
{
    struct pub_webhook *h = l->hook;
    bool set = l->step == PUB_STEP_SET;
    if (l->url.failed || l->body.failed) {
        refuse(l, 413);
        return;
    }
    char **headers = pres_hook_headers(l);
    const struct fetch_request request = {.method = set ? h->method : "GET",
                                          .url = l->url.data,
                                          .headers = (const char *const *)headers,
                                          .body = set ? l->body.data : NULL,
                                          .body_len = set ? l->body.len : 0,
                                          .total_ms = h->timeout_ms,
                                          .max_body = ANSWER_MAX,
                                          .done = on_answer,
                                          .arg = l};
    h->requests++;
    h->inner_refused = false;
    l->fetch = fetch_start(outside ? h->outside : h->client, &request);
    pres_hook_free_headers(headers);
}

static void on_retry(void *arg)
{
    struct pub_hook_lane *l = arg;
    l->hook->retries++;
    l->redirects = 0;
    if (l->step == PUB_STEP_SET && l->hook->batch) { /* the same body under the same number */
        buf_reset(&l->url);
        buf_adds(&l->url, l->hook->url);
    } else if (l->step == PUB_STEP_SET && !l->hook->ready) {
        pres_hook_fill_one(l, NULL, l->hook->body);
    }
    send(l, false);
}

static void on_answer(void *arg, const struct fetch_answer *answer)
{
    struct pub_hook_lane *l = arg;
    struct pub_webhook *h = l->hook;
    l->fetch = NULL;
    take_answer(l, answer);
    pres_hook_pump(h);
}

static void take_answer(struct pub_hook_lane *l, const struct fetch_answer *answer)
{
    struct pub_webhook *h = l->hook;
    int status = answer->status;
    if (answer->err == FETCH_TCP_REFUSED && h->inner_refused)
        pres_hook_failed(h, "webhook-forbidden-address",
                         "the hook redirects to an address of this machine or this link", true, 0);
    else if (answer->err != FETCH_OK)
        again(l, answer, answer->text);
    else if (status / 100 == 3)
        follow(l, answer);
    else if (status == 401 || status == 403)
        pres_hook_failed(h, "webhook-not-authorized", status == 401 ? "the hook answers 401" : "the hook answers 403",
                         true, 0);
    else if (status == 410)
        pres_hook_failed(h, "webhook-gone", "the hook answers 410: it is there no more", true, 0);
    else if (status == 408 || status == 425 || status == 429 || status >= 500 || status < 200) {
        char text[60];
        snprintf(text, sizeof text, "the hook answers %d", status);
        again(l, answer, text);
    } else if (status >= 400)
        refuse(l, status);
    else {
        char why[100];
        const struct pres_hook_ready *r = h->ready;
        struct jv *v = r ? jv_parse(answer->body, answer->body_len, why, sizeof why) : NULL;
        if (r && (r->ok_field || l->step != PUB_STEP_SET) &&
            (!jv_is_object(v) || (r->ok_field && !jv_truth(jv_get(v, r->ok_field), false)))) {
            log_debug("webhook", "hook=%s an answer says no", h->name);
            if (is_denied(r, v))
                pres_hook_failed(h, "webhook-not-authorized", "the hook answers that the token is not good", true, 0);
            else
                refuse(l, status);
        } else if (l->step == PUB_STEP_LOOKUP)
            take_id(l, v);
        else if (l->step == PUB_STEP_GUARD)
            take_guard(l, v);
        else
            finish(l, true);
        jv_free(&v);
    }
}

/* Is it our token that is refused, or only this person? */
static bool is_denied(const struct pres_hook_ready *r, const struct jv *v)
{
    char *why = r->why_field ? field(v, r->why_field) : NULL;
    bool denied = false;
    size_t len;
    for (const char *word = r->denied, *rest; why && word && !denied; word = rest) {
        rest = str_split(word, ' ', &len);
        denied = strlen(why) == len && strncmp(why, word, len) == 0;
    }
    free(why);
    return denied;
}

static void take_id(struct pub_hook_lane *l, const struct jv *v)
{
    char *id = field(v, l->hook->ready->lookup_field);
    if (!id) {
        refuse(l, 404);
        return;
    }
    free(l->persons[0]->id);
    l->persons[0]->id = id;
    l->looked_up = true;
    pres_hook_succeeded(l->hook);
    begin(l, PUB_STEP_GUARD);
}

/* What a person chose by hand is left alone: before ours began, and after it was ours. */
static void take_guard(struct pub_hook_lane *l, const struct jv *v)
{
    struct pub_webhook *h = l->hook;
    struct pub_hook_person *p = l->persons[0];
    char *shown = field(v, h->ready->guard_field);
    pres_hook_succeeded(h);
    pres_hook_fill_mark(l);
    bool ours = p->mark && shown && strcmp(shown, p->mark) == 0;
    bool by_hand = p->mark ? !ours : shown && l->mark[0] && strcmp(shown, l->mark) == 0;
    free(shown);
    if (!by_hand) {
        begin(l, PUB_STEP_SET);
        return;
    }
    h->kept++;
    set_mark(l, false);
    finish(l, true);
}

static void follow(struct pub_hook_lane *l, const struct fetch_answer *answer)
{
    struct pub_webhook *h = l->hook;
    const char *code, *text;
    bool outside = false;
    char *to = pres_hook_redirect(l, answer, &outside, &code, &text);
    if (!to) {
        pres_hook_failed(h, code, text, true, 0);
        return;
    }
    buf_reset(&l->url);
    buf_adds(&l->url, to);
    free(to);
    h->redirected++;
    send(l, outside);
}

/* These states, and no others. A name over there that is not known (any longer) is asked for once more. */
static void refuse(struct pub_hook_lane *l, int status)
{
    struct pub_webhook *h = l->hook;
    struct pub_hook_person *p = l->persons[0];
    if (h->ready && h->ready->lookup && !h->id && p->id && !l->looked_up && status == 404) {
        free(p->id);
        p->id = NULL;
        begin(l, PUB_STEP_LOOKUP);
        return;
    }
    if (status == 413 && l->count > 1) { /* the half of it may do */
        while (l->count > 1)
            pres_hook_requeue(h, l->persons[--l->count]);
        h->batch = h->batch > 1 ? h->batch / 2 : 1;
        pres_hook_lane_drop(l);
        return;
    }
    h->rejected += l->count;
    log_warning("webhook", "hook=%s refuses status=%d states=%u", h->name, status, l->count);
    if (h->ready)
        set_mark(l, false);
    finish(l, true);
}

/* Later. When too much has failed in a row, the breaker takes everything back. */
static void again(struct pub_hook_lane *l, const struct fetch_answer *answer, const char *text)
{
    struct pub_webhook *h = l->hook;
    const char *code = answer->err != FETCH_OK ? fetch_err_code(answer->err) : "webhook-refused";
    int64_t after_s = answer->err == FETCH_OK ? retry_after_s(answer, clk_wall_s(loop_clk(h->loop))) : 0;
    int64_t wait_ms = RETRY_MS;
    for (unsigned i = 0; i < l->attempts && wait_ms < RETRY_MAX_MS; i++)
        wait_ms *= 2;
    wait_ms = wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS;
    wait_ms -= (int64_t)(crypto_random_u64() % (uint64_t)(wait_ms / 4 + 1));
    l->attempts++;
    if (pres_hook_failed(h, code, text, false, after_s))
        return;
    loop_timer_in(l->retry, after_s * 1000 > wait_ms ? after_s * 1000 : wait_ms);
}

static void finish(struct pub_hook_lane *l, bool answered)
{
    struct pub_webhook *h = l->hook;
    if (answered && h->ready && l->step == PUB_STEP_SET)
        set_mark(l, !l->release);
    l->step = PUB_STEP_IDLE;
    for (unsigned i = 0; i < l->count; i++)
        pres_hook_settled(h, l->persons[i], l->hashes[i]);
    l->count = 0;
    if (answered)
        pres_hook_succeeded(h);
}

static void set_mark(struct pub_hook_lane *l, bool ours)
{
    struct pub_hook_person *p = l->persons[0];
    free(p->mark);
    p->mark = ours && l->mark ? mem_strdup(l->mark) : NULL;
}

/* Seconds, or a date. 0: not said. */
static int64_t retry_after_s(const struct fetch_answer *answer, int64_t now)
{
    const char *text = fetch_header(answer->fetch, "Retry-After", 0);
    struct tm tm = {0};
    int64_t seconds = 0;
    if (!text)
        return 0;
    if (!str_to_int(text, 0, INT64_MAX / 2000, &seconds)) {
        const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        seconds = end && !*end ? (int64_t)timegm(&tm) - now : 0;
    }
    return seconds < 0 ? 0 : seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
}

/* "user.id" of an object, a text or a number; NULL: it is not there. */
static char *field(const struct jv *v, const char *path)
{
    char name[40];
    while (path) {
        size_t len;
        const char *rest = str_split(path, '.', &len);
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        v = jv_get(v, name);
        path = rest;
    }
    if (jv_is_string(v))
        return mem_strdup(jv_str(v, ""));
    return jv_num(v, INT64_MIN) != INT64_MIN ? mem_printf("%lld", (long long)jv_num(v, 0)) : NULL;
}
