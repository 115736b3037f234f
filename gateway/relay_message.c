/*
 * relay_message: see relay_message.h. The exporter (relay_out*.c) writes with it, the publisher (inlet*.c) reads.
 *
 * The signature covers every byte of the text but its own 88 letters: they stand in the head, at a place that is found
 * by the line's name, and are taken out before the text is signed or verified.
 */
#include "relay_message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/crypto_sign.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utc.h"
#include "presence/render.h"

#define SIGN_LINE "X-FB-SIGN:"
#define SIGN_FOLD 65                /* letters in the first line */
#define SIGN_LETTERS 88             /* base64 of 64 bytes */
#define SIGN_BYTES (SIGN_LETTERS + 3) /* with the fold */
#define HAS_LINE "X-FB-HAS:"
#define PAD_LINE "X-FB-PAD:"
#define PAD_LETTERS 60
#define HEAD_LINE_MAX 200

static const char *sign_place(const char *text, size_t len);
static bool take_head_line(struct gw_relay_head *h, const char *line);
static const char *value_of(const char *line, const char *name);
static bool number_of(const char *text, int64_t max, int64_t *ret);

void gw_relay_begin(struct buf *out, const struct gw_relay_head *head, const struct crypto_sign_key *key)
{
    char made[UTC_TEXT_MAX];

    buf_addf(out, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//freebusyd//EN\r\nMETHOD:%s\r\n",
             head->cancel ? "CANCEL" : "PUBLISH");
    buf_addf(out, "X-FB-STREAM:%s\r\nX-FB-SEQUENCE:%" PRIu64 "\r\nX-FB-MADE:%s\r\nX-FB-KEEP:%" PRId64 "\r\n",
             head->stream, head->sequence, utc_basic(head->made, made), head->keep_s);
    if (head->parts)
        buf_addf(out, "X-FB-DIGEST:%u/%u\r\n", head->part, head->parts);
    if (key) {
        buf_addf(out, "X-FB-KEY:%s\r\n" SIGN_LINE, crypto_sign_id(key));
        for (unsigned i = 0; i < SIGN_LETTERS; i++)
            buf_adds(out, i == SIGN_FOLD ? "\r\n A" : "A");
        buf_adds(out, "\r\n");
    }
}

bool gw_relay_end(struct buf *out, const struct crypto_sign_key *key, size_t size)
{
    static const char end[] = "END:VCALENDAR\r\n";
    const size_t around = sizeof PAD_LINE - 1 + 2, tail = sizeof end - 1;

    while (out->len + tail + around <= size) {
        size_t room = size - out->len - tail - around, line = room < PAD_LETTERS ? room : PAD_LETTERS;
        if (room > line && room - line < around) /* the next line must have room for its name */
            line -= around;
        buf_adds(out, PAD_LINE);
        for (size_t i = 0; i < line; i++)
            buf_addc(out, '.');
        buf_adds(out, "\r\n");
    }
    buf_adds(out, end);
    if (!key || out->failed)
        return !out->failed;

    const char *at = sign_place(out->data, out->len);
    uint8_t signature[CRYPTO_SIGN_LEN];
    size_t before = at ? (size_t)(at - out->data) : 0;
    char *plain = mem_calloc(out->len + 1, 1);
    struct buf letters;
    memcpy(plain, out->data, before);
    memcpy(plain + before, out->data + before + SIGN_BYTES, out->len - before - SIGN_BYTES);
    crypto_sign(key, plain, out->len - SIGN_BYTES, signature);
    free(plain);
    buf_init(&letters, 2 * (size_t)SIGN_LETTERS);
    crypto_base64_encode(&letters, signature, sizeof signature);
    memcpy(out->data + before, letters.data, SIGN_FOLD);
    memcpy(out->data + before + SIGN_FOLD + 3, letters.data + SIGN_FOLD, SIGN_LETTERS - SIGN_FOLD);
    buf_free(&letters);
    return true;
}

void gw_relay_add_cancel(struct buf *out, const char *address, int64_t now)
{
    pres_render_vfb_part(out, address, NULL, now, now + 1, now);
}

void gw_relay_add_has(struct buf *out, const char *address, uint64_t sequence, int64_t age_s)
{
    buf_addf(out, HAS_LINE "%" PRIx64 " %" PRId64 " ", sequence, age_s < 0 ? 0 : age_s);
    str_percent_encode(out, address, strlen(address), "@");
    buf_adds(out, "\r\n");
}

bool gw_relay_parse(const char *text, size_t len, struct gw_relay_head *ret)
{
    char line[HEAD_LINE_MAX];
    const char *at = text, *end = text + len;

    *ret = (struct gw_relay_head){.made = 0};
    while (at < end) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        size_t n = eol ? (size_t)(eol - at) : (size_t)(end - at);
        if (n >= sizeof line)
            n = sizeof line - 1; /* none of ours is as long */
        memcpy(line, at, n);
        line[n] = '\0';
        line[strcspn(line, "\r")] = '\0';
        if (str_eq_nocase(line, "BEGIN:VFREEBUSY") || str_starts(line, HAS_LINE))
            break;
        if (!take_head_line(ret, line))
            return false;
        at = eol ? eol + 1 : end;
    }
    return !ret->made || (ret->stream[0] && ret->sequence > 0 && ret->keep_s > 0);
}

bool gw_relay_verify(const char *text, size_t len, const struct crypto_sign_key *key)
{
    const char *at = sign_place(text, len);
    struct buf plain, signature;
    bool good = false;

    if (!at || memcmp(at + SIGN_FOLD, "\r\n ", 3) != 0)
        return false;
    size_t before = (size_t)(at - text);
    buf_init(&plain, len);
    buf_init(&signature, 2 * (size_t)SIGN_LETTERS);
    buf_add(&plain, at, SIGN_FOLD);
    buf_add(&plain, at + SIGN_FOLD + 3, SIGN_LETTERS - SIGN_FOLD);
    good = crypto_base64_decode(&signature, plain.data, plain.len) && signature.len == CRYPTO_SIGN_LEN;
    buf_reset(&plain);
    buf_add(&plain, text, before);
    buf_add(&plain, at + SIGN_BYTES, len - before - SIGN_BYTES);
    good = good && crypto_sign_verify(key, plain.data, plain.len, (const uint8_t *)signature.data);
    buf_free(&plain);
    buf_free(&signature);
    return good;
}

bool gw_relay_next_has(const char **at, const char *end, char address[GW_RELAY_ADDRESS_MAX + 1], uint64_t *ret_sequence,
                       int64_t *ret_age_s, bool *ret_bad)
{
    char line[3 * GW_RELAY_ADDRESS_MAX + 100], *rest;
    struct buf plain;

    *ret_bad = false;
    for (const char *eol; *at < end; *at = eol + 1) {
        eol = memchr(*at, '\n', (size_t)(end - *at));
        if (!eol)
            return false;
        size_t n = (size_t)(eol - *at);
        if (n <= sizeof HAS_LINE - 1 || memcmp(*at, HAS_LINE, sizeof HAS_LINE - 1) != 0)
            continue;
        n -= sizeof HAS_LINE - 1;
        *ret_bad = n >= sizeof line;
        if (*ret_bad)
            return false;
        memcpy(line, *at + sizeof HAS_LINE - 1, n);
        line[n] = '\0';
        line[strcspn(line, "\r")] = '\0';
        *at = eol + 1;
        *ret_sequence = strtoull(line, &rest, 16);
        long long age = *rest == ' ' ? strtoll(rest + 1, &rest, 10) : -1;
        *ret_age_s = age;
        buf_init(&plain, GW_RELAY_ADDRESS_MAX);
        *ret_bad = age < 0 || age > UINT32_MAX || *rest != ' ' ||
                   !str_percent_decode(&plain, rest + 1, strlen(rest + 1)) || plain.len == 0 ||
                   !str_is_utf8(plain.data, plain.len);
        if (!*ret_bad)
            memcpy(address, plain.data, plain.len + 1);
        buf_free(&plain);
        return !*ret_bad;
    }
    return false;
}

uint32_t gw_relay_bucket(const char *address)
{
    uint8_t digest[CRYPTO_SHA256_LEN];
    char *lower = str_lower(mem_strdup(address));

    crypto_sha256(lower, strlen(lower), digest);
    free(lower);
    return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 | digest[3];
}

void gw_relay_pseudonym(const char *key, size_t key_len, const char *address, char out[33])
{
    uint8_t digest[CRYPTO_SHA256_LEN];
    char *lower = str_lower(mem_strdup(address));

    crypto_hmac_sha256(key, key_len, lower, strlen(lower), digest);
    free(lower);
    for (int i = 0; i < 16; i++)
        snprintf(out + (size_t)2 * (size_t)i, 3, "%02x", digest[i]);
}

/* Of the letters. They stand in the head, once; the same name further behind is what somebody else wrote. */
static const char *sign_place(const char *text, size_t len)
{
    static const char name[] = "\n" SIGN_LINE;
    const char *at = text, *end = text + len, *found = NULL;

    while (!found && at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        size_t left = (size_t)(end - at);
        if (left >= sizeof name - 1 && memcmp(at, name, sizeof name - 1) == 0)
            found = at + sizeof name - 1;
        at++;
    }
    return found && (size_t)(end - found) >= SIGN_BYTES ? found : NULL;
}

/* False: one of our lines that makes no sense. */
static bool take_head_line(struct gw_relay_head *h, const char *line)
{
    const char *value;
    int64_t n = 0;

    if (str_eq_nocase(line, "METHOD:CANCEL"))
        h->cancel = true;
    if ((value = value_of(line, "X-FB-STREAM:")))
        return strlen(value) <= GW_RELAY_NAME_MAX && snprintf(h->stream, sizeof h->stream, "%s", value) > 0;
    if ((value = value_of(line, "X-FB-KEY:")))
        return strlen(value) < sizeof h->key && snprintf(h->key, sizeof h->key, "%s", value) > 0;
    if ((value = value_of(line, "X-FB-MADE:")))
        return utc_parse_basic(value, strlen(value), &h->made) && h->made > 0;
    if ((value = value_of(line, "X-FB-KEEP:")))
        return number_of(value, UINT32_MAX, &h->keep_s);
    if ((value = value_of(line, "X-FB-SEQUENCE:"))) {
        bool good = number_of(value, INT64_MAX, &n);
        h->sequence = (uint64_t)n;
        return good;
    }
    if ((value = value_of(line, "X-FB-DIGEST:"))) {
        char *rest;
        unsigned long part = strtoul(value, &rest, 10), parts = *rest == '/' ? strtoul(rest + 1, &rest, 10) : 0;
        h->part = (unsigned)part;
        h->parts = (unsigned)parts;
        return *rest == '\0' && parts > 0 && parts <= GW_RELAY_PARTS_MAX && part < parts;
    }
    return true;
}

/* NULL: another line. */
static const char *value_of(const char *line, const char *name)
{
    return str_starts(line, name) ? line + strlen(name) : NULL;
}

static bool number_of(const char *text, int64_t max, int64_t *ret)
{
    return str_to_int(text, 1, max, ret);
}
