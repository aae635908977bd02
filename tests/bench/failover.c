/* SPDX-License-Identifier: MIT */
/* The bench's failover: the targets that fail, the one that answers and the
 * client, in one thread, so that one clock tells how long it takes from a
 * failure to the first byte that the client has of the next target.
 *
 *     failover
 *         prints a line with the ports of its targets at 127.0.0.1: refused,
 *         reset, busy (503), cut, good; then takes lines
 *     run FAULT PORT MODEL COUNT [CONTROL_SOCKET]
 *         sends COUNT streamed chats to PORT one after the other, and prints a
 *         line of JSON, times in microseconds.  FAULT is what the first target
 *         does, or "good".  By the socket Patchbay forgets before each request
 *         what it holds against the provider named like the fault.
 *
 * The failure is the moment just before the target closes, or writes its 503.
 * Of a refused connection no target knows: there it is when the client sends
 * its request.  "cut" closes when the client has had its first word.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define IN_SIZE   16384
#define COUNT_MAX 20000
#define GRACE_US  30000000 /* for one reply */

enum fault {
    REFUSED,
    RESET,
    BUSY,
    CUT,
    GOOD,
    N_FAULTS
};
static const char *const names[] = {"refused", "reset", "busy", "cut", "good"};

/* What epoll tells of: a listener, a connection of one, the client, stdin. */
struct watched {
    void (*ready)(struct watched *w);
    int fd;
    enum fault does;
    size_t n;
    char in[IN_SIZE];
};

static int ep;
static bool over; /* stdin is at its end */

/* The request under way. */
static struct watched *client, *to_cut;
static int64_t sent, failed_at, asked, first;
static bool answered;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void wrong(const char *what, const char *detail)
{
    fprintf(stderr, "failover: %s: %.600s\n", what, detail);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct watched *watch(int fd, enum fault does,
                             void (*ready)(struct watched *w))
{
    struct watched *w = malloc(sizeof *w);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = w};

    if (!w)
        die("malloc");
    w->fd = fd;
    w->ready = ready;
    w->does = does;
    w->n = 0;
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
        die("epoll_ctl");
    return w;
}

/* Gone from epoll with its descriptor: nothing more is told of it, since each
 * turn takes one event. */
static void drop(struct watched *w)
{
    close(w->fd);
    if (w == to_cut)
        to_cut = NULL;
    free(w);
}

/* Read once; false: it is closed. */
static bool more(struct watched *w)
{
    ssize_t n = read(w->fd, w->in + w->n, IN_SIZE - 1 - w->n);

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    w->n += (size_t)n;
    w->in[w->n] = '\0';
    return true;
}

/* ---- the targets --------------------------------------------------------- */

#define EVENT(delta, finish)                                               \
    "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":" \
    "\"chat.completion.chunk\",\"created\":1741570283,\"model\":"          \
    "\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\"delta\":" delta     \
    ",\"finish_reason\":" finish "}]}\n\n"

static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";
static const char *const words[] = {
    EVENT("{\"role\":\"assistant\",\"content\":\"\"}", "null"),
    EVENT("{\"content\":\" token\"}", "null"),
    EVENT("{\"content\":\" second\"}", "null"), EVENT("{}", "\"stop\""),
    "data: [DONE]\n\n"};

static const char unavailable[] =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    "Content-Length: 61\r\n\r\n"
    "{\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}     ";
static const char no_list[] =
    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"
    "Content-Length: 51\r\n\r\n"
    "{\"error\":{\"message\":\"nothing here\",\"code\":\"none\"}} ";

static void put(struct watched *w, const char *data, size_t n)
{
    if (write(w->fd, data, n) != (ssize_t)n)
        wrong("a write to the proxy failed", strerror(errno));
}

/* The head and the first n events, with the end if these are all. */
static void put_stream(struct watched *w, size_t n)
{
    char out[4096];
    size_t all = sizeof words / sizeof *words, at;

    at = (size_t)snprintf(out, sizeof out, "%s", stream_head);
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%zx\r\n%s\r\n",
                               strlen(words[i]), words[i]);
    if (n == all)
        at += (size_t)snprintf(out + at, sizeof out - at, "0\r\n\r\n");
    put(w, out, at);
}

static void close_hard(struct watched *w)
{
    struct linger hard = {.l_onoff = 1};

    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    drop(w);
}

static void on_chat(struct watched *w)
{
    int64_t now = now_us();

    switch (w->does) {
    case RESET:
        failed_at = now;
        close_hard(w);
        break;
    case BUSY:
        failed_at = now;
        put(w, unavailable, sizeof unavailable - 1);
        break;
    case CUT:
        to_cut = w;
        put_stream(w, 2);
        break;
    default:
        asked = now;
        put_stream(w, sizeof words / sizeof *words);
    }
}

static void on_target(struct watched *w)
{
    const char *end, *length;

    if (!more(w)) {
        drop(w);
        return;
    }
    end = strstr(w->in, "\r\n\r\n");
    if (!end)
        return;
    if (!strncmp(w->in, "GET ", 4)) { /* a host may ask for its models */
        w->n = 0;
        put(w, no_list, sizeof no_list - 1);
        return;
    }
    length = strcasestr(w->in, "\r\ncontent-length:");
    if (!length || length > end)
        wrong("a request without Content-Length", w->in);
    if (w->n < (size_t)(end + 4 - w->in) + strtoul(length + 17, NULL, 10))
        return;
    w->n = 0;
    on_chat(w);
}

static void no_delay(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void on_accept(struct watched *l)
{
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    no_delay(fd);
    watch(fd, l->does, on_target);
}

/* The port.  A socket that is bound and does not listen refuses. */
static int open_target(enum fault does)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 ||
        (does != REFUSED && listen(fd, 64) < 0) ||
        getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        die("listen");
    if (does != REFUSED)
        watch(fd, does, on_accept);
    return ntohs(a.sin_port);
}

/* ---- the client ---------------------------------------------------------- */

static void on_client(struct watched *w)
{
    size_t before = w->n;

    if (!more(w))
        wrong("the proxy closed within a reply", w->in);
    if (w->n == before)
        return;
    if (to_cut) {
        if (strstr(w->in, "\" token\"")) {
            failed_at = now_us();
            drop(to_cut);
        }
        return;
    }
    if (!first)
        first = now_us();
    answered = w->n > 5 && !strcmp(w->in + w->n - 5, "0\r\n\r\n");
}

static void open_client(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        die("connect");
    no_delay(fd);
    client = watch(fd, GOOD, on_client);
}

static void send_chat(int port, const char *model)
{
    char body[512], all[1024];
    int n = snprintf(body, sizeof body,
                     "{\"model\":\"%s\",\"stream\":true,\"temperature\":0,"
                     "\"messages\":[{\"role\":\"user\",\"content\":\"Which "
                     "time-outs would you look at first?\"}]}",
                     model);

    n = snprintf(all, sizeof all,
                 "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                 "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                 "%s",
                 port, n, body);
    put(client, all, (size_t)n);
}

static void turn(int timeout)
{
    struct epoll_event ev;
    int n = epoll_wait(ep, &ev, 1, timeout);

    if (n < 0 && errno != EINTR)
        die("epoll_wait");
    if (n > 0) {
        struct watched *w = ev.data.ptr;
        w->ready(w);
    }
}

static void one_request(enum fault does, int port, const char *model)
{
    client->n = 0;
    client->in[0] = '\0';
    failed_at = asked = first = 0;
    answered = false;
    sent = now_us();
    send_chat(port, model);
    while (!answered) {
        turn(1000);
        if (now_us() - sent > GRACE_US)
            wrong("no whole reply", client->in);
    }
    if (strncmp(client->in, "HTTP/1.1 200 ", 13) ||
        !strstr(client->in, "\" second\"") || !strstr(client->in, "[DONE]"))
        wrong("not the second target's answer", client->in);
    if (does == REFUSED || does == GOOD)
        failed_at = sent;
    if (!failed_at || !asked)
        wrong("the target that fails was not asked", names[does]);
}

/* Patchbay's control socket: a line there, a line back. */
static void forget(const char *path, const char *provider)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char line[256];
    int n, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t got;

    if (strlen(path) >= sizeof a.sun_path)
        wrong("the control socket's path is too long", path);
    memcpy(a.sun_path, path, strlen(path) + 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        die(path);
    n = snprintf(line, sizeof line,
                 "{\"v\":1,\"verb\":\"provider.reset\",\"args\":{\"name\":"
                 "\"%s\"}}\n",
                 provider);
    if (write(fd, line, (size_t)n) != n)
        die(path);
    got = read(fd, line, sizeof line - 1);
    line[got > 0 ? got : 0] = '\0';
    if (!strstr(line, "\"ok\":true") && !strstr(line, "\"ok\": true"))
        wrong("provider.reset", line);
    close(fd);
}

/* ---- series -------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void print_times(const char *name, int64_t *v, int n, const char *after)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    printf("\"%s_p50\":%lld,\"%s_p99\":%lld%s", name, (long long)v[n / 2], name,
           (long long)v[n * 99 / 100], after);
}

static void run(enum fault does, int port, const char *model, int count,
                const char *control)
{
    static int64_t to_ask[COUNT_MAX], to_first[COUNT_MAX], whole[COUNT_MAX];

    open_client(port);
    for (int i = -5; i < count; i++) { /* the first five: connections */
        if (control[0])
            forget(control, names[does]);
        one_request(does, port, model);
        if (i < 0)
            continue;
        to_ask[i] = asked - failed_at;
        to_first[i] = first - failed_at;
        whole[i] = first - sent;
    }
    drop(client);
    printf("{\"count\":%d,", count);
    print_times("asked", to_ask, count, ",");
    print_times("first", to_first, count, ",");
    print_times("since_sent", whole, count, "}\n");
    fflush(stdout);
}

static void on_line(struct watched *w)
{
    char fault[16], model[64], control[128] = "";
    int port, count, does = 0;

    if (!fgets(w->in, IN_SIZE, stdin)) {
        over = true;
        return;
    }
    if (sscanf(w->in, "run %15s %d %63s %d %127s", fault, &port, model, &count,
               control) < 4)
        wrong("not a line that I know", w->in);
    while (does < N_FAULTS && strcmp(names[does], fault) != 0)
        does++;
    if (does == N_FAULTS || count < 1 || count > COUNT_MAX)
        wrong("no such fault, or too many requests", w->in);
    run((enum fault)does, port, model, count, control);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdin, NULL, _IONBF, 0);
    ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep < 0)
        die("epoll_create1");
    for (int i = 0; i < N_FAULTS; i++)
        printf("%d%c", open_target((enum fault)i),
               i + 1 < N_FAULTS ? ' ' : '\n');
    fflush(stdout);
    watch(STDIN_FILENO, GOOD, on_line);
    while (!over)
        turn(-1);
    return 0;
}
