/* SPDX-License-Identifier: MIT */
/* The bench's upstream: one thread and epoll.  It answers POSTs of a chat
 * completion whole, or, where the body has "stream":true, as an event stream
 * whose shape the model names: stream-CHUNKS-MILLISECONDS.  The role and the
 * first chunk go out at once, one more chunk at each interval, then the end.
 *
 *     upstream        prints the port it listens on, at 127.0.0.1
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
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

#define SLOTS    8192 /* milliseconds in the wheel of due chunks */
#define IN_SIZE  16384
#define OUT_SIZE 4096

struct conn {
    int fd;
    int left;          /* chunks of the stream still to send */
    int interval;      /* ms */
    int slot;          /* where in the wheel, or -1 */
    struct conn *prev; /* in the slot */
    struct conn *next;
    size_t in_len;
    size_t out_len; /* what the client has not taken yet */
    char out[OUT_SIZE];
    char in[IN_SIZE];
};

static int ep, listener;
static struct conn *wheel[SLOTS];
static long streams; /* under way */
static char whole[2048];
static size_t whole_len;

#define EVENT(delta, finish)                                               \
    "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":" \
    "\"chat.completion.chunk\",\"created\":1741570283,\"model\":"          \
    "\"gpt-4o-2024-08-06\",\"service_tier\":\"default\","                  \
    "\"system_fingerprint\":\"fp_50cad350e4\",\"choices\":[{\"index\":0,"  \
    "\"delta\":" delta ",\"logprobs\":null,\"finish_reason\":" finish      \
    "}]}\n\n"

static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char ev_role[] =
    EVENT("{\"role\":\"assistant\",\"content\":\"\"}", "null");
static const char ev_text[] = EVENT("{\"content\":\" token\"}", "null");
static const char ev_stop[] = EVENT("{}", "\"stop\"");
static const char ev_done[] = "data: [DONE]\n\n";

/* A host may ask for the list of models: there is none. */
static const char no_list[] =
    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"
    "Content-Length: 51\r\n\r\n"
    "{\"error\":{\"message\":\"nothing here\",\"code\":\"none\"}} ";

static const char whole_body[] =
    "{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":"
    "\"chat.completion\",\"created\":1741569952,\"model\":"
    "\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
    "\"assistant\",\"content\":\"A reverse proxy stands before one or several "
    "servers and answers in their name: clients speak to it alone, and it "
    "passes each request on to the server that is to do the work.\","
    "\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":"
    "\"stop\"}],\"usage\":{\"prompt_tokens\":119,\"completion_tokens\":37,"
    "\"total_tokens\":156,\"prompt_tokens_details\":{\"cached_tokens\":0,"
    "\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":"
    "0,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
    "\"rejected_prediction_tokens\":0}},\"service_tier\":\"default\","
    "\"system_fingerprint\":\"fp_50cad350e4\"}\n";

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void unschedule(struct conn *c)
{
    if (c->slot < 0)
        return;
    if (c->prev)
        c->prev->next = c->next;
    else
        wheel[c->slot] = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->slot = -1;
}

static void schedule(struct conn *c, int64_t due)
{
    int s = (int)(due % SLOTS);
    c->slot = s;
    c->prev = NULL;
    c->next = wheel[s];
    if (c->next)
        c->next->prev = c;
    wheel[s] = c;
}

static void conn_close(struct conn *c)
{
    if (c->left)
        streams--;
    unschedule(c);
    close(c->fd);
    free(c);
}

/* True: written or kept; false: the connection is gone. */
static int send_bytes(struct conn *c, const char *data, size_t len)
{
    ssize_t n = 0;
    if (!c->out_len)
        n = write(c->fd, data, len);
    if (n < 0 && errno != EAGAIN)
        return 0;
    if (n < 0)
        n = 0;
    if ((size_t)n == len)
        return 1;
    if (c->out_len + len - (size_t)n > sizeof c->out)
        return 0; /* reads nothing at all: not what is measured here */
    memcpy(c->out + c->out_len, data + n, len - (size_t)n);
    c->out_len += len - (size_t)n;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
    return 1;
}

static int send_rest(struct conn *c)
{
    ssize_t n = write(c->fd, c->out, c->out_len);
    if (n < 0)
        return errno == EAGAIN;
    c->out_len -= (size_t)n;
    memmove(c->out, c->out + n, c->out_len);
    if (!c->out_len) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
    }
    return 1;
}

static size_t put_chunk(char *to, size_t room, const char *data)
{
    return (size_t)snprintf(to, room, "%zx\r\n%s\r\n", strlen(data), data);
}

static int send_chunk(struct conn *c, int64_t now)
{
    char out[2048];
    size_t n = put_chunk(out, sizeof out, ev_text);
    if (--c->left == 0) {
        streams--;
        n += put_chunk(out + n, sizeof out - n, ev_stop);
        n += put_chunk(out + n, sizeof out - n, ev_done);
        n += (size_t)snprintf(out + n, sizeof out - n, "0\r\n\r\n");
    } else {
        schedule(c, now + c->interval);
    }
    return send_bytes(c, out, n);
}

static int start_stream(struct conn *c, const char *body)
{
    const char *m = strstr(body, "\"stream-");
    int chunks = 0, ms = 0;
    if (!m || sscanf(m, "\"stream-%d-%d\"", &chunks, &ms) != 2 || chunks < 2 ||
        ms < 1 || ms >= SLOTS) {
        fprintf(stderr, "upstream: the model does not name a stream: %.80s\n",
                m ? m : body);
        return 0;
    }
    char out[4096];
    size_t n = (size_t)snprintf(out, sizeof out, "%s", stream_head);
    n += put_chunk(out + n, sizeof out - n, ev_role);
    n += put_chunk(out + n, sizeof out - n, ev_text);
    c->left = chunks - 1;
    c->interval = ms;
    streams++;
    schedule(c, now_ms() + ms);
    return send_bytes(c, out, n);
}

/* Answer the request in c->in when it is there as a whole. */
static int answer(struct conn *c)
{
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return c->in_len < IN_SIZE - 1;
    if (!strncmp(c->in, "GET ", 4)) {
        c->in_len = 0;
        return send_bytes(c, no_list, sizeof no_list - 1);
    }
    const char *cl = strcasestr(c->in, "\r\ncontent-length:");
    if (!cl || cl > end) {
        fprintf(stderr, "upstream: a request without Content-Length\n");
        return 0;
    }
    size_t need = strtoul(cl + 17, NULL, 10), head = (size_t)(end + 4 - c->in);
    if (need >= IN_SIZE - head) {
        fprintf(stderr, "upstream: a request of %zu bytes\n", need);
        return 0;
    }
    if (c->in_len < head + need)
        return 1;
    c->in_len = 0;
    if (strstr(end, "\"stream\":true"))
        return start_stream(c, end + 4);
    return send_bytes(c, whole, whole_len);
}

static void on_conn(struct conn *c, uint32_t events)
{
    if ((events & EPOLLOUT) && c->out_len && !send_rest(c)) {
        conn_close(c);
        return;
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    ssize_t n = read(c->fd, c->in + c->in_len, IN_SIZE - 1 - c->in_len);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        conn_close(c);
        return;
    }
    c->in_len += (size_t)n;
    c->in[c->in_len] = '\0';
    if (!answer(c))
        conn_close(c);
}

static void on_accept(void)
{
    for (int i = 0; i < 256; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno != EAGAIN && errno != ECONNABORTED)
                die("accept");
            return;
        }
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct conn *c = malloc(sizeof *c);
        if (!c)
            die("malloc");
        memset(c, 0, offsetof(struct conn, out));
        c->fd = fd;
        c->slot = -1;
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
            die("epoll_ctl");
    }
}

static void on_time(int64_t *done)
{
    int64_t now = now_ms();
    for (; *done < now; ++*done) {
        int s = (int)((*done + 1) % SLOTS);
        struct conn *c;
        while ((c = wheel[s])) {
            unschedule(c);
            if (!send_chunk(c, *done + 1))
                conn_close(c);
        }
    }
}

static void open_listener(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t n = sizeof a;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&a, n) < 0 ||
        listen(listener, 8192) < 0 ||
        getsockname(listener, (struct sockaddr *)&a, &n) < 0)
        die("listen");
    printf("%d\n", ntohs(a.sin_port));
    fflush(stdout);
}

int main(void)
{
    struct rlimit r;
    if (!getrlimit(RLIMIT_NOFILE, &r)) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
    signal(SIGPIPE, SIG_IGN);
    whole_len = (size_t)snprintf(
        whole, sizeof whole,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\nx-request-id: req_bench\r\n\r\n%s",
        sizeof whole_body - 1, whole_body);
    ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep < 0)
        die("epoll_create1");
    open_listener();
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
    int64_t done = now_ms();
    for (;;) {
        struct epoll_event ev[256];
        int n = epoll_wait(ep, ev, 256, streams ? 1 : -1);
        if (n < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (ev[i].data.ptr)
                on_conn(ev[i].data.ptr, ev[i].events);
            else
                on_accept();
        }
        on_time(&done);
    }
}
