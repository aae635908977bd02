/* SPDX-License-Identifier: MIT */
/* The manifests of the modules at hand. */
#include "config.h"

#include "cli/manifests.h"

#include <stdlib.h>
#include <string.h>

static int init_loader(struct cli *cli, const struct cfg_load_options *load)
{
    struct loader_options o = {.vendor_dir = PLUGINDIR,
                               .allow_any_owner =
                                   getenv("PATCHBAY_ALLOW_ANY_OWNER") != NULL};
    struct cfg_issues issues = {0};
    char **dirs = cfg_plugin_dirs(load, &issues);
    char *err = NULL;
    int rc;

    cfg_issues_done(&issues); /* cfg_load() finds them again */
    o.dirs = (const char *const *)dirs;
    rc = loader_init(&o, &err);
    for (char **d = dirs; d && *d; d++)
        free(*d);
    free(dirs);
    if (rc)
        cli_error(cli, EXIT_FAILED, "modules: %s", err ? err : strerror(-rc));
    free(err);
    return rc ? EXIT_FAILED : 0;
}

int manifests_open(struct cli *cli, struct manifests *m,
                   struct cfg_load_options *load)
{
    int status = init_loader(cli, load);

    *m = (struct manifests){.n = 0};
    if (status)
        return status;
    catalogue_scan(&m->modules);
    m->list = calloc(m->modules.n + 1, sizeof(*m->list));
    m->broken = calloc(m->modules.n + 1, sizeof(*m->broken));
    if (!m->list || !m->broken) {
        manifests_close(m);
        return cli_error(cli, EXIT_FAILED, "out of memory");
    }
    for (size_t i = 0, broken = 0; i < m->modules.n; i++) {
        const struct module *mod = m->modules.modules[i];
        if (mod->state == MODULE_REFUSED)
            m->broken[broken++] = mod->id;
        else if (mod->manifest)
            m->list[m->n++] = mod->manifest;
    }
    load->manifests = m->list;
    load->n_manifests = m->n;
    load->broken = m->broken;
    return 0;
}

void manifests_close(struct manifests *m)
{
    free(m->list);
    free(m->broken);
    catalogue_done(&m->modules);
    loader_done();
}
