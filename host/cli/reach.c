/* SPDX-License-Identifier: MIT */
/* Reaching a host: the running one, else one in our own process. */
#include "config.h"

#include "cli/reach.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/str.h"
#include "cli/exit.h"
#include "cli/own.h"
#include "config/config.h"

static bool same_file(const char *a, const char *b)
{
    struct stat sa, sb;

    return a && b && !stat(a, &sa) && !stat(b, &sb) && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

/* Does the host at the other end have the configuration the user named? */
static int check_config(struct client *c, const char *config, bool *same,
                        struct client_error *e)
{
    struct json_object *version;

    if (client_ask(c, "version", STR("{}"), &version, e))
        return -1;
    *same = same_file(config, js_cstr(version, "config_file", NULL));
    return 0;
}

int reach_running(struct reach *r, const struct reach_options *o, bool *absent,
                  struct client_error *e)
{
    struct cfg_load_options load = {.file = o->config};
    char *path =
        o->control ? str_dup(str_c(o->control)) : cfg_control_path(&load);
    bool same = true;

    *r = (struct reach){0};
    *absent = false;
    if (!path) {
        client_error_set(e, EXIT_FAILED, "out of memory");
        return -1;
    }
    r->client = client_connect(path, absent, e);
    if (!r->client)
        goto out;
    if (!o->config || o->control)
        goto out;
    if (check_config(r->client, o->config, &same, e)) {
        client_free(r->client);
        r->client = NULL;
    } else if (!same) {
        client_error_set(e, EXIT_NO_HOST,
                         "the host at %s runs with another configuration than "
                         "%s",
                         path, o->config);
        *absent = true;
        client_free(r->client);
        r->client = NULL;
    }
out:
    free(path);
    return r->client ? 0 : -1;
}

static int open_own(struct reach *r, const struct reach_options *o,
                    struct client_error *e)
{
    int fd;

    /* Warnings are shown; what a host tells its operator is not. */
    log_set_level(LOG_WARN);
    r->own = own_start(o->config, o->self, LOG_WARN, &fd, e);
    if (!r->own)
        return -1;
    r->client = client_on_fd(fd);
    if (r->client)
        return 0;
    client_error_set(e, EXIT_FAILED, "out of memory");
    own_stop(r->own);
    r->own = NULL;
    return -1;
}

int reach_open(struct reach *r, const struct reach_options *o,
               struct client_error *e)
{
    bool absent;

    *r = (struct reach){0};
    if (o->where == REACH_OWN)
        return open_own(r, o, e);
    if (!reach_running(r, o, &absent, e))
        return 0;
    if (!absent || o->control || o->where == REACH_RUNNING)
        return -1;
    return open_own(r, o, e);
}

void reach_close(struct reach *r)
{
    client_free(r->client);
    own_stop(r->own);
    *r = (struct reach){0};
}
