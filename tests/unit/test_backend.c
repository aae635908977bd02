/* SPDX-License-Identifier: MIT */
/* Which process starts, serves, waits, yields and ends: the supervisor's state
 * machine on times that the test makes.  What the thread does (start, ready,
 * end) is done by hand. */
#include <time.h>

#include "unit.h"

#include "base/log.h"
#include "module/backend_int.h"

static struct be_core core;
static struct loop *loop;
static int64_t now;
static int woken, refused;
static struct err last, no;
static bool waits;

static void setup(void)
{
    be_core_init(&core);
    loop = loop_new(0);
    ck_assert_ptr_nonnull(loop);
    now = 1000;
    woken = refused = 0;
    err_clear(&last);
    log_set_level(LOG_ERROR);
}

static void on_wake(void *arg, const struct err *e)
{
    (void)arg;
    woken++;
    if (e) {
        refused++;
        last = *e;
    }
}

/* What backend.c's jobs do, without its lock. */
static void run_job(struct loop_job *job)
{
    struct backend_use *u = (struct backend_use *)job;

    u->posted = false;
    if (u->dropped) {
        free(u->err);
        free(u);
    } else {
        u->wake(u->arg, u->state == USE_HELD ? NULL : u->err);
    }
}

static void end_turn(struct loop_job *job)
{
    (void)job;
    loop_stop(loop);
}

/* The loop's turn, until everything posted before has run. */
static void turn(void)
{
    static struct loop_job last_one;

    last_one = (struct loop_job){.run = end_turn};
    loop_post(loop, &last_one);
    ck_assert_int_eq(loop_run(loop), 0);
}

static void teardown(void)
{
    turn();
    loop_free(loop);
    for (struct backend *b = core.all; b; b = b->next) {
        ck_assert_uint_eq(b->held, 0);
        ck_assert_uint_eq(b->waiting, 0);
    }
    ck_assert_uint_eq(core.waiting, 0);
    be_core_done(&core);
}

struct wish {
    const char *provider, *key, *arg;
    unsigned parallel;
    int64_t idle, ready;
    uint64_t memory;
};

static struct backend_use *enter(struct wish w)
{
    pbay_str argv[2] = {STR("server"), str_c(w.arg ? w.arg : "-x")};
    pbay_backend_spec spec = {.size = sizeof(spec),
                              .parallel = w.parallel,
                              .key = str_c(w.key),
                              .name = str_c(w.key),
                              .argv = argv,
                              .n_argv = 2,
                              .ready_path = STR("/health"),
                              .ready_ms = w.ready ? w.ready : 5000,
                              .idle_ms = w.idle,
                              .memory_bytes = w.memory};
    struct backend_ask ask = {.provider = w.provider ? w.provider : "p",
                              .serial = 1,
                              .op = PBAY_OP_CHAT,
                              .model = str_c(w.key),
                              .loop = loop,
                              .wake = on_wake};
    struct backend_use *u;

    waits = false;
    u = be_enter(&core, &ask, &spec, now, &waits, &no);
    if (u)
        u->job.run = run_job;
    return u;
}
#define ENTER(...) enter((struct wish){__VA_ARGS__})

static struct backend_use *again(const char *key, unsigned serial, uint32_t op)
{
    struct backend_ask ask = {.provider = "p",
                              .serial = serial,
                              .op = op,
                              .model = str_c(key),
                              .loop = loop,
                              .wake = on_wake};
    struct backend_use *u = be_again(&core, &ask, now);

    if (u)
        u->job.run = run_job;
    return u;
}

static void leave(struct backend_use *u)
{
    if (be_leave(&core, u, now)) {
        free(u->err);
        free(u);
    }
}

static struct backend *of(const char *key)
{
    struct backend *found = NULL;

    for (struct backend *b = core.all; b; b = b->next)
        if (strcmp(b->key, key) == 0)
            found = b; /* the newest */
    return found;
}

static void is(const char *key, enum backend_state s)
{
    ck_assert_ptr_nonnull(of(key));
    ck_assert_int_eq(of(key)->state, s);
}

static int64_t tick(int64_t ms)
{
    now += ms;
    return be_tick(&core, now);
}

static void ready(const char *key)
{
    struct be_place *p = calloc(1, sizeof(*p));

    ck_assert_ptr_nonnull(p);
    p->refs = 1;
    snprintf(p->at.url, sizeof(p->at.url), "http://127.0.0.1:%s", key);
    is(key, BE_STARTING);
    be_ready(&core, of(key), p, now);
}

static void gone(const char *key, const char *how)
{
    struct be_end end = {how, "last words", false};

    be_exited(&core, of(key), &end, now);
}

/* Somebody has come to a process that is ready. */
static struct backend_use *served(const char *key)
{
    struct backend_use *u = ENTER(.key = key, .idle = 60000);

    ck_assert_ptr_nonnull(u);
    ck_assert(waits);
    tick(0);
    ready(key);
    ck_assert_int_eq(u->state, USE_HELD);
    turn();
    return u;
}

START_TEST(test_started_once_for_all)
{
    struct backend_use *u[8];

    for (int i = 0; i < 8; i++) {
        u[i] = ENTER(.key = "a");
        ck_assert_ptr_nonnull(u[i]);
        ck_assert(waits);
    }
    tick(0);
    is("a", BE_STARTING);
    ck_assert_uint_eq(of("a")->starts, 1);
    ck_assert_uint_eq(core.n, 1);
    ck_assert_int_eq(woken, 0);
    ready("a");
    turn();
    ck_assert_int_eq(woken, 8);
    ck_assert_int_eq(refused, 0);
    ck_assert_uint_eq(of("a")->held, 8);
    ck_assert_str_eq(u[3]->place->at.url, "http://127.0.0.1:a");
    struct backend_use *late = ENTER(.key = "a");
    ck_assert(late && !waits);
    leave(late);
    for (int i = 0; i < 8; i++)
        leave(u[i]);
    is("a", BE_READY);
}
END_TEST

START_TEST(test_described_once)
{
    struct backend_use *u = served("a"), *v;

    v = again("a", 1, PBAY_OP_CHAT);
    ck_assert_ptr_nonnull(v);
    leave(v);
    ck_assert_ptr_null(again("a", 2, PBAY_OP_CHAT));  /* another config */
    ck_assert_ptr_null(again("a", 1, PBAY_OP_EMBED)); /* not asked yet */
    ck_assert_ptr_null(again("b", 1, PBAY_OP_CHAT));
    leave(u);
    gone("a", "x");
    ck_assert_ptr_null(again("a", 1, PBAY_OP_CHAT));
}
END_TEST

START_TEST(test_parallel_bound)
{
    struct backend_use *a = ENTER(.key = "a", .parallel = 2), *b, *c;

    b = ENTER(.key = "a", .parallel = 2);
    c = ENTER(.key = "a", .parallel = 2);
    tick(0);
    ready("a");
    turn();
    ck_assert_int_eq(woken, 2);
    ck_assert_int_eq(c->state, USE_WAITS);
    leave(a);
    turn();
    ck_assert_int_eq(c->state, USE_HELD);
    ck_assert_int_eq(woken, 3);
    leave(b);
    leave(c);
}
END_TEST

START_TEST(test_idle)
{
    struct backend_use *u = served("a");

    tick(70000);
    is("a", BE_READY); /* in use */
    leave(u);
    ck_assert_int_eq(tick(59999), now + 1);
    is("a", BE_READY);
    tick(1);
    is("a", BE_STOPPING);
    gone("a", "exit status 0");
    tick(0);
    ck_assert_ptr_null(of("a"));
}
END_TEST

START_TEST(test_wanted_while_it_stops)
{
    struct backend_use *u = served("a");

    leave(u);
    tick(60000);
    is("a", BE_STOPPING);
    u = ENTER(.key = "a", .idle = 60000);
    ck_assert(u && waits);
    gone("a", "exit status 0");
    tick(0);
    ready("a");
    ck_assert_uint_eq(of("a")->starts, 2);
    leave(u);
}
END_TEST

START_TEST(test_one_makes_room)
{
    struct backend_use *a = served("a"), *b;

    leave(a);
    b = ENTER(.key = "b");
    ck_assert(b && waits);
    tick(0);
    is("a", BE_STOPPING);
    is("b", BE_QUEUED); /* not before the other has ended */
    gone("a", "exit status 0");
    tick(0);
    is("b", BE_STARTING);
    ready("b");
    turn();
    ck_assert_int_eq(b->state, USE_HELD);
    leave(b);
}
END_TEST

START_TEST(test_least_recently_used_goes)
{
    struct backend_use *u;

    core.caps.max_processes = 3;
    leave(served("a"));
    tick(10);
    leave(served("b"));
    tick(10);
    leave(served("c"));
    tick(10);
    u = ENTER(.key = "a", .idle = 60000); /* used again */
    ck_assert(u && !waits);
    leave(u);
    u = ENTER(.key = "d");
    tick(0);
    is("a", BE_READY);
    is("b", BE_STOPPING);
    is("c", BE_READY);
    gone("b", "exit status 0");
    tick(0);
    ready("d");
    leave(u);
}
END_TEST

START_TEST(test_memory)
{
    struct backend_use *a, *b;

    core.caps.max_processes = 10;
    core.caps.max_memory = 100;
    a = ENTER(.key = "a", .memory = 60);
    tick(0);
    ready("a");
    b = ENTER(.key = "b", .memory = 40);
    tick(0);
    is("b", BE_STARTING); /* both fit */
    ready("b");
    leave(a);
    tick(1);
    leave(b);
    struct backend_use *c = ENTER(.key = "c", .memory = 50);
    tick(0);
    is("a", BE_STOPPING);
    is("b", BE_READY);
    gone("a", "exit status 0");
    tick(0);
    is("c", BE_STARTING);
    leave(c);
    ck_assert_ptr_null(ENTER(.key = "huge", .memory = 101));
    ck_assert_int_eq(no.kind, PBAY_E_INVALID);
    ck_assert_ptr_nonnull(strstr(no.message, "backends.max_memory"));
}
END_TEST

/* One that is asked all the time does not keep another out for ever. */
START_TEST(test_nobody_starves)
{
    struct backend_use *a = served("a"), *b, *more;

    b = ENTER(.key = "b");
    tick(0);
    is("b", BE_QUEUED);
    tick(LIM_BACKEND_TURN_MS - 1);
    more = ENTER(.key = "a");
    ck_assert(more && !waits);
    leave(more);
    tick(1);
    more = ENTER(.key = "a"); /* from now on it waits */
    ck_assert(more && waits);
    tick(0);
    is("a", BE_READY);
    leave(a);
    tick(0);
    is("a", BE_STOPPING);
    gone("a", "exit status 0");
    tick(0);
    is("b", BE_STARTING);
    is("a", BE_QUEUED);
    ready("b");
    turn();
    leave(b);
    tick(0);
    is("b", BE_STOPPING); /* unused, and the other waits */
    gone("b", "exit status 0");
    tick(0);
    ready("a");
    turn();
    ck_assert_int_eq(more->state, USE_HELD);
    leave(more);
}
END_TEST

START_TEST(test_yielding_ends_when_nobody_waits)
{
    struct backend_use *a = served("a"), *b = ENTER(.key = "b"), *more;

    tick(0);
    tick(LIM_BACKEND_TURN_MS);
    more = ENTER(.key = "a");
    ck_assert(more && waits);
    leave(b); /* gives up */
    tick(0);
    turn();
    ck_assert_int_eq(more->state, USE_HELD);
    leave(more);
    leave(a);
}
END_TEST

START_TEST(test_start_fails)
{
    struct backend_use *a = ENTER(.key = "a"), *b = ENTER(.key = "a");

    tick(0);
    gone("a", "exit status 1");
    turn();
    ck_assert_int_eq(refused, 2);
    ck_assert_int_eq(last.kind, PBAY_E_UPSTREAM);
    ck_assert_int_eq(last.scope, PBAY_SCOPE_MODEL);
    ck_assert_ptr_nonnull(strstr(last.message, "a could not be started"));
    ck_assert_ptr_nonnull(strstr(last.message, "exit status 1"));
    ck_assert_ptr_nonnull(strstr(last.message, "last words"));
    ck_assert_ptr_nonnull(strstr(last.message, "(again in 500 ms)"));
    leave(a);
    leave(b);
    /* Not tried again before its time, and not by itself. */
    ck_assert_ptr_null(ENTER(.key = "a"));
    ck_assert_ptr_nonnull(strstr(no.message, "exit status 1"));
    tick(LIM_BACKEND_PAUSE_MS);
    is("a", BE_REST);
    a = ENTER(.key = "a");
    ck_assert(a && waits);
    tick(0);
    is("a", BE_STARTING);
    gone("a", "exit status 1");
    turn();
    ck_assert_ptr_nonnull(strstr(last.message, "(again in 1000 ms)"));
    leave(a);
    be_forgive(&core, "other");
    ck_assert_ptr_null(ENTER(.key = "a"));
    be_forgive(&core, "p");
    a = ENTER(.key = "a");
    ck_assert_ptr_nonnull(a);
    leave(a);
}
END_TEST

START_TEST(test_start_times_out)
{
    struct backend_use *a = ENTER(.key = "a", .ready = 300);

    ck_assert_int_eq(tick(0), now + 300);
    tick(299);
    is("a", BE_STARTING);
    tick(1);
    is("a", BE_STOPPING);
    ck_assert(of("a")->at_once);
    gone("a", "signal 9");
    turn();
    ck_assert_int_eq(refused, 1);
    ck_assert_ptr_nonnull(strstr(last.message, "not ready within 300 ms"));
    ck_assert_ptr_nonnull(strstr(last.message, "last words"));
    leave(a);
}
END_TEST

START_TEST(test_port_taken)
{
    struct backend_use *a = ENTER(.key = "a");
    struct be_end end = {"exit status 1", "cannot bind", true};

    for (int i = 0; i < 3; i++) {
        tick(0);
        is("a", BE_STARTING);
        be_exited(&core, of("a"), &end, now);
        turn();
        ck_assert_int_eq(refused, 0);
    }
    tick(0);
    be_exited(&core, of("a"), &end, now); /* enough is enough */
    turn();
    ck_assert_int_eq(refused, 1);
    leave(a);
}
END_TEST

/* What was wanted comes back by itself, later and later. */
START_TEST(test_crashes)
{
    int64_t pause = LIM_BACKEND_PAUSE_MS;
    struct backend_use *a = served("a"), *b;

    for (int i = 0; i < 4; i++) {
        gone("a", "signal 9 (Killed)");
        is("a", BE_REST);
        b = ENTER(.key = "a", .idle = 60000);
        ck_assert(b && waits); /* it is worth waiting */
        tick(pause - 1);
        is("a", BE_REST);
        tick(1);
        is("a", BE_STARTING);
        ready("a");
        turn();
        ck_assert_int_eq(b->state, USE_HELD);
        leave(b);
        pause *= 2;
    }
    leave(a); /* that of the first process */
    gone("a", "signal 9 (Killed)");
    ck_assert_ptr_null(ENTER(.key = "a", .idle = 60000)); /* 8 s away */
    ck_assert_ptr_nonnull(
        strstr(no.message, "has ended (again in 8000 ms): signal 9"));
    tick(pause);
    is("a", BE_STARTING);
    ready("a");
    gone("a", "signal 9 (Killed)");
    tick(2 * pause);
    is("a", BE_REST); /* only when somebody asks */
    a = ENTER(.key = "a", .idle = 60000);
    ck_assert_ptr_nonnull(a);
    tick(0);
    ready("a");
    turn();
    tick(60000);
    gone("a", "signal 9 (Killed)"); /* after a good minute: a new row */
    ck_assert_uint_eq(of("a")->failures, 1);
    leave(a);
}
END_TEST

/* It does not answer: nobody else is sent there before it does, or has
 * ended. */
START_TEST(test_doubted)
{
    struct backend_use *a = served("a"), *b, *c;

    be_doubt(a, now);
    is("a", BE_STARTING);
    b = ENTER(.key = "a", .idle = 60000);
    ck_assert(b && waits);
    ready("a"); /* it does answer */
    turn();
    ck_assert_int_eq(b->state, USE_HELD);
    be_doubt(a, now); /* of the place before: no news */
    is("a", BE_READY);
    leave(a);
    be_doubt(b, now);
    c = ENTER(.key = "a", .idle = 60000);
    gone("a", "signal 9");
    leave(b);
    is("a", BE_REST);
    turn();
    ck_assert_int_eq(c->state, USE_WAITS); /* it had served: worth waiting */
    tick(LIM_BACKEND_PAUSE_MS);
    ready("a");
    turn();
    ck_assert_int_eq(c->state, USE_HELD);
    leave(c);
    ck_assert_int_eq(refused, 0);
}
END_TEST

START_TEST(test_unwanted_stays_down)
{
    leave(served("a"));
    now += 60000; /* nobody since */
    gone("a", "signal 11");
    tick(LIM_BACKEND_PAUSE_MS);
    is("a", BE_REST);
    tick(60000);
    ck_assert_ptr_null(of("a")); /* forgotten */
}
END_TEST

START_TEST(test_changed_configuration)
{
    struct backend_use *a, *b, *same;

    core.caps.max_processes = 2;
    a = served("a");
    same = ENTER(.key = "a", .idle = 1234);
    ck_assert(same && !waits);
    ck_assert_int_eq(of("a")->idle_ms, 1234); /* no reason for a new one */
    leave(same);
    b = ENTER(.key = "a", .arg = "-y");
    ck_assert(b && waits);
    tick(0);
    ck_assert_uint_eq(core.n, 2);
    ck_assert(core.all->retired);
    ck_assert_int_eq(core.all->state, BE_READY); /* still in use */
    is("a", BE_STARTING);
    ready("a");
    leave(a);
    tick(0);
    ck_assert_int_eq(core.all->state, BE_STOPPING);
    struct be_end end = {"exit status 0", "", false};
    be_exited(&core, core.all, &end, now);
    tick(0);
    ck_assert_uint_eq(core.n, 1);
    is("a", BE_READY);
    leave(b);
}
END_TEST

START_TEST(test_reload)
{
    struct backend_caps caps = {1, 0, 10, 1000};
    const char *both[] = {"p", "q"}, *one[] = {"q"};
    struct backend_use *u;

    core.caps.max_processes = 2;
    leave(served("a"));
    u = ENTER(.provider = "q", .key = "b");
    tick(0);
    ready("b");
    caps.max_processes = 2;
    be_configure(&core, &caps, both, 2);
    tick(0);
    is("a", BE_READY);
    is("b", BE_READY);
    be_configure(&core, &caps, one, 1); /* p is gone */
    tick(0);
    is("a", BE_STOPPING);
    is("b", BE_READY);
    gone("a", "exit status 0");
    tick(0);
    be_configure(&core, &caps, NULL, 0); /* q as well, but it is in use */
    tick(0);
    is("b", BE_READY);
    leave(u);
    tick(0);
    is("b", BE_STOPPING);
}
END_TEST

START_TEST(test_lower_bound_of_processes)
{
    struct backend_caps caps = {1, 0, 10, 1000};
    const char *names[] = {"p"};

    core.caps.max_processes = 2;
    leave(served("a"));
    tick(5);
    leave(served("b"));
    be_configure(&core, &caps, names, 1);
    tick(0);
    is("a", BE_STOPPING);
    is("b", BE_READY);
}
END_TEST

START_TEST(test_queue_is_bounded)
{
    struct backend_use *a, *b;

    core.caps.max_waiting = 2;
    a = ENTER(.key = "a");
    b = ENTER(.key = "b");
    ck_assert(a && b);
    ck_assert_ptr_null(ENTER(.key = "a"));
    ck_assert_int_eq(no.kind, ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(no.message, "max_waiting"));
    leave(a);
    leave(b);
    tick(0);
    ck_assert_uint_eq(core.n, 0); /* nobody wants it any more */
}
END_TEST

START_TEST(test_shutdown)
{
    struct backend_use *a = served("a"), *b = ENTER(.key = "b");

    be_end_all(&core, now);
    turn();
    ck_assert_int_eq(refused, 1);
    ck_assert_int_eq(last.kind, ERR_UNAVAILABLE);
    ck_assert(be_any(&core));
    is("a", BE_STOPPING);
    ck_assert_ptr_null(ENTER(.key = "c"));
    ck_assert_int_eq(no.kind, ERR_UNAVAILABLE);
    leave(b);
    leave(a);
    gone("a", "exit status 0");
    tick(0);
    ck_assert(!be_any(&core));
}
END_TEST

/* A description by a plugin that does not do as the header says. */
START_TEST(test_bad_descriptions)
{
    pbay_str argv[2] = {STR("server"), STR("--key=${key}")};
    pbay_kv env[1] = {{STR("A=B"), STR("")}};
    pbay_backend_spec good = {.size = sizeof(good),
                              .key = STR("k"),
                              .argv = argv,
                              .n_argv = 1,
                              .ready_path = STR("/health")};
    struct backend_ask ask = {.provider = "p", .loop = loop, .wake = on_wake};
    pbay_backend_spec bad[8];

    for (int i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].n_argv = 0;
    bad[1].n_argv = 2; /* the key would be seen by everybody */
    bad[2].key = STR("");
    bad[3].ready_path = STR("health");
    bad[4].ready_path = STR("/a\r\nHost: x");
    bad[5].env = env;
    bad[5].n_env = 1;
    bad[6].size = offsetof(pbay_backend_spec, memory_bytes);
    bad[7].key = (pbay_str){"a\0b", 3};
    for (int i = 0; i < 8; i++) {
        ck_assert_ptr_null(be_enter(&core, &ask, &bad[i], now, &waits, &no));
        ck_assert_int_eq(no.kind, ERR_INTERNAL);
        ck_assert_ptr_nonnull(strstr(no.message, "its plugin describes"));
    }
    ck_assert_uint_eq(core.n, 0);
}
END_TEST

/* What the system says about who listens. */
START_TEST(test_strange_ports)
{
    static const char text[] =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
        "retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 "
        "00000000  1000        0 1 1 0 100 0 0 10 0\n"
        "   1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 "
        "00000000     0        0 1 1 0 100 0 0 10 0\n"
        "   2: 0100007F:1F92 0100007F:1F90 01 00000000:00000000 00:00000000 "
        "00000000  1001        0 1 1 0 100 0 0 10 0\n"
        "   3: 00000000000000000000000000000000:1F93 "
        "00000000000000000000000000000000:0000 0A 00000000:00000000 "
        "00:00000000 00000000  1002        0 1 1 0 100 0 0 10 0\n";

    ck_assert(!be_port_strange_in(text, 0x1f90, 1000));
    ck_assert(be_port_strange_in(text, 0x1f90, 0));
    ck_assert(be_port_strange_in(text, 0x1f91, 1000));
    ck_assert(!be_port_strange_in(text, 0x1f92, 1000)); /* no listener */
    ck_assert(be_port_strange_in(text, 0x1f93, 1000));
    ck_assert(!be_port_strange_in(text, 0x1f93, 1002));
    ck_assert(!be_port_strange_in(text, 1, 1000));
    ck_assert(!be_port_strange_in("", 1, 1000));
    ck_assert(!be_port_strange_in("\n\nsl\n", 1, 1000));
}
END_TEST

/* Processor time for so many connections. */
static double time_of_connections(unsigned n)
{
    static const char form[] =
        "%5u: 0100007F:%04X 0100007F:C350 06 00000000:00000000 03:00001747 "
        "00000000     0        0 0 3 0000000000000000\n";
    char *text = malloc(n * (sizeof(form) + 16)), *p = text;
    clock_t start;

    ck_assert_ptr_nonnull(text);
    for (unsigned i = 0; i < n; i++)
        p += sprintf(p, form, i, i & 0x7fff);
    start = clock();
    ck_assert(!be_port_strange_in(text, 0x1f90, 1000));
    start = clock() - start;
    free(text);
    return (double)start;
}

/* Ten times as many take about ten times as long, not a hundred times. */
START_TEST(test_many_connections)
{
    double few = time_of_connections(2000), many = time_of_connections(20000);

    ck_assert_double_lt(many, 40 * few + CLOCKS_PER_SEC / 100.0);
}
END_TEST

/* Many steps at random: the bounds hold, and everybody is served or told. */
START_TEST(test_random)
{
    uint64_t seed = unit_seed(7);
    struct backend_use *u[24] = {0};
    char key[8];

    core.caps.max_processes = 3;
    core.caps.max_waiting = 20;
    for (int i = 0; i < 20000; i++) {
        size_t at = unit_below(&seed, 24);
        if (u[at]) {
            leave(u[at]);
            u[at] = NULL;
        } else {
            snprintf(key, sizeof(key), "k%zu", unit_below(&seed, 6));
            u[at] = ENTER(.key = key, .idle = 500, .ready = 200, .parallel = 3);
        }
        tick((int64_t)unit_below(&seed, 60));
        unsigned n = 0;
        for (struct backend *b = core.all; b; b = b->next) {
            size_t dice = unit_below(&seed, 256);
            n += b->state == BE_STARTING || b->state == BE_READY ||
                 b->state == BE_STOPPING;
            ck_assert_uint_le(b->held, 30);
            if (b->state == BE_STARTING && dice < 128) {
                struct be_place *p = calloc(1, sizeof(*p));
                p->refs = 1;
                be_ready(&core, b, p, now);
            } else if ((b->state == BE_STOPPING && dice < 128) || dice == 255) {
                struct be_end end = {"exit status 3", "", dice & 1};
                if (b->state != BE_REST && b->state != BE_QUEUED)
                    be_exited(&core, b, &end, now);
            }
        }
        ck_assert_uint_le(n, 3);
        turn();
    }
    for (int i = 0; i < 24; i++)
        if (u[i])
            leave(u[i]);
    ck_assert_uint_eq(core.waiting, 0);
    ck_assert_int_gt(woken, 1000);
    ck_assert_int_gt(woken - refused, 1000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("backend");
    TCase *t = tcase_create("states");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_started_once_for_all);
    tcase_add_test(t, test_described_once);
    tcase_add_test(t, test_parallel_bound);
    tcase_add_test(t, test_idle);
    tcase_add_test(t, test_wanted_while_it_stops);
    tcase_add_test(t, test_one_makes_room);
    tcase_add_test(t, test_least_recently_used_goes);
    tcase_add_test(t, test_memory);
    tcase_add_test(t, test_nobody_starves);
    tcase_add_test(t, test_yielding_ends_when_nobody_waits);
    tcase_add_test(t, test_start_fails);
    tcase_add_test(t, test_start_times_out);
    tcase_add_test(t, test_port_taken);
    tcase_add_test(t, test_crashes);
    tcase_add_test(t, test_doubted);
    tcase_add_test(t, test_unwanted_stays_down);
    tcase_add_test(t, test_changed_configuration);
    tcase_add_test(t, test_reload);
    tcase_add_test(t, test_lower_bound_of_processes);
    tcase_add_test(t, test_queue_is_bounded);
    tcase_add_test(t, test_shutdown);
    tcase_add_test(t, test_bad_descriptions);
    tcase_add_test(t, test_strange_ports);
    tcase_add_test(t, test_many_connections);
    tcase_add_test(t, test_random);
    suite_add_tcase(s, t);
    return unit_main(&s, 1);
}
