/* SPDX-License-Identifier: MIT */
/* How a provider is reached: time-outs, TLS, proxy, further headers. */
#include "config/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_timeouts(const struct section *outer, struct cfg_provider *p)
{
    struct section s = section_sub(outer, "timeouts");
    section_check_names(&s, NULL);
    p->timeouts.connect_ms = section_int(&s, "connect");
    p->timeouts.headers_ms = section_int(&s, "headers");
    p->timeouts.first_ms = section_int(&s, "first_token");
    p->timeouts.idle_ms = section_int(&s, "idle");
    p->timeouts.total_ms = section_int(&s, "total");
    p->tx.connect_ms = p->timeouts.connect_ms;
}

static void read_retry(const struct section *outer, struct cfg_provider *p)
{
    struct section s = section_sub(outer, "retry");
    section_check_names(&s, NULL);
    p->retry.max_attempts = section_int(&s, "max_attempts");
    p->retry.backoff_ms = section_int(&s, "backoff");
    p->retry.factor = section_value(&s, "backoff_factor")->f;
    p->retry.max_ms = section_int(&s, "max_backoff");
}

static void read_embeddings(const struct section *outer, struct cfg_provider *p)
{
    struct section s = section_sub(outer, "embedding_limits");
    const struct manifest *m = p->manifest;
    section_check_names(&s, NULL);
    p->embeddings.max_inputs = section_int(&s, "max_inputs");
    p->embeddings.max_tokens = section_int(&s, "max_tokens");
    p->embeddings.concurrent = section_int(&s, "concurrent");
    if (!p->embeddings.max_inputs && m)
        p->embeddings.max_inputs = m->embed_inputs;
    if (!p->embeddings.max_tokens && m)
        p->embeddings.max_tokens = m->embed_tokens;
}

static void read_tls(const struct section *outer, struct cfg_provider *p)
{
    struct section s = section_sub(outer, "tls");
    section_check_names(&s, NULL);
    p->tx.ca_file = section_path(&s, "ca_file");
    p->tx.client_cert = section_path(&s, "client_certificate");
    p->tx.client_key = section_path(&s, "client_key");
    p->tx.insecure = !section_bool(&s, "verify");
    if (p->tx.client_key && !p->tx.client_cert)
        section_issue(&s, true, "client_key",
                      "client_certificate is missing "
                      "beside it");
    if (!p->enabled)
        return;
    path_check_readable(&s, "ca_file", p->tx.ca_file);
    path_check_readable(&s, "client_certificate", p->tx.client_cert);
    path_check_readable(&s, "client_key", p->tx.client_key);
    if (p->tx.insecure)
        section_issue(&s, false, "verify",
                      "ANY certificate is believed: "
                      "whoever is on the way can read requests, answers and "
                      "the api_key; name a ca_file instead");
}

/* --- proxy --- */

static const char *set_proxy(const struct section *s, const char *url,
                             const struct cfg_origin *at, char **auth)
{
    char why[128];
    const char *clean = url_proxy(s->l, url, auth, why, sizeof why);
    if (!clean && at->source == CFG_ENV)
        load_issue_at(s->l, true, at, "%s: %s", at->name, why);
    else if (!clean)
        section_issue(s, true, "proxy", "%s", why);
    return clean;
}

static void read_proxy(const struct section *s, struct cfg_provider *p)
{
    struct load *l = s->l;
    struct cfg_origin at = section_origin(s, "proxy");
    const char *url = section_string(s, "proxy"), *var = NULL;
    char *auth = NULL;
    bool none = url && strcmp(url, "none") == 0;
    if (!url && p->base_url && !p->tx.unix_socket && l->env_mode != ENV_OFF) {
        url = url_env_proxy(l, p->base_url, &var);
        at = (struct cfg_origin){CFG_ENV, var, 0};
    }
    if (url && !none)
        p->tx.proxy = set_proxy(s, url, &at, &auth);
    /* As written it may hold a password. */
    node_set_string(l, s->node, "proxy", none ? "none" : p->tx.proxy,
                    url ? &at : NULL);
    const struct node *own = section_value(s, "proxy_auth");
    if (own->s) {
        if (!p->tx.proxy)
            section_issue(s, true, "proxy_auth",
                          "there is no proxy that it "
                          "could be for");
        else if (!strchr(own->s, ':'))
            section_issue(s, true, "proxy_auth",
                          "\"USER:PASSWORD\" is "
                          "wanted");
    }
    const char *text = own->s ? own->s : auth;
    if (text && *text)
        p->tx.proxy_auth = load_secret(l, str_c(text), true);
    if (p->tx.proxy && p->tx.unix_socket)
        section_issue(s, true, "proxy",
                      "there is no proxy on the way to a "
                      "unix_socket: remove one");
}

/* --- headers --- */

static bool in_list(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcasecmp(*list, name) == 0)
            return true;
    return false;
}

/* A value under such a name is a secret, and headers are not kept as such. */
static bool is_credential(const char *name)
{
    static const char *const parts[] = {"authorization", "api-key",    "apikey",
                                        "api_key",       "cookie",     "secret",
                                        "password",      "credential", NULL};
    static const char *const ends[] = {"token", "-key", "_key", NULL};
    for (size_t i = 0; parts[i]; i++)
        if (strcasestr(name, parts[i]))
            return true;
    size_t n = strlen(name);
    for (size_t i = 0; ends[i]; i++)
        if (n >= strlen(ends[i]) &&
            strcasecmp(name + n - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

/* Those that the host works out for each exchange. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {"accept-encoding",
                                       "connection",
                                       "content-encoding",
                                       "content-length",
                                       "content-type",
                                       "expect",
                                       "host",
                                       "keep-alive",
                                       "proxy-connection",
                                       "te",
                                       "trailer",
                                       "transfer-encoding",
                                       "upgrade",
                                       NULL};
    return in_list(ours, name);
}

const char *header_refused(const char *name)
{
    if (is_credential(name))
        return "this looks like a credential: use api_key or api_key_file, "
               "which are kept out of logs";
    return is_ours(name) ? "the host sets this header itself: remove it" : NULL;
}

static void add_header(const struct section *s, struct cfg_provider *p,
                       const char *name)
{
    struct load *l = s->l;
    const char *why = header_refused(name);
    if (why) {
        section_issue(s, true, name, "%s", why);
        return;
    }
    for (size_t i = 0; i < p->n_headers; i++)
        if (str_ieq(p->headers[i].k, str_c(name))) {
            section_issue(s, true, name, "this header stands here twice");
            return;
        }
    const struct spec spec = {.name = name, .type = KEY_STRING};
    const struct node *v = section_value_as(s, &spec);
    if (!v->s)
        return;
    pbay_kv *more = load_grow(l, p->headers, p->n_headers, sizeof *more);
    if (!more)
        return;
    p->headers = more;
    more[p->n_headers++] =
        (pbay_kv){str_c(load_dup(l, str_c(name))), str_trim(str_c(v->s))};
}

static void read_headers(const struct section *outer, struct cfg_provider *p)
{
    struct section s = section_sub(outer, "headers");
    for (int i = 0; s.set && i < config_setting_length(s.set); i++) {
        if (i == LIM_CONF_HEADERS) {
            section_issue(outer, true, "headers", "more than %d headers",
                          LIM_CONF_HEADERS);
            return;
        }
        add_header(
            &s, p,
            config_setting_name(config_setting_get_elem(s.set, (unsigned)i)));
    }
}

void provider_reach(const struct section *s, struct cfg_provider *p)
{
    p->tx.http2 = section_bool(s, "http2");
    p->rate_headers = section_bool(s, "rate_headers");
    p->tx.unix_socket = section_path(s, "unix_socket");
    read_timeouts(s, p);
    read_retry(s, p);
    read_limits(s, "limits", &p->limits);
    read_limits(s, "model_limits", &p->model_limits);
    read_embeddings(s, p);
    read_tls(s, p);
    read_proxy(s, p);
    read_headers(s, p);
}
