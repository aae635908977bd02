/* SPDX-License-Identifier: MIT */
/* Files and directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "test_base.h"

static char dir[64], path[256];

static const char *in(const char *name)
{
    ck_assert_int_eq(fs_join(path, sizeof(path), dir, name), 0);
    return path;
}

static void start(void)
{
    unit_tmpdir(dir);
}

static void stop(void)
{
    struct stat st;

    ck_assert_int_eq(fs_rmtree(dir), 0);
    ck_assert_int_eq(stat(dir, &st), -1);
}

static void put(const char *name, const char *text)
{
    ck_assert_int_eq(fs_write_atomic(in(name), str_c(text), 0644), 0);
}

static void is(const char *name, const char *text)
{
    char *data = NULL;
    size_t n = 0;

    ck_assert_int_eq(fs_read(in(name), 1000, &data, &n), 0);
    ck_view_eq(str_n(data, n), text);
    ck_assert_int_eq(data[n], '\0');
    free(data);
}

static size_t entries(void)
{
    DIR *d = opendir(dir);
    size_t n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

START_TEST(reading)
{
    char *data = NULL;
    size_t n = 0;

    put("f", "0123456789");
    is("f", "0123456789");
    ck_assert_int_eq(fs_read(in("f"), 10, &data, &n), 0);
    free(data);
    ck_assert_int_eq(fs_read(in("f"), 9, &data, &n), -EFBIG);
    ck_assert_int_eq(fs_read(in("f"), 0, &data, &n), -EFBIG);
    ck_assert_int_eq(fs_read(in("none"), 9, &data, &n), -ENOENT);
    ck_assert_int_eq(fs_read(dir, 9, &data, &n), -EISDIR);
    put("empty", "");
    is("empty", "");
    ck_assert_int_eq(fs_read(in("empty"), 0, &data, &n), 0);
    ck_assert_uint_eq(n, 0);
    free(data);
    /* A file that does not tell its size. */
    ck_assert_int_eq(fs_read("/proc/self/status", 1 << 20, &data, &n), 0);
    ck_assert_uint_gt(n, 100);
    free(data);
    ck_assert_int_eq(fs_read("/proc/self/status", 100, &data, &n), -EFBIG);
    ck_assert_int_eq(fs_read("/dev/zero", 100000, &data, &n), -EFBIG);
}
END_TEST

START_TEST(reading_a_pipe)
{
    static char sent[50000];
    char *data = NULL;
    size_t n = 0;
    int fd[2];

    memset(sent, 'p', sizeof(sent));
    for (size_t max = 49998; max <= 50002; max++) {
        ck_assert_int_eq(pipe(fd), 0);
        ck_assert_int_eq(write(fd[1], sent, sizeof(sent)), sizeof(sent));
        close(fd[1]);
        if (max < sizeof(sent)) {
            ck_assert_int_eq(fs_read_fd(fd[0], max, &data, &n), -EFBIG);
        } else {
            ck_assert_int_eq(fs_read_fd(fd[0], max, &data, &n), 0);
            ck_assert_uint_eq(n, sizeof(sent));
            ck_assert_mem_eq(data, sent, n);
            free(data);
        }
        close(fd[0]);
    }
}
END_TEST

START_TEST(writing)
{
    mode_t old = umask(077);
    struct stat st;

    ck_assert_int_eq(fs_write_atomic(in("f"), STR("one"), 0664), 0);
    umask(old);
    ck_assert_int_eq(stat(in("f"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0664);
    ck_assert_int_eq(fs_write_atomic(in("f"), STR("two"), 0600), 0);
    is("f", "two");
    ck_assert_int_eq(stat(in("f"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_uint_eq(entries(), 1); /* nothing left beside it */

    ck_assert_int_eq(mkdir(in("d"), 0755), 0);
    ck_assert_int_lt(fs_write_atomic(in("d"), STR("x"), 0600), 0);
    ck_assert_uint_eq(entries(), 2);
    ck_assert_int_eq(fs_write_atomic(in("none/f"), STR("x"), 0600), -ENOENT);

    put("target", "old");
    ck_assert_int_eq(symlink("target", in("link")), 0);
    put("link", "new");
    is("link", "new");
    is("target", "old");
}
END_TEST

/* A file that replaces a mapped or open one must not change it. */
START_TEST(old_readers_keep_the_old)
{
    char *data = NULL;
    size_t n = 0;
    int fd;

    put("f", "old");
    fd = open(in("f"), O_RDONLY);
    put("f", "newer");
    ck_assert_int_eq(fs_read_fd(fd, 100, &data, &n), 0);
    ck_view_eq(str_n(data, n), "old");
    free(data);
    close(fd);
}
END_TEST

START_TEST(making)
{
    struct stat st;

    ck_assert_int_eq(fs_mkdirs(in("a//b/c/"), 0750), 0);
    ck_assert_int_eq(fs_mkdirs(in("a/b/c"), 0750), 0); /* again */
    ck_assert_int_eq(stat(in("a/b/c"), &st), 0);
    ck_assert(S_ISDIR(st.st_mode));
    put("f", "");
    ck_assert_int_eq(fs_mkdirs(in("f"), 0755), -ENOTDIR);
    ck_assert_int_eq(fs_mkdirs(in("f/x"), 0755), -ENOTDIR);
    ck_assert_int_eq(fs_mkdirs("", 0755), -ENOENT);
    ck_assert_int_eq(fs_mkdirs("/", 0755), 0);
}
END_TEST

START_TEST(private_ones)
{
    struct stat st;

    ck_assert_int_eq(fs_private_dir(in("run/patchbay")), 0);
    ck_assert_int_eq(stat(in("run/patchbay"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
    ck_assert_int_eq(fs_private_dir(in("run/patchbay/")), 0); /* again */
    ck_assert_int_eq(chmod(in("run/patchbay"), 0710), 0);
    ck_assert_int_eq(fs_private_dir(in("run/patchbay")), -EPERM);
    ck_assert_int_eq(chmod(in("run/patchbay"), 0700), 0);
    ck_assert_int_eq(symlink("run/patchbay", in("link")), 0);
    ck_assert_int_eq(fs_private_dir(in("link")), -EPERM);
    ck_assert_int_eq(fs_private_dir(in("link/")), -EPERM);
    put("file", "");
    ck_assert_int_eq(fs_private_dir(in("file")), -EPERM);
}
END_TEST

START_TEST(private_of_others)
{
    if (geteuid() != 0) /* somebody's who is not us: the root directory's */
        ck_assert_int_eq(fs_private_dir("/root"), -EPERM);
    ck_assert_int_eq(mkdir(in("d"), 0700), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(in("d"), 65534, 65534), 0);
        ck_assert_int_eq(fs_private_dir(in("d")), -EPERM);
    }
}
END_TEST

START_TEST(removing)
{
    char deep[256];

    put("keep", "me");
    ck_assert_int_eq(fs_mkdirs(in("t/a/b/c"), 0755), 0);
    put("t/a/f", "x");
    ck_assert_int_eq(symlink("../keep", in("t/link")), 0);
    ck_assert_int_eq(mkdir(in("outside"), 0755), 0);
    put("outside/f", "stays");
    ck_assert_int_eq(symlink("../../outside", in("t/a/dirlink")), 0);
    ck_assert_int_eq(fs_rmtree(in("t")), 0);
    is("keep", "me");
    is("outside/f", "stays");
    ck_assert_uint_eq(entries(), 2);
    ck_assert_int_eq(fs_rmtree(in("t")), 0); /* nothing there */
    ck_assert_int_eq(symlink("outside", in("link")), 0);
    ck_assert_int_eq(fs_rmtree(in("link")), 0);
    ck_assert_int_eq(fs_rmtree(in("keep")), 0);
    is("outside/f", "stays");

    /* Deeper than anything we make: refused, not overflown. */
    snprintf(deep, sizeof(deep), "%s", dir);
    for (int i = 0; i < 80; i++)
        strcat(deep, "/d");
    ck_assert_int_eq(fs_mkdirs(deep, 0755), 0);
    ck_assert_int_eq(fs_rmtree(in("d")), -ELOOP);
    snprintf(deep, sizeof(deep), "%s", dir);
    for (int i = 0; i < 40; i++)
        strcat(deep, "/d");
    ck_assert_int_eq(fs_rmtree(deep), 0);
}
END_TEST

START_TEST(joining)
{
    char out[6];

    ck_assert_int_eq(fs_join(out, sizeof(out), "ab", "cd"), 0);
    ck_assert_str_eq(out, "ab/cd");
    ck_assert_int_eq(fs_join(out, sizeof(out), "a/", "cd"), 0);
    ck_assert_str_eq(out, "a/cd");
    ck_assert_int_eq(fs_join(out, sizeof(out), "ab", "cde"), -ENAMETOOLONG);
}
END_TEST

Suite *base_fs_suite(void)
{
    Suite *s = suite_create("base/fs");
    TCase *t = tcase_create("fs");

    tcase_add_checked_fixture(t, start, stop);
    tcase_add_test(t, reading);
    tcase_add_test(t, reading_a_pipe);
    tcase_add_test(t, writing);
    tcase_add_test(t, old_readers_keep_the_old);
    tcase_add_test(t, making);
    tcase_add_test(t, private_ones);
    tcase_add_test(t, private_of_others);
    tcase_add_test(t, removing);
    tcase_add_test(t, joining);
    suite_add_tcase(s, t);
    return s;
}
