/* SPDX-License-Identifier: MIT */
/* ollama.so: the messages of a canonical chat in Ollama's form: text in one
 * piece, pictures as bare base64 beside it, arguments of calls as objects. */
#include <stdio.h>
#include <string.h>

#include "ollama.h"

/* Calls of the latest assistant message that a result is looked for in. */
#define CALLS_MAX 256

/* So many bytes of a picture are looked at; the server looks at all. */
#define SOME 256

struct picture {
    struct picture *next;
    pbay_str data;
};

/* What a message has that means something here, found in one walk: a message
 * with a picture is long. */
enum {
    M_ROLE,
    M_CONTENT,
    M_REFUSAL,
    M_NAME,
    M_TOOL_CALLS,
    M_FUNCTION_CALL,
    M_CALL_ID,
    M_REASONING_CONTENT,
    M_REASONING,
    M_COUNT
};
static const pbay_str names[M_COUNT] = {
    PBAY_LIT("role"),         PBAY_LIT("content"),
    PBAY_LIT("refusal"),      PBAY_LIT("name"),
    PBAY_LIT("tool_calls"),   PBAY_LIT("function_call"),
    PBAY_LIT("tool_call_id"), PBAY_LIT("reasoning_content"),
    PBAY_LIT("reasoning"),
};

struct place {
    struct body *b;
    size_t message;
    struct picture *pictures, **last; /* of this message */
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

/* The base64 of "data:image/png;base64,...."; empty if it is none, as far as
 * its first `check` bytes tell. */
static pbay_str payload(pbay_str url, size_t check)
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
    for (size_t i = 0; i < data.n && i < check; i++)
        if (!base64_byte(data.p[i]))
            return (pbay_str){NULL, 0};
    return data;
}

/* Look at a picture and keep it for later: the text comes before it. */
static pbay_rc picture(struct place *at, pbay_str url, size_t i)
{
    static const char name[] = ".image_url";
    struct body *b = at->b;
    struct picture *new;
    pbay_str data;
    size_t check = SOME;

    if (pbay_json_type(url) != 's')
        return wrong(at, "content", i, name, "it must have a url");
    data = inside(url);
    if (data.n && memchr(data.p, '\\', data.n)) {
        data = pbay_text(b->o->host, b->c->call, url);
        if (!data.p)
            return PBAY_NOMEM;
        check = SIZE_MAX; /* what an escape hid must not break out */
    }
    if (!starts(data, "data:"))
        return wrong(at, "content", i, name,
                     "Ollama does not fetch pictures; send the picture itself "
                     "as a URI of the form data:image/png;base64,...");
    data = payload(data, check);
    if (!data.n)
        return wrong(at, "content", i, name,
                     "it must be a picture in base64, as in "
                     "data:image/png;base64,...");
    new = b->o->host->alloc(b->c->call, sizeof *new);
    if (!new)
        return PBAY_NOMEM;
    new->data = data;
    *at->last = new;
    at->last = &new->next;
    return PBAY_OK;
}

static void pictures(struct place *at)
{
    struct body *b = at->b;

    if (!at->pictures)
        return;
    ol_key(b, "images");
    ol_open(b, "[");
    for (const struct picture *p = at->pictures; p; p = p->next) {
        ol_open(b, "\"");
        ol_raw(b, p->data);
        ol_close(b, "\"");
    }
    ol_close(b, "]");
}

/* --------------------------------------------------------------------- text */

enum {
    P_TYPE,
    P_TEXT,
    P_REFUSAL,
    P_IMAGE,
    P_CACHE,
    P_COUNT
};
static const pbay_str part_names[P_COUNT] = {
    PBAY_LIT("type"), PBAY_LIT("text"), PBAY_LIT("refusal"),
    PBAY_LIT("image_url"), PBAY_LIT("cache_control")};

static pbay_rc image(struct place *at, pbay_str value, size_t i)
{
    static const pbay_str image_names[2] = {PBAY_LIT("url"),
                                            PBAY_LIT("detail")};
    pbay_str f[2] = {value, {NULL, 0}};
    struct path p;
    pbay_rc rc;

    if (pbay_json_type(value) == 'o')
        ol_fields(value, image_names, f, 2);
    rc = picture(at, f[0], i);
    if (rc != PBAY_OK || ol_absent(f[1]) || pbay_json_is(f[1], "auto"))
        return rc;
    return ol_warn(at->b->o, at->b->c,
                   path(&p, at, "content", i, ".image_url.detail"),
                   "dropped: Ollama decides how closely a picture is looked "
                   "at");
}

/* A part's text; pictures are kept for later. */
static pbay_rc part_text(struct place *at, pbay_str part, size_t i,
                         pbay_str *text)
{
    pbay_str f[P_COUNT];
    struct path p;
    pbay_rc rc;

    ol_fields(part, part_names, f, P_COUNT);
    *text = (pbay_str){NULL, 0};
    if (!ol_absent(f[P_CACHE])) {
        rc = ol_cache_hint(at->b->o, at->b->c,
                           path(&p, at, "content", i, ".cache_control"));
        if (rc != PBAY_OK)
            return rc;
    }
    if (pbay_json_is(f[P_TYPE], "text"))
        *text = f[P_TEXT];
    else if (pbay_json_is(f[P_TYPE], "refusal"))
        *text = f[P_REFUSAL];
    else if (pbay_json_is(f[P_TYPE], "image_url"))
        return image(at, f[P_IMAGE], i);
    else
        return missing(at, "content", i, ".type",
                       "takes text and pictures alone");
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

static pbay_rc content(struct place *at, const pbay_str *m)
{
    struct body *b = at->b;
    pbay_str v = m[M_CONTENT], refusal = m[M_REFUSAL];

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

static pbay_rc calls(struct place *at, const pbay_str *m)
{
    struct body *b = at->b;
    pbay_str list = m[M_TOOL_CALLS], old = m[M_FUNCTION_CALL], item;
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

static void result_of(struct place *at, const pbay_str *m)
{
    struct body *b = at->b;
    pbay_str id = m[M_CALL_ID], name = m[M_NAME];

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

/* Its place in `names`, or M_COUNT. */
static size_t place_of(pbay_str key)
{
    size_t i = 0;

    while (i < M_COUNT &&
           !(names[i].n == key.n && memcmp(names[i].p, key.p, key.n) == 0))
        i++;
    return i;
}

static int is_nothing(pbay_str value)
{
    char type = pbay_json_type(value);
    pbay_str v;
    size_t pos = 0;

    return type == '0' || (type == 'b' && !pbay_json_true(value)) ||
           ((type == 'a' || type == 'o') &&
            !pbay_json_next(value, &pos, NULL, &v));
}

/* A member of a message that Ollama has not. */
static pbay_rc left_over(struct place *at, pbay_str key)
{
    static const char *const labels[] = {"annotations", "patchbay_blocks",
                                         "reasoning_details"};
    char name[OL_NAME];
    const char *shown = ol_name(key, name);
    struct path p;

    if (strcmp(shown, "cache_control") == 0)
        return ol_cache_hint(at->b->o, at->b->c,
                             path(&p, at, shown, WHOLE, ""));
    if (strcmp(shown, "is_error") == 0)
        return ol_warn(at->b->o, at->b->c, path(&p, at, shown, WHOLE, ""),
                       "dropped: to Ollama a result is its text; say there "
                       "that it is an error");
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (strcmp(shown, labels[i]) == 0)
            return ol_warn(at->b->o, at->b->c, path(&p, at, shown, WHOLE, ""),
                           "dropped: it is not of this provider");
    return missing(at, shown, WHOLE, "",
                   strcmp(shown, "audio") == 0
                       ? "takes text and pictures alone"
                       : "has no such field in a message");
}

/* The members that mean something, in one walk; the others are told. */
static pbay_rc members(struct place *at, pbay_str message, pbay_str *m)
{
    pbay_str key, value;
    size_t pos = 0;
    pbay_rc rc = PBAY_OK;

    memset(m, 0, M_COUNT * sizeof *m);
    while (rc == PBAY_OK && pbay_json_next(message, &pos, &key, &value)) {
        size_t i = place_of(key);
        if (i < M_COUNT)
            m[i] = value;
        else if (!is_nothing(value))
            rc = left_over(at, key);
    }
    return rc;
}

static void thinking(struct body *b, const pbay_str *m)
{
    pbay_str v = m[M_REASONING_CONTENT];

    if (!ol_filled(v))
        v = m[M_REASONING];
    if (!ol_filled(v))
        return;
    ol_key(b, "thinking");
    ol_value(b, v);
}

static pbay_rc message(struct place *at, pbay_str value)
{
    struct body *b = at->b;
    pbay_str m[M_COUNT], name = {NULL, 0};
    pbay_rc rc = members(at, value, m);
    enum role role = role_of(m[M_ROLE], &name);

    if (rc != PBAY_OK)
        return rc;
    if (role == NO_ROLE)
        return wrong(at, "role", WHOLE, "",
                     "it must be system, developer, user, assistant or tool");
    at->pictures = NULL;
    at->last = &at->pictures;
    ol_open(b, "{");
    ol_key(b, "role");
    ol_value(b, name);
    rc = content(at, m);
    pictures(at);
    if (rc == PBAY_OK && role == ASSISTANT) {
        thinking(b, m);
        rc = calls(at, m);
    }
    if (role == TOOL)
        result_of(at, m);
    else if (rc == PBAY_OK && ol_filled(m[M_NAME]))
        rc = missing(at, "name", WHOLE, "",
                     "has no names of who speaks; put them into the text");
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
