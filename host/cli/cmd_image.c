/* SPDX-License-Identifier: MIT */
/* patchbay image: pictures into files. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/op.h"

static const char help[] =
    "Have a picture drawn and write it to a file, whose name is printed. A "
    "picture\nthat the provider keeps to be fetched is printed as its URL. The "
    "description is\nthe operands, joined by spaces, or standard input.\n\n"
    "  -m, --model NAME  provider/model, or a model's name\n"
    "  -o, --output FILE where to write it (image.png, or what it is); "
    "further\n"
    "                    ones get -2, -3 before the dot; a file that exists "
    "is\n                    kept\n"
    "  -n, --number N    how many pictures\n"
    "      --size SIZE   1024x1024, say\n"
    "      --quality Q   as the provider calls it\n";

struct image {
    const char *model, *output, *size, *quality;
    uint64_t number;             /* 0: not said */
    struct json_object *written; /* array of {"file"|"url",...} */
};

static struct json_object *body_of(const struct image *m, const char *prompt)
{
    struct json_object *b = json_object_new_object();

    if (b && !js_add_str(b, "prompt", str_c(prompt)) &&
        (!m->model || !js_add_str(b, "model", str_c(m->model))) &&
        (!m->size || !js_add_str(b, "size", str_c(m->size))) &&
        (!m->quality || !js_add_str(b, "quality", str_c(m->quality))) &&
        (!m->number || !js_add_int(b, "n", (int64_t)m->number)))
        return b;
    json_object_put(b);
    return NULL;
}

/* By the first bytes, as providers do not always say. */
static const char *suffix_of(const unsigned char *p, size_t n)
{
    if (n > 3 && !memcmp(p, "\xff\xd8\xff", 3))
        return "jpg";
    if (n > 12 && !memcmp(p, "RIFF", 4) && !memcmp(p + 8, "WEBP", 4))
        return "webp";
    if (n > 5 && (!memcmp(p, "<svg", 4) || !memcmp(p, "<?xml", 5)))
        return "svg";
    return n > 4 && !memcmp(p, "GIF8", 4) ? "gif" : "png";
}

/* "picture.png" for the first, "picture-2.png" for the second. */
static void name_of(const struct image *m, size_t i, const char *suffix,
                    char *dst, size_t room)
{
    const char *file = m->output, *dot = file ? strrchr(file, '.') : NULL;
    const char *slash = file ? strrchr(file, '/') : NULL;
    int stem = file ? (int)strlen(file) : 0;

    if (!file) {
        if (i)
            snprintf(dst, room, "image-%zu.%s", i + 1, suffix);
        else
            snprintf(dst, room, "image.%s", suffix);
        return;
    }
    if (dot && (!slash || dot > slash + 1) && dot != file)
        stem = (int)(dot - file);
    if (i)
        snprintf(dst, room, "%.*s-%zu%s", stem, file, i + 1, file + stem);
    else
        snprintf(dst, room, "%s", file);
}

static int write_file(struct cli *cli, const char *name, const void *p,
                      size_t n)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const char *at = p;

    if (fd < 0)
        return cli_error(cli, EXIT_FAILED, "%s: %s%s", name, strerror(errno),
                         errno == EEXIST ? "; --output names another" : "");
    while (n) {
        ssize_t k = write(fd, at, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            int status =
                cli_error(cli, EXIT_FAILED, "%s: %s", name, strerror(errno));
            close(fd);
            unlink(name);
            return status;
        }
        at += k;
        n -= (size_t)k;
    }
    return close(fd)
               ? cli_error(cli, EXIT_FAILED, "%s: %s", name, strerror(errno))
               : EXIT_OK;
}

static unsigned char *decode(pbay_str base64, size_t *n)
{
    unsigned char *p = malloc(base64.n / 4 * 3 + 3);
    int got =
        p && base64.n && base64.n < LIM_REPLY
            ? EVP_DecodeBlock(p, (const unsigned char *)base64.p, (int)base64.n)
            : -1;

    if (got < 0) {
        free(p);
        return NULL;
    }
    *n = (size_t)got;
    for (size_t i = base64.n; *n && i && base64.p[i - 1] == '='; i--)
        (*n)--;
    return p;
}

static int keep(struct cli *cli, struct image *m, const char *name,
                const char *value, struct json_object *item)
{
    struct json_object *o = json_object_new_object();
    struct json_object *revised = js_get(item, "revised_prompt");

    if (!o || js_add_str(o, name, str_c(value)) ||
        (revised && js_add(o, "revised_prompt", json_object_get(revised))) ||
        json_object_array_add(m->written, o)) {
        json_object_put(o);
        return cli_error(cli, EXIT_FAILED, "out of memory");
    }
    if (!cli->json) {
        out_textc(&cli->out, value);
        out_c(&cli->out, "\n");
    }
    return EXIT_OK;
}

static int on_item(struct cli *cli, void *arg, struct json_object *item)
{
    struct image *m = arg;
    size_t i = json_object_array_length(m->written), n = 0;
    const char *url = js_cstr(item, "url", NULL);
    unsigned char *bytes;
    char name[4096];
    int status;

    if (url && !js_get(item, "b64_json"))
        return keep(cli, m, "url", url, item);
    bytes = decode(js_str(item, "b64_json", STR("")), &n);
    if (!bytes)
        return cli_error(cli, EXIT_PROVIDER, "picture %zu can't be read",
                         i + 1);
    name_of(m, i, suffix_of(bytes, n), name, sizeof(name));
    status = write_file(cli, name, bytes, n);
    free(bytes);
    return status ? status : keep(cli, m, "file", name, item);
}

static int image(struct cli *cli, struct image *m, const char *prompt)
{
    struct op_ask o = {.op = "image", .item = on_item, .arg = m};
    struct json_object *all = json_object_new_object();
    int status = cli_open(cli);

    m->written = json_object_new_array();
    o.body = body_of(m, prompt);
    if (!status && (!all || !o.body || !m->written))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    if (!status)
        status = op_run(cli, &o);
    if (!status && !json_object_array_length(m->written))
        status = cli_error(cli, EXIT_PROVIDER, "the provider drew nothing");
    if (!status && cli->json) {
        js_add(all, "images", json_object_get(m->written));
        js_add(all, "report", json_object_get(o.report));
        cli_print_json(cli, all);
    }
    json_object_put(m->written);
    json_object_put(o.body);
    json_object_put(all);
    op_done(&o);
    return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"model", required_argument, NULL, 'm'},
        {"output", required_argument, NULL, 'o'},
        {"number", required_argument, NULL, 'n'},
        {"size", required_argument, NULL, 's'},
        {"quality", required_argument, NULL, 'q'},
        {0}};
    struct image m = {0};
    int opt, status = EXIT_OK;
    char *prompt;

    while ((opt = cli_getopt(cli, argc, argv, "m:o:n:", longs)) >= 0) {
        if (opt == 'm')
            m.model = optarg;
        else if (opt == 'o')
            m.output = optarg;
        else if (opt == 's')
            m.size = optarg;
        else if (opt == 'q')
            m.quality = optarg;
        else if (str_u64(str_c(optarg), &m.number) || !m.number ||
                 m.number > 100)
            return cli_usage(cli,
                             "--number %s: a number from 1 to 100 is "
                             "wanted",
                             optarg);
    }
    if (opt != -1)
        return cli_opt_status(opt);
    if ((m.model && !input_utf8(cli, str_c(m.model), "--model")) ||
        (m.size && !input_utf8(cli, str_c(m.size), "--size")) ||
        (m.quality && !input_utf8(cli, str_c(m.quality), "--quality")))
        return EXIT_USAGE;
    prompt = op_text(cli, argc - optind, argv + optind, &status);
    if (prompt)
        status = image(cli, &m, prompt);
    free(prompt);
    return status;
}

const struct command cmd_image = {.name = "image",
                                  .summary = "have a picture drawn",
                                  .usage = "[OPTIONS] [TEXT...]",
                                  .help = help,
                                  .common = COMMON_ASK,
                                  .run = run};
