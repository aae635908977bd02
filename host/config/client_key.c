/* SPDX-License-Identifier: MIT */
/* Client keys: the section `keys`, finding one, making one.  The host never has
 * a client's key, only its SHA-256. */
#include "config/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

static const struct {
    const char *name;
    int bit;
} rights[] = {{"chat", RIGHT_CHAT},       {"routes", RIGHT_ROUTES},
              {"raw", RIGHT_RAW},         {"models", RIGHT_MODELS},
              {"reports", RIGHT_REPORTS}, {"admin", RIGHT_ADMIN}};
#define N_RIGHTS (sizeof rights / sizeof *rights)

int right_parse(pbay_str name)
{
    for (size_t i = 0; i < N_RIGHTS; i++)
        if (str_is(name, rights[i].name))
            return rights[i].bit;
    return 0;
}

const char *right_name(int bit)
{
    for (size_t i = 0; i < N_RIGHTS; i++)
        if (rights[i].bit == bit)
            return rights[i].name;
    return "unknown";
}

/* --- reading --- */

/* A key in clear has no place in the file, whatever it is called. */
static bool refuse_clear(const struct section *s)
{
    static const char *const names[] = {
        "key", "key_file", "api_key", "token", "secret", "value", NULL};
    bool found = false;
    for (size_t i = 0; names[i]; i++) {
        if (section_raw(s, names[i]).kind == RAW_NONE)
            continue;
        section_issue(s, true, names[i],
                      "a client's key is not kept, only "
                      "its SHA-256: \"patchbay key new\" makes a key and "
                      "prints the sha256 line for this place");
        found = true;
    }
    return found;
}

static bool read_name(const struct section *s, struct cfg_client_key *k)
{
    k->name = section_string(s, "name");
    if (k->name && *k->name && strlen(k->name) <= 64)
        return true;
    if (k->name || section_raw(s, "name").kind == RAW_NONE)
        section_issue(s, true, "name", "a name of 1 to 64 bytes is wanted");
    return false;
}

static bool read_hash(const struct section *s, struct cfg_client_key *k)
{
    const char *text = section_value(s, "sha256")->s;
    if (!text) {
        if (section_raw(s, "sha256").kind == RAW_NONE)
            section_issue(s, true, "sha256",
                          "it is missing: \"patchbay key "
                          "new\" prints it");
        return false;
    }
    unsigned char none[32];
    if (hex_parse(str_c(text), k->hash, sizeof k->hash)) {
        section_issue(s, true, "sha256",
                      "%zu bytes were found, the 64 "
                      "hexadecimal digits of a SHA-256 are wanted%s",
                      strlen(text),
                      strncmp(text, "pbk_", 4) == 0
                          ? "; this looks like the key itself: make a new one"
                          : "");
        return false;
    }
    sha256(STR(""), none);
    if (memcmp(none, k->hash, sizeof none) == 0) {
        section_issue(s, true, "sha256",
                      "this is the SHA-256 of nothing at "
                      "all; \"patchbay key new\" makes a key");
        return false;
    }
    return true;
}

static unsigned read_rights(const struct section *s)
{
    unsigned bits = 0;
    char **v = section_list(s, "rights");
    for (size_t i = 0; v[i]; i++)
        bits |= (unsigned)right_parse(str_c(v[i]));
    return bits & RIGHT_ADMIN ? RIGHT_ALL : bits;
}

static bool is_new(const struct section *s, const struct cfg_client_key *k)
{
    const struct config *c = s->l->c;
    for (size_t i = 0; i < c->n_keys; i++) {
        const struct cfg_client_key *o = &c->keys[i];
        const char *same = NULL;
        if (strcmp(o->name, k->name) == 0)
            same = "name";
        else if (memcmp(o->hash, k->hash, sizeof k->hash) == 0)
            same = "sha256";
        if (!same)
            continue;
        section_issue(s, true, same,
                      "the same as that of the key of line "
                      "%d: give each its own",
                      o->origin.line);
        return false;
    }
    return true;
}

static void read_key(struct load *l, const struct doc *d,
                     const config_setting_t *set, int i)
{
    struct config *c = l->c;
    struct raw raw = raw_setting(d, set);
    struct section s = {.l = l,
                        .rows = "keys[]",
                        .doc = d,
                        .set = set,
                        .label = load_printf(l, "keys[%d]", i)};
    if (raw.kind != RAW_GROUP) {
        load_issue_at(l, true, &raw.origin,
                      "%s: a group is wanted: { name = "
                      "\"ci\"; sha256 = \"...\"; rights = [ \"chat\" ]; }",
                      s.label);
        return;
    }
    s.node = node_add(l, l->keys, NODE_GROUP, NULL, &raw.origin);
    struct cfg_client_key k = {.origin = raw.origin};
    if (refuse_clear(&s))
        return;
    section_check_names(&s, NULL);
    bool named = read_name(&s, &k), hashed = read_hash(&s, &k);
    k.rights = read_rights(&s);
    read_limits(&s, "limits", &k.limits);
    if (!named || !hashed || !is_new(&s, &k))
        return;
    struct cfg_client_key *v = load_grow(l, c->keys, c->n_keys, sizeof *v);
    if (!v)
        return;
    c->keys = v;
    v[c->n_keys++] = k;
}

void read_keys(struct load *l, const struct doc *d,
               const config_setting_t *root)
{
    const config_setting_t *set =
        root ? config_setting_get_member(root, "keys") : NULL;
    if (!set)
        return;
    struct raw raw = raw_setting(d, set);
    l->keys->origin = raw.origin;
    if (raw.kind != RAW_LIST) {
        load_issue_at(l, true, &raw.origin,
                      "keys: a list of groups is "
                      "wanted: keys = ( { name = \"ci\"; sha256 = \"...\"; } "
                      ");");
        return;
    }
    int n = config_setting_length(set);
    if (n > LIM_KEYS) {
        load_issue_at(l, true, &raw.origin,
                      "keys: %d keys, at most %d are "
                      "possible",
                      n, LIM_KEYS);
        n = LIM_KEYS;
    }
    for (int i = 0; i < n; i++)
        read_key(l, d, config_setting_get_elem(set, (unsigned)i), i);
}

/* --- finding and making --- */

const struct cfg_client_key *cfg_find_key(const struct config *c,
                                          pbay_str presented)
{
    unsigned char hash[32];
    const struct cfg_client_key *found = NULL;
    sha256(presented, hash);
    /* All of them, whole, whichever matches: the time tells nothing. */
    for (size_t i = 0; i < c->n_keys; i++)
        if (str_eq_const_time(str_n((const char *)c->keys[i].hash, 32),
                              str_n((const char *)hash, 32)))
            found = &c->keys[i];
    return found;
}

int cfg_new_key(char key[64], char hash_hex[65])
{
    /* 32 bytes in the alphabet that needs no quotes anywhere: 43 characters.
     * RFC 4648, section 5, without padding. */
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char r[33] = {0};
    int rc = random_bytes(r, 32);
    if (rc)
        return rc;
    size_t n = 4;
    memcpy(key, "pbk_", n);
    for (size_t i = 0; i < 33; i += 3) {
        unsigned long three =
            (unsigned long)r[i] << 16 | (unsigned long)r[i + 1] << 8 | r[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            key[n++] = digits[three >> shift & 63];
    }
    key[4 + 43] = '\0'; /* the last digit is of the padding byte alone */
    explicit_bzero(r, sizeof r);
    sha256_hex(str_c(key), hash_hex);
    return 0;
}
