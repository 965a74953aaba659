// SPDX-License-Identifier: BSD-3-Clause
// Reads random.rules.
#include "random_internal.h"

#include <errno.h>
#include <string.h>

struct reader {
    struct rules *rules;
    const struct random_options *options;
    int line;
};

_Noreturn static void mistake(const struct reader *r, const char *what)
{
    die("%s:%d: %s", r->options->rules_path, r->line, what);
}

static void add(struct reader *r, struct rule_list *list, const struct rule *rule)
{
    list->items = arena_grow(&r->rules->arena, list->items, list->count, sizeof(*list->items));
    list->items[list->count++] = *rule;
}

static struct words rest_of(const struct words *words, size_t from)
{
    return (struct words){ words->items + from, words->count - from };
}

// Rules about a command that neither server has are for one that is yet to come.
static void check_command(const struct reader *r, struct span name)
{
    if (!catalog_named(r->options->catalog, name))
        mistake(r, "the oracle has no such command (lower case is wanted)");
}

// reply NAME id pattern
static void read_reply(struct reader *r, struct span line, struct rule *rule)
{
    const char *error;
    struct span id = rule->words.items[0];
    check_command(r, rule->name);
    if (!known_find(r->options->known, id))
        mistake(r, "this is not in KNOWN_DIFFERENCES.md");
    for (int word = 0; word < 3; word++)
        span_take_word(&line);
    if (!pattern_parse(&r->rules->arena, line, &rule->pattern, &error))
        mistake(r, error);
    add(r, &r->rules->replies, rule);
}

static void read_rule(struct reader *r, struct span line, const struct words *words)
{
    struct rules *rules = r->rules;
    struct span what = words->items[0];
    struct rule rule = { .name = words->items[1], .words = rest_of(words, 2) };
    if (rule.words.count == 0)
        mistake(r, "something is missing");
    if (span_is(what, "weight")) {
        check_command(r, rule.name);
        if (!span_int(rule.words.items[0], &rule.number) || rule.number < 1)
            mistake(r, "a weight is a number from 1 on");
        add(r, &rules->weights, &rule);
    } else if (span_is(what, "keys")) {
        add(r, &rules->keys, &rule);
    } else if (span_is(what, "values")) {
        add(r, &rules->values, &rule);
    } else if (span_is(what, "state")) {
        add(r, &rules->states, &rule);
    } else if (span_is(what, "reply")) {
        read_reply(r, line, &rule);
    } else {
        mistake(r, "a rule begins with weight, skip, counted, keys, values, state or reply");
    }
}

// skip COMMAND REASON and its kin: the reason is a text, not words.
static void read_reasoned(struct reader *r, struct span line, struct rule_list *list)
{
    span_take_word(&line);
    struct rule rule = { .name = span_take_word(&line) };
    if (line.len == 0)
        mistake(r, "a reason is missing");
    check_command(r, rule.name);
    add(r, list, &rule);
}

void rules_read(struct rules *rules, const struct random_options *options)
{
    struct buffer file = { 0 };
    struct span line;
    struct words words;
    const char *error;
    struct reader r = { .rules = rules, .options = options };
    *rules = (struct rules){ 0 };
    if (!buffer_read_file(&file, options->rules_path))
        die("%s: %s", options->rules_path, strerror(errno));
    struct span text = arena_copy(&rules->arena, buffer_span(&file));
    buffer_release(&file);
    while (span_next_line(&text, &line)) {
        r.line++;
        line = span_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (span_starts(line, "skip ")) {
            read_reasoned(&r, line, &rules->skips);
            continue;
        }
        if (span_starts(line, "counted ")) {
            read_reasoned(&r, line, &rules->counted);
            continue;
        }
        if (!words_split(&rules->arena, line, NULL, &words, &error))
            mistake(&r, error);
        if (words.count < 2)
            mistake(&r, "something is missing");
        read_rule(&r, line, &words);
    }
    if (rules->keys.count == 0)
        mistake(&r, "there are no keys");
}

void rules_release(struct rules *rules)
{
    arena_release(&rules->arena);
}

const struct rule *rules_find(const struct rule_list *list, struct span name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (span_equal(list->items[i].name, name))
            return &list->items[i];
    }
    return NULL;
}
