/* SPDX-License-Identifier: MIT */
/* Where things are: the main file, modules, the control socket, state. */
#include "config/parts.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A directory of the XDG kind: $VAR, else $HOME/REST; NULL: neither is an
 * absolute path.  https://specifications.freedesktop.org/basedir-spec/ */
static const char *xdg_dir(struct load *l, const char *var, const char *rest)
{
    const char *dir = load_env(l, var);
    if (dir && *dir == '/')
        return dir;
    const char *home = load_env(l, "HOME");
    if (!rest || !home || *home != '/')
        return NULL;
    return load_printf(l, "%s/%s", home, rest);
}

const char *path_main(struct load *l, bool *must)
{
    *must = true;
    if (l->o->file)
        return load_dup(l, str_c(l->o->file));
    const char *named = load_env(l, "PATCHBAY_CONFIG");
    if (named)
        return load_dup(l, str_c(named));
    *must = false;
    const char *user = xdg_dir(l, "XDG_CONFIG_HOME", ".config");
    const char *dirs[] = {user ? load_printf(l, "%s/patchbay", user) : NULL,
                          CONFDIR};
    for (size_t i = 0; i < 2; i++) {
        if (!dirs[i])
            continue;
        const char *path = load_printf(l, "%s/patchbay.conf", dirs[i]);
        /* One that is there and cannot be read is an error later on. */
        if (access(path, F_OK) == 0)
            return path;
    }
    return NULL;
}

const char *path_dir_of(struct load *l, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/"
                         : load_dup(l, str_n(path, (size_t)(slash - path)));
}

char *path_resolve(struct load *l, const char *dir, const char *path)
{
    if (*path == '/' || !dir || strcmp(dir, ".") == 0)
        return load_dup(l, str_c(path));
    return load_printf(l, "%s/%s", dir, path);
}

/* Directories that systemd makes for a service come as a list. */
static const char *service_dir(struct load *l, const char *var)
{
    const char *list = load_env(l, var);
    if (!list || *list != '/')
        return NULL;
    return load_dup(l, str_n(list, strcspn(list, ":")));
}

/* Are we what the service runs as? */
static bool is_service(void)
{
    if (geteuid() == 0)
        return true;
    struct passwd pw, *found = NULL;
    char room[4096];
    return getpwuid_r(geteuid(), &pw, room, sizeof room, &found) == 0 &&
           found && strcmp(found->pw_name, "patchbay") == 0;
}

char *path_control(struct load *l, const char *configured)
{
    const char *env = load_env(l, "PATCHBAY_CONTROL");
    if (env)
        return load_dup(l, str_c(env));
    if (configured)
        return load_dup(l, str_c(configured));
    const char *dir = service_dir(l, "RUNTIME_DIRECTORY");
    if (!dir && is_service())
        dir = RUNDIR;
    if (dir)
        return load_printf(l, "%s/control.sock", dir);
    dir = xdg_dir(l, "XDG_RUNTIME_DIR", NULL);
    if (dir)
        return load_printf(l, "%s/patchbay/control.sock", dir);
    dir = load_env(l, "TMPDIR");
    return load_printf(l, "%s/patchbay-%lu/control.sock",
                       dir && *dir == '/' ? dir : "/tmp",
                       (unsigned long)geteuid());
}

char *path_state(struct load *l, const char *configured)
{
    if (configured)
        return load_dup(l, str_c(configured));
    const char *dir = service_dir(l, "STATE_DIRECTORY");
    if (dir)
        return load_dup(l, str_c(dir));
    dir = is_service() ? NULL : xdg_dir(l, "XDG_STATE_HOME", ".local/state");
    return dir ? load_printf(l, "%s/patchbay", dir)
               : load_dup(l, STR(STATEDIR));
}

/* --- before a whole load --- */

/* The section `server` of the main file alone. */
static struct section peek_server(struct load *l)
{
    main_read(l);
    const struct doc *d = l->main;
    struct section root = {.l = l,
                           .rows = "",
                           .label = "",
                           .doc = d,
                           .node = l->values->root,
                           .set = d && d->parsed ? config_root_setting(&d->conf)
                                                 : NULL};
    struct section server = section_sub(&root, "server");
    server.node = l->server;
    return server;
}

char *cfg_control_path(const struct cfg_load_options *o)
{
    struct load l;
    if (!load_begin(&l, o, NULL))
        return NULL;
    struct section server = peek_server(&l);
    char *path = path_control(&l, section_path(&server, "control_socket"));
    char *copy = l.nomem ? NULL : strdup(path);
    load_docs_done(&l);
    cfg_free(l.c);
    return copy;
}

static bool list_add(char ***list, size_t *n, pbay_str s)
{
    char **more = realloc(*list, (*n + 2) * sizeof *more);
    if (!more)
        return false;
    *list = more;
    more[*n] = str_dup(s);
    if (!more[*n])
        return false;
    more[++*n] = NULL;
    return true;
}

char **cfg_plugin_dirs(const struct cfg_load_options *o,
                       struct cfg_issues *issues)
{
    struct load l;
    if (!load_begin(&l, o, issues))
        return NULL;
    char **dirs = NULL;
    size_t n = 0;
    bool ok = true;
    pbay_str env = str_c(load_env(&l, "PATCHBAY_PLUGIN_PATH"));
    while (ok && env.n) {
        pbay_str dir = str_cut(&env, ':');
        if (dir.n)
            ok = list_add(&dirs, &n, dir);
    }
    struct section server = peek_server(&l);
    char **own = plugin_dirs(&server);
    for (size_t i = 0; ok && own[i]; i++)
        ok = list_add(&dirs, &n, str_c(own[i]));
    ok = ok && list_add(&dirs, &n, STR(LOCALPLUGINDIR)) &&
         list_add(&dirs, &n, STR(PLUGINDIR));
    load_docs_done(&l);
    ok = ok && !l.nomem;
    cfg_free(l.c);
    if (!ok) {
        for (size_t i = 0; i < n; i++)
            free(dirs[i]);
        free(dirs);
        return NULL;
    }
    return dirs;
}
