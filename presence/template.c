/*
 * template: see template.h. A brace that is not the beginning of {lower_case} stands for itself, so that JSON can be
 * written as it is. The one table below is what the manual lists.
 */
#include "template.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/str.h"
#include "base/utc.h"

enum { WORD_MAX = 24, VALUE_MAX = 65536, EXPIRES_LATER_S = 120 };

enum word {
    WORD_ADDRESS,
    WORD_LOCAL,
    WORD_DOMAIN,
    WORD_GROUP,
    WORD_STATE,
    WORD_SHOW,
    WORD_TEXT,
    WORD_SINCE,
    WORD_UNTIL,
    WORD_UNTIL_EPOCH,
    WORD_EXPIRES,
    WORD_EXPIRES_EPOCH,
    WORD_MINUTES,
    WORD_NEXT_STATE,
    WORD_NEXT_START,
    WORD_VALID_UNTIL,
    WORD_REASON,
    WORD_JSON,
    WORD_ID,
    WORD_TOKEN,
    WORD_BASIC,
    WORD_SEQUENCE,
    WORDS
};

static const char *const words[WORDS] = {
    [WORD_ADDRESS] = "address",
    [WORD_LOCAL] = "local",
    [WORD_DOMAIN] = "domain",
    [WORD_GROUP] = "group",
    [WORD_STATE] = "state",
    [WORD_SHOW] = "show",
    [WORD_TEXT] = "text",
    [WORD_SINCE] = "since",
    [WORD_UNTIL] = "until",
    [WORD_UNTIL_EPOCH] = "until_epoch",
    [WORD_EXPIRES] = "expires",
    [WORD_EXPIRES_EPOCH] = "expires_epoch",
    [WORD_MINUTES] = "minutes",
    [WORD_NEXT_STATE] = "next_state",
    [WORD_NEXT_START] = "next_start",
    [WORD_VALID_UNTIL] = "valid_until",
    [WORD_REASON] = "reason",
    [WORD_JSON] = "json",
    [WORD_ID] = "id",
    [WORD_TOKEN] = "token",
    [WORD_BASIC] = "basic",
    [WORD_SEQUENCE] = "sequence",
};

static int word_at(const char *text, size_t *ret_len);
static void value_of(enum word word, const struct pres_fill *f, struct buf *out);
static const char *text_of(enum word word, const struct pres_fill *f);
static int64_t time_of(enum word word, const struct pres_fill *f);
static void add_time(struct buf *out, int64_t t);
static void add_epoch(struct buf *out, int64_t t);
static int64_t expires(const struct pres_fill *f);
static bool add_escaped(struct buf *out, const char *text, size_t len, enum pres_escape escape);

bool pres_template_add(struct buf *out, const char *text, const struct pres_fill *fill, enum pres_escape escape)
{
    struct buf value;
    buf_init(&value, VALUE_MAX);
    while (*text) {
        size_t len = 1;
        int word = *text == '{' ? word_at(text, &len) : -1;
        if (word >= 0) {
            buf_reset(&value);
            value_of((enum word)word, fill, &value);
            /* a whole JSON object stands in a body as it is */
            bool whole = word == WORD_JSON && escape == PRES_ESCAPE_JSON;
            if (value.failed || !add_escaped(out, value.data, value.len, whole ? PRES_ESCAPE_NONE : escape))
                out->failed = true;
        } else {
            len = 1 + strcspn(text + 1, "{");
            buf_add(out, text, len);
        }
        text += len;
    }
    buf_free(&value);
    return !out->failed;
}

bool pres_template_person(struct buf *out, const char *text, const char *address, const char *group)
{
    const struct pres_presence nothing = {.state = PRES_UNKNOWN};
    const struct pres_fill f = {.address = address, .group = group, .now = &nothing};
    return pres_template_add(out, text, &f, PRES_ESCAPE_NONE);
}

const char *pres_template_wrong(const char *text)
{
    if (!str_is_utf8(text, strlen(text)))
        return "is no UTF-8 text";
    for (const char *p = strchr(text, '{'); p; p = strchr(p + 1, '{')) {
        size_t len;
        if (word_at(p, &len) == -2)
            return "has a {word} that is not known; see freebusyd.yaml(5)";
    }
    return NULL;
}

bool pres_template_has(const char *text, const char *word)
{
    for (const char *p = strchr(text, '{'); p; p = strchr(p + 1, '{')) {
        size_t len;
        int found = word_at(p, &len);
        if (found >= 0 && strcmp(words[found], word) == 0)
            return true;
    }
    return false;
}

/* The word that begins at a brace; -1: none, -2: one that is not known. */
static int word_at(const char *text, size_t *ret_len)
{
    size_t len = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz_");
    if (len == 0 || len > WORD_MAX || text[1 + len] != '}')
        return -1;
    *ret_len = len + 2;
    for (int i = 0; i < WORDS; i++)
        if (strlen(words[i]) == len && memcmp(words[i], text + 1, len) == 0)
            return i;
    return -2;
}

static void value_of(enum word word, const struct pres_fill *f, struct buf *out)
{
    const char *at = strrchr(f->address, '@');
    switch (word) {
    case WORD_LOCAL:
        buf_add(out, f->address, at ? (size_t)(at - f->address) : strlen(f->address));
        return;
    case WORD_ADDRESS:
    case WORD_DOMAIN:
    case WORD_GROUP:
    case WORD_STATE:
    case WORD_SHOW:
    case WORD_TEXT:
    case WORD_NEXT_STATE:
    case WORD_REASON:
    case WORD_JSON:
    case WORD_ID:
    case WORD_TOKEN:
        buf_adds(out, text_of(word, f));
        return;
    case WORD_SINCE:
    case WORD_UNTIL:
    case WORD_EXPIRES:
    case WORD_NEXT_START:
    case WORD_VALID_UNTIL:
        add_time(out, time_of(word, f));
        return;
    case WORD_UNTIL_EPOCH:
        add_epoch(out, f->now->until);
        return;
    case WORD_EXPIRES_EPOCH:
        add_epoch(out, expires(f));
        return;
    case WORD_MINUTES:
        buf_addf(out, "%" PRId64, expires(f) > f->wall ? (expires(f) - f->wall + 59) / 60 : 0);
        return;
    case WORD_BASIC:
        crypto_base64_encode(out, f->token ? f->token : "", f->token ? strlen(f->token) : 0);
        return;
    case WORD_SEQUENCE:
        buf_addf(out, "%" PRIu64, f->sequence);
        return;
    case WORDS:
        return;
    }
}

static const char *text_of(enum word word, const struct pres_fill *f)
{
    const char *at = strrchr(f->address, '@');
    const char *const texts[WORDS] = {
        [WORD_ADDRESS] = f->address,
        [WORD_DOMAIN] = at ? at + 1 : NULL,
        [WORD_GROUP] = f->group,
        [WORD_STATE] = pres_kind_name(f->now->state),
        [WORD_SHOW] = f->show,
        [WORD_TEXT] = f->text,
        [WORD_NEXT_STATE] = f->now->next.some ? pres_kind_name(f->now->next.kind) : NULL,
        [WORD_REASON] = f->now->reason,
        [WORD_JSON] = f->json ? f->json : "{}",
        [WORD_ID] = f->id,
        [WORD_TOKEN] = f->token,
    };
    return texts[word] ? texts[word] : "";
}

static int64_t time_of(enum word word, const struct pres_fill *f)
{
    const int64_t times[WORDS] = {
        [WORD_SINCE] = f->now->since,
        [WORD_UNTIL] = f->now->until,
        [WORD_EXPIRES] = expires(f),
        [WORD_NEXT_START] = f->now->next.some ? f->now->next.start : 0,
        [WORD_VALID_UNTIL] = f->now->valid_until,
    };
    return times[word];
}

static void add_time(struct buf *out, int64_t t)
{
    char text[UTC_TEXT_MAX];
    buf_adds(out, t == 0 || t == PRES_NEVER ? "" : utc_rfc3339(t, text));
}

static void add_epoch(struct buf *out, int64_t t)
{
    buf_addf(out, "%" PRId64, t == PRES_NEVER ? 0 : t);
}

/* When the other side may forget it by itself, so that a gateway that died leaves nobody busy for ever: a little after
 * the state's end; 0 where there is nothing to forget. */
static int64_t expires(const struct pres_fill *f)
{
    bool bounded = f->now->until != PRES_NEVER && f->now->until > 0;
    return bounded && f->now->state != PRES_FREE && f->now->state != PRES_UNKNOWN ? f->now->until + EXPIRES_LATER_S : 0;
}

static bool add_escaped(struct buf *out, const char *text, size_t len, enum pres_escape escape)
{
    struct buf quoted;
    switch (escape) {
    case PRES_ESCAPE_NONE:
        return buf_add(out, text, len);
    case PRES_ESCAPE_JSON:
        buf_init(&quoted, 8 * VALUE_MAX);
        jv_quote(&quoted, text);
        bool ok = !quoted.failed && quoted.len >= 2 && buf_add(out, quoted.data + 1, quoted.len - 2);
        buf_free(&quoted);
        return ok;
    case PRES_ESCAPE_URL:
        return str_percent_encode(out, text, len, "");
    case PRES_ESCAPE_TOPIC:
        return str_percent_encode(out, text, len, "@!$&'()*,;=: ");
    case PRES_ESCAPE_HEADER:
        for (size_t i = 0; i < len; i++)
            buf_addc(out, (unsigned char)text[i] < ' ' || text[i] == 127 ? ' ' : text[i]);
        return !out->failed;
    }
    return false;
}
