/* SPDX-License-Identifier: MIT */
/* ollama.so: the messages of a canonical chat in Ollama's form: text in one
 * piece, pictures as bare base64 beside it, arguments of calls as objects. */
#include <stdio.h>
#include <string.h>

#include "ollama.h"

/* Calls of the latest assistant message that a result is looked for in. */
#define CALLS_MAX 256

struct place {
    struct body *b;
    size_t message;
    pbay_str calls; /* tool_calls of the latest assistant message */
};

/* Where in the request: "messages[3].content[0].image_url". */
struct path {
    char text[112];
};

static const char *path(struct path *to, const struct place *at,
                        const char *member, size_t part, const char *below)
{
    if (part == (size_t)-1)
        snprintf(to->text, sizeof to->text, "messages[%zu].%s", at->message,
                 member);
    else
        snprintf(to->text, sizeof to->text, "messages[%zu].%s[%zu]%s",
                 at->message, member, part, below);
    return to->text;
}
#define WHOLE ((size_t)-1)

static pbay_rc wrong(struct place *at, const char *member, size_t part,
                     const char *below, const char *why)
{
    struct path p;

    return ol_invalid(at->b->o, at->b->c, path(&p, at, member, part, below),
                      why);
}

static pbay_rc missing(struct place *at, const char *member, size_t part,
                       const char *below, const char *why)
{
    struct path p;

    return ol_unsupported(at->b->o, at->b->c, path(&p, at, member, part, below),
                          why);
}

/* A string value without its quotes. */
static pbay_str inside(pbay_str s)
{
    return (pbay_str){s.p + 1, s.n - 2};
}

/* ----------------------------------------------------------------- pictures */

static int base64_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
}

static int starts(pbay_str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

/* The base64 of "data:image/png;base64,...."; empty if it is none. */
static pbay_str payload(pbay_str url)
{
    static const char mark[] = ";base64";
    const char *end = memchr(url.p, ',', url.n < 256 ? url.n : 256);
    size_t head = end ? (size_t)(end - url.p) : 0;
    pbay_str data;

    if (!end || head < 5 + sizeof mark - 1 ||
        memcmp(end - (sizeof mark - 1), mark, sizeof mark - 1) != 0)
        return (pbay_str){NULL, 0};
    /* "data:;base64," leaves the type open. */
    if (head > 5 + sizeof mark - 1 && !starts(url, "data:image/"))
        return (pbay_str){NULL, 0};
    data = (pbay_str){end + 1, url.n - head - 1};
    for (size_t i = 0; i < data.n; i++)
        if (!base64_byte(data.p[i]))
            return (pbay_str){NULL, 0};
    return data;
}

static pbay_rc picture(struct place *at, pbay_str part, size_t i, int *first)
{
    static const char name[] = ".image_url";
    struct body *b = at->b;
    pbay_str image = pbay_json_get(part, "image_url"), url = image, data;

    if (pbay_json_type(image) == 'o')
        url = pbay_json_get(image, "url");
    if (pbay_json_type(url) != 's')
        return wrong(at, "content", i, name, "it must have a url");
    data = inside(url);
    if (data.n && memchr(data.p, '\\', data.n)) {
        data = pbay_text(b->o->host, b->c->call, url);
        if (!data.p)
            return PBAY_NOMEM;
    }
    if (!starts(data, "data:"))
        return wrong(at, "content", i, name,
                     "Ollama does not fetch pictures; send the picture itself "
                     "as a URI of the form data:image/png;base64,...");
    data = payload(data);
    if (!data.n)
        return wrong(at, "content", i, name,
                     "it must be a picture in base64, as in "
                     "data:image/png;base64,...");
    if (*first) {
        ol_key(b, "images");
        ol_open(b, "[");
    }
    *first = 0;
    ol_open(b, "\"");
    ol_raw(b, data);
    ol_close(b, "\"");
    return PBAY_OK;
}

static pbay_rc pictures(struct place *at, pbay_str parts)
{
    pbay_str part;
    size_t pos = 0, i = 0;
    int first = 1;
    pbay_rc rc = PBAY_OK;

    if (pbay_json_type(parts) != 'a')
        return PBAY_OK;
    for (; rc == PBAY_OK && pbay_json_next(parts, &pos, NULL, &part); i++)
        if (pbay_json_is(pbay_json_get(part, "type"), "image_url"))
            rc = picture(at, part, i, &first);
    if (!first)
        ol_close(at->b, "]");
    return rc;
}

/* --------------------------------------------------------------------- text */

/* A part's text; pictures come later. */
static pbay_rc part_text(struct place *at, pbay_str part, size_t i,
                         pbay_str *text)
{
    pbay_str type = pbay_json_get(part, "type");
    struct path p;

    *text = (pbay_str){NULL, 0};
    if (pbay_json_is(type, "text")) {
        *text = pbay_json_get(part, "text");
    } else if (pbay_json_is(type, "refusal")) {
        *text = pbay_json_get(part, "refusal");
    } else if (pbay_json_is(type, "image_url")) {
        pbay_str detail =
            pbay_json_get(pbay_json_get(part, "image_url"), "detail");
        if (ol_absent(detail) || pbay_json_is(detail, "auto"))
            return PBAY_OK;
        return ol_warn(at->b->o, at->b->c,
                       path(&p, at, "content", i, ".image_url.detail"),
                       "dropped: Ollama decides how closely a picture is "
                       "looked at");
    } else {
        return missing(at, "content", i, ".type",
                       "takes text and pictures alone");
    }
    if (pbay_json_type(*text) != 's')
        return wrong(at, "content", i, "", "a part must have a text");
    return PBAY_OK;
}

/* Parts become one text, a line each. */
static pbay_rc parts(struct place *at, pbay_str list)
{
    struct body *b = at->b;
    pbay_str part, text;
    size_t pos = 0, i = 0;
    int any = 0;
    pbay_rc rc = PBAY_OK;

    ol_open(b, "\"");
    for (; rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &part); i++) {
        rc = part_text(at, part, i, &text);
        if (rc != PBAY_OK || !text.n)
            continue;
        if (any)
            ol_raw(b, OL("\\n"));
        any = 1;
        ol_raw(b, inside(text));
    }
    ol_close(b, "\"");
    return rc;
}

static pbay_rc content(struct place *at, pbay_str m)
{
    struct body *b = at->b;
    pbay_str v = pbay_json_get(m, "content");
    pbay_str refusal = pbay_json_get(m, "refusal");

    ol_key(b, "content");
    if (ol_absent(v))
        v = pbay_json_type(refusal) == 's' ? refusal : OL("\"\"");
    switch (pbay_json_type(v)) {
    case 's':
        ol_value(b, v);
        return PBAY_OK;
    case 'a':
        return parts(at, v);
    default:
        return wrong(at, "content", WHOLE, "",
                     "it must be a string or a list of parts");
    }
}

/* -------------------------------------------------------------------- calls */

static pbay_rc arguments(struct place *at, pbay_str args, const char *member,
                         size_t i)
{
    struct body *b = at->b;
    pbay_str text = args;
    const char *below = i == WHOLE ? "" : ".function.arguments";

    if (pbay_json_type(args) == 's') {
        text = pbay_text(b->o->host, b->c->call, args);
        if (!text.p)
            return PBAY_NOMEM;
    }
    if (!text.n) /* a call without any */
        text = OL("{}");
    if (pbay_json_check(text, NULL) < 0 || pbay_json_type(text) != 'o')
        return wrong(at, member, i, below,
                     "the arguments of a call must be a JSON object; Ollama "
                     "takes nothing else back");
    ol_key(b, "arguments");
    ol_value(b, text);
    return PBAY_OK;
}

static pbay_rc call(struct place *at, pbay_str item, size_t i)
{
    struct body *b = at->b;
    pbay_str fn = pbay_json_get(item, "function");
    pbay_str id = pbay_json_get(item, "id");
    pbay_str name = pbay_json_get(fn, "name");
    char index[24];
    char *p;
    int n;
    pbay_rc rc;

    if (pbay_json_type(fn) != 'o')
        return missing(at, "tool_calls", i, ".type",
                       "has only tools of type function");
    if (!ol_filled(name))
        return wrong(at, "tool_calls", i, ".function.name", "it is missing");
    n = snprintf(index, sizeof index, "%zu", i);
    p = b->o->host->alloc(b->c->call, (size_t)n);
    if (!p)
        return PBAY_NOMEM;
    memcpy(p, index, (size_t)n);
    ol_open(b, "{");
    if (ol_filled(id)) {
        ol_key(b, "id");
        ol_value(b, id);
    }
    ol_key(b, "function");
    ol_open(b, "{");
    ol_key(b, "index");
    ol_value(b, (pbay_str){p, (size_t)n});
    ol_key(b, "name");
    ol_value(b, name);
    rc = arguments(at, pbay_json_get(fn, "arguments"), "tool_calls", i);
    ol_close(b, "}");
    ol_close(b, "}");
    return rc;
}

/* The form before tools: one call, without an id. */
static pbay_rc old_call(struct place *at, pbay_str fn)
{
    struct body *b = at->b;
    pbay_str name = pbay_json_get(fn, "name");
    pbay_rc rc;

    if (!ol_filled(name))
        return wrong(at, "function_call", WHOLE, "", "it must have a name");
    ol_key(b, "tool_calls");
    ol_open(b, "[");
    ol_open(b, "{");
    ol_key(b, "function");
    ol_open(b, "{");
    ol_key(b, "name");
    ol_value(b, name);
    rc = arguments(at, pbay_json_get(fn, "arguments"), "function_call", WHOLE);
    ol_close(b, "}");
    ol_close(b, "}");
    ol_close(b, "]");
    return rc;
}

static pbay_rc calls(struct place *at, pbay_str m)
{
    struct body *b = at->b;
    pbay_str list = pbay_json_get(m, "tool_calls"), item;
    pbay_str old = pbay_json_get(m, "function_call");
    size_t pos = 0, i = 0;
    pbay_rc rc = PBAY_OK;

    if (pbay_json_type(old) == 'o')
        return old_call(at, old);
    if (ol_absent(list))
        return PBAY_OK;
    if (pbay_json_type(list) != 'a')
        return wrong(at, "tool_calls", WHOLE, "", "it must be a list");
    at->calls = list;
    ol_key(b, "tool_calls");
    ol_open(b, "[");
    for (; rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &item); i++)
        rc = call(at, item, i);
    ol_close(b, "]");
    return rc;
}

/* Whose result is this?  By the id, among the calls that came before it. */
static pbay_str called(const struct place *at, pbay_str id)
{
    pbay_str item;
    size_t pos = 0, n = 0;

    while (id.n && n++ < CALLS_MAX &&
           pbay_json_next(at->calls, &pos, NULL, &item)) {
        pbay_str v = pbay_json_get(item, "id");
        if (v.n == id.n && memcmp(v.p, id.p, id.n) == 0)
            return pbay_json_get(pbay_json_get(item, "function"), "name");
    }
    return (pbay_str){NULL, 0};
}

static void result_of(struct place *at, pbay_str m)
{
    struct body *b = at->b;
    pbay_str id = pbay_json_get(m, "tool_call_id");
    pbay_str name = pbay_json_get(m, "name");

    if (!ol_filled(name))
        name = called(at, id);
    if (ol_filled(name)) {
        ol_key(b, "tool_name");
        ol_value(b, name);
    }
    if (ol_filled(id)) {
        ol_key(b, "tool_call_id");
        ol_value(b, id);
    }
}

/* ------------------------------------------------------------------ messages
 */

enum role {
    SYSTEM,
    USER,
    ASSISTANT,
    TOOL,
    NO_ROLE
};

static enum role role_of(pbay_str v, pbay_str *name)
{
    static const struct {
        const char *canonical;
        enum role role;
        pbay_str name;
    } roles[] = {
        {"system", SYSTEM, PBAY_LIT("\"system\"")},
        {"developer", SYSTEM, PBAY_LIT("\"system\"")},
        {"user", USER, PBAY_LIT("\"user\"")},
        {"assistant", ASSISTANT, PBAY_LIT("\"assistant\"")},
        {"tool", TOOL, PBAY_LIT("\"tool\"")},
        {"function", TOOL, PBAY_LIT("\"tool\"")},
    };

    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (pbay_json_is(v, roles[i].canonical)) {
            *name = roles[i].name;
            return roles[i].role;
        }
    return NO_ROLE;
}

/* What a message has that Ollama has not. */
static pbay_rc left_over(struct place *at, pbay_str m, enum role role)
{
    static const char *const known[] = {
        "role",        "content",   "refusal",           "tool_calls",
        "name",        "reasoning", "reasoning_content", "function_call",
        "tool_call_id"};
    static const char *const labels[] = {"annotations", "patchbay_blocks",
                                         "reasoning_details"};
    pbay_str key, value, v;
    size_t pos = 0;
    pbay_rc rc = PBAY_OK;

    if (role != TOOL && ol_filled(pbay_json_get(m, "name")))
        rc = missing(at, "name", WHOLE, "",
                     "has no names of who speaks; put them into the text");
    while (rc == PBAY_OK && pbay_json_next(m, &pos, &key, &value)) {
        size_t in = 0, i = 0;
        struct path p;
        char name[OL_NAME];
        char type = pbay_json_type(value);
        while (
            i < sizeof known / sizeof *known &&
            !(strlen(known[i]) == key.n && memcmp(known[i], key.p, key.n) == 0))
            i++;
        if (i < sizeof known / sizeof *known || type == '0' ||
            ((type == 'a' || type == 'o') &&
             !pbay_json_next(value, &in, NULL, &v)))
            continue;
        for (i = 0; i < sizeof labels / sizeof *labels; i++)
            if (strlen(labels[i]) == key.n &&
                memcmp(labels[i], key.p, key.n) == 0)
                break;
        if (i < sizeof labels / sizeof *labels)
            rc = ol_warn(at->b->o, at->b->c, path(&p, at, labels[i], WHOLE, ""),
                         "dropped: it is not of this provider");
        else if (key.n == 5 && memcmp(key.p, "audio", 5) == 0)
            rc = missing(at, "audio", WHOLE, "",
                         "takes text and pictures alone");
        else
            rc = missing(at, ol_name(key, name), WHOLE, "",
                         "has no such field in a message");
    }
    return rc;
}

static void thinking(struct body *b, pbay_str m)
{
    pbay_str v = pbay_json_get(m, "reasoning_content");

    if (!ol_filled(v))
        v = pbay_json_get(m, "reasoning");
    if (!ol_filled(v))
        return;
    ol_key(b, "thinking");
    ol_value(b, v);
}

static pbay_rc message(struct place *at, pbay_str m)
{
    struct body *b = at->b;
    pbay_str name = {NULL, 0};
    enum role role = role_of(pbay_json_get(m, "role"), &name);
    pbay_rc rc;

    if (role == NO_ROLE)
        return wrong(at, "role", WHOLE, "",
                     "it must be system, developer, user, assistant or tool");
    ol_open(b, "{");
    ol_key(b, "role");
    ol_value(b, name);
    rc = content(at, m);
    if (rc == PBAY_OK)
        rc = pictures(at, pbay_json_get(m, "content"));
    if (rc == PBAY_OK && role == ASSISTANT) {
        thinking(b, m);
        rc = calls(at, m);
    }
    if (rc == PBAY_OK && role == TOOL)
        result_of(at, m);
    if (rc == PBAY_OK)
        rc = left_over(at, m, role);
    ol_close(b, "}");
    return rc;
}

pbay_rc ol_messages(struct body *b, pbay_str messages)
{
    struct place at = {.b = b};
    pbay_str m;
    size_t pos = 0;
    pbay_rc rc = PBAY_OK;

    if (pbay_json_type(messages) != 'a')
        return ol_invalid(b->o, b->c, "messages", "it must be a list");
    ol_key(b, "messages");
    ol_open(b, "[");
    for (; rc == PBAY_OK && pbay_json_next(messages, &pos, NULL, &m);
         at.message++)
        rc = message(&at, m);
    ol_close(b, "]");
    if (rc == PBAY_OK && !at.message)
        return ol_invalid(b->o, b->c, "messages", "it is empty");
    return rc;
}
