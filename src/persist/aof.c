// SPDX-License-Identifier: BSD-3-Clause
// The append-only file: see aof.h. Here: on and off, and what happens in a turn of the loop.
//
// The effects of a turn are handed to the log before any reply of the turn is sent. With `always` the
// replies of those who wrote wait in their clients (server/client.h) until server->durable_offset has passed
// their writes.
#include "persist/aof_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/loop.h"
#include "persist/history.h"
#include "persist/loading.h"
#include "persist/snapshot.h"
#include "server/batch.h"
#include "server/block.h"
#include "server/client.h"
#include "server/config.h"
#include "server/cron.h"
#include "server/ctx.h"
#include "server/effects.h"
#include "server/process.h"
#include "server/registry.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// While a sync waits for writers the loop wakes so often.
#define ALARM_MS 1

// When waiting for writers has been in vain, up to so many syncs begin without.
#define GROUP_PAUSE_MAX 64

// --- Effects ------------------------------------------------------------------------------------

static void stamp(struct aof *aof)
{
    char text[32];
    int64_t now_s = clock_wall_ms() / 1000;
    if (now_s <= aof->stamped_s)
        return;
    aof->stamped_s = now_s;
    int len = snprintf(text, sizeof(text), "#TS:%lld\r\n", (long long)now_s);
    aof_log_append(aof->log, (struct slice){ .ptr = text, .len = (size_t)len });
}

static void on_effect(void *udata, struct slice resp)
{
    struct aof *aof = udata;
    if (aof->config.timestamps)
        stamp(aof);
    aof_log_append(aof->log, resp);
}

void aof_listen(struct aof *aof, bool on)
{
    if (aof->is_sink == on)
        return;
    aof->is_sink = on;
    if (on)
        effects_add_sink(aof->server->effects, on_effect, aof);
    else
        effects_remove_sink(aof->server->effects, on_effect, aof);
}

// --- Gates --------------------------------------------------------------------------------------

static int error_of(const struct aof *aof)
{
    if (!aof->log)
        return 0;
    int error = aof_log_write_error(aof->log);
    return error ? error : aof->lost_error;
}

static bool is_refused(const struct command *row)
{
    return row->flags & CMD_WRITE || strcmp(row->name, "ping") == 0;
}

static bool refuse(struct cmd_ctx *ctx)
{
    const struct aof *aof = ctx->server->aof;
    reply_errorf(ctx, "MISCONF Errors writing to the AOF file: %s", strerror(error_of(aof)));
    return true;
}

static bool is_write(const struct command *row)
{
    return row->flags & CMD_WRITE;
}

static void note_behind(struct aof *aof, bool behind)
{
    if (behind && !aof->is_behind) {
        aof->delayed++;
        log_notice("Asynchronous AOF fsync is taking too long (disk is busy?). Writes wait for it");
    }
    aof->is_behind = behind;
}

static void hold_writes(struct aof *aof, bool hold)
{
    struct server *server = aof->server;
    if (!(server->holds & aof->busy_gate) == !hold)
        return;
    server->holds ^= aof->busy_gate;
    if (!hold)
        batch_resume_held(server->batch);
}

static void refuse_writes(struct aof *aof, bool shut)
{
    aof->server->gates &= ~aof->misconf_gate;
    aof->server->gates |= shut ? aof->misconf_gate : 0;
}

// --- The turn -----------------------------------------------------------------------------------

static void set_durable(struct aof *aof, uint64_t offset)
{
    struct clients *clients = aof->server->clients;
    if (aof->server->durable_offset == offset)
        return;
    aof->server->durable_offset = offset;
    size_t before = clients->parked_count;
    clients_made_durable(clients);
    aof->group.waiting = clients->parked_count;
    aof->group.freed = before - clients->parked_count;
}

static bool expects_more(const struct aof *aof)
{
    const struct aof_group *group = &aof->group;
    return group->skip == 0 && aof->server->clients->parked_count < group->waiting + group->freed;
}

// The next sync has begun: did those come back whom the last one has freed?
static void note_group(struct aof *aof)
{
    struct aof_group *group = &aof->group;
    size_t parked = aof->server->clients->parked_count;
    size_t back = parked > group->waiting ? parked - group->waiting : 0;
    if (group->freed == 0)
        return;
    if (group->skip > 0) {
        group->skip--;
    } else if (back >= group->freed - group->freed / 4) {
        group->pause = 0;
    } else {
        group->pause = group->pause ? group->pause * 2 : 1;
        group->pause = group->pause < GROUP_PAUSE_MAX ? group->pause : GROUP_PAUSE_MAX;
        group->skip = group->pause;
    }
    group->freed = 0;
}

// Before the first base is there, and while the files lack something, what is written is not what would be read.
static bool is_read_at_start(const struct aof *aof)
{
    return aof->state == AOF_ON && !aof->needs_base;
}

bool aof_is_synced(const struct aof *aof, uint64_t offset)
{
    return is_read_at_start(aof) && offset <= aof_log_durable_mark(aof->log);
}

void aof_wait(struct cmd_ctx *ctx, int64_t timeout_ms)
{
    (void)block_in_queue(ctx, &ctx->server->aof->waiters, timeout_ms);
}

static void tell_waiters(struct aof *aof)
{
    uint64_t reached = is_read_at_start(aof) ? 1 + aof_log_durable_mark(aof->log) : 0;
    if (reached == aof->waiters_told)
        return;
    aof->waiters_told = reached;
    blocks_retry(&aof->waiters);
}

void aof_settle(struct aof *aof)
{
    if (!aof->log)
        return;
    int lost = aof_log_lost(aof->log);
    if (lost && !aof->needs_base) {
        aof->needs_base = true;
        aof->lost_error = lost;
        log_warning("The AOF has to be written anew before writes are accepted again");
    }
    refuse_writes(aof, error_of(aof) != 0);
    note_behind(aof, aof_log_is_behind(aof->log));
    // A rewrite that is to begin waits until what is there is on the disk.
    hold_writes(aof, aof->is_behind || aof->rewriting.starting);
    if (aof->state != AOF_ON)
        set_durable(aof, UINT64_MAX);
    else if (!aof->needs_base)
        set_durable(aof, aof_log_reply_mark(aof->log));
    tell_waiters(aof);
}

// Wakes the loop; its turn does the rest.
static void on_alarm(void *udata)
{
    (void)udata;
}

static void set_alarm(struct aof *aof, bool on)
{
    if (on == aof->alarm_is_set)
        return;
    aof->alarm_is_set = on;
    loop_timer_set_period(aof->server->loop, aof->alarm, on ? ALARM_MS : 0);
}

static void on_turn(void *udata)
{
    struct aof *aof = udata;
    aof_rewrite_turn(aof);
    if (aof->state == AOF_OFF)
        return;
    aof_log_want_sync(aof->log, !list_empty(&aof->waiters));
    // Who is set free comes back before the next sync begins.
    aof_log_collect(aof->log);
    aof_settle(aof);
    aof_log_turn(aof->log, effects_offset(aof->server->effects), expects_more(aof));
    if (aof_log_syncing(aof->log))
        note_group(aof);
    set_alarm(aof, aof_log_is_gathering(aof->log));
    aof_settle(aof);
}

static void on_cron(void *udata)
{
    aof_rewrite_cron(udata);
}

// --- On and off ---------------------------------------------------------------------------------

void aof_apply_fsync(struct aof *aof)
{
    if (!aof->log)
        return;
    aof_log_set_fsync(aof->log, (enum aof_fsync)aof->config.fsync);
    aof_log_suspend_sync(aof->log,
                         aof->config.no_sync_on_rewrite && child_running(&aof->rewriting.child));
}

enum status aof_open_log(struct aof *aof)
{
    aof->log = aof_log_new(aof->server->loop, aof->calls);
    if (!aof->log) {
        log_warning("Can't start the threads of the append-only file: %s", strerror(errno));
        return STATUS_IO;
    }
    aof_apply_fsync(aof);
    return STATUS_OK;
}

static void close_log(struct aof *aof)
{
    aof_listen(aof, false);
    aof_log_free(aof->log);
    aof->log = NULL;
    aof->state = AOF_OFF;
    aof->needs_base = false;
    aof->lost_error = 0;
    refuse_writes(aof, false);
    note_behind(aof, false);
    hold_writes(aof, false);
    set_durable(aof, UINT64_MAX);
    set_alarm(aof, false);
}

bool aof_turn_on(struct aof *aof, struct config_error *error)
{
    static const char text[] = "Unable to turn on AOF. Check server logs.";
    aof_rewrite_abort(aof);
    enum status status = aof_make_folder(aof) == STATUS_OK ? aof_read_manifest(aof) : STATUS_IO;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return config_refuse(error, text);
    if (aof_open_log(aof) != STATUS_OK)
        return config_refuse(error, text);
    aof->state = AOF_FIRST;
    aof->stamped_s = 0;
    status = aof_rewrite(aof);
    if (status == STATUS_OK || status == STATUS_AGAIN)
        return true;
    close_log(aof);
    return config_refuse(error, text);
}

// What was acknowledged so far was acknowledged with a promise, and what is owed may not be acknowledged.
static void finish_promises(struct aof *aof)
{
    if (aof_log_finish(aof->log, effects_offset(aof->server->effects)) == STATUS_OK)
        return;
    size_t dropped = clients_drop_parked(aof->server->clients);
    log_warning(
        "The last writes of the AOF did not reach the disk before it was left. Clients whose "
        "replies waited for that are disconnected: %zu",
        dropped);
}

void aof_turn_off(struct aof *aof)
{
    aof_rewrite_abort(aof);
    finish_promises(aof);
    close_log(aof);
    blocks_retry(&aof->waiters);
}

void aof_begin_anew(struct aof *aof)
{
    aof_rewrite_abort(aof);
    if (aof->state == AOF_OFF)
        return;
    if (aof->state == AOF_ON)
        finish_promises(aof);
    aof_listen(aof, false);
    aof_log_close(aof->log);
    aof->state = AOF_FIRST;
    aof->needs_base = false;
    aof->lost_error = 0;
    aof->rewriting.failures = 0;
    aof->rewriting.retry_s = 0;
    aof->rewriting.wanted = true;
    aof_settle(aof);
    log_notice("The append-only file is written anew, with the data that has come");
}

enum status aof_start(struct aof *aof)
{
    if (!aof->config.enabled)
        return STATUS_OK;
    if (aof_open_log(aof) != STATUS_OK)
        return STATUS_IO;
    enum status status = aof_load_files(aof);
    if (status != STATUS_OK)
        return loading_stopped(aof->server->loading) ? STATUS_OK : status;
    aof->state = AOF_ON;
    aof_listen(aof, true);
    aof_settle(aof);
    return STATUS_OK;
}

// The last line: from which a restart can go on.
static void append_history(struct aof *aof)
{
    struct rdb_about about;
    snapshot_style(aof->server->snapshot, &about);
    if (!about.replication_id || !is_read_at_start(aof))
        return;
    struct history history = { .offset = about.replication_offset,
                               .selected_db = about.selected_db };
    struct bytes line = { 0 };
    memcpy(history.id, about.replication_id, sizeof(history.id));
    history_append_line(&history, &line);
    aof_log_append(aof->log, bytes_slice(&line));
    bytes_release(&line);
}

enum status aof_stop(struct aof *aof)
{
    aof_rewrite_abort(aof);
    if (aof->state == AOF_OFF)
        return STATUS_OK;
    append_history(aof);
    enum status status = STATUS_IO;
    if (!aof->needs_base)
        status = aof_log_finish(aof->log, effects_offset(aof->server->effects));
    if (status == STATUS_OK)
        aof_settle(aof);
    else
        log_warning("The append-only file did not reach the disk whole: what is missing is lost");
    return status;
}

enum status aof_reload(struct aof *aof)
{
    struct server *server = aof->server;
    if (aof->state == AOF_OFF)
        return STATUS_NOT_FOUND;
    if (aof->state == AOF_FIRST || aof->needs_base || effects_in_group(server->effects))
        return STATUS_AGAIN;
    enum status status = aof_log_finish(aof->log, effects_offset(server->effects));
    aof_settle(aof);
    if (status != STATUS_OK)
        return STATUS_IO;
    for (int i = 0; i < server->keyspace->db_count; i++)
        db_flush(&server->keyspace->dbs[i], REMOVED_NOW);
    if (aof_load_again(aof) != STATUS_OK)
        return STATUS_INVALID;
    server->changes = 0;
    log_notice("The append-only file was loaded by DEBUG LOADAOF");
    return STATUS_OK;
}

// Before the end, while it can still be refused. False: the server goes on.
static bool finish_at_end(void *udata, unsigned flags)
{
    const struct aof *aof = udata;
    bool force = flags & STOP_FORCE;
    if (aof->state == AOF_FIRST)
        log_warning("Writing initial AOF%s", force ? ". Exit anyway." : ", can't exit.");
    if (aof->state != AOF_ON)
        return aof->state == AOF_OFF || force;
    log_notice("Syncing the append-only file before exiting.");
    if (!aof->needs_base &&
        aof_log_finish(aof->log, effects_offset(aof->server->effects)) == STATUS_OK)
        return true;
    int lost = aof_log_lost(aof->log);
    log_warning("The append-only file can't be written and synced: %s. %s",
                strerror(lost ? lost : error_of(aof)),
                force ? "Exit anyway." : "Can't exit; SHUTDOWN FORCE ends all the same");
    return force;
}

bool aof_is_on(const struct aof *aof)
{
    return aof->state != AOF_OFF;
}

struct aof *aof_new(struct server *server, const struct aof_calls *calls)
{
    struct aof *aof = mem_alloc_zeroed(sizeof(*aof));
    aof->server = server;
    aof->calls = calls;
    aof->rewriting.last_s = -1;
    list_init(&aof->waiters);
    aof->alarm = loop_every(server->loop, 0, on_alarm, NULL);
    aof_register_settings(aof);
    aof->misconf_gate = registry_add_gate(server->registry, is_refused, refuse);
    aof->busy_gate = registry_add_gate(server->registry, is_write, NULL);
    effects_on_turn(server->effects, on_turn, aof);
    cron_add(server->cron, 0, on_cron, aof);
    process_on_stop(server->process, finish_at_end, aof);
    server->aof = aof;
    return aof;
}

void aof_free(struct aof *aof)
{
    aof_rewrite_abort(aof);
    if (aof->log)
        close_log(aof);
    while (!list_empty(&aof->waiters))
        list_remove(list_first(&aof->waiters));
    aof_manifest_release(&aof->manifest);
    mem_free(aof->config.folder, strlen(aof->config.folder) + 1);
    mem_free(aof->config.stem, strlen(aof->config.stem) + 1);
    aof->server->aof = NULL;
    mem_free(aof, sizeof(*aof));
}
