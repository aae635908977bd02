/* SPDX-License-Identifier: MIT */
/* Price lists: the one that is built in (etc/prices) or the file in its place,
 * whose prices a provider's are, and those that its section says. */
#include "config/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

/* etc/prices, a line each. */
static const char *const shipped[] = {
#include "host/config/price_list.inc"
};

/* --- reading a list ------------------------------------------------------ */

struct list {
    struct load *l;
    const char *file; /* NULL: the one that is built in */
    int line;
    struct price_vendor *vendors;
    size_t n;
    struct price_row *rows; /* of the last vendor */
};

/* The built-in one has no mistakes: a unit test reads it. */
static void list_issue(struct list *t, const char *why)
{
    load_issue(t->l, true, t->file, t->line, "the price list: %s", why);
}

static void add_vendor(struct list *t, pbay_str line)
{
    pbay_str host = str_n(line.p + 1, line.n - 2), name = str_cut(&host, ' ');
    struct price_vendor *v;

    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->vendors[i].name, name)) {
            list_issue(t, "this vendor stands in it twice");
            return;
        }
    if (!name.n) {
        list_issue(t, "[NAME HOST] is wanted");
        return;
    }
    v = load_grow(t->l, t->vendors, t->n, sizeof(*v));
    if (!v)
        return;
    t->vendors = v;
    v[t->n++] = (struct price_vendor){.name = name, .host = str_trim(host)};
    t->rows = NULL;
}

static void add_row(struct list *t, pbay_str line)
{
    struct price_vendor *v = t->n ? &t->vendors[t->n - 1] : NULL;
    struct price_row *rows, row;
    char why[256];

    if (!v) {
        list_issue(t, "a line [NAME HOST] is wanted before the first model");
        return;
    }
    if (price_row_parse(line, &row, why, sizeof(why)) < 0) {
        list_issue(t, why);
        return;
    }
    rows = load_grow(t->l, t->rows, v->n, sizeof(*rows));
    if (!rows)
        return;
    rows[v->n++] = row;
    v->rows = t->rows = rows;
}

static void read_line(struct list *t, pbay_str line)
{
    line = str_trim(line);
    if (line.n && line.p[line.n - 1] == '\r')
        line = str_trim(str_n(line.p, line.n - 1));
    if (!line.n || line.p[0] == '#')
        return;
    if (line.p[0] == '[' && line.p[line.n - 1] == ']')
        add_vendor(t, line);
    else
        add_row(t, line);
}

static void read_file(struct list *t)
{
    pbay_str text = STR_NONE;
    char *data = NULL;
    size_t n = 0;

    if (fs_read(t->file, LIM_CONF_FILE, &data, &n) == 0)
        text.p = load_dup(t->l, str_n(data, n)); /* the rows point into it */
    text.n = text.p ? n : 0;
    free(data);
    if (!text_is_clean(text.p ? text.p : "", true) ||
        (text.p && memchr(text.p, '\0', n))) {
        list_issue(t, "it is not text in UTF-8");
        return;
    }
    while (text.p) {
        t->line++;
        read_line(t, str_cut(&text, '\n'));
    }
}

void read_price_list(const struct section *server)
{
    struct list t = {.l = server->l};

    t.file = section_path(server, "price_list");
    path_check_readable(server, "price_list", t.file);
    if (t.file)
        read_file(&t);
    for (size_t i = 0; !t.file && i < sizeof(shipped) / sizeof(*shipped); i++)
        read_line(&t, str_c(shipped[i]));
    t.l->c->vendors = t.vendors;
    t.l->c->n_vendors = t.n;
}

/* --- a provider's -------------------------------------------------------- */

static pbay_str host_of(const char *url)
{
    const char *at = url ? strstr(url, "://") : NULL;

    if (!at)
        return STR_NONE;
    return str_n(at + 3, strcspn(at + 3, ":/?#"));
}

static const struct price_vendor *vendor_of(const struct section *s,
                                            const struct cfg_provider *p)
{
    const struct config *c = s->l->c;
    char *name = section_string(s, "prices_of"), *list;
    pbay_str host = host_of(p->base_url);

    for (size_t i = 0; i < c->n_vendors; i++) {
        const struct price_vendor *v = &c->vendors[i];

        if (name ? str_is(v->name, name) : v->host.n && str_ieq(v->host, host))
            return v;
    }
    if (!name || strcmp(name, "none") == 0)
        return NULL;
    list = load_dup(s->l, STR("none"));
    for (size_t i = 0; i < c->n_vendors; i++)
        list = load_printf(s->l, "%s, %.*s", list, STR_ARG(c->vendors[i].name));
    section_issue(s, true, "prices_of",
                  "the price list has no \"%.64s\"; it has %s", name, list);
    return NULL;
}

void provider_prices(const struct section *s, struct cfg_provider *p)
{
    char **lines = section_list(s, "prices");
    struct price_row *rows = NULL, *more, row;
    char why[256];

    p->vendor = vendor_of(s, p);
    for (; *lines; lines++) {
        if (price_row_parse(str_c(*lines), &row, why, sizeof(why)) < 0) {
            section_issue(s, true, "prices", "%s", why);
            continue;
        }
        more = load_grow(s->l, rows, p->n_prices, sizeof(*rows));
        if (!more)
            return;
        more[p->n_prices++] = row;
        p->prices = rows = more;
    }
}
