/* SPDX-License-Identifier: MIT */
/* OpenAI's language: the codec's callbacks as the ABI has them. */
#include "oai.h"

pbay_rc oai_codec_build(void *inst, void *st, pbay_call *call,
                        const pbay_request *req, pbay_exchange *x)
{
    struct call *c = st;

    c->call = call;
    return oai_build(inst, c, req, x);
}

pbay_rc oai_codec_head(void *inst, void *st, pbay_call *call, pbay_head *h)
{
    struct call *c = st;

    c->call = call;
    return oai_head(inst, c, h);
}

pbay_rc oai_codec_feed(void *inst, void *st, pbay_call *call,
                       const pbay_record *rec)
{
    struct call *c = st;

    c->call = call;
    return oai_feed(inst, c, rec);
}

pbay_rc oai_codec_finish(void *inst, void *st, pbay_call *call, pbay_rc why)
{
    struct call *c = st;

    c->call = call;
    return oai_finish(inst, c, why);
}
