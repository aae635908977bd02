/* SPDX-License-Identifier: MIT */
/* The commands of a conversation: /model, /save and so on. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/input.h"
#include "cli/talk.h"

static size_t count(const struct talk *t)
{
    return json_object_array_length(t->messages);
}

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
    talk_say(t, t->model ? t->model : "(the host chooses)");
}

static void do_system(struct talk *t, const char *arg)
{
    if (!strcmp(arg, "-")) {
        free(t->system);
        t->system = NULL;
    } else if (*arg && input_utf8(t->cli, str_c(arg), "/system")) {
        set_text(t, &t->system, arg);
    }
    talk_say(t, t->system ? t->system : "(no instructions)");
}

static void do_retry(struct talk *t, const char *arg)
{
    (void)arg;
    talk_drop_last(t, "assistant");
    if (talk_last_is(t, "user"))
        talk_ask(t);
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
    talk_say(t, "(forgotten)");
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
        talk_say(t, "(goes with the next question)");
        return;
    }
    json_object_put(part);
    cli_error(t->cli, EXIT_FAILED, "out of memory");
}

static void do_usage(struct talk *t, const char *arg)
{
    (void)arg;
    t->chat->how ^= ANSWER_VERBOSE;
    talk_say(t, t->chat->how & ANSWER_VERBOSE ? "(shown after each answer)"
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
    talk_say(t, "(saved)");
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
    talk_say(t, "A line that ends with \\ goes on; // at its beginning sends a "
                "slash.\nCtrl-C ends an answer.");
}

void talk_command(struct talk *t, const char *line)
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
