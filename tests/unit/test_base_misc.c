/* SPDX-License-Identifier: MIT */
/* Digests and random bytes; the service manager's socket. */
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/sdnotify.h"
#include "base/sha256.h"

#include "test_base.h"

/* FIPS 180-4's examples. */
START_TEST(digests)
{
    char *million = malloc(1000000), out[65];

    sha256_hex(STR_NONE, out);
    ck_assert_str_eq(out, "e3b0c44298fc1c149afbf4c8996fb924"
                          "27ae41e4649b934ca495991b7852b855");
    sha256_hex(STR("abc"), out);
    ck_assert_str_eq(out, "ba7816bf8f01cfea414140de5dae2223"
                          "b00361a396177a9cb410ff61f20015ad");
    memset(million, 'a', 1000000);
    sha256_hex(str_n(million, 1000000), out);
    ck_assert_str_eq(out, "cdc76e5c9914fb9281a1c7e284d73e67"
                          "f1809a48a497200e046d39ccc7112cd0");
    free(million);
}
END_TEST

START_TEST(hexadecimal)
{
    unsigned char in[256], back[256];
    char text[513];

    for (int i = 0; i < 256; i++)
        in[i] = (unsigned char)i;
    hex(in, 256, text);
    ck_assert_uint_eq(strlen(text), 512);
    ck_assert_int_eq(hex_parse(str_c(text), back, 256), 0);
    ck_assert_mem_eq(in, back, 256);
    ck_assert_int_eq(hex_parse(STR("aBcD"), back, 2), 0);
    ck_assert_mem_eq(back, "\xAB\xCD", 2);
    ck_assert_int_eq(hex_parse(STR("abc"), back, 2), -EINVAL);
    ck_assert_int_eq(hex_parse(STR("abcde"), back, 2), -EINVAL);
    ck_assert_int_eq(hex_parse(STR("abcg"), back, 2), -EINVAL);
    ck_assert_int_eq(hex_parse(STR(" abc"), back, 2), -EINVAL);
    hex(in, 0, text);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(randomness)
{
    unsigned char a[64] = {0}, b[64] = {0};
    unsigned bits = 0;

    ck_assert_int_eq(random_bytes(a, sizeof(a)), 0);
    ck_assert_int_eq(random_bytes(b, sizeof(b)), 0);
    ck_assert_int_eq(random_bytes(NULL, 0), 0);
    ck_assert_mem_ne(a, b, sizeof(a));
    for (size_t i = 0; i < sizeof(a); i++)
        bits += (unsigned)__builtin_popcount(a[i]);
    ck_assert_uint_gt(bits, 128); /* of 512, about half are set */
    ck_assert_uint_lt(bits, 384);
}
END_TEST

/* ------------------------------------------------------ service manager */

static int listen_on(const char *name, bool abstract)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct timeval limit = {.tv_sec = 10};

    memcpy(sa.sun_path, name, strlen(name));
    if (abstract)
        sa.sun_path[0] = '\0';
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                      strlen(name))),
                     0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

static void expect(int fd, const char *text)
{
    char got[4096];
    ssize_t n = recv(fd, got, sizeof(got), 0);

    ck_assert_int_ge(n, 0);
    ck_view_eq(str_n(got, (size_t)n), text);
}

START_TEST(notifying)
{
    char dir[64], path[100];
    int fd;

    unit_tmpdir(dir);
    snprintf(path, sizeof(path), "%s/notify", dir);
    fd = listen_on(path, false);
    setenv("NOTIFY_SOCKET", path, 1);
    sd_notify_send("READY=1\nSTATUS=%d loops", 2);
    expect(fd, "READY=1\nSTATUS=2 loops");
    close(fd);
    sd_notify_send("STOPPING=1"); /* nobody listens: no harm */

    snprintf(path, sizeof(path), "@patchbay-unit-%d", (int)getpid());
    fd = listen_on(path, true);
    setenv("NOTIFY_SOCKET", path, 1);
    sd_notify_send("STOPPING=1");
    expect(fd, "STOPPING=1");
    /* Not set, or nothing that we know: silence. */
    unsetenv("NOTIFY_SOCKET");
    sd_notify_send("A=1");
    setenv("NOTIFY_SOCKET", "", 1);
    sd_notify_send("A=1");
    setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
    sd_notify_send("A=1");
    setenv("NOTIFY_SOCKET", "@", 1);
    sd_notify_send("A=1");
    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_lt(recv(fd, path, sizeof(path), MSG_DONTWAIT), 0);
    close(fd);
    ck_assert_int_eq(fs_rmtree(dir), 0);
}
END_TEST

/* A path of exactly the room there is, and one beyond. */
START_TEST(notifying_far)
{
    char name[120];
    int fd;

    memset(name, 'x', sizeof(name));
    name[0] = '@';
    name[sizeof(((struct sockaddr_un *)0)->sun_path) - 1] = '\0';
    fd = listen_on(name, true);
    setenv("NOTIFY_SOCKET", name, 1);
    sd_notify_send("READY=1");
    expect(fd, "READY=1");
    memset(name, 'x', sizeof(name));
    name[0] = '@';
    name[sizeof(name) - 1] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    sd_notify_send("READY=1");
    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_lt(recv(fd, name, sizeof(name), MSG_DONTWAIT), 0);
    close(fd);
}
END_TEST

START_TEST(watchdog)
{
    char pid[32];

    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    ck_assert_int_eq(sd_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    ck_assert_int_eq(sd_watchdog_ms(), 30000);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_int_eq(sd_watchdog_ms(), 0);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    ck_assert_int_eq(sd_watchdog_ms(), 30000);
    setenv("WATCHDOG_USEC", "soon", 1);
    ck_assert_int_eq(sd_watchdog_ms(), 0);
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
}
END_TEST

Suite *base_misc_suite(void)
{
    Suite *s = suite_create("base/misc");
    TCase *t = tcase_create("misc");

    tcase_add_test(t, digests);
    tcase_add_test(t, hexadecimal);
    tcase_add_test(t, randomness);
    tcase_add_test(t, notifying);
    tcase_add_test(t, notifying_far);
    tcase_add_test(t, watchdog);
    suite_add_tcase(s, t);
    return s;
}
