/*
 * auth: which ways of logging on a server offers, which one we use, and the credential of a request. A table of
 * schemes, one file each (auth_basic.c, auth_ntlm.c, auth_negotiate.c, auth_form.c).
 *
 * The secret is seen by auth_*.c alone: the session hands it over and gets a header line back, which it wipes after
 * use.
 */
#ifndef DAVCLIENT_AUTH_H
#define DAVCLIENT_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "davclient/account.h"

struct buf;
struct dav_call;
struct fetch;
struct secret;

struct dav_auth_ops {
    enum dav_scheme scheme;
    bool shows_secret; /* whoever listens can read the password: over TLS, or to this very machine, only */
    bool keyless;      /* has nothing to do with the account's password */

    /* The account can be used with this scheme; else false with a sentence in why. */
    bool (*accepts)(const char *user, char *why, size_t why_size);

    /* Adds the whole "Authorization: ..." line. False when the credential cannot be built. NULL: see start. */
    bool (*line)(const char *user, const struct secret *secret, struct buf *out);

    /* What is more than one exchange with a line in it (auth_call.h): sends the first, or dav_call_end(..., later). */
    void (*start)(struct dav_call *c);
    void (*release)(struct dav_call *c); /* the call is over or cancelled */
};

extern const struct dav_auth_ops dav_auth_basic, dav_auth_ntlm, dav_auth_negotiate, dav_auth_forms;

/* Kerberos keys for the process. False with a sentence when another file is in use already. */
bool dav_negotiate_use_keytab(const char *keytab_file, char *why, size_t why_size);

/* Bits 1 << enum dav_scheme. */
typedef unsigned dav_auth_set;
#define DAV_AUTH_ANY ((1U << DAV_SCHEMES) - 1) /* when a server was not asked, or did not say */

/* What an answer offers: its WWW-Authenticate lines, and the 440 that stands for the forms logon. */
dav_auth_set dav_auth_offered(const struct fetch *fetch, int status);

/* One WWW-Authenticate line, which may list several challenges. */
dav_auth_set dav_auth_offered_by_line(const char *line);

/* One challenge of a line; points into it. */
struct dav_challenge {
    const char *scheme;
    size_t scheme_len;
    const char *token; /* the token68 behind the scheme ("NTLM TlRM..."), "" when there is none */
    size_t token_len;
};

/* Moves *line on; false when there is no further challenge. */
bool dav_challenge_next(const char **line, struct dav_challenge *ret);
bool dav_challenge_is(const struct dav_challenge *c, const char *scheme);

/* The first challenge of an answer that has this scheme and a token. */
bool dav_auth_token(const struct fetch *fetch, const char *scheme, struct dav_challenge *ret);

/* What the page of a 401 says about a request that had shown a secret. */
enum dav_auth_verdict {
    DAV_AUTH_REJECTED,     /* the logon: *ret_code says why, as far as the page does */
    DAV_AUTH_DENIED,       /* let in, but not to this resource */
    DAV_AUTH_NOT_THIS_WAY, /* this scheme is not for this directory: the secret was not looked at */
};
enum dav_auth_verdict dav_auth_verdict_of(const char *page, size_t len, const char **ret_code);

/* The code that a reason in numbers or words stands for, NULL: none that we know. */
const char *dav_auth_reason_in(const char *text, size_t len);

/* How often a secret may still be shown. */
#define DAV_BUDGET_RETRY_MS 60000
struct dav_budget {
    bool worked, rejected, retry_spent;
    int64_t worked_at_ms;
};

void dav_budget_fresh(struct dav_budget *b);
void dav_budget_worked(struct dav_budget *b, int64_t now_ms);

/* ms until one more try is allowed, -1: none is. */
int64_t dav_budget_rejected(struct dav_budget *b, int64_t now_ms);

/* "ntlm, basic"; "nothing" for none. Returns out. */
char *dav_auth_set_text(dav_auth_set set, char *out, size_t size);

/*
 * The best scheme that the account allows, the server offers and that has not proven `unfit`. `private_line`: the
 * connection is TLS or does not leave the machine. NULL with the stable code in *ret_code. NTLM is also taken where
 * only Negotiate is offered, which carries it.
 */
const struct dav_auth_ops *dav_auth_choose(const struct dav_account *account, dav_auth_set offered, dav_auth_set unfit,
                                           bool private_line, const char **ret_code);

/* Can the account be used with each scheme that it lists and this program speaks? False with a sentence in why. */
bool dav_auth_account_ok(const struct dav_account *account, char *why, size_t why_size);

#endif
