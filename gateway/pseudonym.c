/*
 * pseudonym: see pseudonym.h. One pass over the text: at each place either a mailbox's part of a path begins (behind
 * one of the bases), or a word that has an @ in it, or a byte is passed on.
 */
#include "pseudonym.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/str.h"

enum { ADDRESS_MAX = 512, SHOWN = 5 };

static size_t word_at(const char *text);
static size_t address_len(const char *word, size_t len);
static size_t base_at(const struct gw_pseudonyms *p, const char *text);
static void add_name(const struct gw_pseudonyms *p, const char *text, size_t len, struct buf *out);
static bool of_word(unsigned char c);

void gw_pseudonyms_init(struct gw_pseudonyms *p, const char *const *bases)
{
    crypto_random(p->key, sizeof p->key);
    p->bases = bases;
}

void gw_pseudonyms_scrub(const struct gw_pseudonyms *p, const char *text, struct buf *out)
{
    for (const char *at = text; *at;) {
        size_t base = base_at(p, at);
        if (base) {
            size_t segment = strcspn(at + base, "/?#\" \t\r\n");
            buf_add(out, at, base);
            if (segment)
                add_name(p, at + base, segment, out);
            at += base + segment;
            continue;
        }
        size_t word = word_at(at), address = address_len(at, word);
        if (address)
            add_name(p, at, address, out);
        else if (word)
            buf_add(out, at, word);
        else
            buf_addc(out, *at);
        at += address ? address : word ? word : 1;
    }
}

/* What may be a part of an address, in the texts that we write: no quotes, brackets, slashes or equal signs. */
static bool of_word(unsigned char c)
{
    return isalnum(c) || c >= 0x80 || (c && strchr("._+-~'!#$&*%@^`|", c));
}

static size_t word_at(const char *text)
{
    size_t len = 0;
    while (of_word((unsigned char)text[len]))
        len++;
    return len;
}

/* Of a word that is an address, without the full stop of its sentence; 0: it is none. */
static size_t address_len(const char *word, size_t len)
{
    bool at = false;
    for (size_t i = 0; i + 1 < len && !at; i++)
        at = word[i] == '@' || (i + 2 < len && strncmp(word + i, "%40", 3) == 0);
    while (at && len > 0 && word[len - 1] == '.')
        len--;
    return at ? len : 0;
}

/* The length of "/exchange/" where one begins here. */
static size_t base_at(const struct gw_pseudonyms *p, const char *text)
{
    for (size_t i = 0; p->bases && p->bases[i]; i++) {
        size_t len = strlen(p->bases[i]);
        if (len > 1 && strncmp(text, p->bases[i], len) == 0)
            return len;
    }
    return 0;
}

static void add_name(const struct gw_pseudonyms *p, const char *text, size_t len, struct buf *out)
{
    uint8_t digest[CRYPTO_SHA256_LEN];
    struct buf plain;
    buf_init(&plain, ADDRESS_MAX);
    if (!str_percent_decode(&plain, text, len)) {
        buf_reset(&plain);
        buf_add(&plain, text, len < ADDRESS_MAX ? len : ADDRESS_MAX - 1);
    }
    for (size_t i = 0; i < plain.len; i++)
        plain.data[i] = (char)tolower((unsigned char)plain.data[i]);
    crypto_hmac_sha256(p->key, sizeof p->key, plain.data, plain.len, digest);
    buf_adds(out, "person-");
    for (unsigned i = 0; i < SHOWN; i++)
        buf_addf(out, "%02x", digest[i]);
    buf_free(&plain);
}
