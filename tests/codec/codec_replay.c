/* SPDX-License-Identifier: MIT */
/* Replays the transcripts of a provider through its codec in every way that a
 * network can cut them, and compares the events.
 *
 *   codec_replay                      all of plugins/openai/transcripts
 *   codec_replay PLUGIN.so FILE...    these
 *   codec_replay --show PLUGIN.so FILE...   what comes of them, not compared
 *
 * Two files X-stream.jsonl and X-whole.jsonl hold the same answer, streamed and
 * whole: they must come to the same text, calls, stops and usage. */
#include <dlfcn.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/str.h"
#include "manager/codec_driver.h"
#include <patchbay/json.h>

static unsigned failures, compared;
static const char *file_now = "";

static void failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void failed(const char *fmt, ...)
{
    va_list ap;

    failures++;
    printf("FAIL %s: ", file_now);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

/* --- comparing ----------------------------------------------------------- */

static bool same_lines(const struct driver_result *r, const pbay_str *want,
                       size_t n)
{
    if (r->n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!str_is(want[i], r->lines[i]))
            return false;
    return true;
}

static void show_difference(const struct driver_result *r, const pbay_str *want,
                            size_t n)
{
    for (size_t i = 0; i < n || i < r->n; i++) {
        if (i < n && i < r->n && str_is(want[i], r->lines[i]))
            continue;
        if (i < n)
            printf("  - %.*s\n", STR_ARG(want[i]));
        if (i < r->n)
            printf("  + %s\n", r->lines[i]);
    }
}

static bool ends(const struct driver_result *r, const char *how)
{
    char line[64];

    snprintf(line, sizeof(line), "{\"end\":\"%s\"", how);
    return r->n && str_starts(str_c(r->lines[r->n - 1]), line);
}

static bool violates(const struct driver_result *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (str_starts(str_c(r->lines[i]), "{\"violation\"")) {
            failed("%s", r->lines[i]);
            return true;
        }
    return false;
}

static bool replay(struct driver *d, const struct transcript *t,
                   const struct driver_how *how, struct driver_result *r)
{
    if (driver_replay(d, t, how, r) == 0)
        return true;
    failed("out of memory");
    return false;
}

static size_t body_size(const struct transcript *t)
{
    const struct transcript_exchange *x;
    size_t n = 0;

    if (!t->n_exchanges)
        return 0;
    x = &t->exchanges[t->n_exchanges - 1];
    for (size_t i = 0; i < x->n_data; i++)
        n += x->data[i].n;
    return n;
}

/* --- the ways to replay -------------------------------------------------- */

static void expect(struct driver *d, const struct transcript *t,
                   const struct driver_how *how, const char *way)
{
    struct driver_result r;

    compared++;
    if (!replay(d, t, how, &r))
        return;
    if (!same_lines(&r, t->expect, t->n_expect)) {
        failed("other events when replayed %s (piece %zu%s)", way, how->piece,
               how->crlf ? ", CRLF" : "");
        show_difference(&r, t->expect, t->n_expect);
    }
    driver_result_done(&r);
}

static void pieces(struct driver *d, const struct transcript *t)
{
    static const size_t sizes[] = {0, 1, 2, 3, 5, 7, 11, 13, 17, 1u << 30};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct driver_how how = DRIVER_AS_RECORDED;
        how.piece = sizes[i];
        expect(d, t, &how, "in pieces");
        how.crlf = true;
        expect(d, t, &how, "in pieces");
    }
}

static bool has_text(const struct driver_result *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (str_starts(str_c(r->lines[i]), "{\"ev\":\"text\""))
            return true;
    return false;
}

/* What is passed on is the reply itself, or that without what was dropped. */
static void passing(struct driver *d, const struct transcript *t)
{
    struct driver_how how = DRIVER_AS_RECORDED;
    const struct transcript_exchange *x;
    struct driver_result a, b;
    struct buf body;

    if (!(t->flags & PBAY_RQ_PASS) || !t->n_exchanges)
        return;
    x = &t->exchanges[t->n_exchanges - 1];
    buf_init(&body, LIM_REPLY);
    for (size_t i = 0; i < x->n_data; i++)
        buf_add(&body, x->data[i]);
    replay(d, t, &how, &a);
    how.piece = 3;
    replay(d, t, &how, &b);
    if (!str_eq(buf_str(&a.passed), buf_str(&b.passed)))
        failed("what is passed on depends on how it came");
    if (!a.passed.n) {
        /* Not passed on but rendered: then every event must be there. */
        if (ends(&a, "ok") && !has_text(&a))
            failed("neither passed on nor told");
    } else if (ends(&a, "ok")) {
        bool dropped = !strstr(a.lines[a.n - 1], "\"dropped\":0");
        bool same = str_eq(buf_str(&a.passed), buf_str(&body));
        if (same == dropped)
            failed(dropped ? "a dropped record was passed on"
                           : "the reply was not passed on as it came");
    }
    buf_done(&body);
    driver_result_done(&a);
    driver_result_done(&b);
}

/* Was only the usage lost?  (A stream without end mark may end before it.) */
static bool but_for_usage(const struct driver_result *r,
                          const struct transcript *t)
{
    size_t k = 0;

    for (size_t i = 0; i < t->n_expect; i++) {
        if (k < r->n && str_is(t->expect[i], r->lines[k]))
            k++;
        else if (!str_starts(t->expect[i], "{\"ev\":\"usage\""))
            return false;
    }
    return k == r->n;
}

/* Broken off after any byte: an error or a truncation, never another answer,
 * and never more than the answer had. */
static void cuts(struct driver *d, const struct transcript *t)
{
    size_t n = body_size(t);
    bool finish_ends =
        memmem(t->config.p, t->config.n, "\"finish\"", 8) != NULL;

    for (size_t at = 0; at <= n; at++) {
        for (int clean = 0; clean < 2; clean++) {
            struct driver_how how = {.cut = at, .clean = clean};
            struct driver_result r;
            compared++;
            if (!replay(d, t, &how, &r))
                return;
            violates(&r);
            if (ends(&r, "ok")
                    ? !same_lines(&r, t->expect, t->n_expect) &&
                          !(finish_ends && but_for_usage(&r, t)) &&
                          t->op != PBAY_OP_RAW
                    : !ends(&r, "truncated") && !ends(&r, "error") &&
                          !ends(&r, "failed") && !ends(&r, "nosys")) {
                failed("cut%s after %zu of %zu bytes it is taken for whole",
                       clean ? " cleanly" : "", at, n);
                show_difference(&r, t->expect, t->n_expect);
            }
            driver_result_done(&r);
        }
    }
}

/* Two calls of one instance, a piece of one and a piece of the other. */
static void side_by_side(struct driver *d, const struct transcript *t)
{
    struct driver_how a_how = DRIVER_AS_RECORDED, b_how = DRIVER_AS_RECORDED;
    struct driver_call *a, *b;
    struct driver_result r[2];
    bool more;

    a_how.piece = 3;
    b_how.piece = 7;
    compared++;
    a = driver_start(d, t, &a_how);
    b = driver_start(d, t, &b_how);
    if (!a || !b) {
        failed("out of memory");
        return;
    }
    do {
        more = driver_step(a);
        more = driver_step(b) || more;
    } while (more);
    driver_finish(a, &r[0]);
    driver_finish(b, &r[1]);
    for (int i = 0; i < 2; i++) {
        if (!same_lines(&r[i], t->expect, t->n_expect)) {
            failed("other events when two calls run side by side");
            show_difference(&r[i], t->expect, t->n_expect);
        }
        driver_result_done(&r[i]);
    }
}

/* The host stops listening, or cancels, at any point. */
static void stops(struct driver *d, const struct transcript *t)
{
    struct driver_how how = DRIVER_AS_RECORDED;
    struct driver_result r;

    for (unsigned k = 1; k <= t->n_expect + 2; k++) {
        how.stop_after = k;
        compared++;
        if (replay(d, t, &how, &r)) {
            violates(&r);
            driver_result_done(&r);
        }
    }
    for (unsigned steps = 0; steps < 6; steps++) {
        struct driver_call *c;
        how = DRIVER_AS_RECORDED;
        how.piece = 5;
        c = driver_start(d, t, &how);
        for (unsigned i = 0; c && i < steps && driver_step(c); i++)
            ;
        if (c && driver_finish(c, &r) == 0) {
            violates(&r);
            driver_result_done(&r);
        }
    }
}

/* However little memory there is: an answer, an error or a failure. */
static void memory(struct driver *d, const struct transcript *t)
{
    for (size_t room = 16; room <= 8192; room += room < 1024 ? 16 : 512) {
        struct driver_how how = DRIVER_AS_RECORDED;
        struct driver_result r;
        how.memory = room;
        compared++;
        if (replay(d, t, &how, &r)) {
            violates(&r);
            driver_result_done(&r);
        }
    }
}

/* Nothing wanted but what always is: those events are the same, in order. */
static void no_wants(struct driver *d, const struct transcript *t)
{
    static const char *const always[] = {"{\"ev\":\"stop\"",
                                         "{\"ev\":\"usage\"",
                                         "{\"ev\":\"error\"", "{\"end\""};
    struct driver_how how = DRIVER_AS_RECORDED;
    struct driver_result r;
    size_t k = 0;

    how.no_wants = true;
    compared++;
    if (!replay(d, t, &how, &r))
        return;
    violates(&r);
    for (size_t i = 0; i < t->n_expect; i++) {
        bool due = false;
        if (str_starts(t->expect[i], "{\"ev\":\"error\",\"kind\":\"protocol\""))
            break; /* it may be wrong where nobody looked */
        for (size_t j = 0; j < 4; j++)
            due |= str_starts(t->expect[i], always[j]);
        if (!due)
            continue;
        while (k < r.n && !str_is(t->expect[i], r.lines[k]))
            k++;
        if (k++ >= r.n)
            failed("missing though always wanted: %.*s", STR_ARG(t->expect[i]));
    }
    driver_result_done(&r);
}

static uint32_t random_state = 20261120;

static uint32_t rnd(size_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return below ? random_state % (uint32_t)below : 0;
}

/* Bytes of the reply changed at random, in place: no rule is broken. */
static void damage(struct driver *d, struct transcript *t)
{
    static const char odd[] = "{}[]\",:\\u0e-.tfn \n\x80\xc3\xed\xff";
    int rounds = getenv("PATCHBAY_LONG") ? 20000 : 500;

    for (int i = 0; i < rounds && body_size(t); i++) {
        struct transcript_exchange *x = &t->exchanges[t->n_exchanges - 1];
        struct driver_how how = DRIVER_AS_RECORDED;
        struct driver_result r;
        char *at[4], was[4];
        int k, n = 1 + (int)rnd(4);
        for (k = 0; k < n; k++) {
            pbay_str s = x->data[rnd(x->n_data)];
            if (!s.n)
                break;
            at[k] = (char *)(uintptr_t)s.p + rnd(s.n);
            was[k] = *at[k];
            *at[k] = odd[rnd(sizeof(odd) - 1)];
        }
        how.piece = rnd(40);
        compared++;
        if (replay(d, t, &how, &r)) {
            violates(&r);
            driver_result_done(&r);
        }
        while (k-- > 0)
            *at[k] = was[k];
    }
}

/* --- streamed and whole -------------------------------------------------- */

static bool is_ev(pbay_str line, const char *ev)
{
    return pbay_json_is(pbay_json_get(line, "ev"), ev);
}

/* What the answer comes to, without the order of choices or how it was cut:
 * for each kind of event, by choice and index. */
static void summary(const struct transcript *t, struct buf *out)
{
    static const char *const kinds[] = {"begin",   "reasoning", "text",
                                        "refusal", "call",      "stop"};

    for (size_t k = 0; k < 6; k++)
        for (int64_t choice = 0; choice < 4; choice++)
            for (int64_t index = 0; index < 4; index++) {
                buf_printf(out, "\n%s %d %d ", kinds[k], (int)choice,
                           (int)index);
                for (size_t i = 0; i < t->n_expect; i++) {
                    pbay_str e = t->expect[i];
                    int64_t c = 0, x = 0;
                    pbay_json_i64(pbay_json_get(e, "choice"), &c);
                    pbay_json_i64(pbay_json_get(e, "index"), &x);
                    if (!is_ev(e, kinds[k]) || c != choice || x != index)
                        continue;
                    buf_add(out, pbay_json_get(e, "id"));
                    buf_add(out, pbay_json_get(e, "name"));
                    buf_add(out, pbay_json_get(e, "why"));
                    pbay_str text = pbay_json_get(e, "text");
                    if (text.n > 2)
                        buf_add(out, str_n(text.p + 1, text.n - 2));
                }
            }
    for (size_t i = t->n_expect; i-- > 0;)
        if (is_ev(t->expect[i], "usage")) {
            buf_add(out, t->expect[i]);
            break;
        }
}

static struct transcript *load(const char *path)
{
    struct transcript *t;
    char *text, err[256] = "";
    size_t n = 0;

    file_now = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (fs_read(path, LIM_REPLY, &text, &n) < 0) {
        failed("cannot be read");
        return NULL;
    }
    t = transcript_read(str_n(text, n), err, sizeof(err));
    free(text);
    if (!t)
        failed("%s", err);
    return t;
}

static void compare_pair(const char *path)
{
    static const char tail[] = "-stream.jsonl";
    struct transcript *a, *b;
    struct buf x, y;
    char other[4096];
    size_t n = strlen(path);

    if (n < sizeof(tail) || n > 4000 ||
        strcmp(path + n - (sizeof(tail) - 1), tail) != 0)
        return;
    n -= sizeof(tail) - 1;
    snprintf(other, sizeof(other), "%.*s-whole.jsonl", (int)n, path);
    if (access(other, F_OK) != 0)
        return; /* streams alone are fine */
    a = load(path);
    b = load(other);
    buf_init(&x, LIM_REPLY);
    buf_init(&y, LIM_REPLY);
    if (a && b) {
        compared++;
        summary(a, &x);
        summary(b, &y);
        if (!str_eq(buf_str(&x), buf_str(&y)))
            failed("streamed and whole come to different answers:%.*s\n%.*s",
                   STR_ARG(buf_str(&x)), STR_ARG(buf_str(&y)));
    }
    buf_done(&x);
    buf_done(&y);
    transcript_free(a);
    transcript_free(b);
}

/* --- a file -------------------------------------------------------------- */

static void show(struct driver *d, const struct transcript *t)
{
    struct driver_how how = DRIVER_AS_RECORDED;
    struct driver_call *c = driver_start(d, t, &how);
    struct driver_result r;

    printf("%.*s\n", STR_ARG(driver_exchange(c)));
    while (driver_step(c))
        ;
    driver_finish(c, &r);
    for (size_t i = 0; i < r.n; i++)
        printf("{\"expect\":[%s]}\n", r.lines[i]);
    driver_result_done(&r);
}

/* The comparison itself: it must see a wrong event and a missing one. */
static void self_check(struct driver *d, const struct transcript *t)
{
    struct driver_how how = DRIVER_AS_RECORDED;
    struct driver_result r = {0};
    pbay_str *want = calloc(t->n_expect, sizeof(*want));

    if (!want || !replay(d, t, &how, &r))
        exit(1);
    memcpy(want, t->expect, t->n_expect * sizeof(*want));
    if (!same_lines(&r, want, t->n_expect) ||
        same_lines(&r, want, t->n_expect - 1))
        failed("the comparison misses a missing line");
    want[0] = STR("{\"ev\":\"text\",\"text\":\"not this\"}");
    if (same_lines(&r, want, t->n_expect))
        failed("the comparison misses a wrong line");
    driver_result_done(&r);
    free(want);
}

static void run_file(const pbay_plugin *plugin, const char *path,
                     bool only_show)
{
    struct transcript *t = load(path);
    struct driver *d;
    char err[256];

    if (!t)
        return;
    d = driver_new(plugin, t->config, err, sizeof(err));
    if (!d) {
        failed("%s", err);
    } else if (only_show) {
        show(d, t);
    } else if (!t->n_expect) {
        failed("it expects nothing");
    } else {
        pieces(d, t);
        passing(d, t);
        cuts(d, t);
        side_by_side(d, t);
        stops(d, t);
        memory(d, t);
        no_wants(d, t);
        self_check(d, t);
        damage(d, t);
    }
    driver_free(d);
    transcript_free(t);
    if (!only_show)
        compare_pair(path);
}

static const pbay_plugin *open_plugin(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    pbay_entry_fn *entry = NULL;

    if (!handle) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    *(void **)(&entry) = dlsym(handle, "pbay_provider_entry");
    if (!entry) {
        fprintf(stderr, "%s: no pbay_provider_entry\n", path);
        exit(1);
    }
    return entry(PBAY_ABI_MAJOR, PBAY_ABI_MINOR);
}

static int run_all(void)
{
    const char *dir = getenv("PATCHBAY_PROVIDERS");
    const char *top = getenv("top_srcdir");
    char path[4096];
    const pbay_plugin *plugin;
    glob_t found = {0};

    if (!dir || !top) {
        fprintf(stderr, "set PATCHBAY_PROVIDERS and top_srcdir, or name a "
                        "plugin and transcripts\n");
        return 1;
    }
    snprintf(path, sizeof(path), "%s/openai.so", dir);
    plugin = open_plugin(path);
    snprintf(path, sizeof(path), "%s/plugins/openai/transcripts/*.jsonl", top);
    if (glob(path, 0, NULL, &found) != 0 || found.gl_pathc < 30) {
        fprintf(stderr, "%s: the transcripts are not there\n", path);
        return 1;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        run_file(plugin, found.gl_pathv[i], false);
    printf("%zu transcripts, %u replays, %u failures\n", found.gl_pathc,
           compared, failures);
    globfree(&found);
    return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
    bool only_show = argc > 1 && strcmp(argv[1], "--show") == 0;
    const pbay_plugin *plugin;
    int at = only_show ? 2 : 1;

    if (argc == 1)
        return run_all();
    if (argc < at + 2) {
        fprintf(stderr, "usage: %s [[--show] PLUGIN.so FILE...]\n", argv[0]);
        return 2;
    }
    plugin = open_plugin(argv[at]);
    for (int i = at + 1; i < argc; i++)
        run_file(plugin, argv[i], only_show);
    if (!only_show)
        printf("%u replays, %u failures\n", compared, failures);
    return failures ? 1 : 0;
}
