/* SPDX-License-Identifier: MIT */
/* patchbay.conf(5) against the key table, both ways: the page has every key
 * with its type, unit, bounds and default, and no key that is not there; its
 * examples are good. */
#include "config_fixture.h"
#include "config_man.h"

#include <stdarg.h>

#include "base/limits.h"

static char *page;

static void setup(void)
{
    const char *top = getenv("top_srcdir");
    char path[512];
    size_t n;
    fx_setup();
    snprintf(path, sizeof path, "%s/etc/man/patchbay.conf.5", top ? top : ".");
    ck_assert_msg(fs_read(path, LIM_MIB(1), &page, &n) == 0,
                  "%s (set top_srcdir)", path);
}

static void teardown(void)
{
    free(page);
    fx_teardown();
}

/* --- reading the page --- */

struct item {
    char section[64]; /* of the .Ss that it is in */
    pbay_str head;    /* the .It line */
    pbay_str body;    /* what follows, to the next item or section */
};

static bool starts_item(pbay_str line)
{
    return str_starts(line, ".It ") || str_starts(line, ".Ss ") ||
           str_starts(line, ".Sh ");
}

/* The ".It Va" items of the section KEYS. */
static size_t read_items(const char *text, struct item *v, size_t room)
{
    pbay_str rest = str_c(text);
    bool keys = false;
    char section[64] = "";
    size_t n = 0;
    struct item *open = NULL;
    while (rest.n) {
        pbay_str line = str_cut(&rest, '\n');
        if (open && !starts_item(line)) {
            open->body.n = (size_t)(line.p + line.n - open->body.p);
            continue;
        }
        open = NULL;
        if (str_starts(line, ".Sh "))
            keys = str_is(line, ".Sh KEYS");
        if (str_starts(line, ".Ss "))
            snprintf(section, sizeof section, "%.*s", (int)line.n - 4,
                     line.p + 4);
        if (!keys || !str_starts(line, ".It Va "))
            continue;
        ck_assert_uint_lt(n, room);
        open = &v[n++];
        memcpy(open->section, section, sizeof section);
        open->head = line;
        open->body = str_n(line.p + line.n, 0);
    }
    return n;
}

static const struct cfg_key *row_of(const struct item *it)
{
    for (const struct cfg_key *k = cfg_keys(); k->section; k++) {
        char head[256];
        man_head(k, head, sizeof head);
        if (strcmp(k->section, it->section) == 0 && str_is(it->head, head))
            return k;
    }
    return NULL;
}

/* --- comparing --- */

static char why[512];

static bool differs(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static bool differs(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return false;
}

static bool names_choices(const struct cfg_key *k, const struct item *it)
{
    pbay_str rest = str_c(k->choices);
    while (rest.n) {
        char wanted[64];
        pbay_str one = str_cut(&rest, '|');
        int n = snprintf(wanted, sizeof wanted, ".Ql %.*s", STR_ARG(one));
        if (!memmem(it->body.p, it->body.n, wanted, (size_t)n))
            return differs("%s.%s: \"%s\" is not in its text", k->section,
                           k->name, wanted);
    }
    return true;
}

/* Is the page right?  Else why[] says what is not. */
static bool page_agrees(const char *text)
{
    static struct item items[256];
    size_t n = read_items(text, items, 256), rows = 0;
    for (const struct cfg_key *k = cfg_keys(); k->section; k++, rows++) {
        size_t found = 0;
        char head[256];
        man_head(k, head, sizeof head);
        for (size_t i = 0; i < n; i++) {
            if (row_of(&items[i]) != k)
                continue;
            found++;
            if (!names_choices(k, &items[i]))
                return false;
            if (items[i].body.n < 10)
                return differs("%s.%s: nothing is said about it", k->section,
                               k->name);
        }
        if (found != 1)
            return differs("%s: %zu times in .Ss %s, wanted once", head, found,
                           k->section);
    }
    for (size_t i = 0; i < n; i++)
        if (!row_of(&items[i]))
            return differs(".Ss %s: \"%.*s\": there is no such key",
                           items[i].section, STR_ARG(items[i].head));
    return n == rows || differs("%zu items for %zu keys", n, rows);
}

/* --- tests --- */

START_TEST(page_has_the_table)
{
    ck_assert_msg(page_agrees(page), "%s", why);
}
END_TEST

/* A copy of the page with one piece replaced. */
static char *altered(const char *from, const char *to)
{
    const char *at = strstr(page, from);
    ck_assert_msg(at != NULL, "the page has no \"%s\"", from);
    size_t room = strlen(page) + strlen(to) + 1;
    char *copy = malloc(room);
    ck_assert_ptr_nonnull(copy);
    snprintf(copy, room, "%.*s%s%s", (int)(at - page), page, to,
             at + strlen(from));
    return copy;
}

/* The comparison notices what it is there for. */
START_TEST(differences_are_noticed)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"default Ql 64M", "default Ql 32M"},
        {".It Va max_body Pq Em size", ".It Va max_body Pq Em int"},
        {", No bytes ,", ", No bits ,"},
        {"No 1K to 16M", "No 1K to 32M"},
        {".It Va drain Pq", ".It Va drian Pq"},
        {".It Va loops Pq", ".It Ar loops Pq"},
        {".Ss log\n", ".Ss logs\n"},
        {".Ss log\n",
         ".It Va more Pq Em string\nWhat is not there.\n.Ss log\n"},
        {".Ql json ,", ".Ql xml ,"},
        {"A body of which no byte comes.\n", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *copy = altered(cases[i].from, cases[i].to);
        ck_assert_msg(!page_agrees(copy), "not noticed: %s -> %s",
                      cases[i].from, cases[i].to);
        free(copy);
    }
}
END_TEST

/* Each literal block of EXAMPLES is a file without a mistake. */
START_TEST(examples_are_good)
{
    char *at = strstr(page, ".Sh EXAMPLES");
    int blocks = 0;
    ck_assert_ptr_nonnull(at);
    fx_file("openai.key", "sk-x");
    while ((at = strstr(at, ".Bd -literal")) != NULL) {
        char *start = strchr(at, '\n') + 1, *end = strstr(start, ".Ed");
        ck_assert_ptr_nonnull(end);
        *end = '\0';
        fx_load(start);
        for (size_t i = 0; i < fx.issues.n; i++)
            if (!strstr(fx.issues.v[i].text, "/etc/patchbay/tls/"))
                ck_abort_msg("example %d, line %d: %s", blocks + 1,
                             fx.issues.v[i].line, fx.issues.v[i].text);
        at = end + 1;
        blocks++;
    }
    ck_assert_int_ge(blocks, 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("patchbay.conf(5)");
    TCase *t = tcase_create("page");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, page_has_the_table);
    tcase_add_test(t, differences_are_noticed);
    tcase_add_test(t, examples_are_good);
    suite_add_tcase(s, t);
    return unit_main(&s, 1);
}
