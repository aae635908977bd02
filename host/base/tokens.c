/* SPDX-License-Identifier: MIT */
/* The estimator of tokens; see tokens.h.  Costs are thousandths of a token. */
#include "base/tokens.h"

#include <string.h>

#include "base/str.h"
#include <patchbay/json.h>

enum kind {
    NOTHING,
    WORD,
    NUMBER,
    SIGNS,
    SPACE
};

/* By length, from 1; longer ones cost `more` for each further letter. */
struct costs {
    uint16_t of[16];
    uint16_t more;
};

/* Words of ASCII letters in texts that have few others (English, code), and in
 * texts that have many (German, French). */
static const struct costs plain_words = {{1000, 1000, 1010, 1030, 1060, 1060,
                                          1100, 1130, 1180, 1200, 1300, 1400,
                                          1500, 1650, 2100, 2400},
                                         300};
static const struct costs rich_words = {{1000, 1000, 1010, 1050, 1090, 1320,
                                         1400, 1550, 1650, 2000, 2250, 2500,
                                         2600, 2900, 3200, 3300},
                                        250};
/* Words that begin with a capital, and those with other letters of Latin's. */
static const struct costs upper_words = {{1000, 1000, 1080, 1200, 1300, 1450,
                                          1600, 1800, 1950, 2050, 2200, 2400,
                                          2600, 2900, 3300, 3500},
                                         250};
static const struct costs wide_words = {{1000, 1000, 1050, 1250, 1500, 1500,
                                         1600, 1850, 2050, 2150, 2350, 2800,
                                         2900, 3000, 3350, 3800},
                                        250};

#define HAN    820 /* a character of Chinese */
#define KANA   750
#define HANGUL 700
#define FOREIGN                                                  \
    330 /* a letter of other scripts, a word of which costs 1000 \
         */
#define SYMBOL 1300

static uint64_t cost(const struct costs *c, unsigned length)
{
    if (length <= 16)
        return c->of[length - 1];
    return c->of[15] + (uint64_t)(length - 16) * c->more;
}

/* --- pieces -------------------------------------------------------------- */

static void end_word(struct tokens *t)
{
    t->words++;
    if (!t->ascii) {
        t->wide++;
        t->fixed += cost(&wide_words, t->length);
    } else if (t->upper) {
        t->fixed += cost(&upper_words, t->length);
    } else {
        t->plain += cost(&plain_words, t->length);
        t->rich += cost(&rich_words, t->length);
    }
}

static void end_piece(struct tokens *t)
{
    switch (t->kind) {
    case WORD:
        end_word(t);
        break;
    case NUMBER:
        t->fixed += (t->length + 2) / 3 * 1000;
        break;
    case SIGNS:
        /* The last one often goes with the word behind it. */
        t->fixed += 640 + (uint64_t)(t->length - 1) * 240;
        break;
    case SPACE:
        /* One space belongs to the word behind it. */
        if (t->newline)
            t->fixed += t->length > 2 ? 1500 : 900;
        else if (t->length > 1)
            t->fixed += 1000 + t->length / 80 * 1000;
        break;
    default:
        break;
    }
    t->kind = NOTHING;
    t->length = 0;
}

static void piece(struct tokens *t, int kind)
{
    if (t->kind != kind) {
        end_piece(t);
        t->kind = kind;
        t->ascii = true;
        t->upper = t->newline = false;
    }
    t->length++;
}

static void ascii(struct tokens *t, unsigned char c)
{
    unsigned char low = c | 0x20;

    if (low >= 'a' && low <= 'z') {
        /* camelCase is two words, and so is CAPITALSthen. */
        if (t->kind == WORD && c != low && !t->upper && t->length)
            end_piece(t);
        piece(t, WORD);
        if (t->length == 1)
            t->upper = c != low;
        else if (t->length == 2 && c == low && t->upper)
            t->upper = true;
    } else if (c >= '0' && c <= '9') {
        piece(t, NUMBER);
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        piece(t, SPACE);
        if (c == '\n')
            t->newline = true;
    } else {
        piece(t, SIGNS);
    }
}

static bool latin(uint32_t c)
{
    return c >= 0xc0 && c < 0x250 && c != 0xd7 && c != 0xf7;
}

static void beyond(struct tokens *t, uint32_t c)
{
    if (latin(c) || (c >= 0x1e00 && c < 0x1f00)) {
        piece(t, WORD);
        t->ascii = false;
        return;
    }
    end_piece(t);
    if ((c >= 0x3400 && c < 0xa000) || (c >= 0xf900 && c < 0xfb00) ||
        (c >= 0x20000 && c < 0x32000))
        t->fixed += HAN;
    else if (c >= 0x3041 && c < 0x3100)
        t->fixed += KANA;
    else if (c >= 0xac00 && c < 0xd7b0)
        t->fixed += HANGUL;
    else if (c >= 0x370 && c < 0x2000)
        t->fixed += FOREIGN;
    else if ((c >= 0x2010 && c < 0x2030) || (c >= 0x3000 && c < 0x3020) ||
             (c >= 0xff00 && c < 0xff66))
        t->fixed += 1000;
    else
        t->fixed += SYMBOL;
}

/* --- text ---------------------------------------------------------------- */

void tokens_init(struct tokens *t)
{
    memset(t, 0, sizeof(*t));
    t->ascii = true;
}

static unsigned length_of(unsigned char lead)
{
    return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
}

/* A character whose bytes are all here. */
static void whole(struct tokens *t, const unsigned char *p, unsigned n)
{
    uint32_t c = 0;

    if (n == 1 || str_utf8(str_n((const char *)p, n), &c) != n)
        end_piece(t), t->fixed += 1000;
    else
        beyond(t, c);
}

static void one(struct tokens *t, unsigned char c)
{
    if (t->n_partial && (c & 0xc0) == 0x80) {
        t->partial[t->n_partial++] = c;
        if (t->n_partial == length_of(t->partial[0])) {
            whole(t, t->partial, t->n_partial);
            t->n_partial = 0;
        }
        return;
    }
    if (t->n_partial)
        whole(t, t->partial, 1);
    t->n_partial = 0;
    if (c < 0x80)
        ascii(t, c);
    else if (length_of(c) > 1)
        t->partial[t->n_partial++] = c;
    else
        whole(t, &c, 1);
}

void tokens_add(struct tokens *t, pbay_str text)
{
    for (size_t i = 0; i < text.n; i++)
        one(t, (unsigned char)text.p[i]);
}

uint64_t tokens_sum(const struct tokens *t)
{
    struct tokens all = *t;
    uint64_t share, words;

    if (all.n_partial)
        whole(&all, all.partial, 1);
    end_piece(&all);
    /* One word in ten beyond ASCII: the dearer table alone. */
    share = all.words ? all.wide * 10000 / all.words : 0;
    if (share > 1000)
        share = 1000;
    words = (all.plain * (1000 - share) + all.rich * share) / 1000;
    return (all.fixed + words + 999) / 1000;
}

uint64_t tokens_of(pbay_str text)
{
    struct tokens t;

    tokens_init(&t);
    tokens_add(&t, text);
    return tokens_sum(&t);
}

/* --- chats --------------------------------------------------------------- */

static int hex4(const char *p)
{
    int v = 0;

    for (int i = 0; i < 4; i++) {
        int c = p[i] | 0x20;
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return -1;
        v = v << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return v;
}

/* "\uXXXX" at p, two of them for a character beyond 16 bits.  The bytes it
 * takes; 0: it is none. */
static size_t add_escaped(struct tokens *t, const char *p, size_t n)
{
    int high = n >= 6 ? hex4(p + 2) : -1, low = -1;

    if (high < 0)
        return 0;
    if (high >= 0xd800 && high < 0xdc00 && n >= 12 && p[6] == '\\' &&
        p[7] == 'u')
        low = hex4(p + 8);
    if (low >= 0xdc00 && low < 0xe000) {
        beyond(t, 0x10000 + (uint32_t)((high - 0xd800) << 10 | (low - 0xdc00)));
        return 12;
    }
    if (high < 0x80)
        ascii(t, (unsigned char)high);
    else
        beyond(t, (uint32_t)high);
    return 6;
}

/* What a JSON string stands for. */
static void add_string(struct tokens *t, pbay_str json)
{
    size_t i = 1, from = 1, end = json.n - 1;

    if (pbay_json_type(json) != 's' || json.n < 2)
        return;
    while (i < end) {
        size_t taken = 2;
        if (json.p[i] != '\\') {
            i++;
            continue;
        }
        tokens_add(t, str_n(json.p + from, i - from));
        if (i + 1 < end && json.p[i + 1] == 'u')
            taken = add_escaped(t, json.p + i, end - i);
        else if (i + 1 < end)
            ascii(t, strchr("nrtbf", json.p[i + 1])
                         ? '\n'
                         : (unsigned char)json.p[i + 1]);
        i += taken ? taken : 2;
        from = i < end ? i : end;
    }
    tokens_add(t, str_n(json.p + from, end - from));
}

/* Files and sound by their size: what is in them is not looked at. */
static uint64_t of_bytes(pbay_str base64)
{
    return pbay_json_type(base64) == 's' ? base64.n / 4 * 3 / TOKENS_FILE_BYTES
                                         : 0;
}

static uint64_t of_files(pbay_str part)
{
    return of_bytes(pbay_json_get(pbay_json_get(part, "file"), "file_data")) +
           of_bytes(pbay_json_get(pbay_json_get(part, "input_audio"), "data"));
}

static uint64_t add_part(struct tokens *t, pbay_str part, bool files)
{
    pbay_str image = pbay_json_get(part, "image_url");
    uint64_t n = files ? of_files(part) : 0;

    add_string(t, pbay_json_get(part, "text"));
    if (!image.p)
        return n;
    return n + (pbay_json_is(pbay_json_get(image, "detail"), "low")
                    ? TOKENS_IMAGE_LOW
                    : TOKENS_IMAGE);
}

static uint64_t add_message(struct tokens *t, pbay_str message, bool files)
{
    pbay_str content = pbay_json_get(message, "content"), v;
    pbay_str calls = pbay_json_get(message, "tool_calls");
    uint64_t n = TOKENS_MESSAGE;
    size_t pos = 0;

    add_string(t, content);
    while (pbay_json_type(content) == 'a' &&
           pbay_json_next(content, &pos, NULL, &v) > 0)
        n += add_part(t, v, files);
    pos = 0;
    while (pbay_json_type(calls) == 'a' &&
           pbay_json_next(calls, &pos, NULL, &v) > 0) {
        pbay_str fn = pbay_json_get(v, "function");
        add_string(t, pbay_json_get(fn, "name"));
        add_string(t, pbay_json_get(fn, "arguments"));
        n += 3;
    }
    return n;
}

static uint64_t of_chat(const pbay_kv *members, size_t n, bool files)
{
    pbay_str messages = pbay_json_find(members, n, "messages"), v;
    struct tokens t;
    uint64_t frame = 3;
    size_t pos = 0;

    tokens_init(&t);
    while (pbay_json_type(messages) == 'a' &&
           pbay_json_next(messages, &pos, NULL, &v) > 0)
        frame += add_message(&t, v, files);
    tokens_add(&t, pbay_json_find(members, n, "tools"));
    tokens_add(&t, pbay_json_get(pbay_json_find(members, n, "response_format"),
                                 "json_schema"));
    return frame + tokens_sum(&t);
}

uint64_t tokens_of_chat(const pbay_kv *members, size_t n)
{
    return of_chat(members, n, true);
}

uint64_t tokens_of_chat_text(const pbay_kv *members, size_t n)
{
    return of_chat(members, n, false);
}
