/* SPDX-License-Identifier: MIT */
/* The HTTP/1.x request parser: where a head ends, its request line and header
 * lines, what frames its body, and how to read paths.  Chunked bodies are in
 * chunked.c. */
#include "config.h"

#include "http/parse.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/parse_int.h"

/* What a byte may be part of. */
const unsigned char http_class[256] = {
    ['\t'] = HC_VALUE,
    [' '] = HC_VALUE,
    ['!'] = HC_TOKEN | HC_VALUE | HC_TARGET | HC_HOST,
    ['"'] = HC_VALUE,
    ['#'] = HC_TOKEN | HC_VALUE,
    ['$'] = HC_TOKEN | HC_VALUE | HC_TARGET | HC_HOST,
    ['%'] = HC_TOKEN | HC_VALUE | HC_TARGET | HC_HOST,
    ['&'] = HC_TOKEN | HC_VALUE | HC_TARGET | HC_HOST,
    ['\''] = HC_TOKEN | HC_VALUE | HC_TARGET | HC_HOST,
    ['('] = HC_VALUE | HC_TARGET | HC_HOST,
    [')'] = HC_VALUE | HC_TARGET | HC_HOST,
    ['*'] = HC_TOKEN | HC_VALUE | HC_TARGET | HC_HOST,
    ['+'] = HC_TOKEN | HC_VALUE | HC_TARGET | HC_HOST,
    [','] = HC_VALUE | HC_TARGET | HC_HOST,
    ['-'] = HC_TOKEN | HC_VALUE | HC_TARGET | HC_HOST,
    ['.'] = HC_TOKEN | HC_VALUE | HC_TARGET | HC_HOST,
    ['/'] = HC_VALUE | HC_TARGET,
    ['0'] = HC_ALNUM,
    ['1'] = HC_ALNUM,
    ['2'] = HC_ALNUM,
    ['3'] = HC_ALNUM,
    ['4'] = HC_ALNUM,
    ['5'] = HC_ALNUM,
    ['6'] = HC_ALNUM,
    ['7'] = HC_ALNUM,
    ['8'] = HC_ALNUM,
    ['9'] = HC_ALNUM,
    [':'] = HC_VALUE | HC_TARGET | HC_HOST,
    [';'] = HC_VALUE | HC_TARGET | HC_HOST,
    ['<'] = HC_VALUE,
    ['='] = HC_VALUE | HC_TARGET | HC_HOST,
    ['>'] = HC_VALUE,
    ['?'] = HC_VALUE | HC_TARGET,
    ['@'] = HC_VALUE | HC_TARGET,
    ['A'] = HC_ALNUM,
    ['B'] = HC_ALNUM,
    ['C'] = HC_ALNUM,
    ['D'] = HC_ALNUM,
    ['E'] = HC_ALNUM,
    ['F'] = HC_ALNUM,
    ['G'] = HC_ALNUM,
    ['H'] = HC_ALNUM,
    ['I'] = HC_ALNUM,
    ['J'] = HC_ALNUM,
    ['K'] = HC_ALNUM,
    ['L'] = HC_ALNUM,
    ['M'] = HC_ALNUM,
    ['N'] = HC_ALNUM,
    ['O'] = HC_ALNUM,
    ['P'] = HC_ALNUM,
    ['Q'] = HC_ALNUM,
    ['R'] = HC_ALNUM,
    ['S'] = HC_ALNUM,
    ['T'] = HC_ALNUM,
    ['U'] = HC_ALNUM,
    ['V'] = HC_ALNUM,
    ['W'] = HC_ALNUM,
    ['X'] = HC_ALNUM,
    ['Y'] = HC_ALNUM,
    ['Z'] = HC_ALNUM,
    ['['] = HC_VALUE | HC_TARGET | HC_HOST,
    ['\\'] = HC_VALUE,
    [']'] = HC_VALUE | HC_TARGET | HC_HOST,
    ['^'] = HC_TOKEN | HC_VALUE,
    ['_'] = HC_ALNUM,
    ['`'] = HC_TOKEN | HC_VALUE,
    ['a'] = HC_ALNUM,
    ['b'] = HC_ALNUM,
    ['c'] = HC_ALNUM,
    ['d'] = HC_ALNUM,
    ['e'] = HC_ALNUM,
    ['f'] = HC_ALNUM,
    ['g'] = HC_ALNUM,
    ['h'] = HC_ALNUM,
    ['i'] = HC_ALNUM,
    ['j'] = HC_ALNUM,
    ['k'] = HC_ALNUM,
    ['l'] = HC_ALNUM,
    ['m'] = HC_ALNUM,
    ['n'] = HC_ALNUM,
    ['o'] = HC_ALNUM,
    ['p'] = HC_ALNUM,
    ['q'] = HC_ALNUM,
    ['r'] = HC_ALNUM,
    ['s'] = HC_ALNUM,
    ['t'] = HC_ALNUM,
    ['u'] = HC_ALNUM,
    ['v'] = HC_ALNUM,
    ['w'] = HC_ALNUM,
    ['x'] = HC_ALNUM,
    ['y'] = HC_ALNUM,
    ['z'] = HC_ALNUM,
    ['{'] = HC_VALUE,
    ['|'] = HC_TOKEN | HC_VALUE,
    ['}'] = HC_VALUE,
    ['~'] = HC_TOKEN | HC_VALUE | HC_TARGET | HC_HOST,
};

/* Room for method and version beside the target on the request line. */
#define LINE_SLACK 64
#define METHOD_MAX 32
#define EMPTY_LINES 1

static int bad(struct http_head *head, int status, const char *why)
{
    head->status = status;
    head->why = why;
    return HTTP_PARSE_BAD;
}

/* Skip the empty lines in front (some clients send one after a body). */
static int skip_empty(pbay_str b, struct http_head *head, size_t *start)
{
    size_t at = 0;
    for (int lines = 0; at < b.n && b.p[at] == '\r'; lines++) {
        if (lines == EMPTY_LINES)
            return bad(head, 400, "too many empty lines before the request");
        if (at + 1 == b.n) {
            *start = b.n;
            return HTTP_PARSE_MORE;
        }
        if (b.p[at + 1] != '\n')
            return bad(head, 400, "a CR that no LF follows");
        at += 2;
    }
    *start = at;
    if (at == b.n)
        return HTTP_PARSE_MORE;
    if (b.p[at] == 0x16)
        return bad(head, 400, "this port speaks plain HTTP, not TLS");
    if (!http_is(b.p[at], HC_TOKEN))
        return bad(head, 400, "the request does not begin with a method");
    return HTTP_PARSE_DONE;
}

/* Find where the head ends, looking only at bytes not seen before.  Every
 * verdict depends on the bytes up to one position, in their order: however the
 * head is cut into pieces, the outcome is the same. */
static int find_end(pbay_str b, size_t seen, size_t max_uri, size_t max_head,
                    struct http_head *head, size_t *start, size_t *end)
{
    int rc = skip_empty(b, head, start);
    if (rc != HTTP_PARSE_DONE)
        return rc;
    size_t bound = *start + max_uri + LINE_SLACK;
    if (bound > max_head)
        bound = max_head;
    if (b.n >= bound && seen < bound &&
        (bound <= *start || !memchr(b.p + *start, '\n', bound - *start)))
        return bad(head, 414, "the request line is too long");
    size_t at = seen > *start ? seen : *start;
    while (at < b.n) {
        const char *lf = memchr(b.p + at, '\n', b.n - at);
        if (!lf)
            break;
        size_t j = (size_t)(lf - b.p);
        if (j >= max_head)
            break;
        if (lf[-1] != '\r')
            return bad(head, 400, "a line that ends in LF without CR");
        if (lf[-2] == '\n') {
            *end = j + 1;
            return HTTP_PARSE_DONE;
        }
        at = j + 1;
    }
    if (b.n >= max_head)
        return bad(head, 431, "the request headers are too large");
    return HTTP_PARSE_MORE;
}

static bool known_method(pbay_str m)
{
    static const char *const known[] = {"GET",    "POST",    "HEAD",  "PUT",
                                        "DELETE", "OPTIONS", "PATCH", NULL};
    for (const char *const *k = known; *k; k++) {
        if (str_is(m, *k))
            return true;
    }
    return false;
}

/* Does the path have a segment ".."? */
static bool climbs(pbay_str path)
{
    const char *p = path.p, *end = path.p + path.n;
    while (p < end) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        if (!slash)
            slash = end;
        if (slash - p == 2 && p[0] == '.' && p[1] == '.')
            return true;
        p = slash + 1;
    }
    return false;
}

/* Cut "http://authority" off an absolute target; what is left is its path. */
static int cut_authority(struct http_head *head, pbay_str *rest)
{
    pbay_str t = head->target;
    size_t skip = str_ieq(str_n(t.p, t.n < 7 ? t.n : 7), STR("http://"))    ? 7
                  : str_ieq(str_n(t.p, t.n < 8 ? t.n : 8), STR("https://")) ? 8
                                                                            : 0;
    if (!skip)
        return bad(head, 400, "the target is neither a path nor an http URL");
    size_t at = skip;
    while (at < t.n && http_is(t.p[at], HC_HOST))
        at++;
    if (at == skip || (at < t.n && t.p[at] != '/' && t.p[at] != '?'))
        return bad(head, 400, "the URL has no valid host");
    *rest = str_n(t.p + at, t.n - at);
    return HTTP_PARSE_DONE;
}

static int parse_target(struct http_head *head, size_t max_uri)
{
    pbay_str t = head->target;
    if (!t.n)
        return bad(head, 400, "the request line has no target");
    if (t.n > max_uri)
        return bad(head, 414, "the request target is too long");
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '#')
            return bad(head, 400, "the target has a fragment");
        if (!http_is(t.p[i], HC_TARGET))
            return bad(head, 400, "the target has a byte that is no URL's");
    }
    head->query = STR_NONE;
    if (str_is(t, "*")) {
        head->path = t;
        return str_is(head->method, "OPTIONS")
                   ? HTTP_PARSE_DONE
                   : bad(head, 400, "the target * is for OPTIONS alone");
    }
    if (t.p[0] != '/' && cut_authority(head, &t) != HTTP_PARSE_DONE)
        return HTTP_PARSE_BAD;
    const char *q = t.n ? memchr(t.p, '?', t.n) : NULL;
    head->path = q ? str_n(t.p, (size_t)(q - t.p)) : t;
    if (q)
        head->query = str_n(q + 1, t.n - head->path.n - 1);
    if (!head->path.n)
        head->path = STR("/");
    if (climbs(head->path))
        return bad(head, 400, "the path climbs with \"..\"");
    return HTTP_PARSE_DONE;
}

static int parse_version(struct http_head *head, pbay_str v)
{
    if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[6] != '.' ||
        v.p[5] < '0' || v.p[5] > '9' || v.p[7] < '0' || v.p[7] > '9')
        return bad(head, 400, "the request line does not end in HTTP/1.1");
    if (v.p[5] != '1' || v.p[7] > '1')
        return bad(head, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    head->minor = v.p[7] - '0';
    return HTTP_PARSE_DONE;
}

/* METHOD SP target SP HTTP/1.x */
static int parse_line(struct http_head *head, pbay_str line, size_t max_uri)
{
    size_t m = 0;
    while (m < line.n && http_is(line.p[m], HC_TOKEN))
        m++;
    if (m == line.n || line.p[m] != ' ')
        return bad(head, 400, "the request does not begin with a method");
    head->method = str_n(line.p, m);
    pbay_str rest = str_n(line.p + m + 1, line.n - m - 1);
    const char *sp = rest.n ? memchr(rest.p, ' ', rest.n) : NULL;
    if (!sp)
        return bad(head, 400, "the request line has not three parts");
    head->target = str_n(rest.p, (size_t)(sp - rest.p));
    rest = str_n(sp + 1, rest.n - head->target.n - 1);
    int rc = parse_version(head, rest);
    if (rc != HTTP_PARSE_DONE)
        return rc;
    if (m > METHOD_MAX || !known_method(head->method))
        return bad(head, 501, "this method is not served");
    return parse_target(head, max_uri);
}

/* --- what the headers say about framing --- */

/* Which of them have been seen. */
struct seen {
    bool host, length, coding, close, keep;
};

static int on_length(struct http_head *head, struct seen *seen, pbay_str v)
{
    if (seen->length)
        return bad(head, 400, "two Content-Length headers");
    seen->length = true;
    if (!v.n || v.n > 18)
        return bad(head, 400, "Content-Length is not a usable number");
    uint64_t n = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return bad(head, 400, "Content-Length is not a number");
        n = n * 10 + (uint64_t)(v.p[i] - '0');
    }
    head->has_length = true;
    head->length = n;
    return HTTP_PARSE_DONE;
}

static int on_coding(struct http_head *head, struct seen *seen, pbay_str v)
{
    if (seen->coding)
        return bad(head, 400, "two Transfer-Encoding headers");
    seen->coding = true;
    if (head->minor == 0)
        return bad(head, 400, "Transfer-Encoding in HTTP/1.0");
    if (str_ieq(v, STR("chunked"))) {
        head->chunked = true;
        return HTTP_PARSE_DONE;
    }
    if (v.n > 7 && str_ieq(str_n(v.p + v.n - 7, 7), STR("chunked")) &&
        !memchr(v.p, '"', v.n))
        return bad(head, 501, "the only transfer coding served is chunked");
    return bad(head, 400, "the transfer coding is not chunked");
}

static int on_host(struct http_head *head, struct seen *seen, pbay_str v)
{
    if (seen->host)
        return bad(head, 400, "two Host headers");
    seen->host = true;
    for (size_t i = 0; i < v.n; i++) {
        if (!http_is(v.p[i], HC_HOST))
            return bad(head, 400, "Host is not a host");
    }
    return HTTP_PARSE_DONE;
}

static int on_connection(struct http_head *head, struct seen *seen, pbay_str v)
{
    (void)head;
    while (v.n) {
        pbay_str word = str_trim(str_cut(&v, ','));
        if (str_ieq(word, STR("close")))
            seen->close = true;
        else if (str_ieq(word, STR("keep-alive")))
            seen->keep = true;
    }
    return HTTP_PARSE_DONE;
}

static int on_expect(struct http_head *head, struct seen *seen, pbay_str v)
{
    (void)seen;
    if (head->minor == 0)
        return HTTP_PARSE_DONE;
    if (!str_ieq(v, STR("100-continue")))
        return bad(head, 417, "the only expectation met is 100-continue");
    head->expect_continue = true;
    return HTTP_PARSE_DONE;
}

static int on_header(struct http_head *head, struct seen *seen, pbay_kv *h)
{
    switch (h->k.n) {
    case 4:
        if (str_ieq(h->k, STR("Host")))
            return on_host(head, seen, h->v);
        break;
    case 6:
        if (str_ieq(h->k, STR("Expect")))
            return on_expect(head, seen, h->v);
        break;
    case 10:
        if (str_ieq(h->k, STR("Connection")))
            return on_connection(head, seen, h->v);
        break;
    case 14:
        if (str_ieq(h->k, STR("Content-Length")))
            return on_length(head, seen, h->v);
        break;
    case 17:
        if (str_ieq(h->k, STR("Transfer-Encoding")))
            return on_coding(head, seen, h->v);
        break;
    default:
        break;
    }
    return HTTP_PARSE_DONE;
}

/* One header line from *at on; *at moves behind its CRLF. */
static int parse_header(struct http_head *head, const char **at,
                        const char *end, pbay_kv *h)
{
    const char *p = *at;
    if (*p == ' ' || *p == '\t')
        return bad(head, 400, "a folded header line");
    while (p < end && http_is(*p, HC_TOKEN))
        p++;
    h->k = str_n(*at, (size_t)(p - *at));
    if (p == end || *p != ':')
        return bad(head, 400, "a header line without a proper name and colon");
    if (!h->k.n)
        return bad(head, 400, "a header without a name");
    p++;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    const char *value = p;
    while (p < end && http_is_value(*p))
        p++;
    if (end - p < 2 || p[0] != '\r' || p[1] != '\n')
        return bad(head, 400, "a control byte in a header");
    *at = p + 2;
    while (p > value && (p[-1] == ' ' || p[-1] == '\t'))
        p--;
    h->v = str_n(value, (size_t)(p - value));
    return HTTP_PARSE_DONE;
}

static int settle(struct http_head *head, const struct seen *seen)
{
    if (head->minor == 1 && !seen->host)
        return bad(head, 400, "HTTP/1.1 without a Host header");
    if (seen->length && seen->coding)
        return bad(head, 400, "Content-Length beside Transfer-Encoding");
    head->keep_alive = !seen->close && (head->minor == 1 || seen->keep);
    return HTTP_PARSE_DONE;
}

int http_parse_head(pbay_str bytes, size_t seen_bytes, size_t max_uri,
                    size_t max_head, struct http_head *head, size_t *used)
{
    size_t start, len;
    int rc = find_end(bytes, seen_bytes, max_uri, max_head, head, &start, &len);
    if (rc != HTTP_PARSE_DONE)
        return rc;

    pbay_kv *headers = head->headers;
    size_t room = head->room;
    *head = (struct http_head){.headers = headers, .room = room};
    const char *at = bytes.p + start, *end = bytes.p + len - 2;
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    rc = parse_line(head, str_n(at, (size_t)(lf - at - 1)), max_uri);

    struct seen seen = {0};
    for (at = lf + 1; rc == HTTP_PARSE_DONE && at < end;) {
        if (head->n_headers == room)
            return bad(head, 431, "too many header lines");
        pbay_kv *h = &headers[head->n_headers++];
        rc = parse_header(head, &at, end, h);
        if (rc == HTTP_PARSE_DONE)
            rc = on_header(head, &seen, h);
    }
    if (rc == HTTP_PARSE_DONE)
        rc = settle(head, &seen);
    if (rc == HTTP_PARSE_DONE)
        *used = len;
    return rc;
}

pbay_str http_header(const struct http_head *head, const char *name)
{
    pbay_str k = str_c(name);
    for (size_t i = 0; i < head->n_headers; i++) {
        if (str_ieq(head->headers[i].k, k))
            return head->headers[i].v;
    }
    return STR_NONE;
}

int http_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int64_t http_decode_path(pbay_str path, char *dst, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c == '%') {
            if (path.n - i < 3)
                return -1;
            int high = http_hex(path.p[i + 1]), low = http_hex(path.p[i + 2]);
            if (high < 0 || low < 0)
                return -1;
            c = (unsigned char)(high << 4 | low);
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || n == room)
            return -1;
        dst[n++] = (char)c;
    }
    return climbs(str_n(dst, n)) ? -1 : (int64_t)n;
}
