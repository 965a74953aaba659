// SPDX-License-Identifier: BSD-3-Clause
// Shrinks a program that makes the servers differ: delta debugging (Zeller and Hildebrandt 2002),
// with the command that differs kept at the end.
#include "random_internal.h"

#include <stdlib.h>
#include <string.h>

// So many plays at the most, and so long.
#define PLAYS_MAX 800
#define LIMIT_MS  20000

#define SHOWN_COMMANDS 30

struct shrinker {
    struct session session;
    const struct divergence *wanted;
    struct span command;  // the one that differs, unless the state does
    int plays;
    int64_t until_ms;
};

// Whether a shorter program still differs in the same way.
static bool still_diverges(struct shrinker *s, const struct program *program)
{
    struct divergence got = { 0 };
    if (s->plays++ >= PLAYS_MAX || now_ms() > s->until_ms)
        return false;
    session_play(&s->session, program, &got);
    bool same = got.found && got.in_state == s->wanted->in_state && got.broken == s->wanted->broken;
    if (same && !got.in_state)
        same = span_equal(s->session.names[program->items[got.at].command], s->command);
    buffer_release(&got.text);
    return same;
}

// Leaves out `n` commands from `at` on, if the rest still differs.
static bool leave_out(struct shrinker *s, struct program *program, size_t at, size_t n)
{
    struct program shorter = { .count = program->count - n };
    shorter.items = malloc((shorter.count + 1) * sizeof(*shorter.items));
    if (!shorter.items)
        die("out of memory");
    memcpy(shorter.items, program->items, at * sizeof(*shorter.items));
    memcpy(shorter.items + at, program->items + at + n,
           (program->count - at - n) * sizeof(*shorter.items));
    bool ok = still_diverges(s, &shorter);
    if (ok) {
        memcpy(program->items, shorter.items, shorter.count * sizeof(*shorter.items));
        program->count = shorter.count;
    }
    free(shorter.items);
    return ok;
}

// Tries parts of half the size each time, down to single commands.
static void shrink(struct shrinker *s, struct program *program, size_t kept)
{
    size_t part = program->count > kept ? (program->count - kept + 1) / 2 : 0;
    while (part > 0) {
        bool any = false;
        size_t at = 0;
        while (at + kept < program->count) {
            size_t left = program->count - kept - at;
            size_t n = part < left ? part : left;
            if (leave_out(s, program, at, n))
                any = true;
            else
                at += n;
        }
        if (!any || part > 1)
            part /= 2;
    }
}

void session_shrink(const struct session *session, struct program *program,
                    struct divergence *divergence)
{
    struct shrinker s = { .session = *session, .wanted = divergence };
    s.until_ms = now_ms() + LIMIT_MS;
    s.session.sent = s.session.accepted = NULL;
    // The state is looked at when all is done; replies have been the same until then.
    s.session.state_every = divergence->in_state ? SIZE_MAX : 0;
    s.session.compare_replies = !divergence->in_state;
    if (divergence->at < program->count)
        program->count = divergence->at + !divergence->in_state;
    if (!divergence->in_state)
        s.command = session->names[program->items[divergence->at].command];
    if (!still_diverges(&s, program)) {
        // Not even whole: it hung on the moment. The last commands may tell something.
        size_t shown = program->count < SHOWN_COMMANDS ? program->count : SHOWN_COMMANDS;
        program->items += program->count - shown;
        program->count = shown;
        buffer_text(&divergence->text, "      (did not come again in a second run; shown are the "
                                       "last commands)\n");
        return;
    }
    shrink(&s, program, divergence->in_state ? 0 : 1);
    struct divergence last = { 0 };
    session_play(&s.session, program, &last);
    buffer_release(last.found ? &divergence->text : &last.text);
    if (last.found)
        *divergence = last;
}
