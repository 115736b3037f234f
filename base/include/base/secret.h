/*
 * secret: a password that cannot be printed by accident. It comes from a file, lives in one place, and is wiped at the
 * end.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret;

/* Longest secret read from a file. */
#define SECRET_MAX 4096

/*
 * Where `name` is: an absolute path as it stands; a relative one first below $CREDENTIALS_DIRECTORY (systemd
 * credentials), as NAME or as secrets_NAME (systemd's spelling for the files of a folder loaded as "secrets"), if it
 * exists there, else below `dir` (the configuration file's folder). The caller frees the path.
 */
char *secret_path(const char *name, const char *dir);

/*
 * Reads the file; one line end at its end is dropped. NULL with a sentence in `why` (free of the content) when it is
 * missing, empty, longer than SECRET_MAX, has a NUL or a line end inside, or may be read by group or others. Below
 * $CREDENTIALS_DIRECTORY the mode is systemd's business and not looked at.
 */
struct secret *secret_read(const char *path, char *why, size_t why_size);

/* From memory, for tests. */
struct secret *secret_new(const char *text);
void secret_free(struct secret **s);

struct secret *secret_copy(const struct secret *s);

/* The bytes, NUL-terminated, valid as long as the secret; only for code that builds a credential. */
const char *secret_bytes(const struct secret *s, size_t *ret_len);

bool secret_equal(const struct secret *a, const struct secret *b); /* constant time */

/* When the file was last changed (wall ms) as seen at reading, 0 for secret_new. */
int64_t secret_mtime_ms(const struct secret *s);

#endif
