/* SPDX-License-Identifier: MIT */
/* Images: a picture of 16 by 16 pixels whose pattern and colour the prompt's
 * hash decides, as a PNG with stored (not compressed) data. */
#include "lb.h"

#include <string.h>

#define SIDE    16
#define ROW     (1 + SIDE * 3)
#define RAW     (SIDE * ROW)
#define PNG_MAX (RAW + 128)

struct png {
    unsigned char p[PNG_MAX];
    size_t n;
};

static void put32(struct png *o, uint32_t v)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        o->p[o->n++] = (unsigned char)(v >> shift);
}

/* CRC-32 as PNG has it (ISO 3309). */
static uint32_t crc32_of(const unsigned char *p, size_t n)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
    }
    return c ^ 0xffffffff;
}

static uint32_t adler32_of(const unsigned char *p, size_t n)
{
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < n; i++) {
        a = (a + p[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static void chunk(struct png *o, const char *type, const unsigned char *data,
                  size_t n)
{
    put32(o, (uint32_t)n);
    size_t from = o->n;
    memcpy(o->p + o->n, type, 4);
    if (n)
        memcpy(o->p + o->n + 4, data, n);
    o->n += 4 + n;
    put32(o, crc32_of(o->p + from, 4 + n));
}

/* Mirrored left and right, like a small emblem. */
static void draw(unsigned char raw[RAW], uint64_t seed)
{
    memset(raw, 0, RAW);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            int half = x < SIDE / 2 ? x : SIDE - 1 - x;
            bool on = seed >> (y / 2 * 8 + half) % 64 & 1;
            unsigned char *px = raw + y * ROW + 1 + x * 3;
            for (int k = 0; k < 3; k++)
                px[k] = on ? (unsigned char)(seed >> (8 * k + 5)) : 0xff;
        }
    }
}

static void make_png(struct png *o, uint64_t seed)
{
    static const unsigned char signature[] = {0x89, 'P',  'N',  'G',
                                              '\r', '\n', 0x1a, '\n'};
    /* width, height, 8 bits, RGB, deflate, standard filters, no interlace */
    static const unsigned char head[] = {0,    0, 0, SIDE, 0, 0, 0,
                                         SIDE, 8, 2, 0,    0, 0};
    unsigned char data[RAW + 11];
    /* zlib header, then one stored block */
    static const unsigned char start[] = {0x78,
                                          0x01,
                                          0x01,
                                          RAW & 0xff,
                                          RAW >> 8,
                                          (0xffff - RAW) & 0xff,
                                          (0xffff - RAW) >> 8};
    o->n = 0;
    memcpy(o->p, signature, sizeof signature);
    o->n += sizeof signature;
    chunk(o, "IHDR", head, sizeof head);
    memcpy(data, start, sizeof start);
    draw(data + sizeof start, seed);
    uint32_t sum = adler32_of(data + sizeof start, RAW);
    for (int i = 0; i < 4; i++)
        data[sizeof start + RAW + i] = (unsigned char)(sum >> (24 - 8 * i));
    chunk(o, "IDAT", data, sizeof data);
    chunk(o, "IEND", NULL, 0);
}

static pbay_rc one_image(struct lb_run *r, uint32_t index, pbay_str prompt,
                         bool url)
{
    struct png png;
    make_png(&png, lb_hash(prompt, index));
    pbay_str text = lb_base64(r, png.p, png.n);
    if (!text.p)
        return PBAY_NOMEM;
    pbay_out o = lb_out(r);
    pbay_out_cstr(&o, url ? "{\"url\":\"data:image/png;base64,"
                          : "{\"b64_json\":\"");
    pbay_out_raw(&o, text);
    pbay_out_cstr(&o, "\",\"revised_prompt\":");
    pbay_out_string(&o, prompt);
    pbay_out_cstr(&o, "}");
    return lb_item(r, "image", index, &o);
}

pbay_rc lb_image(struct lb_run *r)
{
    pbay_str prompt = lb_field(r, "prompt"), n = lb_field(r, "n");
    pbay_str format = lb_field(r, "output_format");
    bool url = pbay_json_is(lb_field(r, "response_format"), "url");
    int64_t count = 1;
    if (pbay_json_type(prompt) != 's')
        return lb_invalid(r, "prompt", "prompt must be a string");
    if (n.n && (pbay_json_i64(n, &count) < 0 || count < 1 || count > 10))
        return lb_invalid(r, "n", "n must be a whole number from 1 to 10");
    if (format.n && !pbay_json_is(format, "png"))
        return lb_invalid(r, "output_format",
                          "loopback makes only \"png\" images");
    prompt = lb_text(r, prompt);
    if (!prompt.p)
        return PBAY_NOMEM;
    r->input = lb_token_count(prompt);
    pbay_rc rc = lb_first(r);
    for (int64_t i = 0; i < count && rc == PBAY_OK; i++)
        rc = one_image(r, (uint32_t)i, prompt, url);
    if (rc == PBAY_OK)
        rc = lb_last(r);
    return rc == PBAY_OK ? lb_usage(r) : rc;
}
