/* SPDX-License-Identifier: MIT */
/* One question to a model: send it, show and keep the answer. */
#include "config.h"

#include "cli/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"

void answer_init(struct answer *a)
{
    *a = (struct answer){0};
    buf_init(&a->text, LIM_CLI_ANSWER);
    buf_init(&a->reasoning, LIM_CLI_ANSWER);
    buf_init(&a->refusal, LIM_CLI_ANSWER);
}

void answer_done(struct answer *a)
{
    buf_done(&a->text);
    buf_done(&a->reasoning);
    buf_done(&a->refusal);
    for (size_t i = 0; i < a->n_calls; i++) {
        free(a->calls[i].id);
        free(a->calls[i].name);
        buf_done(&a->calls[i].arguments);
    }
    free(a->calls);
    json_object_put(a->warnings);
    json_object_put(a->report);
    free(a->model);
    free(a->provider);
    free(a->stop);
    *a = (struct answer){0};
}

/* --- the request --- */

/* Append `"name":tree` to the members of an object. */
static int add_member(struct buf *b, const char *name, struct json_object *tree)
{
    int rc = buf_addc(b, b->n > strlen("{\"body\":{") ? "," : "");

    rc = rc ? rc : buf_json(b, str_c(name));
    rc = rc ? rc : buf_addc(b, ":");
    return rc ? rc : buf_add(b, tree ? js_text(tree) : STR("null"));
}

static int add_messages(struct buf *b, const struct question *q)
{
    size_t n = json_object_array_length(q->messages);
    int rc = buf_addc(b, ",\"messages\":[");

    if (q->system) {
        rc = rc ? rc : buf_addc(b, "{\"role\":\"system\",\"content\":");
        rc = rc ? rc : buf_json(b, str_c(q->system));
        rc = rc ? rc : buf_addc(b, n ? "}," : "}");
    }
    for (size_t i = 0; i < n && !rc; i++) {
        rc = buf_addc(b, i ? "," : "");
        if (!rc)
            rc = buf_add(b, js_text(json_object_array_get_idx(q->messages, i)));
    }
    return rc ? rc : buf_addc(b, "]");
}

/* The arguments of the verb. */
static int write_args(struct buf *b, const struct question *q)
{
    int rc = buf_addc(b, "{\"body\":{");

    if (q->fields) {
        json_object_object_foreach (q->fields, name, value) {
            rc = rc ? rc : add_member(b, name, value);
        }
    }
    rc = rc ? rc : buf_addc(b, b->n > strlen("{\"body\":{") ? "," : "");
    rc = rc ? rc
            : buf_addc(b, q->stream ? "\"stream\":true" : "\"stream\":false");
    if (q->model) {
        rc = rc ? rc : buf_addc(b, ",\"model\":");
        rc = rc ? rc : buf_json(b, str_c(q->model));
    }
    rc = rc ? rc : add_messages(b, q);
    return rc ? rc : buf_addc(b, "}}");
}

static int send_question(struct cli *cli, const struct question *q,
                         struct client_error *e)
{
    struct buf b;
    int rc;

    buf_init(&b, LIM_CTL_LINE);
    rc = write_args(&b, q);
    if (!rc) {
        rc = client_send(cli->host.client, "chat", buf_str(&b), e);
    } else {
        client_error_set(e, rc == -EMSGSIZE ? EXIT_REFUSED : EXIT_FAILED,
                         rc == -EMSGSIZE ? "the request has more than 64 MiB; "
                                           "send less text or smaller images"
                                         : "out of memory");
        rc = -1;
    }
    buf_done(&b);
    return rc;
}

/* --- the events --- */

struct run {
    struct cli *cli;
    struct answer *a;
    unsigned how;
    bool thinking; /* reasoning is being shown */
};

static void end_reasoning(struct run *r)
{
    if (!r->thinking)
        return;
    r->thinking = false;
    out_text_end(&r->cli->err);
    out_fresh_line(&r->cli->err);
    out_flush(&r->cli->err);
}

static void show_text(struct run *r, pbay_str text)
{
    if (!(r->how & ANSWER_SHOW))
        return;
    end_reasoning(r);
    out_piece(&r->cli->out, text);
    out_flush(&r->cli->out);
}

static void show_reasoning(struct run *r, pbay_str text)
{
    if ((~r->how & (ANSWER_SHOW | ANSWER_VERBOSE)))
        return;
    r->thinking = true;
    out_piece(&r->cli->err, text);
    out_flush(&r->cli->err);
}

/* The tool call `index`, made when it is new. */
static struct answer_call *tool_call(struct answer *a, int64_t index)
{
    if (index < 0 || index >= LIM_MEMBERS)
        return NULL;
    if (!a->calls)
        a->calls = calloc(LIM_MEMBERS, sizeof(*a->calls));
    if (!a->calls)
        return NULL;
    for (; (int64_t)a->n_calls <= index; a->n_calls++)
        buf_init(&a->calls[a->n_calls].arguments, LIM_CLI_ANSWER);
    return &a->calls[index];
}

static void keep_string(char **to, struct json_object *ev, const char *name)
{
    const char *value = js_cstr(ev, name, NULL);

    if (!value)
        return;
    free(*to);
    *to = str_dup(str_c(value));
}

static int keep_call(struct answer *a, struct json_object *ev)
{
    struct answer_call *call = tool_call(a, js_int(ev, "index", 0));

    if (!call)
        return -EMSGSIZE;
    keep_string(&call->id, ev, "id");
    keep_string(&call->name, ev, "name");
    return buf_add(&call->arguments, js_str(ev, "text", STR("")));
}

static int keep_warning(struct run *r, struct json_object *ev)
{
    const char *field = js_cstr(ev, "field", "");
    const char *text = js_cstr(ev, "text", "");

    if (r->how & ANSWER_SHOW)
        cli_warn(r->cli, "%s%s%s", field, *field ? ": " : "", text);
    if (!r->a->warnings)
        r->a->warnings = json_object_new_array();
    if (!r->a->warnings ||
        json_object_array_add(r->a->warnings, json_object_get(ev)))
        return -ENOMEM;
    return 0;
}

static int take_event(struct run *r, struct json_object *ev)
{
    const char *type = js_cstr(ev, "event", "");
    pbay_str text = js_str(ev, "text", STR(""));

    if (js_int(ev, "choice", 0)) /* never asked for */
        return 0;
    if (!strcmp(type, "text")) {
        show_text(r, text);
        return buf_add(&r->a->text, text);
    }
    if (!strcmp(type, "refusal")) {
        show_text(r, text);
        return buf_add(&r->a->refusal, text);
    }
    if (!strcmp(type, "reasoning")) {
        show_reasoning(r, text);
        return buf_add(&r->a->reasoning, text);
    }
    if (!strcmp(type, "call"))
        return keep_call(r->a, ev);
    if (!strcmp(type, "warning"))
        return keep_warning(r, ev);
    if (!strcmp(type, "stop")) {
        keep_string(&r->a->stop, ev, "reason");
    } else if (!strcmp(type, "begin")) {
        keep_string(&r->a->model, ev, "model");
        keep_string(&r->a->provider, ev, "provider");
    }
    return 0;
}

static int run_events(struct run *r, struct client_error *e)
{
    struct json_object *line;
    int rc;

    while ((rc = client_next(r->cli->host.client, &line, e)) > 0) {
        rc = take_event(r, line);
        if (rc) {
            client_error_set(e, EXIT_FAILED,
                             rc == -EMSGSIZE ? "the answer has more than 64 MiB"
                                             : "out of memory");
            return -1;
        }
        if (r->cli->out.error) { /* told at the end of the program */
            client_error_set(e, EXIT_FAILED, "%s", "");
            return -1;
        }
    }
    if (!rc)
        r->a->report = json_object_get(js_get(line, "report"));
    return rc;
}

static void show_calls(struct run *r)
{
    for (size_t i = 0; i < r->a->n_calls; i++) {
        const struct answer_call *c = &r->a->calls[i];
        out_c(&r->cli->out, "[tool call: ");
        out_textc(&r->cli->out, c->name ? c->name : "?");
        out_c(&r->cli->out, " ");
        out_text(&r->cli->out, buf_str(&c->arguments));
        out_c(&r->cli->out, "]\n");
    }
}

static void show_end(struct run *r)
{
    if (!(r->how & ANSWER_SHOW))
        return;
    end_reasoning(r);
    out_text_end(&r->cli->out);
    out_fresh_line(&r->cli->out);
    show_calls(r);
    out_flush(&r->cli->out);
}

/* An end that the reader would not expect. */
static void tell_stop(struct run *r)
{
    const char *stop = r->a->stop ? r->a->stop : "";

    if (!strcmp(stop, "length"))
        cli_warn(r->cli, "the answer ended at the output limit");
    else if (!strcmp(stop, "filter") || !strcmp(stop, "content_filter"))
        cli_warn(r->cli, "the provider withheld the rest of the answer");
    else if (!strcmp(stop, "context"))
        cli_warn(r->cli, "the answer ended because the context is full");
}

int answer_ask(struct cli *cli, const struct question *q, unsigned how,
               struct answer *a, struct client_error *e)
{
    struct run r = {.cli = cli, .a = a, .how = how};
    int rc = send_question(cli, q, e);

    if (rc)
        return rc;
    rc = run_events(&r, e);
    show_end(&r);
    if (rc && *e->text && a->text.n) {
        struct client_error cut = *e;
        client_error_set(e, cut.status, "the answer was cut: %s", cut.text);
        memcpy(e->kind, cut.kind, sizeof(e->kind));
    }
    if (!rc && how & ANSWER_SHOW)
        tell_stop(&r);
    if (!rc && how & ANSWER_VERBOSE)
        answer_report(cli, a);
    return rc;
}
