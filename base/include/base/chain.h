/*
 * chain: lines of text in a file that nobody changes unnoticed. Each line ends in " chain=" and the SHA-256 of the one
 * before and itself; when the file is full it becomes FILE.1, and the next one begins where it ended. All of this
 * blocks: it is for workers and for command lines.
 *
 * A value may be sealed: the line then has a digest of it beside it, and the chain covers the digest alone. Who must be
 * forgotten can be taken out of old lines, and the chain still holds; who is put in instead shows.
 */
#ifndef BASE_CHAIN_H
#define BASE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct chain;

enum { CHAIN_HEX = 65, CHAIN_LINE_MAX = 8192 };

/* Goes on where the file ends; what a crash left half written is cut off. NULL with a sentence in why. */
struct chain *chain_open(const char *path, int64_t max_size, unsigned keep, char *why, size_t why_size);
void chain_close(struct chain **c);

/* Words separated by one space, no line end. */
bool chain_add(struct chain *c, const char *text, char *why, size_t why_size);
bool chain_sync(struct chain *c, char *why, size_t why_size); /* is on the disk when this returns */
const char *chain_head(const struct chain *c);                /* the last line's digest, in hex */

/* Adds " KEY=VALUE:NONCE:DIGEST", the value percent-encoded. */
void chain_seal(struct buf *out, const char *key, const char *value);

/* Calls for each line, the oldest first; `chain` is still on it. False: it was told to stop, or a file cannot be read
 * (why). */
typedef bool chain_line_fn(void *arg, const char *file, unsigned number, char *line);
bool chain_each(const char *path, unsigned keep, chain_line_fn *fn, void *arg, char *why, size_t why_size);

/* Does the line have this value sealed under this key? */
bool chain_has(const char *line, const char *key, const char *value);

/* Takes a value out of every line that has it sealed, whatever the key, in all files. */
bool chain_forget(const char *path, unsigned keep, const char *value, uint64_t *ret_lines, char *why, size_t why_size);

struct chain_report {
    uint64_t lines;
    unsigned files;
    bool whole;
    char broken[400];       /* "FILE:LINE: what is wrong"; "" */
    char begins[CHAIN_HEX]; /* what the oldest file says was before it; all zero: nothing */
    char head[CHAIN_HEX];
};
void chain_verify(const char *path, unsigned keep, struct chain_report *ret);

/* What the oldest file says was before it; all zero: nothing. False: there is no such line. */
bool chain_oldest(const char *path, unsigned keep, char ret[CHAIN_HEX]);

#endif
