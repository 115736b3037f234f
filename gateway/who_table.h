/*
 * who_table: everybody who may ask, made of `identities` and the identities file; it does not change. A reload, or a
 * changed file, brings a new one.
 */
#ifndef GATEWAY_WHO_TABLE_H
#define GATEWAY_WHO_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "who.h"

struct gw_config;
struct gw_config_error;
struct gw_reading;
struct gw_whos;
struct httpd_cert;
struct jv;

struct gw_who_entry {
    struct gw_who who; /* `means` as it comes */
    char *certificate; /* lower case, or sha256//...; NULL */
    char *password;    /* hash, NULL */
    char **tokens;     /* SHA-256 in hex */
    unsigned token_count;
    unsigned line;
    bool from_file;
};

/* What is wrong goes to the reading; never NULL. */
struct gw_whos *gw_whos_new(const struct gw_config *c, struct gw_reading *r);
/* The same, when the file may have changed; blocks. NULL with the reasons in err. */
struct gw_whos *gw_whos_reread(const struct gw_config *c, struct gw_config_error *err);
void gw_whos_free(struct gw_whos **w);

bool gw_whos_any(const struct gw_whos *w);
bool gw_whos_passwords(const struct gw_whos *w);    /* has anybody one? */
bool gw_whos_certificates(const struct gw_whos *w); /* may anybody show one? */

/* Names compare without case. NULL: nobody. */
const struct gw_who_entry *gw_whos_named(const struct gw_whos *w, const char *name);
const struct gw_who_entry *gw_whos_with_token(const struct gw_whos *w, const char *token, size_t len);
const struct gw_who_entry *gw_whos_with_cert(const struct gw_whos *w, const struct httpd_cert *cert);

/* As long to check as a password, and no password matches. */
const char *gw_whos_decoy(const struct gw_whos *w);

/* Each, from 0 on; NULL behind the last. */
const struct gw_who_entry *gw_whos_at(const struct gw_whos *w, size_t i);
struct jv *gw_whos_report(const struct gw_whos *w); /* names, roles, groups and means; no digest */

#endif
