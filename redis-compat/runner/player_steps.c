// SPDX-License-Identifier: BSD-3-Clause
// Plays the steps of a case.
#include "player_internal.h"

#include <string.h>
#include <time.h>

// How long nothing has to come where nothing should: long enough to catch a reply that is under way.
#define SILENCE_MS 30

// More calls of a SCAN than any case needs.
#define SCANS_MAX 10000

static void nap_ms(long ms)
{
    struct timespec left = { .tv_nsec = ms * 1000000 };
    nanosleep(&left, NULL);
}

static void release_both(struct buffer bytes[SIDES])
{
    for (enum side side = ORACLE; side <= OURS; side++)
        buffer_release(&bytes[side]);
}

// --- What coverage wants to know -------------------------------------------------------------------

static bool seen_before(const struct play *play, struct span word)
{
    for (size_t i = 0; i < play->seen.count; i++) {
        if (span_equal(play->seen.items[i], word))
            return true;
    }
    return false;
}

// Whether a key of the command was never named before in this case: there cannot be one.
static bool names_missing_key(const struct play *play, const struct command *command,
                              const struct words *argv)
{
    if (!command || command->first_key <= 0)
        return false;
    long long last = command->last_key < 0 ? (long long)argv->count + command->last_key
                                           : command->last_key;
    for (long long i = command->first_key; i <= last && i < (long long)argv->count;
         i += command->key_step) {
        if (!seen_before(play, argv->items[i]))
            return true;
    }
    return false;
}

static void remember_words(struct play *play, const struct words *argv)
{
    struct words *seen = &play->seen;
    for (size_t i = 1; i < argv->count; i++) {
        if (seen_before(play, argv->items[i]))
            continue;
        seen->items = arena_grow(&play->arena, seen->items, seen->count, sizeof(*seen->items));
        seen->items[seen->count++] = argv->items[i];
    }
}

// Where only the kind of the reply is looked at, nothing is covered.
static void note_sent(struct play *play, const struct step *step, const struct words *argv,
                      const struct reply *oracle, bool pipelined)
{
    const struct command *command = catalog_find(play->player->catalog, argv->items, argv->count);
    struct sent sent = { .argv = argv, .oracle = oracle, .pipelined = pipelined };
    sent.missing_key = names_missing_key(play, command, argv);
    if (step->expect.kind != EXPECT_KIND)
        coverage_note(play->player->coverage, &sent);
    remember_words(play, argv);
    if (argv->count > 1 && span_is_word(argv->items[0], "config") &&
        span_is_word(argv->items[1], "set"))
        play->result.dirty = true;
}

// --- Commands -----------------------------------------------------------------------------------

// The steps of one write, with the words of each for the oracle.
static bool append_commands(struct play *play, const struct step *step, size_t count,
                            struct words *argv, struct buffer bytes[SIDES])
{
    for (size_t i = 0; i < count; i++) {
        if (!span_equal(step[i].connection, step->connection)) {
            play_fail(play, &step[i], "a pipeline has one connection");
            play->abandoned = true;
            return false;
        }
        for (enum side side = ORACLE; side <= OURS; side++) {
            struct words words;
            if (!play_expand(play, &step[i], side, &words))
                return false;
            command_append(&bytes[side], words.items, words.count);
            if (side == ORACLE)
                argv[i] = words;
        }
    }
    return true;
}

static void read_replies(struct play *play, const struct step *step, size_t count,
                         struct named_connection *connection, const struct words *argv)
{
    struct reply replies[SIDES];
    for (size_t i = 0; i < count && !play->abandoned; i++) {
        if (!play_fetch(play, &step[i], connection, replies))
            return;
        play_judge(play, &step[i], connection, &argv[i], replies);
        play_save(play, &step[i], replies);
        note_sent(play, &step[i], &argv[i], &replies[ORACLE], count > 1);
        play->result.commands++;
    }
}

void play_commands(struct play *play, const struct step *step, size_t count)
{
    struct named_connection *connection = play_connection(play, step->connection);
    struct words *argv = arena_alloc(&play->arena, count * sizeof(*argv));
    struct buffer bytes[SIDES] = { 0 };
    if (connection && append_commands(play, step, count, argv, bytes) &&
        play_send(play, step, connection, bytes))
        read_replies(play, step, count, connection, argv);
    release_both(bytes);
}

// --- Steps of their own kinds ----------------------------------------------------------------------

static void play_send_only(struct play *play, const struct step *step,
                           struct named_connection *connection)
{
    struct words argv;
    struct buffer bytes[SIDES] = { 0 };
    if (append_commands(play, step, 1, &argv, bytes) && play_send(play, step, connection, bytes)) {
        // It will be answered by a %read: what coverage wants to know is known now.
        struct reply none = { .type = REPLY_NULL, .null = true };
        note_sent(play, step, &argv, &none, false);
        play->result.commands++;
    }
    release_both(bytes);
}

static void play_raw(struct play *play, const struct step *step,
                     struct named_connection *connection)
{
    struct reply replies[SIDES];
    struct buffer bytes[SIDES] = { 0 };
    bool ok = true;
    for (enum side side = ORACLE; side <= OURS && ok; side++) {
        struct words words;
        ok = play_expand(play, step, side, &words);
        for (size_t i = 0; i < words.count && ok; i++)
            buffer_append(&bytes[side], words.items[i]);
    }
    ok = ok && play_send(play, step, connection, bytes);
    for (long long i = 0; i < step->replies && ok; i++) {
        ok = play_fetch(play, step, connection, replies);
        if (ok)
            play_judge(play, step, connection, NULL, replies);
    }
    play->result.commands += (size_t)step->replies;
    release_both(bytes);
}

static void play_read(struct play *play, const struct step *step,
                      struct named_connection *connection)
{
    struct reply replies[SIDES];
    if (!play_fetch(play, step, connection, replies))
        return;
    play_judge(play, step, connection, NULL, replies);
    play_save(play, step, replies);
}

// The connection has to say this to both servers, and no more.
static void play_expect_fetch(struct play *play, const struct step *step,
                              struct named_connection *connection, enum fetch_result wanted,
                              const char *otherwise)
{
    int timeout_ms = wanted == FETCH_TIMEOUT ? SILENCE_MS : PATIENCE_MS;
    for (enum side side = ORACLE; side <= OURS; side++) {
        struct reply reply = { 0 };
        struct connection *c = &connection->sides[side];
        enum fetch_result got = connection_fetch(c, &play->arena, timeout_ms, &reply);
        if (got == wanted)
            continue;
        play_fail(play, step, otherwise);
        buffer_printf(play->out, "      %s  ", side_name(side));
        words_escape(play->out, got == FETCH_REPLY ? reply.raw : connection_unread(c), 400);
        buffer_char(play->out, '\n');
        play->abandoned = true;
    }
}

// Whether a reply's text is the wanted one: "(nil)" is a null, ">=N" any number from N on.
static bool is_wanted(const struct reply *reply, struct span wanted)
{
    double number;
    double least;
    if (reply->null)
        return span_is(wanted, "(nil)");
    if (!span_starts(wanted, ">="))
        return span_equal(reply->text, wanted);
    wanted.ptr += 2;
    wanted.len -= 2;
    return span_number(wanted, &least) && span_number(reply->text, &number) && number >= least;
}

// Asks one server until it answers what is wanted.
static bool poll_side(struct play *play, const struct step *step, struct connection *c,
                      enum side side)
{
    int64_t until_ms = now_ms() + PATIENCE_MS;
    struct buffer bytes = { 0 };
    struct words argv;
    struct reply reply = { 0 };
    bool reached = false;
    if (!play_expand(play, step, side, &argv))
        return false;
    command_append(&bytes, argv.items, argv.count);
    while (!reached && now_ms() < until_ms) {
        if (!connection_send(c, buffer_span(&bytes), PATIENCE_MS) ||
            connection_fetch(c, &play->arena, PATIENCE_MS, &reply) != FETCH_REPLY)
            break;
        reached = is_wanted(&reply, step->wanted);
        if (!reached)
            nap_ms(2);
    }
    buffer_release(&bytes);
    if (reached)
        note_sent(play, step, &argv, &reply, false);
    return reached;
}

static void play_until(struct play *play, const struct step *step,
                       struct named_connection *connection)
{
    for (enum side side = ORACLE; side <= OURS; side++) {
        if (poll_side(play, step, &connection->sides[side], side))
            continue;
        play_fail(play, step, "waited in vain");
        buffer_printf(play->out, "      %s\n", side_name(side));
        play->abandoned = true;
        return;
    }
    play->result.commands++;
}

// --- SCAN ---------------------------------------------------------------------------------------

static bool has_element(const struct reply *all, const struct reply *element)
{
    for (size_t i = 0; i < all->count; i++) {
        if (span_equal(all->items[i].raw, element->raw))
            return true;
    }
    return false;
}

// Elements may come more than once, as SCAN's contract says.
static void add_elements(struct play *play, struct reply *all, const struct reply *page)
{
    for (size_t i = 0; i < page->count; i++) {
        if (has_element(all, &page->items[i]))
            continue;
        all->items = arena_grow(&play->arena, all->items, all->count, sizeof(*all->items));
        all->items[all->count++] = page->items[i];
    }
}

static bool scan_side(struct play *play, const struct step *step, struct connection *c,
                      enum side side, struct reply *all)
{
    struct reply reply;
    play_set_variable(play, SPAN("cursor"), side, SPAN("0"));
    for (int calls = 0; calls < SCANS_MAX; calls++) {
        struct words argv;
        struct buffer bytes = { 0 };
        if (!play_expand(play, step, side, &argv))
            return false;
        command_append(&bytes, argv.items, argv.count);
        bool ok = connection_send(c, buffer_span(&bytes), PATIENCE_MS) &&
                  connection_fetch(c, &play->arena, PATIENCE_MS, &reply) == FETCH_REPLY;
        buffer_release(&bytes);
        if (!ok || reply.count != 2 || reply.items[0].type != REPLY_BULK)
            return false;
        if (side == ORACLE)
            note_sent(play, step, &argv, &reply, false);
        add_elements(play, all, &reply.items[1]);
        play_set_variable(play, SPAN("cursor"), side, reply.items[0].text);
        if (span_is(reply.items[0].text, "0"))
            return true;
    }
    return false;
}

// All elements that a walk finds, as one array.
static void play_scan(struct play *play, const struct step *step,
                      struct named_connection *connection)
{
    static const struct expect any_order = { .kind = EXPECT_PATTERN,
                                             .id = { "order", 5 },
                                             .pattern = { .kind = PATTERN_UNORDERED } };
    struct step judged = *step;
    struct reply all[SIDES] = { { .type = REPLY_ARRAY }, { .type = REPLY_ARRAY } };
    for (enum side side = ORACLE; side <= OURS; side++) {
        if (!scan_side(play, step, &connection->sides[side], side, &all[side])) {
            play_fail(play, step, "the walk does not come to an end");
            play->abandoned = true;
            return;
        }
    }
    judged.expect = any_order;
    play_judge(play, &judged, connection, NULL, all);
    play->result.commands++;
}

// --- Messages -----------------------------------------------------------------------------------

// Whether it is a message on the channel: [message, channel, text] or [pmessage, pattern, channel, text].
static bool is_message_on(const struct reply *reply, struct span channel)
{
    return reply->count >= 3 && span_equal(reply->items[reply->count - 2].text, channel);
}

// Publishes on a connection that has no other use: what is subscribed to on others does not matter.
static bool publish_mark(struct play *play, const struct step *step)
{
    const struct span argv[] = { SPAN("PUBLISH"), step->wanted, SPAN("mark") };
    struct named_connection *drain = play_connection(play, SPAN("drain"));
    struct reply replies[SIDES];
    struct buffer bytes[SIDES] = { 0 };
    if (!drain)
        return false;
    for (enum side side = ORACLE; side <= OURS; side++)
        command_append(&bytes[side], argv, 3);
    bool ok = play_send(play, step, drain, bytes) && play_fetch(play, step, drain, replies);
    release_both(bytes);
    return ok;
}

// What comes up to the mark, as one array whose bytes are those of all messages. False: no mark came.
static bool drain_side(struct play *play, const struct step *step, struct connection *c,
                       struct reply *all)
{
    struct buffer raw = { 0 };
    struct reply reply = { 0 };
    bool marked = false;
    while (connection_fetch(c, &play->arena, PATIENCE_MS, &reply) == FETCH_REPLY) {
        marked = is_message_on(&reply, step->wanted);
        if (marked)
            break;
        all->items = arena_grow(&play->arena, all->items, all->count, sizeof(*all->items));
        all->items[all->count++] = reply;
        buffer_append(&raw, reply.raw);
    }
    all->raw = arena_copy(&play->arena, buffer_span(&raw));
    buffer_release(&raw);
    return marked;
}

static void play_drain(struct play *play, const struct step *step)
{
    struct reply all[SIDES] = { { .type = REPLY_ARRAY }, { .type = REPLY_ARRAY } };
    if (!publish_mark(play, step))
        return;
    // Only now: opening a connection moves the others.
    struct named_connection *connection = play_connection(play, step->connection);
    if (!connection)
        return;
    for (enum side side = ORACLE; side <= OURS; side++) {
        if (drain_side(play, step, &connection->sides[side], &all[side]))
            continue;
        play_fail(play, step, "waited in vain for the mark");
        buffer_printf(play->out, "      %s\n", side_name(side));
        play->abandoned = true;
        return;
    }
    play_judge(play, step, connection, NULL, all);
}

void play_special(struct play *play, const struct step *step)
{
    struct named_connection *connection = play_connection(play, step->connection);
    if (!connection)
        return;
    switch (step->kind) {
    case STEP_SEND: play_send_only(play, step, connection); break;
    case STEP_RAW: play_raw(play, step, connection); break;
    case STEP_READ: play_read(play, step, connection); break;
    case STEP_UNTIL: play_until(play, step, connection); break;
    case STEP_SCAN: play_scan(play, step, connection); break;
    case STEP_DRAIN: play_drain(play, step); break;
    case STEP_CLOSED:
        play_expect_fetch(play, step, connection, FETCH_CLOSED, "the connection is not closed");
        break;
    case STEP_SILENT: play_expect_fetch(play, step, connection, FETCH_TIMEOUT, "not silent"); break;
    case STEP_COMMAND: play_commands(play, step, 1); break;
    }
}
