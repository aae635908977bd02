/* SPDX-License-Identifier: MIT */
/* A conversation on the terminal. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/chat.h"
#include "cli/editor.h"
#include "cli/input.h"
#include "cli/signals.h"

struct talk {
    struct cli *cli;
    struct chat *chat;
    struct editor *editor;
    struct json_object *messages; /* ends with a question if that has had no
                                   * answer */
    struct json_object *images;   /* for the next question; NULL: none */
    char *model, *system;         /* NULL: none */
    char *saved;                  /* the file this conversation wrote */
    bool over;
};

/* --- messages --- */

static size_t count(const struct talk *t)
{
    return json_object_array_length(t->messages);
}

static bool last_is(const struct talk *t, const char *role)
{
    struct json_object *m;

    if (!count(t))
        return false;
    m = json_object_array_get_idx(t->messages, count(t) - 1);
    return str_is(js_str(m, "role", STR("")), role);
}

static void drop_last(struct talk *t, const char *role)
{
    if (last_is(t, role))
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

static void say(struct talk *t, const char *text)
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
static void ask(struct talk *t)
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
    drop_last(t, "user");
    if (!append(t, chat_user_message(str_c(text), t->images)))
        return;
    json_object_put(t->images);
    t->images = NULL;
    ask(t);
}

/* --- its commands --- */

static void set_text(struct talk *t, char **to, const char *text)
{
    char *copy = str_dup(str_c(text));

    if (!copy) {
        cli_error(t->cli, EXIT_FAILED, "out of memory");
        return;
    }
    free(*to);
    *to = copy;
}

static void do_model(struct talk *t, const char *arg)
{
    if (*arg && input_utf8(t->cli, str_c(arg), "/model"))
        set_text(t, &t->model, arg);
    say(t, t->model ? t->model : "(the host chooses)");
}

static void do_system(struct talk *t, const char *arg)
{
    if (!strcmp(arg, "-")) {
        free(t->system);
        t->system = NULL;
    } else if (*arg && input_utf8(t->cli, str_c(arg), "/system")) {
        set_text(t, &t->system, arg);
    }
    say(t, t->system ? t->system : "(no instructions)");
}

static void do_retry(struct talk *t, const char *arg)
{
    (void)arg;
    drop_last(t, "assistant");
    if (last_is(t, "user"))
        ask(t);
    else
        cli_error(t->cli, EXIT_FAILED, "/retry: nothing has been asked yet");
}

static void do_clear(struct talk *t, const char *arg)
{
    (void)arg;
    while (count(t))
        json_object_array_del_idx(t->messages, count(t) - 1, 1);
    json_object_put(t->images);
    t->images = NULL;
    say(t, "(forgotten)");
}

static void do_image(struct talk *t, const char *arg)
{
    struct json_object *part;
    int status;

    if (!*arg) {
        cli_error(t->cli, EXIT_USAGE, "/image: which file?");
        return;
    }
    part = input_image(t->cli, arg, &status);
    if (!part)
        return;
    if (!t->images)
        t->images = json_object_new_array();
    if (t->images && !json_object_array_add(t->images, part)) {
        say(t, "(goes with the next question)");
        return;
    }
    json_object_put(part);
    cli_error(t->cli, EXIT_FAILED, "out of memory");
}

static void do_usage(struct talk *t, const char *arg)
{
    (void)arg;
    t->chat->how ^= ANSWER_VERBOSE;
    say(t, t->chat->how & ANSWER_VERBOSE ? "(shown after each answer)"
                                         : "(not shown)");
}

static void do_quit(struct talk *t, const char *arg)
{
    (void)arg;
    t->over = true;
}

/* --- /save --- */

static int add_turn(struct buf *b, struct json_object *m)
{
    struct json_object *content = js_get(m, "content");
    bool question = str_is(js_str(m, "role", STR("")), "user");
    int rc = buf_addc(b, question ? "> " : "");
    pbay_str text, line;

    if (json_object_is_type(content, json_type_array)) /* text, then images */
        text = js_str(json_object_array_get_idx(content, 0), "text", STR(""));
    else
        text = js_str(m, "content", STR(""));
    for (line = str_cut(&text, '\n'); !rc; line = str_cut(&text, '\n')) {
        rc = buf_add(b, line);
        if (!text.p)
            break;
        rc = rc ? rc : buf_addc(b, question ? "\n> " : "\n");
    }
    return rc ? rc : buf_addc(b, "\n\n");
}

/* Markdown, the questions quoted; or, for a name that ends in .json, the
 * messages as they are sent. */
static int render(const struct talk *t, const char *path, struct buf *b)
{
    int rc = 0;

    if (str_ends(str_c(path), ".json")) {
        rc = buf_addc(b, json_object_to_json_string_ext(
                             t->messages, JSON_C_TO_STRING_PRETTY |
                                              JSON_C_TO_STRING_NOSLASHESCAPE));
        return rc ? rc : buf_addc(b, "\n");
    }
    for (size_t i = 0; i < count(t) && !rc; i++)
        rc = add_turn(b, json_object_array_get_idx(t->messages, i));
    return rc;
}

static void do_save(struct talk *t, const char *arg)
{
    bool again = t->saved && !strcmp(t->saved, arg);
    struct stat st;
    struct buf b;
    int rc;

    if (!*arg) {
        cli_error(t->cli, EXIT_USAGE, "/save: into which file?");
        return;
    }
    if (!again && !lstat(arg, &st)) {
        cli_error(t->cli, EXIT_FAILED,
                  "/save: %s is there already; choose another name", arg);
        return;
    }
    buf_init(&b, LIM_CLI_ANSWER);
    rc = render(t, arg, &b);
    rc = rc ? rc : fs_write_atomic(arg, buf_str(&b), 0600);
    buf_done(&b);
    if (rc) {
        cli_error(t->cli, EXIT_FAILED, "/save: %s: %s", arg, strerror(-rc));
        return;
    }
    if (!again)
        set_text(t, &t->saved, arg);
    say(t, "(saved)");
}

static void do_help(struct talk *t, const char *arg);

static const struct talk_command {
    const char *name, *operand, *what;
    void (*run)(struct talk *t, const char *arg);
} talk_commands[] = {
    {"/model", "[NAME]", "show or change the model", do_model},
    {"/system", "[TEXT]", "show or change the instructions; - for none",
     do_system},
    {"/image", "FILE", "show a picture with the next question", do_image},
    {"/retry", "", "ask the last question again", do_retry},
    {"/clear", "", "forget what has been said", do_clear},
    {"/save", "FILE", "write the conversation (.json: as messages)", do_save},
    {"/usage", "", "route, tokens and times after each answer, or not",
     do_usage},
    {"/help", "", "this list", do_help},
    {"/quit", "", "leave (also ctrl-D)", do_quit},
};
enum {
    TALK_COMMANDS = sizeof(talk_commands) / sizeof(*talk_commands)
};

static void do_help(struct talk *t, const char *arg)
{
    (void)arg;
    for (size_t i = 0; i < TALK_COMMANDS; i++)
        out_f(&t->cli->out, "  %-7s %-7s %s\n", talk_commands[i].name,
              talk_commands[i].operand, talk_commands[i].what);
    say(t, "A line that ends with \\ goes on; // at its beginning sends a "
           "slash.\nCtrl-C ends an answer.");
}

static void command(struct talk *t, const char *line)
{
    const char *names[TALK_COMMANDS + 1] = {NULL};
    size_t n = strcspn(line, " \t");
    const char *arg = line + n + strspn(line + n, " \t");
    const char *near;
    char word[32];

    for (size_t i = 0; i < TALK_COMMANDS; i++) {
        names[i] = talk_commands[i].name;
        if (strlen(names[i]) == n && !strncmp(names[i], line, n)) {
            talk_commands[i].run(t, arg);
            return;
        }
    }
    snprintf(word, sizeof(word), "%.*s", (int)n, line);
    near = cli_nearest(word, names);
    cli_error(t->cli, EXIT_USAGE, "no command %s; %s%s%s", word,
              near ? "did you mean " : "/help lists them", near ? near : "",
              near ? "?" : "");
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
    char *text;
    int rc = read_question(t, &text);

    if (rc == -EINTR && signals_got() == SIGINT) {
        signals_clear();
        say(t, "^C");
        return;
    }
    if (rc <= 0) {
        if (rc && rc != -EINTR)
            cli_error(t->cli, EXIT_FAILED, "the terminal: %s", strerror(-rc));
        else
            say(t, "");
        t->over = true;
        return;
    }
    if (!strncmp(text, "//", 2))
        question(t, text + 1);
    else if (*text == '/')
        command(t, text);
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
        say(&t, "/help lists the commands, ctrl-D leaves.");
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
