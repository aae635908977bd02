/* SPDX-License-Identifier: MIT */
/* The URLs of the OpenAI dialect. */
#include "dialect/openai.h"

#include "base/str.h"
#include "dialect/ops.h"

static void take_chat(struct dialog *x, pbay_str body)
{
    struct err e;

    err_clear(&e);
    if (oa_read_body(x, body, &e) < 0)
        dl_error(x, &e);
    else
        dl_chat(x);
}

static void take_items(struct dialog *x, pbay_str body)
{
    struct err e;

    err_clear(&e);
    if (oa_read_body(x, body, &e) < 0)
        dl_error(x, &e);
    else
        oa_items(x);
}

static void list_models(struct dialog *x)
{
    oa_models(x, STR_NONE);
}

static void show_model(struct dialog *x)
{
    pbay_str details = ops_query(x, "details");

    if (str_is(details, "true") || str_is(details, "1"))
        ops_show(x, x->rest);
    else
        oa_models(x, x->rest);
}

#define POST(p, o, d, t)                                          \
    {                                                             \
        .method = "POST", .path = (p), .op = (o), .dialect = (d), \
        .right = RIGHT_CHAT, .form = &oa_form, .take = (t)        \
    }
#define GET(p, o, h)                                                  \
    {                                                                 \
        .method = "GET", .path = (p), .op = (o), .right = RIGHT_CHAT, \
        .form = &oa_form, .handle = (h)                               \
    }

const struct dl_route oa_routes[] = {
    POST("/v1/chat/completions", PBAY_OP_CHAT, "openai.chat/1", take_chat),
    POST("/v1/embeddings", PBAY_OP_EMBED, "openai.embeddings/1", take_items),
    POST("/v1/moderations", PBAY_OP_MODERATE, "openai.moderations/1",
         take_items),
    POST("/v1/images/generations", PBAY_OP_IMAGE, "openai.images/1",
         take_items),
    GET("/v1/models", PBAY_OP_LIST, list_models),
    GET("/v1/models/", PBAY_OP_SHOW, show_model),
    {.method = NULL},
};
