// SPDX-License-Identifier: BSD-3-Clause
// Keys with an expiry on a writable replica: see local_keys.h.
#include "repl/local_keys.h"

#include "base/memory.h"
#include "repl/repl_internal.h"
#include "server/batch.h"
#include "server/client.h"
#include "server/cron.h"
#include "server/info.h"
#include "server/interest.h"
#include "store/keyspace.h"

// Keys that are looked at in one tick.
#define LOOKS 200

struct local_keys {
    struct repl *repl;
    struct table keys;  // of struct local_key
    struct list all;    // the one that was looked at longest ago first
    int listener;
    bool heeding;
};

struct local_key {
    struct interest interest;
    struct list_link link;
};

static struct keyspace *keyspace_of(const struct local_keys *local)
{
    return local->repl->server->keyspace;
}

static void forget(struct local_keys *local, struct local_key *key)
{
    list_remove(&key->link);
    interest_trim(&local->keys, &key->interest);
}

// Whether its time has come or not. Announces nothing.
static struct entry_ref look(struct db *db, const struct key *key)
{
    struct keyspace *keyspace = db->keyspace;
    bool kept = keyspace->keep_expired;
    keyspace->keep_expired = true;
    struct entry_ref ref = db_peek(db, key);
    keyspace->keep_expired = kept;
    return ref;
}

static void on_key_event(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    (void)event;
    struct local_keys *local = udata;
    const struct client *writer = batch_running_client(local->repl->server->batch);
    if (!writer)
        return;
    if (writer->flags & CLIENT_PRIMARY) {
        struct interest *interest = interest_find(&local->keys, db, key);
        if (interest)
            forget(local, LIST_ITEM(interest, struct local_key, interest));
        return;
    }
    struct entry_ref ref = look(db, key);
    if (!ref.entry || !entry_has_expiry(ref.entry))
        return;
    // Without memory it stays hidden when it is due, as other keys do.
    struct interest *interest = interest_provide(&local->keys, db, key, sizeof(struct local_key));
    struct local_key *known = interest ? LIST_ITEM(interest, struct local_key, interest) : NULL;
    if (known && !list_linked(&known->link))
        list_append(&local->all, &known->link);
}

static void on_tick(void *udata)
{
    struct local_keys *local = udata;
    for (size_t left = local->keys.count < LOOKS ? local->keys.count : LOOKS; left > 0; left--) {
        struct list_link *link = list_first(&local->all);
        struct local_key *known = LIST_ITEM(link, struct local_key, link);
        struct entry_ref ref = look(known->interest.db, &known->interest.key);
        list_remove(link);
        list_append(&local->all, link);
        if (ref.entry && entry_has_expiry(ref.entry) && !db_expired(ref.entry))
            continue;
        if (ref.entry && db_expired(ref.entry))
            db_expire(known->interest.db, &known->interest.key, ref);
        forget(local, known);
    }
}

void local_keys_heed(struct local_keys *local, bool writable)
{
    if (local->heeding == writable)
        return;
    local->heeding = writable;
    keyspace_hear(keyspace_of(local), local->listener, writable ? KEY_EVENT(KEY_WRITTEN) : 0);
    struct list_link *link;
    while ((link = list_first(&local->all)) != NULL)
        forget(local, LIST_ITEM(link, struct local_key, link));
}

static void info_tracked(void *udata, struct bytes *out)
{
    const struct local_keys *local = udata;
    bytes_printf(out, "slave_expires_tracked_keys:%zu\r\n", local->keys.count);
}

struct local_keys *local_keys_new(struct repl *repl)
{
    struct server *server = repl->server;
    struct local_keys *local = mem_alloc_zeroed(sizeof(*local));
    local->repl = repl;
    list_init(&local->all);
    interests_init(&local->keys);
    local->listener = keyspace_listen(server->keyspace, on_key_event, local);
    cron_add(server->cron, 0, on_tick, local);
    info_add_fields(server->info, "Stats", "replica expiry", info_tracked, local);
    return local;
}

void local_keys_free(struct local_keys *local)
{
    local_keys_heed(local, false);
    table_release(&local->keys, NULL, NULL);
    mem_free(local, sizeof(*local));
}
