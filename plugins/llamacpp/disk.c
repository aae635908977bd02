/* SPDX-License-Identifier: MIT */
/* llamacpp.so: the list of models by the files in models_dir. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../openai-wire/oai.h"
#include "disk.h"
#include "files.h"
#include "launch.h"
#include "path.h"

static void log_line(const pbay_host *host, int32_t level, const char *text)
{
    host->log(host, level, (pbay_str){text, strlen(text)});
}

pbay_rc disk_init(struct disk *d, const pbay_host *host, pbay_str config)
{
    pbay_str given;
    char *text, err[1024];

    *d = (struct disk){.host = host};
    if (!oai_take_string(config, "models_dir", "", &given))
        return PBAY_NOMEM;
    text = given.n ? calloc(1, given.n + 1) : NULL;
    if (text)
        memcpy(text, given.p, given.n);
    free((void *)(uintptr_t)given.p);
    if (!text)
        return given.n ? PBAY_NOMEM : PBAY_OK;
    d->dir = path_models_dir(text, path_is_wsl(), err, sizeof err);
    free(text);
    if (d->dir)
        return PBAY_OK;
    if (!*err)
        return PBAY_NOMEM;
    log_line(host, PBAY_LOG_ERROR, err);
    return PBAY_FAIL;
}

void disk_done(struct disk *d)
{
    free(d->dir);
}

/* --------------------------------------------------------------------- list */

struct list {
    const struct disk *d;
    const struct launch *launch; /* NULL: no server is started for them */
    pbay_str configs;            /* of the models */
    int one;                     /* configs is that of the one asked for */
    pbay_call *call;
    pbay_str search;
    uint32_t place;
    pbay_rc rc;
};

static pbay_str str(const char *s)
{
    return (pbay_str){s, strlen(s)};
}

static void put_text(pbay_out *w, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    pbay_out_cstr(w, ",\"");
    pbay_out_cstr(w, name);
    pbay_out_cstr(w, "\":");
    pbay_out_string(w, str(value));
}

static void put_number(pbay_out *w, const char *name, int64_t v)
{
    pbay_out_cstr(w, ",\"");
    pbay_out_cstr(w, name);
    pbay_out_cstr(w, "\":");
    pbay_out_i64(w, v);
}

static const char *capabilities(const struct model_file *m)
{
    if (m->gguf.pools || strstr(m->gguf.architecture, "bert"))
        return "\"embeddings\"";
    return m->projector
               ? "\"text\",\"chat\",\"code\",\"translation\",\"summarisation\","
                 "\"tools\",\"structured_output\",\"vision\""
               : "\"text\",\"chat\",\"code\",\"translation\",\"summarisation\","
                 "\"tools\",\"structured_output\"";
}

static uint64_t window_of(const struct list *l, const struct model_file *m)
{
    if (!l->launch)
        return m->gguf.context;
    return launch_window(l->launch,
                         l->one ? l->configs : pbay_json_get(l->configs, m->id),
                         m->gguf.context);
}

static void put_model(pbay_out *w, const struct model_file *m, uint64_t window)
{
    pbay_out_cstr(w, "{\"id\":");
    pbay_out_string(w, str(m->id));
    put_text(w, "name", m->gguf.name);
    put_number(w, "created", m->changed);
    pbay_out_cstr(w, ",\"owned_by\":\"llamacpp\"");
    if (window)
        put_number(w, "context_window", (int64_t)window);
    pbay_out_cstr(w, ",\"capabilities\":[");
    pbay_out_cstr(w, capabilities(m));
    pbay_out_cstr(w, "],\"raw\":{\"file\":");
    pbay_out_string(w, str(m->file));
    put_text(w, "projector", m->projector);
    put_text(w, "architecture", m->gguf.architecture);
    put_text(w, "size_label", m->gguf.size_label);
    if (m->gguf.file_type >= 0)
        put_number(w, "file_type", m->gguf.file_type);
    put_number(w, "bytes", (int64_t)m->bytes);
    put_number(w, "shards", m->shards);
    put_number(w, "gguf_version", m->gguf.version);
    if (m->gguf.big_endian)
        pbay_out_cstr(w, ",\"big_endian\":true");
    pbay_out_cstr(w, "}}");
}

/* Names are at most some hundred bytes; six for each when escaped. */
#define ITEM_ROOM 16384

static int on_model(void *arg, const struct model_file *m)
{
    struct list *l = arg;
    char text[ITEM_ROOM];
    pbay_out w = {.p = text, .room = sizeof text};
    pbay_event ev = {.size = sizeof ev,
                     .type = PBAY_EV_ITEM,
                     .name = OA("model"),
                     .index = l->place};

    if (!oai_contains(str(m->id), l->search))
        return l->d->host->cancelled(l->call);
    put_model(&w, m, window_of(l, m));
    if (w.failed) {
        l->rc = PBAY_NOMEM;
        return 1;
    }
    l->place++;
    ev.json = (pbay_str){w.p, w.n};
    if (l->d->host->emit(l->call, &ev) == PBAY_STOPPED)
        l->rc = PBAY_STOPPED;
    return l->rc != PBAY_OK || l->d->host->cancelled(l->call);
}

static void on_bad(void *arg, const char *file, const char *why)
{
    const struct list *l = arg;
    char text[1024];

    snprintf(text, sizeof text, "models_dir: %s: %s", file, why);
    log_line(l->d->host, PBAY_LOG_WARN, text);
}

pbay_rc disk_list(const struct disk *d, const struct launch *launch,
                  pbay_call *call, const pbay_request *req)
{
    struct list l = {
        .d = d, .call = call, .launch = launch, .configs = req->model_config};
    struct files_sink to = {on_model, on_bad, &l};
    char err[1024];

    l.search = pbay_text(
        d->host, call, pbay_json_find(req->members, req->n_members, "search"));
    if (files_scan(d->dir, &to, err, sizeof err) < 0)
        return pbay_fail(d->host, call, PBAY_E_UPSTREAM, NULL, err);
    return l.rc;
}

pbay_rc disk_show(const struct disk *d, const struct launch *launch,
                  pbay_call *call, const pbay_request *req)
{
    struct list l = {.d = d,
                     .call = call,
                     .launch = launch,
                     .configs = req->model_config,
                     .one = 1};
    struct files_sink to = {on_model, on_bad, &l};
    pbay_str id = req->model;
    char name[600], err[1024];

    if (!id.n)
        id = pbay_text(d->host, call,
                       pbay_json_find(req->members, req->n_members, "model"));
    if (id.n && memchr(id.p, '\0', id.n))
        return pbay_fail(d->host, call, PBAY_E_NOT_FOUND, "model",
                         "no model has such a name");
    snprintf(name, sizeof name, "%.*s", (int)(id.n < 599 ? id.n : 599),
             id.n ? id.p : "");
    if (files_find(d->dir, name, &to, err, sizeof err) < 0)
        return pbay_fail(d->host, call, PBAY_E_UPSTREAM, NULL, err);
    if (l.rc != PBAY_OK || l.place)
        return l.rc;
    snprintf(err, sizeof err,
             "models_dir has no model \"%.500s\" that can be used", name);
    return pbay_fail(d->host, call, PBAY_E_NOT_FOUND, "model", err);
}
