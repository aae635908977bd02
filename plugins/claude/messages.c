/* SPDX-License-Identifier: MIT */
/* claude.so: canonical messages as Claude's `system` and `messages`.
 *
 * Claude's turns are those of user and assistant alone: answers of tools go
 * into the user's turn, in front of everything else in it.  Neighbours of the
 * same side become one turn. */
#include <stdio.h>
#include <string.h>

#include "body.h"

enum {
    ROLE_NONE,
    ROLE_SYSTEM,
    ROLE_USER,
    ROLE_TOOL,
    ROLE_ASSISTANT
};

/* A message and its place, for errors. */
struct message {
    pbay_str json, role, content;
    unsigned place;
};

static int role_of(pbay_str role)
{
    if (pbay_json_is(role, "user"))
        return ROLE_USER;
    if (pbay_json_is(role, "assistant"))
        return ROLE_ASSISTANT;
    if (pbay_json_is(role, "tool"))
        return ROLE_TOOL;
    if (pbay_json_is(role, "system") || pbay_json_is(role, "developer"))
        return ROLE_SYSTEM;
    return ROLE_NONE;
}

static void message(struct message *m, pbay_str json, unsigned place)
{
    m->json = json;
    m->role = pbay_json_get(json, "role");
    m->content = pbay_json_get(json, "content");
    m->place = place;
}

static void refuse(struct body *b, const struct message *m, const char *field,
                   const char *text)
{
    char name[96];

    snprintf(name, sizeof name, "messages[%u]%s", m->place, field);
    body_refuse(b, name, text);
}

/* The content of a message as blocks; how many were written, added to n. */
static void content(struct body *b, const struct message *m, int *n)
{
    pbay_str part;
    size_t pos = 0;
    unsigned k = 0;

    if (pbay_json_type(m->content) == 's') {
        if (m->content.n > 2) {
            body_text(b, m->content, m->json, *n);
            ++*n;
        }
        return;
    }
    if (pbay_json_type(m->content) != 'a') {
        if (!is_null(m->content))
            refuse(b, m, ".content",
                   "content must be a string or a list of "
                   "parts");
        return;
    }
    while (b->rc == PBAY_OK && pbay_json_next(m->content, &pos, NULL, &part)) {
        char name[96];
        snprintf(name, sizeof name, "messages[%u].content[%u]", m->place, k++);
        *n += body_part(b, part, name, *n);
    }
}

/* Members of a message that Claude has nothing like, or that nobody knows. */
static void members(struct body *b, const struct message *m)
{
    static const char *const known[] = {
        "role", "content", "cache_control", "tool_calls", "function_call",
        "tool_call_id", "is_error", "refusal", "audio", "reasoning",
        "reasoning_content", "reasoning_details", "patchbay_blocks",
        /* of an answer that comes back, for people */
        "annotations"};
    int tool = role_of(m->role) == ROLE_TOOL;
    pbay_str key, value;
    size_t pos = 0;
    char name[160];

    while (b->rc == PBAY_OK && pbay_json_next(m->json, &pos, &key, &value)) {
        size_t i = 0, n = sizeof known / sizeof *known;
        while (i < n && !cl_is(key, known[i]))
            i++;
        if (i < n || is_null(value) || (tool && cl_is(key, "name")))
            continue;
        snprintf(name, sizeof name, "messages[%u].%.*s", m->place,
                 key.n < 64 ? (int)key.n : 0, key.p);
        body_unsupported(b, name,
                         cl_is(key, "name") ? "put the name into the text"
                                            : "leave it out");
    }
}

/* ------------------------------------------------------------------- system */

/* All instructions, in one list in front. */
static void system_list(struct body *b, pbay_str messages, int *any)
{
    pbay_str json;
    struct message m;
    size_t pos = 0;
    unsigned place = 0;
    int n = 0, talked = 0, begun = 0, moved = 0;

    while (b->rc == PBAY_OK && pbay_json_next(messages, &pos, NULL, &json)) {
        message(&m, json, place++);
        if (role_of(m.role) != ROLE_SYSTEM) {
            talked = 1;
            continue;
        }
        if (!begun) {
            body_name(b, "system", any);
            body_put(b, "[");
            begun = 1;
        }
        if (talked && !moved++)
            body_warn(b, "messages",
                      "instructions in the middle of the conversation were "
                      "moved to its front");
        members(b, &m);
        content(b, &m, &n);
    }
    if (begun)
        body_put(b, "]");
}

/* ---------------------------------------------------------------- assistant */

/* An id as Claude takes it: letters, digits, _ and -.  Another provider's may
 * have more in it; the same goes for the call and for its answer. */
static void put_id(struct body *b, const struct message *m, pbay_str id,
                   const char *field)
{
    pbay_str text = pbay_text(b->o->host, b->c->call, id);
    char *p = (char *)(uintptr_t)text.p;

    if (b->rc != PBAY_OK)
        return;
    if (!text.n) {
        refuse(b, m, field, "the id of the tool call is missing");
        return;
    }
    for (size_t i = 0; i < text.n; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'z') ||
              (p[i] >= 'A' && p[i] <= 'Z') || p[i] == '_' || p[i] == '-'))
            p[i] = '_';
    body_put(b, "\"");
    body_raw(b, text);
    body_put(b, "\"");
}

/* "arguments", the text of an object, as the object. */
static void put_input(struct body *b, const struct message *m, pbay_str args)
{
    pbay_str text = pbay_text(b->o->host, b->c->call, args);

    if (b->rc != PBAY_OK)
        return;
    if (pbay_json_type(args) == 'o') {
        body_raw(b, args);
    } else if (is_null(args) || (text.p && !text.n)) {
        body_put(b, "{}");
    } else if (!text.n || pbay_json_check(text, NULL) < 0 ||
               pbay_json_type(text) != 'o') {
        refuse(b, m, ".tool_calls.function.arguments",
               "the arguments of a tool call must be the text of a JSON "
               "object");
    } else {
        body_raw(b, text);
    }
}

static void tool_call(struct body *b, const struct message *m, pbay_str call,
                      int *n)
{
    pbay_str fn = pbay_json_get(call, "function");
    pbay_str name = pbay_json_get(fn, "name");

    if (pbay_json_type(name) != 's') {
        refuse(b, m, ".tool_calls",
               "Claude knows tool calls of type function only; each needs a "
               "function.name");
        return;
    }
    body_put(b, (*n)++ ? ",{\"type\":\"tool_use\",\"id\":"
                       : "{\"type\":\"tool_use\",\"id\":");
    put_id(b, m, pbay_json_get(call, "id"), ".tool_calls.id");
    body_put(b, ",\"name\":");
    body_raw(b, name);
    body_put(b, ",\"input\":");
    put_input(b, m, pbay_json_get(fn, "arguments"));
    body_cache(b, call);
    body_put(b, "}");
}

/* A block that came from Claude, not one of another provider? */
static int of_claude(pbay_str block)
{
    static const char *const types[] = {"thinking", "redacted_thinking",
                                        "server_tool_use", "mcp_tool_use",
                                        "compaction"};
    pbay_str type = pbay_json_get(block, "type");

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (pbay_json_is(type, types[i]))
            return 1;
    return type.n > 13 &&
           memcmp(type.p + type.n - 13, "_tool_result\"", 13) == 0;
}

static void blocks(struct body *b, const struct message *m, int *n)
{
    pbay_str list = pbay_json_get(m->json, "patchbay_blocks"), block;
    pbay_str reasoning = pbay_json_get(m->json, "reasoning_content");
    pbay_str details = pbay_json_get(m->json, "reasoning_details");
    char name[96];
    size_t pos = 0;
    int any = 0;

    while (b->rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &block)) {
        if (!of_claude(block)) {
            snprintf(name, sizeof name, "messages[%u].patchbay_blocks",
                     m->place);
            body_warn(b, name, "left out: it came from another provider");
            continue;
        }
        body_put(b, (*n)++ ? "," : "");
        body_raw(b, block);
        any = 1;
    }
    if (is_null(reasoning))
        reasoning = pbay_json_get(m->json, "reasoning");
    if (!any && pbay_json_type(reasoning) == 's' && reasoning.n > 2) {
        snprintf(name, sizeof name, "messages[%u].reasoning_content", m->place);
        body_warn(b, name,
                  "left out: Claude takes its thoughts back only "
                  "with their signature");
    }
    if (!is_null(details)) {
        snprintf(name, sizeof name, "messages[%u].reasoning_details", m->place);
        body_warn(b, name, "left out: it came from another provider");
    }
}

static void assistant(struct body *b, const struct message *m, int *n)
{
    pbay_str calls = pbay_json_get(m->json, "tool_calls"), call;
    pbay_str refusal = pbay_json_get(m->json, "refusal");
    size_t pos = 0;

    if (!is_null(pbay_json_get(m->json, "function_call")))
        refuse(b, m, ".function_call",
               "function_call is no longer used; use tool_calls");
    if (!is_null(pbay_json_get(m->json, "audio"))) {
        char name[96];
        snprintf(name, sizeof name, "messages[%u].audio", m->place);
        body_unsupported(b, name, "send its transcript as content");
    }
    blocks(b, m, n);
    content(b, m, n);
    if (pbay_json_type(refusal) == 's' && refusal.n > 2) {
        body_text(b, refusal, (pbay_str){NULL, 0}, *n);
        ++*n;
    }
    while (b->rc == PBAY_OK && pbay_json_next(calls, &pos, NULL, &call))
        tool_call(b, m, call, n);
}

/* ------------------------------------------------------------ user and tools
 */

static void tool_answer(struct body *b, const struct message *m, int *n)
{
    struct message inside = *m;
    int k = 0;

    body_put(b, (*n)++ ? ",{\"type\":\"tool_result\",\"tool_use_id\":"
                       : "{\"type\":\"tool_result\",\"tool_use_id\":");
    put_id(b, m, pbay_json_get(m->json, "tool_call_id"), ".tool_call_id");
    body_put(b, ",\"content\":");
    if (pbay_json_type(m->content) == 's') {
        body_raw(b, m->content);
    } else {
        body_put(b, "[");
        content(b, &inside, &k);
        body_put(b, "]");
    }
    if (pbay_json_true(pbay_json_get(m->json, "is_error")))
        body_put(b, ",\"is_error\":true");
    body_cache(b, m->json);
    body_put(b, "}");
}

/* ------------------------------------------------------------------- turns */

static int side(int role)
{
    return role == ROLE_TOOL ? ROLE_USER : role;
}

/* The messages of one turn, from `pos` on: those of one role, in the order
 * they have.  Where the turn ends in *end. */
static void turn_part(struct body *b, pbay_str messages, size_t pos,
                      unsigned place, int only, int *n)
{
    int whose = side(only), role;
    struct message m;
    pbay_str json;

    while (b->rc == PBAY_OK && pbay_json_next(messages, &pos, NULL, &json)) {
        message(&m, json, place++);
        role = role_of(m.role);
        if (role == ROLE_SYSTEM)
            continue;
        if (side(role) != whose)
            return;
        if (role != only)
            continue;
        members(b, &m);
        if (role == ROLE_TOOL)
            tool_answer(b, &m, n);
        else if (role == ROLE_USER)
            content(b, &m, n);
        else
            assistant(b, &m, n);
    }
}

/* A turn that has nothing in it is not sent. */
static void turn(struct body *b, pbay_str messages, size_t pos, unsigned place,
                 int role, int *turns)
{
    struct body before = *b;
    size_t last = b->out.n ? b->out.pieces[b->out.n - 1].n : 0;
    int n = 0;

    body_put(b, *turns ? ",{\"role\":\"" : "{\"role\":\"");
    body_put(b, side(role) == ROLE_USER ? "user" : "assistant");
    body_put(b, "\",\"content\":[");
    if (side(role) == ROLE_USER) {
        turn_part(b, messages, pos, place, ROLE_TOOL, &n);
        turn_part(b, messages, pos, place, ROLE_USER, &n);
    } else {
        turn_part(b, messages, pos, place, ROLE_ASSISTANT, &n);
    }
    body_put(b, "]}");
    if (b->rc != PBAY_OK || n) {
        ++*turns;
        return;
    }
    *b = before;
    if (b->out.n)
        b->out.pieces[b->out.n - 1].n = last;
}

static int known(struct body *b, const struct message *m, int role)
{
    if (role != ROLE_NONE)
        return 1;
    refuse(b, m, ".role",
           pbay_json_is(m->role, "function")
               ? "the role function is no longer used; use tool with "
                 "tool_call_id"
               : "the role must be system, developer, user, assistant or tool");
    return 0;
}

/* An answer that was begun: only where it is to be gone on with. */
static void last_role(struct body *b, int role)
{
    int goes_on = (b->req->flags & PBAY_RQ_CONTINUE) != 0;

    if (b->c->op == PBAY_OP_COUNT || role != ROLE_ASSISTANT ||
        (goes_on && b->model.prefill))
        return;
    body_refuse(b, "messages",
                goes_on ? "this model cannot go on with an answer that was "
                          "begun; end the messages with a turn of the user"
                        : "the last message must be of the user or a tool");
}

void body_messages(struct body *b, pbay_str messages, int *any)
{
    pbay_str json;
    struct message m;
    size_t pos = 0, at = 0;
    unsigned place = 0;
    int was = ROLE_NONE, role, turns = 0;

    if (pbay_json_type(messages) != 'a') {
        body_refuse(b, "messages", "messages must be a list");
        return;
    }
    system_list(b, messages, any);
    body_name(b, "messages", any);
    body_put(b, "[");
    while (b->rc == PBAY_OK && pbay_json_next(messages, &pos, NULL, &json)) {
        message(&m, json, place);
        role = role_of(m.role);
        if (!known(b, &m, role))
            return;
        if (role != ROLE_SYSTEM && side(role) != was) {
            turn(b, messages, at, place, role, &turns);
            was = side(role);
        }
        at = pos;
        place++;
    }
    if (b->rc == PBAY_OK && !turns)
        body_refuse(b, "messages",
                    "Claude needs at least one message of the user that is "
                    "not empty");
    last_role(b, was);
    body_put(b, "]");
}
