// SPDX-License-Identifier: BSD-3-Clause
// Makes commands from argument trees.
//
// Most are valid: options come now and then, values fit their names and types, keys belong to the
// command's group. A few are spoilt afterwards.
#include "random_internal.h"

#define WEIGHT          10
#define OPTION_PERCENT  30
#define OWN_KEY_PERCENT 85
#define SPOILT_PERCENT  6
#define REPEATED_MAX    3

struct maker {
    struct arena *arena;
    const struct rules *rules;
    uint64_t state;
    uint64_t spread;  // how many of the values that are far apart have been given
    const struct command *command;
    struct words argv;
    long long numkeys;  // what an argument of that name has announced; 0: nothing
};

static uint64_t next_random(struct maker *m)
{
    // splitmix64 (Steele, Lea and Flood 2014)
    uint64_t z = m->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t below(struct maker *m, uint64_t limit)
{
    return next_random(m) % limit;
}

static bool percent(struct maker *m, unsigned chance)
{
    return below(m, 100) < chance;
}

static void emit(struct maker *m, struct span word)
{
    struct words *argv = &m->argv;
    argv->items = arena_grow(m->arena, argv->items, argv->count, sizeof(*argv->items));
    argv->items[argv->count++] = word;
}

// --- Values -------------------------------------------------------------------------------------

// Takes ":N" off.
static long long take_number(struct span *text)
{
    size_t len = 1;
    long long number;
    if (!span_starts(*text, ":"))
        die("random.rules: a number is missing in $(...)");
    while (len < text->len && text->ptr[len] != ':')
        len++;
    if (!span_int((struct span){ text->ptr + 1, len - 1 }, &number))
        die("random.rules: not a number in $(...): %.*s", SHOW(*text));
    text->ptr += len;
    text->len -= len;
    return number;
}

static struct span random_bytes(struct maker *m, long long max)
{
    size_t len = below(m, (uint64_t)max + 1);
    char *bytes = arena_alloc(m->arena, len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)next_random(m);
    return (struct span){ bytes, len };
}

// $(range:A:B), $(bytes:N), $(spread:N:BASE): random.rules says what they are
static struct span special_value(struct maker *m, struct span word)
{
    struct span inner = { word.ptr + 2, word.len - 3 };
    struct span rest = inner;
    while (rest.len > 0 && rest.ptr[0] != ':') {
        rest.ptr++;
        rest.len--;
    }
    if (span_starts(inner, "range:")) {
        long long low = take_number(&rest);
        long long high = take_number(&rest);
        return arena_printf(m->arena, "%lld",
                            low + (long long)below(m, (uint64_t)(high - low) + 1));
    }
    if (span_starts(inner, "bytes:"))
        return random_bytes(m, take_number(&rest));
    if (span_starts(inner, "spread:")) {
        // A prime number of different ones, in an order that jumps.
        long long place = 1 + (long long)(m->spread++ * 7919 % 99991);
        long long step = take_number(&rest);
        long long base = rest.len > 0 ? take_number(&rest) : 0;
        return arena_printf(m->arena, "%lld", base + step * place);
    }
    die("random.rules: no such value: %.*s", SHOW(word));
}

static struct span choose(struct maker *m, const struct words *words)
{
    struct span word = words->items[below(m, words->count)];
    return span_starts(word, "$(") ? special_value(m, word) : word;
}

static const char *type_name(enum argument_type type)
{
    switch (type) {
    case ARGUMENT_INTEGER: return "type:integer";
    case ARGUMENT_DOUBLE: return "type:double";
    case ARGUMENT_PATTERN: return "type:pattern";
    case ARGUMENT_TIME: return "type:unix-time";
    default: return "type:string";
    }
}

static struct span random_value(struct maker *m, const struct argument *argument)
{
    const struct rule_list *values = &m->rules->values;
    struct span full = arena_printf(m->arena, "%.*s.%.*s", SHOW(m->command->name),
                                    SHOW(argument->name));
    const struct rule *rule = rules_find(values, full);
    if (!rule)
        rule = rules_find(values, argument->name);
    if (!rule)
        rule = rules_find(values, span_of(type_name(argument->type)));
    if (!rule)
        die("random.rules: no values for %.*s", SHOW(full));
    return choose(m, &rule->words);
}

static struct span random_key(struct maker *m)
{
    const struct rule_list *keys = &m->rules->keys;
    const struct rule *rule = rules_find(keys, m->command->group);
    if (!rule || !percent(m, OWN_KEY_PERCENT))
        rule = &keys->items[below(m, keys->count)];
    return choose(m, &rule->words);
}

// --- Trees --------------------------------------------------------------------------------------

static void make_list(struct maker *m, const struct argument *items, size_t count);

static void make_value(struct maker *m, const struct argument *argument)
{
    switch (argument->type) {
    case ARGUMENT_TOKEN: return;
    case ARGUMENT_KEY: emit(m, random_key(m)); return;
    case ARGUMENT_BLOCK: make_list(m, argument->children, argument->child_count); return;
    case ARGUMENT_ONEOF: {
        const struct argument *one = &argument->children[below(m, argument->child_count)];
        if (one->token.ptr)
            emit(m, one->token);
        make_value(m, one);
        return;
    }
    default: break;
    }
    if (span_is(argument->name, "numkeys")) {
        m->numkeys = 1 + (long long)below(m, REPEATED_MAX);
        emit(m, arena_printf(m->arena, "%lld", m->numkeys));
        return;
    }
    emit(m, random_value(m, argument));
}

static void make_argument(struct maker *m, const struct argument *argument)
{
    long long times = 1;
    if (argument->multiple) {
        times = m->numkeys ? m->numkeys : 1 + (long long)below(m, REPEATED_MAX);
        m->numkeys = 0;
    }
    for (long long i = 0; i < times; i++) {
        if (argument->token.ptr && (i == 0 || argument->multiple_token))
            emit(m, argument->token);
        make_value(m, argument);
    }
}

static void make_list(struct maker *m, const struct argument *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!items[i].optional || percent(m, OPTION_PERCENT))
            make_argument(m, &items[i]);
    }
}

// --- Commands -----------------------------------------------------------------------------------

// One argument too few or too many, or one that does not fit.
static void spoil(struct maker *m)
{
    static const struct argument any = { .name = { "any", 3 }, .type = ARGUMENT_STRING };
    struct words *argv = &m->argv;
    bool is_counted = rules_find(&m->rules->counted, m->command->name) != NULL;
    uint64_t how = is_counted ? 2 : below(m, 3);
    if (how == 0 && argv->count > m->command->words)
        argv->count--;
    else if (how == 1 || argv->count == m->command->words)
        emit(m, random_value(m, &any));
    else
        argv->items[m->command->words + below(m, argv->count - m->command->words)] = random_value(
            m, &any);
}

static void emit_name(struct maker *m)
{
    struct span name = m->command->name;
    struct span first = { name.ptr, 0 };
    while (first.len < name.len && name.ptr[first.len] != '|')
        first.len++;
    emit(m, first);
    if (first.len < name.len)
        emit(m, (struct span){ name.ptr + first.len + 1, name.len - first.len - 1 });
}

static size_t choose_command(struct maker *m, const struct chances *chances)
{
    long long at = (long long)below(m, (uint64_t)chances->total);
    size_t i = 0;
    while (at >= chances->weights[i])
        at -= chances->weights[i++];
    return i;
}

void program_generate(struct program *program, struct arena *arena, const struct rules *rules,
                      const struct chances *chances, uint64_t seed, size_t count)
{
    struct maker m = { .arena = arena, .rules = rules, .state = seed };
    program->items = arena_alloc(arena, count * sizeof(*program->items));
    program->count = count;
    for (size_t i = 0; i < count; i++) {
        size_t which = choose_command(&m, chances);
        m.command = chances->commands[which];
        m.argv = (struct words){ 0 };
        m.numkeys = 0;
        emit_name(&m);
        make_list(&m, m.command->arguments.items, m.command->arguments.count);
        if (percent(&m, SPOILT_PERCENT))
            spoil(&m);
        program->items[i] = (struct generated){ .argv = m.argv, .command = which };
    }
}

// A rule for a container is one for all its subcommands.
static bool is_skipped(const struct rules *rules, struct span name)
{
    struct span container = name;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '|')
            container.len = i;
    }
    return rules_find(&rules->skips, name) || rules_find(&rules->skips, container);
}

void chances_read(struct chances *chances, struct arena *arena, const struct rules *rules,
                  const struct catalog *catalog)
{
    *chances = (struct chances){
        .commands = arena_alloc(arena, catalog->count * sizeof(*chances->commands)),
        .names = arena_alloc(arena, catalog->count * sizeof(*chances->names)),
        .weights = arena_alloc(arena, catalog->count * sizeof(*chances->weights)),
    };
    for (size_t i = 0; i < catalog->count; i++) {
        const struct command *command = &catalog->items[i];
        if (!command->has[ORACLE] || !command->has[OURS] || command->container ||
            is_skipped(rules, command->name))
            continue;
        const struct rule *weight = rules_find(&rules->weights, command->name);
        chances->commands[chances->count] = command;
        chances->names[chances->count] = command->name;
        chances->weights[chances->count] = weight ? weight->number : WEIGHT;
        chances->total += chances->weights[chances->count++];
    }
    if (chances->count == 0)
        die("random.rules: all commands are skipped");
}
