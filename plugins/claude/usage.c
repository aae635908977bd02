/* SPDX-License-Identifier: MIT */
/* claude.so: token usage.  The numbers are cumulative: each replaces what was
 * said before, and null leaves it.  Claude's input_tokens leaves out what went
 * through the cache; ours is the whole prompt. */
#include <stdio.h>
#include <string.h>

#include "claude.h"

#define COUNT_MAX (INT64_C(1) << 53)

static void take(struct call *c, uint32_t bit, int64_t *to, pbay_str value)
{
    int64_t v;

    if (pbay_json_i64(value, &v) == 0 && v >= 0 && v < COUNT_MAX) {
        *to = v;
        c->known |= bit;
    }
}

/* Requests that server tools made, priced apart. */
static pbay_str units(const struct call *c, char *text, size_t room)
{
    int n;

    if (!c->web_search && !c->web_fetch)
        return (pbay_str){NULL, 0};
    n = snprintf(text, room, "{\"web_search\":%lld,\"web_fetch\":%lld}",
                 (long long)c->web_search, (long long)c->web_fetch);
    return (pbay_str){text, (size_t)n};
}

pbay_rc cl_usage(struct claude *o, struct call *c, pbay_str usage)
{
    pbay_usage u = {.size = sizeof u};
    pbay_event ev = {.type = PBAY_EV_USAGE, .usage = &u};
    pbay_str tools = pbay_json_get(usage, "server_tool_use");
    char text[96];
    uint32_t none = 0;

    if (pbay_json_type(usage) != 'o')
        return PBAY_OK;
    take(c, PBAY_U_INPUT, &c->input, pbay_json_get(usage, "input_tokens"));
    take(c, PBAY_U_CACHE_READ, &c->cache_read,
         pbay_json_get(usage, "cache_read_input_tokens"));
    take(c, PBAY_U_CACHE_WRITE, &c->cache_write,
         pbay_json_get(usage, "cache_creation_input_tokens"));
    take(c, PBAY_U_CACHE_WRITE_LONG, &c->cache_write_long,
         pbay_json_get(pbay_json_get(usage, "cache_creation"),
                       "ephemeral_1h_input_tokens"));
    take(c, PBAY_U_OUTPUT, &c->output, pbay_json_get(usage, "output_tokens"));
    take(c, PBAY_U_REASONING, &c->thinking,
         pbay_json_get(pbay_json_get(usage, "output_tokens_details"),
                       "thinking_tokens"));
    none = c->known;
    take(c, 0, &c->web_search, pbay_json_get(tools, "web_search_requests"));
    take(c, 0, &c->web_fetch, pbay_json_get(tools, "web_fetch_requests"));
    if (!none)
        return PBAY_OK;
    u.known = c->known;
    u.input = (uint64_t)(c->input + c->cache_read + c->cache_write);
    u.cache_read = (uint64_t)c->cache_read;
    u.cache_write = (uint64_t)c->cache_write;
    u.cache_write_long = (uint64_t)c->cache_write_long;
    u.output = (uint64_t)c->output;
    u.reasoning = (uint64_t)c->thinking;
    u.units = units(c, text, sizeof text);
    return cl_emit(o, c, &ev);
}
