/*
 * auth_reason: why a logon was refused, as far as the server tells. HTTP itself says 401 and no more. IIS 7 prints the
 * error number of Windows on its detailed pages, other servers an NTSTATUS or Windows' own sentence; numbers are sought
 * first because they are in no language. Pure.
 *
 * IIS also numbers its pages: 401.3 is about the resource (whoever asked was let in), 401.2 says that this way of
 * logging on is not allowed there (no password was looked at).
 */
#include "auth.h"

#include <string.h>

#include "base/str.h"

#define LOOK_AT 65536 /* bytes of a page */

static const struct {
    const char *mark, *code;
} marks[] = {
    {"0x80070775", "account-locked"},
    {"C0000234", "account-locked"},
    {"ACCOUNT_LOCKED_OUT", "account-locked"},
    {"0x80070533", "account-disabled"},
    {"0x80070701", "account-disabled"}, /* the account itself has expired */
    {"C0000072", "account-disabled"},
    {"C0000193", "account-disabled"},
    {"ACCOUNT_DISABLED", "account-disabled"},
    {"ACCOUNT_EXPIRED", "account-disabled"},
    {"0x80070532", "password-expired"},
    {"C0000071", "password-expired"},
    {"PASSWORD_EXPIRED", "password-expired"},
    {"0x80070773", "password-must-change"},
    {"C0000224", "password-must-change"},
    {"PASSWORD_MUST_CHANGE", "password-must-change"},
    {"0x80070569", "logon-right-missing"},
    {"0x80070530", "logon-right-missing"}, /* not at this hour */
    {"0x80070531", "logon-right-missing"}, /* not from this workstation */
    {"C000015B", "logon-right-missing"},
    {"C000006F", "logon-right-missing"},
    {"C0000070", "logon-right-missing"},
    {"LOGON_TYPE_NOT_GRANTED", "logon-right-missing"},
    {"INVALID_LOGON_HOURS", "logon-right-missing"},
    {"INVALID_WORKSTATION", "logon-right-missing"},
    {"0x8007052e", "logon-rejected"},
    {"C000006D", "logon-rejected"},
    {"locked out", "account-locked"},
    {"account is currently disabled", "account-disabled"},
    {"account currently disabled", "account-disabled"},
    {"account has expired", "account-disabled"},
    {"credentials have been revoked", "account-locked"}, /* Kerberos has one word for both */
    {"password must be changed", "password-must-change"},
    {"must change the password", "password-must-change"},
    {"must change your password", "password-must-change"},
    {"password for this account has expired", "password-expired"},
    {"password has expired", "password-expired"},
    {"expiredpassword", "password-expired"}, /* a page that OWA leads to */
    {"/iisadmpwd/", "password-expired"},     /* the same by IIS 5 and 6 */
    {"not been granted the requested logon type", "logon-right-missing"},
    {"logon time restriction", "logon-right-missing"},
    {"Preauthentication failed", "logon-rejected"},
    {"not found in Kerberos database", "logon-rejected"},
};

const char *dav_auth_reason_in(const char *text, size_t len)
{
    if (len > LOOK_AT)
        len = LOOK_AT;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (str_find_nocase(text, len, marks[i].mark))
            return marks[i].code;
    return NULL;
}

enum dav_auth_verdict dav_auth_verdict_of(const char *page, size_t len, const char **ret_code)
{
    bool logon, scheme, resource;
    const char *code;

    if (len > LOOK_AT)
        len = LOOK_AT;
    code = dav_auth_reason_in(page, len);
    logon = str_find_nocase(page, len, "401.1");
    scheme = str_find_nocase(page, len, "401.2");
    resource = str_find_nocase(page, len, "401.3");
    *ret_code = code ? code : "logon-rejected";
    if (code || logon)
        return DAV_AUTH_REJECTED;
    if (resource && !scheme)
        return DAV_AUTH_DENIED;
    return scheme && !resource ? DAV_AUTH_NOT_THIS_WAY : DAV_AUTH_REJECTED;
}
