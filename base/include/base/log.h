/*
 * log: one line per fact, greppable: `module: message key=value ...`. Goes to standard error; with journal priorities
 * ("<6>") in front when systemd gave us a journal stream, with a UTC time stamp otherwise. The only process-wide state
 * in base.
 *
 * Never log a body, a subject, a cookie, a header value or a password. Text from a peer goes through str_printable
 * first.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Takes the place of standard error; `line` has neither time nor priority. */
typedef void log_sink_fn(void *arg, enum log_level level, const char *line);

/* Looks at JOURNAL_STREAM. Until called, lines go to standard error with a time stamp, at level info. */
void log_init(void);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
bool log_level_parse(const char *name, enum log_level *ret);
const char *log_level_name(enum log_level level);
void log_set_sink(log_sink_fn *sink, void *arg); /* NULL: standard error again */

bool log_wants(enum log_level level);

/* What would break the line (control characters) is written as \xNN; over 4 KB it ends in "...". Leaves errno alone. */
void log_write(enum log_level level, const char *module, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Keeps the last so many bytes of lines in memory [none]; 0 forgets them. */
struct buf;
void log_keep_recent(size_t bytes);
void log_recent(struct buf *out); /* appends them, oldest first, whole lines; all levels that were written */

#define log_error(module, ...) log_write(LOG_LEVEL_ERROR, module, __VA_ARGS__)
#define log_warning(module, ...) log_write(LOG_LEVEL_WARNING, module, __VA_ARGS__)
#define log_notice(module, ...) log_write(LOG_LEVEL_NOTICE, module, __VA_ARGS__)
#define log_info(module, ...) log_write(LOG_LEVEL_INFO, module, __VA_ARGS__)
#define log_debug(module, ...)                                                                                         \
    do {                                                                                                               \
        if (log_wants(LOG_LEVEL_DEBUG))                                                                                \
            log_write(LOG_LEVEL_DEBUG, module, __VA_ARGS__);                                                           \
    } while (0)

#endif
