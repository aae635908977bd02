/* SPDX-License-Identifier: MIT */
/* URLs of providers and proxies: checked, completed, taken apart. */
#include "config/parts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

/* Views into a URL's text. */
struct parts {
    pbay_str scheme, user, host, port, path; /* user: with the "@" */
    bool v6;                                 /* host is within [] */
};

static bool host_ok(const struct parts *u)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr a;
    if (!u->host.n || u->host.n > 253)
        return false;
    if (u->v6) {
        if (u->host.n >= sizeof text)
            return false;
        memcpy(text, u->host.p, u->host.n);
        text[u->host.n] = '\0';
        return inet_pton(AF_INET6, text, &a) == 1;
    }
    for (size_t i = 0; i < u->host.n; i++) {
        char c = u->host.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'))
            return false;
    }
    return true;
}

static bool port_ok(pbay_str port)
{
    uint64_t n;
    return !port.p || (str_u64(port, &n) == 0 && n >= 1 && n <= 65535);
}

/* "host", "host:1", "[::1]:1" */
static void split_authority(pbay_str a, struct parts *u)
{
    const char *close = a.n && a.p[0] == '[' ? memchr(a.p, ']', a.n) : NULL;
    if (close) {
        u->v6 = true;
        u->host = str_n(a.p + 1, (size_t)(close - a.p) - 1);
        pbay_str rest = str_n(close + 1, a.n - u->host.n - 2);
        if (rest.n)
            u->port = rest.p[0] == ':' ? str_n(rest.p + 1, rest.n - 1) : rest;
        return;
    }
    const char *colon = memchr(a.p, ':', a.n);
    u->host = str_n(a.p, colon ? (size_t)(colon - a.p) : a.n);
    if (colon)
        u->port = str_n(colon + 1, a.n - u->host.n - 1);
}

/* false: there is no "SCHEME://" */
static bool take_apart(pbay_str in, struct parts *u)
{
    *u = (struct parts){.user = STR_NONE};
    const char *mark = in.n ? memmem(in.p, in.n, "://", 3) : NULL;
    if (!mark)
        return false;
    u->scheme = str_n(in.p, (size_t)(mark - in.p));
    pbay_str rest = str_n(mark + 3, in.n - u->scheme.n - 3);
    size_t n = 0;
    while (n < rest.n && !strchr("/?#", rest.p[n]))
        n++;
    u->path = str_n(rest.p + n, rest.n - n);
    pbay_str authority = str_n(rest.p, n);
    const char *at = n ? memrchr(authority.p, '@', n) : NULL;
    if (at) {
        u->user = str_n(authority.p, (size_t)(at - authority.p) + 1);
        authority = str_n(at + 1, n - u->user.n);
    }
    split_authority(authority, u);
    return true;
}

static bool is_loopback(const struct parts *u)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr a;
    struct in6_addr six;
    if (str_ieq(u->host, STR("localhost")) ||
        (u->host.n > 10 &&
         str_ieq(str_n(u->host.p + u->host.n - 10, 10), STR(".localhost"))))
        return true;
    if (u->host.n >= sizeof text)
        return false;
    memcpy(text, u->host.p, u->host.n);
    text[u->host.n] = '\0';
    if (u->v6)
        return inet_pton(AF_INET6, text, &six) == 1 &&
               (IN6_IS_ADDR_LOOPBACK(&six) ||
                (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127));
    return inet_pton(AF_INET, text, &a) == 1 && ntohl(a.s_addr) >> 24 == 127;
}

/* Bytes of a path that need no escape, and escapes. RFC 3986, section 3.3. */
static bool path_ok(pbay_str path)
{
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c))
            return false;
    }
    return true;
}

static const char *base_problem(const struct parts *u)
{
    if (!str_ieq(u->scheme, STR("http")) && !str_ieq(u->scheme, STR("https")))
        return "only http:// and https:// are spoken";
    if (u->user.n)
        return "a user name or key is no part of it: remove what stands "
               "before the \"@\" and use api_key";
    if (memchr(u->path.p, '?', u->path.n) || memchr(u->path.p, '#', u->path.n))
        return "\"?\" and \"#\" are no part of it: it ends with the path, as "
               "in \"https://host/v1\"";
    if (!host_ok(u))
        return "the host is missing or cannot be one: \"https://host/v1\", "
               "\"http://[::1]:8080\"";
    if (!port_ok(u->port))
        return "the port is a number from 1 to 65535";
    if (!path_ok(u->path))
        return "the path has bytes that must be written as %XX";
    return NULL;
}

char *url_base(struct load *l, const char *in, char *why, size_t room,
               bool *loopback)
{
    struct parts u;
    pbay_str t = str_trim(str_c(in));
    *loopback = false;
    if (t.n > LIM_CONF_URL) {
        snprintf(why, room, "longer than %d bytes", LIM_CONF_URL);
        return NULL;
    }
    if (!take_apart(t, &u)) {
        snprintf(why, room, "it has to begin with https:// or http://");
        return NULL;
    }
    const char *problem = base_problem(&u);
    if (problem) {
        snprintf(why, room, "%s", problem);
        return NULL;
    }
    *loopback = is_loopback(&u);
    while (t.n && t.p[t.n - 1] == '/')
        t.n--;
    return load_dup(l, t);
}

/* --- what the environment has --- */

/* The port of the module's own base URL: ":11434", or "". */
static pbay_str default_port(const struct manifest *m)
{
    struct parts u;
    if (!m->base_url || !take_apart(str_c(m->base_url), &u) || !u.port.n)
        return STR("");
    return str_n(u.port.p - 1, u.port.n + 1);
}

char *url_complete(struct load *l, const char *in, const struct manifest *m)
{
    pbay_str t = str_trim(str_c(in));
    struct parts u;
    bool scheme = take_apart(t, &u);
    if (!scheme && !m->local)
        return load_dup(l, t); /* url_base() says what is missing */
    if (!scheme) {
        size_t n = 0, colons = 0;
        while (n < t.n && t.p[n] != '/')
            colons += t.p[n++] == ':';
        u = (struct parts){.scheme = STR("http"),
                           .path = str_n(t.p + n, t.n - n)};
        if (colons > 1 && t.p[0] != '[') { /* a bare IPv6 address */
            u.host = str_n(t.p, n);
            u.v6 = true;
        } else {
            split_authority(str_n(t.p, n), &u);
        }
    }
    pbay_str host = u.host, port = u.port;
    /* An address to listen on is not one to connect to. */
    if (u.v6 && (str_is(host, "::") || str_is(host, "0:0:0:0:0:0:0:0")))
        host = STR("::1");
    else if (!u.v6 && (!host.n || str_is(host, "0.0.0.0")))
        host = scheme && !host.n ? host : STR("127.0.0.1");
    pbay_str colon = STR("");
    if (port.n)
        colon = STR(":");
    else if (!scheme)
        port = default_port(m);
    return load_printf(l, "%.*s://%.*s%s%.*s%s%.*s%.*s%.*s", STR_ARG(u.scheme),
                       STR_ARG(u.user), u.v6 ? "[" : "", STR_ARG(host),
                       u.v6 ? "]" : "", STR_ARG(colon), STR_ARG(port),
                       STR_ARG(u.path));
}

/* --- proxies --- */

/* %XX of user and password, since they are handed on decoded. */
static void unescape(char *s)
{
    char *to = s;
    for (; *s; s++) {
        unsigned char c;
        if (*s == '%' && s[1] && s[2] && !hex_parse(str_n(s + 1, 2), &c, 1)) {
            *to++ = (char)c;
            s += 2;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

char *url_proxy(struct load *l, const char *in, char **auth, char *why,
                size_t room)
{
    static const char *const schemes[] = {"http", "https", "socks5", "socks5h",
                                          NULL};
    struct parts u;
    *auth = NULL;
    pbay_str t = str_trim(str_c(in));
    if (!take_apart(t, &u) && /* curl takes a bare host as http */
        !take_apart(str_c(load_printf(l, "http://%.*s", STR_ARG(t))), &u))
        return NULL;
    bool known = false;
    for (size_t i = 0; schemes[i]; i++)
        known = known || str_ieq(u.scheme, str_c(schemes[i]));
    const char *problem = NULL;
    if (!known)
        problem = "http://, https://, socks5:// and socks5h:// are known";
    else if (t.n > LIM_CONF_URL || !host_ok(&u))
        problem = "the host is missing or cannot be one: "
                  "\"http://host:3128\"";
    else if (!port_ok(u.port))
        problem = "the port is a number from 1 to 65535";
    else if (u.path.n && !str_is(u.path, "/"))
        problem = "nothing follows host and port: \"http://host:3128\"";
    if (problem) {
        snprintf(why, room, "%s", problem);
        return NULL;
    }
    if (u.user.n) {
        *auth = load_dup(l, str_n(u.user.p, u.user.n - 1));
        unescape(*auth);
    }
    return load_printf(l, "%.*s://%s%.*s%s%s%.*s", STR_ARG(u.scheme),
                       u.v6 ? "[" : "", STR_ARG(u.host), u.v6 ? "]" : "",
                       u.port.n ? ":" : "", STR_ARG(u.port));
}

static int address(pbay_str s, unsigned char out[16])
{
    char text[INET6_ADDRSTRLEN];
    if (s.n >= sizeof text)
        return 0;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    if (inet_pton(AF_INET, text, out) == 1)
        return 4;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

/* "10.0.0.0/8", "fd00::/8" */
static bool in_network(pbay_str host, pbay_str network)
{
    unsigned char a[16], b[16];
    uint64_t bits;
    pbay_str rest = network, prefix = str_cut(&rest, '/');
    int n = address(prefix, b);
    if (!n || address(host, a) != n || str_u64(rest, &bits) ||
        bits > (uint64_t)n * 8)
        return false;
    size_t whole = (size_t)bits / 8, more = (size_t)bits % 8;
    return memcmp(a, b, whole) == 0 &&
           (!more || (a[whole] ^ b[whole]) >> (8 - more) == 0);
}

/* Names match themselves and what is below them. */
static bool in_domain(pbay_str host, pbay_str name)
{
    if (name.n && name.p[0] == '.')
        name = str_n(name.p + 1, name.n - 1);
    if (!name.n || host.n < name.n ||
        !str_ieq(str_n(host.p + host.n - name.n, name.n), name))
        return false;
    return host.n == name.n || host.p[host.n - name.n - 1] == '.';
}

static bool excepted(struct load *l, pbay_str host)
{
    const char *list = load_env(l, "no_proxy");
    if (!list)
        list = load_env(l, "NO_PROXY");
    pbay_str rest = str_c(list);
    while (rest.n) {
        pbay_str e = str_trim(str_cut(&rest, ','));
        if (str_is(e, "*") || in_domain(host, e) || in_network(host, e))
            return true;
    }
    return false;
}

const char *url_env_proxy(struct load *l, const char *base, const char **var)
{
    /* HTTP_PROXY in capitals is what a CGI client can set: not looked at. */
    static const char *const https[] = {"https_proxy", "HTTPS_PROXY",
                                        "all_proxy", "ALL_PROXY", NULL};
    static const char *const http[] = {"http_proxy", "all_proxy", "ALL_PROXY",
                                       NULL};
    struct parts u;
    if (!take_apart(str_c(base), &u) || is_loopback(&u) || excepted(l, u.host))
        return NULL;
    const char *const *names = str_ieq(u.scheme, STR("https")) ? https : http;
    for (; *names; names++) {
        const char *v = load_env(l, *names);
        if (v) {
            *var = *names;
            return v;
        }
    }
    return NULL;
}
