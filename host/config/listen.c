/* SPDX-License-Identifier: MIT */
/* Where the host listens, and who may come in there. */
#include "config/parts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* An address taken apart. */
struct where {
    char *addr; /* as http_listen() takes it */
    bool local; /* only this machine can reach it */
    bool is_unix;
};

static bool unix_address(struct load *l, const char *in, struct where *w,
                         char *why, size_t room)
{
    const char *path = in + strlen("unix:");
    struct sockaddr_un sa;
    if (*path != '/') {
        snprintf(why, room,
                 "the path of a Unix socket starts with \"/\": "
                 "\"unix:/run/patchbay/http.sock\"");
        return false;
    }
    if (strlen(path) >= sizeof sa.sun_path) {
        snprintf(why, room, "the path of a Unix socket has at most %zu bytes",
                 sizeof sa.sun_path - 1);
        return false;
    }
    *w = (struct where){load_dup(l, str_c(in)), true, true};
    return true;
}

static bool port_ok(pbay_str port)
{
    uint64_t n;
    return str_u64(port, &n) == 0 && n <= 65535;
}

static bool ipv4_address(pbay_str host, bool *local)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr a;
    if (host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    if (inet_pton(AF_INET, text, &a) != 1)
        return false;
    *local = ntohl(a.s_addr) >> 24 == 127;
    return true;
}

static bool ipv6_address(pbay_str host, bool *local)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr a;
    if (host.n < 2 || host.p[0] != '[' || host.p[host.n - 1] != ']' ||
        host.n - 2 >= sizeof text)
        return false;
    memcpy(text, host.p + 1, host.n - 2);
    text[host.n - 2] = '\0';
    if (inet_pton(AF_INET6, text, &a) != 1)
        return false;
    *local = IN6_IS_ADDR_LOOPBACK(&a) ||
             (IN6_IS_ADDR_V4MAPPED(&a) && a.s6_addr[12] == 127);
    return true;
}

static bool parse_address(struct load *l, const char *in, struct where *w,
                          char *why, size_t room)
{
    if (strncmp(in, "unix:", 5) == 0)
        return unix_address(l, in, w, why, room);
    const char *colon = strrchr(in, ':');
    pbay_str port = colon ? str_c(colon + 1) : STR_NONE;
    pbay_str host = str_n(in, colon ? (size_t)(colon - in) : strlen(in));
    if (str_is(host, "localhost"))
        host = STR("127.0.0.1");
    bool local = false;
    if (!port_ok(port) ||
        !(ipv4_address(host, &local) || ipv6_address(host, &local))) {
        snprintf(why, room,
                 "an IP address and a port are wanted, "
                 "\"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::1]:8080\", or "
                 "\"unix:/PATH\"");
        return false;
    }
    *w = (struct where){
        load_printf(l, "%.*s:%.*s", STR_ARG(host), STR_ARG(port)), local,
        false};
    return true;
}

/* --- one listener --- */

struct written { /* what was said about it */
    const char *addr;
    const struct section *group; /* NULL: the address alone */
    const struct section *server;
    const char *auth; /* of the server */
    struct cfg_origin origin;
    const char *label;
};

static const char *auth_of(const struct written *w)
{
    const char *own = w->group ? section_string(w->group, "auth") : NULL;
    return own ? own : w->auth;
}

/* Nobody gets in, or everybody does who should not. */
static void check_auth(struct load *l, const struct written *w,
                       const struct where *at, const char *auth)
{
    bool keys = l->c->n_keys > 0;
    const struct section *said = w->server;
    if (w->group && section_raw(w->group, "auth").kind != RAW_NONE)
        said = w->group;
    if (strcmp(auth, "keys") == 0 && !keys)
        section_issue(said, true, "auth",
                      "\"keys\" is written, but no "
                      "client key is configured, so that nobody could get "
                      "in: add one to \"keys\" (\"patchbay key new\" makes "
                      "it)");
    if (strcmp(auth, "auto") == 0 && !keys && !at->local)
        load_issue_at(l, true, &w->origin,
                      "%s: %s can be reached from other "
                      "machines and no client key is configured: add one to "
                      "\"keys\" (\"patchbay key new\" makes it), listen on "
                      "127.0.0.1, or write auth = \"none\" if anybody may "
                      "use your providers",
                      w->label, at->addr);
}

static bool wants_tls(struct load *l, const struct written *w,
                      const struct where *at)
{
    bool certificate = l->c->tls_cert != NULL;
    struct raw raw = {.kind = RAW_NONE};
    if (w->group)
        raw = section_raw(w->group, "tls");
    if (raw.kind == RAW_NONE)
        return certificate && !at->is_unix;
    bool tls = section_bool(w->group, "tls");
    if (tls && at->is_unix)
        section_issue(w->group, true, "tls",
                      "a Unix socket speaks no TLS: "
                      "remove it");
    else if (tls && !certificate)
        section_issue(w->group, true, "tls",
                      "TLS needs a certificate: set "
                      "certificate and key of server.tls");
    return tls;
}

static void show_listen(struct load *l, struct node *list,
                        const struct cfg_listen *li, const char *auth)
{
    struct node *g = node_add(l, list, NODE_GROUP, NULL, &li->origin);
    node_set_string(l, g, "address", li->addr, &li->origin);
    struct node tls = {.kind = NODE_VALUE,
                       .name = "tls",
                       .type = KEY_BOOL,
                       .set = true,
                       .b = li->tls,
                       .origin = li->origin};
    node_add_value(l, g, &tls);
    node_set_string(l, g, "auth", auth, &li->origin);
}

static void add_listen(struct load *l, struct node *list,
                       const struct written *w)
{
    struct config *c = l->c;
    struct where at;
    char why[256];
    if (c->n_listen == LIM_LISTEN) {
        load_issue_at(l, true, &w->origin, "%s: more than %d listeners",
                      w->label, LIM_LISTEN);
        return;
    }
    if (!parse_address(l, w->addr, &at, why, sizeof why)) {
        /* What a file says may have come out of a variable. */
        bool quote = w->origin.source == CFG_OPTION;
        load_issue_at(l, true, &w->origin, "%s%s%.64s: %s", w->label,
                      quote ? " " : "", quote ? w->addr : "", why);
        return;
    }
    for (size_t i = 0; i < c->n_listen; i++)
        if (strcmp(c->listen[i].addr, at.addr) == 0 &&
            !str_ends(str_c(at.addr), ":0"))
            load_issue_at(l, true, &w->origin,
                          "%s: %s stands here twice: "
                          "remove one",
                          w->label, at.addr);
    const char *auth = auth_of(w);
    check_auth(l, w, &at, auth);
    struct cfg_listen *v = load_grow(l, c->listen, c->n_listen, sizeof *v);
    if (!v)
        return;
    c->listen = v;
    v[c->n_listen] = (struct cfg_listen){.addr = at.addr,
                                         .tls = wants_tls(l, w, &at),
                                         .auth_none = strcmp(auth, "none") == 0,
                                         .origin = w->origin};
    show_listen(l, list, &v[c->n_listen++], auth);
}

/* --- the forms the key can have --- */

static void add_group(struct load *l, const struct section *server,
                      struct node *list, const config_setting_t *set, int i,
                      const char *auth)
{
    struct section s = {.l = l,
                        .rows = "server.listen[]",
                        .label = load_printf(l, "server.listen[%d]", i),
                        .doc = server->doc,
                        .set = set,
                        .node = &l->spare};
    section_check_names(&s, NULL);
    const char *addr = section_string(&s, "address");
    if (!addr) {
        if (section_raw(&s, "address").kind == RAW_NONE)
            section_issue(&s, true, "address",
                          "it is missing: address = "
                          "\"127.0.0.1:8080\"");
        return;
    }
    struct written w = {addr,   &s, server, auth, section_origin(&s, "address"),
                        s.label};
    add_listen(l, list, &w);
}

/* A list with at least one group in it; addresses may stand beside. */
static void add_mixed(struct load *l, const struct section *server,
                      struct node *list, const struct raw *raw,
                      const char *auth)
{
    static const struct spec address = {.name = "", .type = KEY_STRING};
    for (int i = 0; i < config_setting_length(raw->set); i++) {
        const config_setting_t *e =
            config_setting_get_elem(raw->set, (unsigned)i);
        if (config_setting_is_group(e)) {
            add_group(l, server, list, e, i, auth);
            continue;
        }
        struct raw one = raw_setting(server->doc, e);
        struct node v;
        char *label = load_printf(l, "server.listen[%d]", i);
        if (value_read(l, label, &address, &one, &v)) {
            struct written w = {v.s, NULL, server, auth, one.origin, label};
            add_listen(l, list, &w);
        }
    }
}

static bool has_group(const struct raw *raw)
{
    if (raw->kind != RAW_LIST || !raw->set)
        return false;
    for (int i = 0; i < config_setting_length(raw->set); i++)
        if (config_setting_is_group(
                config_setting_get_elem(raw->set, (unsigned)i)))
            return true;
    return false;
}

static void add_options(struct load *l, const struct section *server,
                        struct node *list, const char *auth)
{
    for (size_t i = 0; l->o->listen[i]; i++) {
        struct written w = {
            load_dup(l, str_c(l->o->listen[i])), NULL,           server, auth,
            {CFG_OPTION, "--listen", 0},         "server.listen"};
        add_listen(l, list, &w);
    }
}

void read_listen(struct load *l, const struct section *server)
{
    const char *auth = section_string(server, "auth");
    struct raw raw = section_raw(server, "listen");
    struct cfg_origin from = section_origin(server, "listen");
    if (raw.kind == RAW_NONE)
        from = (struct cfg_origin){CFG_DEFAULT, NULL, 0};
    bool option = l->o->listen && l->o->listen[0];
    if (option)
        from = (struct cfg_origin){CFG_OPTION, "--listen", 0};
    struct node *list = node_add(l, server->node, NODE_LIST, "listen", &from);
    if (!auth)
        auth = "auto";
    if (option) {
        add_options(l, server, list, auth);
        return;
    }
    if (has_group(&raw)) {
        add_mixed(l, server, list, &raw, auth);
    } else {
        struct section plain = *server;
        plain.node = &l->spare;
        char **v = section_list(&plain, "listen");
        for (size_t i = 0; v[i]; i++) {
            struct written w = {v[i], NULL, server,
                                auth, from, "server.listen"};
            if (v[1])
                w.label = load_printf(l, "server.listen[%zu]", i);
            add_listen(l, list, &w);
        }
    }
    if (raw.kind == RAW_LIST && raw.set && config_setting_length(raw.set) == 0)
        section_issue(server, true, "listen",
                      "the list is empty, so that "
                      "nobody could connect: remove it for 127.0.0.1:8080");
}
