/* SPDX-License-Identifier: MIT */
/* Transcripts of real exchanges: collected on the loops, written by the control
 * thread.  The form of the lines is described in manager/transcript.h. */
#include "manager/recorder.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "manager/op.h"
#include <patchbay/codec.h>
#include <patchbay/json.h>

struct tape {
    struct tape *next;
    char *provider, *dir;
    unsigned count;
};

struct recorder {
    struct loop *writer;
    pthread_mutex_t lock;
    struct tape *tapes;
    _Atomic unsigned on; /* how many tapes run: the hot path looks here only */
};

struct recording {
    struct loop_job job;
    struct recorder *recorder;
    struct buf text;
    char path[4096];
    bool full; /* over the bound: what was kept is thrown away */
};

struct recorder *recorder_new(struct loop *writer)
{
    struct recorder *r = calloc(1, sizeof(*r));

    if (r) {
        r->writer = writer;
        pthread_mutex_init(&r->lock, NULL);
    }
    return r;
}

static void tape_free(struct tape *t)
{
    free(t->provider);
    free(t->dir);
    free(t);
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    while (r->tapes) {
        struct tape *t = r->tapes;
        r->tapes = t->next;
        tape_free(t);
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void tape_remove(struct recorder *r, const char *provider)
{
    for (struct tape **at = &r->tapes; *at; at = &(*at)->next) {
        struct tape *t = *at;
        if (strcmp(t->provider, provider) != 0)
            continue;
        *at = t->next;
        tape_free(t);
        atomic_fetch_sub(&r->on, 1);
        return;
    }
}

int recorder_set(struct recorder *r, const char *provider, const char *dir)
{
    struct tape *t = NULL;
    int rc;

    if (dir) {
        rc = dir[0] == '/' ? fs_mkdirs(dir, 0700) : -EINVAL;
        if (rc < 0)
            return rc;
        t = calloc(1, sizeof(*t));
        if (!t || !(t->provider = strdup(provider)) ||
            !(t->dir = strdup(dir))) {
            if (t)
                tape_free(t);
            return -ENOMEM;
        }
    }
    pthread_mutex_lock(&r->lock);
    tape_remove(r, provider);
    if (t) {
        t->next = r->tapes;
        r->tapes = t;
        atomic_fetch_add(&r->on, 1);
    }
    pthread_mutex_unlock(&r->lock);
    return 0;
}

/* --- one recording ------------------------------------------------------- */

static void put(struct recording *rec, const char *s)
{
    if (buf_addc(&rec->text, s) < 0)
        rec->full = true;
}

static void put_string(struct recording *rec, pbay_str s)
{
    if (buf_json(&rec->text, s) < 0)
        rec->full = true;
}

static void put_member(struct recording *rec, const char *before, pbay_str s)
{
    put(rec, before);
    put_string(rec, s);
}

static void put_headers(struct recording *rec, const pbay_kv *h, size_t n)
{
    static const char *const hidden[] = {"set-cookie", "authorization",
                                         "openai-organization",
                                         "anthropic-organization-id"};
    const char *sep = "";

    put(rec, "\"headers\":[");
    for (size_t i = 0; i < n; i++) {
        bool skip = false;
        for (size_t j = 0; j < sizeof(hidden) / sizeof(*hidden); j++)
            skip |= str_ieq(h[i].k, str_c(hidden[j]));
        if (skip)
            continue;
        put(rec, sep);
        put_member(rec, "[", h[i].k);
        put_member(rec, ",", h[i].v);
        put(rec, "]");
        sep = ",";
    }
    put(rec, "]");
}

static bool find_tape(struct recorder *r, const char *provider,
                      struct recording *rec)
{
    bool found = false;

    pthread_mutex_lock(&r->lock);
    for (struct tape *t = r->tapes; t && !found; t = t->next)
        if (strcmp(t->provider, provider) == 0) {
            snprintf(rec->path, sizeof(rec->path), "%s/%s-%08llx-%04u.jsonl",
                     t->dir, provider,
                     (unsigned long long)(clock_us() / 1000000), ++t->count);
            found = true;
        }
    pthread_mutex_unlock(&r->lock);
    return found;
}

static void put_request(struct recording *rec, const char *provider,
                        const pbay_request *req)
{
    put_member(rec,
               "{\"patchbay_transcript\":1,\"provider\":", str_c(provider));
    put_member(rec, ",\"op\":", str_c(op_name((int)req->op)));
    put(rec, ",\"flags\":[");
    put(rec, req->flags & PBAY_RQ_STREAM ? "\"stream\"" : "");
    put(rec, (req->flags & PBAY_RQ_STREAM) && (req->flags & PBAY_RQ_PASS) ? ","
                                                                          : "");
    put(rec, req->flags & PBAY_RQ_PASS ? "\"pass\"" : "");
    put_member(rec, "],\"dialect\":", req->dialect);
    put_member(rec, ",\"model\":", req->model);
    put(rec, ",\"request\":");
    if (pbay_json_check(req->body, NULL) == 0) {
        /* One line: the body may have been written over several. */
        for (size_t i = 0; i < req->body.n; i++) {
            char c = req->body.p[i];
            if (c != '\n' && c != '\r' && buf_add(&rec->text, str_n(&c, 1)) < 0)
                rec->full = true;
        }
    } else {
        put(rec, "null");
    }
    put(rec, "}\n");
}

static void put_exchange(struct recording *rec, const struct tx_request *tr)
{
    struct buf body;

    put_member(rec, "{\"exchange\":{\"method\":", tr->method);
    put_member(rec, ",\"path\":", tr->url);
    put(rec, ",");
    put_headers(rec, tr->headers, tr->n_headers);
    buf_init(&body, LIM_MIB(16));
    for (size_t i = 0; i < tr->n_body; i++)
        rec->full |= buf_add(&body, tr->body[i]) < 0;
    put_member(rec, ",\"body\":", buf_str(&body));
    buf_done(&body);
    put(rec, "}}\n");
}

struct recording *recording_begin(struct recorder *r, const char *provider,
                                  const pbay_request *req,
                                  const struct tx_request *tr)
{
    struct recording *rec;

    if (!atomic_load_explicit(&r->on, memory_order_relaxed))
        return NULL;
    rec = calloc(1, sizeof(*rec));
    if (!rec)
        return NULL;
    rec->recorder = r;
    if (!find_tape(r, provider, rec)) {
        free(rec);
        return NULL;
    }
    buf_init(&rec->text, LIM_MIB(32));
    put_request(rec, provider, req);
    put_exchange(rec, tr);
    return rec;
}

void recording_again(struct recording *rec, const struct tx_request *tr)
{
    put(rec, "{\"end\":\"ok\"}\n");
    put_exchange(rec, tr);
}

void recording_head(struct recording *rec, int status, const pbay_kv *headers,
                    size_t n)
{
    char text[48];

    snprintf(text, sizeof(text), "{\"head\":{\"status\":%d,", status);
    put(rec, text);
    put_headers(rec, headers, n);
    put(rec, "}}\n");
}

/* Text that a JSON string can hold as it is; otherwise base64. */
static bool plain(pbay_str s)
{
    struct buf b;
    bool ok;

    buf_init(&b, s.n * 6 + 16);
    ok = buf_json(&b, s) == 0;
    if (ok) {
        char *back = malloc(b.n);
        int64_t n = back ? pbay_json_unescape(buf_str(&b), back, b.n) : -1;
        ok = n >= 0 && str_eq(str_n(back, (size_t)n), s);
        free(back);
    }
    buf_done(&b);
    return ok;
}

static void put_base64(struct recording *rec, pbay_str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                 "stuvwxyz0123456789+/";

    for (size_t i = 0; i < s.n; i += 3) {
        unsigned v = (unsigned)(unsigned char)s.p[i] << 16;
        char four[5] = "====";
        if (i + 1 < s.n)
            v |= (unsigned)(unsigned char)s.p[i + 1] << 8;
        if (i + 2 < s.n)
            v |= (unsigned char)s.p[i + 2];
        four[0] = digits[v >> 18];
        four[1] = digits[v >> 12 & 63];
        if (i + 1 < s.n)
            four[2] = digits[v >> 6 & 63];
        if (i + 2 < s.n)
            four[3] = digits[v & 63];
        put(rec, four);
    }
}

void recording_data(struct recording *rec, pbay_str bytes)
{
    if (plain(bytes)) {
        put_member(rec, "{\"data\":", bytes);
    } else {
        put(rec, "{\"data_b64\":\"");
        put_base64(rec, bytes);
        put(rec, "\"");
    }
    put(rec, "}\n");
}

/* [control] */
static void write_out(struct loop_job *job)
{
    struct recording *rec = (struct recording *)(void *)job;
    size_t n = 0;
    char *clean;
    int rc;

    if (rec->full) {
        log_line(LOG_WARN, "record", "an exchange is too large to keep",
                 log_cstr("file", rec->path), LOG_END);
    } else {
        clean = redact_text(buf_str(&rec->text), &n);
        rc = fs_write_atomic(
            rec->path, clean ? str_n(clean, n) : buf_str(&rec->text), 0600);
        if (rc < 0)
            log_line(LOG_ERROR, "record", strerror(-rc),
                     log_cstr("file", rec->path), LOG_END);
        free(clean);
    }
    buf_done(&rec->text);
    free(rec);
}

void recording_end(struct recording *rec, const char *how)
{
    put_member(rec,
               "{\"end\":", str_c(strcmp(how, "truncated") == 0 ? "cut" : how));
    put(rec, "}\n");
    rec->job.run = write_out;
    loop_post(rec->recorder->writer, &rec->job);
}
