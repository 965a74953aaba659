// SPDX-License-Identifier: BSD-3-Clause
// What the cases exercise: see coverage.h.
#include "coverage.h"

static const char *const what_names[COVER_WHATS] = {
    [COVER_SENT] = "sent",
    [COVER_ARITY] = "arity",
    [COVER_WRONG_TYPE] = "wrong-type",
    [COVER_MISSING_KEY] = "missing-key",
    [COVER_EMPTY] = "empty",
    [COVER_BINARY] = "binary",
    [COVER_INT_MAX] = "int-max",
    [COVER_INT_MIN] = "int-min",
    [COVER_INT_BEYOND] = "int-beyond",
    [COVER_FLOAT_LIMITS] = "float-limits",
    [COVER_PIPELINED] = "pipelined",
};

static const char *const type_groups[] = { "string", "list",   "set",         "hash", "sorted-set",
                                           "stream", "bitmap", "hyperloglog", "geo" };

void coverage_init(struct coverage *coverage, struct catalog *catalog)
{
    *coverage = (struct coverage){ .catalog = catalog };
    pthread_mutex_init(&coverage->lock, NULL);
}

// --- Noting -------------------------------------------------------------------------------------

static bool wrong_arity(const struct command *command, size_t argc)
{
    long long count = (long long)argc;
    return command->arity >= 0 ? count != command->arity : count < -command->arity;
}

static bool is_binary(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < ' ' || word.ptr[i] > '~')
            return true;
    }
    return false;
}

static bool is_float_limit(struct span word)
{
    return span_is_word(word, "inf") || span_is_word(word, "-inf") || span_is_word(word, "+inf") ||
           span_is_word(word, "nan");
}

// 2^63 or further out, in digits only.
static bool is_beyond(struct span word)
{
    long long fits;
    size_t sign = word.len > 0 && word.ptr[0] == '-';
    if (word.len < sign + 19 || span_int(word, &fits))
        return false;
    for (size_t i = sign; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9')
            return false;
    }
    return true;
}

static unsigned bit(enum coverage_what what)
{
    return 1u << what;
}

static unsigned word_bits(struct span word)
{
    unsigned bits = 0;
    if (word.len == 0)
        bits |= bit(COVER_EMPTY);
    if (is_binary(word))
        bits |= bit(COVER_BINARY);
    if (span_is(word, "9223372036854775807"))
        bits |= bit(COVER_INT_MAX);
    if (span_is(word, "-9223372036854775808"))
        bits |= bit(COVER_INT_MIN);
    if (is_beyond(word))
        bits |= bit(COVER_INT_BEYOND);
    if (is_float_limit(word))
        bits |= bit(COVER_FLOAT_LIMITS);
    return bits;
}

static unsigned sent_bits(const struct command *command, const struct sent *sent)
{
    unsigned bits = bit(COVER_SENT);
    for (size_t i = command->words; i < sent->argv->count; i++)
        bits |= word_bits(sent->argv->items[i]);
    if (wrong_arity(command, sent->argv->count))
        bits |= bit(COVER_ARITY);
    if (sent->pipelined)
        bits |= bit(COVER_PIPELINED);
    if (sent->missing_key)
        bits |= bit(COVER_MISSING_KEY);
    if (span_is(reply_error_code(sent->oracle), "WRONGTYPE"))
        bits |= bit(COVER_WRONG_TYPE);
    return bits;
}

// Whether the oracle, started as it is here, refuses the command before it looks at the arguments:
// that a case sends them is all that can be asked for.
static bool refused_unseen(struct span error)
{
    static const char *const beginnings[] = { "ERR This instance has cluster support disabled",
                                              "ERR MODULE command not allowed." };
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++) {
        if (span_starts(error, beginnings[i]))
            return true;
    }
    return false;
}

void coverage_note(struct coverage *coverage, const struct sent *sent)
{
    struct words argv = *sent->argv;
    pthread_mutex_lock(&coverage->lock);
    struct command *command = catalog_find(coverage->catalog, argv.items, argv.count);
    if (command) {
        command->covered |= sent_bits(command, sent);
        if (!reply_is_error(sent->oracle) || refused_unseen(sent->oracle->text))
            arguments_match(&command->arguments, argv.items + command->words,
                            argv.count - command->words);
    }
    pthread_mutex_unlock(&coverage->lock);
}

static bool note_word(struct command *command, struct span word)
{
    for (unsigned what = 0; what < COVER_WHATS; what++) {
        if (span_is(word, what_names[what])) {
            command->covered |= bit((enum coverage_what)what);
            return true;
        }
    }
    // A token that the oracle answers with an error, whatever comes with it.
    return arguments_match(&command->arguments, &word, 1);
}

bool coverage_note_covers(struct coverage *coverage, const struct covers *covers)
{
    bool ok = true;
    pthread_mutex_lock(&coverage->lock);
    struct command *command = catalog_named(coverage->catalog, covers->command);
    for (size_t i = 0; i < covers->what.count && ok; i++)
        ok = command && note_word(command, covers->what.items[i]);
    pthread_mutex_unlock(&coverage->lock);
    return ok;
}

// --- What is left -------------------------------------------------------------------------------

struct left {
    const struct command *command;
    struct known_list *known;
    struct buffer *out;
    struct coverage_totals *totals;
};

// One thing that should be covered.
static void require(const struct left *left, bool covered, struct span what)
{
    if (covered)
        return;
    struct buffer id = { 0 };
    buffer_printf(&id, "uncovered:%.*s:%.*s", SHOW(left->command->name), SHOW(what));
    if (!known_find(left->known, buffer_span(&id))) {
        buffer_printf(left->out, "    %.*s: %.*s\n", SHOW(left->command->name), SHOW(what));
        left->totals->left++;
    }
    buffer_release(&id);
}

static void require_arguments(const struct left *left, const struct argument_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct argument *argument = &list->items[i];
        struct argument_list children = { argument->children, argument->child_count };
        struct buffer name = { 0 };
        if (argument->token.ptr)
            buffer_append(&name, argument->token);
        else
            buffer_printf(&name, "<%.*s>", SHOW(argument->name));
        left->totals->pairs++;
        require(left, argument->used, buffer_span(&name));
        if (argument->multiple) {
            left->totals->pairs++;
            buffer_text(&name, "...");
            require(left, argument->used_many, buffer_span(&name));
        }
        buffer_release(&name);
        require_arguments(left, &children);
    }
}

static bool is_type_group(struct span group)
{
    for (size_t i = 0; i < sizeof(type_groups) / sizeof(*type_groups); i++) {
        if (span_is(group, type_groups[i]))
            return true;
    }
    return false;
}

// Whether there are keys of more than one type in Respite: bitmaps and the like are strings.
static bool many_types(const struct catalog *catalog)
{
    struct span first = { 0 };
    for (size_t i = 0; i < catalog->count; i++) {
        const struct command *command = &catalog->items[i];
        bool makes = command->has[OURS] && command->writes && is_type_group(command->group) &&
                     !span_is(command->group, "bitmap") && !span_is(command->group, "hyperloglog");
        if (makes && first.ptr && !span_equal(first, command->group))
            return true;
        if (makes)
            first = command->group;
    }
    return false;
}

static bool takes_text(const struct argument_list *list)
{
    return arguments_have(list, ARGUMENT_STRING) || arguments_have(list, ARGUMENT_KEY) ||
           arguments_have(list, ARGUMENT_PATTERN);
}

static unsigned wanted_bits(const struct command *command, bool types)
{
    const struct argument_list *list = &command->arguments;
    unsigned bits = bit(COVER_SENT);
    if (!command->container)
        bits |= bit(COVER_PIPELINED);
    if (command->arity > 0 || -command->arity > (long long)command->words)
        bits |= bit(COVER_ARITY);
    if (arguments_have(list, ARGUMENT_KEY))
        bits |= bit(COVER_MISSING_KEY);
    if (types && arguments_have(list, ARGUMENT_KEY) && is_type_group(command->group))
        bits |= bit(COVER_WRONG_TYPE);
    if (takes_text(list))
        bits |= bit(COVER_EMPTY) | bit(COVER_BINARY);
    if (arguments_have(list, ARGUMENT_INTEGER) || arguments_have(list, ARGUMENT_TIME))
        bits |= bit(COVER_INT_MAX) | bit(COVER_INT_MIN) | bit(COVER_INT_BEYOND);
    if (arguments_have(list, ARGUMENT_DOUBLE))
        bits |= bit(COVER_FLOAT_LIMITS);
    return bits;
}

static void require_command(const struct left *left, bool types)
{
    unsigned wanted = wanted_bits(left->command, types);
    for (unsigned what = 0; what < COVER_WHATS; what++) {
        if (!(wanted & bit((enum coverage_what)what)))
            continue;
        left->totals->checks++;
        require(left, left->command->covered & bit((enum coverage_what)what),
                span_of(what_names[what]));
    }
    require_arguments(left, &left->command->arguments);
}

void coverage_report(struct coverage *coverage, struct known_list *known, struct buffer *out,
                     struct coverage_totals *totals)
{
    bool types = many_types(coverage->catalog);
    *totals = (struct coverage_totals){ 0 };
    for (size_t i = 0; i < coverage->catalog->count; i++) {
        struct left left = { &coverage->catalog->items[i], known, out, totals };
        if (left.command->has[OURS])
            require_command(&left, types);
    }
}
