/* SPDX-License-Identifier: MIT */
/* What curl's result means: a kind for the attempt engine, and a sentence for
 * people that names host and port, never the path, the query or a key. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "http/curl_impl.h"

#define WHERE_LEN 512

const char *end_where(const struct exchange *x, char *dst, size_t n)
{
    const struct profile *f = x->easy ? x->easy->profile : NULL;
    const char *host = x->target.host ? x->target.host : "the upstream";
    bool six = strchr(host, ':') != NULL;
    int len;

    if (f && f->unix_socket)
        len = snprintf(dst, n, "unix:%s", f->unix_socket);
    else
        len = snprintf(dst, n, six ? "[%s]:%d" : "%s:%d", host,
                       x->target.port);
    if (f && f->by_proxy && len > 0 && (size_t)len < n)
        snprintf(dst + len, n - (size_t)len, " (by proxy %s:%d)",
                 f->proxy_host, f->proxy_port);
    return dst;
}

/* curl's own words, where they tell more than ours; they name no URL. */
static const char *words(const struct exchange *x, CURLcode code)
{
    return x->easy->error[0] ? x->easy->error : curl_easy_strerror(code);
}

static int cannot_connect(struct exchange *x, const char *where, char **why)
{
    long proxy_status = 0, os = 0;

    curl_easy_getinfo(x->easy->curl, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    curl_easy_getinfo(x->easy->curl, CURLINFO_OS_ERRNO, &os);
    if (proxy_status >= 300) {
        *why = why_f("the proxy did not connect to %s: it answered %ld%s",
                     where, proxy_status,
                     proxy_status == 407 ? " (it wants a user and password)"
                                         : "");
        return ERR_CONNECT;
    }
    if (os == ETIMEDOUT) {
        *why = why_f("no connection to %s: %s", where, strerror((int)os));
        return ERR_CONNECT_TIMEOUT;
    }
    *why = why_f("no connection to %s: %s", where,
                 os ? strerror((int)os) : words(x, CURLE_COULDNT_CONNECT));
    return ERR_CONNECT;
}

static bool is_tls(CURLcode code)
{
    switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
#if LIBCURL_VERSION_NUM >= 0x074d00
    case CURLE_SSL_CLIENTCERT:
#endif
        return true;
    default:
        return false;
    }
}

static int tls_failed(const struct exchange *x, CURLcode code,
                      const char *where, char **why)
{
    const char *hint = "";

    if (code == CURLE_PEER_FAILED_VERIFICATION)
        hint = x->easy->profile->ca_file
                   ? " (checked with the provider's own ca_file)"
                   : " (a private CA is named with ca_file)";
    *why = why_f("TLS with %s failed: %s%s", where, words(x, code), hint);
    return ERR_CONNECT;
}

/* The connection ended or broke while a reply was due. */
static int broke_off(const struct exchange *x, CURLcode code,
                     const char *where, char **why)
{
    long os = 0;

    curl_easy_getinfo(x->easy->curl, CURLINFO_OS_ERRNO, &os);
    if (x->head_done) {
        *why = why_f("%s broke off inside its reply%s%s", where,
                     code == CURLE_RECV_ERROR && os ? ": " : "",
                     code == CURLE_RECV_ERROR && os ? strerror((int)os) : "");
        return ERR_TRUNCATED;
    }
    if (x->head_bytes) {
        *why = why_f("%s broke off inside the head of its reply", where);
        return ERR_TRUNCATED;
    }
    *why = why_f("%s closed the connection without a reply", where);
    return ERR_RESET;
}

static int not_http(const char *where, const char *what, char **why)
{
    *why = why_f("the reply of %s is not valid HTTP: %s", where, what);
    return PBAY_E_PROTOCOL;
}

/* Before the request could go out: attempts is 0. */
static int before_request(struct exchange *x, CURLcode code, const char *where,
                          char **why)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return cannot_connect(x, where, why);
    case CURLE_OPERATION_TIMEDOUT:
        *why = why_f("no connection to %s within %lld ms", where,
                     (long long)x->connect_ms);
        return ERR_CONNECT_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_URL_MALFORMAT:
    case CURLE_FAILED_INIT:
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        *why = why_f("no connection to %s: %s", where,
                     curl_easy_strerror(code));
        return ERR_INTERNAL;
    default:
        *why = why_f("no connection to %s: %s", where, words(x, code));
        return ERR_CONNECT;
    }
}

int end_describe(struct exchange *x, CURLcode code, char **why)
{
    char place[WHERE_LEN];
    const char *where;

    if (code == CURLE_OK && x->head_done)
        return ERR_NONE;
    where = end_where(x, place, sizeof place);
    if (is_tls(code))
        return tls_failed(x, code, where, why);
    if (x->resend_refused || code == CURLE_OK || code == CURLE_GOT_NOTHING)
        return broke_off(x, code, where, why);
    if (!x->attempts)
        return before_request(x, code, where, why);
    switch (code) {
    case CURLE_RECV_ERROR:
        /* curl has the same code for a broken connection and for broken
         * chunks; only its words differ */
        if (strstr(x->easy->error, "chunk"))
            return not_http(where, words(x, code), why);
        return broke_off(x, code, where, why);
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
        return broke_off(x, code, where, why);
    case CURLE_OUT_OF_MEMORY:
        if (x->head_done)
            break;
        return not_http(where, "a header line has no end within 100 KiB", why);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_FILESIZE_EXCEEDED:
        return not_http(where, words(x, code), why);
    default:
        break;
    }
    *why = why_f("the exchange with %s failed: %s", where, words(x, code));
    return ERR_INTERNAL;
}
