/* SPDX-License-Identifier: MIT */
/* openrouter.so: amounts of US dollars.  They come as decimal text far below a
 * cent, which binary fractions cannot hold: the digits are kept and only the
 * point is moved. */
#include <string.h>

#include "openrouter.h"

#define DIGITS 40

/* digits * 10^exp, no leading or trailing zero; n = 0: nothing. */
struct decimal {
    char digits[DIGITS];
    int n, exp;
};

static int exponent(const char *p, const char *end, int *exp)
{
    int v = 0, sign = 1;

    if (p < end && (*p == '-' || *p == '+'))
        sign = *p++ == '-' ? -1 : 1;
    if (p == end || end - p > 3)
        return 0;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return 0;
        v = v * 10 + (*p - '0');
    }
    *exp += sign * v;
    return 1;
}

/* The text of a string or a number; 0 if it is no amount. */
static int read(pbay_str value, struct decimal *d)
{
    char type = pbay_json_type(value);
    const char *p = value.p, *end;
    int point = 0, any = 0;

    *d = (struct decimal){.n = 0};
    if (type != 's' && type != 'n')
        return 0; /* there may be no text at all */
    end = p + value.n;
    if (type == 's') {
        p++;
        end--;
    }
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.' && !point) {
            point = 1;
            continue;
        }
        if (*p < '0' || *p > '9')
            return 0;
        any = 1;
        if (d->n || *p != '0') {
            if (d->n == DIGITS)
                return 0;
            d->digits[d->n++] = *p;
        }
        d->exp -= point;
    }
    if (!any || (p < end && !exponent(p + 1, end, &d->exp)))
        return 0;
    while (d->n && d->digits[d->n - 1] == '0') {
        d->n--;
        d->exp++;
    }
    return d->exp <= 9 && d->exp >= -60;
}

int or_put_nano(pbay_out *w, pbay_str usd)
{
    struct decimal d;
    int whole;

    if (!read(usd, &d))
        return 0;
    if (!d.n) {
        pbay_out_cstr(w, "0");
        return 1;
    }
    whole = d.n + d.exp + 9; /* digits before the point */
    if (whole <= 0) {
        pbay_out_cstr(w, "0.");
        for (; whole < 0; whole++)
            pbay_out_cstr(w, "0");
        pbay_out_raw(w, (pbay_str){d.digits, (size_t)d.n});
        return 1;
    }
    pbay_out_raw(w, (pbay_str){d.digits, (size_t)(whole < d.n ? whole : d.n)});
    for (int i = d.n; i < whole; i++)
        pbay_out_cstr(w, "0");
    if (whole < d.n) {
        pbay_out_cstr(w, ".");
        pbay_out_raw(w, (pbay_str){d.digits + whole, (size_t)(d.n - whole)});
    }
    return 1;
}

double or_amount(pbay_str usd)
{
    struct decimal d;
    double v = 0;

    if (!read(usd, &d))
        return -1;
    for (int i = 0; i < d.n; i++)
        v = v * 10 + (d.digits[i] - '0');
    for (; d.exp > 0; d.exp--)
        v *= 10;
    for (; d.exp < 0; d.exp++)
        v /= 10;
    return v;
}
