// SPDX-License-Identifier: BSD-3-Clause
// Plays a program on both servers and compares.
#include "random_internal.h"

#define PATIENCE_MS 20000
#define CHUNK       500
#define DATABASES   16
#define SHOWN_BYTES 400

static const struct pattern same = { .kind = PATTERN_SAME };
static const struct pattern unordered = { .kind = PATTERN_UNORDERED };

struct talk {
    const struct session *session;
    struct divergence *out;
    struct connection sides[SIDES];
    struct arena arena;  // of one chunk, or one look at the state
};

// --- Comparing ----------------------------------------------------------------------------------

static bool broken(struct talk *t, const char *what)
{
    t->out->found = t->out->broken = true;
    buffer_printf(&t->out->text, "      %s\n", what);
    return false;
}

static bool diverges(struct talk *t, const struct words *argv, const struct reply replies[SIDES],
                     const struct buffer *why)
{
    struct buffer *text = &t->out->text;
    t->out->found = true;
    buffer_text(text, "   ");
    for (size_t i = 0; i < argv->count; i++) {
        buffer_char(text, ' ');
        words_quote(text, argv->items[i]);
    }
    buffer_printf(text, "\n      %.*s\n", SHOW(buffer_span(why)));
    for (enum side side = ORACLE; side <= OURS; side++) {
        buffer_printf(text, "      %s  ", side_name(side));
        words_escape(text, replies[side].raw, SHOWN_BYTES);
        buffer_char(text, '\n');
    }
    return false;
}

// By the rule for replies of this command.
static const struct pattern *pattern_of(const struct session *session, struct span command)
{
    const struct rule *rule = rules_find(&session->rules->replies, command);
    return rule ? &rule->pattern : &same;
}

static bool compare(struct talk *t, const struct pattern *pattern, const struct words *argv,
                    const struct reply replies[SIDES])
{
    if (span_equal(replies[ORACLE].raw, replies[OURS].raw))
        return true;
    struct buffer why = { 0 };
    bool ok = pattern_match(pattern, &replies[ORACLE], &replies[OURS], &why) ||
              diverges(t, argv, replies, &why);
    buffer_release(&why);
    return ok;
}

static bool send_both(struct talk *t, const struct buffer *bytes)
{
    for (enum side side = ORACLE; side <= OURS; side++) {
        if (!connection_send(&t->sides[side], buffer_span(bytes), PATIENCE_MS))
            return broken(t, "a server does not take commands any more");
    }
    return true;
}

static bool fetch_both(struct talk *t, struct reply replies[SIDES])
{
    for (enum side side = ORACLE; side <= OURS; side++) {
        if (connection_fetch(&t->sides[side], &t->arena, PATIENCE_MS, &replies[side]) ==
            FETCH_REPLY)
            continue;
        buffer_printf(&t->out->text, "      %s: ", side_name(side));
        return broken(t, "no reply");
    }
    return true;
}

// --- The program --------------------------------------------------------------------------------

static void count(const struct session *session, const struct generated *command,
                  const struct reply *oracle)
{
    if (!session->sent)
        return;
    session->sent[command->command]++;
    session->accepted[command->command] += !reply_is_error(oracle);
}

// So many commands from `from` on, in one write.
static bool play_chunk(struct talk *t, const struct program *program, size_t from, size_t n)
{
    struct buffer bytes = { 0 };
    struct reply replies[SIDES];
    for (size_t i = from; i < from + n; i++)
        command_append(&bytes, program->items[i].argv.items, program->items[i].argv.count);
    bool ok = send_both(t, &bytes);
    buffer_release(&bytes);
    for (size_t i = from; i < from + n && ok; i++) {
        const struct generated *command = &program->items[i];
        t->out->at = i;
        ok = fetch_both(t, replies);
        if (!ok)
            break;
        count(t->session, command, &replies[ORACLE]);
        if (t->session->compare_replies)
            ok = compare(t, pattern_of(t->session, t->session->names[command->command]),
                         &command->argv, replies);
    }
    arena_release(&t->arena);
    return ok;
}

// --- The state ----------------------------------------------------------------------------------

// Asks both the same, and compares. The replies live as long as the arena.
static bool ask_both(struct talk *t, const struct words *argv, const struct pattern *pattern,
                     struct reply replies[SIDES])
{
    struct buffer bytes = { 0 };
    command_append(&bytes, argv->items, argv->count);
    bool ok = send_both(t, &bytes) && fetch_both(t, replies) && compare(t, pattern, argv, replies);
    buffer_release(&bytes);
    return ok;
}

// The words of a state rule, for this key.
static struct words for_key(struct talk *t, const struct words *words, struct span key)
{
    struct words out = { .items = arena_alloc(&t->arena, words->count * sizeof(*out.items)),
                         .count = words->count };
    for (size_t i = 0; i < words->count; i++)
        out.items[i] = span_is(words->items[i], "$(key)") ? key : words->items[i];
    return out;
}

static bool compare_key(struct talk *t, struct span key)
{
    const struct rule_list *states = &t->session->rules->states;
    struct reply replies[SIDES];
    struct words ask_type = { (struct span[]){ SPAN("type"), key }, 2 };
    if (!ask_both(t, &ask_type, pattern_of(t->session, SPAN("type")), replies))
        return false;
    struct span type = replies[ORACLE].text;
    for (size_t i = 0; i < states->count; i++) {
        const struct rule *rule = &states->items[i];
        if (!span_is(rule->name, "*") && !span_equal(rule->name, type))
            continue;
        struct words argv = for_key(t, &rule->words, key);
        if (!ask_both(t, &argv, pattern_of(t->session, argv.items[0]), replies))
            return false;
    }
    return true;
}

static bool compare_database(struct talk *t, int database)
{
    struct span number = arena_printf(&t->arena, "%d", database);
    struct words select = { (struct span[]){ SPAN("select"), number }, 2 };
    struct words keys = { (struct span[]){ SPAN("keys"), SPAN("*") }, 2 };
    struct reply replies[SIDES];
    if (!ask_both(t, &select, &same, replies) || !ask_both(t, &keys, &unordered, replies))
        return false;
    struct reply all = replies[ORACLE];
    for (size_t i = 0; i < all.count; i++) {
        if (!compare_key(t, all.items[i].text))
            return false;
    }
    return true;
}

static bool connect_both(struct talk *t, int protocol);

// With connections of its own: the program's have their databases selected.
static bool compare_state(const struct talk *program, size_t at)
{
    struct talk t = { .session = program->session, .out = program->out };
    bool ok = connect_both(&t, 2);
    for (int database = 0; database < DATABASES && ok; database++) {
        ok = compare_database(&t, database);
        arena_release(&t.arena);
    }
    if (!ok) {
        t.out->in_state = true;
        t.out->at = at;
    }
    for (enum side side = ORACLE; side <= OURS; side++)
        connection_close(&t.sides[side]);
    return ok;
}

// --- A session ----------------------------------------------------------------------------------

static bool connect_both(struct talk *t, int protocol)
{
    struct reply replies[SIDES];
    struct buffer bytes = { 0 };
    buffer_printf(&bytes, "HELLO %d\r\n", protocol);
    t->sides[ORACLE].fd = t->sides[OURS].fd = -1;
    for (enum side side = ORACLE; side <= OURS; side++) {
        if (!server_connect(&t->session->pair->servers[side], false, &t->sides[side])) {
            buffer_release(&bytes);
            return broken(t, "no connection");
        }
    }
    bool ok = send_both(t, &bytes) && fetch_both(t, replies);
    buffer_release(&bytes);
    return ok;
}

static bool flush_both(struct talk *t)
{
    struct words argv = { (struct span[]){ SPAN("flushall") }, 1 };
    struct reply replies[SIDES];
    return ask_both(t, &argv, &same, replies);
}

static bool state_due(const struct session *session, const struct program *program, size_t done)
{
    if (session->state_every == 0)
        return false;
    return done % session->state_every == 0 || done == program->count;
}

void session_play(const struct session *session, const struct program *program,
                  struct divergence *out)
{
    struct talk t = { .session = session, .out = out };
    struct buffer text = out->text;
    *out = (struct divergence){ .text = text };
    bool ok = connect_both(&t, session->protocol) && flush_both(&t);
    for (size_t done = 0; done < program->count && ok;) {
        size_t n = program->count - done < CHUNK ? program->count - done : CHUNK;
        ok = play_chunk(&t, program, done, n);
        done += n;
        if (ok && state_due(session, program, done))
            ok = compare_state(&t, done);
    }
    for (enum side side = ORACLE; side <= OURS; side++)
        connection_close(&t.sides[side]);
    arena_release(&t.arena);
}
