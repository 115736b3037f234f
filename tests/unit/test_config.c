/*
 * The configuration file: what it becomes, and what is said about each way of getting it wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config.h"
#include "config_files.h"
#include "config_users.h"
#include "policy_check.h"
#include "policy_table.h"

#define SERVER                                                                                                         \
    "servers:\n"                                                                                                       \
    "  - name: hq\n"                                                                                                   \
    "    kind: exchange\n"                                                                                             \
    "    url: https://mail.example.com/exchange/\n"                                                                    \
    "    account: EXAMPLE\\svc\n"                                                                                      \
    "    password_file: pw\n"
#define USERS "users:\n  - address: alice@example.com\n"

struct fixture {
    char *folder;
    struct gw_config_error err;
};

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    f->folder = files_folder();
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("RUNTIME_DIRECTORY");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    files_remove(f->folder);
    free(f);
    return 0;
}

static struct gw_config *read_config(struct fixture *f, const char *text)
{
    files_write(f->folder, "c.yaml", 0600, text);
    return gw_config_read(files_path(f->folder, "c.yaml"), &f->err);
}

static struct gw_config *good(struct fixture *f, const char *text)
{
    struct gw_config *c = read_config(f, text);
    if (!c)
        fail_msg("refused: %s", f->err.why);
    return c;
}

/* Refused, with this code first and these words in the list of problems. */
static void bad(struct fixture *f, const char *text, const char *code, const char *words)
{
    struct gw_config *c = read_config(f, text);
    if (c)
        fail_msg("accepted, expected was: %s", words);
    if (strcmp(f->err.code, code) != 0)
        fail_msg("code %s, expected was %s: %s", f->err.code, code, f->err.why);
    if (!strstr(f->err.why, words))
        fail_msg("\"%s\" is not in: %s", words, f->err.why);
    if (!strstr(f->err.why, "c.yaml"))
        fail_msg("no file name in: %s", f->err.why);
}

static void defaults(void **state)
{
    struct gw_config *c = good(*state, SERVER USERS);
    assert_int_equal(c->servers_count, 1);
    const struct gw_config_server *s = &c->servers[0];
    assert_string_equal(s->name, "hq");
    assert_int_equal(s->kind, GW_KIND_EXCHANGE);
    assert_string_equal(s->account, "EXAMPLE\\svc");
    assert_string_equal(s->password_file, files_path(((struct fixture *)*state)->folder, "pw"));
    assert_int_equal(s->auth_count, 2);
    assert_int_equal(s->auth[0], GW_SCHEME_NTLM);
    assert_int_equal(s->auth[1], GW_SCHEME_BASIC);
    assert_int_equal(s->lm_compatibility_level, 3);
    assert_int_equal(s->max_connections, 8);
    assert_true(s->max_requests_per_second > 49.9 && s->max_requests_per_second < 50.1);
    assert_int_equal(s->line, 2);
    assert_string_equal(s->tls.min_version, "1.2");
    assert_false(s->tls.legacy_ciphers);
    assert_null(s->zone);
    assert_string_equal(c->users[0].server, "hq");
    assert_int_equal(c->poll_interval_ms, 60000);
    assert_int_equal(c->poll_window_s, 14 * 86400);
    assert_false(c->demand_watched);
    assert_int_equal(c->stale_after_s, 900);
    assert_string_equal(c->rules.tentative, "available");
    assert_string_equal(c->rules.oof, "oof");
    assert_true(c->rules.all_day);
    assert_int_equal(c->http.listen_count, 1);
    assert_string_equal(c->http.listen[0], "127.0.0.1:8008");
    assert_string_equal(c->control_socket, "/run/freebusyd/control.sock");
    assert_int_equal(c->roster->count, 1);
    gw_config_free(&c);
    setenv("RUNTIME_DIRECTORY", "/run/x:/run/y", 1);
    c = good(*state, SERVER USERS);
    assert_string_equal(c->control_socket, "/run/x/control.sock");
    gw_config_free(&c);
    assert_null(c);
}

static void everything(void **state)
{
    struct fixture *f = *state;
    files_write(f->folder, "u.csv", 0600, "address\nbob@example.com\n");
    struct gw_config *c = good(
        f, SERVER
        "    auth: [basic]\n    lm_compatibility_level: 1\n    tls: { legacy_ciphers: yes, min_version: 1.0 }\n"
        "    max_connections: 2\n    max_requests_per_second: 0.5\n    allowed_hosts: [be1.example.com, be2:8443]\n"
        "  - { name: office, kind: caldav, url: 'http://127.0.0.1:5232/', account: svc, password_file: pw,\n"
        "      calendars: ['/{local}/c/'], zone: UTC }\n"
        "users:\n"
        "  - { address: 'a~#%+&|*/ b@example.com', server: office, path: /x/, publish_as: a@chat.example.com,\n"
        "      aliases: [b@example.com], group: sales, zone: UTC }\n"
        "  - { file: u.csv, server: hq }\n"
        "poll: { interval: 1500ms, window: 36h, demand: watched }\n"
        "presence:\n  tentative: busy\n  all_day: off\n  stale_after: 3s\n"
        "  groups:\n    - { name: sales, oof: busy }\n    - { name: hr, all_day: true }\n"
        "publish: { http: { listen: ['[::1]:0', '0.0.0.0:80'], allow_remote: true, max_connections: 7 } }\n"
        "state: { directory: /var/lib/freebusyd }\ncontrol: { socket: /tmp/s }\n");
    assert_int_equal(c->servers[1].kind, GW_KIND_CALDAV);
    assert_string_equal(c->servers[0].allowed_hosts[1], "be2:8443");
    assert_string_equal(c->servers[0].tls.min_version, "1.0");
    assert_true(c->servers[0].tls.legacy_ciphers);
    assert_int_equal(c->users_count, 2);
    assert_string_equal(c->users[0].address, "a~#%+&|*/ b@example.com");
    assert_int_equal(c->poll_interval_ms, 1500);
    assert_int_equal(c->poll_window_s, 36 * 3600);
    assert_true(c->demand_watched);
    assert_int_equal(c->stale_after_s, 3);
    assert_int_equal(c->group_rules_count, 2);
    assert_string_equal(c->group_rules[0].tentative, "busy"); /* from the rules for all */
    assert_string_equal(c->group_rules[0].oof, "busy");
    assert_false(c->group_rules[0].all_day);
    assert_true(c->group_rules[1].all_day);
    assert_int_equal(c->roster->count, 2);
    assert_int_equal(c->roster->users[0].server, 1);
    assert_string_equal(c->roster->users[0].aliases[0], "b@example.com");
    assert_null(c->roster->users[0].aliases[1]);
    assert_int_equal(c->roster->users[1].server, 0);
    gw_config_free(&c);
}

/* Shape, which libcyaml judges. */
static void shape(void **state)
{
    bad(*state, SERVER "    foo: 1\n" USERS, "config-unknown-key", "c.yaml:7: servers[0].foo: unknown key");
    bad(*state, SERVER USERS "publish: {http: {lisen: []}}\n", "config-unknown-key",
        "c.yaml:9: publish.http.lisen: unk");
    bad(*state, SERVER "    password: hunter2\n" USERS, "config-unknown-key", "password_file");
    bad(*state, "servers: 3\n", "config-wrong-type", "c.yaml:1: servers: expects a list; found is a single value");
    bad(*state, "servers:\n  name: hq\n", "config-wrong-type", "servers: expects a list; found is a mapping");
    bad(*state, SERVER "    tls: on\n" USERS, "config-wrong-type", "c.yaml:7: servers[0].tls: expects a mapping");
    bad(*state, SERVER USERS "  - [a]\n", "config-wrong-type", "c.yaml:9: users[1]: expects a mapping");
    bad(*state, SERVER "    auth: basic\n" USERS, "config-wrong-type", "servers[0].auth: expects a list");
    bad(*state, "- a\n", "config-wrong-type", "expects a mapping");
    bad(*state, "", "config-missing", "is empty");
    bad(*state, "a: [\n", "config-syntax", "c.yaml:2: no valid YAML");
    bad(*state, "a: b\n---\nc: d\n", "config-syntax", "c.yaml:2: a second YAML document");
    bad(*state, "servers:\n  - name: a\n    name: b\n", "config-duplicate",
        "c.yaml:3: servers[0].name: stands in line 2");
    bad(*state, "a: \xff\n", "config-syntax", "no valid YAML");
    bad(*state, "[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]", "config-syntax", "nested too deeply");
    bad(*state, "? [a]\n: b\n", "config-syntax", "a key must be a word");
}

static void values(void **state)
{
    bad(*state, SERVER "    max_connections: many\n" USERS, "config-wrong-type",
        "c.yaml:7: servers[0].max_connections: expects: whole number from 1 to 256; not \"many\"");
    bad(*state, SERVER "    max_connections: 0\n" USERS, "config-value", "c.yaml:7: servers[0].max_connections");
    bad(*state, SERVER "    max_connections: 257\n" USERS, "config-value", "out of range");
    bad(*state, SERVER "    max_requests_per_second: 0\n" USERS, "config-value", "out of range");
    bad(*state, SERVER "    max_requests_per_second: nan\n" USERS, "config-wrong-type", "number above 0");
    bad(*state, SERVER "    max_requests_per_second: 0x10\n" USERS, "config-wrong-type", "number above 0");
    bad(*state, SERVER "    lm_compatibility_level: 5\n" USERS, "config-value", "from 0 to 3");
    bad(*state, SERVER "    auth: []\n" USERS, "config-value", "servers[0].auth: has 0 entries");
    bad(*state, SERVER "    auth: [basic, digest]\n" USERS, "config-value",
        "c.yaml:7: servers[0].auth[1]: expects one of");
    bad(*state, SERVER "    auth: [basic, basic]\n" USERS, "config-duplicate", "auth[1]");
    bad(*state, SERVER "    tls: { legacy_ciphers: 1 }\n" USERS, "config-wrong-type", "true or false");
    bad(*state, SERVER "    tls: { min_version: 0.9 }\n" USERS, "config-value", "tls.min_version: expects one of");
    bad(*state, SERVER "    zone:\n" USERS, "config-value", "c.yaml:7: servers[0].zone: is empty");
    bad(*state, SERVER USERS "poll: { interval: 60 }\n", "config-wrong-type",
        "c.yaml:9: poll.interval: expects a number with");
    bad(*state, SERVER USERS "poll: { interval: 999ms }\n", "config-value", "duration from 1s to 1d");
    bad(*state, SERVER USERS "poll: { interval: 99999999999999d }\n", "config-wrong-type", "poll.interval");
    bad(*state, SERVER USERS "poll: { demand: some }\n", "config-value", "one of: all watched");
    bad(*state, SERVER USERS "poll: { interval: 10m }\n", "config-value", "presence.stale_after: is shorter than two");
}

#define OUTLET SERVER USERS "publish:\n  "
#define HOOK OUTLET "webhooks:\n    - "
static void outlets(void **state)
{
    bad(*state, OUTLET "mqtt: { topic: x }\n", "config-missing", "publish.mqtt: server is missing");
    bad(*state, OUTLET "mqtt: { server: 'http://h' }\n", "config-value",
        "c.yaml:10: publish.mqtt.server: is no mqtts://");
    bad(*state, OUTLET "mqtt: { server: 'mqtt://h', topic: 'a/+/{address}' }\n", "config-value", "wildcard");
    bad(*state, OUTLET "mqtt: { server: 'mqtt://h', topic: 'a/b' }\n", "config-value", "names no person");
    bad(*state, OUTLET "mqtt: { server: 'mqtt://h', topic: '{address}/{state}' }\n", "config-value",
        "may hold {address}");
    bad(*state, OUTLET "mqtt: { server: 'mqtt://h', payload: '{nonsense}' }\n", "config-value", "is not known");
    bad(*state, OUTLET "mqtt: { server: 'mqtt://h', ca_file: x }\n", "config-value", "is of no use without TLS");
    bad(*state, OUTLET "mqtt: { server: 'mqtt://h', password_file: none, user: u }\n", "config-secret",
        "password_file");
    bad(*state, HOOK "{ url: 'ftp://h/' }\n", "config-value",
        "c.yaml:11: publish.webhooks[0].url: must begin with https://");
    bad(*state, HOOK "{ url: 'http://u:p@h/' }\n", "config-value", "without a user");
    bad(*state, HOOK "{ url: 'http://h/{address}' }\n", "config-value", "a batch is of many people");
    bad(*state, HOOK "{ url: 'http://h/', template: slack }\n", "config-value", "needs token_file");
    bad(*state, HOOK "{ url: 'http://h/', headers: ['Host: x'] }\n", "config-value",
        "headers[0]: is a header that is set");
    bad(*state, HOOK "{ url: 'http://h/', headers: [nothing] }\n", "config-value", "is no \"Name: value\"");
    bad(*state, HOOK "{ url: 'http://h/', name: mqtt }\n", "config-value", "is the name of another outlet");
    bad(*state, HOOK "{ url: 'http://h/', name: a }\n    - { url: 'http://h/', name: a }\n", "config-duplicate",
        "publish.webhooks[1]: has the name of the hook in line 11");
    bad(*state, HOOK "{ url: 'http://h/', kinds: [sad] }\n", "config-value", "kinds[0]");
    bad(*state, HOOK "{ url: 'http://h/', persons: [sad] }\n", "config-value", "persons[0]: is no mail address");
    bad(*state, OUTLET "identity: [ { domain: 'a@b', publish_as: c } ]\n", "config-value",
        "identity[0].domain: is no domain");
    bad(*state, OUTLET "identity: [ { domain: a, publish_as: c }, { domain: A, publish_as: d } ]\n", "config-duplicate",
        "identity[1].domain: has a rule already");
}

static void later_versions(void **state)
{
    bad(*state, "servers:\n  - { name: a, kind: ews, url: 'https://a/', account: a, password_file: pw }\n" USERS,
        "config-not-supported", "c.yaml:2: servers[0].kind: \"ews\" is not supported yet");
}

#define RULE(text) "policy:\n  rules:\n  - { " text " }\n"

static void policy(void **state)
{
    struct gw_config *c = good(*state, SERVER USERS);
    assert_null(c->policy.table);
    gw_config_free(&c);
    c = good(*state, SERVER USERS "policy: { rules: [] }\n"); /* then nobody sees anything */
    assert_int_equal(gw_policy_table_count(c->policy.table), 0);
    gw_config_free(&c);
    files_write(((struct fixture *)*state)->folder, "more", 0644, "# more\nb * kinds\n");
    c = good(*state, SERVER USERS RULE("who: a, whom: '*', level: times, grid: 30m") "  file: more\n");
    assert_int_equal(gw_policy_table_count(c->policy.table), 2);
    assert_string_equal(gw_policy_line_word(c->policy.table, 1, 0), "b");
    gw_config_free(&c);
    bad(*state, SERVER USERS "policy: { a: b }\n", "config-unknown-key", "c.yaml:9: policy.a: unknown key");
    bad(*state, SERVER USERS RULE("who: a, whom: b@c"), "config-missing", "policy.rules[0]: level is missing");
    bad(*state, SERVER USERS RULE("who: a, whom: b, level: times"), "config-value",
        "c.yaml:11: policy.rules[0]: names somebody who is no address");
    bad(*state, SERVER USERS RULE("who: a, whom: '*', level: times, working_hours_only: true"), "config-value",
        "policy.rules[0]: says working_hours_only");
    bad(*state, SERVER USERS "policy: { working_hours: { from: '08:00' } }\n", "config-value",
        "policy.working_hours: needs from and to");
    bad(*state, SERVER USERS "policy: { working_hours: { from: '08:00', to: '18:00', zone: Nowhere/At_All } }\n",
        "config-value", "policy.working_hours: ");
    files_write(((struct fixture *)*state)->folder, "broken", 0644, "a * times\n\nb * some\n");
    bad(*state, SERVER USERS "policy: { file: broken }\n", "config-value", "broken:3: has a level");
}

static void policy_of_nobody(void **state)
{
    struct buf b;
    buf_init(&b, 10000);
    struct gw_config *c = good(*state, SERVER USERS
                               "policy:\n  rules:\n"
                               "  - { who: door, whom: 'alice@example.com', level: times }\n"
                               "  - { who: '*', whom: 'group:sails', level: times }\n"
                               "  - { who: 'xmpp:im.example.com', whom: '@nowhere.example', level: times }\n"
                               "  - { who: '@partner.example,anonymous', whom: '*,self', level: times }\n"
                               "identities:\n  - { name: window }\n");
    gw_policy_warnings(c, &b);
    assert_non_null(strstr(b.data, "c.yaml:11: policy: the line \"door alice@example.com times\" matches nothing: no "
                                   "identity and no outlet is called door"));
    assert_non_null(strstr(b.data, "c.yaml:12: policy: the line \"* group:sails times\" matches nothing: there is "));
    assert_non_null(strstr(b.data, "is called xmpp:im.example.com"));
    assert_non_null(strstr(b.data, "\"xmpp:im.example.com @nowhere.example times\" matches nothing: there is nobody"));
    assert_null(strstr(b.data, "c.yaml:14"));
    gw_config_free(&c);
    buf_free(&b);
}

static void references(void **state)
{
    bad(*state, SERVER, "config-missing", "users: at least one");
    bad(*state, USERS, "config-missing", "servers: at least one");
    bad(*state, "servers:\n  - name: hq\n" USERS, "config-missing", "c.yaml:2: servers[0]: kind is missing");
    bad(*state, SERVER "users:\n  - { address: a@b, server: nowhere }\n", "config-unknown-server",
        "c.yaml:8: users[0].server: no server is called \"nowhere\"");
    bad(*state, SERVER USERS "  - { address: ALICE@example.com }\n", "config-duplicate",
        "c.yaml:9: users: ALICE@example.com stands in ");
    bad(*state, SERVER USERS "  - { address: c@example.com, publish_as: alice@Example.com }\n", "config-ambiguous",
        "c.yaml:8) would both be");
    bad(*state, SERVER "users:\n  - { address: a@b, file: x.csv }\n", "config-value", "users[0]: has both");
    bad(*state, SERVER "users:\n  - { group: a }\n", "config-value", "users[0]: has neither");
    bad(*state, SERVER "users:\n  - { file: none.csv, group: a }\n", "config-value", "columns of the file");
    bad(*state, SERVER "users:\n  - { address: nobody }\n", "config-value", "is no mail address");
    bad(*state, SERVER "users:\n  - { address: \"a\\n@b\" }\n", "config-value", "control character");
    bad(*state, SERVER USERS "presence:\n  groups: [ {name: a}, {name: a} ]\n", "config-duplicate",
        "c.yaml:10: presence");
    bad(*state, SERVER "  - { name: hq, kind: caldav, url: 'https://a/', account: a, password_file: pw }\n" USERS,
        "config-duplicate", "c.yaml:7: servers[1].name: is the name of the server in line 2");
}

static void texts(void **state)
{
    static const char *const urls[] = {"ftp://a/", "https:///x", "https://a/?q", "https://a/#f", "https://a/ b"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        char text[500];
        snprintf(text, sizeof text,
                 "servers:\n  - { name: a, kind: caldav, url: '%s', account: a, password_file: pw }\n" USERS, urls[i]);
        bad(*state, text, "config-value", "c.yaml:2: servers[0].url");
    }
    struct fixture *f = *state;
    bad(f,
        "servers:\n  - { name: a, kind: caldav, url: 'https://u:topsecret@h/', account: a, password_file: pw }\n" USERS,
        "config-value", "must not hold a user name");
    assert_null(strstr(f->err.why, "topsecret"));
    bad(f, SERVER "    zone: Mars/Olympus\n" USERS, "config-value", "zone");
    bad(f, SERVER "    zone: ../../etc/passwd\n" USERS, "config-value", "zone");
    bad(f, SERVER "    calendars: [/x/]\n" USERS, "config-value", "is for kind caldav");
    bad(f,
        "servers:\n  - { name: a, kind: caldav, url: 'https://h/', account: a, password_file: pw, calendars: "
        "['/{user}/'] }\n" USERS,
        "config-value", "{address}, {local} and {domain} only");
}

static void files(void **state)
{
    struct fixture *f = *state;
    files_write(f->folder, "open", 0640, "x\n");
    files_write(f->folder, "empty", 0600, "");
    bad(f, "servers:\n  - { name: a, kind: caldav, url: 'https://h/', account: a, password_file: none }\n" USERS,
        "config-secret", "c.yaml:2: servers[0].password_file");
    bad(f, "servers:\n  - { name: a, kind: caldav, url: 'https://h/', account: a, password_file: open }\n" USERS,
        "config-secret", "servers[0].password_file");
    bad(f, "servers:\n  - { name: a, kind: caldav, url: 'https://h/', account: a, password_file: empty }\n" USERS,
        "config-secret", "servers[0].password_file");
    bad(f, SERVER "    tls: { ca_file: none.pem }\n" USERS, "config-value", "servers[0].tls.ca_file");
    bad(f, SERVER "    tls: { client_cert_file: pw, client_key_file: open }\n" USERS, "config-secret", "chmod 600");
    bad(f, SERVER "    tls: { client_cert_file: pw }\n" USERS, "config-value", "together");
    bad(f, SERVER USERS "publish: { http: { certificate_file: pw, key_file: open } }\n", "config-secret",
        "publish.http.key_file");
    assert_null(gw_config_read("/nonexistent/c.yaml", &f->err));
    assert_string_equal(f->err.code, "config-file");
    assert_null(gw_config_read("/tmp", &f->err));
    assert_string_equal(f->err.code, "config-file");
}

static void credentials(void **state)
{
    struct fixture *f = *state;
    char *dir = files_folder();
    files_write(dir, "systemd-pw", 0440, "from systemd\n");
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    struct gw_config *c = good(
        f, "servers:\n  - { name: a, kind: caldav, url: 'https://h/', account: a, password_file: systemd-pw }\n" USERS);
    assert_string_equal(c->servers[0].password_file, files_path(dir, "systemd-pw"));
    gw_config_free(&c);
    unsetenv("CREDENTIALS_DIRECTORY");
    files_remove(dir);
}

static void listeners(void **state)
{
    static const struct {
        const char *listen, *wrong;
    } cases[] = {{"0.0.0.0:8008", "allow_remote: true"}, {"[::]:8008", "allow_remote: true"},
                 {"192.0.2.1:1", "allow_remote: true"},  {"localhost:8008", "numeric address"},
                 {"127.0.0.1", "numeric address"},       {"127.0.0.1:65536", "numeric address"},
                 {"[::1:8008", "numeric address"},       {"127.0.0.1:x", "numeric address"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[600];
        snprintf(text, sizeof text, SERVER USERS "publish:\n  http:\n    listen: ['%s']\n", cases[i].listen);
        bad(*state, text, "config-value", cases[i].wrong);
    }
    bad(*state, SERVER USERS "publish: { http: { listen: ['127.0.0.1:1', '127.0.0.1:1'] } }\n", "config-value",
        "twice");
    struct gw_config *c =
        good(*state, SERVER USERS "publish: { http: { listen: ['127.9.9.9:1', '127.0.0.1:0', '127.0.0.1:0'] } }\n");
    gw_config_free(&c);
    c = good(*state, SERVER USERS "publish: { http: { listen: [] } }\n");
    assert_int_equal(c->http.listen_count, 0);
    gw_config_free(&c);
}

/* All at once, each on its line; and never more than fits. */
static void many_problems(void **state)
{
    struct fixture *f = *state;
    bad(f, SERVER "    max_connections: x\n    zone: nix/nix\n" USERS "poll: { interval: 1 }\n", "config-wrong-type",
        "c.yaml:7: ");
    assert_non_null(strstr(f->err.why, "c.yaml:11: poll.interval"));
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_adds(&b, SERVER "users:\n");
    for (int i = 0; i < 500; i++)
        buf_addf(&b, "  - { address: x%d }\n", i);
    bad(f, b.data, "config-value", "users[0].address");
    assert_true(strlen(f->err.why) < sizeof f->err.why);
    const char *rest = strstr(f->err.why, "and ");
    assert_non_null(rest);
    unsigned lines = 1, untold = (unsigned)strtoul(rest + 4, NULL, 10);
    for (const char *p = f->err.why; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines - 1 + untold, 500);
    buf_free(&b);
}

/* The sample and the least configuration are real ones. */
static void samples(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"freebusyd.yaml", "freebusyd-minimal.yaml"};
    files_write(f->folder, "hq-password", 0600, "x\n");
    files_write(f->folder, "office-password", 0600, "x\n");
    for (int i = 0; i < 2; i++) {
        char text[16384] = "";
        FILE *in = fopen(files_path(FB_SOURCE_DIR "/packaging", names[i]), "r");
        assert_non_null(in);
        assert_true(fread(text, 1, sizeof text - 1, in) > 100);
        fclose(in);
        struct gw_config *c = good(f, text);
        assert_string_equal(c->servers[0].name, "hq");
        gw_config_free(&c);
    }
}

static void description(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    gw_config_describe(&b);
    assert_false(b.failed);
    assert_non_null(strstr(b.data, "\nservers[].max_connections\twhole number from 1 to 256\t8\treload\t"));
    assert_non_null(strstr(b.data, "\npoll.interval\tduration from 1s to 1d\t60s\treload\t"));
    for (char *line = b.data; *line;) {
        char *end = strchr(line, '\n');
        unsigned tabs = 0;
        for (char *p = line; p < end; p++)
            tabs += *p == '\t';
        assert_int_equal(tabs, 4);
        line = end + 1;
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(everything, setup, teardown),
        cmocka_unit_test_setup_teardown(shape, setup, teardown),
        cmocka_unit_test_setup_teardown(values, setup, teardown),
        cmocka_unit_test_setup_teardown(outlets, setup, teardown),
        cmocka_unit_test_setup_teardown(later_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(policy, setup, teardown),
        cmocka_unit_test_setup_teardown(policy_of_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(references, setup, teardown),
        cmocka_unit_test_setup_teardown(texts, setup, teardown),
        cmocka_unit_test_setup_teardown(files, setup, teardown),
        cmocka_unit_test_setup_teardown(credentials, setup, teardown),
        cmocka_unit_test_setup_teardown(listeners, setup, teardown),
        cmocka_unit_test_setup_teardown(many_problems, setup, teardown),
        cmocka_unit_test_setup_teardown(samples, setup, teardown),
        cmocka_unit_test(description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
