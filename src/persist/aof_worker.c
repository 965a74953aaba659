// SPDX-License-Identifier: BSD-3-Clause
// A thread that does for the append-only file what may block: see aof_worker.h.
#include "persist/aof_worker.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/panic.h"
#include "net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

// One write takes at most this: the kernel's own limit is 2 GiB, and a short one tells of trouble early.
#define WRITE_MAX ((size_t)64 << 20)

const struct aof_calls aof_system_calls = {
    .write = write,
    .sync = fdatasync,
    .truncate = ftruncate,
};

enum state { IDLE, WORKING, DONE, ENDING };

struct aof_worker {
    const struct aof_calls *calls;
    struct loop_async *bell;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum state state;  // guarded by the lock, as what follows
    struct aof_job job;
    struct aof_done done;
    bool busy;  // the loop's own view
};

void aof_write_all(const struct aof_calls *calls, int fd, struct slice bytes, struct aof_done *done)
{
    while (bytes.len > 0) {
        ssize_t got = calls->write(fd, bytes.ptr, bytes.len < WRITE_MAX ? bytes.len : WRITE_MAX);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            done->write_error = got < 0 ? errno : ENOSPC;
            return;
        }
        done->written += (size_t)got;
        bytes.ptr += got;
        bytes.len -= (size_t)got;
    }
}

static int sync_file(const struct aof_calls *calls, int fd)
{
    int result;
    do {
        result = calls->sync(fd);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

static void do_job(const struct aof_calls *calls, const struct aof_job *job, struct aof_done *done)
{
    uint64_t began_us = clock_mono_us_now();
    if (job->retired >= 0) {
        done->sync_error = sync_file(calls, job->retired);
        close(job->retired);
    }
    if (!done->sync_error)
        aof_write_all(calls, job->fd, job->bytes, done);
    if (!done->write_error && !done->sync_error && job->sync)
        done->sync_error = sync_file(calls, job->fd);
    done->us = clock_mono_us_now() - began_us;
    if (job->unlinked)
        unlink(job->unlinked);
}

static void *work(void *udata)
{
    struct aof_worker *worker = udata;
    mem_thread_init();
    pthread_mutex_lock(&worker->lock);
    while (worker->state != ENDING) {
        if (worker->state != WORKING) {
            pthread_cond_wait(&worker->changed, &worker->lock);
            continue;
        }
        struct aof_job job = worker->job;
        struct aof_done done = { 0 };
        pthread_mutex_unlock(&worker->lock);
        do_job(worker->calls, &job, &done);
        pthread_mutex_lock(&worker->lock);
        worker->done = done;
        worker->state = DONE;
        pthread_cond_broadcast(&worker->changed);
        loop_async_ring(worker->bell);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

// Signals are the main thread's.
static int start_thread(struct aof_worker *worker)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&worker->thread, NULL, work, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static void release(struct aof_worker *worker)
{
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    mem_free(worker, sizeof(*worker));
}

struct aof_worker *aof_worker_new(const struct aof_calls *calls, struct loop_async *bell)
{
    struct aof_worker *worker = mem_alloc_zeroed(sizeof(*worker));
    worker->calls = calls;
    worker->bell = bell;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, NULL);
    int error = start_thread(worker);
    if (!error)
        return worker;
    release(worker);
    errno = error;
    return NULL;
}

void aof_worker_free(struct aof_worker *worker)
{
    struct aof_done ignored;
    if (!worker)
        return;
    (void)aof_worker_take(worker, true, &ignored);
    pthread_mutex_lock(&worker->lock);
    worker->state = ENDING;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    release(worker);
}

void aof_worker_begin(struct aof_worker *worker, const struct aof_job *job)
{
    ASSERT(!worker->busy);
    worker->busy = true;
    pthread_mutex_lock(&worker->lock);
    worker->job = *job;
    worker->state = WORKING;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

bool aof_worker_busy(const struct aof_worker *worker)
{
    return worker->busy;
}

bool aof_worker_take(struct aof_worker *worker, bool wait, struct aof_done *done)
{
    if (!worker->busy)
        return false;
    pthread_mutex_lock(&worker->lock);
    while (wait && worker->state != DONE)
        pthread_cond_wait(&worker->changed, &worker->lock);
    bool is_done = worker->state == DONE;
    if (is_done) {
        *done = worker->done;
        worker->state = IDLE;
        worker->busy = false;
        char *path = worker->job.unlinked;
        if (path)
            mem_free(path, strlen(path) + 1);
    }
    pthread_mutex_unlock(&worker->lock);
    return is_done;
}
