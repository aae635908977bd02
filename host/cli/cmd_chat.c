/* SPDX-License-Identifier: MIT */
/* patchbay chat: ask a model, or talk with it. */
#include "config.h"

#include <errno.h>
#include <patchbay/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "cli/chat.h"
#include "cli/commands.h"
#include "cli/input.h"

static const char help[] =
    "Ask a model and show its answer as it comes. Without PROMPT the question "
    "is\nread from standard input; with both, standard input is appended to "
    "it. On a\nterminal without PROMPT this is a conversation (/help lists its "
    "commands).\n\n"
    "  -m, --model NAME  provider/model, or a model's name; without it the "
    "host\n                    chooses\n"
    "  -s, --system TEXT instructions for the model\n"
    "      --image FILE  show it a picture, too (PNG, JPEG, GIF, WebP); may "
    "be\n"
    "                    repeated\n"
    "      --set NAME=VALUE\n"
    "                    a further field of the request, in canonical form; "
    "VALUE\n                    is JSON, else text: --set temperature=0\n"
    "      --no-stream   ask for the answer in one piece\n"
    "      --no-history  keep no history of the conversation's input\n"
    "  -v, --usage       afterwards, on standard error: route, tokens, times; "
    "also\n                    the model's reasoning, where it is shown\n";

/* --- options --- */

static int set_field(struct cli *cli, struct chat *c, const char *arg)
{
    static const char *const own[] = {"model", "messages", "stream", NULL};
    pbay_str value = str_c(arg), name = str_cut(&value, '=');
    struct json_object *v = NULL;
    char *key;
    int rc;

    if (!name.n || name.n == strlen(arg))
        return cli_usage(cli, "--set %s: NAME=VALUE is wanted", arg);
    if (!input_utf8(cli, str_c(arg), "--set"))
        return EXIT_USAGE;
    for (const char *const *o = own; *o; o++)
        if (str_is(name, *o))
            return cli_usage(cli,
                             "--set %s: this field has an option, or an "
                             "operand, of its own",
                             *o);
    if (js_parse(value, PBAY_JSON_DEPTH, &v, NULL))
        v = json_object_new_string_len(value.p ? value.p : "", (int)value.n);
    if (!c->fields)
        c->fields = json_object_new_object();
    key = str_dup(name);
    rc = c->fields && key ? js_add(c->fields, key, v) : -ENOMEM;
    free(key);
    return rc ? cli_error(cli, EXIT_FAILED, "out of memory") : 0;
}

static int add_image(struct cli *cli, struct chat *c, const char *path)
{
    int status = EXIT_OK;
    struct json_object *part = input_image(cli, path, &status);

    if (!part)
        return status;
    if (!c->images)
        c->images = json_object_new_array();
    if (c->images && !json_object_array_add(c->images, part))
        return 0;
    json_object_put(part);
    return cli_error(cli, EXIT_FAILED, "out of memory");
}

static int take_option(struct cli *cli, struct chat *c, int opt)
{
    switch (opt) {
    case 'm':
        c->model = optarg;
        return input_utf8(cli, str_c(optarg), "--model") ? 0 : EXIT_USAGE;
    case 's':
        c->system = optarg;
        return input_utf8(cli, str_c(optarg), "--system") ? 0 : EXIT_USAGE;
    case 'i':
        return add_image(cli, c, optarg);
    case 'S':
        return set_field(cli, c, optarg);
    case 'n':
        c->stream = false;
        return 0;
    case 'H':
        c->history = false;
        return 0;
    default:
        c->how |= ANSWER_VERBOSE;
        return 0;
    }
}

/* 0; OPT_DONE; or a status above 0. */
static int take_options(struct cli *cli, struct chat *c, int argc, char **argv)
{
    static const struct option longs[] = {
        {"model", required_argument, NULL, 'm'},
        {"system", required_argument, NULL, 's'},
        {"image", required_argument, NULL, 'i'},
        {"set", required_argument, NULL, 'S'},
        {"no-stream", no_argument, NULL, 'n'},
        {"no-history", no_argument, NULL, 'H'},
        {"usage", no_argument, NULL, 'v'},
        {0}};
    int opt, rc;

    while ((opt = cli_getopt(cli, argc, argv, "m:s:v", longs)) >= 0) {
        rc = take_option(cli, c, opt);
        if (rc)
            return rc;
    }
    return opt == -1 ? 0 : opt == OPT_DONE ? OPT_DONE : EXIT_USAGE;
}

/* --- one question --- */

static bool is_blank(const char *s)
{
    return s[strspn(s, " \t\r\n")] == '\0';
}

/* Something is piped in: a file or a pipe, not a terminal or /dev/null. */
static bool stdin_is_data(void)
{
    struct stat st;

    return !fstat(STDIN_FILENO, &st) &&
           (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) ||
            S_ISSOCK(st.st_mode));
}

/* Operands, standard input, or the one in front of the other. */
static char *read_prompt(struct cli *cli, int argc, char **argv, int *status)
{
    char *prompt, *more, *both = NULL;
    size_t n;

    if (!argc)
        return input_stdin(cli, &n, status);
    prompt = input_operands(cli, argc, argv, status);
    if (!prompt || !stdin_is_data())
        return prompt;
    more = input_stdin(cli, &n, status);
    if (more && is_blank(more)) {
        free(more);
        return prompt;
    }
    if (more && asprintf(&both, "%s\n\n%s", prompt, more) < 0) {
        *status = cli_error(cli, EXIT_FAILED, "out of memory");
        both = NULL;
    }
    free(prompt);
    free(more);
    return both;
}

static int print_answer(struct cli *cli, const struct answer *a,
                        const struct client_error *e)
{
    struct json_object *o = answer_json(a, e);

    if (!o)
        return cli_error(cli, EXIT_FAILED, "out of memory");
    cli_print_json(cli, o);
    json_object_put(o);
    return 0;
}

static int ask_once(struct cli *cli, struct chat *c,
                    struct json_object *messages)
{
    struct question q = {.model = c->model,
                         .system = c->system,
                         .messages = messages,
                         .fields = c->fields,
                         .stream = c->stream};
    struct client_error e;
    struct answer a;
    int rc, status = EXIT_OK;

    answer_init(&a);
    rc = answer_ask(cli, &q, c->how | (cli->json ? 0 : ANSWER_SHOW), &a, &e);
    if (cli->json)
        status = print_answer(cli, &a, rc ? &e : NULL);
    if (rc)
        status = cli_fail(cli, &e);
    answer_done(&a);
    return status;
}

static int one_question(struct cli *cli, struct chat *c, const char *prompt)
{
    struct json_object *messages = json_object_new_array();
    struct json_object *m = chat_user_message(str_c(prompt), c->images);
    int status;

    if (!messages || !m || json_object_array_add(messages, m)) {
        json_object_put(m);
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    } else {
        status = cli_open(cli);
        if (!status)
            status = ask_once(cli, c, messages);
    }
    json_object_put(messages);
    return status;
}

static int start(struct cli *cli, struct chat *c, int argc, char **argv)
{
    int status = EXIT_OK;
    char *prompt;

    if (!argc && isatty(STDIN_FILENO) && cli->out.tty && !cli->json) {
        status = cli_open(cli);
        return status ? status : converse(cli, c);
    }
    prompt = read_prompt(cli, argc, argv, &status);
    if (!prompt)
        return status;
    if (is_blank(prompt))
        status = cli_usage(cli, "there is no prompt: give it as an operand or "
                                "on standard input");
    else
        status = one_question(cli, c, prompt);
    free(prompt);
    return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct chat c = {.stream = true, .history = true};
    int rc = take_options(cli, &c, argc, argv);

    if (!rc)
        rc = start(cli, &c, argc - optind, argv + optind);
    json_object_put(c.fields);
    json_object_put(c.images);
    return rc == OPT_DONE ? EXIT_OK : rc;
}

const struct command cmd_chat = {.name = "chat",
                                 .summary = "ask a model, or talk with it",
                                 .usage = "[OPTIONS] [PROMPT...]",
                                 .help = help,
                                 .common = COMMON_ASK,
                                 .run = run};
