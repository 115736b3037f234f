/*
 * chain_read: the reading side of chain: walking the lines of all files, verifying them, and taking somebody out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/chain.h"
#include "base/mem.h"
#include "base/str.h"
#include "chain_private.h"

struct verifying {
    struct chain_report *report;
    char head[CHAIN_HEX];
    bool any;
};

static bool each_of(const char *file, chain_line_fn *fn, void *arg, char *why, size_t why_size);
static bool verify_line(void *arg, const char *file, unsigned number, char *line);
static bool take_beginning(void *arg, const char *file, unsigned number, char *line);
static const char *line_wrong(struct verifying *v, unsigned number, const char *line, size_t len, const char *chain);
static bool seals_hold(const char *text, size_t len);
static bool forget_in(const char *file, const char *safe, uint64_t *lines, char *why, size_t why_size);
static bool forget_line(struct buf *out, const char *line, const char *safe);
static const char *next_word(const char *line, const char *word, size_t *ret_len);

bool chain_each(const char *path, unsigned keep, chain_line_fn *fn, void *arg, char *why, size_t why_size)
{
    bool ok = true;
    why[0] = '\0';
    for (unsigned i = keep + 1; ok && i-- > 0;) {
        char *file = chain_file(path, i);
        ok = (i > 0 && access(file, F_OK) != 0) || each_of(file, fn, arg, why, why_size);
        free(file);
    }
    return ok;
}

bool chain_has(const char *line, const char *key, const char *value)
{
    struct buf safe;
    struct chain_sealed s;
    bool found = false;
    buf_init(&safe, CHAIN_LINE_MAX / 4);
    str_percent_encode(&safe, value, strlen(value), "@+");
    size_t len;
    for (const char *word = next_word(line, NULL, &len); word && !found; word = next_word(line, word, &len))
        found = chain_is_sealed(word, len, &s) && s.key_len == strlen(key) && memcmp(s.key, key, s.key_len) == 0 &&
                s.value_len == safe.len && strncasecmp(s.value, safe.data, safe.len) == 0;
    buf_free(&safe);
    return found;
}

void chain_verify(const char *path, unsigned keep, struct chain_report *ret)
{
    struct verifying v = {.report = ret};
    char why[300];
    *ret = (struct chain_report){.lines = 0};
    bool ok = chain_each(path, keep, verify_line, &v, why, sizeof why);
    if (!ok && !ret->broken[0])
        snprintf(ret->broken, sizeof ret->broken, "%s", why);
    snprintf(ret->head, sizeof ret->head, "%s", v.head);
    ret->whole = ok;
}

bool chain_oldest(const char *path, unsigned keep, char ret[CHAIN_HEX])
{
    char why[300];
    ret[0] = '\0';
    chain_each(path, keep, take_beginning, ret, why, sizeof why);
    return ret[0] != '\0';
}

bool chain_forget(const char *path, unsigned keep, const char *value, uint64_t *ret_lines, char *why, size_t why_size)
{
    struct buf safe;
    bool ok = true;
    buf_init(&safe, CHAIN_LINE_MAX / 4);
    str_percent_encode(&safe, value, strlen(value), "@+");
    *ret_lines = 0;
    for (unsigned i = 0, there = 1; (i <= keep || there) && ok; i++) { /* more may be left of a greater `keep` */
        char *file = chain_file(path, i);
        there = access(file, F_OK) == 0;
        ok = !there || forget_in(file, safe.data, ret_lines, why, why_size);
        free(file);
    }
    buf_free(&safe);
    return ok;
}

static bool each_of(const char *file, chain_line_fn *fn, void *arg, char *why, size_t why_size)
{
    FILE *in = fopen(file, "re");
    char *line = NULL;
    size_t room = 0;
    unsigned number = 0;
    bool go_on = in != NULL;
    for (ssize_t n; go_on && (n = getline(&line, &room, in)) > 0;) {
        line[n - (line[n - 1] == '\n')] = '\0';
        go_on = fn(arg, file, ++number, line);
    }
    if (!in || ferror(in))
        snprintf(why, why_size, "%s: %s", file, strerror(errno));
    if (in)
        fclose(in);
    free(line);
    return go_on;
}

static bool verify_line(void *arg, const char *file, unsigned number, char *line)
{
    struct verifying *v = arg;
    size_t len = strlen(line), tail = strlen(CHAIN_WORD) + CHAIN_HEX - 1;
    const char *wrong = "has no chain";
    v->report->files += number == 1;
    if (len > tail && strncmp(line + len - tail, CHAIN_WORD, strlen(CHAIN_WORD)) == 0)
        wrong = line_wrong(v, number, line, len - tail, line + len - (CHAIN_HEX - 1));
    if (wrong) {
        snprintf(v->report->broken, sizeof v->report->broken, "%s:%u: %s", file, number, wrong);
        return false;
    }
    snprintf(v->head, sizeof v->head, "%s", line + len - (CHAIN_HEX - 1));
    v->report->lines++;
    v->any = true;
    return true;
}

static bool take_beginning(void *arg, const char *file, unsigned number, char *line)
{
    (void)file, (void)number;
    if (str_starts(line, CHAIN_BEGIN) && strlen(line) > strlen(CHAIN_BEGIN) + CHAIN_HEX)
        snprintf(arg, CHAIN_HEX, "%s", line + strlen(CHAIN_BEGIN));
    return false;
}

static const char *line_wrong(struct verifying *v, unsigned number, const char *line, size_t len, const char *chain)
{
    char digest[CHAIN_HEX];
    bool begins = str_starts(line, CHAIN_BEGIN);
    if ((number == 1) != begins)
        return begins ? "begins in the middle" : "does not begin with its beginning: lines before it are gone";
    if (begins && !v->any) {
        snprintf(v->head, sizeof v->head, "%.*s", CHAIN_HEX - 1, line + strlen(CHAIN_BEGIN));
        snprintf(v->report->begins, sizeof v->report->begins, "%s", v->head);
    } else if (begins && strncmp(line + strlen(CHAIN_BEGIN), v->head, CHAIN_HEX - 1) != 0) {
        return "does not go on where the file before it ended";
    }
    chain_digest(v->head, line, len, digest);
    if (strcmp(digest, chain) != 0)
        return "was changed, or a line before it was changed, added or taken away";
    return seals_hold(line, len) ? NULL : "names somebody else than when it was written";
}

static bool seals_hold(const char *text, size_t len)
{
    char *line = mem_strndup(text, len), digest[CHAIN_HEX];
    struct chain_sealed s;
    bool hold = true;
    size_t word_len;
    for (const char *word = next_word(line, NULL, &word_len); word && hold; word = next_word(line, word, &word_len)) {
        if (!chain_is_sealed(word, word_len, &s) || (s.value_len == 0 && s.nonce_len == 0))
            continue;
        hold = s.nonce_len == CHAIN_NONCE;
        if (hold)
            chain_seal_digest(s.nonce, s.value, s.value_len, digest);
        hold = hold && strncmp(digest, s.digest, CHAIN_SEAL) == 0;
    }
    free(line);
    return hold;
}

/* Beside the old file, which is there until the new one is whole. */
static bool forget_in(const char *file, const char *safe, uint64_t *lines, char *why, size_t why_size)
{
    char *fresh = mem_printf("%s.new", file), *line = NULL;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *in = fopen(file, "re"), *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    size_t room = 0;
    uint64_t changed = 0;
    bool ok = in && out;
    struct buf b;
    buf_init(&b, CHAIN_LINE_MAX);
    for (ssize_t n; ok && (n = getline(&line, &room, in)) > 0;) {
        line[n - (line[n - 1] == '\n')] = '\0';
        buf_reset(&b);
        changed += forget_line(&b, line, safe);
        ok = fprintf(out, "%s\n", b.failed ? line : b.data) > 0;
    }
    ok = ok && !ferror(in) && fflush(out) == 0 && fsync(fileno(out)) == 0;
    if (ok && changed > 0)
        ok = rename(fresh, file) == 0;
    if (!ok)
        snprintf(why, why_size, "%s: %s", file, strerror(errno));
    if (!ok || changed == 0)
        unlink(fresh);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    *lines += ok ? changed : 0;
    buf_free(&b);
    free(line);
    free(fresh);
    return ok;
}

static bool forget_line(struct buf *out, const char *line, const char *safe)
{
    bool changed = false;
    struct chain_sealed s;
    size_t len, want = strlen(safe);
    for (const char *word = next_word(line, NULL, &len); word; word = next_word(line, word, &len)) {
        if (out->len)
            buf_addc(out, ' ');
        bool here = chain_is_sealed(word, len, &s) && s.value_len == want && strncasecmp(s.value, safe, want) == 0;
        if (here)
            buf_addf(out, "%.*s=::%.*s", (int)s.key_len, s.key, CHAIN_SEAL, s.digest);
        else
            buf_add(out, word, len);
        changed |= here;
    }
    return changed && !out->failed;
}

/* Words are separated by exactly one space; `word` NULL begins. */
static const char *next_word(const char *line, const char *word, size_t *ret_len)
{
    if (word) {
        word += *ret_len;
        if (!*word)
            return NULL;
        word++;
    } else {
        word = line;
    }
    *ret_len = strcspn(word, " ");
    return word;
}
