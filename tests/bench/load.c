/* SPDX-License-Identifier: MIT */
/* The bench's load: one thread and epoll, every reply read and checked.
 *
 *     load requests PORT MODEL CONNECTIONS SECONDS
 *         keep-alive POSTs of a chat, one after the other on each connection
 *     load streams PORT MODEL STREAMS PER_SECOND CHUNKS
 *         STREAMS streamed chats, each on a connection of its own, PER_SECOND
 *         started a second, each of CHUNKS pieces of text
 *
 * Prints one line of JSON; times are in microseconds.  A reply counts when it
 * is a 200 with all of its text; a stream, when it also ended with [DONE] and
 * the end of its body.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WARM_US   300000   /* of requests: not among the latencies */
#define GRACE_US  30000000 /* after this without any reply: give up */
#define HEAD_SIZE 4096
#define LINE_SIZE 2048

enum state {
    HEAD,
    SIZE,
    DATA,
    DATA_END,
    TRAILER,
    LENGTH,
    DONE
};

/* One reply as it comes in. */
struct reply {
    enum state state;
    size_t head_len; /* of the head, then of the line being gathered */
    size_t body;     /* bytes of body so far, chunked framing taken off */
    uint64_t left;   /* of the chunk, or of the body */
    int status;
    char head[HEAD_SIZE];
};

struct conn {
    int fd;
    int64_t started; /* the request */
    int64_t last;    /* the chunk before */
    int chunks;      /* of text */
    bool done;       /* [DONE] was seen */
    size_t line_len; /* of the reply's body; requests: all of it */
    char line[LINE_SIZE];
    struct reply reply;
};

struct samples {
    uint32_t *v;
    size_t n, cap;
};

static int ep, port;
static char request[4096];
static size_t request_len;
static struct samples lat, ttft, gaps;
static long completed, failed, closed, clean, text_chunks;
static char why[256]; /* the first failure */
static int64_t began;
static bool streaming;
static int want_chunks;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void sample(struct samples *s, int64_t us)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 65536;
        s->v = realloc(s->v, s->cap * sizeof *s->v);
        if (!s->v)
            die("realloc");
    }
    s->v[s->n++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static int by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The value that `part` of the samples do not exceed. */
static uint32_t quantile(const struct samples *s, double part)
{
    if (!s->n)
        return 0;
    size_t i = (size_t)(part * (double)s->n);
    return s->v[i < s->n ? i : s->n - 1];
}

static void fail(const char *what, const char *detail)
{
    failed++;
    if (!why[0])
        snprintf(why, sizeof why, "%s: %.120s", what, detail);
}

/* ---- one reply ---------------------------------------------------------- */

/* A line of an event stream. */
static void on_line(struct conn *c, int64_t now)
{
    if (!strncmp(c->line, "data: [DONE]", 12)) {
        c->done = true;
    } else if (strstr(c->line, "\"content\":\" token\"")) {
        text_chunks++;
        if (!c->chunks++)
            sample(&ttft, now - c->started);
        else
            sample(&gaps, now - c->last);
        c->last = now;
    }
}

static void on_body(struct conn *c, const char *p, size_t n, int64_t now)
{
    c->reply.body += n;
    for (size_t i = 0; i < n; i++) {
        if (streaming && p[i] == '\n') {
            c->line[c->line_len] = '\0';
            on_line(c, now);
            c->line_len = 0;
        } else if (c->line_len < LINE_SIZE - 1) {
            c->line[c->line_len++] = p[i];
        }
    }
}

static bool on_head(struct reply *r)
{
    const char *v;
    if (sscanf(r->head, "HTTP/1.1 %d", &r->status) != 1)
        return false;
    if (strcasestr(r->head, "\r\ntransfer-encoding: chunked")) {
        r->state = SIZE;
    } else if ((v = strcasestr(r->head, "\r\ncontent-length:"))) {
        r->left = strtoull(v + 17, NULL, 10);
        r->state = r->left ? LENGTH : DONE;
    } else {
        return false;
    }
    r->head_len = 0;
    return true;
}

/* One byte of the head or of a line of the chunked framing. */
static bool on_frame_byte(struct reply *r, char b)
{
    if (r->head_len + 1 >= HEAD_SIZE)
        return false;
    r->head[r->head_len++] = b;
    if (b != '\n')
        return true;
    r->head[r->head_len] = '\0';
    if (r->state == HEAD) {
        if (r->head_len >= 4 && !strcmp(r->head + r->head_len - 4, "\r\n\r\n"))
            return on_head(r);
        return true;
    }
    size_t len = r->head_len;
    r->head_len = 0;
    if (r->state == SIZE) {
        r->left = strtoull(r->head, NULL, 16);
        r->state = r->left ? DATA : TRAILER;
        return true;
    }
    if (r->state == DATA_END)
        r->state = SIZE;
    else if (len == 2) /* the empty line after the trailers */
        r->state = DONE;
    return r->state != SIZE || len == 2;
}

static bool feed(struct conn *c, const char *p, size_t n, int64_t now)
{
    struct reply *r = &c->reply;
    while (n) {
        if (r->state == DONE)
            return false; /* more than was announced */
        if (r->state == DATA || r->state == LENGTH) {
            size_t take = n < r->left ? n : (size_t)r->left;
            on_body(c, p, take, now);
            r->left -= take;
            p += take;
            n -= take;
            if (!r->left)
                r->state = r->state == DATA ? DATA_END : DONE;
        } else {
            if (!on_frame_byte(r, *p))
                return false;
            p++;
            n--;
        }
    }
    return true;
}

/* ---- connections -------------------------------------------------------- */

static void conn_close(struct conn *c)
{
    close(c->fd);
    free(c);
    closed++;
}

static bool send_request(struct conn *c)
{
    c->reply.state = HEAD;
    c->reply.head_len = c->reply.body = 0;
    c->reply.status = 0;
    c->line_len = 0;
    return write(c->fd, request, request_len) == (ssize_t)request_len;
}

static void conn_open(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        die("calloc");
    c->started = now_us();
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        die("socket");
    if (connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0 &&
        errno != EINPROGRESS)
        die("connect");
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event e = {.events = EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) < 0)
        die("epoll_ctl");
}

static void on_connected(struct conn *c)
{
    int err = 0;
    socklen_t n = sizeof err;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &n);
    if (err || !send_request(c)) {
        fail("connect", strerror(err ? err : errno));
        conn_close(c);
        return;
    }
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static void on_stream_end(struct conn *c)
{
    if (c->reply.status == 200 && c->done && c->chunks == want_chunks)
        clean++;
    else
        fail("stream", c->reply.status == 200 ? "cut short" : c->line);
    conn_close(c);
}

static void on_reply(struct conn *c, int64_t now)
{
    c->line[c->line_len] = '\0';
    if (streaming) {
        on_stream_end(c);
        return;
    }
    if (c->reply.status != 200 ||
        !strstr(c->line, "\"finish_reason\":\"stop\"")) {
        fail("reply", c->line);
        conn_close(c);
        return;
    }
    completed++;
    if (now - began > WARM_US)
        sample(&lat, now - c->started);
    c->started = now_us();
    if (!send_request(c)) {
        fail("write", strerror(errno));
        conn_close(c);
    }
}

static void on_conn(struct conn *c, uint32_t events)
{
    if (events & EPOLLOUT) {
        on_connected(c);
        return;
    }
    char buf[65536];
    ssize_t n = read(c->fd, buf, sizeof buf);
    if (n < 0 && errno == EAGAIN)
        return;
    int64_t now = now_us();
    if (n <= 0) {
        fail("read", n ? strerror(errno) : "closed before the end");
        conn_close(c);
    } else if (!feed(c, buf, (size_t)n, now)) {
        fail("framing", c->reply.head);
        conn_close(c);
    } else if (c->reply.state == DONE) {
        on_reply(c, now);
    }
}

static int turn(int timeout)
{
    struct epoll_event ev[256];
    int n = epoll_wait(ep, ev, 256, timeout);
    if (n < 0 && errno != EINTR)
        die("epoll_wait");
    for (int i = 0; i < n; i++)
        on_conn(ev[i].data.ptr, ev[i].events);
    return n;
}

/* ---- the two modes ------------------------------------------------------ */

static void make_request(const char *model)
{
    static const char rest[] =
        "\"messages\":[{\"role\":\"system\",\"content\":\"You are a careful "
        "assistant of an engineering team.  Answer in plain words, in three "
        "sentences at most, and say so where you are not certain.\"},{\"role\":"
        "\"user\",\"content\":\"We run several services behind one address, "
        "and some of our requests take minutes because the answers are "
        "generated word by word.  What does a reverse proxy do for us here, "
        "what should we watch out for with long answers, and which time-outs "
        "would you look at first?\"}],\"temperature\":0.7,\"top_p\":0.95,"
        "\"max_completion_tokens\":256,\"user\":\"team-7\"";
    char body[2048];
    int n = snprintf(body, sizeof body, "{\"model\":\"%s\",%s%s}", model,
                     streaming ? "\"stream\":true," : "", rest);
    request_len = (size_t)snprintf(
        request, sizeof request,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
        "Accept: application/json\r\nContent-Type: application/json\r\n"
        "User-Agent: bench/1\r\nAuthorization: Bearer sk-bench\r\n"
        "Content-Length: %d\r\n\r\n%s",
        port, n, body);
}

static void run_requests(int connections, double seconds)
{
    began = now_us();
    int64_t end = began + (int64_t)(seconds * 1e6);
    for (int i = 0; i < connections; i++)
        conn_open();
    while (now_us() < end && closed < connections)
        turn(100);
    double took = (double)(now_us() - began - WARM_US) / 1e6;
    qsort(lat.v, lat.n, sizeof *lat.v, by_value);
    printf("{\"completed\":%ld,\"failed\":%ld,\"why\":\"%s\",\"per_second\":"
           "%.1f,\"p50\":%u,\"p99\":%u,\"max\":%u}\n",
           completed, failed, why[0] ? "see stderr" : "", (double)lat.n / took,
           quantile(&lat, .5), quantile(&lat, .99), quantile(&lat, 1));
}

static void run_streams(long count, long per_second)
{
    began = now_us();
    int64_t progress = began;
    long opened = 0;
    while (closed < count) {
        int64_t now = now_us();
        long due = (long)((now - began) * per_second / 1000000) + 1;
        while (opened < count && opened < due) {
            conn_open();
            opened++;
        }
        if (turn(opened < count ? 1 : 100))
            progress = now;
        else if (now - progress > GRACE_US)
            break;
    }
    qsort(ttft.v, ttft.n, sizeof *ttft.v, by_value);
    qsort(gaps.v, gaps.n, sizeof *gaps.v, by_value);
    printf("{\"streams\":%ld,\"clean\":%ld,\"failed\":%ld,\"why\":\"%s\","
           "\"chunks\":%ld,\"ttft_p50\":%u,\"ttft_p99\":%u,\"gap_p50\":%u,"
           "\"gap_p99\":%u,\"gap_max\":%u}\n",
           count, clean, failed, why[0] ? "see stderr" : "", text_chunks,
           quantile(&ttft, .5), quantile(&ttft, .99), quantile(&gaps, .5),
           quantile(&gaps, .99), quantile(&gaps, 1));
}

int main(int argc, char **argv)
{
    if (argc < 6 || (strcmp(argv[1], "requests") && argc < 7)) {
        fprintf(stderr, "usage: load requests PORT MODEL CONNECTIONS SECONDS\n"
                        "       load streams PORT MODEL STREAMS PER_SECOND "
                        "CHUNKS\n");
        return 2;
    }
    struct rlimit r;
    if (!getrlimit(RLIMIT_NOFILE, &r)) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
    signal(SIGPIPE, SIG_IGN);
    ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep < 0)
        die("epoll_create1");
    streaming = !strcmp(argv[1], "streams");
    port = atoi(argv[2]);
    make_request(argv[3]);
    if (streaming) {
        want_chunks = atoi(argv[6]);
        run_streams(atol(argv[4]), atol(argv[5]));
    } else {
        run_requests(atoi(argv[4]), atof(argv[5]));
    }
    if (why[0])
        fprintf(stderr, "load: first failure: %s\n", why);
    return 0;
}
