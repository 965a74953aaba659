// SPDX-License-Identifier: BSD-3-Clause
// Keyspace notifications: see notifications.h.
#include "server/notifications.h"

#include "base/memory.h"
#include "server/config.h"
#include "server/pubsub.h"
#include "server/server.h"
#include "store/keyspace.h"

// Room for names of channels that is kept from one event to the next.
#define CHANNEL_BYTES_KEPT 1024

// The two kinds of channels; without any of them nothing is sent, whatever the classes.
#define NOTIFY_CHANNELS (NOTIFY_KEYSPACE | NOTIFY_KEYEVENT)
// What A stands for: misses and new keys are not in it.
#define NOTIFY_ALL                                                                           \
    (NOTIFY_GENERIC | NOTIFY_STRING | NOTIFY_LIST | NOTIFY_SET | NOTIFY_HASH | NOTIFY_ZSET | \
     NOTIFY_EXPIRED | NOTIFY_EVICTED | NOTIFY_STREAM | NOTIFY_MODULE)

struct notifications {
    struct server *server;
    uint32_t classes;  // that the directive names
    int listener;
    struct bytes channel;
};

// --- Sending ------------------------------------------------------------------------------------

static void publish(struct notifications *notifications, const char *kind, int db,
                    struct slice about, struct slice message)
{
    struct bytes *channel = &notifications->channel;
    bytes_clear(channel);
    bytes_printf(channel, "__%s@%d__:", kind, db);
    bytes_append_slice(channel, about);
    pubsub_publish(notifications->server->pubsub, PUBSUB_CHANNEL, bytes_slice(channel), message);
}

void notifications_send(struct notifications *notifications, const char *event, struct slice key,
                        int db)
{
    if (notifications->classes & NOTIFY_KEYSPACE)
        publish(notifications, "keyspace", db, key, slice_of(event));
    if (notifications->classes & NOTIFY_KEYEVENT)
        publish(notifications, "keyevent", db, slice_of(event), key);
    if (notifications->channel.cap > CHANNEL_BYTES_KEPT)
        bytes_release(&notifications->channel);
}

// --- What the keyspace tells --------------------------------------------------------------------

static const struct {
    const char *name;
    uint32_t class;
} key_events[] = {
    [KEY_EXPIRED] = { "expired", NOTIFY_EXPIRED },
    [KEY_EVICTED] = { "evicted", NOTIFY_EVICTED },
    [KEY_CREATED] = { "new", NOTIFY_NEW },
    [KEY_MISSED] = { "keymiss", NOTIFY_KEY_MISS },
};

#define KEY_EVENTS (sizeof(key_events) / sizeof(*key_events))

static void on_key_event(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    notifications_send(udata, key_events[event].name, key_slice(key), db->id);
}

void notifications_settle(struct notifications *notifications)
{
    struct server *server = notifications->server;
    uint32_t classes = notifications->classes;
    if (!(classes & NOTIFY_CHANNELS) || !pubsub_heard(server->pubsub))
        classes = 0;
    server->notified = classes & ~NOTIFY_CHANNELS;
    uint32_t events = 0;
    for (size_t i = 0; i < KEY_EVENTS; i++) {
        if (key_events[i].class & classes)
            events |= KEY_EVENT(i);
    }
    keyspace_hear(server->keyspace, notifications->listener, events);
}

// --- The directive ------------------------------------------------------------------------------

// In the order in which they are answered.
static const struct {
    char letter;
    uint32_t classes;
} letters[] = {
    { 'g', NOTIFY_GENERIC },  { '$', NOTIFY_STRING },   { 'l', NOTIFY_LIST },
    { 's', NOTIFY_SET },      { 'h', NOTIFY_HASH },     { 'z', NOTIFY_ZSET },
    { 'x', NOTIFY_EXPIRED },  { 'e', NOTIFY_EVICTED },  { 't', NOTIFY_STREAM },
    { 'd', NOTIFY_MODULE },   { 'n', NOTIFY_NEW },      { 'K', NOTIFY_KEYSPACE },
    { 'E', NOTIFY_KEYEVENT }, { 'm', NOTIFY_KEY_MISS },
};

#define LETTERS (sizeof(letters) / sizeof(*letters))

// 0: no such letter.
static uint32_t classes_of(char letter)
{
    if (letter == 'A')
        return NOTIFY_ALL;
    for (size_t i = 0; i < LETTERS; i++) {
        if (letters[i].letter == letter)
            return letters[i].classes;
    }
    return 0;
}

static bool set_classes(void *owner, const struct slice *words, size_t count,
                        struct config_error *error)
{
    (void)count;
    uint32_t classes = 0;
    for (size_t i = 0; i < words[0].len; i++) {
        uint32_t more = classes_of(words[0].ptr[i]);
        if (!more)
            return config_refuse(error, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
        classes |= more;
    }
    ((struct notifications *)owner)->classes = classes;
    return true;
}

static void append_letters(struct bytes *out, uint32_t classes)
{
    if ((classes & NOTIFY_ALL) == NOTIFY_ALL) {
        bytes_append_char(out, 'A');
        classes &= ~(uint32_t)NOTIFY_ALL;
    }
    for (size_t i = 0; i < LETTERS; i++) {
        if (letters[i].classes & classes)
            bytes_append_char(out, letters[i].letter);
    }
}

// Beside A, Redis does not name new keys, though A does not ask for them.
static void get_classes(const void *owner, struct bytes *out)
{
    uint32_t classes = ((const struct notifications *)owner)->classes;
    bool all = (classes & NOTIFY_ALL) == NOTIFY_ALL;
    append_letters(out, all ? classes & ~(uint32_t)NOTIFY_NEW : classes);
}

static void get_words(const void *owner, struct bytes *out)
{
    struct bytes word = { 0 };
    append_letters(&word, ((const struct notifications *)owner)->classes);
    config_add_word(out, bytes_slice(&word));
    bytes_release(&word);
}

static bool apply(void *owner, struct config_error *error)
{
    (void)error;
    notifications_settle(owner);
    return true;
}

static const struct config_directive directives[] = {
    { .name = "notify-keyspace-events",
      .type = CONFIG_CUSTOM,
      .default_text = "",
      .set = set_classes,
      .get = get_classes,
      .get_words = get_words,
      .apply = apply },
    { 0 },
};

struct notifications *notifications_new(struct server *server)
{
    struct notifications *notifications = mem_alloc_zeroed(sizeof(*notifications));
    notifications->server = server;
    notifications->listener = keyspace_listen(server->keyspace, on_key_event, notifications);
    config_register(server->config, directives, notifications);
    return notifications;
}

void notifications_free(struct notifications *notifications)
{
    bytes_release(&notifications->channel);
    mem_free(notifications, sizeof(*notifications));
}
