/* SPDX-License-Identifier: MIT */
/* Cutting bodies into records: the same records however the bytes arrive, and
 * raws that joined are the body. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/framing.h"

#define MAX_RECORDS 512

/* check notes every assertion that it passes; the inner loops tell it only of
 * those that fail. */
#define MUST(cond)                                                             \
    do {                                                                       \
        if (!(cond))                                                           \
            ck_abort_msg("%s", #cond);                                         \
    } while (0)

struct seen {
    size_t n;
    char *event[MAX_RECORDS], *data[MAX_RECORDS];
    size_t data_n[MAX_RECORDS], raw_n[MAX_RECORDS];
    char raw[1 << 20];
    size_t raws;
    size_t stop_at; /* stop when so many were seen; 0: never */
};

static struct seen whole, cut;

static int take(void *arg, pbay_str event, pbay_str data, pbay_str raw)
{
    struct seen *s = arg;

    MUST(s->n < MAX_RECORDS);
    MUST(s->raws + raw.n <= sizeof s->raw);
    s->event[s->n] = str_dup(event);
    s->data[s->n] = str_dup(data);
    s->data_n[s->n] = data.n;
    s->raw_n[s->n] = raw.n;
    if (raw.n)
        memcpy(s->raw + s->raws, raw.p, raw.n);
    s->raws += raw.n;
    s->n++;
    return s->stop_at && s->n == s->stop_at ? 7 : 0;
}

static void forget(struct seen *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->event[i]);
        free(s->data[i]);
    }
    memset(s, 0, offsetof(struct seen, raw));
    s->raws = s->stop_at = 0;
}

/* Feed the body in pieces, each from memory of its own so that a record that
 * points into a piece long gone is found by the address sanitizer. */
static int run(struct seen *s, int kind, pbay_str body, size_t piece,
               size_t max, size_t *held)
{
    struct framing f;
    int rc = 0;

    forget(s);
    framing_init(&f, kind, max);
    for (size_t at = 0; at < body.n && !rc; at += piece) {
        size_t n = body.n - at < piece ? body.n - at : piece, used = 0;
        char *copy = malloc(n);

        MUST(copy);
        memcpy(copy, body.p + at, n);
        rc = framing_feed(&f, str_n(copy, n), take, s, &used);
        MUST(rc || used == n);
        free(copy);
    }
    if (!rc)
        rc = framing_end(&f, take, s);
    if (held)
        *held = f.held.n;
    framing_done(&f);
    return rc;
}

static const size_t sizes[] = {1, 2, 3, 5, 7, 11, 13, 64, 1000};

/* However it is cut: the records of the whole, and all bytes in the raws
 * followed by what is held at the end. */
static void same_everywhere(int kind, pbay_str body)
{
    size_t held;
    int rc = run(&whole, kind, body, body.n ? body.n : 1, 1 << 20, &held);

    ck_assert_int_ge(rc, 0);
    ck_assert_uint_eq(whole.raws + held, body.n);
    ck_assert_mem_eq(whole.raw, body.p, whole.raws);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ck_assert_int_eq(run(&cut, kind, body, sizes[i], 1 << 20, &held), rc);
        ck_assert_uint_eq(cut.n, whole.n);
        ck_assert_uint_eq(cut.raws + held, body.n);
        ck_assert_mem_eq(cut.raw, body.p, cut.raws);
        for (size_t k = 0; k < whole.n; k++) {
            MUST(strcmp(cut.event[k], whole.event[k]) == 0);
            MUST(cut.data_n[k] == whole.data_n[k]);
            MUST(memcmp(cut.data[k], whole.data[k], cut.data_n[k]) == 0);
            MUST(cut.raw_n[k] == whole.raw_n[k]);
        }
    }
}

/* `text` with every \n written as `end`. */
static pbay_str with_ends(const char *text, const char *end, char *dst,
                          size_t room)
{
    size_t n = 0, k = strlen(end);

    for (; *text; text++) {
        MUST(n + k < room);
        if (*text == '\n') {
            memcpy(dst + n, end, k);
            n += k;
        } else {
            dst[n++] = *text;
        }
    }
    return str_n(dst, n);
}

struct expect {
    const char *event, *data;
};

static void expect(const struct seen *s, const struct expect *want, size_t n)
{
    ck_assert_uint_eq(s->n, n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_str_eq(s->event[i], want[i].event);
        ck_assert_str_eq(s->data[i], want[i].data);
    }
}

static const char *const line_ends[] = {"\n", "\r\n", "\r"};

START_TEST(sse_records)
{
    static const char text[] =
        "\xef\xbb\xbf"
        ": a comment\n\n"
        "data: {\"a\":1}\n\n"
        "event: ping\ndata:no space\n\n"
        "data:  two spaces\n\n"
        "data: first\ndata: second\n:inside\ndata\ndata:third\n\n"
        "id: 5\nretry: 10\n\n" /* neither data nor a name: no record */
        "event\n\n"            /* an empty name is none */
        "event: named\n\n"
        "event: old\nevent: new\ndata: x\nunknown: y\n\n"
        "data\n\n"
        "data: colons: in: it\n\n"
        "\n\n: keep-alive\n\n: keep-alive\n\n"
        "data: [DONE]\n\n";
    static const struct expect want[] = {
        {"", "{\"a\":1}"},
        {"ping", "no space"},
        {"", " two spaces"},
        {"", "first\nsecond\n\nthird"},
        {"named", ""},
        {"new", "x"},
        {"", ""},
        {"", "colons: in: it"},
        {"", "[DONE]"},
    };
    char body[2 * sizeof text];
    pbay_str b = with_ends(text, line_ends[_i], body, sizeof body);

    same_everywhere(PBAY_FRAME_SSE, b);
    expect(&whole, want, sizeof want / sizeof *want);
    ck_assert_uint_eq(whole.raws, b.n);
}
END_TEST

/* Two seeds of one generator: random texts from an alphabet that is all
 * trouble, so that line ends of every kind meet. */
static unsigned rnd(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 16;
}

START_TEST(sse_random)
{
    static const char *const words[] = {
        "data: ",  "data:",    "data", "event: e", "event:", ":",
        ": x",     "\n",       "\n",   "\n\n",     "\r",     "\r",
        "\r\n",    "\r\n\r\n", "id: 1", "abc",     "{\"k\":\"v\"}",
        "\xef\xbb\xbf", " ",  "data: line\n",
    };
    unsigned state = (unsigned)_i + 1;
    char body[1024];
    size_t n = 0, parts = rnd(&state) % 90;

    for (size_t i = 0; i < parts; i++) {
        const char *w = words[rnd(&state) % (sizeof words / sizeof *words)];

        memcpy(body + n, w, strlen(w));
        n += strlen(w);
    }
    same_everywhere(PBAY_FRAME_SSE, str_n(body, n));
    same_everywhere(PBAY_FRAME_NDJSON, str_n(body, n));
    same_everywhere(PBAY_FRAME_WHOLE, str_n(body, n));
}
END_TEST

/* A long stream like a provider's, in every line end: the count, the order and
 * the bytes. */
START_TEST(sse_stream)
{
    static char text[40000], body[80000];
    size_t n = 0;
    pbay_str b;

    for (int i = 0; i < 300; i++) {
        if (i % 10 == 0)
            n += (size_t)snprintf(text + n, sizeof text - n,
                                  ": keep-alive\n\n");
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "event: delta\ndata: {\"i\":%d,\n"
                              "data: \"t\":\"%.*s\"}\n\n",
                              i, i % 40,
                              "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop");
        ck_assert_uint_lt(n, sizeof text);
    }
    b = with_ends(text, line_ends[_i], body, sizeof body);
    same_everywhere(PBAY_FRAME_SSE, b);
    ck_assert_uint_eq(whole.n, 300);
    ck_assert_uint_eq(whole.raws, b.n);
    for (int i = 0; i < 300; i++) {
        char start[32];

        snprintf(start, sizeof start, "{\"i\":%d,\n\"t\"", i);
        ck_assert(str_starts(str_c(whole.data[i]), start));
        ck_assert_str_eq(whole.event[i], "delta");
    }
}
END_TEST

/* A record comes with the byte that completes it, not with the next one. */
START_TEST(sse_prompt)
{
    static const struct {
        const char *first, *then;
    } c[] = {{"data: a\n\n", "data: b\n\n"},
             {"data: a\r\n\r\n", "data: b\r\n\r\n"},
             {"data: a\r\r", "data: b\r\r"}};
    struct framing f;

    forget(&cut);
    framing_init(&f, PBAY_FRAME_SSE, 1000);
    ck_assert_int_eq(
        framing_feed(&f, str_c(c[_i].first), take, &cut, NULL), 0);
    ck_assert_uint_eq(cut.n, 1);
    for (const char *p = c[_i].then; *p; p++)
        ck_assert_int_eq(framing_feed(&f, str_n(p, 1), take, &cut, NULL), 0);
    ck_assert_uint_eq(cut.n, 2);
    ck_assert_int_eq(framing_end(&f, take, &cut), 0);
    framing_done(&f);
}
END_TEST

/* An event without its blank line is not complete, whatever it says. */
START_TEST(sse_cut)
{
    static const struct {
        const char *body;
        size_t n;
        int end;
    } c[] = {
        {"data: a\n\ndata: b\n", 1, 1},
        {"data: a\n\ndata: b", 1, 1},
        {"data: a\n\nda", 1, 1},
        {"data: a\n\n: comment", 1, 0},
        {"data: a\n\n: comment\n", 1, 0},
        {"data: a\n\n\n", 1, 0},
        {"data: a\n\n", 1, 0},
        {"data: a\r\n\r", 1, 0}, /* the CR alone is the blank line */
        {"data: a\n\nid: 4\n", 1, 1},
        {"", 0, 0},
        {"{\"error\":\"not a stream\"}", 0, 1},
    };

    for (size_t piece = 1; piece < 30; piece += 3) {
        int rc = run(&cut, PBAY_FRAME_SSE, str_c(c[_i].body), piece, 100, NULL);

        ck_assert_int_eq(rc, c[_i].end);
        ck_assert_uint_eq(cut.n, c[_i].n);
    }
}
END_TEST

START_TEST(ndjson_records)
{
    static const char text[] =
        "{\"a\":1}\n\n\r\n{\"b\":2}\r\n \n{\"c\":\"\r\"}\n{\"last\":true}";
    static const struct expect want[] = {{"", "{\"a\":1}"},
                                         {"", "{\"b\":2}"},
                                         {"", " "},
                                         {"", "{\"c\":\"\r\"}"},
                                         {"", "{\"last\":true}"}};

    same_everywhere(PBAY_FRAME_NDJSON, str_c(text));
    expect(&whole, want, sizeof want / sizeof *want);
    ck_assert_uint_eq(whole.raws, strlen(text));
}
END_TEST

START_TEST(whole_record)
{
    same_everywhere(PBAY_FRAME_WHOLE, STR("{\"a\":\n1}\r\n"));
    ck_assert_uint_eq(whole.n, 1);
    ck_assert_str_eq(whole.data[0], "{\"a\":\n1}\r\n");
    /* an empty body is a record too: somebody waits for it */
    ck_assert_int_eq(run(&cut, PBAY_FRAME_WHOLE, STR(""), 1, 10, NULL), 0);
    ck_assert_uint_eq(cut.n, 1);
    ck_assert_uint_eq(cut.data_n[0], 0);
}
END_TEST

START_TEST(raw_pieces)
{
    ck_assert_int_eq(
        run(&cut, PBAY_FRAME_RAW, STR("data: a\n\nxyz"), 5, 10, NULL), 0);
    ck_assert_uint_eq(cut.n, 3);
    ck_assert_str_eq(cut.data[0], "data:");
    ck_assert_str_eq(cut.data[2], "yz");
    ck_assert_uint_eq(cut.raws, 12);
}
END_TEST

/* The bound holds for a record, not for the body, and at every piece size. */
START_TEST(limits)
{
    static const struct {
        int kind;
        const char *fits, *over;
    } c[] = {
        {PBAY_FRAME_SSE, "data: 12345678901\n\ndata: 2\n\ndata: 3\n\n",
         "data: 2\n\ndata: 1234567890123\n\n"},
        {PBAY_FRAME_SSE, "data: 1\ndata: 2\n\n\ndata: 2\ndata: 3\n\n",
         "data: 1\ndata: 2\ndata: 3\n\n"},
        {PBAY_FRAME_SSE, ": 3456789012345\n\n\n\n", ": 345678901234567890\n"},
        {PBAY_FRAME_NDJSON, "1234567890123456789\n123456789\n",
         "1\n12345678901234567890\n"},
        {PBAY_FRAME_WHOLE, "12345678901234567890", "123456789012345678901"},
    };

    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        for (size_t piece = 1; piece < 50; piece += 4) {
            ck_assert_int_eq(
                run(&cut, c[i].kind, str_c(c[i].fits), piece, 20, NULL), 0);
            ck_assert_int_eq(
                run(&cut, c[i].kind, str_c(c[i].over), piece, 20, NULL),
                -EMSGSIZE);
        }
    }
}
END_TEST

/* The function stops the feeding; `used` says where, and the rest can be fed
 * later as if nothing had happened. */
START_TEST(stopping)
{
    static const char text[] = "data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4";
    struct framing f;
    size_t used;

    for (size_t head = 0; head < 12; head++) {
        forget(&cut);
        cut.stop_at = 2;
        framing_init(&f, PBAY_FRAME_SSE, 1000);
        ck_assert_int_eq(
            framing_feed(&f, str_n(text, head), take, &cut, &used), 0);
        ck_assert_uint_eq(used, head);
        ck_assert_int_eq(
            framing_feed(&f, str_c(text + head), take, &cut, &used), 7);
        ck_assert_uint_eq(head + used, 18);
        ck_assert_uint_eq(cut.n, 2);
        ck_assert_int_eq(
            framing_feed(&f, str_c(text + 18), take, &cut, &used), 0);
        ck_assert_uint_eq(cut.n, 3);
        ck_assert_int_eq(framing_end(&f, take, &cut), 1);
        framing_done(&f);
    }
}
END_TEST

/* fn's own 1 is not mistaken for something else. */
static int one(void *arg, pbay_str event, pbay_str data, pbay_str raw)
{
    (void)event, (void)data, (void)raw;
    ++*(int *)arg;
    return 1;
}

START_TEST(stopping_with_one)
{
    struct framing f;
    size_t used;
    int n = 0;

    framing_init(&f, PBAY_FRAME_SSE, 1000);
    ck_assert_int_eq(framing_feed(&f, STR("data: 1"), one, &n, &used), 0);
    ck_assert_int_eq(
        framing_feed(&f, STR("\n\ndata: 2\n\n"), one, &n, &used), 1);
    ck_assert_int_eq(n, 1);
    ck_assert_uint_eq(used, 2);
    framing_done(&f);
}
END_TEST

/* Keep-alives can be had before the next event comes, and all bytes still come
 * exactly once. */
START_TEST(idle)
{
    struct framing f;
    pbay_str s;

    forget(&cut);
    framing_init(&f, PBAY_FRAME_SSE, 1000);
    ck_assert_uint_eq(framing_take_idle(&f).n, 0);
    framing_feed(&f, STR(": processing\n\n: proc"), take, &cut, NULL);
    s = framing_take_idle(&f);
    ck_assert(str_is(s, ": processing\n\n"));
    ck_assert_uint_eq(framing_take_idle(&f).n, 0);
    framing_feed(&f, STR("essing\n"), take, &cut, NULL);
    ck_assert(str_is(framing_take_idle(&f), ": processing\n"));
    framing_feed(&f, STR("\n\ndata: "), take, &cut, NULL);
    ck_assert(str_is(framing_take_idle(&f), "\n\n"));
    framing_feed(&f, STR("1\n"), take, &cut, NULL);
    ck_assert_uint_eq(framing_take_idle(&f).n, 0);
    framing_feed(&f, STR(": inside\n\n\r\n: x\r"), take, &cut, NULL);
    ck_assert_uint_eq(cut.n, 1);
    ck_assert(str_is(framing_take_idle(&f), "\r\n: x\r"));
    framing_feed(&f, STR("\n"), take, &cut, NULL);
    ck_assert(str_is(framing_take_idle(&f), "\n"));
    framing_feed(&f, STR("data: 2\n\n"), take, &cut, NULL);
    ck_assert_uint_eq(cut.n, 2);
    ck_assert_str_eq(cut.data[1], "2");
    ck_assert_int_eq(framing_end(&f, take, &cut), 0);
    ck_assert(str_is(str_n(cut.raw, cut.raws),
                     "data: 1\n: inside\n\ndata: 2\n\n"));
    framing_done(&f);
}
END_TEST

/* A 10 MB line in small pieces takes time in proportion to its length: each
 * byte is looked at once. */
START_TEST(long_line)
{
    size_t n = 10u << 20;
    char *body = malloc(n);
    struct framing f;

    ck_assert_ptr_nonnull(body);
    memset(body, 'x', n);
    memcpy(body, "data: ", 6);
    memcpy(body + n - 2, "\n\n", 2);
    forget(&cut);
    framing_init(&f, PBAY_FRAME_SSE, n);
    for (size_t at = 0; at < n - 4096; at += 1024)
        MUST(!framing_feed(&f, str_n(body + at, 1024), take, &cut, NULL));
    ck_assert_uint_eq(cut.n, 0);
    ck_assert_uint_ge(f.scanned, n - 8192);
    framing_done(&f);
    framing_init(&f, PBAY_FRAME_SSE, 1 << 20);
    ck_assert_int_eq(
        framing_feed(&f, str_n(body, n), take, &cut, NULL), -EMSGSIZE);
    framing_done(&f);
    free(body);
}
END_TEST

static void done(void)
{
    forget(&whole);
    forget(&cut);
}

int main(void)
{
    Suite *s = suite_create("framing");
    TCase *tc = tcase_create("framing");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(tc, NULL, done);
    tcase_add_loop_test(tc, sse_records, 0, 3);
    tcase_add_loop_test(tc, sse_random, 0, 400);
    tcase_add_loop_test(tc, sse_stream, 0, 3);
    tcase_add_loop_test(tc, sse_prompt, 0, 3);
    tcase_add_loop_test(tc, sse_cut, 0, 11);
    tcase_add_test(tc, ndjson_records);
    tcase_add_test(tc, whole_record);
    tcase_add_test(tc, raw_pieces);
    tcase_add_test(tc, limits);
    tcase_add_test(tc, stopping);
    tcase_add_test(tc, stopping_with_one);
    tcase_add_test(tc, idle);
    tcase_add_test(tc, long_line);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
