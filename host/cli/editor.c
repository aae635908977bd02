/* SPDX-License-Identifier: MIT */
/* The line editor of a conversation. */
#include "config.h"

#include "cli/editor.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "base/str.h"
#include "cli/history.h"
#include "cli/input.h"
#include "cli/signals.h"

struct editor {
    struct cli *cli;
    EditLine *el;
    History *lines;
    struct history_file *file; /* NULL: none is kept */
    const char *prompt;
    int error; /* of the last character read */
};

static char *prompt_of(EditLine *el)
{
    static char copy[64];
    void *data = NULL;

    el_get(el, EL_CLIENTDATA, &data);
    snprintf(copy, sizeof(copy), "%s", ((struct editor *)data)->prompt);
    return copy;
}

/* A character for libedit.  Its own reader goes on after the first interrupted
 * system call; this one lets ctrl-C through. */
static int read_char(EditLine *el, wchar_t *c)
{
    struct editor *ed;
    mbstate_t state = {0};
    void *data = NULL;

    el_get(el, EL_CLIENTDATA, &data);
    ed = data;
    for (;;) {
        char byte;
        ssize_t n = input_read(&byte, 1);
        size_t len;

        if (n <= 0) {
            ed->error = (int)n;
            return n ? -1 : 0;
        }
        len = mbrtowc(c, &byte, 1, &state);
        if (len == (size_t)-1) {
            memset(&state, 0, sizeof(state));
            *c = L'?';
            return 1;
        }
        if (len != (size_t)-2)
            return 1;
    }
}

/* libedit works with the characters of the locale, and we speak UTF-8. */
static void need_utf8(void)
{
    if (strcmp(nl_langinfo(CODESET), "UTF-8"))
        setlocale(LC_CTYPE, "C.UTF-8");
}

static void remember(void *arg, const char *line)
{
    struct editor *ed = arg;
    HistEvent ev;

    history(ed->lines, &ev, H_ENTER, line);
}

struct editor *editor_new(struct cli *cli, bool keep)
{
    struct editor *ed = calloc(1, sizeof(*ed));
    HistEvent ev;

    if (!ed)
        return NULL;
    need_utf8();
    ed->cli = cli;
    ed->prompt = "";
    ed->el = el_init("patchbay", stdin, stdout, stderr);
    ed->lines = history_init();
    if (!ed->el || !ed->lines) {
        editor_free(ed);
        return NULL;
    }
    history(ed->lines, &ev, H_SETSIZE, LIM_CLI_HISTORY);
    history(ed->lines, &ev, H_SETUNIQUE, 1);
    el_set(ed->el, EL_CLIENTDATA, ed);
    el_set(ed->el, EL_PROMPT, prompt_of);
    el_set(ed->el, EL_EDITOR, "emacs");
    el_set(ed->el, EL_SIGNAL, 0);
    el_set(ed->el, EL_GETCFN, read_char);
    el_set(ed->el, EL_HIST, history, ed->lines);
    el_source(ed->el, NULL); /* the user's ~/.editrc */
    if (keep)
        ed->file = history_open(cli, remember, ed);
    return ed;
}

void editor_free(struct editor *ed)
{
    if (!ed)
        return;
    if (ed->el)
        el_end(ed->el);
    if (ed->lines)
        history_end(ed->lines);
    history_close(ed->file);
    free(ed);
}

int editor_read(struct editor *ed, const char *prompt, char **line)
{
    const char *text;
    int n = 0;

    out_flush(&ed->cli->out);
    ed->prompt = prompt;
    ed->error = 0;
    el_resize(ed->el);
    /* Before the prompt is seen: libedit itself does so with the first read,
     * and a ctrl-D that came in between would be lost. */
    el_set(ed->el, EL_PREP_TERM, 1);
    text = el_gets(ed->el, &n);
    if (!text || n <= 0) {
        el_reset(ed->el);
        return ed->error;
    }
    *line = str_dup(str_n(text, strcspn(text, "\n")));
    if (!*line)
        return -ENOMEM;
    if (**line) {
        remember(ed, *line);
        history_add(ed->file, *line);
    }
    return 1;
}
