/* SPDX-License-Identifier: MIT */
/* One setting: a value of the input, checked, in the configuration's form. */
#include "import/state.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "config/parts.h"

/* --- text ---------------------------------------------------------------- */

static size_t name_length(const char *s)
{
    size_t n = 0;

    if (isalpha((unsigned char)*s) || *s == '_')
        while (isalnum((unsigned char)s[n]) || s[n] == '_')
            n++;
    return n;
}

/* Length of "${NAME}" or "${NAME:-default}" that s begins with, 0: none. */
static size_t reference(const char *s)
{
    size_t n = s[0] == '$' && s[1] == '{' ? name_length(s + 2) : 0;
    const char *end;

    if (!n)
        return 0;
    if (s[2 + n] == '}')
        return n + 3;
    end = s[2 + n] == ':' && s[3 + n] == '-' ? strchr(s + n + 4, '}') : NULL;
    return end ? (size_t)(end - s) + 1 : 0;
}

static void put_byte(struct buf *b, unsigned char c)
{
    if (c == '"' || c == '\\')
        buf_printf(b, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
        buf_printf(b, "\\x%02x", c);
    else
        buf_printf(b, "%c", c);
}

void im_string(struct buf *b, const char *text)
{
    if (b->n > LIM_CONF_FILE)
        return; /* too much already: import_read() says so */
    buf_addc(b, "\"");
    while (*text) {
        size_t n = reference(text);
        if (!n && text[0] == '$' && text[1] == '{')
            buf_addc(b, "$");
        n = n ? n : 1;
        for (; n; n--)
            put_byte(b, (unsigned char)*text++);
    }
    buf_addc(b, "\"");
}

static bool is_clean(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

/* --- secrets ------------------------------------------------------------- */

/* The whole text is one variable's name in one of the usual forms: it, in
 * *name of *n bytes.  *dflt: it has a default, which is a secret itself. */
static bool variable(const char *s, const char **name, size_t *n, bool *dflt)
{
    static const char *const before[] = {"os.environ/", "env:", "$"};
    size_t len = reference(s);

    *dflt = false;
    if (len && !s[len]) {
        *name = s + 2;
        *n = name_length(s + 2);
        *dflt = s[2 + *n] == ':' && s[4 + *n] != '}';
        return true;
    }
    for (size_t i = 0; i < 3; i++) {
        size_t k = strlen(before[i]);
        if (strncmp(s, before[i], k) != 0)
            continue;
        *name = s + k;
        *n = name_length(s + k);
        return *n && !s[k + *n];
    }
    return false;
}

/* "Bearer ", "user:": what stands before a secret and is none. */
static size_t introduction(const char *s)
{
    size_t n = 0;

    while (isalnum((unsigned char)s[n]) || (s[n] && strchr("._-", s[n])))
        n++;
    return (s[n] == ' ' && n <= 8) || (s[n] == ':' && n <= 32) ? n + 1 : 0;
}

bool im_is_clear(const char *text)
{
    const char *name;
    size_t n, len;
    bool dflt;

    if (!text || !*text)
        return false;
    if (variable(text, &name, &n, &dflt))
        return dflt;
    /* "Bearer ${TOKEN}": the secret is elsewhere, if there is nothing else. */
    text += introduction(text);
    for (len = 1; *text && len; text += len) {
        len = reference(text);
        if (len && memchr(text, ':', len))
            return true; /* its default is one */
    }
    return !len;
}

bool im_is_variable(const char *text)
{
    size_t n = name_length(text);

    return n && n < 128 && !text[n];
}

static void put_variable(struct buf *b, const char *name, size_t n)
{
    /* Empty where it is not set: the others are set up all the same, and
     * `config check` tells. */
    buf_printf(b, "\"${%.*s:-}\"", (int)n, name);
}

/* A secret's value.  false: left out. */
static void put_secret(struct im_state *s, const char *label, const char *key,
                       const struct tree_node *n, const char *var)
{
    const char *text = tree_text(n), *name = NULL;
    size_t len = 0;
    bool dflt = false;

    if (variable(text, &name, &len, &dflt) && !dflt) {
        put_variable(s->b, name, len);
    } else if (!im_is_clear(text) || s->o->keep_secrets) {
        im_string(s->b, text);
        if (im_is_clear(text))
            im_issue(s, false, n->line,
                     "%s.%s: a secret stands there in clear, and in the new "
                     "file as well: keep it private, or write a variable",
                     label, key);
    } else {
        if (name)
            put_variable(s->b, name, len);
        else
            put_variable(s->b, var, strlen(var));
        im_issue(s, false, n->line,
                 "%s.%s: a secret stands there in clear; it is not shown: set "
                 "%.*s, or use --output, which makes a private file",
                 label, key, (int)(name ? len : strlen(var)),
                 name ? name : var);
    }
}

static void keep_key(struct im_state *s, const struct im_provider *p,
                     const struct tree_node *n)
{
    struct import *out = s->out;
    struct import_key *v = realloc(out->keys, (out->n_keys + 1) * sizeof(*v));

    if (!v) {
        s->nomem = true;
        return;
    }
    out->keys = v;
    v += out->n_keys++;
    *v = (struct import_key){.value = strdup(tree_text(n)), .line = n->line};
    if (asprintf(&v->file, "%s.key", p->name) < 0)
        v->file = NULL;
    s->nomem |= !v->file || !v->value;
}

void im_api_key(struct im_state *s, const struct im_provider *p,
                struct tree_node *n)
{
    const char *text = tree_text(n);
    char label[96];

    snprintf(label, sizeof(label), "providers.%s", p->name);
    if (!n || n->kind == TREE_NULL || (text && !*text))
        return;
    if (!text || !is_clean(text)) {
        im_issue(s, false, n->line, "%s.api_key: a text is wanted; left out",
                 label);
    } else if (s->o->keep_secrets && im_is_clear(text) && !strchr(text, '$')) {
        buf_printf(s->b, "        api_key_file = \"%s.key\";\n", p->name);
        keep_key(s, p, n);
    } else {
        buf_addc(s->b, "        api_key = ");
        put_secret(s, label, "api_key", n, p->var);
        buf_addc(s->b, ";\n");
    }
}

/* --- values -------------------------------------------------------------- */

static bool bad(struct im_state *s, const char *label, const struct im_key *k,
                const struct tree_node *n, const char *wanted)
{
    im_issue(s, false, n->line, "%s.%s: %s is wanted; left out", label, k->name,
             wanted);
    return false;
}

/* A number within the key's bounds; another is moved there, and told. */
static double within(struct im_state *s, const char *label,
                     const struct im_key *k, const struct tree_node *n,
                     double v)
{
    double to = v;

    if (k->min == 0 && k->max == 0)
        return v;
    to = to < k->min ? k->min : to;
    to = k->max > 0 && to > k->max ? k->max : to;
    if (to != v)
        im_issue(s, false, n->line,
                 "%s.%s: out of the bounds that hold here; the nearest one is "
                 "written",
                 label, k->name);
    return to;
}

/* Digits, sign, point; "1_000" is what YAML allows. */
static bool number(const char *text, bool whole, double *out)
{
    char clean[40];
    char *end;
    size_t n = 0;

    for (; *text && n < sizeof(clean) - 1; text++)
        if (*text != '_')
            clean[n++] = *text;
    clean[n] = '\0';
    if (*text || !n || strspn(clean, "0123456789+-.eE") != n)
        return false;
    *out = strtod(clean, &end);
    return !*end && *out > -9e15 && *out < 9e15 &&
           (!whole || *out == (double)(long long)*out);
}

static bool put_number(struct im_state *s, const char *label,
                       const struct im_key *k, const struct tree_node *n)
{
    const char *text = tree_text(n);
    char out[64], *comma;
    double v;

    if (!text || !number(text, k->type == KEY_INT, &v))
        return bad(s, label, k, n,
                   k->type == KEY_INT ? "a whole number" : "a number");
    v = within(s, label, k, n, v);
    if (k->type == KEY_INT) {
        buf_printf(s->b, v > INT32_MAX || v < INT32_MIN ? "%.0fL" : "%.0f", v);
        return true;
    }
    snprintf(out, sizeof(out), "%.9g", v);
    comma = strchr(out, ',');
    if (comma)
        *comma = '.';
    buf_printf(s->b, strpbrk(out, ".e") ? "%s" : "%s.0", out);
    return true;
}

static bool put_measure(struct im_state *s, const char *label,
                        const struct im_key *k, const struct tree_node *n)
{
    const char *text = tree_text(n);
    bool time = k->type == KEY_DURATION;
    char out[32];
    int64_t v = 0;

    if (!text ||
        (time ? cfg_duration(str_c(text), &v) : cfg_size(str_c(text), &v)) < 0)
        return bad(s, label, k, n,
                   time ? "a time, in seconds or like \"30s\","
                        : "a number of bytes, or one like \"10M\",");
    /* Elsewhere 0 is no bound at all: the shortest one is not what is meant. */
    if (v == 0 && k->min > 0)
        return bad(s, label, k, n, "a time or size above 0");
    v = (int64_t)within(s, label, k, n, (double)v);
    buf_printf(s->b, "\"%s\"",
               time ? cfg_duration_text(v, out) : cfg_size_text(v, out));
    return true;
}

static bool is_choice(const struct im_key *k, const char *text)
{
    pbay_str rest = str_c(k->choices);

    for (char *const *c = k->choice_list; c && *c; c++)
        if (!strcmp(*c, text))
            return true;
    while (rest.n)
        if (str_is(str_cut(&rest, '|'), text))
            return true;
    return !k->choices && !(k->choice_list && k->choice_list[0]);
}

/* "http://user:password@host": a URL that a secret may stand in. */
static bool has_user(const char *text)
{
    const char *at = strstr(text, "://");

    return at && at[3 + strcspn(at + 3, "/@?#")] == '@';
}

static bool put_text(struct im_state *s, const char *label,
                     const struct im_key *k, const struct tree_node *n,
                     const char *var)
{
    const char *text = tree_text(n);

    if (!text || !is_clean(text))
        return bad(s, label, k, n, "a text without control characters");
    if (!strstr(text, "${") && !is_choice(k, text))
        return bad(s, label, k, n, "one of the words that are known here");
    if (has_user(text))
        put_secret(s, label, k->name, n, var);
    else
        im_string(s->b, text);
    return true;
}

static bool put_list(struct im_state *s, const char *label,
                     const struct im_key *k, struct tree_node *n,
                     const char *var)
{
    const char *sep = "";
    struct tree_node *m = n->kind == TREE_LIST ? n->first : NULL;

    if (n->kind == TREE_SCALAR) {
        buf_addc(s->b, "[ ");
        if (!put_text(s, label, k, n, var))
            return false;
        buf_addc(s->b, " ]");
        return true;
    }
    for (; m; m = m->next)
        if (!tree_text(m) || !is_clean(tree_text(m)) || has_user(tree_text(m)))
            return bad(s, label, k, m,
                       "a list of texts, and of URLs without user names");
    if (n->kind != TREE_LIST)
        return bad(s, label, k, n, "a list of texts");
    buf_addc(s->b, "[");
    for (m = n->first; m; m = m->next) {
        buf_printf(s->b, "%s ", sep);
        im_string(s->b, tree_text(m));
        sep = ",";
    }
    buf_addc(s->b, " ]");
    tree_use(n);
    return true;
}

static bool put_bool(struct im_state *s, const char *label,
                     const struct im_key *k, const struct tree_node *n)
{
    bool on;

    if (!tree_bool(n, &on))
        return bad(s, label, k, n, "true or false");
    buf_addc(s->b, on ? "true" : "false");
    return true;
}

static bool put_value(struct im_state *s, const char *label,
                      const struct im_key *k, struct tree_node *n,
                      const char *var)
{
    switch (k->type) {
    case KEY_INT:
    case KEY_FLOAT:
        return put_number(s, label, k, n);
    case KEY_DURATION:
    case KEY_SIZE:
        return put_measure(s, label, k, n);
    case KEY_BOOL:
        return put_bool(s, label, k, n);
    case KEY_STRINGS:
        return put_list(s, label, k, n, var);
    case KEY_SECRET:
        if (!tree_text(n) || !is_clean(tree_text(n)))
            return bad(s, label, k, n, "a text without control characters");
        put_secret(s, label, k->name, n, var);
        return true;
    default:
        return put_text(s, label, k, n, var);
    }
}

bool im_setting(struct im_state *s, int indent, const char *label,
                const struct im_key *k, struct tree_node *n, const char *var)
{
    size_t before = s->b->n;
    const char *text = tree_text(n);

    if (!n || n->kind == TREE_NULL ||
        (text && !*text && (k->type == KEY_SECRET || k->type == KEY_STRING)))
        return false; /* it says nothing */
    buf_printf(s->b, "%*s%s = ", indent, "", k->name);
    if (!put_value(s, label, k, n, var)) {
        s->b->n = before; /* the line is taken back */
        return false;
    }
    buf_addc(s->b, ";\n");
    return true;
}
