/* SPDX-License-Identifier: MIT */
/* The table of failures. */
#include <ctype.h>

#include "base/error.h"

#include "test_base.h"

static size_t rows(void)
{
    size_t n = 0;

    while (err_table()[n].kind)
        n++;
    return n;
}

START_TEST(every_kind_has_a_row)
{
    for (int kind = PBAY_E_INVALID; kind <= PBAY_E_PROTOCOL; kind++)
        ck_assert_int_eq(err_class(kind)->kind, kind);
    for (int kind = ERR_CONNECT; kind <= ERR_SCHEMA; kind++)
        ck_assert_int_eq(err_class(kind)->kind, kind);
    ck_assert_uint_eq(rows(), (size_t)(PBAY_E_PROTOCOL - PBAY_E_INVALID + 1 +
                                       ERR_SCHEMA - ERR_CONNECT + 1));
}
END_TEST

/* How often does a name that begins like this stand in front of '=', ',' or a
 * closing comment in the file?  Counts the members of an enum. */
static size_t count_members(const char *file, const char *prefix)
{
    const char *top = getenv("top_srcdir");
    char path[512], *text;
    size_t n, count = 0;

    snprintf(path, sizeof(path), "%s/%s", top ? top : ".", file);
    ck_assert_msg(fs_read(path, 1 << 20, &text, &n) == 0,
                  "%s: run me from the top of the source, or set top_srcdir",
                  path);
    for (char *p = text; (p = strstr(p, prefix)); p++) {
        char *end = p;

        if (p > text && (isalnum((unsigned char)p[-1]) || p[-1] == '_'))
            continue;
        while (isupper((unsigned char)*end) || *end == '_')
            end++;
        end += strspn(end, " ");
        if (*end == ',' || *end == '=' || strncmp(end, "/*", 2) == 0)
            count++;
    }
    free(text);
    return count;
}

/* A kind that somebody adds to a header without a row fails here. */
START_TEST(no_kind_was_forgotten)
{
    size_t abi = count_members("sdk/include/patchbay/event.h", "PBAY_E_");

    ck_assert_uint_eq(abi, PBAY_E_PROTOCOL);
    for (const struct err_class *c = err_table(); c->kind; c++) {
        if (c->kind < ERR_CONNECT)
            abi--;
    }
    ck_assert_uint_eq(abi, 0);
}
END_TEST

START_TEST(unknown_kinds)
{
    ck_assert_int_eq(err_class(0)->kind, ERR_INTERNAL);
    ck_assert_int_eq(err_class(-1)->kind, ERR_INTERNAL);
    ck_assert_int_eq(err_class(99)->kind, ERR_INTERNAL);
    ck_assert_int_eq(err_class(ERR_SCHEMA + 1)->kind, ERR_INTERNAL);
}
END_TEST

START_TEST(rows_make_sense)
{
    for (const struct err_class *c = err_table(); c->kind; c++) {
        size_t n = strlen(c->text);

        ck_assert_int_ge(c->status, 400);
        ck_assert_int_lt(c->status, 600);
        ck_assert_int_ge(c->scope, PBAY_SCOPE_REQUEST);
        ck_assert_int_le(c->scope, PBAY_SCOPE_PROVIDER);
        ck_assert_ptr_nonnull(c->openai_type);
        ck_assert_ptr_nonnull(c->anthropic_type);
        ck_assert(isupper((unsigned char)c->text[0]) && c->text[n - 1] == '.');
        for (const char *p = c->name; *p; p++)
            ck_assert(islower((unsigned char)*p) || *p == '_');
        for (const struct err_class *d = c + 1; d->kind; d++) {
            ck_assert_str_ne(c->name, d->name);
            ck_assert_str_ne(c->text, d->text);
        }
        /* A client must not take for its own what is not its fault. */
        if (c->our_key) {
            ck_assert_int_ge(c->status, 500);
            ck_assert(!c->pass_body);
        }
        ck_assert_msg((c->status >= 500) ==
                          (strcmp(c->openai_type, "server_error") == 0),
                      "%s", c->name);
        /* What is tried again here has failed for the target's sake. */
        if (c->retry_same)
            ck_assert(c->next_target && !c->pass_body);
    }
}
END_TEST

START_TEST(what_the_client_gets)
{
    static const struct {
        int kind, status;
        const char *type, *code, *anthropic;
    } want[] = {
        {PBAY_E_INVALID, 400, "invalid_request_error", NULL,
         "invalid_request_error"},
        {PBAY_E_NOT_FOUND, 404, "invalid_request_error", "model_not_found",
         "not_found_error"},
        {PBAY_E_CONTEXT, 400, "invalid_request_error",
         "context_length_exceeded", "invalid_request_error"},
        {PBAY_E_RATE, 429, "rate_limit_error", "rate_limit_exceeded",
         "rate_limit_error"},
        {PBAY_E_AUTH, 502, "server_error", "provider_auth_failed", "api_error"},
        {PBAY_E_QUOTA, 503, "server_error", "provider_quota_exhausted",
         "api_error"},
        {PBAY_E_OVERLOADED, 503, "server_error", "provider_overloaded",
         "overloaded_error"},
        {ERR_CONNECT, 502, "server_error", "provider_unreachable", "api_error"},
        {ERR_HEADERS_TIMEOUT, 504, "server_error", "provider_timeout",
         "timeout_error"},
        {ERR_FIRST_TIMEOUT, 504, "server_error", "provider_timeout",
         "timeout_error"},
        {ERR_TRUNCATED, 502, "server_error", "provider_truncated", "api_error"},
        {ERR_CLIENT_AUTH, 401, "invalid_request_error", "invalid_api_key",
         "authentication_error"},
        {ERR_CLIENT_RIGHT, 403, "invalid_request_error",
         "insufficient_permissions", "permission_error"},
        {ERR_NO_MODEL, 404, "invalid_request_error", "model_not_found",
         "not_found_error"},
        {ERR_METHOD, 405, "invalid_request_error", "method_not_supported",
         "invalid_request_error"},
        {ERR_BODY_TOO_LARGE, 413, "invalid_request_error", "request_too_large",
         "request_too_large"},
        {ERR_INTERNAL, 500, "server_error", "internal_error", "api_error"},
    };

    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        const struct err_class *c = err_class(want[i].kind);

        ck_assert_int_eq(c->status, want[i].status);
        ck_assert_str_eq(c->openai_type, want[i].type);
        ck_assert_pstr_eq(c->openai_code, want[i].code);
        ck_assert_str_eq(c->anthropic_type, want[i].anthropic);
    }
}
END_TEST

static bool one_of(int kind, const int *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == kind)
            return true;
    }
    return false;
}

#define ONE_OF(kind, list) one_of(kind, list, sizeof(list) / sizeof((list)[0]))

START_TEST(what_the_engine_does)
{
    static const int passes[] = {PBAY_E_INVALID, PBAY_E_NOT_FOUND,
                                 PBAY_E_TOO_LARGE, PBAY_E_CONTEXT,
                                 PBAY_E_FILTER};
    static const int key[] = {PBAY_E_AUTH, PBAY_E_PERMISSION, PBAY_E_QUOTA};
    static const int again[] = {
        PBAY_E_RATE, PBAY_E_OVERLOADED, PBAY_E_LOADING, PBAY_E_UPSTREAM,
        ERR_CONNECT, ERR_RESET,         ERR_TRUNCATED};
    static const int final[] = {
        PBAY_E_INVALID,  PBAY_E_FILTER,      ERR_DEADLINE, ERR_CANCELLED,
        ERR_CLIENT_AUTH, ERR_CLIENT_RIGHT,   ERR_NO_MODEL, ERR_NO_ROUTE,
        ERR_METHOD,      ERR_BODY_TOO_LARGE, ERR_BAD_BODY, ERR_KEY_LIMIT};
    static const int ill[] = {
        PBAY_E_AUTH,        PBAY_E_PERMISSION, PBAY_E_QUOTA,
        PBAY_E_OVERLOADED,  PBAY_E_UPSTREAM,   PBAY_E_PROTOCOL,
        ERR_CONNECT,        ERR_RESET,         ERR_CONNECT_TIMEOUT,
        ERR_FIRST_TIMEOUT,  ERR_IDLE_TIMEOUT,  ERR_TRUNCATED,
        ERR_HEADERS_TIMEOUT};

    for (const struct err_class *c = err_table(); c->kind; c++) {
        ck_assert_msg(c->pass_body == ONE_OF(c->kind, passes), "%s", c->name);
        ck_assert_msg(c->our_key == ONE_OF(c->kind, key), "%s", c->name);
        ck_assert_msg(c->retry_same == ONE_OF(c->kind, again), "%s", c->name);
        ck_assert_msg(c->next_target == !ONE_OF(c->kind, final), "%s", c->name);
        ck_assert_msg(c->health == ONE_OF(c->kind, ill), "%s", c->name);
    }
}
END_TEST

START_TEST(statuses)
{
    static const struct {
        int status, kind;
    } want[] = {
        {200, ERR_NONE},          {204, ERR_NONE},
        {400, PBAY_E_INVALID},    {401, PBAY_E_AUTH},
        {402, PBAY_E_QUOTA},      {403, PBAY_E_PERMISSION},
        {404, PBAY_E_NOT_FOUND},  {405, ERR_NOT_SUPPORTED},
        {408, PBAY_E_UPSTREAM},   {409, PBAY_E_UPSTREAM},
        {413, PBAY_E_TOO_LARGE},  {418, PBAY_E_INVALID},
        {422, PBAY_E_INVALID},    {429, PBAY_E_RATE},
        {498, PBAY_E_AUTH},       {500, PBAY_E_UPSTREAM},
        {501, ERR_NOT_SUPPORTED}, {502, PBAY_E_UPSTREAM},
        {503, PBAY_E_OVERLOADED}, {504, ERR_FIRST_TIMEOUT},
        {524, ERR_FIRST_TIMEOUT}, {529, PBAY_E_OVERLOADED},
        {302, PBAY_E_PROTOCOL},   {101, PBAY_E_PROTOCOL},
        {0, PBAY_E_PROTOCOL},     {-1, PBAY_E_PROTOCOL},
        {600, PBAY_E_PROTOCOL},
    };

    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        ck_assert_msg(err_from_status(want[i].status) == want[i].kind, "%d",
                      want[i].status);
    for (int status = -10; status < 1100; status++) {
        int kind = err_from_status(status);

        ck_assert(kind == ERR_NONE || err_class(kind)->kind == kind);
    }
}
END_TEST

START_TEST(from_events)
{
    pbay_error ev = {.size = sizeof(ev),
                     .kind = PBAY_E_RATE,
                     .scope = PBAY_SCOPE_KEY,
                     .http_status = 429,
                     .retry_after_ms = 1500,
                     .should_retry = 7,
                     .code = STR("c"),
                     .type = STR("t"),
                     .param = STR("p"),
                     .message = STR("slow down"),
                     .request_id = STR("req_1")};
    struct err e;

    err_from_event(&e, &ev);
    ck_assert_int_eq(e.kind, PBAY_E_RATE);
    ck_assert_int_eq(e.scope, PBAY_SCOPE_KEY);
    ck_assert_int_eq(e.upstream_status, 429);
    ck_assert_int_eq(e.retry_after_ms, 1500);
    ck_assert_int_eq(e.should_retry, 1);
    ck_assert_str_eq(e.code, "c");
    ck_assert_str_eq(e.type, "t");
    ck_assert_str_eq(e.param, "p");
    ck_assert_str_eq(err_text(&e), "slow down");
    ck_assert_str_eq(e.request_id, "req_1");
    ck_assert_str_eq(e.provider, "");

    ev.kind = ERR_CLIENT_AUTH; /* not for a plugin to say */
    ev.scope = 99;
    ev.retry_after_ms = -5;
    ev.should_retry = -9;
    err_from_event(&e, &ev);
    ck_assert_int_eq(e.kind, PBAY_E_UPSTREAM);
    ck_assert_int_eq(e.scope, err_class(PBAY_E_UPSTREAM)->scope);
    ck_assert_int_eq(e.retry_after_ms, -1);
    ck_assert_int_eq(e.should_retry, -1);
    ev.kind = 0;
    err_from_event(&e, &ev);
    ck_assert_int_eq(e.kind, PBAY_E_UPSTREAM);
    err_from_event(&e, NULL);
    ck_assert_int_eq(e.kind, PBAY_E_UPSTREAM);
}
END_TEST

/* A plugin built with an earlier, shorter struct: what lies behind its size is
 * not looked at. */
START_TEST(from_short_events)
{
    size_t size = offsetof(pbay_error, http_status);
    pbay_error whole = {.size = (uint32_t)size,
                        .kind = PBAY_E_CONTEXT,
                        .http_status = 400,
                        .message = STR("not to be seen")};
    void *ev = malloc(size); /* the address sanitizer watches */
    struct err e;

    memcpy(ev, &whole, size);
    err_from_event(&e, ev);
    ck_assert_int_eq(e.kind, PBAY_E_CONTEXT);
    ck_assert_int_eq(e.scope, PBAY_SCOPE_REQUEST);
    ck_assert_int_eq(e.upstream_status, 0);
    ck_assert_int_eq(e.retry_after_ms, -1);
    ck_assert_str_eq(e.message, "");
    ck_assert_str_eq(err_text(&e), err_class(PBAY_E_CONTEXT)->text);
    free(ev);
}
END_TEST

START_TEST(messages)
{
    static char text[3000];
    pbay_error ev = {.size = sizeof(ev), .kind = PBAY_E_AUTH};
    struct err e;

    err_set(&e, ERR_CONNECT, "%s:%d", "host", 80);
    ck_assert_str_eq(err_text(&e), "host:80");
    ck_assert_int_eq(e.retry_after_ms, -1);
    ck_assert_int_eq(e.scope, PBAY_SCOPE_PROVIDER);
    err_set(&e, ERR_UNAVAILABLE, "again: %s", e.message); /* from itself */
    ck_assert_str_eq(err_text(&e), "again: host:80");
    err_set(&e, ERR_NO_MODEL, "%s", "");
    ck_assert_str_eq(err_text(&e), err_class(ERR_NO_MODEL)->text);

    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xC3\xA9", 2);
    err_set(&e, ERR_CONNECT, "%s", text);
    ck_assert_uint_eq(strlen(e.message), 1022); /* no half character */
    err_set(&e, ERR_CONNECT, "x%s", text);
    ck_assert_uint_eq(strlen(e.message), 1023);

    /* What a provider says of our key stays with us. */
    ev.message = STR("Incorrect API key provided: sk-...");
    err_from_event(&e, &ev);
    ck_assert_str_eq(e.message, "Incorrect API key provided: sk-...");
    ck_assert_str_eq(err_text(&e), err_class(PBAY_E_AUTH)->text);

    err_clear(&e);
    ck_assert_int_eq(e.kind, ERR_NONE);
    ck_assert_str_eq(err_text(&e), err_class(ERR_INTERNAL)->text);
}
END_TEST

Suite *base_error_suite(void)
{
    Suite *s = suite_create("base/error");
    TCase *t = tcase_create("error");

    tcase_add_test(t, every_kind_has_a_row);
    tcase_add_test(t, no_kind_was_forgotten);
    tcase_add_test(t, unknown_kinds);
    tcase_add_test(t, rows_make_sense);
    tcase_add_test(t, what_the_client_gets);
    tcase_add_test(t, what_the_engine_does);
    tcase_add_test(t, statuses);
    tcase_add_test(t, from_events);
    tcase_add_test(t, from_short_events);
    tcase_add_test(t, messages);
    suite_add_tcase(s, t);
    return s;
}
