/*
 * freebusyctl_setup: from nothing to a configuration that works. Asks for a server, an account and one person, walks to
 * that person's calendar as `check` does, explains what fails, asks again for what that points to, and writes the file
 * only when every step was passed. With --url, --account, --password-file and --user given it asks nothing.
 *
 * The configuration and the password are tried under their final names with ".new" behind them, so that what was
 * checked is what is kept, and a setup that is given up leaves nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "freebusyctl.h"

enum { ANSWER_MAX = 1024, FILE_MAX = 65536 };

struct setup {
    const struct ctl_options *options;
    bool silent; /* everything was given */
    bool caldav;
    char url[ANSWER_MAX], account[ANSWER_MAX], password[ANSWER_MAX], person[ANSWER_MAX], calendars[ANSWER_MAX];
    char *file, *tried, *folder, *secrets, *secret, *secret_tried;
};

static bool start(struct setup *s);
static bool take_given(struct setup *s);
static bool ask_all(struct setup *s);
static bool ask_url(struct setup *s);
static enum ctl_exit try_until_well(struct setup *s);
static bool mend(struct setup *s, const char *step);
static bool write_tried(struct setup *s);
static bool write_file(const char *path, const char *text);
static void put_config(const struct setup *s, struct buf *out);
static char *socket_beside(const struct setup *s);
static void put_line(struct buf *out, const char *key, const char *value);
static bool keep(struct setup *s);
static void tell_next(const struct setup *s);
static void finish(struct setup *s);

enum ctl_exit ctl_setup(const struct ctl_options *o)
{
    struct setup s = {.options = o};
    enum ctl_exit result = CTL_USAGE;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (start(&s) && (s.silent || ask_all(&s))) {
        result = try_until_well(&s);
        if (result == CTL_WELL && !keep(&s))
            result = CTL_NOT_WELL;
        if (result == CTL_WELL)
            tell_next(&s);
        else
            fprintf(stderr, "freebusyctl: nothing was written\n");
    }
    finish(&s);
    return result;
}

static bool start(struct setup *s)
{
    const char *file = s->options->output ? s->options->output : "/etc/freebusyd/freebusyd.yaml";
    const char *slash = strrchr(file, '/');
    char here[ANSWER_MAX];
    if (!slash && !getcwd(here, sizeof here))
        return false;
    s->file = slash ? mem_strdup(file) : mem_printf("%s/%s", here, file);
    s->folder = mem_strndup(s->file, (size_t)(strrchr(s->file, '/') - s->file));
    s->tried = mem_printf("%s.new", s->file);
    s->secrets = mem_printf("%s/secrets", s->folder);
    if ((mkdir(s->folder, 0755) != 0 && errno != EEXIST) || (mkdir(s->secrets, 0700) != 0 && errno != EEXIST)) {
        fprintf(stderr, "freebusyctl: %s: %s\n", s->secrets, strerror(errno));
        return false;
    }
    if (s->options->kind && strcmp(s->options->kind, "exchange") != 0 && strcmp(s->options->kind, "caldav") != 0) {
        fputs("freebusyctl: --kind is exchange or caldav\n", stderr);
        return false;
    }
    s->caldav = s->options->kind && strcmp(s->options->kind, "caldav") == 0;
    return take_given(s);
}

static bool take_given(struct setup *s)
{
    const struct ctl_options *o = s->options;
    snprintf(s->url, sizeof s->url, "%s", o->url ? o->url : "");
    snprintf(s->account, sizeof s->account, "%s", o->account ? o->account : "");
    snprintf(s->person, sizeof s->person, "%s", o->user ? o->user : "");
    snprintf(s->calendars, sizeof s->calendars, "%s", o->calendars ? o->calendars : "");
    FILE *file = o->password_file ? fopen(o->password_file, "re") : NULL;
    if (o->password_file && (!file || !fgets(s->password, sizeof s->password, file))) {
        fprintf(stderr, "freebusyctl: %s: %s\n", o->password_file, file ? "is empty" : strerror(errno));
        if (file)
            fclose(file);
        return false;
    }
    if (file)
        fclose(file);
    s->password[strcspn(s->password, "\r\n")] = '\0';
    s->silent = s->url[0] && s->account[0] && s->person[0] && s->password[0];
    if (!s->silent && (o->url || o->account || o->password_file) && !isatty(STDIN_FILENO)) {
        fputs("freebusyctl: without a terminal setup needs --url, --account, --password-file and --user\n", stderr);
        return false;
    }
    return true;
}

static bool ask_all(struct setup *s)
{
    char kind[ANSWER_MAX] = "";
    puts(
        "This asks for one mail server and one person, reads that person's free/busy, and writes a configuration that\n"
        "works. Nothing is changed on the server, and at most one logon is tried each time.\n");
    if (!s->options->kind && !ctl_ask("Server: 1 Exchange 2000, 2003 or 2007; 2 CalDAV", "1", kind, sizeof kind))
        return false;
    s->caldav = s->caldav || strcmp(kind, "2") == 0 || strcasecmp(kind, "caldav") == 0;
    return ask_url(s) &&
           ctl_ask(s->caldav ? "Service account" : "Service account (DOMAIN\\user or user@domain)", s->account,
                   s->account, sizeof s->account) &&
           ctl_ask_secret("Its password", s->password, sizeof s->password) &&
           ctl_ask("Mail address of one person to try", s->person, s->person, sizeof s->person) &&
           (!s->caldav || ctl_ask("Path of a person's calendar, such as /{address}/calendar/ (empty: ask the server)",
                                  s->calendars, s->calendars, sizeof s->calendars));
}

/* A host name alone will do. */
static bool ask_url(struct setup *s)
{
    char answer[ANSWER_MAX - 32];
    if (!ctl_ask(s->caldav ? "Host or URL of the server" : "Host or URL of the server, as OWA is reached", s->url,
                 answer, sizeof answer))
        return false;
    if (strstr(answer, "://"))
        snprintf(s->url, sizeof s->url, "%s", answer);
    else
        snprintf(s->url, sizeof s->url, "https://%s/%s", answer, s->caldav ? "" : "exchange/");
    return true;
}

static enum ctl_exit try_until_well(struct setup *s)
{
    for (;;) {
        struct ctl_options o = *s->options;
        char step[32], code[64];
        if (!write_tried(s))
            return CTL_NOT_WELL;
        o.config = s->tried;
        o.user = s->person;
        putchar('\n');
        setenv("CREDENTIALS_DIRECTORY", s->secrets, 1);
        enum ctl_exit result = ctl_check_file(&o, step, code);
        unsetenv("CREDENTIALS_DIRECTORY");
        if (result == CTL_WELL || s->silent)
            return result;
        putchar('\n');
        if (!mend(s, step))
            return CTL_NOT_WELL;
    }
}

/* What the failed step points to is the usual answer. False: given up. */
static bool mend(struct setup *s, const char *step)
{
    static const struct {
        const char *steps, *letter;
    } points[] = {{"config dns tcp proxy tls http schemes", "u"}, {"logon", "p"}, {"mailbox calendar read", "t"}};
    const char *usual = "t";
    char answer[ANSWER_MAX];
    for (size_t i = 0; step[0] && i < sizeof points / sizeof points[0]; i++)
        if (strstr(points[i].steps, step))
            usual = points[i].letter;
    if (!ctl_ask("Change (u)rl, (a)ccount, (p)assword, p(e)rson; (t)ry again when the server was changed; (q)uit",
                 usual, answer, sizeof answer))
        return false;
    switch (answer[0]) {
    case 'u':
        return ask_url(s);
    case 'a':
        return ctl_ask("Service account", s->account, s->account, sizeof s->account) &&
               ctl_ask_secret("Its password", s->password, sizeof s->password);
    case 'p':
        return ctl_ask_secret("Password", s->password, sizeof s->password);
    case 'e':
        return ctl_ask("Mail address of one person to try", s->person, s->person, sizeof s->person);
    default:
        return answer[0] != 'q';
    }
}

static bool write_tried(struct setup *s)
{
    struct buf b;
    if (!s->secret) {
        s->secret = mem_printf("%s/%s-password", s->secrets, s->caldav ? "dav" : "hq");
        s->secret_tried = mem_printf("%s.new", s->secret);
    }
    buf_init(&b, FILE_MAX);
    put_config(s, &b);
    char *line = mem_printf("%s\n", s->password);
    bool ok = !b.failed && write_file(s->tried, b.data) && write_file(s->secret_tried, line);
    mem_wipe(line, strlen(line));
    free(line);
    buf_free(&b);
    return ok;
}

static bool write_file(const char *path, const char *text)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t len = strlen(text);
    bool ok = fd >= 0 && write(fd, text, len) == (ssize_t)len;
    if (fd >= 0)
        ok = fsync(fd) == 0 && close(fd) == 0 && ok;
    if (!ok)
        fprintf(stderr, "freebusyctl: %s: %s\n", path, strerror(errno));
    return ok;
}

/* The secret's name ends in .new as long as it is tried; keep() writes the file once more, without. */
static void put_config(const struct setup *s, struct buf *out)
{
    bool system = strncmp(s->file, "/etc/", 5) == 0;
    const char *name = s->caldav ? "dav" : "hq";
    buf_adds(out, "# Written by freebusyctl setup. freebusyd.yaml(5) explains every key.\nservers:\n");
    buf_addf(out, "  - name: %s\n    kind: %s\n", name, s->caldav ? "caldav" : "exchange");
    put_line(out, "url", s->url);
    put_line(out, "account", s->account);
    buf_addf(out, "    password_file: %s-password%s\n", name, s->secret_tried ? ".new" : "");
    buf_addf(out, "    auth: %s\n", s->caldav ? "[basic]" : "[ntlm, basic, forms]");
    if (s->caldav && s->calendars[0]) {
        buf_adds(out, "    calendars: [");
        jv_quote(out, s->calendars);
        buf_adds(out, "]\n");
    }
    buf_adds(out, "users:\n  - { address: ");
    jv_quote(out, s->person);
    buf_addf(out,
             ", server: %s }\n  # - { file: users.csv, server: %s }   # address,publish_as,group: one line a person\n",
             name, name);
    buf_adds(out, "publish:\n  http: { listen: [\"127.0.0.1:8008\"] }\n");
    if (system) {
        buf_adds(out, "state: { directory: /var/lib/freebusyd }\n");
        return;
    }
    char *socket = socket_beside(s);
    buf_adds(out, "control: { socket: ");
    jv_quote(out, socket);
    buf_adds(out, " }\n");
    free(socket);
}

/* The service has a folder for its socket; who starts the daemon by hand need not. */
static char *socket_beside(const struct setup *s)
{
    char *folder = realpath(s->folder, NULL), *path = mem_printf("%s/control.sock", folder ? folder : s->folder);
    free(folder);
    return path;
}

/* A JSON string is a YAML string. */
static void put_line(struct buf *out, const char *key, const char *value)
{
    buf_addf(out, "    %s: ", key);
    jv_quote(out, value);
    buf_addc(out, '\n');
}

static bool keep(struct setup *s)
{
    char answer[ANSWER_MAX] = "y";
    struct stat st;
    bool there = stat(s->file, &st) == 0;
    if (there && !s->silent &&
        !ctl_ask("A configuration is there already: keep it as .old and replace it", "y", answer, sizeof answer))
        return false;
    if (answer[0] != 'y' && answer[0] != 'Y')
        return false;
    char *old = mem_printf("%s.old", s->file);
    bool ok = (!there || rename(s->file, old) == 0) && rename(s->secret_tried, s->secret) == 0;
    free(old);
    free(s->secret_tried);
    s->secret_tried = NULL;
    struct buf b;
    buf_init(&b, FILE_MAX);
    put_config(s, &b);
    ok = ok && write_file(s->tried, b.data) && rename(s->tried, s->file) == 0;
    buf_free(&b);
    if (!ok)
        fprintf(stderr, "freebusyctl: %s: %s\n", s->file, strerror(errno));
    else if (strncmp(s->file, "/etc/", 5) == 0)
        chmod(s->file, 0644); /* the service's own user reads it; there is no secret in it */
    return ok;
}

static void tell_by_hand(const struct setup *s)
{
    char *socket = socket_beside(s);
    printf("Next:   CREDENTIALS_DIRECTORY=%s freebusyd --config %s\n", s->secrets, s->file);
    printf("        freebusyctl --socket %s status; http://127.0.0.1:8008/\n", socket);
    free(socket);
}

static void tell_next(const struct setup *s)
{
    printf("\nWritten: %s, and the password alone: %s\n", s->file, s->secret);
    if (strncmp(s->file, "/etc/", 5) == 0)
        puts("Next:   systemctl enable --now freebusyd; freebusyctl status; http://127.0.0.1:8008/");
    else
        tell_by_hand(s);
    puts("Then list everybody under users, and say under publish whom to tell (man freebusyd.yaml).");
    if (!s->caldav)
        printf("\nFor the mail server's administrator, so that everybody's calendar can be read. Exchange 2007:\n"
               "  Get-MailboxDatabase | Add-ADPermission -User '%s' -ExtendedRights Receive-As\n"
               "Exchange 2000 and 2003: System Manager, properties of each mailbox store, Security, add the account, "
               "allow\n"
               "Receive As. It is not needed: to be an administrator, Send As, Full Mailbox Access.\n",
               s->account);
}

static void finish(struct setup *s)
{
    if (s->tried)
        unlink(s->tried);
    if (s->secret_tried)
        unlink(s->secret_tried);
    mem_wipe(s->password, sizeof s->password);
    char **texts[] = {&s->file, &s->tried, &s->folder, &s->secrets, &s->secret, &s->secret_tried};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(*texts[i]);
}
