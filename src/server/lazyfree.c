// SPDX-License-Identifier: BSD-3-Clause
// Lazy freeing: see lazyfree.h.
#include "server/lazyfree.h"

#include "base/log.h"
#include "base/memory.h"
#include "net/loop.h"
#include "server/config.h"
#include "server/info.h"
#include "server/server.h"
#include "store/keyspace.h"

// What freeing in slices may take of one turn of the loop.
#define SLICE_US 500

struct lazyfree {
    struct server *server;
    struct loop_waker waker;
    // Directives.
    bool eviction;
    bool expire;
    bool server_del;
    bool user_del;
    bool user_flush;
    bool bg_thread;
    bool paused;
};

static void take_over(const struct lazyfree *lazyfree)
{
    uint32_t at_once = REMOVAL(REMOVED_NOW);
    at_once |= lazyfree->eviction ? 0 : REMOVAL(REMOVED_BY_EVICTION);
    at_once |= lazyfree->expire ? 0 : REMOVAL(REMOVED_BY_EXPIRY);
    at_once |= lazyfree->server_del ? 0 : REMOVAL(REMOVED_BY_SERVER);
    at_once |= lazyfree->user_del ? 0 : REMOVAL(REMOVED_BY_USER);
    at_once |= lazyfree->user_flush ? 0 : REMOVAL(REMOVED_BY_FLUSH);
    at_once |= lazyfree->paused ? UINT32_MAX : 0;
    lazyfree->server->keyspace->freed_at_once = at_once;
}

void lazyfree_pause(struct lazyfree *lazyfree, bool paused)
{
    lazyfree->paused = paused;
    take_over(lazyfree);
}

static bool apply(void *owner, struct config_error *error)
{
    (void)error;
    take_over(owner);
    return true;
}

static bool apply_bg_thread(void *owner, struct config_error *error)
{
    const struct lazyfree *lazyfree = owner;
    return mem_purge_in_background(lazyfree->bg_thread) ||
           config_refuse(error, "the allocator can't have a thread");
}

void lazyfree_configured(struct lazyfree *lazyfree)
{
    take_over(lazyfree);
    if (!mem_purge_in_background(lazyfree->bg_thread))
        log_warning(
            "The allocator can't have a thread: free memory is given back to the system only "
            "while the server is busy.");
}

#define SWITCH(name_text, member)                                                              \
    {                                                                                          \
        .name = (name_text), .type = CONFIG_BOOL, .offset = offsetof(struct lazyfree, member), \
        .default_text = "yes", .apply = apply                                                  \
    }

static const struct config_directive lazyfree_directives[] = {
    SWITCH("lazyfree-lazy-eviction", eviction),
    SWITCH("lazyfree-lazy-expire", expire),
    SWITCH("lazyfree-lazy-server-del", server_del),
    SWITCH("lazyfree-lazy-user-del", user_del),
    SWITCH("lazyfree-lazy-user-flush", user_flush),
    { .name = "jemalloc-bg-thread",
      .type = CONFIG_BOOL,
      .offset = offsetof(struct lazyfree, bg_thread),
      .default_text = "yes",
      .apply = apply_bg_thread },
    { 0 },
};

// Before the loop sleeps.
static void free_slice(void *udata)
{
    struct lazyfree *lazyfree = udata;
    struct server *server = lazyfree->server;
    struct reclaim *reclaim = &server->keyspace->reclaim;
    if (likely(!reclaim_pending(reclaim)))
        return;
    reclaim_some(server->keyspace, SLICE_US);
    loop_keep_awake(server->loop, &lazyfree->waker, reclaim_pending(reclaim));
}

static void fields(void *udata, struct bytes *out)
{
    const struct lazyfree *lazyfree = udata;
    const struct reclaim *reclaim = &lazyfree->server->keyspace->reclaim;
    bytes_printf(out,
                 "lazyfree_pending_objects:%zu\r\n"
                 "lazyfreed_objects:%llu\r\n",
                 reclaim_count(reclaim), (unsigned long long)reclaim->freed);
}

static void reset(void *udata)
{
    struct lazyfree *lazyfree = udata;
    lazyfree->server->keyspace->reclaim.freed = 0;
}

struct lazyfree *lazyfree_new(struct server *server)
{
    struct lazyfree *lazyfree = mem_alloc_zeroed(sizeof(*lazyfree));
    lazyfree->server = server;
    config_register(server->config, lazyfree_directives, lazyfree);
    info_add_fields(server->info, "Memory", "lazy freeing", fields, lazyfree);
    info_on_reset(server->info, reset, lazyfree);
    loop_on_sleep(server->loop, free_slice, lazyfree);
    return lazyfree;
}

void lazyfree_free(struct lazyfree *lazyfree)
{
    mem_free(lazyfree, sizeof(*lazyfree));
}
