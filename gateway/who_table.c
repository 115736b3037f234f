/*
 * who_table: see who_table.h. The file has one identity a line:
 *
 *   NAME [role=none|reader|admin] [group=GROUP] [token=sha256:HEX]... [password=scrypt:N:R:P:SALT:DIGEST]
 *
 * Blank lines and what follows '#' at a line's beginning count nothing. A name that `identities` has, too, gets its
 * secrets here and keeps role and group from there. Nothing of a line but its name is ever repeated in an error.
 */
#include "who_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_private.h"

enum { NAME_MAX_BYTES = 320, IDENTITIES_MAX = 200000, TOKENS_MAX = 16, FILE_MAX = 64 << 20, DECOY_MAX = 300 };

struct gw_whos {
    struct gw_who_entry **entries;
    unsigned count;
    struct map *by_name, *by_token, *by_certificate;
    unsigned passwords;
    char *decoy;
};

/* One line of the file while it is read. */
struct line {
    struct gw_reading *r;
    struct gw_whos *w;
    struct gw_who_entry *e;
    unsigned number;
};

static void add_configured(struct gw_whos *w, const struct gw_config_who *c, struct gw_reading *r, unsigned i);
static void read_file(struct gw_whos *w, const struct gw_config *c, struct gw_reading *r);
static void read_line(struct gw_whos *w, struct gw_reading *r, char *text, unsigned number);
static void take_word(struct line *l, char *word);
static void take_token(struct line *l, const char *digest);
static struct gw_who_entry *add(struct gw_whos *w, const char *name);
static void set_role(struct gw_who_entry *e, const char *role);
static uint64_t secrets_of(const struct gw_who_entry *e);
static const char *name_wrong(const char *name);
static void complain(const struct line *l, const char *code, const char *what);

struct gw_whos *gw_whos_new(const struct gw_config *c, struct gw_reading *r)
{
    struct gw_whos *w = mem_calloc(1, sizeof *w);
    struct buf decoy;
    *w = (struct gw_whos){.by_name = map_new(), .by_token = map_new(), .by_certificate = map_new()};
    buf_init(&decoy, DECOY_MAX);
    crypto_password_decoy(&decoy);
    w->decoy = buf_take(&decoy);
    for (unsigned i = 0; i < c->identities_count; i++)
        if (c->identities[i].name)
            add_configured(w, &c->identities[i], r, i);
    if (c->identities_file)
        read_file(w, c, r);
    for (unsigned i = 0; i < w->count; i++)
        w->entries[i]->who.secrets = secrets_of(w->entries[i]);
    return w;
}

struct gw_whos *gw_whos_reread(const struct gw_config *c, struct gw_config_error *err)
{
    struct gw_reading r = {.file = c->path, .folder = c->folder, .err = err};
    *err = (struct gw_config_error){{0}, {0}};
    struct gw_whos *w = gw_whos_new(c, &r);
    if (r.problems)
        gw_whos_free(&w);
    return w;
}

void gw_whos_free(struct gw_whos **wp)
{
    struct gw_whos *w = *wp;
    if (!w)
        return;
    for (unsigned i = 0; i < w->count; i++) {
        struct gw_who_entry *e = w->entries[i];
        for (unsigned k = 0; k < e->token_count; k++)
            free(e->tokens[k]);
        free(e->tokens);
        free(e->password);
        free(e->certificate);
        free((char *)(uintptr_t)e->who.name);
        free((char *)(uintptr_t)e->who.group);
        free(e);
    }
    free(w->entries);
    map_free(&w->by_name);
    map_free(&w->by_token);
    map_free(&w->by_certificate);
    free(w->decoy);
    free(w);
    *wp = NULL;
}

bool gw_whos_any(const struct gw_whos *w)
{
    return w && w->count > 0;
}

bool gw_whos_passwords(const struct gw_whos *w)
{
    return w && w->passwords > 0;
}

bool gw_whos_certificates(const struct gw_whos *w)
{
    return w && map_count(w->by_certificate) > 0;
}

const struct gw_who_entry *gw_whos_named(const struct gw_whos *w, const char *name)
{
    char lower[NAME_MAX_BYTES + 1];
    size_t len = strlen(name);
    if (!w || len > NAME_MAX_BYTES)
        return NULL;
    memcpy(lower, name, len + 1);
    return map_get(w->by_name, str_lower(lower));
}

const struct gw_who_entry *gw_whos_with_token(const struct gw_whos *w, const char *token, size_t len)
{
    uint8_t digest[CRYPTO_SHA256_LEN];
    char hex[2 * CRYPTO_SHA256_LEN + 1];
    crypto_sha256(token, len, digest);
    crypto_hex(digest, sizeof digest, hex);
    return w ? map_get(w->by_token, hex) : NULL;
}

const struct gw_who_entry *gw_whos_with_cert(const struct gw_whos *w, const struct httpd_cert *cert)
{
    const struct gw_who_entry *e = w ? map_get(w->by_certificate, cert->key) : NULL;
    char lower[sizeof cert->name];
    if (e || !w || !cert->trusted)
        return e;
    for (int i = -1; !e && i < HTTPD_CERT_MAILS; i++) {
        snprintf(lower, sizeof lower, "%s", i < 0 ? cert->name : cert->mails[i]);
        e = lower[0] && !str_starts(lower, "sha256//") ? map_get(w->by_certificate, str_lower(lower)) : NULL;
    }
    return e;
}

const char *gw_whos_decoy(const struct gw_whos *w)
{
    return w->decoy;
}

const struct gw_who_entry *gw_whos_at(const struct gw_whos *w, size_t i)
{
    return w && i < w->count ? w->entries[i] : NULL;
}

struct jv *gw_whos_report(const struct gw_whos *w)
{
    struct jv *list = jv_array();
    for (unsigned i = 0; w && i < w->count; i++) {
        const struct gw_who_entry *e = w->entries[i];
        struct jv *v = jv_set_str(jv_object(), "name", e->who.name);
        jv_set_str(v, "role", e->who.admin ? "admin" : e->who.reader ? "reader" : "none");
        jv_set_str(v, "group", e->who.group);
        jv_set_int(v, "tokens", e->token_count);
        jv_set_bool(v, "password", e->password != NULL);
        jv_set_str(v, "certificate", e->certificate);
        jv_add(list, jv_set_bool(v, "from_file", e->from_file));
    }
    return list;
}

static void add_configured(struct gw_whos *w, const struct gw_config_who *c, struct gw_reading *r, unsigned i)
{
    char key[60];
    const char *wrong = name_wrong(c->name);
    snprintf(key, sizeof key, "identities[%u].name", i);
    if (wrong || gw_whos_named(w, c->name)) {
        gw_problem_at(r, wrong ? "config-value" : "config-duplicate", key, "%s", wrong ? wrong : "stands there twice");
        return;
    }
    struct gw_who_entry *e = add(w, c->name);
    e->who.group = mem_strdup_or_null(c->group);
    e->line = c->line;
    set_role(e, c->role);
    if (!c->certificate)
        return;
    e->certificate = mem_strdup(c->certificate);
    if (!str_starts(e->certificate, "sha256//"))
        str_lower(e->certificate);
    snprintf(key, sizeof key, "identities[%u].certificate", i);
    if (strcmp(c->name, "anonymous") == 0)
        gw_problem_at(r, "config-value", key, "is not for anonymous, who shows nothing");
    else if (map_put(w->by_certificate, e->certificate, e))
        gw_problem_at(r, "config-duplicate", key, "is that of another identity already");
}

static void read_file(struct gw_whos *w, const struct gw_config *c, struct gw_reading *r)
{
    unsigned before = r->problems, number = 0;
    gw_config_check_file(r, c->identities_file, "identities_file", true);
    FILE *file = r->problems == before ? fopen(c->identities_file, "re") : NULL;
    char *line = NULL;
    size_t room = 0, total = 0;
    if (!file && r->problems == before)
        gw_problem_at(r, "config-secret", "identities_file", "%s: %s", c->identities_file, strerror(errno));
    struct gw_reading there = *r;
    there.file = c->identities_file;
    for (ssize_t n; file && total < FILE_MAX && (n = getline(&line, &room, file)) >= 0; total += (size_t)n) {
        size_t len = (size_t)n;
        char *text = (char *)(uintptr_t)str_trim(line, &len);
        text[len] = '\0';
        number++;
        if (memchr(text, '\0', len) || w->count >= IDENTITIES_MAX)
            gw_problem(&there, "config-value", number, NULL, "is no line of text, or one too many");
        else if (len > 0 && text[0] != '#')
            read_line(w, &there, text, number);
    }
    r->problems = there.problems;
    r->untold = there.untold;
    if (line)
        mem_wipe(line, room);
    free(line);
    if (file)
        fclose(file);
}

static void read_line(struct gw_whos *w, struct gw_reading *r, char *text, unsigned number)
{
    char *save = NULL, *name = strtok_r(text, " \t", &save);
    struct line l = {.r = r, .w = w, .number = number};
    const char *wrong = name_wrong(name);
    if (wrong) {
        gw_problem(r, "config-value", number, NULL, "the name %s", wrong);
        return;
    }
    l.e = (struct gw_who_entry *)(uintptr_t)gw_whos_named(w, name);
    if (l.e && l.e->from_file) {
        gw_problem(r, "config-duplicate", number, NULL, "%s has line %u already", name, l.e->line);
        return;
    }
    bool configured = l.e != NULL;
    if (!configured)
        l.e = add(w, name);
    l.e->from_file = true;
    l.e->line = number;
    for (char *word; (word = strtok_r(NULL, " \t", &save));) {
        if (configured && (str_starts(word, "role=") || str_starts(word, "group=")))
            complain(&l, "config-duplicate", "has its role and group in the configuration");
        else
            take_word(&l, word);
    }
}

static void take_word(struct line *l, char *word)
{
    struct gw_who_entry *e = l->e;
    char *value = strchr(word, '=');
    if (value)
        *value++ = '\0';
    bool secret = value && (strcmp(word, "token") == 0 || strcmp(word, "password") == 0);
    if (secret && strcmp(e->who.name, "anonymous") == 0) {
        complain(l, "config-value", "shows nothing, so it has no secret");
    } else if (value && strcmp(word, "role") == 0) {
        if (strcmp(value, "none") != 0 && strcmp(value, "reader") != 0 && strcmp(value, "admin") != 0)
            complain(l, "config-value", "has a role that is none of: none reader admin");
        set_role(e, value);
    } else if (value && strcmp(word, "group") == 0) {
        free((char *)(uintptr_t)e->who.group);
        e->who.group = mem_strdup(value);
    } else if (value && strcmp(word, "token") == 0) {
        take_token(l, value);
    } else if (value && strcmp(word, "password") == 0 && !e->password) {
        const char *wrong = crypto_password_wrong(value);
        if (wrong)
            gw_problem(l->r, "config-secret", l->number, NULL, "the password of %s %s", e->who.name, wrong);
        e->password = mem_strdup(value);
        l->w->passwords++;
    } else {
        complain(l, "config-unknown-key", "has a word that is none of role= group= token= password=, or one twice");
    }
}

static void take_token(struct line *l, const char *digest)
{
    struct gw_who_entry *e = l->e;
    static const char prefix[] = "sha256:";
    const char *hex = digest + strlen(prefix);
    if (!str_starts(digest, prefix) || strlen(hex) != 2 * CRYPTO_SHA256_LEN ||
        strspn(hex, "0123456789abcdef") != strlen(hex)) {
        complain(l, "config-secret", "has a token that is not sha256: and 64 digits; freebusyctl identity makes one");
        return;
    }
    if (e->token_count == TOKENS_MAX || map_get(l->w->by_token, hex)) {
        complain(l, "config-duplicate", "has too many tokens, or one that stands there already");
        return;
    }
    e->tokens = mem_realloc(e->tokens, e->token_count + 1, sizeof *e->tokens);
    e->tokens[e->token_count] = mem_strdup(hex);
    map_put(l->w->by_token, e->tokens[e->token_count++], e);
}

static struct gw_who_entry *add(struct gw_whos *w, const char *name)
{
    struct gw_who_entry *e = mem_calloc(1, sizeof *e);
    if ((w->count & (w->count - 1)) == 0)
        w->entries = mem_realloc(w->entries, w->count ? 2 * w->count : 1, sizeof(struct gw_who_entry *));
    w->entries[w->count++] = e;
    e->who.name = str_lower(mem_strdup(name));
    map_put(w->by_name, e->who.name, e);
    return e;
}

static void set_role(struct gw_who_entry *e, const char *role)
{
    e->who.admin = role && strcmp(role, "admin") == 0;
    e->who.reader = e->who.admin || (role && strcmp(role, "reader") == 0);
}

static uint64_t secrets_of(const struct gw_who_entry *e)
{
    uint8_t digest[CRYPTO_SHA256_LEN];
    uint64_t first;
    struct buf b;
    buf_init(&b, TOKENS_MAX * 100 + 4096);
    for (unsigned i = 0; i < e->token_count; i++)
        buf_adds(&b, e->tokens[i]);
    buf_addf(&b, " %s %s", e->password ? e->password : "", e->certificate ? e->certificate : "");
    crypto_sha256(b.data, b.len, digest);
    memcpy(&first, digest, sizeof first);
    bool none = b.len == 2;
    buf_wipe(&b);
    return none ? 0 : first;
}

/* No blank, because the file separates by them; no colon, because Basic does. */
static const char *name_wrong(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX_BYTES || !str_is_utf8(name, len))
        return "is empty, too long or no UTF-8";
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 127 || *p == ':' || *p == '=' || *p == '"')
            return "has a blank, a colon, an equals sign, a quote or a control character";
    if (name[0] == '#' || str_eq_nocase(name, "administrator"))
        return "is taken: administrator is whoever reaches the control socket";
    return NULL;
}

static void complain(const struct line *l, const char *code, const char *what)
{
    gw_problem(l->r, code, l->number, NULL, "%s %s", l->e->who.name, what);
}
