// SPDX-License-Identifier: BSD-3-Clause
// The child that sends a data set to replicas: see sync_child.h.
#include "repl/sync_child.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "persist/child.h"
#include "persist/rdb_save.h"
#include "persist/snapshot.h"
#include "repl/repl_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_BYTES 40

// A replica that hears nothing for long while the file is written would hang up.
#define BEAT_US 1000000

#define WAIT_MAX_US 10000000

// What one socket is given of a file before the next one has its turn.
#define FILE_STEP ((size_t)1 << 20)

// --- The job ------------------------------------------------------------------------------------

enum status sync_job_init(struct sync_job *job, const struct repl *repl, enum sync_form form,
                          size_t cap)
{
    void *shared = mmap(NULL, cap * sizeof(*job->outcomes), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return STATUS_IO;
    *job = (struct sync_job){
        .repl = repl,
        .form = form,
        .cap = cap,
        .fds = mem_alloc(cap * sizeof(*job->fds)),
        .outcomes = shared,
    };
    return STATUS_OK;
}

void sync_job_release(struct sync_job *job)
{
    if (job->cap) {
        munmap(job->outcomes, job->cap * sizeof(*job->outcomes));
        mem_free(job->fds, job->cap * sizeof(*job->fds));
    }
    *job = (struct sync_job){ 0 };
}

// --- Sending ------------------------------------------------------------------------------------

// A piece of what is sent: bytes in memory, or a file.
struct piece {
    const char *bytes;  // NULL: of `fd`
    int fd;
    uint64_t len;
};

struct target {
    int fd;             // -1: given up
    uint64_t at;        // in the piece at hand
    uint64_t moved_us;  // when its socket took something, or was asked to for the first time
};

struct sender {
    const struct sync_job *job;
    uint64_t timeout_us;
    size_t alive;
    struct target *targets;
    struct pollfd *waits;
};

static void give_up(struct sender *sender, struct target *target, const char *why)
{
    log_warning("Giving up a replica that is sent a data set, after %llu bytes: %s",
                (unsigned long long)sender->job->outcomes[target - sender->targets].sent_bytes,
                why);
    target->fd = -1;
    sender->alive--;
}

static ssize_t send_once(const struct target *target, const struct piece *piece)
{
    uint64_t left = piece->len - target->at;
    if (piece->bytes)
        return send(target->fd, piece->bytes + target->at, left, MSG_NOSIGNAL);
    off_t at = (off_t)target->at;
    ssize_t sent = sendfile(target->fd, piece->fd, &at, left < FILE_STEP ? left : FILE_STEP);
    if (sent != 0)
        return sent;
    // The file is shorter than it was.
    errno = EIO;
    return -1;
}

// One step, as far as the socket takes it.
static void push(struct sender *sender, struct target *target, const struct piece *piece)
{
    ssize_t sent = send_once(target, piece);
    if (sent > 0) {
        target->at += (uint64_t)sent;
        target->moved_us = clock_mono_us_now();
        sender->job->outcomes[target - sender->targets].sent_bytes += (uint64_t)sent;
    } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        give_up(sender, target, strerror(errno));
    }
}

// Pushes what has not been sent, and returns how many targets it waits for.
static size_t push_all(struct sender *sender, const struct piece *piece)
{
    size_t waiting = 0;
    for (size_t i = 0; i < sender->job->count; i++) {
        struct target *target = &sender->targets[i];
        if (target->fd >= 0 && target->at < piece->len)
            push(sender, target, piece);
        if (target->fd >= 0 && target->at < piece->len)
            sender->waits[waiting++] = (struct pollfd){ .fd = target->fd, .events = POLLOUT };
    }
    return waiting;
}

// Gives up those that have taken nothing for too long; returns in how many us there may be the next one.
static uint64_t give_up_stalled(struct sender *sender, const struct piece *piece)
{
    uint64_t now_us = clock_mono_us_now();
    uint64_t next_us = now_us + WAIT_MAX_US;
    for (size_t i = 0; i < sender->job->count; i++) {
        struct target *target = &sender->targets[i];
        if (target->fd < 0 || target->at == piece->len)
            continue;
        uint64_t end_us = target->moved_us + sender->timeout_us;
        if (end_us <= now_us)
            give_up(sender, target, "it has taken nothing for repl-timeout");
        if (end_us < next_us)
            next_us = end_us > now_us ? end_us : now_us;
    }
    return next_us - now_us;
}

// Until all have it that have not been given up. False: nobody is left.
static bool send_piece(struct sender *sender, const struct piece *piece)
{
    size_t waiting;
    uint64_t now_us = clock_mono_us_now();
    for (size_t i = 0; i < sender->job->count; i++) {
        sender->targets[i].at = 0;
        sender->targets[i].moved_us = now_us;
    }
    while ((waiting = push_all(sender, piece)) > 0) {
        uint64_t wait_us = give_up_stalled(sender, piece);
        (void)poll(sender->waits, (nfds_t)waiting, (int)(wait_us / 1000) + 1);
    }
    return sender->alive > 0;
}

static bool send_bytes(struct sender *sender, struct slice bytes)
{
    const struct piece piece = { .bytes = bytes.ptr, .len = bytes.len };
    return send_piece(sender, &piece);
}

static void begin_sending(struct sender *sender, const struct sync_job *job)
{
    // sendfile() has no MSG_NOSIGNAL.
    signal(SIGPIPE, SIG_IGN);
    *sender = (struct sender){
        .job = job,
        .timeout_us = (uint64_t)job->repl->config.timeout_s * 1000000,
        .alive = job->count,
        .targets = mem_alloc(job->count * sizeof(*sender->targets)),
        .waits = mem_alloc(job->count * sizeof(*sender->waits)),
    };
    for (size_t i = 0; i < job->count; i++)
        sender->targets[i] = (struct target){ .fd = job->fds[i] };
}

// The child ends soon, and all of its memory with it.
static void note_served(const struct sender *sender)
{
    for (size_t i = 0; i < sender->job->count; i++)
        sender->job->outcomes[i].served = sender->targets[i].fd >= 0;
}

// --- What is sent -------------------------------------------------------------------------------

static enum status send_encoded(void *udata, struct slice bytes)
{
    if (send_bytes(udata, bytes))
        return STATUS_OK;
    errno = ECONNABORTED;
    return STATUS_IO;
}

static void describe(const struct sync_job *job, struct rdb_about *about)
{
    snapshot_style(job->repl->server->snapshot, about);
    repl_describe(job->repl, about);
}

// Encoded straight into the sockets: neither compressed nor summed up, which TCP does.
static int stream(const struct sync_job *job, struct child_voice *voice, struct sender *sender)
{
    char mark[MARK_BYTES + 1];
    char head[MARK_BYTES + 16];
    const struct server *server = job->repl->server;
    struct rdb_about about;
    struct rdb_progress progress;
    struct rdb_writer w;
    describe(job, &about);
    snapshot_progress(server->snapshot, voice, &progress);
    random_hex(mark, MARK_BYTES);
    int len = snprintf(head, sizeof(head), "$EOF:%s\r\n", mark);
    rdb_writer_init(&w, send_encoded, sender, false, false);
    rdb_write_raw(&w, head, (size_t)len);
    if (job->form == SYNC_EMPTY) {
        rdb_save_header(&w, &about);
        rdb_save_end(&w);
    } else {
        rdb_save_keyspace(&w, server->keyspace, &about, &progress);
    }
    rdb_write_raw(&w, mark, MARK_BYTES);
    return rdb_writer_flush(&w) == STATUS_OK ? 0 : w.error;
}

static int send_file(struct sender *sender, const char *path)
{
    char head[32];
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0)
        return errno;
    const struct piece piece = { .fd = fd, .len = (uint64_t)info.st_size };
    int len = snprintf(head, sizeof(head), "$%llu\r\n", (unsigned long long)piece.len);
    // Whether anybody is left to get it is no question of the file.
    if (send_bytes(sender, (struct slice){ .ptr = head, .len = (size_t)len }))
        (void)send_piece(sender, &piece);
    return 0;
}

// How the writing of a file goes on, for the parent and for the replicas.
struct beat {
    struct sender *sender;
    struct rdb_progress told;
    uint64_t last_us;
};

static void beat(void *udata, uint64_t keys)
{
    struct beat *beat = udata;
    uint64_t now_us = clock_mono_us_now();
    beat->told.fn(beat->told.udata, keys);
    if (now_us - beat->last_us < BEAT_US)
        return;
    beat->last_us = now_us;
    // Whoever has no room for it will not miss it, and who is broken is found out later.
    for (size_t i = 0; i < beat->sender->job->count; i++)
        (void)send(beat->sender->targets[i].fd, "\n", 1, MSG_NOSIGNAL);
}

static int save_and_send(const struct sync_job *job, struct child_voice *voice,
                         struct sender *sender)
{
    const struct snapshot *snapshot = job->repl->server->snapshot;
    struct rdb_about about;
    struct beat beating = { .sender = sender, .last_us = clock_mono_us_now() };
    describe(job, &about);
    snapshot_progress(snapshot, voice, &beating.told);
    const struct rdb_progress progress = { .every_keys = beating.told.every_keys,
                                           .fn = beat,
                                           .udata = &beating };
    if (snapshot_write(snapshot, &about, &progress) != STATUS_OK)
        return errno ? errno : EIO;
    return send_file(sender, snapshot_file_name(snapshot));
}

int sync_job_run(const struct sync_job *job, struct child_voice *voice)
{
    struct sender sender;
    begin_sending(&sender, job);
    int error = job->form == SYNC_FILE ? save_and_send(job, voice, &sender)
                                       : stream(job, voice, &sender);
    if (error == 0)
        note_served(&sender);
    return error;
}
