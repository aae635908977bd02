/* SPDX-License-Identifier: MIT */
/* TLS for the server: certificates, handshake, and bytes through OpenSSL on the
 * connection's own descriptor. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509err.h>

#include "base/log.h"
#include "http/server_int.h"

struct http_tls {
    SSL_CTX *ctx;
};

/* --------------------------------------------------------- certificates */

static void fail(char **err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(char **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(err, fmt, ap) < 0)
        *err = NULL;
    va_end(ap);
}

/* The first reason that OpenSSL gives, in its words. */
static const char *reason(char *text, size_t room)
{
    unsigned long e = ERR_get_error();
    const char *why = e ? ERR_reason_error_string(e) : NULL;
    if (ERR_SYSTEM_ERROR(e))
        why = strerror(ERR_GET_REASON(e));
    snprintf(text, room, "%s", why ? why : "unknown error");
    ERR_clear_error();
    return text;
}

/* OpenSSL would ask on the terminal for the password of an encrypted key. */
static int no_password(char *text, int room, int writing, void *asked)
{
    (void)text;
    (void)room;
    (void)writing;
    *(bool *)asked = true;
    return 0;
}

static bool readable(const char *what, const char *file, char **err)
{
    FILE *f = fopen(file, "re");
    if (f) {
        fclose(f);
        return true;
    }
    fail(err, "%s %s: %s; name a PEM file that this user may read", what, file,
         strerror(errno));
    return false;
}

static bool load(SSL_CTX *ctx, const char *cert, const char *key, char **err)
{
    char text[256];
    bool asked = false;
    if (!readable("certificate", cert, err) || !readable("key", key, err))
        return false;
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) {
        fail(err, "certificate %s: %s; a PEM file is needed, the server's "
                  "certificate first and then its chain",
             cert, reason(text, sizeof text));
        return false;
    }
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
    int ok = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    int why = ok == 1 ? 0 : ERR_GET_REASON(ERR_peek_error());
    if (why == X509_R_KEY_VALUES_MISMATCH || why == X509_R_KEY_TYPE_MISMATCH)
        fail(err, "key %s: does not belong to the certificate %s", key, cert);
    else if (ok != 1 && asked)
        fail(err, "key %s: is encrypted; decrypt it with \"openssl pkey -in "
                  "%s -out PLAIN\"",
             key, key);
    else if (ok != 1)
        fail(err, "key %s: %s; an unencrypted PEM key that belongs to %s is "
                  "needed",
             key, reason(text, sizeof text), cert);
    ERR_clear_error();
    return ok == 1;
}

/* A client that offers protocols, but not HTTP/1.1, is told so: RFC 7301. */
static int choose_protocol(SSL *ssl, const unsigned char **out,
                           unsigned char *n, const unsigned char *in,
                           unsigned int in_n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, n, ours, sizeof ours - 1, in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

struct http_tls *http_tls_new(const char *cert_file, const char *key_file,
                              char **err)
{
    *err = NULL;
    struct http_tls *t = calloc(1, sizeof *t);
    SSL_CTX *ctx = t ? SSL_CTX_new(TLS_server_method()) : NULL;
    if (!ctx) {
        fail(err, "out of memory");
        free(t);
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"patchbay", 8);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    if (!load(ctx, cert_file, key_file, err)) {
        SSL_CTX_free(ctx);
        free(t);
        return NULL;
    }
    /* OpenSSL writes with write(), which raises it. */
    signal(SIGPIPE, SIG_IGN);
    t->ctx = ctx;
    return t;
}

void http_tls_free(struct http_tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}

SSL_CTX *tls_ctx(struct http_tls *t)
{
    if (!t)
        return NULL;
    SSL_CTX_up_ref(t->ctx);
    return t->ctx;
}

/* ---------------------------------------------------------------- bytes */

/* What a failed call means for the connection: -1, or 0 for "not now". */
static int judge(struct http_conn *c, int rc)
{
    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        c->eof = c->fin = true;
        return -1;
    default:
        c->broken = true;
        return -1;
    }
}

int tls_shake(struct http_conn *c)
{
    ERR_clear_error();
    int rc = SSL_accept(c->ssl);
    if (rc == 1)
        return TLS_DONE;
    int e = SSL_get_error(c->ssl, rc);
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return TLS_WAIT;
    unsigned long why = ERR_peek_error();
    if (ERR_GET_LIB(why) == ERR_LIB_SSL &&
        ERR_GET_REASON(why) == SSL_R_HTTP_REQUEST) {
        ERR_clear_error();
        return TLS_PLAIN;
    }
    if (log_on(LOG_DEBUG)) {
        char text[256];
        log_line(LOG_DEBUG, "http", "TLS handshake failed",
                 log_str("peer", c->peer),
                 log_cstr("reason", reason(text, sizeof text)), LOG_END);
    }
    ERR_clear_error();
    return TLS_FAILED;
}

ssize_t tls_read(struct http_conn *c, char *p, size_t n)
{
    size_t got;
    ERR_clear_error();
    int rc = SSL_read_ex(c->ssl, p, n, &got);
    if (rc == 1)
        return (ssize_t)got; /* can_read stands: there may be more inside */
    c->can_read = c->edge = false;
    return judge(c, rc);
}

/* One record's worth: pieces are put together so that each does not become a
 * record, and a write, of its own.  A write that has to be repeated must begin
 * with the same bytes and be no shorter; it is, for what did not go out stays
 * at the front of the backlog. */
ssize_t tls_write(struct http_conn *c, const struct iovec *v, int n)
{
    char *record = c->server->record;
    const char *p = v[0].iov_base;
    size_t len = v[0].iov_len, put;
    if (n > 1 && len < HTTP_RECORD) {
        p = record;
        len = 0;
        for (int i = 0; i < n && len < HTTP_RECORD; i++) {
            size_t piece = v[i].iov_len;
            if (piece > HTTP_RECORD - len)
                piece = HTTP_RECORD - len;
            memcpy(record + len, v[i].iov_base, piece);
            len += piece;
        }
    } else if (len > HTTP_RECORD) {
        len = HTTP_RECORD;
    }
    ERR_clear_error();
    int rc = SSL_write_ex(c->ssl, p, len, &put);
    if (rc == 1)
        return (ssize_t)put;
    if (judge(c, rc) == 0)
        c->blocked = true;
    else
        c->broken = true;
    return -1;
}

void tls_bye(struct http_conn *c)
{
    ERR_clear_error();
    SSL_shutdown(c->ssl);
    ERR_clear_error();
}
