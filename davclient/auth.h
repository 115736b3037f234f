/*
 * auth: which ways of logging on a server offers, which one we use, and the credential of a request. A table of
 * schemes, one file each (auth_basic.c; those bound to a connection or to cookies get theirs beside it).
 *
 * The secret is seen by auth_*.c alone: the session hands it over and gets a header line back, which it wipes after
 * use.
 */
#ifndef DAVCLIENT_AUTH_H
#define DAVCLIENT_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "davclient/account.h"

struct buf;
struct fetch;
struct secret;

struct dav_auth_ops {
    enum dav_scheme scheme;
    bool shows_secret; /* whoever listens can read the password: over TLS, or to this very machine, only */

    /* The account can be used with this scheme; else false with a sentence in why. */
    bool (*accepts)(const char *user, char *why, size_t why_size);

    /* Adds the whole "Authorization: ..." line. False when the credential cannot be built. */
    bool (*line)(const char *user, const struct secret *secret, struct buf *out);
};

extern const struct dav_auth_ops dav_auth_basic;

/* Bits 1 << enum dav_scheme. */
typedef unsigned dav_auth_set;
#define DAV_AUTH_ANY ((1U << DAV_SCHEMES) - 1) /* when a server was not asked, or did not say */

/* What an answer offers: its WWW-Authenticate lines, and the 440 that stands for the forms logon. */
dav_auth_set dav_auth_offered(const struct fetch *fetch, int status);

/* One WWW-Authenticate line, which may list several challenges. */
dav_auth_set dav_auth_offered_by_line(const char *line);

/* "ntlm, basic"; "nothing" for none. Returns out. */
char *dav_auth_set_text(dav_auth_set set, char *out, size_t size);

/*
 * The best scheme that the account allows, the server offers and this program speaks. `offered` 0: not known, any.
 * `private_line`: the connection is TLS or does not leave the machine. NULL with the stable code in *ret_code.
 */
const struct dav_auth_ops *dav_auth_choose(const struct dav_account *account, dav_auth_set offered, bool private_line,
                                           const char **ret_code);

/* Can the account be used with each scheme that it lists and this program speaks? False with a sentence in why. */
bool dav_auth_account_ok(const struct dav_account *account, char *why, size_t why_size);

#endif
