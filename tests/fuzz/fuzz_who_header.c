/* The Authorization header of a stranger: what is taken has a name and a secret within their ceilings, and no more. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "who_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_auth auth;
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    enum gw_auth_kind kind = gw_auth_parse(text, &auth);
    if (kind != GW_AUTH_BAD && (auth.secret_len == 0 || strlen(auth.secret) != auth.secret_len))
        abort();
    if (kind == GW_AUTH_BASIC && (!auth.name[0] || strchr(auth.name, ':')))
        abort();
    free(text);
    return 0;
}
