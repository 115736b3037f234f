/*
 * fuzz_www_authenticate: a WWW-Authenticate line of any bytes, and the page of a 401. Challenges lie inside the line
 * one after the other, and what is offered is what they name; a page gives a code that exists.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "davclient/cause.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void read_line(const char *text, size_t len)
{
    const char *line = text, *before = text;
    struct dav_challenge c;
    dav_auth_set named = 0;

    while (dav_challenge_next(&line, &c)) {
        struct buf token;

        check(line > before && line <= text + len);
        check(c.scheme >= before && c.scheme_len > 0 && c.scheme + c.scheme_len <= line);
        check(c.token_len == 0 || (c.token >= c.scheme + c.scheme_len && c.token + c.token_len <= line));
        for (size_t i = 0; i < DAV_SCHEMES; i++)
            if (dav_challenge_is(&c, dav_scheme_name((enum dav_scheme)i)) && i != DAV_SCHEME_FORMS)
                named |= 1U << i;
        buf_init(&token, 8192);
        crypto_base64_decode(&token, c.token, c.token_len);
        buf_free(&token);
        before = line;
    }
    check(line == text + len);
    check(dav_auth_offered_by_line(text) == named);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *page = malloc(size ? size : 1);
    const char *code = NULL;

    check(text && page);
    if (size > 0) {
        memcpy(text, data, size);
        memcpy(page, data, size);
    }
    text[size] = '\0';
    read_line(text, strlen(text));
    dav_auth_verdict_of(page, size, &code);
    check(code && dav_cause_find(code));
    free(text);
    free(page);
    return 0;
}
