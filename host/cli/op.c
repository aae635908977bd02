/* SPDX-License-Identifier: MIT */
/* Asking for single operations. */
#include "config.h"

#include "cli/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/input.h"

static struct json_object *args_of(const struct op_ask *o)
{
    struct json_object *args = json_object_new_object();

    if (args && !js_add_str(args, "op", str_c(o->op)) &&
        (!o->provider || !js_add_str(args, "provider", str_c(o->provider))) &&
        (!o->body || !js_add(args, "body", json_object_get(o->body))))
        return args;
    json_object_put(args);
    return NULL;
}

static int take_item(struct cli *cli, struct op_ask *o,
                     struct json_object *line)
{
    struct json_object *item = js_get(line, "json");

    if (strcmp(js_cstr(line, "event", ""), "warning") == 0 && !o->quiet)
        cli_warn(cli, "%s: %s", js_cstr(line, "field", "?"),
                 js_cstr(line, "text", ""));
    if (strcmp(js_cstr(line, "event", ""), "item") || !item)
        return 0;
    if (o->item)
        return o->item(cli, o->arg, item);
    return json_object_array_add(o->items, json_object_get(item))
               ? cli_error(cli, EXIT_FAILED, "out of memory")
               : 0;
}

static int gather(struct cli *cli, struct op_ask *o)
{
    struct json_object *line;
    int rc, status = 0;

    while ((rc = client_next(cli->host.client, &line, &o->error)) > 0 &&
           !status)
        status = take_item(cli, o, line);
    if (status)
        return status;
    if (rc < 0)
        return o->quiet && o->error.text[0] ? o->error.status
                                            : cli_fail(cli, &o->error);
    o->report = json_object_get(js_get(line, "report"));
    return EXIT_OK;
}

int op_run(struct cli *cli, struct op_ask *o)
{
    struct json_object *args = args_of(o);
    int status;

    o->items = json_object_new_array();
    if (!args || !o->items)
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    else if (client_send(cli->host.client, "op", js_text(args), &o->error))
        status = cli_fail(cli, &o->error);
    else
        status = gather(cli, o);
    json_object_put(args);
    return status;
}

void op_done(struct op_ask *o)
{
    json_object_put(o->items);
    json_object_put(o->report);
    o->items = o->report = NULL;
}

static bool has_op(struct json_object *p, const char *op)
{
    struct json_object *ops = js_typed(p, "ops", json_type_array);

    for (size_t i = 0; ops && i < json_object_array_length(ops); i++)
        if (!strcmp(json_object_get_string(json_object_array_get_idx(ops, i)),
                    op))
            return true;
    return false;
}

static int none(struct cli *cli, const char *op, const char *provider,
                bool known)
{
    if (provider && !known)
        return cli_error(cli, EXIT_REFUSED,
                         "no provider \"%s\"; see `patchbay provider list`",
                         provider);
    if (provider)
        return cli_error(cli, EXIT_REFUSED,
                         "provider %s has no such operation, or is not ready; "
                         "see `patchbay provider info %s`",
                         provider, provider);
    return cli_error(cli, EXIT_REFUSED,
                     "no provider that is set up has the operation \"%s\"; see "
                     "`patchbay provider list`",
                     op);
}

int op_providers(struct cli *cli, const char *op, const char *provider,
                 struct json_object **names)
{
    struct json_object *result, *all;
    bool known = false;
    int status = cli_ask(cli, "providers", STR("{}"), &result);

    *names = NULL;
    if (status)
        return status;
    *names = json_object_new_array();
    all = js_typed(result, "providers", json_type_array);
    for (size_t i = 0; *names && all && i < json_object_array_length(all);
         i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        const char *name = js_cstr(p, "name", "");
        if (provider && strcmp(provider, name))
            continue;
        known = true;
        if (has_op(p, op))
            json_object_array_add(*names, json_object_get(js_get(p, "name")));
    }
    if (!*names)
        return cli_error(cli, EXIT_FAILED, "out of memory");
    return json_object_array_length(*names) ? EXIT_OK
                                            : none(cli, op, provider, known);
}

struct json_object *op_model_body(struct cli *cli, const char *model)
{
    struct json_object *body = json_object_new_object();

    if (body && !js_add_str(body, "model", str_c(model)))
        return body;
    json_object_put(body);
    cli_error(cli, EXIT_FAILED, "out of memory");
    return NULL;
}

char *op_text(struct cli *cli, int argc, char **argv, int *status)
{
    size_t n;
    char *text = argc ? input_operands(cli, argc, argv, status)
                      : input_stdin(cli, &n, status);

    if (text && !*text) {
        free(text);
        text = NULL;
        *status = cli_usage(cli, "there is no text: give it as an operand or "
                                 "on standard input");
    }
    return text;
}

const char *op_size(int64_t bytes, char dst[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double v = (double)bytes;
    size_t i = 0;

    for (; v >= 1000 && i < 4; i++)
        v /= 1000;
    snprintf(dst, 32, i && v < 10 ? "%.1f %s" : "%.0f %s", v, units[i]);
    return dst;
}
