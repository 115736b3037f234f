/*
 * pseudonym: texts in which nobody is named, for those who help from outside. Every mail address (also with %40)
 * becomes "person-" and ten hexadecimal digits, the same for the same address within one text, and worthless outside of
 * it: the key is forgotten.
 */
#ifndef GATEWAY_PSEUDONYM_H
#define GATEWAY_PSEUDONYM_H

#include <stdint.h>

struct buf;

struct gw_pseudonyms {
    uint8_t key[32];
    const char *const *bases; /* "/exchange/": what follows in a path is a mailbox; NULL-terminated; NULL: none */
};

void gw_pseudonyms_init(struct gw_pseudonyms *p, const char *const *bases);

/* Appends `text` with every address and every mailbox of a path replaced. */
void gw_pseudonyms_scrub(const struct gw_pseudonyms *p, const char *text, struct buf *out);

#endif
