// SPDX-License-Identifier: BSD-3-Clause
// The end of a primary: it waits for replicas that lag behind.
#include "base/clock.h"
#include "base/log.h"
#include "repl/replicas_internal.h"
#include "server/client.h"
#include "server/process.h"

// Who never says how far it is, is not waited for.
static bool counts(const struct replica *replica)
{
    return !replica->old_protocol && !replica->rdb_only;
}

static const char *state_name(enum replica_state state)
{
    switch (state) {
    case REPLICA_TALKING:
    case REPLICA_WAITING: return "wait_bgsave";
    case REPLICA_RECEIVING:
    case REPLICA_LOADING: return "send_bulk";
    case REPLICA_ONLINE: break;
    }
    return "online";
}

static void report_lag(const struct repl *repl, const struct replica *replica)
{
    char address[CONN_NAME_MAX];
    conn_peer_name(&replica->client->conn, address);
    uint64_t behind = repl->stream.end - replica->acked;
    int64_t silent_s = (int64_t)(clock_mono_us() / 1000) - replica->acked_ms;
    log_warning("Lagging replica %s (listening on port %d) reported offset %llu behind master, "
                "lag=%lld, state=%s.",
                address, replica->port, (unsigned long long)behind, (long long)(silent_s / 1000),
                state_name(replica->state));
}

static bool lags(void *udata, bool report)
{
    const struct repl *repl = udata;
    const struct list *all = replicas_all(repl->replicas);
    size_t count = 0;
    size_t behind = 0;
    // Somebody else is about to be the primary, and to have everything.
    if (repl_is_failing_over(repl))
        return true;
    if (repl_is_replica(repl))
        return false;
    for (struct list_link *link = list_first(all); link; link = list_next(all, link)) {
        const struct replica *replica = LIST_ITEM(link, struct replica, link);
        if (!counts(replica))
            continue;
        count++;
        if (replica->acked == repl->stream.end && replica->state == REPLICA_ONLINE)
            continue;
        behind++;
        if (report)
            report_lag(repl, replica);
    }
    if (report && count > 0)
        log_notice("%zu of %zu replicas are in sync when shutting down.", count - behind, count);
    return behind > 0;
}

void farewell_register(struct repl *repl)
{
    process_on_wait(repl->server->process, lags, repl);
}
