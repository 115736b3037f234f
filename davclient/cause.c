/*
 * cause: the table of stable codes. Everybody who reports a failure names a row of it: the check, status, log lines,
 * `reason` of an unknown person, the groups of the administrator's page. A code is a promise: rows may be added, never
 * renamed.
 *
 * Rows stand in the order of the check's steps. `meaning` says what is so, `advice` what to do; where the mail server's
 * own administrator must run a command it is written out; {server}, {account} and {person} in it become the site's
 * names where it is shown.
 */
#include "davclient/cause.h"

#include <string.h>

#define RECEIVE_AS                                                                                                     \
    "Receive-As on the mailbox store. Exchange 2007: "                                                                 \
    "Get-MailboxDatabase -Identity (Get-Mailbox '{person}').Database | Add-ADPermission -User '{account}' "            \
    "-ExtendedRights Receive-As. "                                                                                     \
    "Exchange 2000 and 2003: System Manager, properties of the mailbox store, Security, add {account} and allow "      \
    "Receive As"

static const struct dav_cause causes[] = {
    /* config: told with file and line by who reads it */
    {"config-file", DAV_PROTOCOL, DAV_STEP_CONFIG, true, "The configuration file cannot be read.",
     "Check the path and that the daemon's user may read it."},
    {"config-syntax", DAV_PROTOCOL, DAV_STEP_CONFIG, true, "The configuration is not valid YAML.",
     "Mend the line that the evidence names."},
    {"config-unknown-key", DAV_PROTOCOL, DAV_STEP_CONFIG, true, "The configuration has a key that does not exist.",
     "Look for a misspelling; freebusyd.yaml(5) lists all keys."},
    {"config-wrong-type", DAV_PROTOCOL, DAV_STEP_CONFIG, true, "A value of the configuration has the wrong form.",
     "freebusyd.yaml(5) says which form the key takes."},
    {"config-value", DAV_PROTOCOL, DAV_STEP_CONFIG, true,
     "A value of the configuration is out of its range or makes no sense.",
     "freebusyd.yaml(5) gives the range of each key."},
    {"config-missing", DAV_PROTOCOL, DAV_STEP_CONFIG, true, "The configuration lacks a key that is needed.",
     "Add the key that the evidence names."},
    {"config-duplicate", DAV_PROTOCOL, DAV_STEP_CONFIG, true, "A name or an address is configured twice.",
     "Remove one of the two."},
    {"config-secret", DAV_PROTOCOL, DAV_STEP_CONFIG, true, "A secret's file is missing, empty, or readable by others.",
     "Put the password alone on the first line of the file and take away the rights of group and others (chmod 600)."},
    {"config-users", DAV_PROTOCOL, DAV_STEP_CONFIG, true, "A file of users has a line that cannot be used.",
     "Mend the line that the evidence names; the first line of the file names the columns."},
    {"config-unknown-server", DAV_PROTOCOL, DAV_STEP_CONFIG, true, "A server is named that is not configured.",
     "Compare the name with the names under `servers`."},
    {"config-not-supported", DAV_PROTOCOL, DAV_STEP_CONFIG, true,
     "The configuration uses what this version does not have yet.",
     "Remove the key or value that the evidence names, or install a version that knows it."},
    {"config-account", DAV_PROTOCOL, DAV_STEP_CONFIG, true, "A server's settings contradict each other.",
     "Change what the evidence names."},

    {"dns-not-found", DAV_NETWORK, DAV_STEP_DNS, true, "The server's name does not exist in DNS.",
     "Check the host in the server's url, and that this machine asks the DNS servers of your site."},
    {"dns-timeout", DAV_NETWORK, DAV_STEP_DNS, true, "The DNS servers do not answer.",
     "Check /etc/resolv.conf and the way to the DNS servers."},
    {"tcp-refused", DAV_NETWORK, DAV_STEP_TCP, true, "The server's machine refuses the connection.",
     "Check the port in the url, and that the web service on the server is running."},
    {"tcp-timeout", DAV_NETWORK, DAV_STEP_TCP, true, "Nobody answers at the server's address.",
     "Most often a firewall drops the packets: allow this machine to reach the port of the url."},
    {"tcp-reset", DAV_NETWORK, DAV_STEP_TCP, true, "The connection was cut before the answer was complete.",
     "Look for a restart or overload of the server, or a firewall that cuts connections. Lowering max_connections "
     "helps overloaded servers."},

    {"proxy-auth", DAV_NETWORK, DAV_STEP_PROXY, true, "The outbound proxy wants credentials.",
     "Put them into the server's proxy setting, or let the proxy pass this machine."},
    {"proxy-denied", DAV_NETWORK, DAV_STEP_PROXY, true, "The outbound proxy refuses to lead to the server.",
     "Allow this machine to reach the server's host and port on the proxy, or remove the proxy setting."},

    {"tls-expired", DAV_NETWORK, DAV_STEP_TLS, true, "The server's certificate has expired.",
     "Renew the certificate on the server."},
    {"tls-not-yet-valid", DAV_NETWORK, DAV_STEP_TLS, true, "The server's certificate is not valid yet.",
     "Compare the clocks of this machine and of the server; one of them, or the certificate's start date, is wrong."},
    {"tls-untrusted", DAV_NETWORK, DAV_STEP_TLS, true,
     "The server's certificate was issued by nobody this machine trusts.",
     "Give the issuing authority's certificate in tls.ca_file, and let the server send its intermediate certificates."},
    {"tls-name-mismatch", DAV_NETWORK, DAV_STEP_TLS, true, "The server's certificate is for another name.",
     "Use a name from the certificate in the url, or have the certificate issued for the name you use."},
    {"tls-pin-mismatch", DAV_NETWORK, DAV_STEP_TLS, true, "The server's key is not the one that is pinned.",
     "If the server's key was changed on purpose, put the new pin into tls.pinned_key; if not, somebody stands "
     "between."},
    {"tls-protocol", DAV_NETWORK, DAV_STEP_TLS, true,
     "The server and we cannot agree on TLS: no version, cipher or length of key that both accept, no TLS on "
     "that port, or it wants a certificate of ours.",
     "For servers of 2003 set tls.min_version to 1.0 and tls.legacy_ciphers to true, or put a TLS terminator in front. "
     "If the evidence says that a certificate is required, give tls.client_cert_file and tls.client_key_file. Check "
     "the port as well."},

    {"http-ssl-required", DAV_PROTOCOL, DAV_STEP_HTTP, true, "The server wants https.",
     "Write https:// in the server's url."},
    {"http-forbidden-address", DAV_PROTOCOL, DAV_STEP_HTTP, true, "The web server refuses requests from this machine.",
     "Allow this machine's address in the restrictions of the site or virtual directory on the server."},
    {"http-server-error", DAV_LATER, DAV_STEP_HTTP, true, "The server reports an error of its own.",
     "Look into the server's event log; we go on asking, at growing distances."},
    {"answer-timeout", DAV_NETWORK, DAV_STEP_HTTP, true, "The server took the request and did not answer in time.",
     "The server is overloaded or hangs. Lowering max_connections and max_requests_per_second may help."},
    {"redirect-foreign", DAV_PROTOCOL, DAV_STEP_HTTP, false, "The server sends us to a host that is not allowed.",
     "If the host in the evidence belongs to your mail system, add it to the server's allowed_hosts; credentials go "
     "nowhere else."},
    {"redirect-loop", DAV_PROTOCOL, DAV_STEP_HTTP, false, "The server redirects again and again.",
     "Check the url, and the redirects configured on the web server."},
    {"webdav-missing", DAV_PROTOCOL, DAV_STEP_HTTP, true, "There is no WebDAV at the configured address.",
     "Check the path of the url (usually /exchange/). Exchange 2010 and later do not offer WebDAV any more."},
    {"webdav-disabled", DAV_PROTOCOL, DAV_STEP_HTTP, true, "Exchange is there, but its WebDAV does not work.",
     "On Windows 2008 install the IIS role services that Exchange's WebDAV needs (ISAPI extensions and filters) and "
     "allow the WebDAV "
     "extension of Exchange."},
    {"method-blocked", DAV_PROTOCOL, DAV_STEP_HTTP, true,
     "Something in front of the server blocks the methods PROPFIND, SEARCH or REPORT.",
     "Allow them: URLScan ([AllowVerbs] in urlscan.ini), IIS Lockdown, request filtering of IIS 7, or the reverse "
     "proxy."},
    {"double-escape-blocked", DAV_PROTOCOL, DAV_STEP_HTTP, false,
     "The web server's URL filter refuses the escaped characters of this address.",
     "Set allowDoubleEscaping=true in the request filtering of IIS 7, VerifyNormalization=0 in URLScan, or give the "
     "person's mailbox "
     "path without such characters in the setting path."},

    {"auth-none-usable", DAV_AUTH, DAV_STEP_SCHEMES, true, "The server offers no way of logging on that we may use.",
     "Compare the server's `auth` setting with what the evidence says is offered; allow one of them on either side."},
    {"auth-cleartext-refused", DAV_AUTH, DAV_STEP_SCHEMES, true,
     "The password would travel unencrypted, so nothing was sent.",
     "Write https:// in the server's url; Basic over plain http is used towards this very machine only."},
    {"ntlm-too-weak", DAV_AUTH, DAV_STEP_SCHEMES, true,
     "The server accepts only an NTLM answer weaker than allowed here.",
     "Raise the LAN Manager level of the server, or, knowing what that means, lower lm_compatibility_level."},
    {"ntlm-connection-broken", DAV_AUTH, DAV_STEP_SCHEMES, true,
     "A proxy between us and the server breaks up NTLM's connection.", "Bypass the proxy, or allow Basic over TLS."},

    {"logon-rejected", DAV_AUTH, DAV_STEP_LOGON, true,
     "The server refused the service account: wrong password, expired, locked, or not allowed.",
     "Check name (DOMAIN\\account or account@domain) and password of the account, and that it is not locked. A server "
     "that takes NTLMv2 only refuses an answer of lm_compatibility_level 0 to 2 with the same words. Nothing "
     "more is sent with this password until its file changes or `freebusyctl unbreak SERVER` is given, so that the "
     "account is not locked by us."},
    {"account-locked", DAV_AUTH, DAV_STEP_LOGON, true, "The service account is locked.",
     "Unlock it in the directory, find out who else uses its old password, then `freebusyctl unbreak SERVER`."},
    {"account-disabled", DAV_AUTH, DAV_STEP_LOGON, true, "The service account is disabled.",
     "Enable it in the directory."},
    {"password-expired", DAV_AUTH, DAV_STEP_LOGON, true, "The service account's password has expired.",
     "Set a new one, exempt the account from expiry, and put it into the password file."},
    {"password-must-change", DAV_AUTH, DAV_STEP_LOGON, true,
     "The service account must change its password at the next logon.",
     "Clear that flag in the directory: a service cannot change its password."},
    {"logon-right-missing", DAV_AUTH, DAV_STEP_LOGON, true, "The service account may not log on to the web server.",
     "Allow it to access the server from the network, at all hours."},
    {"forms-changed", DAV_AUTH, DAV_STEP_LOGON, true, "The logon page has a form we do not understand.",
     "Allow Basic or NTLM on the virtual directory of WebDAV, or report the page."},

    {"own-mailbox-missing", DAV_AUTH, DAV_STEP_MAILBOX, true,
     "The service account has no mailbox or no SMTP address of its own.",
     "Give it a mailbox with an address in the domain of the virtual directory."},
    {"mailbox-not-found", DAV_NOT_FOUND, DAV_STEP_MAILBOX, false,
     "The server knows no mailbox of this name, or hides it from the service account.",
     "Check the address. Where mailboxes are named otherwise, give the person's path. If the mailbox exists, "
     "grant " RECEIVE_AS "."},
    {"mailbox-moved", DAV_NOT_FOUND, DAV_STEP_MAILBOX, false, "The mailbox has moved to a server we may not ask.",
     "Add that server's name to allowed_hosts, or configure it as a server of its own."},
    {"mailbox-server-unreachable", DAV_NETWORK, DAV_STEP_MAILBOX, false,
     "The server to which this mailbox has moved cannot be reached.",
     "Look at that server, or ask where the mailbox is now; the account's own server is asked again meanwhile."},
    {"receive-as-missing", DAV_FORBIDDEN, DAV_STEP_MAILBOX, false, "The service account may not open this mailbox.",
     "Grant " RECEIVE_AS
     ". An inherited Deny (members of the Admins groups have one) wins over it: use a plain account."},
    {"receive-as-pending", DAV_FORBIDDEN, DAV_STEP_MAILBOX, false,
     "Receive-As was granted, but the server has not taken notice yet.",
     "Wait up to two hours, or restart the Information Store service."},
    {"calendar-forbidden", DAV_FORBIDDEN, DAV_STEP_MAILBOX, false,
     "The service account may not read this person's calendar.",
     "Grant the account read access to the calendar on the server."},
    {"store-offline", DAV_LATER, DAV_STEP_MAILBOX, false, "The mailbox store is not running.",
     "Mount the store on the mail server. The last known state is kept until it is stale."},

    {"calendar-not-found", DAV_NOT_FOUND, DAV_STEP_CALENDAR, false,
     "The mailbox is there, but no calendar was found in it.",
     "Open the mailbox once with Outlook or OWA so that its folders are made, or give the path of the person's "
     "calendar."},
    {"outbox-missing", DAV_PROTOCOL, DAV_STEP_CALENDAR, false,
     "The server offers the service account no scheduling outbox to ask for free/busy.",
     "Give the account a mail address and a calendar of its own on the server (RFC 6638), or set read: calendar."},
    {"freebusy-unavailable", DAV_PROTOCOL, DAV_STEP_CALENDAR, false,
     "The server does not answer for published free/busy (/public/?cmd=freebusy).",
     "Exchange 2007 does so only with a public folder database; a filter in front of the server may cut long URLs. Set "
     "read: calendar for this server if it cannot be had."},
    {"freebusy-forbidden", DAV_FORBIDDEN, DAV_STEP_CALENDAR, false,
     "The service account may not ask for published free/busy.",
     "Let the account into the virtual directory /public, by the same way of logging on as into /exchange, or set "
     "read: "
     "calendar for this server."},

    {"answer-malformed", DAV_PROTOCOL, DAV_STEP_READ, false, "The server's answer is not what the protocol says.",
     "If it is a web page, something stands in front of the server (a portal, a logon page); else report it, "
     "with the server's kind and version and the evidence."},
    {"answer-partial", DAV_NETWORK, DAV_STEP_READ, false, "The answer was cut in the middle, and was not used.",
     "Look for a proxy or firewall that limits connections in time or size."},
    {"answer-too-large", DAV_LIMIT, DAV_STEP_READ, false, "The answer is larger than we accept.",
     "Make poll.window smaller; tidy up the calendar if it has tens of thousands of entries in the window."},
    {"freebusy-outdated", DAV_NOT_FOUND, DAV_STEP_READ, false, "The person's free/busy file says nothing of today.",
     "Have the program that writes the file publish it again, or further ahead."},
    {"relay-silent", DAV_NETWORK, DAV_STEP_READ, true,
     "The exporter of this relay has told nothing for longer than what it told may be used.",
     "Look at the exporter: `freebusyctl status` there says whether it reaches us, and why not."},
    {"relay-withdrawn", DAV_FORBIDDEN, DAV_STEP_READ, false, "The exporter tells nothing of this person any more.",
     "That is its policy's choice: ask there, or take the person out of users."},
    {"items-unreadable", DAV_PROTOCOL, DAV_STEP_READ, false,
     "The calendar has items that cannot be read, and nothing says when they are.",
     "Let the service account see all items (private ones too), and repair or delete those that no program can read; "
     "`freebusyctl check` shows how many there are."},
    {"query-refused", DAV_PROTOCOL, DAV_STEP_READ, false, "The server refuses the query itself.",
     "Report it, with the server's kind and version and the evidence."},
    {"throttled", DAV_LATER, DAV_STEP_READ, true, "The server asks us to slow down.",
     "Lower max_requests_per_second or max_connections, or lengthen poll.interval."},
    {"mailbox-throttled", DAV_LATER, DAV_STEP_READ, false,
     "The server asks us again and again to come later, for this mailbox only.",
     "Look at this mailbox and its store: it may be moved, in quarantine or over a limit. The others are not slowed."},
    {"waited-too-long", DAV_LATER, DAV_STEP_READ, true, "The question waited for its turn until it was too old.",
     "The server is slow or the pace too low for so many persons: raise max_requests_per_second or poll.interval."},
    {"cancelled", DAV_CANCELLED, DAV_STEP_READ, false, "The question was taken back.", "Nothing to do."},

    /* of free/busy that is published, for many in one answer */
    {"freebusy-no-data", DAV_NOT_FOUND, DAV_STEP_READ, false, "This person's free/busy is not published for now.",
     "Check the address. Outlook or OWA publishes once the calendar was opened or changed, and some months ahead only; "
     "with Receive-As the calendar itself can be read (read: both)."},
    {"freebusy-missing", DAV_NOT_FOUND, DAV_STEP_READ, false,
     "The server's answer about many people leaves this one out.",
     "Check the address; give the person's primary address, or list it under aliases."},
    {"freebusy-differs", DAV_PROTOCOL, DAV_STEP_READ, false,
     "For longer than publishing takes, a person's published free/busy and calendar disagree.",
     "The calendar counts for the next hours. For later days the published free/busy counts: have the person publish "
     "it anew (Outlook /cleanfreebusy), and look whether the free/busy folder has a replica near the server."},

    /* why a person is unknown although nothing failed */
    {"never-read", DAV_LATER, DAV_STEP_READ, false, "This calendar has not been read yet.", "Wait for the first poll."},
    {"stale", DAV_LATER, DAV_STEP_READ, false, "The last good answer is older than presence.stale_after.",
     "The person's last failure says why there is no newer one."},
    {"removed", DAV_LATER, DAV_STEP_READ, false, "This person is not in the configuration any more.",
     "Nothing to do if that is meant; otherwise add the person to users again."},
};

#define CAUSES (sizeof(causes) / sizeof(causes[0]))

const struct dav_cause *dav_cause_find(const char *code)
{
    for (size_t i = 0; code && i < CAUSES; i++)
        if (code == causes[i].code || strcmp(code, causes[i].code) == 0)
            return &causes[i];
    return NULL;
}

size_t dav_cause_count(void)
{
    return CAUSES;
}

const struct dav_cause *dav_cause_at(size_t i)
{
    return i < CAUSES ? &causes[i] : NULL;
}

const char *dav_step_name(enum dav_step step)
{
    static const char *const names[DAV_STEPS] = {
        [DAV_STEP_CONFIG] = "config",     [DAV_STEP_DNS] = "dns",     [DAV_STEP_TCP] = "tcp",
        [DAV_STEP_PROXY] = "proxy",       [DAV_STEP_TLS] = "tls",     [DAV_STEP_HTTP] = "http",
        [DAV_STEP_SCHEMES] = "schemes",   [DAV_STEP_LOGON] = "logon", [DAV_STEP_MAILBOX] = "mailbox",
        [DAV_STEP_CALENDAR] = "calendar", [DAV_STEP_READ] = "read",   [DAV_STEP_PUBLISH] = "publish",
    };

    return names[step];
}

const char *dav_err_name(enum dav_err err)
{
    static const char *const names[] = {
        [DAV_OK] = "ok",
        [DAV_LATER] = "later",
        [DAV_AUTH] = "auth",
        [DAV_FORBIDDEN] = "forbidden",
        [DAV_NOT_FOUND] = "not-found",
        [DAV_PROTOCOL] = "protocol",
        [DAV_LIMIT] = "limit",
        [DAV_NETWORK] = "network",
        [DAV_CANCELLED] = "cancelled",
    };

    return names[err];
}
