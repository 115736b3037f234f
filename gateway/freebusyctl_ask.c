/*
 * freebusyctl_ask: questions to the person at the terminal, for setup. Answers may also come from a pipe. A password is
 * not shown while it is typed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "freebusyctl.h"

static bool read_line(char *out, size_t size);

bool ctl_ask(const char *question, const char *usual, char *out, size_t size)
{
    printf(usual && *usual ? "%s [%s]: " : "%s: ", question, usual);
    fflush(stdout);
    if (!read_line(out, size))
        return false;
    if (!out[0] && usual)
        snprintf(out, size, "%s", usual);
    return true;
}

bool ctl_ask_secret(const char *question, char *out, size_t size)
{
    struct termios before, quiet;
    bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    printf("%s: ", question);
    fflush(stdout);
    bool ok = read_line(out, size);
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        putchar('\n');
    }
    return ok;
}

/* False: there is no more input. A line longer than `out` counts as empty. */
static bool read_line(char *out, size_t size)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n = getline(&line, &room, stdin);
    if (n > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        const char *from = line + strspn(line, " \t");
        snprintf(out, size, "%s", strlen(from) < size ? from : "");
        mem_wipe(line, room);
    }
    free(line);
    return n > 0;
}
