/* SPDX-License-Identifier: MIT */
/* The API reference (host/dialect/README.md) against the code: every route of
 * the tables is documented with its method and right and the other way round,
 * and so is every class of errors with its status. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/config.h"
#include "dialect/dialect.h"
#include "unit.h"

#define ROWS 256

struct row {
    char method[16], path[128], right[16];
    bool met;
};

static struct row doc[ROWS];
static size_t n_doc;
static char *text;

/* The cell behind the bar at *at, without blanks and backquotes. */
static void cell(const char **at, char *dst, size_t room)
{
    size_t n = 0;

    while (**at && **at != '|' && **at != '\n') {
        if (**at != ' ' && **at != '`' && n + 1 < room)
            dst[n++] = **at;
        ++*at;
    }
    dst[n] = '\0';
    if (**at == '|')
        ++*at;
}

static void read_doc(void)
{
    const char *dir = getenv("top_srcdir");
    char name[1024];
    FILE *f;

    snprintf(name, sizeof(name), "%s/host/dialect/README.md",
             dir ? dir : "../..");
    f = fopen(name, "r");
    ck_assert_msg(f != NULL, "cannot open %s", name);
    text = calloc(1, 1 << 20);
    ck_assert(text && fread(text, 1, (1 << 20) - 1, f) > 1000);
    fclose(f);
    n_doc = 0;
    for (const char *line = strstr(text, "## Routes"); line;
         line = strchr(line + 1, '\n')) {
        const char *at = line + (*line == '\n');
        struct row *r = &doc[n_doc];
        if (strncmp(at, "## Request headers", 18) == 0)
            break;
        if (*at++ != '|')
            continue;
        memset(r, 0, sizeof(*r));
        cell(&at, r->method, sizeof(r->method));
        cell(&at, r->path, sizeof(r->path));
        cell(&at, r->right, sizeof(r->right));
        if (r->path[0] == '/') {
            n_doc++;
            ck_assert_uint_lt(n_doc, ROWS);
        }
    }
}

static bool same_path(const char *code, const char *documented)
{
    size_t n = strlen(code);

    if (n > 1 && code[n - 1] == '/')
        return strncmp(code, documented, n) == 0 && documented[n] == '{';
    return strcmp(code, documented) == 0;
}

static size_t n_code, missing;

static void look_up(void *arg, const char *method, const char *path,
                    unsigned right)
{
    const char *m = strcmp(method, "*") == 0 ? "any" : method;
    const char *r = right ? right_name((int)right) : "none";

    (void)arg;
    n_code++;
    for (size_t i = 0; i < n_doc; i++)
        if (!doc[i].met && strcmp(doc[i].method, m) == 0 &&
            strcmp(doc[i].right, r) == 0 && same_path(path, doc[i].path)) {
            doc[i].met = true;
            return;
        }
    fprintf(stderr, "host/dialect/README.md lacks: | %s | `%s` | %s |\n", m,
            path, r);
    missing++;
}

START_TEST(every_route_is_documented)
{
    read_doc();
    ck_assert_uint_gt(n_doc, 15);
    n_code = missing = 0;
    dialect_routes(look_up, NULL);
    ck_assert_uint_gt(n_code, 15);
    for (size_t i = 0; i < n_doc; i++)
        if (!doc[i].met) {
            fprintf(stderr,
                    "host/dialect/README.md has no such route: %s %s "
                    "(%s)\n",
                    doc[i].method, doc[i].path, doc[i].right);
            missing++;
        }
    ck_assert_uint_eq(missing, 0);
    free(text);
}
END_TEST

START_TEST(every_error_is_documented)
{
    size_t n = 0;

    read_doc();
    for (const struct err_class *c = err_table(); c->kind; c++, n++) {
        char want[256];
        snprintf(want, sizeof(want), "\n| `%s` | %d | %s | %s | %s | %s |",
                 c->name, c->status, c->openai_type,
                 c->openai_code ? c->openai_code : "\xe2\x80\x93",
                 c->anthropic_type, c->pass_body ? "yes" : "");
        ck_assert_msg(strstr(text, want) != NULL, "there is no line %s", want);
    }
    ck_assert_uint_gt(n, 20);
    free(text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("routes");
    TCase *tc = tcase_create("reference");
    SRunner *r;
    int failed;

    tcase_add_test(tc, every_route_is_documented);
    tcase_add_test(tc, every_error_is_documented);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
