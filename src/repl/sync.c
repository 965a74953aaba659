// SPDX-License-Identifier: BSD-3-Clause
// Whole data sets for replicas: who gets one when, and what becomes of them (sync_child.c sends it).
//
// Replicas that wait are served together, as far as they want the same form: the oldest one says which. A replica that
// arrives while a child is at work waits for the next one. From the fork on, the stream is queued in
// the parent and the sockets are the child's: nothing else is written to them.
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/alarm.h"
#include "persist/loading.h"
#include "persist/snapshot.h"
#include "repl/replicas_internal.h"
#include "repl/sync_child.h"
#include "server/client.h"
#include "server/effects.h"

#include <errno.h>
#include <string.h>

// While something else stands in the way.
#define RETRY_MS 50

// So long at most until it is looked again whose turn it is.
#define LOOK_MS 1000

// So often it is looked what replicas have taken, and every so many times the log hears of it.
#define PROGRESS_MS   250
#define PROGRESS_LINE 20

struct waiter {
    struct replica *replica;
    uint64_t since_us;
};

struct receiver {
    struct replica *replica;  // NULL: it has gone
    uint64_t sent_bytes;      // when that was looked at last
};

struct sync {
    struct repl *repl;
    struct alarm due;
    struct waiter *waiters;  // the oldest first
    size_t count;
    size_t cap;
    // What is under way.
    struct sync_job job;
    struct receiver *receivers;  // job.count of them
    size_t alive;                // of these
    uint64_t began_us;
    struct alarm progress;
    unsigned looks;
};

// --- Who waits ----------------------------------------------------------------------------------

static enum sync_form form_of(const struct sync *sync, const struct replica *replica)
{
    if (replica->without_data)
        return SYNC_EMPTY;
    bool streams = sync->repl->config.diskless_sync && replica->capabilities & CAPABLE_EOF;
    return streams ? SYNC_STREAM : SYNC_FILE;
}

// Until the oldest one's turn comes.
static int64_t delay_ms(const struct sync *sync)
{
    const struct repl_config *config = &sync->repl->config;
    const struct waiter *oldest = &sync->waiters[0];
    bool enough = config->diskless_sync_max_replicas > 0 &&
                  sync->count >= (size_t)config->diskless_sync_max_replicas;
    if (enough || form_of(sync, oldest->replica) == SYNC_FILE)
        return 0;
    int64_t waited_ms = (int64_t)(clock_mono_us_now() - oldest->since_us) / 1000;
    int64_t left_ms = config->diskless_sync_delay_s * 1000 - waited_ms;
    return left_ms > 0 ? left_ms : 0;
}

static void plan(struct sync *sync)
{
    alarm_clear(&sync->due);
    if (sync->count == 0)
        return;
    // Directives may change.
    int64_t left_ms = delay_ms(sync);
    alarm_set(&sync->due, left_ms < LOOK_MS ? left_ms : LOOK_MS);
}

static void forget_waiter(struct sync *sync, size_t i)
{
    sync->count--;
    memmove(&sync->waiters[i], &sync->waiters[i + 1], (sync->count - i) * sizeof(*sync->waiters));
}

// --- The end ------------------------------------------------------------------------------------

static void serve(struct replica *replica, enum sync_form form)
{
    char name[REPLICA_NAME_MAX];
    replica_name(replica, name);
    if (!replica->rdb_only && form != SYNC_FILE)
        log_notice("Streamed RDB transfer with replica %s succeeded (socket). Waiting for REPLCONF "
                   "ACK from replica to enable streaming",
                   name);
    replica_received(replica);
}

static void refuse(struct replica *replica)
{
    char name[REPLICA_NAME_MAX];
    replica_name(replica, name);
    log_warning("Replica %s has not got all of the data set and is disconnected", name);
    client_close(replica->client);
}

static void end_transfer(struct sync *sync)
{
    alarm_clear(&sync->progress);
    mem_free(sync->receivers, sync->job.cap * sizeof(*sync->receivers));
    sync->receivers = NULL;
    sync->alive = 0;
    sync_job_release(&sync->job);
}

static void on_child_end(void *udata, int status)
{
    struct sync *sync = udata;
    if (status != 0 && sync->alive)
        log_warning("SYNC failed. BGSAVE child returned an error");
    for (size_t i = 0; i < sync->job.count; i++) {
        struct replica *replica = sync->receivers[i].replica;
        if (replica && sync->job.outcomes[i].served)
            serve(replica, sync->job.form);
        else if (replica)
            refuse(replica);
    }
    end_transfer(sync);
    plan(sync);
}

// What all of them have been sent. Those that go on taking are worth waiting for (replicas.c).
static uint64_t note_taken(struct sync *sync)
{
    uint64_t all_bytes = 0;
    for (size_t i = 0; i < sync->job.count; i++) {
        struct receiver *receiver = &sync->receivers[i];
        uint64_t sent_bytes = sync->job.outcomes[i].sent_bytes;
        if (receiver->replica && sent_bytes != receiver->sent_bytes)
            receiver->replica->took_ms = replicas_now_ms();
        receiver->sent_bytes = sent_bytes;
        all_bytes += sent_bytes;
    }
    return all_bytes;
}

static void follow_progress(void *udata)
{
    struct sync *sync = udata;
    const struct child *child = sync->repl->server->child;
    uint64_t sent_bytes = note_taken(sync);
    alarm_set(&sync->progress, PROGRESS_MS);
    if (++sync->looks % PROGRESS_LINE != 0)
        return;
    log_notice("Full sync of %zu replicas for %llu s: %llu of %llu keys, %llu MB sent in all",
               sync->alive, (unsigned long long)((clock_mono_us_now() - sync->began_us) / 1000000),
               (unsigned long long)child->report.keys, (unsigned long long)child->total_keys,
               (unsigned long long)(sent_bytes >> 20));
}

// --- The beginning ------------------------------------------------------------------------------

// Takes those that are to be served together from the waiting ones.
static void take_group(struct sync *sync, enum sync_form form)
{
    for (size_t i = 0; i < sync->count;) {
        struct replica *replica = sync->waiters[i].replica;
        if (form_of(sync, replica) != form) {
            i++;
            continue;
        }
        forget_waiter(sync, i);
        if (replica->client->flags & CLIENT_CLOSING)
            continue;
        if (!replica_begin_receiving(replica)) {
            client_close(replica->client);
            continue;
        }
        sync->job.fds[sync->job.count] = replica->client->conn.fd;
        sync->receivers[sync->job.count++].replica = replica;
    }
    sync->alive = sync->job.count;
}

static size_t group_size(const struct sync *sync, enum sync_form form)
{
    size_t size = 0;
    for (size_t i = 0; i < sync->count; i++)
        size += form_of(sync, sync->waiters[i].replica) == form;
    return size;
}

static int run_job(void *udata, struct child_voice *voice)
{
    const struct sync *sync = udata;
    return sync_job_run(&sync->job, voice);
}

static void fork_child(struct sync *sync)
{
    struct snapshot *snapshot = sync->repl->server->snapshot;
    bool saves = sync->job.form == SYNC_FILE;
    const struct snapshot_guest guest = {
        .job = { .name = "respite-sync",
                 .run = run_job,
                 .on_end = on_child_end,
                 .udata = sync,
                 .fds = sync->job.fds,
                 .fd_count = sync->job.count },
        .saves = saves,
    };
    log_notice("Starting BGSAVE for SYNC with target: %s", saves ? "disk" : "replicas sockets");
    sync->began_us = clock_mono_us_now();
    sync->looks = 0;
    if (snapshot_begin_guest(snapshot, &guest) == STATUS_OK) {
        alarm_set(&sync->progress, PROGRESS_MS);
        return;
    }
    log_warning("BGSAVE for replication failed");
    on_child_end(sync, 0);
}

static void begin(struct sync *sync)
{
    const struct repl *repl = sync->repl;
    enum sync_form form = form_of(sync, sync->waiters[0].replica);
    if (sync_job_init(&sync->job, repl, form, group_size(sync, form)) != STATUS_OK) {
        log_warning("Can't begin a full sync: %s", strerror(errno));
        alarm_set(&sync->due, LOOK_MS);
        return;
    }
    sync->receivers = mem_alloc_zeroed(sync->job.cap * sizeof(*sync->receivers));
    take_group(sync, form);
    if (sync->alive)
        fork_child(sync);
    else
        on_child_end(sync, 0);
}

// From the loop, between commands.
static void on_due(void *udata)
{
    struct sync *sync = udata;
    const struct server *server = sync->repl->server;
    // When that ends, the next one is planned.
    if (sync->receivers || sync->count == 0)
        return;
    if (delay_ms(sync) > 0)
        plan(sync);
    else if (server->child || loading_on(server->loading) || effects_in_group(server->effects))
        alarm_set(&sync->due, RETRY_MS);
    else
        begin(sync);
}

// --- Replicas come and go -----------------------------------------------------------------------

void sync_add(struct sync *sync, struct replica *replica)
{
    if (sync->count == sync->cap) {
        size_t cap = sync->cap ? sync->cap * 2 : 4;
        sync->waiters = mem_realloc(sync->waiters, sync->cap * sizeof(*sync->waiters),
                                    cap * sizeof(*sync->waiters));
        sync->cap = cap;
    }
    sync->waiters[sync->count++] = (struct waiter){ replica, clock_mono_us_now() };
    if (sync->receivers && sync->job.form == SYNC_FILE)
        log_notice("Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for "
                   "SYNC");
    else if (sync->receivers)
        log_notice("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC");
    else if (sync->repl->server->child)
        log_notice("Another child is at work. BGSAVE for SYNC is delayed until it has ended");
    else if (delay_ms(sync) > 0)
        log_notice("Delay next BGSAVE for diskless SYNC");
    plan(sync);
}

// Its socket is the child's, too: shut down, the child sees that it has gone.
static void drop_receiver(struct sync *sync, size_t i)
{
    struct snapshot *snapshot = sync->repl->server->snapshot;
    conn_shut_down(&sync->receivers[i].replica->client->conn);
    sync->receivers[i].replica = NULL;
    if (--sync->alive > 0)
        return;
    snapshot_drop_guest(snapshot, false);
    if (snapshot_running(snapshot))
        return;
    log_warning("Full sync: last replica dropped, killed fork child.");
    end_transfer(sync);
    plan(sync);
}

void sync_remove(struct sync *sync, const struct replica *replica)
{
    for (size_t i = 0; i < sync->count; i++) {
        if (sync->waiters[i].replica == replica) {
            forget_waiter(sync, i);
            plan(sync);
            return;
        }
    }
    for (size_t i = 0; i < sync->job.count; i++) {
        if (sync->receivers[i].replica == replica) {
            drop_receiver(sync, i);
            return;
        }
    }
}

// --- Making -------------------------------------------------------------------------------------

struct sync *sync_new(struct repl *repl)
{
    struct sync *sync = mem_alloc_zeroed(sizeof(*sync));
    sync->repl = repl;
    alarm_init(&sync->due, repl->server->loop, on_due, sync);
    alarm_init(&sync->progress, repl->server->loop, follow_progress, sync);
    return sync;
}

void sync_free(struct sync *sync)
{
    alarm_clear(&sync->due);
    if (sync->receivers) {
        snapshot_drop_guest(sync->repl->server->snapshot, true);
        end_transfer(sync);
    }
    mem_free(sync->waiters, sync->cap * sizeof(*sync->waiters));
    mem_free(sync, sizeof(*sync));
}
