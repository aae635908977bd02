/* SPDX-License-Identifier: MIT */
/* Prices and costs: rows of a list, the one that applies, and sums against
 * exact arithmetic in 128 bits. */
#include "unit.h"

#include "base/price.h"
#include "base/str.h"

__extension__ typedef unsigned __int128 u128;

static struct price_row row(const char *line)
{
    struct price_row r;
    char why[256] = "";

    ck_assert_msg(price_row_parse(str_c(line), &r, why, sizeof(why)) == 0,
                  "%s: %s", line, why);
    return r;
}

static void wrong(const char *line, const char *word)
{
    struct price_row r;
    char why[256] = "";

    ck_assert_msg(price_row_parse(str_c(line), &r, why, sizeof(why)) < 0,
                  "taken: %s", line);
    ck_assert_msg(strstr(why, word) != NULL, "%s: %s", line, why);
}

START_TEST(reading)
{
    struct price_row r = row("gpt-4o in=2.5 cached=1.25 out=10");

    ck_assert(str_is(r.model, "gpt-4o"));
    ck_assert_int_eq(r.price.input, 2500000000);
    ck_assert_int_eq(r.price.cache_read, 1250000000);
    ck_assert_int_eq(r.price.output, 10000000000);
    ck_assert_int_eq(r.price.cache_write, PRICE_UNKNOWN);
    ck_assert_int_eq(r.price.reasoning, PRICE_UNKNOWN);
    r = row("  m   in=0.000000001  above=272k from=2027-01-01 "
            "hours=01-04,06-10 request=0.01 ");
    ck_assert_int_eq(r.price.input, 1);
    ck_assert_uint_eq(r.above, 272000);
    ck_assert_int_eq(r.from, 20819);
    ck_assert_uint_eq(r.hours, 0x3ce);
    ck_assert_int_eq(r.price.request, 10000000);
    ck_assert_int_eq(row("m in=9000").price.input, PRICE_MAX);
    wrong("", "wanted");
    wrong("gpt-4o", "wanted");
    wrong("in=1 out=2", "wanted");
    wrong("m inn=1", "inn=1");
    wrong("m in=9001", "in=9001");
    wrong("m in=-1", "in=-1");
    wrong("m in=", "in=");
    wrong("m in=1.2.3", "in=1.2.3");
    wrong("m in=0.0000000001", "in=");
    wrong("m in=99999999999999999999", "in=");
    wrong("m in=1 hours=4-1", "hours=4-1");
    wrong("m in=1 hours=1-25", "hours=1-25");
    wrong("m in=1 from=2027-13-01", "from=");
    wrong("m in=1 above=x", "above=x");
}
END_TEST

START_TEST(decimals)
{
    int64_t v;

    ck_assert_int_eq(price_decimal(STR("37.5"), 6, &v), 0);
    ck_assert_int_eq(v, 37500000);
    ck_assert_int_eq(price_decimal(STR("1.5e-3"), 6, &v), 0);
    ck_assert_int_eq(v, 1500);
    ck_assert_int_eq(price_decimal(STR("2E+1"), 0, &v), 0);
    ck_assert_int_eq(v, 20);
    ck_assert_int_eq(price_decimal(STR("0e999"), 6, &v), 0);
    ck_assert_int_eq(v, 0);
    ck_assert_int_lt(price_decimal(STR("1e999"), 6, &v), 0);
    ck_assert_int_lt(price_decimal(STR("1e-7"), 6, &v), 0);
    ck_assert_int_lt(price_decimal(STR("1e"), 6, &v), 0);
    ck_assert_int_lt(price_decimal(STR(""), 6, &v), 0);
    ck_assert_int_lt(price_decimal(STR("."), 6, &v), 0);
}
END_TEST

/* The input price of the row that is found, in whole USD; -1: none. */
static int found(const struct price_row *rows, size_t n, const char *model,
                 uint64_t tokens, int64_t wall_ms)
{
    const struct price_row *r =
        price_find(rows, n, str_c(model), tokens, wall_ms);

    return r ? (int)(r->price.input / 1000000000) : -1;
}

START_TEST(names)
{
    struct price_row rows[] = {row("gpt* in=1"), row("gpt-4o* in=2"),
                               row("gpt-4o in=3"), row("gpt-4o-2024-05-13 in=4"),
                               row("claude-x in=5")};

    ck_assert_int_eq(found(rows, 5, "gpt-4o", 0, 0), 3);
    ck_assert_int_eq(found(rows, 5, "gpt-4o-2024-05-13", 0, 0), 4);
    ck_assert_int_eq(found(rows, 5, "gpt-4o-2024-08-06", 0, 0), 3);
    ck_assert_int_eq(found(rows, 5, "gpt-4o-latest", 0, 0), 3);
    ck_assert_int_eq(found(rows, 5, "gpt-4o-mini", 0, 0), 2);
    ck_assert_int_eq(found(rows, 5, "gpt-3", 0, 0), 1);
    ck_assert_int_eq(found(rows, 5, "claude-x-20250929", 0, 0), 5);
    ck_assert_int_eq(found(rows, 5, "claude-x@20250929", 0, 0), 5);
    ck_assert_int_eq(found(rows, 5, "claude-x-2025", 0, 0), -1);
    ck_assert_int_eq(found(rows, 5, "claude", 0, 0), -1);
    ck_assert_int_eq(found(rows, 5, "", 0, 0), -1);
    ck_assert_int_eq(found(rows, 0, "gpt-4o", 0, 0), -1);
}
END_TEST

START_TEST(conditions)
{
    const int64_t day = 86400000, jan = 20819 * day; /* 2027-01-01 */
    struct price_row tier[] = {row("m in=1 out=1"), row("m above=272k in=2")};
    struct price_row dated[] = {row("m until=2027-01-01 in=1"),
                                row("m from=2027-01-01 in=2")};
    struct price_row peak[] = {row("m in=1"), row("m hours=01-04,06-10 in=2")};

    ck_assert_int_eq(found(tier, 2, "m", 272000, 0), 1);
    ck_assert_int_eq(found(tier, 2, "m", 272001, 0), 2);
    /* A row counts alone: nothing is taken over from the other one. */
    ck_assert_int_eq(
        price_find(tier, 2, STR("m"), 300000, 0)->price.output, PRICE_UNKNOWN);
    ck_assert_int_eq(found(dated, 2, "m", 0, jan - 1), 1);
    ck_assert_int_eq(found(dated, 2, "m", 0, jan), 2);
    for (int64_t h = 0; h < 24; h++)
        ck_assert_int_eq(found(peak, 2, "m", 0, jan + h * 3600000),
                         (h >= 1 && h < 4) || (h >= 6 && h < 10) ? 2 : 1);
    ck_assert_int_eq(found(&dated[1], 1, "m", 0, jan - 1), -1);
}
END_TEST

static uint64_t draw(uint64_t below)
{
    static uint64_t state;

    if (!state)
        state = unit_seed(20261121);
    return unit_below(&state, below);
}

START_TEST(sums)
{
    for (int i = 0; i < 200000; i++) {
        uint64_t most = i % 2 ? 5000 : 3000000000;
        int64_t dear = i % 3 ? 100000000000 : PRICE_MAX;
        struct price p = {.input = (int64_t)draw((uint64_t)dear),
                          .cache_read = (int64_t)draw((uint64_t)dear),
                          .cache_write = (int64_t)draw((uint64_t)dear),
                          .cache_write_long = (int64_t)draw((uint64_t)dear),
                          .output = (int64_t)draw((uint64_t)dear),
                          .reasoning = i % 5 ? PRICE_UNKNOWN
                                             : (int64_t)draw((uint64_t)dear),
                          .request = (int64_t)draw(100)};
        pbay_usage u = {.size = sizeof(u), .known = 63, .input = draw(most)};
        u128 exact;

        u.cache_read = draw(u.input + 1);
        u.cache_write = draw(u.input - u.cache_read + 1);
        u.cache_write_long = draw(u.cache_write + 1);
        u.output = draw(most);
        u.reasoning = draw(u.output + 1);
        exact =
            (u128)(u.input - u.cache_read - u.cache_write) * (u128)p.input +
            (u128)u.cache_read * (u128)p.cache_read +
            (u128)(u.cache_write - u.cache_write_long) * (u128)p.cache_write +
            (u128)u.cache_write_long * (u128)p.cache_write_long +
            (u128)(u.output - u.reasoning) * (u128)p.output +
            (u128)u.reasoning *
                (u128)(p.reasoning < 0 ? p.output : p.reasoning);
        exact = (exact + 500000) / 1000000 + (u128)p.request;
        ck_assert_int_eq(price_cost(&p, &u), (int64_t)exact);
    }
}
END_TEST

START_TEST(unknown_is_not_zero)
{
    struct price p = row("m in=2.5 out=10").price;
    pbay_usage u = {.size = sizeof(u),
                    .known = PBAY_U_INPUT | PBAY_U_OUTPUT,
                    .input = 10,
                    .output = 1};

    ck_assert_int_eq(price_cost(&p, &u), 35000);
    u.known |= PBAY_U_CACHE_READ; /* counted, and none */
    ck_assert_int_eq(price_cost(&p, &u), 35000);
    u.cache_read = 1; /* one without a price */
    ck_assert_int_eq(price_cost(&p, &u), COST_UNKNOWN);
    u.cache_read = 11; /* more than all of them */
    p.cache_read = 0;
    ck_assert_int_eq(price_cost(&p, &u), COST_UNKNOWN);
    u.known = PBAY_U_INPUT; /* the answer was not counted */
    ck_assert_int_eq(price_cost(&p, &u), COST_UNKNOWN);
    p.output = PRICE_UNKNOWN; /* there is none to count: embeddings */
    ck_assert_int_eq(price_cost(&p, &u), 25000);
    u.known = 0;
    ck_assert_int_eq(price_cost(&p, &u), COST_UNKNOWN);
    ck_assert_int_eq(price_cost(&price_unknown, &u), COST_UNKNOWN);
    u = (pbay_usage){.size = sizeof(u),
                     .known = PBAY_U_INPUT | PBAY_U_OUTPUT,
                     .input = UINT64_MAX,
                     .output = UINT64_MAX};
    p = row("m in=9000 out=9000").price;
    ck_assert_int_eq(price_cost(&p, &u), COST_UNKNOWN);
    ck_assert_int_eq(price_cost(&price_free, &u), 0);
    /* 10 tokens at 0.05 for a million are half a micro-unit. */
    ck_assert_int_eq(price_estimate(&(struct price){.input = 50000000}, 10, 0),
                     500);
}
END_TEST

START_TEST(texts)
{
    char t[32];

    ck_assert_str_eq(cost_text(0, t), "0");
    ck_assert_str_eq(cost_text(1, t), "0.000000001");
    ck_assert_str_eq(cost_text(12500000000, t), "12.5");
    ck_assert_str_eq(cost_text(COST_UNKNOWN, t), "?");
    ck_assert_str_eq(cost_text(INT64_MAX, t), "9223372036.854775807");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("price");
    TCase *t = tcase_create("price");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, reading);
    tcase_add_test(t, decimals);
    tcase_add_test(t, names);
    tcase_add_test(t, conditions);
    tcase_add_test(t, sums);
    tcase_add_test(t, unknown_is_not_zero);
    tcase_add_test(t, texts);
    suite_add_tcase(s, t);
    return unit_main(&s, 1);
}
