/*
 * mem: fixed-size allocations that end the program when they fail. There is no use in carrying an error for forty bytes
 * up through ten callers: with overcommit it never comes, and without memory nobody could be told.
 *
 * Everybody calls this; it calls nobody. buf and arena, which take sizes from strangers, get their blocks here too,
 * after they have checked their ceiling.
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die(void) __attribute__((noreturn));

void *mem_calloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        die();
    return p;
}

void *mem_realloc(void *p, size_t n, size_t size)
{
    if (n == 0 || size == 0) /* reallocarray would free here, and then who owns p? */
        n = size = 1;
    p = reallocarray(p, n, size);
    if (!p)
        die();
    return p;
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy;

    len = strnlen(text, len);
    copy = mem_calloc(len + 1, 1);
    memcpy(copy, text, len);
    return copy;
}

char *mem_strdup_or_null(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

char *mem_printf(const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    int len;

    va_start(ap, fmt);
    len = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (len < 0 || !text)
        die();
    return text;
}

char **mem_list(const char *const *list, size_t count)
{
    char **copy = mem_calloc(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = mem_strdup(list[i]);
    return copy;
}

void mem_list_free(char ***list, size_t count)
{
    for (size_t i = 0; *list && i < count; i++)
        free((*list)[i]);
    free(*list);
    *list = NULL;
}

void mem_wipe(void *p, size_t len)
{
    if (len > 0)
        explicit_bzero(p, len);
}

/* No log here: the log would have to format, and we have no memory. */
static void die(void)
{
    static const char text[] = "freebusyd: out of memory\n";
    ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void)n;
    abort();
}
