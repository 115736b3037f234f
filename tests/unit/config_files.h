/*
 * config_files: a folder for one test, with files in it.
 */
#ifndef TESTS_CONFIG_FILES_H
#define TESTS_CONFIG_FILES_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "" ends the path; both are static and of the last call. */
static inline const char *files_path(const char *folder, const char *name)
{
    static char paths[4][300];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline void files_write(const char *folder, const char *name, mode_t mode, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    size_t len = strlen(text);
    if (fd < 0 || fchmod(fd, mode) < 0 || write(fd, text, len) != (ssize_t)len || close(fd) < 0)
        abort();
}

static inline char *files_folder(void)
{
    char *folder = strdup("/tmp/freebusyd-test-XXXXXX");
    if (!folder || !mkdtemp(folder))
        abort();
    files_write(folder, "pw", 0600, "hunter2hunter2\n");
    return folder;
}

static inline void files_remove(char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            unlink(files_path(folder, e->d_name));
    if (d)
        closedir(d);
    rmdir(folder);
    free(folder);
}

#endif
