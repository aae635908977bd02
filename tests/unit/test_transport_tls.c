/* SPDX-License-Identifier: MIT */
/* The curl transport with TLS (whose certificate is believed, client
 * certificates) and through proxies. */
#include "config.h"

#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/fs.h"
#include "tx_harness.h"
#include "unit.h"

/* ---------------------------------------------------------- certificates */

struct identity {
    EVP_PKEY *key;
    X509 *cert;
    char cert_file[128], key_file[128];
};

static char dir[64];
static struct identity ca, other_ca, server, client;

static void extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *ext;
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(ext);
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
}

static void save(struct identity *id, const char *name)
{
    FILE *f;

    snprintf(id->cert_file, sizeof id->cert_file, "%s/%s.pem", dir, name);
    snprintf(id->key_file, sizeof id->key_file, "%s/%s.key", dir, name);
    f = fopen(id->cert_file, "w");
    ck_assert_ptr_nonnull(f);
    PEM_write_X509(f, id->cert);
    fclose(f);
    f = fopen(id->key_file, "w");
    ck_assert_ptr_nonnull(f);
    PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

/* issuer NULL: a CA that signs itself. */
static void make(struct identity *id, const char *name,
                 const struct identity *issuer, const char *names)
{
    static long serial = 1;
    X509_NAME *subject;

    id->key = EVP_EC_gen("P-256");
    id->cert = X509_new();
    ck_assert_ptr_nonnull(id->key);
    X509_set_version(id->cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(id->cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(id->cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(id->cert), 86400);
    subject = X509_get_subject_name(id->cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_pubkey(id->cert, id->key);
    X509_set_issuer_name(id->cert, issuer ? X509_get_subject_name(issuer->cert)
                                          : subject);
    extension(id->cert, issuer ? issuer->cert : id->cert,
              NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (names)
        extension(id->cert, issuer->cert, NID_subject_alt_name, names);
    X509_sign(id->cert, issuer ? issuer->key : id->key, EVP_sha256());
    save(id, name);
}

static void drop(struct identity *id)
{
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
}

static SSL_CTX *server_ctx(bool ask_client)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    ck_assert_ptr_nonnull(ctx);
    SSL_CTX_use_certificate(ctx, server.cert);
    SSL_CTX_use_PrivateKey(ctx, server.key);
    if (ask_client) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca.cert);
        SSL_CTX_set_verify(
            ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return ctx;
}

static SSL_CTX *tls;
static struct upstream up;

static void setup(void)
{
    unit_tmpdir(dir);
    make(&ca, "ca", NULL, NULL);
    make(&other_ca, "other-ca", NULL, NULL);
    make(&server, "server", &ca, "IP:127.0.0.1,DNS:localhost");
    make(&client, "client", &ca, NULL);
    harness_setup();
    tls = server_ctx(false);
}

static void teardown(void)
{
    upstream_stop(&up);
    harness_teardown();
    SSL_CTX_free(tls);
    drop(&ca);
    drop(&other_ca);
    drop(&server);
    drop(&client);
    fs_rmtree(dir);
}

static void run(struct call *c, const char *url)
{
    call_init(c);
    call_run(c, url);
    call_done(c);
}

/* ------------------------------------------------------------------- TLS */

START_TEST(own_ca)
{
    struct call c;

    upstream_start(&up, serve_ok, NULL, tls, NULL);
    profile.ca_file = ca.cert_file;
    for (int i = 0; i < 5; i++) {
        run(&c, up.url);
        ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
        ck_assert_int_eq(c.status, 200);
        ck_assert_int_eq(c.reused, i > 0);
    }
    ck_assert_int_eq(atomic_load(&up.conns), 1);
}
END_TEST

/* Neither another CA nor the system's will do. */
START_TEST(wrong_ca)
{
    struct call c;

    upstream_start(&up, serve_ok, NULL, tls, NULL);
    profile.ca_file = _i ? other_ca.cert_file : NULL;
    run(&c, up.url);
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    ck_assert_msg(strstr(c.why, "TLS with 127.0.0.1:") != NULL, "%s", c.why);
    ck_assert_ptr_nonnull(strstr(c.why, "ca_file"));
    ck_assert_int_eq(atomic_load(&up.requests), 0);
}
END_TEST

/* A connection of a profile that checks nothing is not for one that does. */
START_TEST(insecure)
{
    struct call c;

    upstream_start(&up, serve_ok, NULL, tls, NULL);
    profile.insecure = true;
    run(&c, up.url);
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    profile.insecure = false;
    run(&c, up.url);
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    ck_assert_int_eq(atomic_load(&up.requests), 1);
}
END_TEST

/* The certificate has 127.0.0.1 and localhost. */
START_TEST(host_name)
{
    char url[64];
    struct call c;

    upstream_start(&up, serve_ok, NULL, tls, NULL);
    profile.ca_file = ca.cert_file;
    snprintf(url, sizeof url, "https://localhost:%d/", up.port);
    run(&c, url);
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    snprintf(url, sizeof url, "https://other.localhost:%d/", up.port);
    run(&c, url);
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    ck_assert_ptr_nonnull(strstr(c.why, "other.localhost"));
}
END_TEST

START_TEST(bad_files)
{
    struct call c;

    upstream_start(&up, serve_ok, NULL, tls, NULL);
    profile.ca_file = "/nonexistent/ca.pem";
    run(&c, up.url);
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    ck_assert_msg(strstr(c.why, "/nonexistent/ca.pem") != NULL, "%s", c.why);
    profile.ca_file = ca.cert_file;
    profile.client_cert = "/nonexistent/client.pem";
    run(&c, up.url);
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    ck_assert_msg(strstr(c.why, "/nonexistent/client.pem") != NULL, "%s",
                  c.why);
}
END_TEST

START_TEST(client_certificate)
{
    SSL_CTX *asking = server_ctx(true);
    struct call c;

    upstream_start(&up, serve_ok, NULL, asking, NULL);
    profile.ca_file = ca.cert_file;
    run(&c, up.url);
    ck_assert_msg(c.kind == ERR_CONNECT || c.kind == ERR_RESET, "%d %s", c.kind,
                  c.why);
    profile.client_cert = client.cert_file;
    profile.client_key = client.key_file;
    run(&c, up.url);
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    SSL_CTX_free(asking);
}
END_TEST

/* A body that ends with the connection, and chunks that are cut, with TLS's
 * goodbye and without it. */
static void serve_cut(struct peer *p)
{
    if (!peer_request(p))
        return;
    if (p->nth == 0) {
        peer_puts(p, "HTTP/1.1 200 OK\r\n\r\nhello");
        return;
    }
    peer_puts(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n");
    if (p->nth == 2)
        SSL_set_quiet_shutdown(p->ssl, 1);
}

START_TEST(cut)
{
    struct call c;

    upstream_start(&up, serve_cut, NULL, tls, NULL);
    profile.ca_file = ca.cert_file;
    run(&c, up.url);
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    ck_assert_uint_eq(c.got, 5);
    for (int i = 1; i < 3; i++) {
        run(&c, up.url);
        ck_assert_msg(c.kind == ERR_TRUNCATED, "%d %s", c.kind, c.why);
        ck_assert_uint_eq(c.got, 5);
    }
}
END_TEST

static void serve_flood(struct peer *p)
{
    static char block[65536];

    memset(block, 'x', sizeof block);
    if (!peer_request(p) ||
        !peer_puts(p, "HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n"))
        return;
    for (int i = 0; i < 512; i++)
        if (!peer_send(p, block, sizeof block))
            return;
    peer_wait_close(p);
}

static void pause_first(struct call *c, char what)
{
    if (what == 'd' && !c->paused) {
        c->paused = true;
        tx_pause(c->tx, true);
    }
}

static bool is_paused(void *arg)
{
    return ((struct call *)arg)->paused;
}

START_TEST(pausing)
{
    struct call c;
    size_t sent;

    upstream_start(&up, serve_flood, NULL, tls, NULL);
    profile.ca_file = ca.cert_file;
    call_init(&c);
    c.hook = pause_first;
    c.keep_not = true;
    call_get(&c, up.url);
    pump(is_paused, &c, 5000);
    pump_ms(300);
    sent = atomic_load(&up.sent);
    pump_ms(200);
    ck_assert_uint_eq(atomic_load(&up.sent), sent);
    ck_assert_uint_lt(sent, 16u << 20);
    ck_assert_uint_le(c.got, 16384);
    tx_pause(c.tx, false);
    call_wait(&c);
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    ck_assert_uint_eq(c.got, 32u << 20);
    call_done(&c);
}
END_TEST

/* Something else than TLS answers. */
static void serve_plain(struct peer *p)
{
    peer_puts(p, "HTTP/1.1 400 Bad Request\r\n\r\n");
    peer_wait_close(p);
}

START_TEST(not_tls)
{
    char url[64];
    struct call c;

    upstream_start(&up, serve_plain, NULL, NULL, NULL);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", up.port);
    run(&c, url);
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    ck_assert_msg(strstr(c.why, "TLS with") != NULL, "%s", c.why);
}
END_TEST

/* A server that never says hello: connect_ms ends it. */
static void serve_nothing(struct peer *p)
{
    peer_wait_close(p);
}

START_TEST(silent_handshake)
{
    int64_t t0 = clock_us();
    char url[64];
    struct call c;

    upstream_start(&up, serve_nothing, NULL, NULL, NULL);
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", up.port);
    profile.connect_ms = 250;
    run(&c, url);
    ck_assert_msg(c.kind == ERR_CONNECT_TIMEOUT, "%d %s", c.kind, c.why);
    ck_assert_int_lt(clock_us() - t0, 2000000);
}
END_TEST

/* Afterwards the loop's first handshake finds the certificates read. */
START_TEST(warming)
{
    int64_t t0 = clock_us(), first, second;
    struct call c;

    upstream_start(&up, serve_ok, NULL, tls, NULL);
    ck_assert_int_eq(transport_curl_warm(tp), 0);
    first = clock_us() - t0;
    t0 = clock_us();
    ck_assert_int_eq(transport_curl_warm(tp), 0);
    second = clock_us() - t0;
    ck_assert_uint_eq(tp->vt->active(tp), 0);
    /* with the sanitizers or on a busy machine only this much is certain */
    ck_assert_int_lt(second, first);
    run(&c, up.url);
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    profile.ca_file = ca.cert_file;
    run(&c, up.url);
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
}
END_TEST

/* --------------------------------------------------------------- proxies */

static struct upstream proxy;
static char proxy_url[128], proxy_saw[4096];
static char proxy_auth_seen[256];

static int dial(const char *where)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *colon = strrchr(where, ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons((uint16_t)(colon ? atoi(colon + 1) : 0));
    if (connect(fd, (struct sockaddr *)&a, sizeof a)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void relay(int a, int b)
{
    struct pollfd p[2] = {{.fd = a, .events = POLLIN},
                          {.fd = b, .events = POLLIN}};
    char bytes[16384];

    for (;;) {
        if (poll(p, 2, -1) < 0)
            return;
        for (int i = 0; i < 2; i++) {
            ssize_t n;

            if (!p[i].revents)
                continue;
            n = recv(p[i].fd, bytes, sizeof bytes, 0);
            if (n <= 0 ||
                send(p[!i].fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
                return;
        }
    }
}

/* A proxy as simple as they come; arg "deny": it wants a password. */
static void serve_proxy(struct peer *p)
{
    while (peer_request(p)) {
        const char *auth = peer_header(p, "proxy-authorization");
        char method[16], where[256];
        int fd;

        snprintf(proxy_auth_seen, sizeof proxy_auth_seen, "%s",
                 auth ? auth : "");
        snprintf(proxy_saw, sizeof proxy_saw, "%.4000s", p->head);
        sscanf(p->head, "%15s %255s", method, where);
        if (p->up->arg && !auth) {
            peer_puts(p, "HTTP/1.1 407 Proxy Authentication Required\r\n"
                         "Content-Length: 0\r\n\r\n");
        } else if (strcmp(method, "CONNECT") != 0) {
            peer_reply(p, "by proxy");
        } else {
            fd = dial(where);
            if (fd < 0) {
                peer_puts(p, "HTTP/1.1 502 Bad Gateway\r\n"
                             "Content-Length: 0\r\n\r\n");
                continue;
            }
            peer_puts(p, "HTTP/1.1 200 Connected\r\nX-Proxy: 1\r\n\r\n");
            relay(p->fd, fd);
            close(fd);
            return;
        }
    }
}

static void proxy_setup(void)
{
    setup();
    upstream_start(&up, serve_ok, NULL, tls, NULL);
}

static void proxy_teardown(void)
{
    upstream_stop(&proxy);
    teardown();
}

static void start_proxy(const void *arg)
{
    upstream_start(&proxy, serve_proxy, arg, NULL, NULL);
    snprintf(proxy_url, sizeof proxy_url, "http://127.0.0.1:%d", proxy.port);
    profile.proxy = proxy_url;
    profile.ca_file = ca.cert_file;
}

START_TEST(by_connect)
{
    struct call c;

    start_proxy(NULL);
    for (int i = 0; i < 3; i++) {
        run(&c, up.url);
        ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
        ck_assert_int_eq(c.reused, i > 0);
        ck_assert_ptr_null(strstr(c.headers, "x-proxy"));
    }
    ck_assert(strncmp(proxy_saw, "CONNECT 127.0.0.1:", 18) == 0);
    ck_assert_int_eq(atomic_load(&proxy.conns), 1);
}
END_TEST

/* The key is for the upstream alone: CONNECT does not carry it. */
START_TEST(key_stays_inside)
{
    struct secret *key = secret_new(STR("sk-not-for-proxies"));
    struct tx_request r = {.method = STR("POST"),
                           .url = str_c(up.url),
                           .auth_name = STR("authorization"),
                           .auth_prefix = STR("Bearer "),
                           .auth = key};
    struct call c;

    start_proxy(NULL);
    call_init(&c);
    call_start(&c, &r);
    call_wait(&c);
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    ck_assert_ptr_null(strstr(proxy_saw, "sk-not"));
    call_done(&c);
    secret_free(key);
}
END_TEST

/* The name of the target is the proxy's to look up. */
START_TEST(forwarding)
{
    struct call c;

    start_proxy(NULL);
    call_init(&c);
    call_run(&c, "http://nowhere.invalid:1234/x?y=z");
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    ck_body(&c, "by proxy");
    ck_assert(str_starts(str_c(proxy_saw),
                         "GET http://nowhere.invalid:1234/x?y=z HTTP/1.1"));
    call_done(&c);
}
END_TEST

START_TEST(proxy_by_name)
{
    struct call c;

    start_proxy(NULL);
    snprintf(proxy_url, sizeof proxy_url, "http://LOCALHOST:%d", proxy.port);
    run(&c, "http://nowhere.invalid/");
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
}
END_TEST

START_TEST(proxy_password)
{
    /* "user:p%41ss" as it stands */
    struct secret *auth = secret_new(STR("user:p%41ss"));
    struct call c;

    start_proxy("deny");
    run(&c, up.url);
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    ck_assert_msg(strstr(c.why, "407") != NULL, "%s", c.why);
    profile.proxy_auth = auth;
    run(&c, up.url);
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    ck_assert_str_eq(proxy_auth_seen, "Basic dXNlcjpwJTQxc3M=");
    secret_free(auth);
    profile.proxy_auth = NULL;
}
END_TEST

START_TEST(proxy_fails)
{
    struct call c;

    start_proxy(NULL);
    run(&c, "https://127.0.0.1:1/");
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    ck_assert_msg(strstr(c.why, "502") != NULL, "%s", c.why);
    profile.proxy = "http://127.0.0.1:1";
    run(&c, up.url);
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    ck_assert_msg(strstr(c.why, "by proxy 127.0.0.1:1") != NULL, "%s", c.why);
    profile.proxy = "nonsense://127.0.0.1:1";
    run(&c, up.url);
    ck_assert_msg(c.kind == ERR_CONNECT, "%d %s", c.kind, c.why);
}
END_TEST

/* The environment has no say, neither for nor against a proxy. */
START_TEST(environment)
{
    struct call c;

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    profile.ca_file = ca.cert_file;
    run(&c, up.url);
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    setenv("no_proxy", "*", 1);
    setenv("NO_PROXY", "*", 1);
    start_proxy(NULL);
    run(&c, up.url);
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    ck_assert_int_eq(atomic_load(&proxy.conns), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("transport_tls");
    TCase *tc = tcase_create("tls");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, own_ca);
    tcase_add_loop_test(tc, wrong_ca, 0, 2);
    tcase_add_test(tc, insecure);
    tcase_add_test(tc, host_name);
    tcase_add_test(tc, bad_files);
    tcase_add_test(tc, client_certificate);
    tcase_add_test(tc, cut);
    tcase_add_test(tc, pausing);
    tcase_add_test(tc, not_tls);
    tcase_add_test(tc, silent_handshake);
    tcase_add_test(tc, warming);
    suite_add_tcase(s, tc);
    tc = tcase_create("proxy");
    tcase_add_checked_fixture(tc, proxy_setup, proxy_teardown);
    tcase_add_test(tc, by_connect);
    tcase_add_test(tc, key_stays_inside);
    tcase_add_test(tc, forwarding);
    tcase_add_test(tc, proxy_by_name);
    tcase_add_test(tc, proxy_password);
    tcase_add_test(tc, proxy_fails);
    tcase_add_test(tc, environment);
    suite_add_tcase(s, tc);
    return unit_main(&s, 1);
}
