/* SPDX-License-Identifier: MIT */
/* Putting the host together, running it, replacing what is in force, draining
 * it and taking it down, in reverse order of how it was put together. */
#include "admin/host.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/checks.h"
#include "admin/control.h"
#include "admin/host_int.h"
#include "base/descriptors.h"
#include "base/fs.h"
#include "base/sdnotify.h"
#include "base/str.h"
#include "manager/limits.h"
#include "manager/pace.h"
#include "manager/results.h"
#include "module/backend.h"

/* Open beside those of clients and upstreams: loops, logs, modules, sockets. */
#define OTHER_DESCRIPTORS 256

/* --- posting ------------------------------------------------------------- */

struct posted {
    struct loop_job job;
    void (*fn)(void *arg);
    void *arg;
};

static void run_posted(struct loop_job *job)
{
    struct posted *p = (struct posted *)(void *)job;
    void (*fn)(void *arg) = p->fn;
    void *arg = p->arg;

    free(p);
    fn(arg);
}

void host_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct posted *p = calloc(1, sizeof(*p));

    if (!p)
        abort(); /* a lost message would leave a request or a loop hanging */
    p->job.run = run_posted;
    p->fn = fn;
    p->arg = arg;
    loop_post(l, &p->job);
}

/* --- snapshots ----------------------------------------------------------- */

struct released {
    struct host *host;
    struct snapshot *snapshot;
};

static void snapshot_left(void *arg)
{
    struct released *r = arg;
    struct host *h = r->host;
    struct snapshot *s = r->snapshot;

    free(r);
    if (--s->holders)
        return;
    log_line(LOG_DEBUG, "host", "a former configuration is no longer in use",
             log_int("serial", s->serial), LOG_END);
    snapshot_free(s, &h->modules);
    h->old_snapshots--;
}

/* [loop] */
static void on_released(struct manager *m, struct snapshot *s, void *arg)
{
    struct seat *seat = arg;
    struct released *r = calloc(1, sizeof(*r));

    (void)m;
    if (!r)
        abort();
    *r = (struct released){seat->host, s};
    host_post(seat->host->control_seat->loop, snapshot_left, r);
}

struct adoption {
    struct seat *seat;
    struct snapshot *snapshot;
};

static void adopt(void *arg)
{
    struct adoption *a = arg;

    if (a->seat->server)
        http_server_set_limits(a->seat->server, &a->snapshot->cfg->http);
    manager_adopt(&a->seat->manager, a->snapshot);
    free(a);
}

void host_publish(struct host *h, struct snapshot *s)
{
    host_bound_backends(h, s);
    if (h->options.serve) /* a client's, and an upstream's for it */
        descriptors_reserve(2 * s->cfg->http.conns + OTHER_DESCRIPTORS);
    if (h->snapshot)
        h->old_snapshots++;
    h->snapshot = s;
    s->holders = (unsigned)h->n_seats;
    for (size_t i = 0; i < h->n_seats; i++) {
        struct adoption *a = calloc(1, sizeof(*a));
        if (!a)
            abort();
        *a = (struct adoption){&h->seats[i], s};
        if (&h->seats[i] == h->control_seat || !h->seats[i].started)
            adopt(a);
        else
            host_post(h->seats[i].loop, adopt, a);
    }
}

/* --- what a reload does not change --------------------------------------- */

/* Nothing of a configuration is ignored in silence. */
static void needs_restart(const char *key, char ***warnings)
{
    char **more, *text;
    size_t n = 0;

    if (asprintf(&text,
                 "server.%s has changed: a running host keeps the old one; "
                 "start it again to use the new one",
                 key) < 0)
        return;
    log_line(LOG_WARN, "config", text, LOG_END);
    while (warnings && *warnings && (*warnings)[n])
        n++;
    more = warnings ? realloc(*warnings, (n + 2) * sizeof(*more)) : NULL;
    if (!more) {
        free(text);
        return;
    }
    more[n] = text;
    more[n + 1] = NULL;
    *warnings = more;
}

static bool differ(const char *a, const char *b)
{
    return a != b && (!a || !b || strcmp(a, b) != 0);
}

/* Listeners stay as they were started, except for who may come in. */
static void relisten(struct host *h, const struct config *cfg, char ***warnings)
{
    bool same = h->n_listens == cfg->n_listen;

    for (size_t i = 0; i < h->n_listens; i++) {
        struct host_listen *l = &h->listens[i];
        bool found = false, none = true;
        for (size_t j = 0; j < cfg->n_listen; j++)
            if (strcmp(cfg->listen[j].addr, l->addr) == 0) {
                found = true;
                none = none && cfg->listen[j].auth_none;
            }
        atomic_store(&l->tag.auth_none, found && none);
        same = same && found && cfg->listen[i].tls == l->tls;
    }
    if (!same)
        needs_restart("listen", warnings);
}

static void compare(struct host *h, const struct config *cfg, char ***warnings)
{
    const struct config *old = h->snapshot->cfg;

    if (!h->options.serve)
        return;
    relisten(h, cfg, warnings);
    if (differ(old->tls_cert, cfg->tls_cert) ||
        differ(old->tls_key, cfg->tls_key))
        needs_restart("tls", warnings);
    if (differ(old->control_socket, cfg->control_socket))
        needs_restart("control_socket", warnings);
    if (old->loops != cfg->loops)
        needs_restart("loops", warnings);
    if (old->workers != cfg->workers)
        needs_restart("workers", warnings);
    if (old->native_queue != cfg->native_queue)
        needs_restart("native_queue", warnings);
}

static void refresh_models(void *arg);

int host_reload(struct host *h, char ***warnings, char **err)
{
    struct snapshot *s = host_load(h, warnings, err);
    const char **names;

    if (!s)
        return -1;
    names = calloc(s->n + 1, sizeof(*names));
    for (size_t i = 0; names && i < s->n; i++)
        names[i] = s->instances[i]->name;
    if (names)
        model_index_keep(h->models, names, s->n);
    free(names);
    compare(h, s->cfg, warnings);
    host_publish(h, s);
    log_line(LOG_INFO, "host", "configuration and modules read again",
             log_int("providers", (int64_t)s->n), LOG_END);
    refresh_models(h);
    if (h->checks)
        checks_follow(h->checks, h->snapshot);
    return 0;
}

/* --- models in the background -------------------------------------------- */

static void refreshed(void *arg)
{
    struct host *h = arg;

    h->listing = NULL;
    if (h->list_again)
        refresh_models(h);
}

static void refresh_models(void *arg)
{
    struct host *h = arg;
    int64_t interval = h->snapshot->cfg->refresh_ms;
    struct listing_job *j;

    if (!h->options.serve || h->draining)
        return;
    h->list_again = h->listing != NULL;
    if (!h->listing) {
        j = listing_start(&h->control_seat->manager, NULL, interval / 2,
                          refreshed, h);
        if (j)
            h->listing = j;
    }
    timer_set(&h->refresh, h->control_seat->loop->clock, interval,
              refresh_models, h);
}

/* --- draining ------------------------------------------------------------ */

static void close_listeners(void *arg)
{
    struct host *h = arg;

    for (size_t i = 0; i < h->n_listeners; i++)
        http_listener_free(h->listeners[i]);
    h->n_listeners = 0;
}

static void drain_over(void *arg)
{
    struct host *h = arg;

    if (h->undrained)
        log_line(LOG_WARN, "host",
                 "the drain time is over; what is under way "
                 "is cut off",
                 LOG_END);
    loop_stop(h->control_seat->loop);
}

static void seat_drained(void *arg)
{
    struct seat *s = arg;

    if (s->drained)
        return;
    s->drained = true;
    if (--s->host->undrained == 0)
        loop_stop(s->host->control_seat->loop);
}

void host_control_idle(struct host *h)
{
    if (!h->control_awaited)
        return;
    h->control_awaited = false;
    if (--h->undrained == 0)
        loop_stop(h->control_seat->loop);
}

/* [loop] */
static void on_server_drained(void *arg)
{
    struct seat *s = arg;

    host_post(s->host->control_seat->loop, seat_drained, s);
}

/* [loop] */
static void seat_drain(void *arg)
{
    struct seat *s = arg;

    http_server_drain(s->server, on_server_drained, s);
}

void host_stop(struct host *h, bool now)
{
    if (h->draining || now || !h->options.serve) {
        h->now = true;
        loop_stop(h->control_seat->loop);
        return;
    }
    h->draining = true;
    sd_notify_send("STOPPING=1\nSTATUS=draining");
    log_line(LOG_INFO, "host", "draining; a second signal ends at once",
             log_int("drain_ms", h->snapshot->cfg->drain_ms), LOG_END);
    for (size_t i = 0; i < h->n_seats; i++)
        atomic_store(&h->seats[i].manager.draining, true);
    if (h->n_seats > 1)
        host_post(h->seats[0].loop, close_listeners, h);
    for (size_t i = 0; i < h->n_seats; i++)
        if (h->seats[i].server) {
            h->undrained++;
            host_post(h->seats[i].loop, seat_drain, &h->seats[i]);
        }
    if (control_busy(h->control)) {
        h->control_awaited = true;
        h->undrained++;
    }
    timer_set(&h->drain, h->control_seat->loop->clock,
              h->snapshot->cfg->drain_ms, drain_over, h);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
    struct host *h = arg;
    char *err = NULL;

    (void)what;
    if (sig != SIGHUP) {
        host_stop(h, false);
        return;
    }
    sd_notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_us());
    if (host_reload(h, NULL, &err) < 0)
        log_line(LOG_ERROR, "host",
                 "reload refused, the old configuration "
                 "stays",
                 log_cstr("reason", err), LOG_END);
    free(err);
    sd_notify_send("READY=1");
}

/* --- putting together ---------------------------------------------------- */

static char *fmt_err(const char *fmt, const char *a, const char *b)
{
    char *s = NULL;
    size_t n = strlen(fmt) + strlen(a) + strlen(b) + 1;

    s = malloc(n);
    if (s)
        snprintf(s, n, "%s%s%s", fmt, a, b);
    return s;
}

/* Does any provider want TLS with the system's certificates? */
static bool wants_tls(const struct config *cfg)
{
    for (size_t i = 0; i < cfg->n_providers; i++) {
        const struct cfg_provider *p = &cfg->providers[i];
        if (p->enabled && !p->problem && p->base_url && !p->tx.ca_file &&
            strncmp(p->base_url, "https:", 6) == 0)
            return true;
    }
    return false;
}

static int seat_init(struct host *h, size_t i, bool serves)
{
    struct seat *s = &h->seats[i];

    s->host = h;
    s->loop = loop_new((int)i);
    if (!s->loop)
        return -errno;
    s->loop->transport = transport_curl_new(s->loop);
    if (!s->loop->transport)
        return -ENOMEM;
    s->manager = (struct manager){
        .loop = s->loop,
        .transport = s->loop->transport,
        .pool = h->pool,
        .backends = h->backends,
        .models = h->models,
        .cache = h->cache,
        .health = h->health,
        .recorder = h->recorder,
        .released = on_released,
        .arg = s,
    };
    s->loop->manager = &s->manager;
    s->dialect.manager = &s->manager;
    if (!serves)
        return 0;
    /* Not when the first request waits for it. */
    if (wants_tls(h->snapshot->cfg))
        transport_curl_warm(s->loop->transport);
    s->server =
        http_server_new(s->loop, &h->snapshot->cfg->http, dialect_handle,
                        &s->dialect, dialect_error_body);
    return s->server ? 0 : -ENOMEM;
}

static unsigned processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    return 1;
}

/* The control loop gets the highest id, so that it needs no place among the
 * loops that serve. */
static int make_seats(struct host *h)
{
    const struct config *cfg = h->snapshot->cfg;
    size_t n = 0;
    int rc = 0;

    if (h->options.serve)
        n = cfg->loops ? cfg->loops : processors();
    if (n > LIM_LOOPS - 1)
        n = LIM_LOOPS - 1;
    h->n_seats = n + 1;
    h->control_seat = &h->seats[n];
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = seat_init(h, i, true);
    if (rc == 0)
        rc = seat_init(h, n, false);
    return rc;
}

/* Two hosts on one control socket would fight over it: the lock says so. */
static int take_lock(struct host *h, char **err)
{
    char path[4096], dir[4096], *slash;

    snprintf(dir, sizeof(dir), "%s", h->control_path);
    slash = strrchr(dir, '/');
    if (slash && slash != dir) {
        *slash = '\0';
        if (access(dir, F_OK) != 0)
            fs_mkdirs(dir, 0700);
    }
    snprintf(path, sizeof(path), "%s.lock", h->control_path);
    h->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (h->lock_fd < 0) {
        *err = fmt_err("cannot make the lock file ", path,
                       ": set server.control_socket to a place where this "
                       "user may write");
        return -1;
    }
    if (flock(h->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        *err = fmt_err("another host is running; it holds ", path,
                       " (give each host a control_socket of its own)");
        return -1;
    }
    return 0;
}

static int listen_all(struct host *h, char **err)
{
    const struct config *cfg = h->snapshot->cfg;
    struct http_server *servers[LIM_LOOPS];
    size_t n = h->n_seats - 1;

    for (size_t i = 0; i < n; i++)
        servers[i] = h->seats[i].server;
    if (cfg->tls_cert) {
        h->tls = http_tls_new(cfg->tls_cert, cfg->tls_key, err);
        if (!h->tls)
            return -1;
    }
    h->listeners = calloc(cfg->n_listen + 1, sizeof(*h->listeners));
    h->listens = calloc(cfg->n_listen + 1, sizeof(*h->listens));
    if (!h->listeners || !h->listens)
        return -1;
    for (size_t i = 0; i < cfg->n_listen; i++) {
        const struct cfg_listen *l = &cfg->listen[i];
        struct host_listen *kept = &h->listens[i];
        struct http_listener *made;
        kept->addr = strdup(l->addr);
        kept->tls = l->tls;
        atomic_store(&kept->tag.auth_none, l->auth_none);
        h->n_listens++;
        made = kept->addr ? http_listen(l->addr, servers, n,
                                        l->tls ? h->tls : NULL, &kept->tag, err)
                          : NULL;
        if (!made)
            return -1;
        h->listeners[h->n_listeners++] = made;
        log_line(LOG_INFO, "host", "listening",
                 log_cstr("on", http_listener_name(made)),
                 log_cstr("tls", l->tls ? "yes" : "no"), LOG_END);
    }
    return 0;
}

/* Keys are in this memory: no core file, unless somebody raises the soft limit
 * again (prlimit --core) to look at a crash. */
static void no_core(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_CORE, &r) == 0) {
        r.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &r);
    }
}

static int start_serving(struct host *h, char **err)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    char name[32];

    signal(SIGPIPE, SIG_IGN);
    no_core();
    if (take_lock(h, err) < 0 || listen_all(h, err) < 0)
        return -1;
    h->control = control_listen(h, h->control_path, err);
    if (!h->control)
        return -1;
    for (size_t i = 0; i < 3; i++) {
        h->signals[i] = event_new(h->control_seat->loop->base, signals[i],
                                  EV_SIGNAL | EV_PERSIST, on_signal, h);
        if (!h->signals[i] || event_add(h->signals[i], NULL) < 0) {
            *err = strdup("cannot watch for signals");
            return -1;
        }
    }
    for (size_t i = 0; i + 1 < h->n_seats; i++) {
        snprintf(name, sizeof(name), "loop-%zu", i);
        if (loop_thread_start(h->seats[i].loop, name) < 0) {
            *err = strdup("cannot start a thread");
            return -1;
        }
        h->seats[i].started = true;
    }
    return 0;
}

static int start_modules(struct host *h, char **err)
{
    struct cfg_issues issues = {0};
    struct loader_options lo = {.vendor_dir = PLUGINDIR,
                                .self = h->options.self};
    char **dirs = cfg_plugin_dirs(&h->options.cfg, &issues);
    int rc;

    cfg_issues_done(&issues); /* cfg_load() reports them again */
    lo.dirs = (const char *const *)dirs;
    lo.allow_any_owner = getenv("PATCHBAY_ALLOW_ANY_OWNER") != NULL;
    rc = loader_init(&lo, err);
    for (char **d = dirs; d && *d; d++)
        free(*d);
    free(dirs);
    return rc;
}

static int assemble(struct host *h, char **err)
{
    h->models = model_index_new();
    h->cache = cache_new();
    h->health = health_new();
    h->backends = backends_new();
    if (!h->models || !h->backends || start_modules(h, err) < 0)
        return -1;
    h->snapshot = host_load(h, NULL, err);
    if (!h->snapshot)
        return -1;
    h->pool = native_pool_new(h->snapshot->cfg->workers,
                              h->snapshot->cfg->native_queue);
    if (!h->pool || make_seats(h) < 0) {
        *err = strdup("cannot set up the event loops: out of memory or "
                      "descriptors");
        return -1;
    }
    h->recorder = recorder_new(h->control_seat->loop);
    for (size_t i = 0; i < h->n_seats; i++)
        h->seats[i].manager.recorder = h->recorder;
    h->started_ms = clock_now(h->control_seat->loop->clock);
    struct snapshot *first = h->snapshot;
    h->snapshot = NULL;
    host_publish(h, first);
    h->control_path = h->options.serve && first->cfg->control_socket
                          ? strdup(first->cfg->control_socket)
                          : NULL;
    if (h->options.serve)
        return start_serving(h, err);
    h->control = control_serve_fd(h, h->options.control_fd);
    return h->control ? 0 : -1;
}

struct host *host_new(const struct host_options *o, char **err)
{
    struct host *h = calloc(1, sizeof(*h));
    int saved;

    *err = NULL;
    if (!h)
        return NULL;
    h->options = *o;
    h->lock_fd = -1;
    if (o->serve)
        log_start(STDERR_FILENO);
    if (transport_curl_global() < 0 || resolver_start() < 0) {
        *err = strdup("cannot start the HTTP client");
        free(h);
        return NULL;
    }
    if (assemble(h, err) == 0)
        return h;
    saved = errno;
    if (!*err)
        *err = strdup("out of memory");
    host_free(h);
    errno = saved;
    return NULL;
}

int host_run(struct host *h)
{
    struct seat *c = h->control_seat;

    if (h->options.serve) {
        sd_notify_send("READY=1\nSTATUS=serving with %zu providers",
                       h->snapshot->n);
        log_line(LOG_INFO, "host", "ready",
                 log_int("providers", (int64_t)h->snapshot->n),
                 log_int("loops", (int64_t)h->n_seats - 1),
                 log_cstr("control", h->control_path), LOG_END);
        refresh_models(h);
        h->checks = checks_new(&c->manager);
        if (h->checks)
            checks_follow(h->checks, h->snapshot);
    }
    return loop_run(c->loop) < 0 ? 1 : h->status;
}

/* --- taking down --------------------------------------------------------- */

/* [loop] The last thing a loop does. */
static void seat_close(void *arg)
{
    struct seat *s = arg;

    if (s == &s->host->seats[0])
        close_listeners(s->host);
    /* First the calls, so that their clients are told; then the connections. */
    manager_abort_all(&s->manager, "the host is shutting down");
    if (s->server) {
        http_server_free(s->server);
        s->server = NULL;
    }
    loop_stop(s->loop);
}

static void stop_loops(struct host *h)
{
    for (size_t i = 0; i < h->n_seats; i++) {
        struct seat *s = &h->seats[i];
        if (!s->loop || s == h->control_seat)
            continue;
        if (s->started) {
            host_post(s->loop, seat_close, s);
            loop_thread_join(s->loop);
        } else {
            seat_close(s);
        }
    }
    if (h->control_seat && h->control_seat->loop)
        manager_abort_all(&h->control_seat->manager,
                          "the host is shutting down");
}

/* Jobs that are still posted refer to instances and attempts: they run before
 * those go, when their loop is freed. */
static void free_loops(struct host *h)
{
    for (size_t i = 0; i < h->n_seats; i++) {
        struct seat *s = &h->seats[i];
        if (!s->loop)
            continue;
        transport_free(s->loop->transport);
        s->loop->transport = NULL;
        if (s != h->control_seat)
            loop_free(s->loop);
    }
    if (h->control_seat && h->control_seat->loop)
        loop_free(h->control_seat->loop);
}

static int64_t calls_under_way(const struct host *h)
{
    int64_t n = 0;

    for (size_t i = 0; i < h->n_seats; i++)
        n += (int64_t)atomic_load(&h->seats[i].manager.active_shown);
    return n;
}

void host_free(struct host *h)
{
    int64_t cut;

    if (!h)
        return;
    control_free(h->control);
    for (size_t i = 0; i < 3; i++)
        if (h->signals[i])
            event_free(h->signals[i]);
    if (h->control_seat && h->control_seat->loop) {
        checks_free(h->checks);
        timer_stop(&h->refresh);
        timer_stop(&h->drain);
    }
    cut = calls_under_way(h);
    stop_loops(h);
    if (h->options.serve && h->draining)
        log_line(LOG_INFO, "host", "ended", log_int("calls_cut", cut), LOG_END);
    native_pool_free(h->pool);
    backends_stop(h->backends);
    free_loops(h);
    backends_free(h->backends);
    recorder_free(h->recorder);
    snapshot_free(h->snapshot, &h->modules);
    stats_free();
    limits_free();
    pace_free();
    results_reset(STR_NONE);
    catalogue_done(&h->modules);
    loader_done();
    http_tls_free(h->tls);
    free(h->listeners);
    for (size_t i = 0; i < h->n_listens; i++)
        free(h->listens[i].addr);
    free(h->listens);
    model_index_free(h->models);
    cache_free(h->cache);
    health_free(h->health);
    if (h->lock_fd >= 0)
        close(h->lock_fd);
    free(h->control_path);
    resolver_stop();
    transport_curl_global_done();
    if (h->options.serve)
        log_stop();
    free(h);
}
