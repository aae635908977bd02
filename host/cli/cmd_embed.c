/* SPDX-License-Identifier: MIT */
/* patchbay embed: texts to vectors. */
#include "config.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"

static const char help[] =
    "Turn each TEXT into a vector; without TEXT, each line of standard input. "
    "Prints\na line {\"index\":0,\"embedding\":[...]} for each; with --json "
    "one "
    "object with all\nof them and what it cost.\n\n"
    "  -m, --model NAME  provider/model, or a model's name\n"
    "      --dimensions N\n                    length of the vectors, where "
    "the model can choose\n";

struct embed {
    const char *model;
    int64_t dimensions;          /* 0: not said */
    struct json_object *inputs;  /* array of strings */
    struct json_object *vectors; /* array of arrays, null until it has come */
    struct json_object *report;
};

/* --- the request --- */

static int add_input(struct embed *m, pbay_str text)
{
    struct json_object *s =
        json_object_new_string_len(text.n ? text.p : "", (int)text.n);

    if (s && !json_object_array_add(m->inputs, s))
        return 0;
    json_object_put(s);
    return -ENOMEM;
}

static int lines_of_stdin(struct cli *cli, struct embed *m)
{
    int status = EXIT_OK, rc = 0;
    size_t n;
    char *text = input_stdin(cli, &n, &status);
    pbay_str rest = str_n(text, text ? n : 0);

    while (rest.n && !rc) {
        pbay_str line = str_cut(&rest, '\n');
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n)
            rc = add_input(m, line);
    }
    free(text);
    return rc ? cli_error(cli, EXIT_FAILED, "out of memory") : status;
}

static int take_inputs(struct cli *cli, struct embed *m, int argc, char **argv)
{
    int status = EXIT_OK;

    m->inputs = json_object_new_array();
    if (!m->inputs)
        return cli_error(cli, EXIT_FAILED, "out of memory");
    if (!argc)
        status = lines_of_stdin(cli, m);
    for (int i = 0; i < argc && !status; i++) {
        if (!input_utf8(cli, str_c(argv[i]), "a text"))
            status = EXIT_USAGE;
        else if (add_input(m, str_c(argv[i])))
            status = cli_error(cli, EXIT_FAILED, "out of memory");
    }
    if (!status && !json_object_array_length(m->inputs))
        status = cli_usage(cli, "there is no text: give it as an operand or on "
                                "standard input");
    return status;
}

static int write_args(struct buf *b, const struct embed *m)
{
    int rc = buf_addc(b, "{\"body\":{\"encoding_format\":\"base64\"");

    if (m->model) {
        rc = rc ? rc : buf_addc(b, ",\"model\":");
        rc = rc ? rc : buf_json(b, str_c(m->model));
    }
    if (m->dimensions)
        rc = rc ? rc
                : buf_printf(b, ",\"dimensions\":%lld",
                             (long long)m->dimensions);
    rc = rc ? rc : buf_addc(b, ",\"input\":");
    rc = rc ? rc : buf_add(b, js_text(m->inputs));
    return rc ? rc : buf_addc(b, "}}");
}

/* --- the vectors --- */

/* 32 bit little-endian floats, whatever this machine's order is. */
static double float_at(const unsigned char *p)
{
    uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 |
                    (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float f;

    memcpy(&f, &bits, sizeof(f));
    return (double)f;
}

static struct json_object *floats(const unsigned char *p, size_t n)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; list && i < n; i++) {
        char text[32];
        struct json_object *v;
        /* Nine digits give a float back to the bit. */
        snprintf(text, sizeof(text), "%.9g", float_at(p + 4 * i));
        v = json_object_new_double_s(float_at(p + 4 * i), text);
        if (!v || json_object_array_add(list, v)) {
            json_object_put(v);
            json_object_put(list);
            list = NULL;
        }
    }
    return list;
}

static struct json_object *decode(pbay_str base64)
{
    size_t room = base64.n / 4 * 3, pad = 0;
    unsigned char *bytes = malloc(room + 1);
    struct json_object *v = NULL;

    while (pad < 2 && pad < base64.n && base64.p[base64.n - 1 - pad] == '=')
        pad++;
    if (bytes && base64.n && base64.n % 4 == 0 && base64.n < LIM_REPLY &&
        EVP_DecodeBlock(bytes, (const unsigned char *)base64.p,
                        (int)base64.n) == (int)room &&
        (room - pad) % 4 == 0)
        v = floats(bytes, (room - pad) / 4);
    free(bytes);
    return v;
}

static int take_vector(struct cli *cli, struct embed *m, struct json_object *ev)
{
    int64_t i = js_int(ev, "choice", -1);
    struct json_object *v = decode(js_str(ev, "base64", STR("")));

    if (v && i >= 0 && i < (int64_t)json_object_array_length(m->inputs) &&
        !json_object_array_put_idx(m->vectors, (size_t)i, v))
        return 0;
    json_object_put(v);
    return cli_error(cli, EXIT_PROVIDER, "vector %lld can't be read",
                     (long long)i);
}

static int collect(struct cli *cli, struct embed *m)
{
    struct json_object *line;
    struct client_error e;
    int rc, status = 0;

    while ((rc = client_next(cli->host.client, &line, &e)) > 0 && !status)
        if (!strcmp(js_cstr(line, "event", ""), "vector"))
            status = take_vector(cli, m, line);
    if (status)
        return status;
    if (rc)
        return cli_fail(cli, &e);
    m->report = json_object_get(js_get(line, "report"));
    for (size_t i = 0; i < json_object_array_length(m->inputs); i++)
        if (!json_object_array_get_idx(m->vectors, i))
            return cli_error(cli, EXIT_PROVIDER,
                             "the provider sent no vector for text %zu of %zu",
                             i + 1, json_object_array_length(m->inputs));
    return EXIT_OK;
}

static void print_lines(struct cli *cli, const struct embed *m)
{
    for (size_t i = 0; i < json_object_array_length(m->inputs); i++) {
        out_f(&cli->out, "{\"index\":%zu,\"embedding\":", i);
        out_raw(&cli->out, js_text(json_object_array_get_idx(m->vectors, i)));
        out_c(&cli->out, "}\n");
    }
}

static int print_all(struct cli *cli, const struct embed *m)
{
    struct json_object *o = json_object_new_object();

    if (!o || js_add(o, "embeddings", json_object_get(m->vectors)) ||
        js_add(o, "report", json_object_get(m->report))) {
        json_object_put(o);
        return cli_error(cli, EXIT_FAILED, "out of memory");
    }
    out_raw(&cli->out, js_text(o));
    out_c(&cli->out, "\n");
    json_object_put(o);
    return EXIT_OK;
}

static int ask(struct cli *cli, struct embed *m)
{
    struct client_error e;
    struct buf b;
    int rc, status = cli_open(cli);

    if (status)
        return status;
    m->vectors = json_object_new_array();
    buf_init(&b, LIM_CTL_LINE);
    rc = m->vectors ? write_args(&b, m) : -ENOMEM;
    if (rc)
        status = rc == -EMSGSIZE
                     ? cli_error(cli, EXIT_REFUSED, "too much text at once")
                     : cli_error(cli, EXIT_FAILED, "out of memory");
    else if (client_send(cli->host.client, "embed", buf_str(&b), &e))
        status = cli_fail(cli, &e);
    else
        status = collect(cli, m);
    buf_done(&b);
    if (status)
        return status;
    if (cli->json)
        return print_all(cli, m);
    print_lines(cli, m);
    return EXIT_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"model", required_argument, NULL, 'm'},
        {"dimensions", required_argument, NULL, 'd'},
        {0}};
    struct embed m = {0};
    uint64_t n;
    int opt, status;

    while ((opt = cli_getopt(cli, argc, argv, "m:", longs)) >= 0) {
        if (opt == 'm')
            m.model = optarg;
        else if (!str_u64(str_c(optarg), &n) && n && n < 1u << 20)
            m.dimensions = (int64_t)n;
        else
            return cli_usage(cli, "--dimensions %s: a number is wanted",
                             optarg);
    }
    if (opt != -1)
        return cli_opt_status(opt);
    if (m.model && !input_utf8(cli, str_c(m.model), "--model"))
        return EXIT_USAGE;
    status = take_inputs(cli, &m, argc - optind, argv + optind);
    if (!status)
        status = ask(cli, &m);
    json_object_put(m.inputs);
    json_object_put(m.vectors);
    json_object_put(m.report);
    return status;
}

const struct command cmd_embed = {.name = "embed",
                                  .summary = "turn texts into vectors",
                                  .usage = "[OPTIONS] [TEXT...]",
                                  .help = help,
                                  .common = COMMON_ASK,
                                  .run = run};
