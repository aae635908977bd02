/* SPDX-License-Identifier: MIT */
/* Standard input, operands, image files. */
#include "config.h"

#include "cli/input.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/plain.h"
#include "cli/signals.h"

bool input_utf8(struct cli *cli, pbay_str s, const char *what)
{
    size_t at = utf8_valid(s);

    if (at == s.n)
        return true;
    cli_error(cli, EXIT_USAGE,
              "%s: byte %zu is not UTF-8; convert it first (iconv -t UTF-8)",
              what, at + 1);
    return false;
}

ssize_t input_read(void *p, size_t n)
{
    for (;;) {
        int rc = signals_wait_read(STDIN_FILENO, -1);
        ssize_t got;

        if (rc < 0)
            return rc;
        got = read(STDIN_FILENO, p, n);
        if (got >= 0)
            return got;
        if (errno != EINTR && errno != EAGAIN)
            return -errno;
    }
}

char *input_stdin(struct cli *cli, size_t *n, int *status)
{
    struct buf b;
    ssize_t got = 0;
    char *text = NULL;

    enum {
        PIECE = 65536
    };
    buf_init(&b, LIM_CLI_INPUT + PIECE);
    do {
        char *p = buf_space(&b, PIECE);
        got = p ? input_read(p, PIECE) : -ENOMEM;
        if (got > 0)
            buf_grew(&b, (size_t)got);
    } while (got > 0 && b.n <= LIM_CLI_INPUT);
    *n = b.n;
    if (got == -EINTR)
        *status = EXIT_SIGNAL + signals_got();
    else if (got < 0)
        *status = cli_error(cli, EXIT_FAILED, "standard input: %s",
                            strerror((int)-got));
    else if (b.n > LIM_CLI_INPUT)
        *status =
            cli_error(cli, EXIT_REFUSED, "standard input: more than %zu MiB",
                      LIM_CLI_INPUT >> 20);
    else if (b.n && memchr(buf_str(&b).p, '\0', b.n))
        *status = cli_error(cli, EXIT_USAGE,
                            "standard input: it has a NUL byte, so it is not "
                            "text");
    else if (!input_utf8(cli, buf_str(&b), "standard input"))
        *status = EXIT_USAGE;
    else if (!(text = str_dup(buf_str(&b))))
        *status = cli_error(cli, EXIT_FAILED, "out of memory");
    buf_done(&b);
    return text;
}

char *input_operands(struct cli *cli, int argc, char **argv, int *status)
{
    struct buf b;
    char *text = NULL;
    int rc = 0;

    buf_init(&b, LIM_CLI_INPUT);
    for (int i = 0; i < argc && !rc; i++) {
        rc = i ? buf_addc(&b, " ") : 0;
        if (!rc)
            rc = buf_addc(&b, argv[i]);
    }
    if (!rc && !input_utf8(cli, buf_str(&b), "the prompt"))
        *status = EXIT_USAGE;
    else if (rc || !(text = str_dup(buf_str(&b))))
        *status = cli_error(cli, EXIT_FAILED, "out of memory");
    buf_done(&b);
    return text;
}

/* --- images --- */

/* The kinds that the providers take, by their first bytes. */
static const char *image_type(pbay_str d)
{
    if (d.n > 8 && !memcmp(d.p, "\x89PNG\r\n\x1a\n", 8))
        return "image/png";
    if (d.n > 3 && !memcmp(d.p, "\xff\xd8\xff", 3))
        return "image/jpeg";
    if (d.n > 6 && (!memcmp(d.p, "GIF87a", 6) || !memcmp(d.p, "GIF89a", 6)))
        return "image/gif";
    if (d.n > 12 && !memcmp(d.p, "RIFF", 4) && !memcmp(d.p + 8, "WEBP", 4))
        return "image/webp";
    return NULL;
}

static char *data_url(const char *type, pbay_str data)
{
    size_t head = strlen("data:;base64,") + strlen(type);
    char *url = malloc(head + (data.n + 2) / 3 * 4 + 1);

    if (!url)
        return NULL;
    sprintf(url, "data:%s;base64,", type);
    EVP_EncodeBlock((unsigned char *)url + head, (const unsigned char *)data.p,
                    (int)data.n);
    return url;
}

static struct json_object *image_part(const char *type, pbay_str data)
{
    struct json_object *part = json_object_new_object();
    struct json_object *image = json_object_new_object();
    char *url = data_url(type, data);

    if (part && image && url && !js_add_str(image, "url", str_c(url)) &&
        !js_add_str(part, "type", STR("image_url")) &&
        !js_add(part, "image_url", json_object_get(image))) {
        json_object_put(image);
    } else {
        json_object_put(image);
        json_object_put(part);
        part = NULL;
    }
    free(url);
    return part;
}

struct json_object *input_image(struct cli *cli, const char *path, int *status)
{
    struct json_object *part = NULL;
    const char *type;
    char *data;
    size_t n;
    int rc = fs_read(path, LIM_CLI_IMAGE, &data, &n);

    if (rc == -EFBIG) {
        *status = cli_error(cli, EXIT_REFUSED, "%s: more than %zu MiB", path,
                            LIM_CLI_IMAGE >> 20);
        return NULL;
    }
    if (rc) {
        *status = cli_error(cli, EXIT_FAILED, "%s: %s", path, strerror(-rc));
        return NULL;
    }
    type = image_type(str_n(data, n));
    if (!type)
        *status = cli_error(cli, EXIT_USAGE,
                            "%s: not an image of a kind that providers take "
                            "(PNG, JPEG, GIF, WebP)",
                            path);
    else if (!(part = image_part(type, str_n(data, n))))
        *status = cli_error(cli, EXIT_FAILED, "out of memory");
    free(data);
    return part;
}
