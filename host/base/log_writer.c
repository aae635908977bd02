/* SPDX-License-Identifier: MIT */
/* The log's queue and writer thread, so that nobody who logs waits for whoever
 * reads the log. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/log_writer.h"
#include "base/str.h"
#include "base/thread.h"

#define STOP_US    2000000     /* what a stuck reader is given at the end */
#define QUEUE_KEEP LIM_KIB(64) /* memory kept between bursts */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled; /* or to be stopped */
    struct buf queue;
    bool running;
    pthread_t thread;
    int fd;
    bool plain_file; /* never makes us wait, so no need to ask */
    uint64_t told;   /* how many lost lines the log has reported */
} writer = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .filled = PTHREAD_COND_INITIALIZER,
};
static atomic_uint_fast64_t dropped;
static atomic_int_fast64_t stop_at; /* clock_us() to give up at; 0: go on */

uint64_t log_dropped(void)
{
    return atomic_load(&dropped);
}

static uint64_t count_lines(pbay_str s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n';
    return n;
}

/* False: told to stop, and out of patience. */
static bool wait_writable(int fd)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        int64_t until = atomic_load(&stop_at);

        if (poll(&p, 1, 100) > 0)
            return true;
        if (until && clock_us() > until)
            return false;
    }
}

/* As many whole lines as a pipe takes in one piece: then writing waits for
 * nothing once poll() has said yes, and lines of several writers stay whole. */
static size_t piece(pbay_str s)
{
    const char *end;

    if (s.n <= PIPE_BUF)
        return s.n;
    end = memrchr(s.p, '\n', PIPE_BUF);
    return end ? (size_t)(end + 1 - s.p) : PIPE_BUF;
}

/* False: some of it is lost. */
static bool write_out(int fd, bool plain_file, pbay_str s)
{
    while (s.n) {
        size_t len = plain_file ? s.n : piece(s);
        ssize_t n;

        if (!plain_file && !wait_writable(fd))
            break;
        n = write(fd, s.p, len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            break;
        s.p += n;
        s.n -= (size_t)n;
    }
    if (s.n)
        atomic_fetch_add(&dropped, count_lines(s));
    return s.n == 0;
}

/* What was lost since the last report came behind all that was queued by now,
 * and before what will be: so the report is queued just after the queue was
 * taken. */
static void report_dropped(void)
{
    uint64_t now = log_dropped();

    if (now == writer.told)
        return;
    log_line(LOG_ERROR, "log", "lines were lost: their reader is too slow",
             log_int("lines", (int64_t)(now - writer.told)), LOG_END);
    writer.told = now;
}

static void *writer_main(void *arg)
{
    bool heard = true; /* the last piece got out: reporting makes sense */
    struct buf mine;

    (void)arg;
    buf_init(&mine, LIM_LOG_QUEUE);
    pthread_mutex_lock(&writer.lock);
    for (;;) {
        struct buf full = writer.queue;

        if (!full.n && atomic_load(&stop_at))
            break;
        if (!full.n) {
            pthread_cond_wait(&writer.filled, &writer.lock);
            continue;
        }
        writer.queue = mine;
        mine = full;
        pthread_mutex_unlock(&writer.lock);
        if (heard)
            report_dropped();
        heard = write_out(writer.fd, writer.plain_file, buf_str(&mine));
        buf_reset(&mine, QUEUE_KEEP);
        pthread_mutex_lock(&writer.lock);
    }
    pthread_mutex_unlock(&writer.lock);
    buf_done(&mine);
    return NULL;
}

int log_start(int fd)
{
    struct stat st;
    int rc = -EBUSY;

    if (fstat(fd, &st) < 0)
        return -errno;
    pthread_mutex_lock(&writer.lock);
    if (!writer.running) {
        buf_init(&writer.queue, LIM_LOG_QUEUE);
        writer.fd = fd;
        writer.plain_file = S_ISREG(st.st_mode);
        writer.told = log_dropped();
        atomic_store(&stop_at, 0);
        rc = thread_start(&writer.thread, "log", writer_main, NULL);
        writer.running = rc == 0;
    }
    pthread_mutex_unlock(&writer.lock);
    return rc;
}

void log_stop(void)
{
    pthread_mutex_lock(&writer.lock);
    if (!writer.running) {
        pthread_mutex_unlock(&writer.lock);
        return;
    }
    atomic_store(&stop_at, clock_us() + STOP_US);
    pthread_cond_signal(&writer.filled);
    pthread_mutex_unlock(&writer.lock);
    pthread_join(writer.thread, NULL);

    pthread_mutex_lock(&writer.lock);
    writer.running = false;
    /* What came after the thread's last look. */
    if (writer.queue.n)
        write_out(writer.fd, writer.plain_file, buf_str(&writer.queue));
    buf_done(&writer.queue);
    pthread_mutex_unlock(&writer.lock);
}

static void write_now(pbay_str line)
{
    while (line.n) {
        ssize_t n = write(STDERR_FILENO, line.p, line.n);

        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

            poll(&p, 1, 100);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            atomic_fetch_add(&dropped, 1);
            return;
        }
        line.p += n;
        line.n -= (size_t)n;
    }
}

/* The last line's worth of the queue is kept for the writer's own report, of
 * which there is at most one in it. */
static bool fits(pbay_str line)
{
    if (pthread_equal(pthread_self(), writer.thread))
        return true;
    return writer.queue.n + line.n <= LIM_LOG_QUEUE - LIM_LOG_LINE;
}

void log_writer_put(pbay_str line)
{
    pthread_mutex_lock(&writer.lock);
    if (!writer.running) {
        write_now(line);
    } else {
        bool first = writer.queue.n == 0;

        if (!fits(line) || buf_add(&writer.queue, line) < 0)
            atomic_fetch_add(&dropped, 1);
        else if (first)
            pthread_cond_signal(&writer.filled);
    }
    pthread_mutex_unlock(&writer.lock);
}
