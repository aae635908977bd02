/* SPDX-License-Identifier: MIT */
/* Embeddings: each word of the text adds to eight places of the vector that its
 * hash chooses, so that texts with words in common lie close together; then the
 * vector is scaled to length 1. */
#include "lb.h"

#include <string.h>

#define PLACES 8

static double square_root(double v)
{
    double x = v > 1 ? v : 1;
    for (int i = 0; i < 64; i++)
        x = (x + v / x) / 2;
    return x;
}

static void add_word(double *sum, int64_t n, pbay_str word)
{
    uint64_t h = lb_hash(word, 0);
    for (int i = 0; i < PLACES; i++) {
        h = lb_hash((pbay_str){"", 0}, h);
        sum[h % (uint64_t)n] += h >> 63 ? 1 : -1;
    }
}

static void add_text(double *sum, int64_t n, pbay_str text)
{
    size_t start = 0;
    for (size_t i = 0; i <= text.n; i++) {
        bool word = i < text.n && (unsigned char)text.p[i] > ' ';
        if (word)
            continue;
        if (i > start)
            add_word(sum, n, (pbay_str){text.p + start, i - start});
        start = i + 1;
    }
}

static pbay_rc emit_vector(struct lb_run *r, uint32_t input, const double *sum,
                           int64_t n, bool base64)
{
    float *v = lb_alloc(r, (size_t)n * sizeof *v);
    double squares = 0;
    if (!v)
        return PBAY_NOMEM;
    for (int64_t i = 0; i < n; i++)
        squares += sum[i] * sum[i];
    double length = square_root(squares);
    for (int64_t i = 0; i < n; i++)
        v[i] = (float)(squares > 0 ? sum[i] / length : i == 0);
    pbay_event ev = {.type = PBAY_EV_VECTOR,
                     .choice = input,
                     .code = base64 ? PBAY_VEC_BASE64 : PBAY_VEC_F32,
                     .text = {(const char *)v, (size_t)n * sizeof *v}};
    if (!base64)
        return lb_emit(r, &ev);
    unsigned char *bytes = lb_alloc(r, (size_t)n * 4);
    if (!bytes)
        return PBAY_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        uint32_t word;
        memcpy(&word, &v[i], 4);
        for (int k = 0; k < 4; k++)
            bytes[i * 4 + k] = (unsigned char)(word >> 8 * k);
    }
    ev.text = lb_base64(r, bytes, (size_t)n * 4);
    return ev.text.p ? lb_emit(r, &ev) : PBAY_NOMEM;
}

/* One input: a string, or a list of token numbers, which count as words. */
static pbay_rc one_input(struct lb_run *r, uint32_t index, pbay_str input,
                         int64_t n, bool base64)
{
    double *sum = lb_alloc(r, (size_t)n * sizeof *sum);
    pbay_str number;
    if (!sum)
        return PBAY_NOMEM;
    for (int64_t i = 0; i < n; i++)
        sum[i] = 0;
    if (pbay_json_type(input) == 's') {
        pbay_str text = lb_text(r, input);
        if (!text.p)
            return PBAY_NOMEM;
        add_text(sum, n, text);
        r->input += lb_token_count(text);
    } else if (pbay_json_type(input) == 'a') {
        for (size_t pos = 0; pbay_json_next(input, &pos, NULL, &number);) {
            add_word(sum, n, number);
            r->input++;
        }
    } else {
        return lb_invalid(r, "input",
                          "input[%u] must be a string or a list "
                          "of token numbers",
                          index);
    }
    return emit_vector(r, index, sum, n, base64);
}

pbay_rc lb_embed(struct lb_run *r)
{
    pbay_str input = lb_field(r, "input"), dims = lb_field(r, "dimensions");
    pbay_str format = lb_field(r, "encoding_format"), one, first = {NULL, 0};
    int64_t n = r->in->dimensions;
    size_t pos = 0;
    if (dims.n &&
        (pbay_json_i64(dims, &n) < 0 || n < 1 || n > LB_MAX_DIMENSIONS))
        return lb_invalid(r, "dimensions",
                          "dimensions must be a whole number "
                          "from 1 to %d",
                          LB_MAX_DIMENSIONS);
    bool base64 = pbay_json_is(format, "base64");
    if (format.n && !base64 && !pbay_json_is(format, "float"))
        return lb_invalid(r, "encoding_format",
                          "encoding_format must be "
                          "\"float\" or \"base64\"");
    char type = pbay_json_type(input);
    if (type == 'a')
        pbay_json_next(input, &pos, NULL, &first);
    if (type != 's' && !first.n)
        return lb_invalid(r, "input",
                          "input must be a string or a list that "
                          "is not empty");
    pbay_rc rc = lb_first(r);
    if (type == 's' || pbay_json_type(first) == 'n') {
        if (rc == PBAY_OK)
            rc = one_input(r, 0, input, n, base64);
    } else {
        uint32_t i = 0;
        for (pos = 0; rc == PBAY_OK && pbay_json_next(input, &pos, NULL, &one);
             i++)
            rc = one_input(r, i, one, n, base64);
    }
    if (rc == PBAY_OK)
        rc = lb_last(r);
    return rc == PBAY_OK ? lb_usage(r) : rc;
}
