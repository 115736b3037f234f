/* forget_private: shared by forget.c and forget_list.c. */
#ifndef GATEWAY_FORGET_PRIVATE_H
#define GATEWAY_FORGET_PRIVATE_H

#include "base/crypto.h"
#include "forget.h"
#include "gateway_private.h"
#include "keep.h"
#include "outlets.h"

enum { FORGET_HEX = 2 * CRYPTO_SHA256_LEN + 1 };

struct gw_forgotten {
    uint8_t salt[16];
    struct map *digests; /* hex -> itself */
    struct gw_forget *running;
};

void gw_forget_digest(const struct gw_forgotten *f, const char *address, uint8_t raw[CRYPTO_SHA256_LEN], char *hex);
void gw_forget_note(struct gateway *g, const char *address);

#endif
