/*
 * log: facts, one line each, to standard error. Under systemd, standard error is a journal stream and takes
 * "<priority>" in front; elsewhere a line starts with a time and a level. A line goes out in one write(), so that lines
 * of several processes do not mix.
 *
 * This is the only process-wide state in base: passing a log through every function would cost more than it brings. It
 * is set up by main before any thread starts; log_write itself may be called from the worker thread too.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/utc.h"
#include "log_private.h"

/* A line longer than this ends in "...". */
#define LINE_MAX_LEN 4096

#define LEVELS 5

static const struct {
    const char *name;
    int priority; /* of syslog(3) */
} levels[LEVELS] = {
    [LOG_LEVEL_ERROR] = {"error", 3}, [LOG_LEVEL_WARNING] = {"warning", 4}, [LOG_LEVEL_NOTICE] = {"notice", 5},
    [LOG_LEVEL_INFO] = {"info", 6},   [LOG_LEVEL_DEBUG] = {"debug", 7},
};

static _Atomic int threshold = LOG_LEVEL_INFO;
static _Atomic bool to_journal;
static log_sink_fn *log_sink;
static void *log_sink_arg;

static bool stderr_is_journal(void);
static void one_line(const char *text, char *out, size_t size);
static void to_stderr(enum log_level level, const char *line);

void log_init(void)
{
    atomic_store(&to_journal, stderr_is_journal());
}

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load(&threshold);
}

bool log_level_parse(const char *name, enum log_level *ret)
{
    int i;

    for (i = 0; i < LEVELS; i++)
        if (strcasecmp(name, levels[i].name) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    return false;
}

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

void log_set_sink(log_sink_fn *sink, void *arg)
{
    log_sink = sink;
    log_sink_arg = arg;
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_write(enum log_level level, const char *module, const char *fmt, ...)
{
    char raw[LINE_MAX_LEN], line[LINE_MAX_LEN];
    int saved = errno, n;
    va_list ap;

    if (!log_wants(level))
        return;
    n = snprintf(raw, sizeof(raw), "%s: ", module);
    va_start(ap, fmt);
    if (n >= 0 && (size_t)n < sizeof(raw))
        vsnprintf(raw + n, sizeof(raw) - (size_t)n, fmt, ap);
    va_end(ap);
    one_line(raw, line, sizeof(line));
    if (log_sink)
        log_sink(log_sink_arg, level, line);
    else
        to_stderr(level, line);
    errno = saved; /* "log, then look at errno" must work everywhere */
}

/* systemd: "<device>:<inode>" of the stream it connected; a child whose stderr was redirected must not believe it. */
static bool stderr_is_journal(void)
{
    const char *value = getenv("JOURNAL_STREAM");
    unsigned long long dev, inode;
    struct stat st;
    char end;

    if (!value || sscanf(value, "%llu:%llu%c", &dev, &inode, &end) != 2 || fstat(STDERR_FILENO, &st) != 0)
        return false;
    return (unsigned long long)st.st_dev == dev && (unsigned long long)st.st_ino == inode;
}

/* The last line of defence: whoever forgot str_printable can show odd letters, but cannot forge a line or move a
 * cursor. */
static void one_line(const char *text, char *out, size_t size)
{
    size_t pos = 0;
    const char *p;

    for (p = text; *p && pos + 5 < size; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            pos += (size_t)snprintf(out + pos, size - pos, "\\x%02x", (unsigned char)*p);
        else
            out[pos++] = *p;
    }
    if (*p) { /* what vsnprintf had cut before is longer than fits here, too */
        pos = pos + 4 <= size ? pos : size - 4;
        memcpy(out + pos, "...", 3);
        pos += 3;
    }
    out[pos] = '\0';
}

static void to_stderr(enum log_level level, const char *line)
{
    char out[LINE_MAX_LEN + UTC_TEXT_MAX + 32], when[UTC_TEXT_MAX];
    struct timespec now = {0};
    ssize_t done;
    int n;

    clock_gettime(CLOCK_REALTIME, &now); /* when it was written, whatever a test's clock says */
    utc_rfc3339(now.tv_sec, when);
    when[strlen(when) - 1] = '\0';
    n = snprintf(out, sizeof(out), "%s.%03dZ %s %s\n", when, (int)(now.tv_nsec / 1000000), levels[level].name, line);
    log_recent_add(out, (size_t)n);
    if (atomic_load(&to_journal)) /* which has a clock of its own */
        n = snprintf(out, sizeof(out), "<%d>%s\n", levels[level].priority, line);
    do {
        done = write(STDERR_FILENO, out, (size_t)n);
    } while (done < 0 && errno == EINTR);
}
