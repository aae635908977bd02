/* SPDX-License-Identifier: MIT */
/* ollama.so: embeddings, the progress of a download, health. */
#include <float.h>
#include <string.h>

#include "ollama.h"

/* --------------------------------------------------------------- embeddings */

static size_t count(pbay_str list)
{
    pbay_str v;
    size_t pos = 0, n = 0;

    while (pbay_json_next(list, &pos, NULL, &v))
        n++;
    return n;
}

static pbay_rc vector(struct ollama *o, struct call *c, pbay_str list,
                      uint32_t place, float **room, size_t *room_n)
{
    pbay_event ev = {
        .type = PBAY_EV_VECTOR, .choice = place, .code = PBAY_VEC_F32};
    size_t n = count(list), i = 0, pos = 0;
    pbay_str v;

    if (pbay_json_type(list) != 'a' || !n)
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        "an embedding of the reply is empty");
    if (n > *room_n) {
        *room = o->host->alloc(c->call, n * sizeof **room);
        *room_n = *room ? n : 0;
        if (!*room)
            return PBAY_NOMEM;
    }
    while (i < n && pbay_json_next(list, &pos, NULL, &v)) {
        double d;
        if (pbay_json_f64(v, &d) < 0 || d > FLT_MAX || d < -FLT_MAX)
            return ol_error(o, c, PBAY_E_PROTOCOL,
                            "an embedding of the reply has a value that is no "
                            "32 bit number");
        (*room)[i++] = (float)d;
    }
    ev.text = (pbay_str){(const char *)*room, i * sizeof **room};
    return ol_emit(o, c, &ev);
}

pbay_rc ol_embeddings(struct ollama *o, struct call *c, pbay_str body)
{
    pbay_str list = pbay_json_get(body, "embeddings"), v;
    float *room = NULL;
    size_t pos = 0, room_n = 0;
    uint32_t place = 0;
    pbay_rc rc;

    if (pbay_json_type(list) != 'a')
        return ol_error(o, c, PBAY_E_PROTOCOL, "the reply has no embeddings");
    rc = ol_begin(o, c, pbay_json_get(body, "model"));
    while (rc == PBAY_OK && ol_wants(c, PBAY_EV_VECTOR) &&
           pbay_json_next(list, &pos, NULL, &v))
        rc = vector(o, c, v, place++, &room, &room_n);
    if (rc == PBAY_OK)
        rc = ol_usage(o, c, pbay_json_get(body, "prompt_eval_count"),
                      (pbay_str){NULL, 0}, 0);
    return rc;
}

/* ----------------------------------------------------------------- progress */

static void put(pbay_out *w, const char *name, pbay_str value, char type)
{
    if (pbay_json_type(value) != type)
        return;
    pbay_out_cstr(w, ",\"");
    pbay_out_cstr(w, name);
    pbay_out_cstr(w, "\":");
    pbay_out_raw(w, value);
}

/* Sizes are those of one layer; several come by turns. */
pbay_rc ol_progress(struct ollama *o, struct call *c, pbay_str line)
{
    char text[1024];
    pbay_out w = {.p = text, .room = sizeof text};
    pbay_str status = pbay_json_get(line, "status");
    pbay_rc rc;

    if (pbay_json_type(status) != 's')
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        "a line of the reply has no status");
    pbay_out_cstr(&w, "{\"status\":");
    pbay_out_raw(&w, status);
    put(&w, "digest", pbay_json_get(line, "digest"), 's');
    put(&w, "total", pbay_json_get(line, "total"), 'n');
    put(&w, "completed", pbay_json_get(line, "completed"), 'n');
    c->ended = pbay_json_is(status, "success");
    pbay_out_cstr(&w, c->ended ? ",\"done\":true}" : "}");
    if (w.failed)
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        "a line of the reply is longer than can be");
    rc = ol_item(o, c, "progress", 0, (pbay_str){w.p, w.n});
    return rc == PBAY_OK && c->ended ? PBAY_END : rc;
}

/* ------------------------------------------------------------------- health */

pbay_rc ol_health(struct ollama *o, struct call *c, pbay_str body)
{
    char text[256];
    pbay_out w = {.p = text, .room = sizeof text};
    pbay_str version = pbay_json_get(body, "version");

    pbay_out_cstr(&w, "{\"ok\":true,\"detail\":\"Ollama ");
    if (ol_filled(version))
        pbay_out_raw(&w, (pbay_str){version.p + 1, version.n - 2});
    pbay_out_cstr(&w, "\"}");
    if (!ol_filled(version) || w.failed)
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        "the reply has no version: is this an Ollama server?");
    return ol_item(o, c, "health", 0, (pbay_str){w.p, w.n});
}
