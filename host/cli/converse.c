/* SPDX-License-Identifier: MIT */
/* A conversation on the terminal. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "cli/editor.h"
#include "cli/input.h"
#include "cli/signals.h"
#include "cli/talk.h"

/* --- messages --- */

static size_t count(const struct talk *t)
{
    return json_object_array_length(t->messages);
}

bool talk_last_is(const struct talk *t, const char *role)
{
    struct json_object *m;

    if (!count(t))
        return false;
    m = json_object_array_get_idx(t->messages, count(t) - 1);
    return str_is(js_str(m, "role", STR("")), role);
}

void talk_drop_last(struct talk *t, const char *role)
{
    if (talk_last_is(t, role))
        json_object_array_del_idx(t->messages, count(t) - 1, 1);
}

static bool append(struct talk *t, struct json_object *message)
{
    if (message && !json_object_array_add(t->messages, message))
        return true;
    json_object_put(message);
    cli_error(t->cli, EXIT_FAILED, "out of memory");
    return false;
}

void talk_say(struct talk *t, const char *text)
{
    out_textc(&t->cli->out, text);
    out_c(&t->cli->out, "\n");
    out_flush(&t->cli->out);
}

/* --- asking --- */

/* After ctrl-C: end the call, keep the host if it can be kept. */
static void cancel(struct talk *t)
{
    int number = signals_got();

    if (number != SIGINT) {
        t->over = true;
        return;
    }
    signals_clear();
    if (!client_cancel(t->cli->host.client))
        return;
    reach_close(&t->cli->host);
    t->over = cli_open(t->cli) != 0;
}

/* What has been seen of a cancelled answer stays part of the conversation. */
static void keep(struct talk *t, const struct answer *a)
{
    const struct buf *b = a->text.n ? &a->text : &a->refusal;

    if (b->n)
        append(t, chat_message("assistant", buf_str(b)));
}

static void failed(struct talk *t, const struct answer *a,
                   const struct client_error *e)
{
    if (e->status > EXIT_SIGNAL && !*e->text) {
        keep(t, a);
        cancel(t);
        return;
    }
    cli_fail(t->cli, e);
    if (t->cli->out.error) {
        t->over = true;
        return;
    }
    if (client_broken(t->cli->host.client)) {
        reach_close(&t->cli->host);
        t->over = cli_open(t->cli) != 0;
    }
    if (!t->over)
        cli_warn(t->cli, "/retry asks again");
}

/* Ask the question at the end of the messages. */
void talk_ask(struct talk *t)
{
    struct question q = {.model = t->model,
                         .system = t->system,
                         .messages = t->messages,
                         .fields = t->chat->fields,
                         .stream = t->chat->stream};
    struct client_error e;
    struct answer a;

    answer_init(&a);
    if (answer_ask(t->cli, &q, t->chat->how | ANSWER_SHOW, &a, &e))
        failed(t, &a, &e);
    else
        keep(t, &a);
    answer_done(&a);
}

static void question(struct talk *t, const char *text)
{
    if (!input_utf8(t->cli, str_c(text), "the question"))
        return;
    /* One that was never answered makes room: two in a row confuse models. */
    talk_drop_last(t, "user");
    if (!append(t, chat_user_message(str_c(text), t->images)))
        return;
    json_object_put(t->images);
    t->images = NULL;
    talk_ask(t);
}

/* --- the loop --- */

/* Lines up to one that does not end with a backslash.  As editor_read(). */
static int read_question(struct talk *t, char **text)
{
    struct buf b;
    char *line;
    int rc;

    buf_init(&b, LIM_CLI_INPUT);
    rc = editor_read(t->editor, "> ", &line);
    while (rc == 1) {
        size_t n = strlen(line);
        bool more = n && line[n - 1] == '\\';
        int bad = buf_add(&b, str_n(line, n - more));
        free(line);
        if (!bad && more)
            bad = buf_addc(&b, "\n");
        if (bad)
            rc = bad;
        if (bad || !more)
            break;
        rc = editor_read(t->editor, ". ", &line);
    }
    if (rc == 1) {
        *text = str_dup(str_trim(buf_str(&b)));
        rc = *text ? 1 : -ENOMEM;
    }
    buf_done(&b);
    return rc;
}

static void one_turn(struct talk *t)
{
    char *text = NULL;
    int rc = read_question(t, &text);

    if (rc == -EINTR && signals_got() == SIGINT) {
        signals_clear();
        talk_say(t, "^C");
        return;
    }
    if (rc <= 0) {
        if (rc && rc != -EINTR)
            cli_error(t->cli, EXIT_FAILED, "the terminal: %s", strerror(-rc));
        else
            talk_say(t, "");
        t->over = true;
        return;
    }
    if (!strncmp(text, "//", 2))
        question(t, text + 1);
    else if (*text == '/')
        talk_command(t, text);
    else if (*text)
        question(t, text);
    free(text);
}

int converse(struct cli *cli, struct chat *c)
{
    struct talk t = {.cli = cli, .chat = c, .images = c->images};

    c->images = NULL;
    t.editor = editor_new(cli, c->history);
    t.messages = json_object_new_array();
    t.model = c->model ? str_dup(str_c(c->model)) : NULL;
    t.system = c->system ? str_dup(str_c(c->system)) : NULL;
    if (!t.editor || !t.messages || !t.model != !c->model ||
        !t.system != !c->system) {
        cli_error(cli, EXIT_FAILED, "out of memory");
        t.over = true;
    } else {
        talk_say(&t, "/help lists the commands, ctrl-D leaves.");
    }
    while (!t.over)
        one_turn(&t);
    editor_free(t.editor);
    json_object_put(t.messages);
    json_object_put(t.images);
    free(t.model);
    free(t.system);
    free(t.saved);
    return signals_got() ? EXIT_SIGNAL + signals_got() : EXIT_OK;
}
