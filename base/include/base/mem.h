/*
 * mem: allocations of a size that the program chose, which therefore end the program when they fail. Sizes that a peer
 * chooses go through buf or arena, which have ceilings.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_calloc(size_t n, size_t size) __attribute__((returns_nonnull));
void *mem_realloc(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *text) __attribute__((returns_nonnull));
char *mem_strndup(const char *text, size_t len) __attribute__((returns_nonnull));

/* NULL stays NULL. */
char *mem_strdup_or_null(const char *text);

/* Copies of `count` texts. */
char **mem_list(const char *const *list, size_t count) __attribute__((returns_nonnull));
void mem_list_free(char ***list, size_t count); /* NULL in it is fine */

char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* Overwrites in a way that the compiler keeps. */
void mem_wipe(void *p, size_t len);

#endif
