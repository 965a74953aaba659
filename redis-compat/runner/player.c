// SPDX-License-Identifier: BSD-3-Clause
// Plays a case: its connections, its variables, and what is said of failures.
#include "judge.h"
#include "player_internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

// A case that goes wrong this often is not played to its end.
#define FAILURES_MAX 20
#define SHOWN_BYTES  700

// --- Failures -----------------------------------------------------------------------------------

void play_fail(struct play *play, const struct step *step, const char *reason)
{
    buffer_printf(play->out, "    line %d: %.*s\n      %s\n", step->line, SHOW(step->source),
                  reason);
    play->failures++;
    if (play->failures >= FAILURES_MAX)
        play->abandoned = true;
}

// The bytes around the first that differs.
static void append_raw(struct buffer *out, struct span raw, size_t differ_at)
{
    size_t skipped = differ_at > SHOWN_BYTES / 2 ? differ_at - SHOWN_BYTES / 4 : 0;
    if (skipped > 0)
        buffer_printf(out, "(from byte %zu) ", skipped);
    words_escape(out, (struct span){ raw.ptr + skipped, raw.len - skipped }, SHOWN_BYTES);
}

static void append_replies(struct play *play, const struct reply replies[SIDES])
{
    struct span a = replies[ORACLE].raw;
    struct span b = replies[OURS].raw;
    size_t at = 0;
    while (at < a.len && at < b.len && a.ptr[at] == b.ptr[at])
        at++;
    if (at > a.len || at > b.len || (at == a.len && at == b.len))
        at = 0;
    for (enum side side = ORACLE; side <= OURS; side++) {
        struct buffer shown = { 0 };
        reply_print(&shown, &replies[side], SHOWN_BYTES);
        buffer_printf(play->out, "      %s  %.*s\n", side_name(side), SHOW(buffer_span(&shown)));
        buffer_release(&shown);
    }
    for (enum side side = ORACLE; side <= OURS; side++) {
        buffer_printf(play->out, "      %s  ", side_name(side));
        append_raw(play->out, replies[side].raw, at);
        buffer_char(play->out, '\n');
    }
}

// --- Words and variables ------------------------------------------------------------------------

static struct variable *find_variable(const struct play *play, struct span name)
{
    for (size_t i = 0; i < play->variable_count; i++) {
        if (span_equal(play->variables[i].name, name))
            return &play->variables[i];
    }
    return NULL;
}

void play_set_variable(struct play *play, struct span name, enum side side, struct span value)
{
    struct variable *variable = find_variable(play, name);
    if (!variable) {
        play->variables = arena_grow(&play->arena, play->variables, play->variable_count,
                                     sizeof(*play->variables));
        variable = &play->variables[play->variable_count++];
        *variable = (struct variable){ .name = name };
    }
    variable->values[side] = value;
}

// now, now+N, now-N (seconds), nowms+N (milliseconds)
static bool resolve_time(const struct play *play, struct span name, struct buffer *out)
{
    bool ms = span_starts(name, "nowms");
    size_t skipped = ms ? 5 : 3;
    long long offset = 0;
    if (!span_starts(name, "now"))
        return false;
    struct span rest = { name.ptr + skipped, name.len - skipped };
    if (span_starts(rest, "+"))
        rest = (struct span){ rest.ptr + 1, rest.len - 1 };
    if (rest.len > 0 && !span_int(rest, &offset))
        return false;
    buffer_printf(out, "%lld",
                  (long long)(ms ? play->step_wall_ms : play->step_wall_ms / 1000) + offset);
    return true;
}

static bool resolve(void *udata, struct span name, struct buffer *out)
{
    const struct play *play = udata;
    const struct variable *variable = find_variable(play, name);
    if (!variable)
        return resolve_time(play, name, out);
    buffer_append(out, variable->values[play->expanding]);
    return true;
}

bool play_expand(struct play *play, const struct step *step, enum side side, struct words *out)
{
    struct resolver resolver = { resolve, play };
    const char *error;
    play->expanding = side;
    if (words_split(&play->arena, step->source, &resolver, out, &error))
        return true;
    play_fail(play, step, error);
    play->abandoned = true;
    return false;
}

// The value of field= in a text.
static struct span field_of(struct span text, struct span field)
{
    for (size_t i = 0; i + field.len < text.len; i++) {
        bool begins = i == 0 || text.ptr[i - 1] == ' ' || text.ptr[i - 1] == '\n';
        if (!begins || text.ptr[i + field.len] != '=' ||
            memcmp(text.ptr + i, field.ptr, field.len) != 0)
            continue;
        struct span value = { text.ptr + i + field.len + 1, 0 };
        while (value.ptr + value.len < text.ptr + text.len && value.ptr[value.len] != ' ' &&
               value.ptr[value.len] != '\n')
            value.len++;
        return value;
    }
    return (struct span){ 0 };
}

void play_save(struct play *play, const struct step *step, const struct reply replies[SIDES])
{
    for (size_t i = 0; i < step->save_count; i++) {
        const struct save *save = &step->saves[i];
        for (enum side side = ORACLE; side <= OURS; side++) {
            const struct reply *from = &replies[save->swapped ? !side : side];
            if (save->element >= 0 && (size_t)save->element < from->count)
                from = &from->items[save->element];
            struct span value = save->field.len > 0 ? field_of(from->text, save->field)
                                                    : from->text;
            if (!value.ptr)
                play_fail(play, step, "there is nothing to save");
            play_set_variable(play, save->name, side, value);
        }
    }
}

// --- Connections --------------------------------------------------------------------------------

static bool say_hello(struct connection *c, int protocol)
{
    struct arena arena = { 0 };
    struct reply reply = { 0 };
    if (protocol != 3)
        return true;
    bool ok = connection_send(c, SPAN("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"), PATIENCE_MS) &&
              connection_fetch(c, &arena, PATIENCE_MS, &reply) == FETCH_REPLY &&
              reply.type == REPLY_MAP;
    arena_release(&arena);
    return ok;
}

struct named_connection *play_connection(struct play *play, struct span name)
{
    for (size_t i = 0; i < play->connection_count; i++) {
        if (span_equal(play->connections[i].name, name))
            return &play->connections[i];
    }
    play->connections = arena_grow(&play->arena, play->connections, play->connection_count,
                                   sizeof(*play->connections));
    struct named_connection *connection = &play->connections[play->connection_count++];
    *connection = (struct named_connection){ .name = name };
    int hello = play->test->protocol == PROTOCOL_NONE ? 0 : play->protocol;
    bool ok = true;
    for (enum side side = ORACLE; side <= OURS; side++) {
        struct connection *c = &connection->sides[side];
        if (server_connect(&play->pair->servers[side], play->test->tcp, c) && say_hello(c, hello))
            continue;
        buffer_printf(play->out, "    no connection to the %s: %s\n", side_name(side),
                      strerror(errno));
        ok = false;
    }
    if (ok)
        return connection;
    play->failures++;
    play->abandoned = true;
    return NULL;
}

bool play_send(struct play *play, const struct step *step, struct named_connection *connection,
               const struct buffer bytes[SIDES])
{
    for (enum side side = ORACLE; side <= OURS; side++) {
        if (connection_send(&connection->sides[side], buffer_span(&bytes[side]), PATIENCE_MS))
            continue;
        play_fail(play, step, "could not be sent");
        play->abandoned = true;
        return false;
    }
    return true;
}

bool play_fetch(struct play *play, const struct step *step, struct named_connection *connection,
                struct reply replies[SIDES])
{
    static const char *const results[] = {
        [FETCH_REPLY] = "a reply",
        [FETCH_CLOSED] = "closes the connection",
        [FETCH_TIMEOUT] = "no reply",
        [FETCH_BAD] = "something that is no reply",
    };
    enum fetch_result got[SIDES];
    for (enum side side = ORACLE; side <= OURS; side++)
        got[side] = connection_fetch(&connection->sides[side], &play->arena, PATIENCE_MS,
                                     &replies[side]);
    if (got[ORACLE] == FETCH_REPLY && got[OURS] == FETCH_REPLY)
        return true;
    play_fail(play, step, "not both answer");
    for (enum side side = ORACLE; side <= OURS; side++) {
        buffer_printf(play->out, "      %s  %s  ", side_name(side), results[got[side]]);
        struct span bytes = connection_unread(&connection->sides[side]);
        words_escape(play->out, got[side] == FETCH_REPLY ? replies[side].raw : bytes, SHOWN_BYTES);
        buffer_char(play->out, '\n');
    }
    play->abandoned = true;
    return false;
}

// Whether Respite does not have the command, or not the subcommand.
static bool lacks_command(const struct play *play, const struct words *argv)
{
    const struct command *command = catalog_find(play->player->catalog, argv->items, argv->count);
    if (!command || !command->has[OURS])
        return true;
    return command->container && argv->count > command->words;
}

// What may be wanted of Respite's reply, where only its kind counts.
static enum ability ability_of(const struct play *play, struct named_connection *connection,
                               const struct words *argv)
{
    if (!argv)
        return ABLE;
    bool lacks = lacks_command(play, argv);
    bool queued = connection->would_queue;
    if (span_is_word(argv->items[0], "multi"))
        connection->would_queue = lacks;
    if (span_is_word(argv->items[0], "exec") || span_is_word(argv->items[0], "discard"))
        connection->would_queue = false;
    if (lacks)
        return UNABLE;
    return queued ? OUT_OF_STEP : ABLE;
}

void play_judge(struct play *play, const struct step *step, struct named_connection *connection,
                const struct words *argv, const struct reply replies[SIDES])
{
    struct exchange exchange = { .expect = &step->expect, .protocol = play->protocol };
    struct buffer why = { 0 };
    if (play->player->any_reply)
        return;
    exchange.replies[ORACLE] = replies[ORACLE];
    exchange.replies[OURS] = replies[OURS];
    exchange.ability = ability_of(play, connection, argv);
    if (!judge(play->player->known, &exchange, &why)) {
        play_fail(play, step, why.data ? why.data : "");
        append_replies(play, replies);
    }
    buffer_release(&why);
}

// --- The case -----------------------------------------------------------------------------------

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void play_steps(struct play *play)
{
    const struct test_case *test = play->test;
    size_t i = 0;
    while (i < test->step_count && !play->abandoned) {
        const struct step *step = &test->steps[i];
        size_t count = 1;
        while (step->pipeline && i + count < test->step_count &&
               step[count].pipeline == step->pipeline)
            count++;
        play->step_wall_ms = wall_ms();
        if (step->kind == STEP_COMMAND)
            play_commands(play, step, count);
        else
            play_special(play, step);
        i += count;
    }
}

// The runner reads no streams here, but what a case says of them has to be in the list.
static void note_stream(struct play *play)
{
    struct span id = play->test->stream;
    if (id.len == 0 || known_find(play->player->known, id))
        return;
    buffer_printf(play->out, "    %%stream %.*s: not in KNOWN_DIFFERENCES.md\n", SHOW(id));
    play->failures++;
}

static void note_covers(struct play *play)
{
    for (size_t i = 0; i < play->test->covers_count; i++) {
        const struct covers *covers = &play->test->covers[i];
        if (coverage_note_covers(play->player->coverage, covers))
            continue;
        buffer_printf(play->out, "    %%covers %.*s: no such command or word\n",
                      SHOW(covers->command));
        play->failures++;
    }
}

struct play_result player_play(const struct player *player, struct pair *pair,
                               const struct test_case *test, int protocol, struct buffer *out)
{
    struct play play = {
        .player = player, .pair = pair, .test = test, .protocol = protocol, .out = out
    };
    play_steps(&play);
    note_covers(&play);
    note_stream(&play);
    for (size_t i = 0; i < play.connection_count; i++) {
        for (enum side side = ORACLE; side <= OURS; side++)
            connection_close(&play.connections[i].sides[side]);
    }
    arena_release(&play.arena);
    play.result.passed = play.failures == 0;
    return play.result;
}
