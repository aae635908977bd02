/* SPDX-License-Identifier: MIT */
/* Easy handles: made once for a profile with everything that stays, then used
 * for one request after another with only what changes.
 *
 * curl_easy_reset() and setting some forty options again would cost more than
 * the request's own bookkeeping, and an option that one profile sets can never
 * be left over for another one.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/curl_impl.h"
#include "http/parse_int.h"

/* Read at once from the socket.  Small: it is held for as long as a stream
 * lasts; a TLS record that is longer waits inside OpenSSL. */
#define RECV_BUFFER 8192L
/* Bodies up to this size that come in pieces are joined: they leave in one
 * write with the head, and curl needs no upload buffer for them. */
#define JOIN_MAX LIM_KIB(32)
/* Handles kept for later, over all profiles; about 6 KiB each.  As many
 * requests at once as one loop has in busy times: making one takes longer than
 * all else that a request needs of curl. */
#define FREE_MAX   256
#define METHOD_MAX 32
/* curl adds "Expect: 100-continue" to bodies of more than 1 MiB.  It looks at
 * each line of a list of headers some ten times, so the line that prevents it
 * is only there where it is needed. */
#define EXPECT_FROM LIM_KIB(512)
#define USER_AGENT  PACKAGE_NAME "/" PACKAGE_VERSION
/* The system's bundle is read again after this long. */
#define CA_CACHE_S 3600L

static char *ca_bundle;
static bool openssl; /* curl's TLS is the OpenSSL we are linked with */

const char *easy_ca_bundle(void)
{
    return ca_bundle;
}

/* The CA certificates as one file.  Debian's libcurl also has a directory of
 * them as its default, and with a directory curl's CA cache is off: every TLS
 * connection would parse the whole bundle, 25 ms. */
int easy_global_init(void)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    const char *const files[] = {
        getenv("SSL_CERT_FILE"),
        v->cainfo,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    };

    openssl = v->ssl_version &&
              strncmp(v->ssl_version, "OpenSSL/3", strlen("OpenSSL/3")) == 0;
    easy_global_done();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i] && *files[i] && access(files[i], R_OK) == 0) {
            ca_bundle = strdup(files[i]);
            return ca_bundle ? 0 : -ENOMEM;
        }
    return 0;
}

void easy_global_done(void)
{
    free(ca_bundle);
    ca_bundle = NULL;
}

char *why_f(const char *fmt, ...)
{
    char *text;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : text;
}

/* ------------------------------------------------------------- URLs */

static char *lower(pbay_str s)
{
    char *p = str_dup(s);

    for (char *q = p; q && *q; q++)
        *q = (char)tolower((unsigned char)*q);
    return p;
}

static bool host_ok(pbay_str host, bool six)
{
    for (size_t i = 0; i < host.n; i++) {
        unsigned char c = (unsigned char)host.p[i];

        /* a %zone may follow an IPv6 address */
        if (!isalnum(c) && c != '.' && c != '-' && c != '_' &&
            !(six && (c == ':' || c == '%')))
            return false;
    }
    return host.n > 0 && host.n <= 253;
}

/* "host", "host:port", "[six]:port" */
static const char *authority(pbay_str a, int port, struct target *out)
{
    pbay_str host = a, rest = STR_NONE;
    bool six = a.n && a.p[0] == '[';
    uint64_t n = (uint64_t)port;

    if (six) {
        rest = str_n(a.p + 1, a.n - 1);
        host = str_cut(&rest, ']');
        if (!rest.p)
            return "an IPv6 address without its closing bracket";
        if (rest.n && rest.p[0] != ':')
            return "something behind the bracket that is not a port";
        if (rest.n)
            rest = str_n(rest.p + 1, rest.n - 1);
    } else {
        rest = a;
        host = str_cut(&rest, ':');
    }
    if (!host_ok(host, six))
        return "no valid host name (other scripts need the xn-- form)";
    if (rest.n && (str_u64(rest, &n) || !n || n > 65535))
        return "no valid port";
    out->host = lower(host);
    out->port = (int)n;
    out->literal = out->host && (six || target_literal(out->host));
    return NULL;
}

int url_target(pbay_str url, struct target *out, bool *tls, char **why)
{
    const char *wrong = NULL;
    pbay_str rest;
    size_t n = 0, skip;

    *tls = url.n >= 8 && strncasecmp(url.p, "https://", 8) == 0;
    skip = *tls ? 8 : 7;
    if (url.n < skip || (!*tls && strncasecmp(url.p, "http://", 7) != 0)) {
        *why = why_f("the upstream's URL does not begin with http:// or "
                     "https://");
        return *why ? -EINVAL : -ENOMEM;
    }
    rest = str_n(url.p + skip, url.n - skip);
    while (n < rest.n && rest.p[n] && rest.p[n] != '/' && rest.p[n] != '?' &&
           rest.p[n] != '#')
        n++;
    for (size_t i = n; i < rest.n && !wrong; i++)
        if ((unsigned char)rest.p[i] <= ' ' || rest.p[i] == 127)
            wrong = "a space or a control byte";
    if (!wrong && memchr(rest.p, '@', n))
        wrong = "a user name in it; keys are not written into URLs";
    if (!wrong)
        wrong = authority(str_n(rest.p, n), *tls ? 443 : 80, out);
    if (!wrong)
        return out->host ? 0 : -ENOMEM;
    *why = why_f("the upstream's URL has %s", wrong);
    return *why ? -EINVAL : -ENOMEM;
}

int proxy_target(const char *proxy, struct target *out, bool *socks_local)
{
    const char *sep = strstr(proxy, "://");
    pbay_str scheme = sep ? str_n(proxy, (size_t)(sep - proxy)) : STR("http");
    pbay_str rest = str_c(sep ? sep + 3 : proxy), host;
    bool https = str_ieq(scheme, STR("https"));

    *socks_local =
        str_ieq(scheme, STR("socks4")) || str_ieq(scheme, STR("socks5"));
    host = str_cut(&rest, '/');
    rest = host;
    if (memchr(host.p, '@', host.n)) {
        str_cut(&rest, '@');
        host = rest;
    }
    /* 1080 is curl's default for all but https */
    if (authority(host, https ? 443 : 1080, out))
        return -EINVAL;
    return out->host ? 0 : -ENOMEM;
}

/* --------------------------------------------------------- profiles */

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_profile(const struct profile *f, const struct tx_profile *p)
{
    return f->insecure == p->insecure && f->http2 == p->http2 &&
           f->proxy_auth == p->proxy_auth && same(f->ca_file, p->ca_file) &&
           same(f->client_cert, p->client_cert) &&
           same(f->client_key, p->client_key) && same(f->proxy, p->proxy) &&
           same(f->unix_socket, p->unix_socket);
}

static void easy_free(struct easy *e)
{
    curl_easy_cleanup(e->curl);
    curl_url_cleanup(e->parsed);
    free(e->url);
    free(e);
}

static void profile_free(struct curl_transport *t, struct profile *f)
{
    while (f->free) {
        struct easy *e = f->free;

        f->free = e->next;
        t->n_free--;
        easy_free(e);
    }
    free(f->ca_file);
    free(f->client_cert);
    free(f->client_key);
    free(f->proxy);
    free(f->unix_socket);
    free(f->proxy_host);
    secret_free(f->proxy_auth);
    free(f);
    t->n_profiles--;
}

/* The least used one that nobody uses now: the last of the list. */
static void drop_one(struct curl_transport *t)
{
    struct profile **p, **found = NULL, *f;

    for (p = &t->profiles; *p; p = &(*p)->next)
        if (!(*p)->in_use)
            found = p;
    if (found) {
        f = *found;
        *found = f->next;
        profile_free(t, f);
    }
}

static bool copy(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return *to || !from;
}

static int which_names(struct profile *f)
{
    struct target proxy = {0};
    bool socks_local = false;
    int rc;

    if (f->unix_socket)
        return 0;
    f->by_target = !f->proxy;
    if (!f->proxy)
        return 0;
    rc = proxy_target(f->proxy, &proxy, &socks_local);
    f->proxy_host = proxy.host;
    f->proxy_port = proxy.port;
    f->by_proxy = !rc; /* if not, curl will say what is wrong with it */
    f->by_target = socks_local;
    return rc == -ENOMEM ? rc : 0;
}

static struct profile *profile_new(struct curl_transport *t,
                                   const struct tx_profile *p)
{
    struct profile *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    t->n_profiles++;
    f->insecure = p->insecure;
    f->http2 = p->http2;
    if (p->proxy_auth) /* held, so that its address stays its own */
        f->proxy_auth = secret_ref((struct secret *)(uintptr_t)p->proxy_auth);
    if (!copy(&f->ca_file, p->ca_file) ||
        !copy(&f->client_cert, p->client_cert) ||
        !copy(&f->client_key, p->client_key) || !copy(&f->proxy, p->proxy) ||
        !copy(&f->unix_socket, p->unix_socket) || which_names(f)) {
        profile_free(t, f);
        return NULL;
    }
    return f;
}

struct profile *profile_get(struct curl_transport *t,
                            const struct tx_profile *p)
{
    struct profile **at, *f;

    for (at = &t->profiles; (f = *at); at = &f->next)
        if (is_profile(f, p)) {
            *at = f->next; /* to the front */
            f->next = t->profiles;
            t->profiles = f;
            return f;
        }
    if (t->n_profiles >= LIM_PROVIDERS)
        drop_one(t);
    f = profile_new(t, p);
    if (!f)
        return NULL;
    f->next = t->profiles;
    t->profiles = f;
    return f;
}

void profiles_free(struct curl_transport *t)
{
    while (t->profiles) {
        struct profile *f = t->profiles;

        t->profiles = f->next;
        profile_free(t, f);
    }
}

/* ---------------------------------------------------------- handles */

#define SET(option, value)                           \
    do {                                             \
        if (!rc)                                     \
            rc = curl_easy_setopt(c, option, value); \
    } while (0)

/* Streams wait long between two tokens: let OpenSSL give its 34 KiB of record
 * buffers back meanwhile. */
static CURLcode on_ssl_ctx(CURL *curl, void *ctx, void *arg)
{
    (void)curl;
    (void)arg;
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return CURLE_OK;
}

static CURLcode set_common(CURL *c, struct curl_transport *t, struct easy *e)
{
    CURLcode rc = CURLE_OK;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_BUFFERSIZE, RECV_BUFFER);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_PIPEWAIT, 0L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_SHARE, t->share);
    SET(CURLOPT_ERRORBUFFER, e->error);
    SET(CURLOPT_PRIVATE, e);
    SET(CURLOPT_HEADERFUNCTION, on_curl_header);
    SET(CURLOPT_HEADERDATA, e);
    SET(CURLOPT_WRITEFUNCTION, on_curl_data);
    SET(CURLOPT_WRITEDATA, e);
    SET(CURLOPT_READFUNCTION, on_curl_read);
    SET(CURLOPT_READDATA, e);
    SET(CURLOPT_SEEKFUNCTION, on_curl_seek);
    SET(CURLOPT_SEEKDATA, e);
    SET(CURLOPT_PREREQFUNCTION, on_curl_ready);
    SET(CURLOPT_PREREQDATA, e);
    SET(CURLOPT_RESOLVER_START_FUNCTION, on_curl_resolve);
    SET(CURLOPT_RESOLVER_START_DATA, e);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_curl_open);
    SET(CURLOPT_OPENSOCKETDATA, t);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_curl_close);
    SET(CURLOPT_CLOSESOCKETDATA, t);
    return rc;
}

static CURLcode set_tls(CURL *c, const struct profile *f)
{
    CURLcode rc = CURLE_OK;

    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_HTTP_VERSION,
        f->http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    if (openssl)
        SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    if (f->insecure) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (f->ca_file || ca_bundle) {
        SET(CURLOPT_CAINFO, f->ca_file ? f->ca_file : ca_bundle);
        SET(CURLOPT_CAPATH, NULL);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    /* The cache has one place per loop.  A file of the profile's own is small
     * and must not push the system's bundle out of it. */
    SET(CURLOPT_CA_CACHE_TIMEOUT, f->ca_file ? 0L : CA_CACHE_S);
#endif
    if (f->client_cert)
        SET(CURLOPT_SSLCERT, f->client_cert);
    if (f->client_key)
        SET(CURLOPT_SSLKEY, f->client_key);
    if (f->unix_socket)
        SET(CURLOPT_UNIX_SOCKET_PATH, f->unix_socket);
    return rc;
}

/* curl decodes %xx in this option; ours is meant as it stands. */
static CURLcode set_proxy_auth(CURL *c, const struct secret *auth)
{
    pbay_str s = secret_expose(auth);
    char *text = malloc(3 * s.n + 1);
    CURLcode rc;
    size_t n = 0;

    if (!text)
        return CURLE_OUT_OF_MEMORY;
    for (size_t i = 0; i < s.n; i++) {
        text[n++] = s.p[i];
        if (s.p[i] == '%') {
            text[n++] = '2';
            text[n++] = '5';
        }
    }
    text[n] = '\0';
    rc = curl_easy_setopt(c, CURLOPT_PROXYUSERPWD, text);
    explicit_bzero(text, n);
    free(text);
    return rc;
}

static CURLcode set_proxy(CURL *c, const struct profile *f)
{
    CURLcode rc = CURLE_OK;

    /* "" and not NULL: else curl looks into the environment */
    SET(CURLOPT_PROXY, f->proxy ? f->proxy : "");
    SET(CURLOPT_NOPROXY, "");
    if (!f->proxy)
        return rc;
    if (ca_bundle) {
        SET(CURLOPT_PROXY_CAINFO, ca_bundle);
        SET(CURLOPT_PROXY_CAPATH, NULL);
    }
    if (!rc && f->proxy_auth)
        rc = set_proxy_auth(c, f->proxy_auth);
    return rc;
}

static struct easy *easy_new(struct curl_transport *t, struct profile *f)
{
    struct easy *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->profile = f;
    e->curl = curl_easy_init();
    if (!e->curl || set_common(e->curl, t, e) || set_tls(e->curl, f) ||
        set_proxy(e->curl, f)) {
        easy_free(e);
        return NULL;
    }
    return e;
}

struct easy *easy_get(struct curl_transport *t, struct profile *f)
{
    struct easy *e = f->free;

    if (e) {
        f->free = e->next;
        t->n_free--;
        e->error[0] = '\0';
    } else {
        e = easy_new(t, f);
    }
    if (e)
        f->in_use++;
    return e;
}

void easy_put(struct curl_transport *t, struct easy *e)
{
    struct profile *f = e->profile;
    CURL *c = e->curl;
    CURLcode rc = CURLE_OK;

    f->in_use--;
    e->x = NULL;
    /* what pointed into the exchange */
    SET(CURLOPT_HTTPHEADER, NULL);
    SET(CURLOPT_RESOLVE, NULL);
    SET(CURLOPT_POSTFIELDS, NULL);
    if (rc || t->n_free >= FREE_MAX) {
        easy_free(e);
        return;
    }
    e->next = f->free;
    f->free = e;
    t->n_free++;
}

void easy_drop(struct easy *e)
{
    e->profile->in_use--;
    easy_free(e);
}

/* --------------------------------------------------------- requests */

static bool token(pbay_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!http_is(s.p[i], HC_TOKEN))
            return false;
    return s.n > 0;
}

static bool value_ok(pbay_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!http_is_value(s.p[i]))
            return false;
    return true;
}

static bool is_own(pbay_str name)
{
    static const pbay_str own[] = {PBAY_LIT("host"),
                                   PBAY_LIT("content-length"),
                                   PBAY_LIT("transfer-encoding"),
                                   PBAY_LIT("connection"),
                                   PBAY_LIT("expect"),
                                   PBAY_LIT("accept-encoding")};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (str_ieq(name, own[i]))
            return true;
    return false;
}

static const char *header_wrong(pbay_str name, pbay_str value)
{
    if (!token(name))
        return "is not a header name";
    if (is_own(name))
        return "is the host's own and cannot be set";
    if (!value_ok(value))
        return "has a control byte (a line break?) in its value";
    return NULL;
}

static int headers_wrong(const struct tx_request *r, char **why)
{
    const char *wrong = NULL;
    pbay_str name = STR_NONE;

    for (size_t i = 0; i < r->n_headers && !wrong; i++) {
        name = r->headers[i].k;
        wrong = header_wrong(name, r->headers[i].v);
    }
    if (!wrong && r->auth && r->auth_name.n) {
        name = r->auth_name;
        wrong = header_wrong(name, secret_expose(r->auth));
        if (!wrong && !value_ok(r->auth_prefix))
            wrong = "has a control byte in its prefix";
    }
    if (!wrong && (!token(r->method) || r->method.n > METHOD_MAX)) {
        name = r->method;
        wrong = "is not a method";
    }
    if (!wrong)
        return 0;
    *why = why_f("\"%.*s\" %s", (int)(name.n < 64 ? name.n : 64),
                 name.n ? name.p : "", wrong);
    return *why ? -EINVAL : -ENOMEM;
}

/* The list of headers that curl reads, in one allocation. */
struct list {
    struct curl_slist *nodes;
    size_t n;
    char *at;
};

static void put(struct list *l, pbay_str name, pbay_str prefix, pbay_str value)
{
    struct curl_slist *node = &l->nodes[l->n++];

    node->data = l->at;
    node->next = node + 1;
    memcpy(l->at, name.p, name.n);
    l->at += name.n;
    if (!prefix.n && !value.n) {
        *l->at++ = ';'; /* curl's way to write an empty value */
    } else {
        *l->at++ = ':';
        *l->at++ = ' ';
        if (prefix.n)
            memcpy(l->at, prefix.p, prefix.n);
        l->at += prefix.n;
        if (value.n)
            memcpy(l->at, value.p, value.n);
        l->at += value.n;
    }
    *l->at++ = '\0';
}

/* A header that curl would add by itself and shall not. */
static void leave_out(struct list *l, const char *name)
{
    struct curl_slist *node = &l->nodes[l->n++];
    size_t n = strlen(name);

    node->data = l->at;
    node->next = node + 1;
    memcpy(l->at, name, n);
    memcpy(l->at + n, ":", 2);
    l->at += n + 2;
}

static int make_headers(struct exchange *x, const struct tx_request *r)
{
    bool auth = r->auth && r->auth_name.n;
    pbay_str key = auth ? secret_expose(r->auth) : STR_NONE;
    size_t n = r->n_headers + 3, bytes = 64, head = n * sizeof *x->headers;
    struct list l = {0};
    bool type = false;

    for (size_t i = 0; i < r->n_headers; i++)
        bytes += r->headers[i].k.n + r->headers[i].v.n + 3;
    bytes += r->auth_name.n + r->auth_prefix.n + key.n + 3;
    x->block_n = head + bytes;
    x->block = malloc(x->block_n);
    if (!x->block)
        return -ENOMEM;
    l.nodes = (struct curl_slist *)(void *)x->block;
    l.at = x->block + head;
    for (size_t i = 0; i < r->n_headers; i++) {
        put(&l, r->headers[i].k, STR_NONE, r->headers[i].v);
        type = type || str_ieq(r->headers[i].k, STR("content-type"));
    }
    if (auth)
        put(&l, r->auth_name, r->auth_prefix, key);
    if (x->body_total >= EXPECT_FROM)
        leave_out(&l, "Expect");
    if (!type)
        leave_out(&l, "Content-Type");
    l.nodes[l.n - 1].next = NULL;
    x->headers = l.nodes;
    return 0;
}

/* The body as curl shall take it: *at is NULL when it is to be read in pieces
 * through on_curl_read(). */
static int make_body(struct exchange *x, const struct tx_request *r,
                     const char **at)
{
    size_t pieces = 0;
    char *p;

    *at = "";
    x->body = r->body;
    x->n_body = r->n_body;
    for (size_t i = 0; i < r->n_body; i++) {
        x->body_total += r->body[i].n;
        if (r->body[i].n) {
            *at = r->body[i].p;
            pieces++;
        }
    }
    if (pieces <= 1)
        return 0;
    *at = NULL;
    if (x->body_total > JOIN_MAX)
        return 0;
    x->joined = p = malloc(x->body_total);
    if (!p)
        return -ENOMEM;
    for (size_t i = 0; i < r->n_body; i++)
        if (r->body[i].n) {
            memcpy(p, r->body[i].p, r->body[i].n);
            p += r->body[i].n;
        }
    *at = x->joined;
    return 0;
}

static CURLcode set_method(struct exchange *x, const struct tx_request *r,
                           const char *body)
{
    struct easy *e = x->easy;
    CURL *c = e->curl;
    CURLcode rc = CURLE_OK;
    bool post = str_is(r->method, "POST"), head = str_is(r->method, "HEAD");
    bool with_body = post || x->body_total || str_is(r->method, "PUT") ||
                     str_is(r->method, "PATCH");
    bool custom = with_body ? !post : !head && !str_is(r->method, "GET");
    char name[METHOD_MAX + 1];

    if (with_body) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, body);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body_total);
    } else if (head) {
        SET(CURLOPT_NOBODY, 1L);
    } else {
        SET(CURLOPT_HTTPGET, 1L);
    }
    if (custom) {
        snprintf(name, sizeof name, "%.*s", STR_ARG(r->method));
        SET(CURLOPT_CUSTOMREQUEST, name);
    } else if (e->custom) {
        SET(CURLOPT_CUSTOMREQUEST, NULL);
    }
    e->custom = custom;
    return rc;
}

/* curl takes a URL apart and puts it together again with each request, unless
 * it gets it in parts.  What curl cannot take apart it gets as it is, to say
 * what is wrong with it. */
CURLcode easy_url(struct easy *e, pbay_str url)
{
    const unsigned flags =
        CURLU_NON_SUPPORT_SCHEME | CURLU_DISALLOW_USER | CURLU_PATH_AS_IS;
    CURL *c = e->curl;
    CURLcode rc = CURLE_OK;

    if (e->url && str_is(url, e->url))
        return rc;
    SET(CURLOPT_CURLU, NULL);
    curl_url_cleanup(e->parsed);
    free(e->url);
    e->parsed = curl_url();
    e->url = str_dup(url);
    if (!e->parsed || !e->url)
        rc = CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_URL, e->url);
    if (!rc && !curl_url_set(e->parsed, CURLUPART_URL, e->url, flags))
        SET(CURLOPT_CURLU, e->parsed);
    if (rc) { /* nothing to go by the next time */
        free(e->url);
        e->url = NULL;
    }
    return rc;
}

/* A name of our own where the request does not bring one.  With both, curl
 * would put ours together first and then leave it out. */
static CURLcode set_agent(struct easy *e, const struct tx_request *r)
{
    bool given = false;
    const char *agent;

    for (size_t i = 0; i < r->n_headers; i++)
        given = given || str_ieq(r->headers[i].k, STR("user-agent"));
    agent = given && !e->profile->proxy ? NULL : USER_AGENT;
    if (e->agent == !!agent)
        return CURLE_OK;
    e->agent = agent;
    return curl_easy_setopt(e->curl, CURLOPT_USERAGENT, agent);
}

int easy_request(struct exchange *x, const struct tx_request *r, char **why)
{
    CURL *c = x->easy->curl;
    CURLcode rc = CURLE_OK;
    const char *body;
    int err = headers_wrong(r, why);

    if (!err)
        err = make_body(x, r, &body);
    if (!err)
        err = make_headers(x, r);
    if (err)
        return err;
    rc = easy_url(x->easy, r->url);
    SET(CURLOPT_HTTPHEADER, x->headers);
    if (!rc)
        rc = set_agent(x->easy, r);
    if (!rc)
        rc = set_method(x, r, body);
    if (!rc || rc == CURLE_OUT_OF_MEMORY)
        return rc ? -ENOMEM : 0;
    *why = why_f("the request cannot be sent: %s", curl_easy_strerror(rc));
    return *why ? -EINVAL : -ENOMEM;
}
