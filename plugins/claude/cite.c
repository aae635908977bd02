/* SPDX-License-Identifier: MIT */
/* claude.so: citations of a text, as annotations.  What Anthropic says of a
 * source that OpenAI's form has no member for stands beside it, as it came. */
#include "claude.h"

static pbay_str string(pbay_str of, const char *name, const char *or_else)
{
    pbay_str v = pbay_json_get(of, name);

    if (pbay_json_type(v) != 's')
        v = or_else ? pbay_json_get(of, or_else) : (pbay_str){NULL, 0};
    return pbay_json_type(v) == 's' ? v : CL("\"\"");
}

static void span(const struct call *c, pbay_out *w, uint64_t from)
{
    pbay_out_cstr(w, "\"start_index\":");
    pbay_out_i64(w, (int64_t)from);
    pbay_out_cstr(w, ",\"end_index\":");
    pbay_out_i64(w, (int64_t)c->chars);
}

/* A page, or a search result of the client's; title or URL may be unknown. */
static void from_url(const struct call *c, pbay_out *w, uint64_t from,
                     pbay_str citation)
{
    pbay_out_cstr(w, "{\"type\":\"url_citation\",\"url_citation\":{");
    span(c, w, from);
    pbay_out_cstr(w, ",\"url\":");
    pbay_out_raw(w, string(citation, "url", "source"));
    pbay_out_cstr(w, ",\"title\":");
    pbay_out_raw(w, string(citation, "title", NULL));
}

/* A document of the request. */
static void from_file(const struct call *c, pbay_out *w, uint64_t from,
                      pbay_str citation)
{
    int64_t index;

    pbay_out_cstr(w, "{\"type\":\"file_citation\",\"file_citation\":{");
    span(c, w, from);
    pbay_out_cstr(w, ",\"filename\":");
    pbay_out_raw(w, string(citation, "document_title", "title"));
    if (pbay_json_i64(pbay_json_get(citation, "document_index"), &index) < 0)
        return;
    pbay_out_cstr(w, ",\"index\":");
    pbay_out_i64(w, index);
}

static pbay_rc annotation(struct claude *o, struct call *c, uint64_t from,
                          pbay_str citation)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = cl_grow, .arg = with};
    pbay_event ev = {.type = PBAY_EV_ANNOTATION};

    if (pbay_json_type(pbay_json_get(citation, "url")) == 's' ||
        pbay_json_type(pbay_json_get(citation, "source")) == 's')
        from_url(c, &w, from, citation);
    else
        from_file(c, &w, from, citation);
    pbay_out_cstr(&w, "},\"patchbay_citation\":");
    pbay_out_raw(&w, citation);
    pbay_out_cstr(&w, "}");
    ev.json = (pbay_str){w.p, w.n};
    return w.failed ? PBAY_NOMEM : cl_emit(o, c, &ev);
}

/* There is no place for them in the client's form: said once. */
static pbay_rc lost(struct claude *o, struct call *c)
{
    pbay_event ev = {.type = PBAY_EV_WARNING,
                     .name = CL("citations"),
                     .text = CL("the answer has some; they cannot be told in "
                                "this request's form")};

    if (c->cites_lost || !cl_wants(c, PBAY_EV_WARNING))
        return PBAY_OK;
    c->cites_lost = 1;
    return cl_emit(o, c, &ev);
}

pbay_rc cl_citations(struct claude *o, struct call *c, uint64_t from,
                     pbay_str list)
{
    pbay_str citation;
    size_t pos = 0;
    pbay_rc rc = PBAY_OK;

    if (!cl_wants(c, PBAY_EV_TEXT))
        return PBAY_OK;
    while (rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &citation)) {
        if (pbay_json_type(pbay_json_get(citation, "type")) != 's')
            continue; /* it says nothing */
        rc = cl_wants(c, PBAY_EV_ANNOTATION) ? annotation(o, c, from, citation)
                                             : lost(o, c);
    }
    return rc;
}
