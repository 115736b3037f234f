/*
 * sim_faults: see the header. A value is kept as text and checked against the kind in the table when it is set; the
 * getters read it from the mailbox, else from the server, else from the table's default for the profile.
 */
#include "sim_faults.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { FLAG, NUMBER, TEXT, CHOICE };

struct row {
    const char *name;
    enum kind kind;
    const char *choices; /* of CHOICE: "a|b|c" */
    const char *normal;  /* default; NULL: off */
    const char *normal_2007;
    const char *help;
};

#define DENIALS "401|403|404|440|empty|access0|root|pending"

static const struct row table[SIM_FAULT_COUNT] = {
    [SIM_F_AUTH] = {"auth", CHOICE, "basic|ntlm|ntlm-basic|forms|hybrid|hybrid-ntlm|none", "basic", "basic",
                    "how one logs on; hybrid: Basic, or NTLM, on /exchange and /public, forms on /owa"},
    [SIM_F_DOMAIN_REQUIRED] = {"domain-required", FLAG, NULL, NULL, NULL, "Basic refuses a user without DOMAIN\\"},
    [SIM_F_REALM_EMPTY] = {"realm-empty", FLAG, NULL, NULL, NULL, "Basic realm=\"\""},
    [SIM_F_NEGOTIATE] = {"negotiate", FLAG, NULL, NULL, NULL, "401 lists Negotiate and NTLM before Basic"},
    [SIM_F_OFFER] = {"offer", TEXT, NULL, NULL, NULL, "401 lists these instead: Digest realm=x|Negotiate"},
    [SIM_F_NTLM_CHALLENGE] = {"ntlm-challenge", CHOICE, "full|no-info|plain|lan-manager|cut|past-end|huge", "full",
                              "full",
                              "the Type 2: without target info; plain: without extended session security as "
                              "well; lan-manager: that wants LM; or damaged"},
    [SIM_F_NTLM_BREAK] = {"ntlm-break", CHOICE, "bare|close|silent|share|strip|single", NULL, NULL,
                          "what a proxy does to NTLM: no challenge, closes after it, mixes connections, takes the "
                          "scheme away; single: IIS wants a logon for every request"},
    [SIM_F_REFUSE_V1] = {"refuse-v1", FLAG, NULL, NULL, NULL, "only NTLMv2 is let in"},
    [SIM_F_LOCKOUT] = {"lockout", NUMBER, NULL, "5", "5", "so many wrong passwords in a row lock an account"},
    [SIM_F_REFUSAL] = {"refusal", CHOICE, "plain|code|expiry", "plain", "plain",
                       "what a refused logon is told: nothing, Windows' error number, the way to a new password"},
    [SIM_F_NO_RIGHT] = {"no-right", CHOICE, DENIALS, NULL, NULL,
                        "what an account without Receive-As sees; 403, with forms 440"},
    [SIM_F_IMPLICIT] = {"implicit", CHOICE, "401|403|404|500", "403", "403",
                        "what /exchange/ itself, which is nobody's mailbox or one's own, answers to WebDAV"},
    [SIM_F_FORMS_VERDICT] = {"forms-verdict", CHOICE, "reason|cookies", "reason", "reason",
                             "a bad password: back to the form with reason=2, or cookies that give 440 on first use"},
    [SIM_F_FORMS_PAGE] = {"forms-page", CHOICE, "usual|none|other|huge", "usual", "usual",
                          "the page with the form: without one, with another one, or 10 MB long"},
    [SIM_F_SESSION_SECONDS] = {"session-seconds", NUMBER, NULL, "900", "900",
                               "idle time after which a forms session ends"},
    [SIM_F_ROTATE] = {"rotate", NUMBER, NULL, NULL, NULL, "every so many requests the answer carries a new cadata"},
    [SIM_F_HTTPS_ONLY] = {"https-only", FLAG, NULL, NULL, NULL,
                          "plain HTTP is answered 403 with a page that mentions SSL"},
    [SIM_F_FOREIGN] = {"foreign", FLAG, NULL, NULL, NULL, "credentials sent here are counted as a violation"},
    [SIM_F_FRONT_STATUS] = {"front-status", NUMBER, NULL, NULL, NULL,
                            "this status before Exchange sees anything (URLScan, a portal, a broken installation)"},
    [SIM_F_FRONT_METHODS] = {"front-methods", TEXT, NULL, NULL, NULL, "front-status only for these: SEARCH,PROPFIND"},
    [SIM_F_FRONT_PAGE] = {"front-page", CHOICE, "plain|address|portal", "plain", "plain", "the page with front-status"},
    [SIM_F_FRONT_REDIRECT] = {"front-redirect", TEXT, NULL, NULL, NULL, "302 to this URL, whatever is asked"},
    [SIM_F_FRONT_ESCAPES] =
        {"front-escapes", FLAG, NULL, NULL, NULL,
         "a path with +, %2B or %25 is answered 404 in front of Exchange (IIS 7 request filtering)"},
    [SIM_F_RETRY_AFTER] = {"retry-after", NUMBER, NULL, NULL, NULL, "seconds in the Retry-After of a 429 or 503"},
    [SIM_F_DENY] = {"deny", CHOICE, DENIALS, NULL, NULL,
                    "the mailbox is refused: by status, without calendar property, with PR_ACCESS 0, only its root, or "
                    "all but its root"},
    [SIM_F_ABSENT] = {"absent", FLAG, NULL, NULL, NULL, "no such mailbox: 404 with MS-WebStorage"},
    [SIM_F_MOVED] = {"moved", TEXT, NULL, NULL, NULL, "the mailbox lives on this server (scheme://host:port): 302"},
    [SIM_F_OFFLINE] = {"offline", FLAG, NULL, NULL, NULL, "store dismounted: 503"},
    [SIM_F_STATUS] = {"status", NUMBER, NULL, NULL, NULL, "every request is answered with this status"},
    [SIM_F_SEARCH_STATUS] = {"search-status", NUMBER, NULL, NULL, NULL, "SEARCH is answered with this status"},
    [SIM_F_CALENDAR_GONE] = {"calendar-gone", FLAG, NULL, NULL, NULL,
                             "the calendar folder that PROPFIND names is not there"},
    [SIM_F_PLUS_FILTER] = {"plus-filter", FLAG, NULL, NULL, "on", "a path with + or %2B: 404 (IIS 7)"},
    [SIM_F_ODD_CHARS] = {"odd-chars", FLAG, NULL, NULL, NULL,
                         "a mailbox with one of ~ # % + & | * / in its address: 404"},
    [SIM_F_STRICT_ESCAPES] = {"strict-escapes", FLAG, NULL, "on", "on",
                              "/ \\ ? ~ in a path component only as _xF8FF_ and so on, else 404"},
    [SIM_F_NAMES] = {"names", CHOICE, "both|address|alias", "both", "both",
                     "by which a mailbox goes in a URL: the other one is 404"},
    [SIM_F_STRICT] = {"strict", FLAG, NULL, "on", "on",
                      "what a client may not do is answered 400 and counted as a violation"},
    [SIM_F_SLOW] = {"slow", NUMBER, NULL, NULL, NULL, "milliseconds before any answer"},
    [SIM_F_RESET] = {"reset", FLAG, NULL, NULL, NULL, "the connection is closed instead of an answer"},
    [SIM_F_HANG] = {"hang", FLAG, NULL, NULL, NULL, "no answer, connection open"},
    [SIM_F_CUT] = {"cut", FLAG, NULL, NULL, NULL, "the 207 document is cut in its middle, without last chunk"},
    [SIM_F_DRIBBLE] = {"dribble", FLAG, NULL, NULL, NULL, "the 207 document comes one byte at a time"},
    [SIM_F_ENDLESS] = {"endless", FLAG, NULL, NULL, NULL, "the 207 document never ends"},
    [SIM_F_PAD] = {"pad", NUMBER, NULL, NULL, NULL, "so many bytes more in each 207 document"},
    [SIM_F_HTML] = {"html", FLAG, NULL, NULL, NULL, "200 with a web page instead of the 207 document"},
    [SIM_F_NOT_XML] = {"not-xml", FLAG, NULL, NULL, NULL, "the 207 document is whole, and its tags do not match"},
    [SIM_F_CONTROL_CHAR] = {"control-char", FLAG, NULL, NULL, NULL, "&#1; in subjects, locations, uids and hrefs"},
    [SIM_F_BAD_UTF8] = {"bad-utf8", FLAG, NULL, NULL, NULL, "a byte that is no UTF-8 in the same places"},
    [SIM_F_INTERNAL_HOST] = {"internal-host", TEXT, NULL, NULL, NULL,
                             "hrefs name this host instead of the Host header's"},
    [SIM_F_RAW_SPACE] = {"raw-space", FLAG, NULL, NULL, NULL, "the sendmsg URL has a raw space"},
    [SIM_F_LONG_IDS] = {"long-ids", FLAG, NULL, NULL, NULL, "named MAPI properties as 0x00008205 instead of 0x8205"},
    [SIM_F_RFC_ORDER] = {"rfc-order", FLAG, NULL, NULL, NULL,
                         "prop before status, as RFC 2518 has it and Exchange has not"},
    [SIM_F_NO_TOTAL] = {"no-total", FLAG, NULL, NULL, NULL, "Content-Range without total="},
    [SIM_F_BRIEF_IGNORED] = {"brief-ignored", FLAG, NULL, NULL, NULL, "404 propstats in spite of Brief: t"},
    [SIM_F_UNASKED] = {"unasked", FLAG, NULL, NULL, NULL, 
                       "SEARCH answers with every text that items have, asked for or not"},
    [SIM_F_NO_CONTENTTAG] = {"no-contenttag", FLAG, NULL, NULL, NULL, "folders have no contenttag"},
    [SIM_F_NO_WEBSTORAGE] = {"no-webstorage", FLAG, NULL, NULL, NULL, "no MS-WebStorage header at all"},
    [SIM_F_OOF_WORD] = {"oof-word", TEXT, NULL, "OOF", "OOF", "the word for out of office: OOF, OUTOFOFFICE"},
    [SIM_F_MIXED_CASE] = {"mixed-case", FLAG, NULL, NULL, NULL, "Busy instead of BUSY"},
    [SIM_F_SQL_NULLS] = {"sql-nulls", CHOICE, "two|three", "two", "two",
                         "NOT of a comparison with an absent property: true (two), or unknown (three)"},
    [SIM_F_PUBLIC] = {"public", CHOICE, "on|404|403", "on", "on", "the /public directory"},
    [SIM_F_FB_ANY_AGENT] = {"fb-any-agent", FLAG, NULL, NULL, NULL,
                            "?cmd=freebusy gives XML to agents without MSIE too"},
    [SIM_F_FB_UNKNOWN] = {"fb-unknown", CHOICE, "digits|404", "digits", "digits",
                          "free/busy of somebody unknown: digit 4, or 404 for the whole request"},
    [SIM_F_FB_MONTHS] = {"fb-months", NUMBER, NULL, "2", "2", "months published, from the start of the current one"},
    [SIM_F_FB_DELAY] = {"fb-delay", NUMBER, NULL, NULL, NULL,
                        "so many seconds after a change the calendar is published"},
    [SIM_F_FB_ROW] = {"fb-row", CHOICE, "missing|short|long|letter|twice|stranger", NULL, NULL,
                      "this row of free/busy is not there, damaged, there twice, or goes by another address"},
    [SIM_F_FB_STATUS] = {"fb-status", NUMBER, NULL, NULL, NULL,
                         "a question about free/busy that names this one is answered so; 200: a web page"},
    [SIM_F_URL_LIMIT] = {"url-limit", NUMBER, NULL, NULL, NULL, "longer path and query: 414"},
    [SIM_F_SUBSCRIBE] = {"subscribe", CHOICE, "granted|501", NULL, NULL,
                         "SUBSCRIBE, POLL and UNSUBSCRIBE: 501 in 2000 before its second service pack"},
    [SIM_F_SUB_LIFETIME] = {"sub-lifetime", NUMBER, NULL, "3600", "3600", "seconds a subscription gets at the most"},
    [SIM_F_POLL_GROUP] = {"poll-group", CHOICE, "any|folder|whole", "any", "any",
                          "POLL for other mailboxes' subscriptions: answered; 412 for those; 412 for all"},
    [SIM_F_NOTIFY] = {"notify", CHOICE, "usual|lost|twice|bare|short", "usual", "usual",
                      "what becomes of datagrams: lost, doubled, without id, without the last CRLF"},
    [SIM_F_NOTIFY_REPEAT] = {"notify-repeat", NUMBER, NULL, "3", "3", "seconds between two datagrams"},
};

static const char *const profiles[] = {"2000", "2003", "2007"};

bool sim_profile_parse(const char *text, enum sim_profile *ret)
{
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, profiles[i]) == 0) {
            *ret = (enum sim_profile)i;
            return true;
        }
    }
    return false;
}

const char *sim_profile_name(enum sim_profile profile)
{
    return profiles[profile];
}

void sim_faults_init(struct sim_faults *f, enum sim_profile profile)
{
    memset(f, 0, sizeof(*f));
    f->profile = profile;
}

void sim_faults_free(struct sim_faults *f)
{
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        free(f->global[i]);
        f->global[i] = NULL;
    }
}

const char *sim_fault_text(const struct sim_faults *f, const struct sim_mailbox *m, enum sim_fault which)
{
    const char *value = m != NULL ? m->faults[which] : NULL;
    if (value == NULL)
        value = f->global[which];
    if (value == NULL)
        value = f->profile == SIM_2007 ? table[which].normal_2007 : table[which].normal;
    return value == NULL || strcmp(value, "off") == 0 ? NULL : value;
}

bool sim_fault_on(const struct sim_faults *f, const struct sim_mailbox *m, enum sim_fault which)
{
    return sim_fault_text(f, m, which) != NULL;
}

int64_t sim_fault_number(const struct sim_faults *f, const struct sim_mailbox *m, enum sim_fault which)
{
    int64_t n = 0;
    const char *value = sim_fault_text(f, m, which);
    if (value != NULL)
        str_to_int(value, 0, INT64_MAX, &n);
    return n;
}

bool sim_fault_is(const struct sim_faults *f, const struct sim_mailbox *m, enum sim_fault which, const char *value)
{
    const char *now = sim_fault_text(f, m, which);
    return now != NULL && strcmp(now, value) == 0;
}

bool sim_auth_is_hybrid(const struct sim_faults *f)
{
    const char *auth = sim_fault_text(f, NULL, SIM_F_AUTH);
    return auth != NULL && str_starts(auth, "hybrid");
}

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *p = choices; p != NULL;) {
        size_t part;
        const char *rest = str_split(p, '|', &part);
        if (part == len && strncmp(p, value, len) == 0)
            return true;
        p = rest;
    }
    return false;
}

static bool fits(const struct row *row, const char *value)
{
    int64_t n;
    if (strcmp(value, "off") == 0)
        return true;
    switch (row->kind) {
    case FLAG:
        return strcmp(value, "on") == 0;
    case NUMBER:
        return str_to_int(value, 0, INT64_MAX, &n);
    case CHOICE:
        return is_choice(row->choices, value);
    case TEXT:
        break;
    }
    return value[0] != '\0';
}

bool sim_fault_set(struct sim_faults *f, struct sim_mailbox *m, const char *name, const char *value, char *why,
                   size_t why_size)
{
    static const char *const wants[] = {"on or off", "a number or off", "text or off", ""};
    int i = 0;
    while (i < SIM_FAULT_COUNT && strcmp(table[i].name, name) != 0)
        i++;
    if (i == SIM_FAULT_COUNT) {
        snprintf(why, why_size, "no switch named '%s'", name);
        return false;
    }
    if (value != NULL && !fits(&table[i], value)) {
        snprintf(why, why_size, "switch %s takes %s, not '%s'", name,
                 table[i].kind == CHOICE ? table[i].choices : wants[table[i].kind], value);
        return false;
    }
    char **slot = m != NULL ? &m->faults[i] : &f->global[i];
    free(*slot);
    *slot = mem_strdup_or_null(value);
    return true;
}

bool sim_fault_set_line(struct sim_faults *f, struct sim_mailbox *m, const char *line, char *why, size_t why_size)
{
    size_t len;
    const char *value = str_split(line, '=', &len);
    char *name = mem_strndup(line, len);
    bool ok = sim_fault_set(f, m, name, value != NULL ? value : "on", why, why_size);
    free(name);
    return ok;
}

struct jv *sim_faults_json(const struct sim_faults *f, const struct sim_mailbox *m)
{
    char *const *values = m != NULL ? m->faults : f->global;
    struct jv *out = jv_object();
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        if (values[i] != NULL)
            jv_set_str(out, table[i].name, values[i]);
    return out;
}

const char *sim_fault_name(enum sim_fault which)
{
    return which < SIM_FAULT_COUNT ? table[which].name : NULL;
}

const char *sim_fault_help(enum sim_fault which)
{
    return which < SIM_FAULT_COUNT ? table[which].help : NULL;
}
