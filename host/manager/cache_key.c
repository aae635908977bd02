/* SPDX-License-Identifier: MIT */
/* What makes two requests the same: everything that the answer may depend on,
 * byte for byte. */
#include "manager/cache_int.h"

#include <openssl/evp.h>

#include "base/str.h"
#include "manager/call_plan.h"

/* Headers that are shown to providers and change no answer. */
static bool idle_header(pbay_str name)
{
    return str_is(name, "user-agent") || str_is(name, "x-client-request-id") ||
           str_is(name, "idempotency-key") || str_is(name, "http-referer") ||
           str_is(name, "x-title") || str_is(name, "x-openrouter-title");
}

static bool put(EVP_MD_CTX *h, pbay_str s)
{
    uint64_t n = s.n;

    return EVP_DigestUpdate(h, &n, sizeof(n)) &&
           (!s.n || EVP_DigestUpdate(h, s.p, s.n));
}

static bool put_header(EVP_MD_CTX *h, const struct call_request *rq,
                       const char *name)
{
    return put(h, rq->header ? rq->header(rq->header_arg, name) : STR_NONE);
}

/* What routes go by beside all that: an answer is for those only who would
 * have been sent to its target. */
static bool put_ways(EVP_MD_CTX *h, const struct manager *m,
                     const struct call_request *rq)
{
    const struct config *c = m->current ? m->current->cfg : NULL;
    bool ok = true;

    for (size_t i = 0; c && ok && i < c->n_routes; i++) {
        const struct cfg_route *r = &c->routes[i];
        for (size_t k = 0; ok && r->when && r->targets[k]; k++)
            for (size_t n = 0; ok && n < r->when[k].n; n++) {
                const struct cfg_term *t = &r->when[k].terms[n];
                if (t->kind == WHEN_HEADER)
                    ok = put_header(h, rq, t->name);
                else if (t->kind == WHEN_TAG)
                    ok = put_header(h, rq, "x-patchbay-tags");
                else if (t->kind == WHEN_KEY)
                    ok = put(h, rq->key_name);
            }
    }
    return ok;
}

static bool put_all(EVP_MD_CTX *h, const struct cfg_cache *p,
                    const struct manager *m, const struct call_request *rq)
{
    uint64_t head[] = {(uint64_t)rq->op, rq->stream, rq->no_pass, rq->want,
                       m->current ? m->current->serial : 0,
                       /* So that no list runs into the next one. */
                       rq->n_fallbacks, rq->n_headers,
                       call_models(rq).p && rq->no_choice};
    bool ok = EVP_DigestUpdate(h, head, sizeof(head)) && put(h, rq->dialect) &&
              put(h, rq->model) && put(h, rq->body) &&
              put(h, str_c(rq->instance ? rq->instance : "")) &&
              put(h, p->per_key ? rq->key_name : STR_NONE) &&
              put(h, rq->route) && put(h, rq->schema) &&
              put(h, str_c(rq->task ? rq->task->name : ""));

    for (size_t i = 0; ok && i < rq->n_fallbacks; i++)
        ok = put(h, rq->fallbacks[i]);
    for (size_t i = 0; ok && i < rq->n_headers; i++)
        if (!idle_header(rq->headers[i].k))
            ok = put(h, rq->headers[i].k) && put(h, rq->headers[i].v);
    return ok && put_ways(h, m, rq);
}

bool cache_key(const struct cfg_cache *p, const struct manager *m,
               const struct call_request *rq, unsigned char key[CACHE_KEY])
{
    EVP_MD_CTX *h = EVP_MD_CTX_new();
    bool ok = h && EVP_DigestInit_ex(h, EVP_sha256(), NULL) &&
              put_all(h, p, m, rq) && EVP_DigestFinal_ex(h, key, NULL);

    EVP_MD_CTX_free(h);
    return ok;
}
