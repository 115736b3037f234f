/*
 * auth_form: logging on by a web form (forms-based authentication of Exchange 2003 and 2007, ISA Server in front).
 * What the session drives is dav_form_logon; the rest are its pure parts: cookies, and reading the page.
 */
#ifndef DAVCLIENT_AUTH_FORM_H
#define DAVCLIENT_AUTH_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "auth.h"

struct arena;
struct buf;
struct dav_host;
struct dav_session;
struct fetch;
struct fetch_answer;
struct secret;

/* --- auth_form_jar.c: the cookies of one host --- */

#define DAV_JAR_COOKIES 24
#define DAV_JAR_VALUE_MAX 8192

struct dav_jar;
struct dav_jar *dav_jar_new(void);
void dav_jar_free(struct dav_jar **jar); /* wipes */
bool dav_jar_empty(const struct dav_jar *jar);

/* One Set-Cookie value. A value is kept byte for byte, its quotes included. False: not a cookie, or too much. */
bool dav_jar_set(struct dav_jar *jar, const char *set_cookie);

/* All Set-Cookie lines of an answer; true when one of them set something. A 440 clears the cookies of whoever was only
 * denied one mailbox: such orders are not followed. */
bool dav_jar_take(struct dav_jar *jar, const struct fetch *fetch, int status);

/* "Cookie: a=b; c=d". False when there is none. */
bool dav_jar_line(const struct dav_jar *jar, struct buf *out);

/* The value of the first cookie whose name begins so; NULL. */
const char *dav_jar_find(const struct dav_jar *jar, const char *prefix);

/* --- auth_form_page.c: the page --- */

#define DAV_FORM_PAGE_MAX (512 * 1024) /* bytes of a page that we are willing to look at */
#define DAV_FORM_FIELDS 40
#define DAV_FORM_BODY_MAX 16384

struct dav_form_field {
    const char *name, *value;
};

/* Texts live in the arena. */
struct dav_form_page {
    const char *action;   /* as the page has it, entities resolved; "" for none: the page's own URL */
    const char *username; /* names of the two fields; NULL: this is no logon form */
    const char *password;
    struct dav_form_field fields[DAV_FORM_FIELDS]; /* what is sent besides */
    size_t count;
    const char *elsewhere; /* a page without form whose script leads to another: where; NULL */
};

void dav_form_page_read(struct dav_form_page *page, const char *html, size_t len, struct arena *arena);

/* The body that the form sends, for a private computer. False: too much of it. */
bool dav_form_page_fill(const struct dav_form_page *page, const char *user, const char *password, size_t password_len,
                        const char *destination, struct buf *out);

/* Where a relative link on the page at `base` leads; false: nowhere that is http. */
bool dav_form_resolve(const char *base, const char *link, struct buf *out);

/* --- auth_form.c: the walk --- */

enum dav_form_end {
    DAV_FORM_IN,       /* cookies are there; their first use will show whether they are good */
    DAV_FORM_REJECTED, /* code: why */
    DAV_FORM_STUCK,    /* not the form we know; code, evidence */
    DAV_FORM_WIRE,     /* no answer: `answer` */
};

struct dav_form_verdict {
    enum dav_form_end end;
    bool shown; /* the form was sent, so the password may have been judged */
    const char *code;
    const char *evidence;
    const struct fetch_answer *answer;
};
typedef void dav_form_fn(void *arg, const struct dav_form_verdict *verdict);

struct dav_form_logon;

/* At this host. Begins with an empty host->jar and fills it. The callback comes from the loop, once, and not after
 * cancel. */
struct dav_form_logon *dav_form_logon_start(struct dav_session *s, struct dav_host *host, const struct secret *secret,
                                            dav_form_fn *done, void *arg);
void dav_form_logon_cancel(struct dav_form_logon **f);

/* Does this URL stand for a logon page? *ret_reason gets the number behind "reason=", -1 for none. */
bool dav_form_is_page(const char *url, int *ret_reason);

#endif
