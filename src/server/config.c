// SPDX-License-Identifier: BSD-3-Clause
// Configuration: see config.h.
#include "server/config.h"

#include "base/glob.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/panic.h"
#include "resp/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTIVES_MAX 256

// How much of an unknown name an error shows.
#define NAME_SHOWN 64

struct registered {
    const struct config_directive *row;
    void *owner;
};

struct config {
    struct registered directives[DIRECTIVES_MAX];
    size_t count;
};

struct config *config_new(void)
{
    return mem_alloc_zeroed(sizeof(struct config));
}

void config_free(struct config *config)
{
    mem_free(config, sizeof(*config));
}

bool config_refuse(struct config_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return false;
}

static void *field_of(const struct registered *directive)
{
    return (char *)directive->owner + directive->row->offset;
}

static void set_string(char **field, struct slice text)
{
    if (*field)
        mem_free(*field, strlen(*field) + 1);
    *field = mem_strndup(text.ptr, text.len);
}

static bool set_bool(bool *field, struct slice word, struct config_error *error)
{
    bool yes = slice_is(word, "yes");
    if (!yes && !slice_is(word, "no"))
        return config_refuse(error, "argument must be 'yes' or 'no'");
    *field = yes;
    return true;
}

// The number as the directive's type reads it.
static bool parse_number(enum config_type type, struct slice word, int64_t *out,
                         struct config_error *error)
{
    if (type == CONFIG_MEMORY) {
        uint64_t bytes = 0;
        // Nothing at all counts as nothing.
        if ((word.len && !parse_memory(word, &bytes)) || bytes > INT64_MAX)
            return config_refuse(error, "argument must be a memory value");
        *out = (int64_t)bytes;
        return true;
    }
    if (type == CONFIG_INT)
        return parse_int64(word, out) ||
               config_refuse(error, "argument couldn't be parsed into an integer");

    char text[16] = "";
    char *end = text;
    if (word.len < sizeof(text)) {
        memcpy(text, word.ptr, word.len);
        *out = strtol(text, &end, 8);
    }
    return (end != text && !*end) ||
           config_refuse(error, "argument couldn't be parsed into an integer");
}

static bool set_number(const struct config_directive *row, int64_t *field, struct slice word,
                       struct config_error *error)
{
    int64_t value = 0;
    if (!parse_number(row->type, word, &value, error))
        return false;
    if (value < row->min || value > row->max) {
        const char *format = row->type == CONFIG_OCTAL
                                 ? "argument must be between %llo and %llo inclusive"
                                 : "argument must be between %lld and %lld inclusive";
        // NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): one of the two above.
        snprintf(error->text, sizeof(error->text), format, (long long)row->min,
                 (long long)row->max);
        return false;
    }
    *field = value;
    return true;
}

static bool set_enum(const struct config_directive *row, int *field, struct slice word,
                     struct config_error *error)
{
    for (const struct config_name *name = row->names; name->name; name++) {
        if (slice_is(word, name->name)) {
            *field = name->value;
            return true;
        }
    }
    config_refuse(error, "argument(s) must be one of the following: ");
    size_t len = strlen(error->text);
    for (const struct config_name *name = row->names; name->name && len < sizeof(error->text);
         name++)
        len += (size_t)snprintf(error->text + len, sizeof(error->text) - len, "%s%s",
                                name == row->names ? "" : ", ", name->name);
    return false;
}

static bool set_words(const struct registered *directive, const struct slice *words, size_t count,
                      struct config_error *error)
{
    const struct config_directive *row = directive->row;
    for (size_t i = 0; i < count; i++) {
        // Texts are kept with a NUL at their end.
        if (words[i].len && memchr(words[i].ptr, '\0', words[i].len))
            return config_refuse(error, "argument must not have a NUL byte in it");
    }
    if (row->type == CONFIG_CUSTOM)
        return row->set(directive->owner, words, count, error);
    if (count != 1)
        return config_refuse(error, "wrong number of arguments");
    switch (row->type) {
    case CONFIG_BOOL: return set_bool(field_of(directive), words[0], error);
    case CONFIG_INT:
    case CONFIG_OCTAL:
    case CONFIG_MEMORY: return set_number(row, field_of(directive), words[0], error);
    case CONFIG_ENUM: return set_enum(row, field_of(directive), words[0], error);
    case CONFIG_STRING: set_string(field_of(directive), words[0]); return true;
    case CONFIG_CUSTOM: break;
    }
    return false;
}

// One text that may hold several words, as CONFIG SET and defaults give it.
static bool set_text(const struct registered *directive, struct slice text,
                     struct config_error *error)
{
    if (!(directive->row->flags & CONFIG_WORDS))
        return set_words(directive, &text, 1, error);

    struct bytes line = { 0 };
    struct resp_argv words = { 0 };
    bytes_append_slice(&line, text);
    bool done = false;
    if (resp_split_words(line.data, line.len, &words) == STATUS_OK)
        done = set_words(directive, words.items, words.len, error);
    else
        config_refuse(error, "unbalanced quotes");
    resp_argv_release(&words);
    bytes_release(&line);
    return done;
}

void config_register(struct config *config, const struct config_directive *table, void *owner)
{
    for (const struct config_directive *row = table; row->name; row++) {
        ASSERT(config->count < DIRECTIVES_MAX);
        struct registered *directive = &config->directives[config->count++];
        *directive = (struct registered){ .row = row, .owner = owner };
        struct config_error error;
        if (!set_text(directive, slice_of(row->default_text), &error))
            PANIC("the default of %s is refused: %s", row->name, error.text);
    }
}

void config_release_strings(struct config *config, const void *owner)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct registered *directive = &config->directives[i];
        if (directive->owner != owner || directive->row->type != CONFIG_STRING)
            continue;
        char **field = field_of(directive);
        if (*field)
            mem_free(*field, strlen(*field) + 1);
        *field = NULL;
    }
}

static struct registered *find_directive(struct config *config, struct slice name)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct config_directive *row = config->directives[i].row;
        if (slice_is(name, row->name) || (row->alias && slice_is(name, row->alias)))
            return &config->directives[i];
    }
    return NULL;
}

bool config_is_secret(struct config *config, struct slice name)
{
    const struct registered *directive = find_directive(config, name);
    return directive && directive->row->flags & CONFIG_SECRET;
}

// One directive with its words at start-up.
static bool load_words(struct config *config, const struct slice *words, size_t count,
                       struct config_error *error)
{
    struct registered *directive = find_directive(config, words[0]);
    if (!directive)
        return config_refuse(error, "Bad directive or wrong number of arguments");
    return set_words(directive, words + 1, count - 1, error);
}

static bool load_line(struct config *config, char *line, size_t len, struct config_error *error)
{
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    size_t blanks = 0;
    while (blanks < len && (line[blanks] == ' ' || line[blanks] == '\t'))
        blanks++;
    if (blanks == len || line[blanks] == '#')
        return true;

    struct resp_argv words = { 0 };
    bool done = false;
    if (resp_split_words(line, len, &words) == STATUS_OK && words.len > 0)
        done = load_words(config, words.items, words.len, error);
    else
        config_refuse(error, "Unbalanced quotes in configuration line");
    resp_argv_release(&words);
    return done;
}

// The line for an error: without the words of a directive that is secret.
static void show_line(struct config *config, const char *line, char *out, size_t size)
{
    const char *begin = line + strspn(line, " \t");
    struct slice name = { .ptr = begin, .len = strcspn(begin, " \t\r\n") };
    const struct registered *directive = find_directive(config, name);
    if (directive && directive->row->flags & CONFIG_SECRET)
        snprintf(out, size, "%.*s ...", (int)name.len, name.ptr);
    else
        snprintf(out, size, "%.*s", (int)strcspn(line, "\r\n"), line);
}

enum status config_load_file(struct config *config, const char *path, struct config_error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    if (!file) {
        config_refuse(error, "can't open configuration file '%.128s': %s", path, strerror(errno));
        return STATUS_IO;
    }
    enum status status = STATUS_OK;
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    for (unsigned number = 1; (len = getline(&line, &room, file)) >= 0; number++) {
        struct config_error reason;
        char shown[96];
        show_line(config, line, shown, sizeof(shown));
        if (load_line(config, line, (size_t)len, &reason))
            continue;
        config_refuse(error, "%.96s, line %u: '%s': %.64s", path, number, shown, reason.text);
        status = STATUS_INVALID;
        break;
    }
    if (status == STATUS_OK && ferror(file)) {
        config_refuse(error, "can't read configuration file '%.128s': %s", path, strerror(errno));
        status = STATUS_IO;
    }
    free(line);
    if (!is_stdin)
        fclose(file);
    return status;
}

enum status config_load_args(struct config *config, int argc, char **argv,
                             struct config_error *error)
{
    struct slice words[64];
    for (int i = 0; i < argc;) {
        const char *name = argv[i];
        if (strncmp(name, "--", 2) != 0) {
            config_refuse(error, "'%.64s': expected --directive value", name);
            return STATUS_INVALID;
        }
        size_t count = 0;
        words[count++] = slice_of(name + 2);
        for (i++; i < argc && strncmp(argv[i], "--", 2) != 0 && count < 64; i++)
            words[count++] = slice_of(argv[i]);
        const struct registered *directive = find_directive(config, words[0]);
        struct config_error reason;
        // One argument may hold several words: --save '900 1 300 10'.
        bool done = directive && count == 2 && directive->row->flags & CONFIG_WORDS
                        ? set_text(directive, words[1], &reason)
                        : load_words(config, words, count, &reason);
        if (done)
            continue;
        config_refuse(error, "'%.64s': %.128s", name, reason.text);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

// The value as CONFIG GET answers it.
static void get_text(const struct registered *directive, struct bytes *out)
{
    const struct config_directive *row = directive->row;
    const void *field = field_of(directive);
    switch (row->type) {
    case CONFIG_BOOL: bytes_append_text(out, *(const bool *)field ? "yes" : "no"); break;
    case CONFIG_INT:
    case CONFIG_MEMORY: bytes_printf(out, "%lld", (long long)*(const int64_t *)field); break;
    case CONFIG_OCTAL:
        bytes_printf(out, "%llo", (unsigned long long)*(const int64_t *)field);
        break;
    case CONFIG_STRING: bytes_append_text(out, *(char *const *)field); break;
    case CONFIG_CUSTOM: row->get(directive->owner, out); break;
    case CONFIG_ENUM:
        for (const struct config_name *name = row->names; name->name; name++) {
            if (name->value == *(const int *)field) {
                bytes_append_text(out, name->name);
                break;
            }
        }
        break;
    }
}

void config_get(const struct config *config, const struct slice *patterns, size_t count,
                config_emit_fn emit, void *udata)
{
    struct bytes value = { 0 };
    for (size_t i = 0; i < config->count; i++) {
        const struct registered *directive = &config->directives[i];
        const char *names[] = { directive->row->name, directive->row->alias };
        for (size_t n = 0; n < 2 && names[n]; n++) {
            size_t p = 0;
            while (p < count && !glob_match(patterns[p], slice_of(names[n]), true))
                p++;
            if (p == count)
                continue;
            bytes_clear(&value);
            get_text(directive, &value);
            // One who asks for a name gets it back as he wrote it.
            bool literal = glob_literal_prefix(patterns[p]) == patterns[p].len;
            emit(literal ? patterns[p] : slice_of(names[n]), bytes_slice(&value), udata);
        }
    }
    bytes_release(&value);
}

// The reply to a CONFIG SET that one directive spoils.
static enum status refuse_set(struct config_error *error, struct slice name, const char *reason)
{
    config_refuse(error, "CONFIG SET failed (possibly related to argument '%.*s') - %.160s",
                  (int)(name.len < NAME_SHOWN ? name.len : NAME_SHOWN), name.ptr, reason);
    return STATUS_INVALID;
}

// Finds the directives of all pairs, refusing unknown, unchangeable and repeated ones.
static enum status find_pairs(struct config *config, const struct slice *pairs, size_t count,
                              struct registered **found, struct config_error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct slice name = pairs[2 * i];
        found[i] = find_directive(config, name);
        if (!found[i]) {
            config_refuse(error, "Unknown option or number of arguments for CONFIG SET - '%.*s'",
                          (int)(name.len < NAME_SHOWN ? name.len : NAME_SHOWN), name.ptr);
            return STATUS_NOT_FOUND;
        }
        if (found[i]->row->flags & CONFIG_IMMUTABLE)
            return refuse_set(error, name, "can't set immutable config");
        if (found[i]->row->flags & CONFIG_PROTECTED)
            return refuse_set(error, name, "can't set protected config");
        for (size_t k = 0; k < i; k++) {
            if (found[k] == found[i])
                return refuse_set(error, name, "duplicate parameter");
        }
    }
    return STATUS_OK;
}

static bool set_and_apply(const struct registered *directive, struct slice text,
                          struct config_error *error)
{
    if (!set_text(directive, text, error))
        return false;
    return !directive->row->apply || directive->row->apply(directive->owner, error);
}

enum status config_set(struct config *config, const struct slice *pairs, size_t count,
                       struct config_error *error)
{
    struct registered *found[DIRECTIVES_MAX];
    if (count > DIRECTIVES_MAX)
        return refuse_set(error, pairs[0], "too many directives at once");
    enum status status = find_pairs(config, pairs, count, found, error);
    if (status != STATUS_OK)
        return status;

    struct bytes old[DIRECTIVES_MAX];
    memset(old, 0, count * sizeof(*old));
    size_t done = 0;
    struct config_error reason;
    for (; done < count; done++) {
        get_text(found[done], &old[done]);
        if (!set_and_apply(found[done], pairs[2 * done + 1], &reason))
            break;
    }
    if (done < count) {
        status = refuse_set(error, pairs[2 * done], reason.text);
        // Back to what it was, the one that failed included.
        for (size_t i = done + 1; i-- > 0;)
            (void)set_and_apply(found[i], bytes_slice(&old[i]), &reason);
    }
    for (size_t i = 0; i < count; i++)
        bytes_release(&old[i]);
    return status;
}
