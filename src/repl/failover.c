// SPDX-License-Identifier: BSD-3-Clause
// FAILOVER: see failover.h.
#include "repl/failover.h"

#include "base/log.h"
#include "base/memory.h"
#include "net/alarm.h"
#include "repl/replicas_internal.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/pause.h"

#include <stdio.h>
#include <string.h>

enum failover_state { FAILOVER_NONE, FAILOVER_WAITING, FAILOVER_ASKING };

struct failover {
    struct repl *repl;
    enum failover_state state;
    bool refused;  // to be undone at the end of this turn
    bool force;
    char *host;  // of the target; NULL: any replica
    int port;
    struct alarm alarm;
};

// --- Who may take over --------------------------------------------------------------------------

// What it has announced or, without that, where it connects from.
static struct slice host_of(const struct replica *replica, char buf[CONN_NAME_MAX])
{
    if (replica->announced_ip)
        return slice_of(replica->announced_ip);
    conn_peer_name(&replica->client->conn, buf);
    const char *port = strrchr(buf, ':');
    struct slice host = { buf, port ? (size_t)(port - buf) : strlen(buf) };
    bool brackets = host.len > 2 && host.ptr[0] == '[';
    return brackets ? (struct slice){ host.ptr + 1, host.len - 2 } : host;
}

static struct replica *find(const struct repl *repl, struct slice host, int64_t port)
{
    const struct list *all = replicas_all(repl->replicas);
    for (struct list_link *link = list_first(all); link; link = list_next(all, link)) {
        struct replica *replica = LIST_ITEM(link, struct replica, link);
        char buf[CONN_NAME_MAX];
        if (replica->port == port && slice_equal(host_of(replica, buf), host))
            return replica;
    }
    return NULL;
}

// It can be connected to, and has acknowledged everything.
static bool has_everything(const struct repl *repl, const struct replica *replica)
{
    return replica->state == REPLICA_ONLINE && replica->port && !replica->old_protocol &&
           replica->acked == repl->stream.end;
}

static struct replica *find_ready(const struct failover *failover)
{
    const struct repl *repl = failover->repl;
    const struct list *all = replicas_all(repl->replicas);
    for (struct list_link *link = list_first(all); link; link = list_next(all, link)) {
        struct replica *replica = LIST_ITEM(link, struct replica, link);
        char buf[CONN_NAME_MAX];
        bool wanted = !failover->host ||
                      (replica->port == failover->port &&
                       slice_equal(host_of(replica, buf), slice_of(failover->host)));
        if (wanted && has_everything(repl, replica))
            return replica;
    }
    return NULL;
}

// --- The states ---------------------------------------------------------------------------------

static void set_target(struct failover *failover, struct slice host, int port)
{
    if (failover->host)
        mem_free(failover->host, strlen(failover->host) + 1);
    failover->host = host.len ? mem_strndup(host.ptr, host.len) : NULL;
    failover->port = port;
}

// "host:port" for the log.
struct target_name {
    char text[CONN_NAME_MAX];
};

static struct target_name name_of(const struct failover *failover)
{
    struct target_name name;
    if (failover->host)
        snprintf(name.text, sizeof(name.text), "%s:%d", failover->host, failover->port);
    else
        snprintf(name.text, sizeof(name.text), "any replica");
    return name;
}

// Writes that have waited are run, or refused if we are a replica now.
static void finish(struct failover *failover)
{
    failover->state = FAILOVER_NONE;
    failover->refused = false;
    alarm_clear(&failover->alarm);
    set_target(failover, (struct slice){ 0 }, 0);
    pause_end(failover->repl->server->pause, PAUSE_FAILOVER);
}

static void give_up(struct failover *failover, const char *reason)
{
    log_notice("FAILOVER to %s aborted: %s", name_of(failover).text, reason);
    if (failover->state == FAILOVER_ASKING)
        repl_lead(failover->repl);
    finish(failover);
}

// The target is known.
static void hand_over(struct failover *failover)
{
    struct repl *repl = failover->repl;
    alarm_clear(&failover->alarm);
    failover->state = FAILOVER_ASKING;
    repl_follow(repl, slice_of(failover->host), failover->port);
    link_ask_failover(repl->link);
}

static void on_alarm(void *udata)
{
    struct failover *failover = udata;
    if (!failover->force) {
        give_up(failover, "Replica never caught up before timeout");
        return;
    }
    log_notice("FAILOVER to %s time out exceeded, failing over.", name_of(failover).text);
    hand_over(failover);
}

void failover_turn(struct failover *failover)
{
    if (failover->refused) {
        give_up(failover, "Failover target rejected psync request");
        return;
    }
    const struct replica *ready = failover_is_waiting(failover) ? find_ready(failover) : NULL;
    if (!ready)
        return;
    char buf[CONN_NAME_MAX];
    set_target(failover, host_of(ready, buf), ready->port);
    log_notice("Failover target %s is synced, failing over.", name_of(failover).text);
    hand_over(failover);
}

void failover_answered(struct failover *failover, bool accepted)
{
    if (failover->state != FAILOVER_ASKING)
        return;
    if (accepted)
        finish(failover);
    else
        failover->refused = true;
}

// --- For commands -------------------------------------------------------------------------------

static enum error_id refusal_of(struct repl *repl, const struct failover_wish *wish)
{
    if (repl_is_failing_over(repl))
        return ERR_FAILOVER_RUNS;
    if (repl_is_replica(repl))
        return ERR_FAILOVER_REPLICA;
    if (list_empty(replicas_all(repl->replicas)))
        return ERR_FAILOVER_ALONE;
    if (wish->force && (!wish->timeout_ms || !wish->to))
        return ERR_FAILOVER_FORCE;
    if (!wish->to)
        return ERROR_COUNT;
    const struct replica *target = find(repl, wish->host, wish->port);
    if (!target)
        return ERR_FAILOVER_TARGET;
    return target->state == REPLICA_ONLINE ? ERROR_COUNT : ERR_FAILOVER_OFFLINE;
}

enum error_id failover_begin(struct repl *repl, const struct failover_wish *wish)
{
    struct failover *failover = repl->failover;
    enum error_id refusal = refusal_of(repl, wish);
    if (refusal != ERROR_COUNT)
        return refusal;
    failover->state = FAILOVER_WAITING;
    failover->force = wish->force;
    if (wish->to)
        set_target(failover, wish->host, (int)wish->port);
    if (wish->timeout_ms)
        alarm_set(&failover->alarm, wish->timeout_ms);
    pause_begin(repl->server->pause, PAUSE_FAILOVER, PAUSE_FOREVER, false);
    log_notice("FAILOVER requested to %s.", name_of(failover).text);
    return ERROR_COUNT;
}

bool failover_abort(struct repl *repl)
{
    if (!repl_is_failing_over(repl))
        return false;
    give_up(repl->failover, "Failover manually aborted");
    return true;
}

bool repl_is_failing_over(const struct repl *repl)
{
    return repl->failover->state != FAILOVER_NONE;
}

bool failover_is_waiting(const struct failover *failover)
{
    return failover->state == FAILOVER_WAITING;
}

const char *failover_state_name(const struct failover *failover)
{
    static const char *const names[] = { "no-failover", "waiting-for-sync",
                                         "failover-in-progress" };
    return names[failover->state];
}

// --- Making -------------------------------------------------------------------------------------

struct failover *failover_new(struct repl *repl)
{
    struct failover *failover = mem_alloc_zeroed(sizeof(*failover));
    failover->repl = repl;
    alarm_init(&failover->alarm, repl->server->loop, on_alarm, failover);
    return failover;
}

void failover_free(struct failover *failover)
{
    alarm_clear(&failover->alarm);
    set_target(failover, (struct slice){ 0 }, 0);
    mem_free(failover, sizeof(*failover));
}
