/*
 * config_csv: one line of CSV (RFC 4180) at a time, in place.
 */
#ifndef GATEWAY_CONFIG_CSV_H
#define GATEWAY_CONFIG_CSV_H

#include <stddef.h>

enum { GW_CSV_FIELDS = 32, GW_CSV_LINE_MAX = 16384 };

struct gw_csv {
    char *at, *end; /* what is left */
    unsigned line;  /* number of the line last read, from 1 */
    char *fields[GW_CSV_FIELDS];
    unsigned count;
};

/* `text` is changed in place and must live as long as the fields; a byte order mark is skipped. text[len] must be
 * writable. */
void gw_csv_init(struct gw_csv *csv, char *text, size_t len);

/*
 * 1: a line is in fields, each NUL-terminated. 0: the end. -1: a line that is no CSV, *ret_why says why; the next call
 * goes on behind it. Empty lines are skipped. A quoted field cannot go over the line's end: no column of ours has use
 * for it, and a forgotten quote then spoils its line, not the rest of the file.
 */
int gw_csv_next(struct gw_csv *csv, const char **ret_why);

#endif
