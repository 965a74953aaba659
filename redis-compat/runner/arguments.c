// SPDX-License-Identifier: BSD-3-Clause
// Argument trees: see arguments.h.
//
// Matching backtracks. What is still to be matched is a chain of frames on the stack: a list from some
// index on, or an argument that may come again; behind the last frame the words have to be at an end.
#include "arguments.h"

#include <stdint.h>

#define STEPS_MAX 200000

// --- Reading ------------------------------------------------------------------------------------

static bool read_type(struct span name, enum argument_type *out)
{
    static const char *const names[] = { "string",    "integer",    "double", "key",  "pattern",
                                         "unix-time", "pure-token", "oneof",  "block" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (span_is(name, names[i])) {
            *out = (enum argument_type)i;
            return true;
        }
    }
    return false;
}

static void read_flags(const struct reply *flags, struct argument *out)
{
    for (size_t i = 0; flags && i < flags->count; i++) {
        struct span flag = flags->items[i].text;
        out->optional |= span_is(flag, "optional");
        out->multiple |= span_is(flag, "multiple");
        out->multiple_token |= span_is(flag, "multiple_token");
    }
}

static bool read_argument(struct arena *arena, const struct reply *reply, struct argument *out)
{
    const struct reply *name = reply_lookup(reply, "name");
    const struct reply *type = reply_lookup(reply, "type");
    const struct reply *token = reply_lookup(reply, "token");
    struct argument_list children;
    if (!name || !type || !read_type(type->text, &out->type))
        return false;
    out->name = arena_copy(arena, name->text);
    if (token)
        out->token = arena_copy(arena, token->text);
    read_flags(reply_lookup(reply, "flags"), out);
    if (!arguments_read(arena, reply_lookup(reply, "arguments"), &children))
        return false;
    out->children = children.items;
    out->child_count = children.count;
    return true;
}

bool arguments_read(struct arena *arena, const struct reply *reply, struct argument_list *out)
{
    *out = (struct argument_list){ 0 };
    if (!reply)
        return true;
    out->items = arena_alloc(arena, reply->count * sizeof(*out->items));
    out->count = reply->count;
    for (size_t i = 0; i < reply->count; i++) {
        if (!read_argument(arena, &reply->items[i], &out->items[i]))
            return false;
    }
    return true;
}

bool arguments_have(const struct argument_list *list, enum argument_type type)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct argument *argument = &list->items[i];
        struct argument_list children = { argument->children, argument->child_count };
        if (argument->type == type || arguments_have(&children, type))
            return true;
    }
    return false;
}

// --- Matching -----------------------------------------------------------------------------------

struct frame {
    const struct frame *up;
    // A list from `index` on; `taken` are the options of the present run that have been met.
    struct argument *items;
    size_t count;
    size_t index;
    uint64_t taken;
    // Or an argument that may come again, if it has come this far.
    struct argument *again;
    size_t from;
};

// What has been met on the way, newest first.
struct met {
    const struct met *before;
    struct argument *argument;
    bool again;
};

struct matcher {
    const struct span *argv;
    size_t argc;
    int steps;
};

static bool match_frame(struct matcher *m, const struct frame *frame, size_t pos,
                        const struct met *met);
static bool match_argument(struct matcher *m, struct argument *argument, size_t pos,
                           const struct frame *next, const struct met *met, bool again);

static bool looks_like_number(struct span word)
{
    double number;
    return span_number(word, &number);
}

static bool fits(enum argument_type type, struct span word)
{
    bool number = type == ARGUMENT_INTEGER || type == ARGUMENT_TIME || type == ARGUMENT_DOUBLE;
    return !number || looks_like_number(word);
}

// The value behind the token.
static bool match_value(struct matcher *m, struct argument *argument, size_t pos,
                        const struct frame *next, const struct met *met)
{
    switch (argument->type) {
    case ARGUMENT_TOKEN: return match_frame(m, next, pos, met);
    case ARGUMENT_ONEOF:
        for (size_t i = 0; i < argument->child_count; i++) {
            if (match_argument(m, &argument->children[i], pos, next, met, false))
                return true;
        }
        return false;
    case ARGUMENT_BLOCK: {
        struct frame inside = { .up = next,
                                .items = argument->children,
                                .count = argument->child_count };
        return match_frame(m, &inside, pos, met);
    }
    default:
        return pos < m->argc && fits(argument->type, m->argv[pos]) &&
               match_frame(m, next, pos + 1, met);
    }
}

// One instance of an argument, then what follows; `again`: it is not the first.
static bool match_argument(struct matcher *m, struct argument *argument, size_t pos,
                           const struct frame *next, const struct met *met, bool again)
{
    struct met here = { .before = met, .argument = argument, .again = again };
    struct frame more = { .up = next, .again = argument, .from = pos };
    if (argument->token.ptr && (!again || argument->multiple_token)) {
        if (pos >= m->argc || !span_equal_word(m->argv[pos], argument->token))
            return false;
        pos++;
    }
    return match_value(m, argument, pos, argument->multiple ? &more : next, &here);
}

static size_t end_of_run(const struct frame *frame)
{
    size_t end = frame->index;
    while (end < frame->count && frame->items[end].optional)
        end++;
    return end;
}

// At the first of a run of options: any of them, or none any more.
static bool match_options(struct matcher *m, const struct frame *frame, size_t pos,
                          const struct met *met)
{
    size_t end = end_of_run(frame);
    struct frame next = *frame;
    for (size_t i = frame->index; i < end; i++) {
        uint64_t bit = (uint64_t)1 << (i - frame->index) % 64;
        next.taken = frame->taken | bit;
        if (!(frame->taken & bit) && match_argument(m, &frame->items[i], pos, &next, met, false))
            return true;
    }
    next.index = end;
    next.taken = 0;
    return match_frame(m, &next, pos, met);
}

static void mark(const struct met *met)
{
    for (; met; met = met->before) {
        met->argument->used = true;
        met->argument->used_many |= met->again;
    }
}

static bool match_frame(struct matcher *m, const struct frame *frame, size_t pos,
                        const struct met *met)
{
    if (--m->steps < 0)
        return false;
    if (!frame) {
        if (pos != m->argc)
            return false;
        mark(met);
        return true;
    }
    if (frame->again) {
        bool went_on = pos > frame->from;
        // What follows comes first: a key may be any word, a token behind the keys included.
        return match_frame(m, frame->up, pos, met) ||
               (went_on && match_argument(m, frame->again, pos, frame->up, met, true));
    }
    if (frame->index == frame->count)
        return match_frame(m, frame->up, pos, met);
    if (frame->items[frame->index].optional)
        return match_options(m, frame, pos, met);
    struct frame next = *frame;
    next.index++;
    return match_argument(m, &frame->items[frame->index], pos, &next, met, false);
}

bool arguments_match(const struct argument_list *list, const struct span *argv, size_t argc)
{
    struct matcher m = { .argv = argv, .argc = argc, .steps = STEPS_MAX };
    struct frame all = { .items = list->items, .count = list->count };
    return match_frame(&m, &all, 0, NULL);
}
