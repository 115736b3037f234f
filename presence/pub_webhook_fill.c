/*
 * pub_webhook_fill: what stands in a request: the batch as JSON, or the administrator's own text for one person;
 * headers, the number, and the signature. Called by pub_webhook_lane.c for each attempt.
 *
 * The signature is HMAC-SHA-256 over "TIME.BODY", sent as "t=TIME,v1=HEX": a request that somebody recorded grows old.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "presence/viewer.h"
#include "presence/render.h"
#include "pub_text.h"
#include "pub_webhook.h"
#include "template.h"

enum { JSON_MAX = 16000, HEADER_MAX = 8192 };

static void fill_of(struct pub_hook_lane *l, struct buf *json, struct buf *text, struct pres_fill *ret);
static struct pres_fill fill_of_nobody(const struct pub_hook_lane *l);
static void cut_utf8(struct buf *text, size_t max);
static char *header(struct pub_hook_lane *l, const char *line);
static char *signature(struct pub_hook_lane *l);
static enum pres_escape escape_of(const char *content_type);

void pres_hook_fill_batch(struct pub_hook_lane *l)
{
    struct pub_webhook *h = l->hook;
    struct pres_presence now;
    struct jv *parsed;
    buf_reset(&l->body);
    buf_adds(&l->body, "{\"hook\":");
    jv_quote(&l->body, h->name);
    buf_addf(&l->body, ",\"sequence\":%" PRIu64 ",\"presence\":[", l->sequence);
    for (unsigned i = 0; i < l->count; i++) {
        pres_hook_state(h, l->persons[i], &now, &parsed);
        l->hashes[i] = pres_text_hash(&now);
        buf_adds(&l->body, i ? "," : "");
        pres_render_json(&l->body, l->persons[i]->address, &now);
        jv_free(&parsed);
    }
    buf_adds(&l->body, "]}");
    buf_reset(&l->url);
    buf_adds(&l->url, h->url);
}

/* path NULL: the whole URL is the administrator's. body NULL: none. */
void pres_hook_fill_one(struct pub_hook_lane *l, const char *path, const char *body)
{
    struct pub_webhook *h = l->hook;
    struct buf json, text;
    struct pres_fill f;
    fill_of(l, &json, &text, &f);
    buf_reset(&l->url);
    buf_reset(&l->body);
    pres_template_add(&l->url, h->url, &f, PRES_ESCAPE_URL);
    while (path && l->url.len > 0 && l->url.data[l->url.len - 1] == '/')
        l->url.data[--l->url.len] = '\0';
    if (path)
        pres_template_add(&l->url, path, &f, PRES_ESCAPE_URL);
    if (body)
        pres_template_add(&l->body, body, &f, escape_of(h->content_type));
    buf_free(&json);
    buf_free(&text);
}

/* Of nobody; under a number that no request has, which is above none that a receiver knows. */
void pres_hook_fill_check(struct pub_hook_lane *l)
{
    struct pub_webhook *h = l->hook;
    struct pres_fill f = fill_of_nobody(l);
    l->sequence = 0;
    buf_reset(&l->url);
    buf_reset(&l->body);
    pres_template_add(&l->url, h->url, &f, PRES_ESCAPE_URL);
    while (h->ready && l->url.len > 0 && l->url.data[l->url.len - 1] == '/')
        l->url.data[--l->url.len] = '\0';
    if (h->ready) {
        buf_adds(&l->url, h->ready->who);
        return;
    }
    buf_adds(&l->body, "{\"hook\":");
    jv_quote(&l->body, h->name);
    buf_adds(&l->body, ",\"sequence\":0,\"check\":true,\"presence\":[]}");
}

void pres_hook_fill_mark(struct pub_hook_lane *l)
{
    struct buf json, text, mark;
    struct pres_fill f;
    fill_of(l, &json, &text, &f);
    buf_init(&mark, JSON_MAX);
    pres_template_add(&mark, l->hook->ready->mark, &f, PRES_ESCAPE_NONE);
    free(l->mark);
    l->mark = buf_take(&mark);
    buf_free(&json);
    buf_free(&text);
}

char *pres_hook_fill_id(struct pub_hook_lane *l)
{
    struct buf json, text, id;
    struct pres_fill f;
    fill_of(l, &json, &text, &f);
    buf_init(&id, JSON_MAX);
    pres_template_add(&id, l->hook->id ? l->hook->id : l->hook->ready->id, &f, PRES_ESCAPE_NONE);
    buf_free(&json);
    buf_free(&text);
    return buf_take(&id);
}

char **pres_hook_headers(struct pub_hook_lane *l)
{
    struct pub_webhook *h = l->hook;
    char **headers = mem_calloc(PUB_HOOK_HEADERS + 1, sizeof *headers);
    unsigned n = 0;
    if (l->step == PUB_STEP_SET) {
        headers[n++] = mem_printf("Content-Type: %s", h->content_type);
        headers[n++] = mem_printf("Freebusyd-Hook: %s", h->name);
        headers[n++] = mem_printf("Freebusyd-Sequence: %" PRIu64, l->sequence);
    }
    if (h->sign && l->step == PUB_STEP_SET)
        headers[n++] = signature(l);
    for (size_t i = 0; h->ready && h->ready->headers[i] && n < PUB_HOOK_HEADERS; i++)
        headers[n++] = header(l, h->ready->headers[i]);
    for (size_t i = 0; i < h->header_count && n < PUB_HOOK_HEADERS; i++)
        headers[n++] = header(l, h->headers[i]);
    return headers;
}

void pres_hook_free_headers(char **headers)
{
    for (unsigned i = 0; headers[i]; i++) {
        mem_wipe(headers[i], strlen(headers[i])); /* one of them has the token */
        free(headers[i]);
    }
    free(headers);
}

bool pres_hook_shown(const struct pub_webhook *h, enum pres_kind kind)
{
    return h->show[kind][0] != '\0';
}

/* A batch of one; what it points to lives in json, text and the lane. */
static void fill_of(struct pub_hook_lane *l, struct buf *json, struct buf *text, struct pres_fill *ret)
{
    struct pub_webhook *h = l->hook;
    struct pub_hook_person *p = l->persons[0];
    int64_t wall = clk_wall_s(loop_clk(h->loop));
    pres_id id = pres_viewer_find(pres_publisher_viewer(h->publisher), NULL, p->address);
    buf_init(json, JSON_MAX);
    buf_init(text, PRES_TEXT_MAX);
    pres_render_json(json, p->address, &l->now);
    pres_text_add(h->text[l->now.state], h->zone, wall, l->now.until, text);
    if (h->ready && h->ready->text_max)
        cut_utf8(text, h->ready->text_max);
    *ret = (struct pres_fill){.address = p->address,
                              .group = id != PRES_NOBODY ? pres_table_group(h->table, id) : NULL,
                              .now = &l->now,
                              .json = json->data,
                              .show = h->show[l->now.state],
                              .text = text->data,
                              .id = p->id,
                              .token = h->token ? secret_bytes(h->token, &(size_t){0}) : NULL,
                              .wall = wall,
                              .sequence = l->sequence};
}

static struct pres_fill fill_of_nobody(const struct pub_hook_lane *l)
{
    const struct pub_webhook *h = l->hook;
    return (struct pres_fill){.address = "",
                              .now = &l->now,
                              .token = h->token ? secret_bytes(h->token, &(size_t){0}) : NULL,
                              .sequence = l->sequence};
}

static void cut_utf8(struct buf *text, size_t max)
{
    if (text->len <= max)
        return;
    while (max > 0 && ((unsigned char)text->data[max] & 0xC0) == 0x80)
        max--;
    text->len = max;
    text->data[max] = '\0';
}

static char *header(struct pub_hook_lane *l, const char *line)
{
    struct buf out, json, text;
    struct pres_fill f;
    buf_init(&out, HEADER_MAX);
    if (l->count == 1 && !l->hook->batch) {
        fill_of(l, &json, &text, &f);
    } else { /* of a batch only the token and the number can be meant */
        buf_init(&json, 1);
        buf_init(&text, 1);
        f = fill_of_nobody(l);
    }
    pres_template_add(&out, line, &f, PRES_ESCAPE_HEADER);
    buf_free(&json);
    buf_free(&text);
    return buf_take(&out);
}

static char *signature(struct pub_hook_lane *l)
{
    uint8_t mac[CRYPTO_SHA256_LEN];
    char hex[2 * CRYPTO_SHA256_LEN + 1];
    int64_t now = clk_wall_s(loop_clk(l->hook->loop));
    size_t key_len;
    const char *key = secret_bytes(l->hook->sign, &key_len);
    char *text = mem_printf("%" PRId64 ".%s", now, l->body.data);
    crypto_hmac_sha256(key, key_len, text, strlen(text), mac);
    free(text);
    for (size_t i = 0; i < sizeof mac; i++)
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    return mem_printf("Freebusyd-Signature: t=%" PRId64 ",v1=%s", now, hex);
}

static enum pres_escape escape_of(const char *content_type)
{
    if (strstr(content_type, "json"))
        return PRES_ESCAPE_JSON;
    return str_starts(content_type, "application/x-www-form-urlencoded") ? PRES_ESCAPE_URL : PRES_ESCAPE_NONE;
}
