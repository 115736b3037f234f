/* secret: every way in which a secret file can be wrong, and that no complaint quotes it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/secret.h"

static char folder[] = "/tmp/test_secret.XXXXXX";
static char credentials[sizeof(folder) + 20];
static char why[400];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(credentials, sizeof(credentials), "%s/credentials", folder);
    unsetenv("CREDENTIALS_DIRECTORY");
    return mkdir(credentials, 0700);
}

static int drop_folder(void **state)
{
    (void)state;
    rmdir(credentials);
    return rmdir(folder);
}

static const char *make_file(const char *dir, const char *content, size_t len, mode_t mode)
{
    static char path[200];
    int fd;

    snprintf(path, sizeof(path), "%s/file", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

static struct secret *read_content(const char *content, size_t len, mode_t mode)
{
    const char *path = make_file(folder, content, len, mode);
    struct secret *s;

    why[0] = '\0';
    s = secret_read(path, why, sizeof(why));
    assert_true(s ? why[0] == '\0' : why[0] != '\0');
    unlink(path);
    return s;
}

static void takes(const char *content, const char *wanted)
{
    struct secret *s = read_content(content, strlen(content), 0600);
    size_t len;

    assert_non_null(s);
    assert_string_equal(secret_bytes(s, &len), wanted);
    assert_int_equal(len, strlen(wanted));
    assert_true(secret_mtime_ms(s) > 1700000000000);
    secret_free(&s);
    assert_null(s);
}

static void refuses(const char *content, size_t len, mode_t mode, const char *reason)
{
    assert_null(read_content(content, len, mode));
    if (!strstr(why, reason) || !strstr(why, folder))
        fail_msg("\"%s\" does not say \"%s\"", why, reason);
    assert_null(strstr(why, "hunter2"));
}

static void one_line_end_is_dropped(void **state)
{
    (void)state;
    takes("hunter2", "hunter2");
    takes("hunter2\n", "hunter2");
    takes("hunter2\r\n", "hunter2");
    takes(" hunter2 \n", " hunter2 ");
    takes("pässword", "pässword");
}

static void wrong_content_is_refused(void **state)
{
    (void)state;
    refuses("", 0, 0600, "empty");
    refuses("\n", 1, 0600, "empty");
    refuses("\r\n", 2, 0600, "empty");
    refuses("hunter2\n\n", 9, 0600, "more than one line");
    refuses("hunter2\nhunter2\n", 16, 0600, "more than one line");
    refuses("hunter2\rx", 9, 0600, "more than one line");
    refuses("hunter2\r", 8, 0600, "more than one line");
    refuses("hunter2\0x", 9, 0600, "NUL");
    refuses("hunter2\0", 8, 0600, "NUL");
}

static void length_has_a_limit(void **state)
{
    static char content[SECRET_MAX + 10];
    struct secret *s;
    size_t len;

    (void)state;
    memset(content, 'x', sizeof(content));
    memcpy(content + SECRET_MAX, "\r\n", 2);
    s = read_content(content, SECRET_MAX + 2, 0600);
    assert_non_null(s);
    secret_bytes(s, &len);
    assert_int_equal(len, SECRET_MAX);
    secret_free(&s);
    content[SECRET_MAX] = 'x';
    refuses(content, SECRET_MAX + 1, 0600, "longer");
    refuses(content, SECRET_MAX + 2, 0600, "longer");
    refuses(content, SECRET_MAX + 10, 0600, "longer");
}

static void readers_are_refused(void **state)
{
    struct secret *s;

    (void)state;
    refuses("hunter2", 7, 0640, "read by group or others");
    refuses("hunter2", 7, 0604, "read by group or others");
    s = read_content("hunter2", 7, 0400);
    assert_non_null(s);
    secret_free(&s);
}

static void credentials_keep_their_mode(void **state)
{
    const char *path = make_file(credentials, "hunter2", 7, 0440);
    char around[300];
    struct secret *s;

    (void)state;
    assert_null(secret_read(path, why, sizeof(why)));
    setenv("CREDENTIALS_DIRECTORY", credentials, 1);
    s = secret_read(path, why, sizeof(why));
    assert_non_null(s);
    secret_free(&s);
    unlink(path);

    path = make_file(folder, "hunter2", 7, 0440); /* not below, however it is spelt */
    assert_null(secret_read(path, why, sizeof(why)));
    snprintf(around, sizeof(around), "%s/../file", credentials);
    assert_null(secret_read(around, why, sizeof(why)));
    snprintf(around, sizeof(around), "%sX", credentials);
    assert_int_equal(rename(path, around), 0);
    assert_null(secret_read(around, why, sizeof(why)));
    unlink(around);
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void only_files_are_read(void **state)
{
    char path[200], link_path[200];
    struct secret *s;

    (void)state;
    snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(secret_read(path, why, sizeof(why))); /* and does not wait for a writer */
    assert_non_null(strstr(why, "not a regular file"));
    unlink(path);
    assert_null(secret_read(folder, why, sizeof(why)));
    assert_non_null(strstr(why, "not a regular file"));
    assert_null(secret_read(path, why, sizeof(why)));
    assert_non_null(strstr(why, "No such file"));

    snprintf(link_path, sizeof(link_path), "%s/link", folder);
    assert_int_equal(symlink("file", link_path), 0);
    make_file(folder, "hunter2", 7, 0644);
    assert_null(secret_read(link_path, why, sizeof(why))); /* the file's mode counts, not the link's */
    make_file(folder, "hunter2", 7, 0600);
    s = secret_read(link_path, why, sizeof(why));
    assert_non_null(s);
    secret_free(&s);
    unlink(link_path);
    snprintf(path, sizeof(path), "%s/file", folder);
    unlink(path);
}

static void paths_look_at_credentials_first(void **state)
{
    char *path;

    (void)state;
    path = secret_path("/abs/olute", "/etc");
    assert_string_equal(path, "/abs/olute");
    free(path);
    make_file(credentials, "x", 1, 0400);
    path = secret_path("file", "/etc");
    assert_string_equal(path, "/etc/file");
    free(path);
    setenv("CREDENTIALS_DIRECTORY", credentials, 1);
    path = secret_path("file", "/etc");
    assert_memory_equal(path, credentials, strlen(credentials));
    unlink(path);
    free(path);
    path = secret_path("file", "/etc");
    assert_string_equal(path, "/etc/file");
    free(path);
    char loaded[300];
    snprintf(loaded, sizeof(loaded), "%s/secrets_other", credentials); /* a folder loaded as "secrets" */
    fclose(fopen(loaded, "w"));
    path = secret_path("other", "/etc");
    assert_string_equal(path, loaded);
    unlink(loaded);
    free(path);
    path = secret_path("../credentials", "/etc"); /* exists, but is not below */
    assert_string_equal(path, "/etc/../credentials");
    free(path);
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void copies_are_equal_and_apart(void **state)
{
    struct secret *a = secret_new("hunter2"), *b = secret_copy(a), *c = secret_new("hunter3"),
                  *d = secret_new("hunter");

    (void)state;
    assert_true(secret_equal(a, b));
    assert_false(secret_equal(a, c));
    assert_false(secret_equal(a, d));
    assert_int_equal(secret_mtime_ms(a), 0);
    secret_free(&a);
    assert_string_equal(secret_bytes(b, NULL), "hunter2");
    secret_free(&a);
    secret_free(&b);
    secret_free(&c);
    secret_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_end_is_dropped),
        cmocka_unit_test(wrong_content_is_refused),
        cmocka_unit_test(length_has_a_limit),
        cmocka_unit_test(readers_are_refused),
        cmocka_unit_test(credentials_keep_their_mode),
        cmocka_unit_test(only_files_are_read),
        cmocka_unit_test(paths_look_at_credentials_first),
        cmocka_unit_test(copies_are_equal_and_apart),
    };

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
