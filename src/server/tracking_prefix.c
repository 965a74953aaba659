// SPDX-License-Identifier: BSD-3-Clause
// Broadcasting: prefixes that clients name, and the keys below them that have changed in this turn.
//
//   tracker --prefixes--> interest <--interests-- prefix --stale--> key -> who changed it: the id of a client,
//                                                                   ANYBODY: nobody, or more than one
//
// A turn's keys below a prefix are encoded once for all who want them. Only who does not want to hear of its own
// changes (NOLOOP), and has made some, is sent a text of its own.
#include "server/tracking_internal.h"

#include "base/memory.h"
#include "base/panic.h"
#include "server/client.h"
#include "server/server.h"

#include <stdlib.h>
#include <string.h>

#define ANYBODY ((void *)UINTPTR_MAX)

// Buffers are kept up to this size.
#define KEEP_BYTES 65536

struct prefix {
    struct list interests;
    struct radix stale;
    struct list_link stale_link;  // tracking->stale_prefixes
    size_t len;
    char text[];
};

// One of a tracker in one of the prefixes.
struct interest {
    struct list_link link;  // prefix->interests
    struct tracker *tracker;
    struct prefix *prefix;
};

static struct slice text_of(const struct prefix *prefix)
{
    return (struct slice){ .ptr = prefix->text, .len = prefix->len };
}

// --- Prefixes come and go -----------------------------------------------------------------------

// NULL: no memory.
static struct prefix *find_or_add(struct tracking *tracking, struct slice text)
{
    struct prefix *prefix = radix_find(&tracking->prefixes, text);
    if (prefix)
        return prefix;
    size_t bytes = sizeof(*prefix) + text.len;
    prefix = mem_try_alloc(bytes);
    if (!prefix)
        return NULL;
    *prefix = (struct prefix){ .len = text.len };
    list_init(&prefix->interests);
    if (text.len)
        memcpy(prefix->text, text.ptr, text.len);
    void *old;
    if (radix_put(&tracking->prefixes, text, prefix, &old) == STATUS_OK)
        return prefix;
    mem_free(prefix, bytes);
    return NULL;
}

static void forget_stale(struct tracking *tracking, struct prefix *prefix)
{
    if (!list_linked(&prefix->stale_link))
        return;
    list_remove(&prefix->stale_link);
    tracking->stale_prefix_count--;
    radix_release(&prefix->stale, NULL, NULL);
}

static void remove_if_unused(struct tracking *tracking, struct prefix *prefix)
{
    if (!list_empty(&prefix->interests))
        return;
    forget_stale(tracking, prefix);
    radix_remove(&tracking->prefixes, text_of(prefix));
    mem_free(prefix, sizeof(*prefix) + prefix->len);
}

// What a tracker's interest is counted as: it may be the only one in its prefix.
static size_t interest_bytes(const struct prefix *prefix)
{
    return sizeof(struct interest) + sizeof(*prefix) + prefix->len;
}

enum status tracker_add_prefix(struct tracker *tracker, struct slice text)
{
    struct tracking *tracking = tracker->client->server->tracking;
    if (radix_find(&tracker->prefixes, text))
        return STATUS_OK;
    struct prefix *prefix = find_or_add(tracking, text);
    if (!prefix)
        return STATUS_NOMEM;
    void *old;
    struct interest *interest = mem_try_alloc(sizeof(*interest));
    if (!interest || radix_put(&tracker->prefixes, text, interest, &old) != STATUS_OK) {
        mem_free(interest, sizeof(*interest));
        remove_if_unused(tracking, prefix);
        return STATUS_NOMEM;
    }
    *interest = (struct interest){ .tracker = tracker, .prefix = prefix };
    list_append(&prefix->interests, &interest->link);
    tracker->interest_bytes += interest_bytes(prefix);
    return STATUS_OK;
}

static void drop_interest(void *value, void *udata)
{
    struct interest *interest = value;
    struct prefix *prefix = interest->prefix;
    list_remove(&interest->link);
    mem_free(interest, sizeof(*interest));
    remove_if_unused(udata, prefix);
}

void tracker_drop_prefixes(struct tracker *tracker)
{
    radix_release(&tracker->prefixes, drop_interest, tracker->client->server->tracking);
    tracker->interest_bytes = 0;
}

void tracking_prefixes_release(struct tracking *tracking)
{
    ASSERT(tracking->prefixes.count == 0);
    radix_release(&tracking->prefixes, NULL, NULL);
    bytes_release(&tracking->written);
}

// --- Overlaps -----------------------------------------------------------------------------------

static bool note_shortest(void *value, size_t key_len, void *udata)
{
    (void)key_len;
    *(void **)udata = value;
    return false;
}

static bool note_first(struct slice key, void *value, void *udata)
{
    (void)key;
    *(void **)udata = value;
    return false;
}

// The first value whose key begins with the text, or with whose key the text begins; NULL if there is none.
static void *overlapping(const struct radix *radix, struct slice text)
{
    void *found = NULL;
    if (radix_prefixes_of(radix, text, note_shortest, &found))
        radix_walk(radix, text, note_first, &found);
    return found;
}

// Looks for keys that overlap `text`, but for the one that is `self`.
struct search {
    uintptr_t self;
    bool found;
};

static bool search_shorter(void *value, size_t key_len, void *udata)
{
    (void)key_len;
    struct search *search = udata;
    search->found = (uintptr_t)value != search->self;
    return !search->found;
}

static bool search_longer(struct slice key, void *value, void *udata)
{
    return search_shorter(value, key.len, udata);
}

static bool overlaps_another(const struct radix *radix, struct slice text, uintptr_t self)
{
    struct search search = { .self = self };
    if (radix_prefixes_of(radix, text, search_shorter, &search))
        radix_walk(radix, text, search_longer, &search);
    return search.found;
}

static uintptr_t mark_of(size_t i)
{
    return i + 1;
}

// All of them, with the position of the last one that is the same.
MUST_CHECK static enum status note_all(struct radix *radix, const struct slice *prefixes,
                                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *old;
        if (radix_put(radix, prefixes[i], (void *)mark_of(i), &old) != STATUS_OK)
            return STATUS_NOMEM;
    }
    return STATUS_OK;
}

// The first one behind prefixes[i] that overlaps it: there is one, as none before it does.
static struct slice find_behind(const struct slice *prefixes, size_t count, size_t i)
{
    struct slice text = prefixes[i++];
    for (;; i++) {
        ASSERT(i < count);
        size_t len = prefixes[i].len < text.len ? prefixes[i].len : text.len;
        if (len == 0 || memcmp(prefixes[i].ptr, text.ptr, len) == 0)
            return prefixes[i];
    }
}

enum status tracking_find_overlap(const struct client *client, const struct slice *prefixes,
                                  size_t count, struct tracking_overlap *out)
{
    static const struct radix none;
    const struct radix *had = client->tracker ? &client->tracker->prefixes : &none;
    struct radix all = { 0 };
    enum status status = note_all(&all, prefixes, count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct interest *old = overlapping(had, prefixes[i]);
        if (!old && !overlaps_another(&all, prefixes[i], mark_of(i)))
            continue;
        *out = (struct tracking_overlap){
            .prefix = prefixes[i],
            .other = old ? text_of(old->prefix) : find_behind(prefixes, count, i),
            .is_old = old != NULL,
        };
        status = STATUS_EXISTS;
    }
    radix_release(&all, NULL, NULL);
    return status;
}

struct visitor {
    void (*visit)(struct slice prefix, void *udata);
    void *udata;
};

static bool visit_prefix(struct slice key, void *value, void *udata)
{
    (void)value;
    const struct visitor *visitor = udata;
    visitor->visit(key, visitor->udata);
    return true;
}

void tracking_each_prefix(const struct client *client,
                          void (*visit)(struct slice prefix, void *udata), void *udata)
{
    struct visitor visitor = { .visit = visit, .udata = udata };
    if (client->tracker)
        radix_walk(&client->tracker->prefixes, SLICE(""), visit_prefix, &visitor);
}

// --- Keys that have changed ---------------------------------------------------------------------

struct change {
    struct tracking *tracking;
    struct slice key;
    void *writer;
};

static bool note_change(void *value, size_t key_len, void *udata)
{
    (void)key_len;
    struct prefix *prefix = value;
    const struct change *change = udata;
    struct tracking *tracking = change->tracking;
    void *old;
    void *ignored;
    if (radix_put(&prefix->stale, change->key, change->writer, &old) != STATUS_OK ||
        (old && old != change->writer &&
         radix_put(&prefix->stale, change->key, ANYBODY, &ignored) != STATUS_OK)) {
        // Without memory to say which, all keys have changed.
        tracking->flushed = true;
        return false;
    }
    if (!list_linked(&prefix->stale_link)) {
        list_append(&tracking->stale_prefixes, &prefix->stale_link);
        tracking->stale_prefix_count++;
    }
    return true;
}

static void note_below_prefixes(struct tracking *tracking, struct slice key, void *writer)
{
    struct change change = { .tracking = tracking, .key = key, .writer = writer };
    radix_prefixes_of(&tracking->prefixes, key, note_change, &change);
}

void tracking_prefixes_changed(struct tracking *tracking, const struct key *key)
{
    if (tracking->prefixes.count)
        note_below_prefixes(tracking, key_slice(key), ANYBODY);
}

void tracking_prefixes_written(struct tracking *tracking, const struct key *key)
{
    if (tracking->prefixes.count == 0)
        return;
    bytes_append(&tracking->written, &key->len, sizeof(key->len));
    bytes_append(&tracking->written, key->ptr, key->len);
}

void tracking_prefixes_settle(struct tracking *tracking, const struct client *writer)
{
    void *mark = ANYBODY;
    if (writer && writer->flags & CLIENT_TRACKING) {
        mark = (void *)(uintptr_t)writer->id;
        writer->tracker->wrote_turn = tracking->turn;
    }
    struct bytes *written = &tracking->written;
    for (size_t at = 0; at < written->len;) {
        struct slice key;
        memcpy(&key.len, written->data + at, sizeof(key.len));
        at += sizeof(key.len);
        key.ptr = written->data + at;
        at += key.len;
        note_below_prefixes(tracking, key, mark);
    }
    bytes_clear(written);
    if (written->cap > KEEP_BYTES)
        bytes_release(written);
}

// --- Telling ------------------------------------------------------------------------------------

// Keys as RESP, without those that one client has changed.
struct text {
    struct bytes *out;
    uintptr_t without;  // 0: all
    size_t count;
};

static bool add_key(struct slice key, void *value, void *udata)
{
    struct text *text = udata;
    if ((uintptr_t)value == text->without)
        return true;
    text->count++;
    bytes_printf(text->out, "$%zu\r\n", key.len);
    bytes_append_slice(text->out, key);
    bytes_append_text(text->out, "\r\n");
    return true;
}

static bool count_key(struct slice key, void *value, void *udata)
{
    (void)key;
    struct text *text = udata;
    text->count += (uintptr_t)value != text->without;
    return true;
}

// False: there are none.
static bool encode(const struct prefix *prefix, uintptr_t without, struct bytes *out)
{
    struct text text = { .out = out, .without = without };
    radix_walk(&prefix->stale, SLICE(""), count_key, &text);
    bytes_clear(out);
    bytes_printf(out, "*%zu\r\n", text.count);
    bool any = text.count > 0;
    if (any)
        radix_walk(&prefix->stale, SLICE(""), add_key, &text);
    return any;
}

static bool has_own(const struct tracking *tracking, const struct tracker *tracker)
{
    return tracker->modes & TRACKING_NOLOOP && tracker->wrote_turn == tracking->turn;
}

static void tell_prefix(struct tracking *tracking, struct prefix *prefix)
{
    struct bytes own = { 0 };
    encode(prefix, 0, &tracking->text);
    for (struct list_link *link = list_first(&prefix->interests); link;
         link = list_next(&prefix->interests, link)) {
        struct tracker *tracker = LIST_ITEM(link, struct interest, link)->tracker;
        if (!has_own(tracking, tracker))
            tracker_tell(tracker, bytes_slice(&tracking->text));
        else if (encode(prefix, tracker->client->id, &own))
            tracker_tell(tracker, bytes_slice(&own));
    }
    bytes_release(&own);
    forget_stale(tracking, prefix);
}

static int compare(const void *a, const void *b)
{
    struct slice left = text_of(*(struct prefix *const *)a);
    struct slice right = text_of(*(struct prefix *const *)b);
    size_t len = left.len < right.len ? left.len : right.len;
    int order = len ? memcmp(left.ptr, right.ptr, len) : 0;
    return order ? order : (left.len > right.len) - (left.len < right.len);
}

void tracking_prefixes_tell(struct tracking *tracking)
{
    size_t count = tracking->stale_prefix_count;
    if (count == 0)
        return;
    struct prefix **prefixes = mem_alloc(count * sizeof(struct prefix *));
    size_t i = 0;
    for (struct list_link *link = list_first(&tracking->stale_prefixes); link;
         link = list_next(&tracking->stale_prefixes, link))
        prefixes[i++] = LIST_ITEM(link, struct prefix, stale_link);
    qsort(prefixes, count, sizeof(struct prefix *), compare);
    for (i = 0; i < count; i++)
        tell_prefix(tracking, prefixes[i]);
    mem_free(prefixes, count * sizeof(struct prefix *));
    if (tracking->text.cap > KEEP_BYTES)
        bytes_release(&tracking->text);
    tracking->turn++;
}
