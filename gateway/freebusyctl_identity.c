/*
 * freebusyctl_identity: the file of identities (identities_file). A token is printed once and kept as its SHA-256; a
 * password is asked for and kept as a scrypt hash. The file is written beside itself and put in its place, with owner
 * and mode as they were; the daemon sees it within seconds. Without a file the line is printed, for whoever keeps the
 * file elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "freebusyctl.h"

enum { FILE_MAX = 64 << 20, LINE_BYTES = 8192, PASSWORD_MAX = 512, TOKEN_BYTES = 32 };

/* The file, and the one line that is about the name. */
struct edit {
    char *path; /* NULL: print only */
    struct buf before, line, after;
    bool found;
};

static enum ctl_exit list(const struct ctl_options *o);
static enum ctl_exit change(const struct ctl_options *o);
static char *file_of(const struct ctl_options *o);
static bool load(struct edit *e, const char *name);
static enum ctl_exit apply(const struct ctl_options *o, struct edit *e, const char *verb);
static bool store(const struct edit *e);
static bool give_to_owner(const char *path, int fd);
static void set_word(struct buf *line, const char *key, const char *value);
static void drop_words(struct buf *line, const char *key);
static void add_token(struct buf *line);
static bool add_password(struct buf *line);
static bool ask_password(char out[PASSWORD_MAX + 2]);
static bool read_line(const char *prompt, char *out, size_t size);

enum ctl_exit ctl_identity(const struct ctl_options *o)
{
    static const char *const verbs[] = {"add", "token", "password", "revoke", "remove", NULL};
    const char *verb = o->args[0];
    bool known = false;
    if (strcmp(verb, "list") == 0 && o->arg_count == 1)
        return list(o);
    for (unsigned i = 0; verbs[i]; i++)
        known |= strcmp(verb, verbs[i]) == 0;
    if (!known || o->arg_count != 2) {
        fprintf(stderr, "usage: freebusyctl identity list\n"
                        "       freebusyctl identity add|token|password|revoke|remove NAME [--role R] [--group G]\n");
        return CTL_USAGE;
    }
    return change(o);
}

static enum ctl_exit list(const struct ctl_options *o)
{
    static const char *const heads[] = {"IDENTITY", "ROLE", "GROUP", "TOKENS", "PASSWORD", "CERTIFICATE"};
    struct jv *v = NULL;
    enum ctl_exit result = ctl_talk(o, "GET", "/ctl/identities", &v);
    if (result != CTL_WELL)
        return result;
    if (o->json) {
        ctl_print_json(v);
    } else {
        struct ctl_table *t = ctl_table_new(heads, 6);
        const struct jv *all = jv_get(v, "identities");
        for (size_t i = 0; i < jv_count(all); i++) {
            const struct jv *one = jv_at(all, i);
            char tokens[24];
            snprintf(tokens, sizeof tokens, "%lld", (long long)jv_num(jv_get(one, "tokens"), 0));
            const char *cells[] = {ctl_text(jv_get(one, "name"), "?"),
                                   ctl_text(jv_get(one, "role"), ""),
                                   ctl_text(jv_get(one, "group"), "-"),
                                   tokens,
                                   jv_truth(jv_get(one, "password"), false) ? "yes" : "-",
                                   ctl_text(jv_get(one, "certificate"), "-")};
            ctl_table_row(t, cells);
        }
        ctl_table_print(&t);
    }
    jv_free(&v);
    return CTL_WELL;
}

static enum ctl_exit change(const struct ctl_options *o)
{
    struct edit e = {.path = file_of(o)};
    const char *name = o->args[1];
    enum ctl_exit result = CTL_USAGE;
    buf_init(&e.before, FILE_MAX);
    buf_init(&e.line, LINE_BYTES);
    buf_init(&e.after, FILE_MAX);
    if (strpbrk(name, " \t:=\"\r\n") || name[0] == '#' || !name[0])
        fprintf(stderr, "freebusyctl: a name has no blank, colon, equals sign or quote\n");
    else if (!e.path || load(&e, name))
        result = apply(o, &e, o->args[0]);
    buf_wipe(&e.before);
    buf_wipe(&e.line);
    buf_wipe(&e.after);
    free(e.path);
    return result;
}

/* As told, else as the daemon has it. */
static char *file_of(const struct ctl_options *o)
{
    struct jv *v = NULL;
    if (o->file)
        return mem_strdup(o->file);
    if (ctl_talk(o, "GET", "/ctl/identities", &v) != CTL_WELL) {
        fprintf(stderr, "freebusyctl: no file is known; the line is printed instead (--file FILE)\n");
        return NULL;
    }
    char *path = mem_strdup_or_null(jv_str(jv_get(v, "file"), NULL));
    if (!path)
        fprintf(stderr, "freebusyctl: the configuration has no identities_file; this line belongs into one\n");
    jv_free(&v);
    return path;
}

static bool load(struct edit *e, const char *name)
{
    FILE *in = fopen(e->path, "re");
    char *line = NULL;
    size_t room = 0, name_len = strlen(name);
    bool ok = in || errno == ENOENT;
    for (ssize_t n; in && (n = getline(&line, &room, in)) > 0;) {
        size_t len = strcspn(line, " \t\r\n");
        bool mine = len == name_len && strncasecmp(line, name, len) == 0;
        struct buf *to = mine ? &e->line : e->found ? &e->after : &e->before;
        size_t whole = (size_t)n - (line[n - 1] == '\n');
        ok = ok && buf_add(to, line, whole) && (mine || buf_addc(to, '\n'));
        e->found |= mine;
    }
    if (!ok)
        fprintf(stderr, "freebusyctl: %s: %s\n", e->path, in ? "too large" : strerror(errno));
    if (line)
        mem_wipe(line, room);
    free(line);
    if (in)
        fclose(in);
    return ok;
}

static enum ctl_exit apply(const struct ctl_options *o, struct edit *e, const char *verb)
{
    bool gone = strcmp(verb, "remove") == 0, revoke = strcmp(verb, "revoke") == 0;
    if ((gone || revoke) && !e->found) {
        fprintf(stderr, "freebusyctl: %s has no line in %s\n", o->args[1], e->path ? e->path : "a file");
        return CTL_USAGE;
    }
    if (!e->found)
        buf_adds(&e->line, o->args[1]);
    if (o->role)
        set_word(&e->line, "role", o->role);
    if (o->group)
        set_word(&e->line, "group", o->group);
    if (revoke) {
        drop_words(&e->line, "token");
        drop_words(&e->line, "password");
    }
    if (strcmp(verb, "password") == 0 && !add_password(&e->line))
        return CTL_USAGE;
    if (strcmp(verb, "token") == 0)
        add_token(&e->line);
    if (gone)
        buf_reset(&e->line);
    if (!e->path) {
        puts(e->line.data);
        return CTL_WELL;
    }
    return store(e) ? CTL_WELL : CTL_USAGE;
}

static bool store(const struct edit *e)
{
    char *fresh = mem_printf("%s.new", e->path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool ok = out && give_to_owner(e->path, fd);
    ok = ok && fputs(e->before.data, out) >= 0 && fprintf(out, "%s%s", e->line.data, e->line.len ? "\n" : "") >= 0 &&
         fputs(e->after.data, out) >= 0 && fflush(out) == 0 && fsync(fd) == 0 && rename(fresh, e->path) == 0;
    if (!ok) {
        fprintf(stderr, "freebusyctl: %s: %s\n", e->path, strerror(errno));
        unlink(fresh);
    }
    if (out)
        fclose(out);
    free(fresh);
    return ok;
}

/* Whose the file was, or, when it is new, whose the folder is: root makes it for the daemon. */
static bool give_to_owner(const char *path, int fd)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    bool was = stat(path, &st) == 0;
    char *folder = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
    bool known = was || stat(folder, &st) == 0;
    free(folder);
    if (was && fchmod(fd, st.st_mode & 0777) != 0)
        return false;
    return !known || geteuid() != 0 || fchown(fd, st.st_uid, st.st_gid) == 0;
}

static void set_word(struct buf *line, const char *key, const char *value)
{
    drop_words(line, key);
    buf_addf(line, " %s=%s", key, value);
}

/* All words KEY=... */
static void drop_words(struct buf *line, const char *key)
{
    char *text = buf_take(line), *save = NULL;
    size_t key_len = strlen(key);
    for (char *word = strtok_r(text, " \t", &save); word; word = strtok_r(NULL, " \t", &save))
        if (line->len == 0 || strncmp(word, key, key_len) != 0 || word[key_len] != '=')
            buf_addf(line, "%s%s", line->len ? " " : "", word);
    mem_wipe(text, strlen(text));
    free(text);
}

static void add_token(struct buf *line)
{
    uint8_t random[TOKEN_BYTES], digest[CRYPTO_SHA256_LEN];
    char token[2 * TOKEN_BYTES + 5] = "fbd_", hex[2 * CRYPTO_SHA256_LEN + 1];
    crypto_random(random, sizeof random);
    crypto_hex(random, sizeof random, token + 4);
    crypto_sha256(token, strlen(token), digest);
    crypto_hex(digest, sizeof digest, hex);
    buf_addf(line, " token=sha256:%s", hex);
    fprintf(stderr, "the token, which is shown this once:\n");
    printf("%s\n", token);
    mem_wipe(token, sizeof token);
    mem_wipe(random, sizeof random);
}

static bool add_password(struct buf *line)
{
    char password[PASSWORD_MAX + 2];
    bool ok = ask_password(password);
    if (ok) {
        drop_words(line, "password");
        buf_adds(line, " password=");
        ok = crypto_password_hash(line, password, strlen(password));
    }
    mem_wipe(password, sizeof password);
    return ok;
}

static bool ask_password(char out[PASSWORD_MAX + 2])
{
    char again[PASSWORD_MAX + 2];
    bool asked = isatty(STDIN_FILENO);
    if (!read_line(asked ? "password: " : NULL, out, PASSWORD_MAX + 2) || !out[0]) {
        fprintf(stderr, "freebusyctl: a password is one line of at most %d bytes\n", PASSWORD_MAX);
        return false;
    }
    bool same = !asked || (read_line("again: ", again, sizeof again) && strcmp(out, again) == 0);
    if (!same)
        fprintf(stderr, "freebusyctl: these were two passwords\n");
    mem_wipe(again, sizeof again);
    return same;
}

/* Without showing it. */
static bool read_line(const char *prompt, char *out, size_t size)
{
    struct termios shown, hidden;
    bool tty = prompt && tcgetattr(STDIN_FILENO, &shown) == 0;
    if (prompt)
        fputs(prompt, stderr);
    if (tty) {
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    bool ok = fgets(out, (int)size, stdin) != NULL;
    if (tty) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
        fputc('\n', stderr);
    }
    size_t len = ok ? strcspn(out, "\r\n") : 0;
    ok = ok && len < size - 1;
    out[len] = '\0';
    return ok;
}
