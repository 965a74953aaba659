// SPDX-License-Identifier: BSD-3-Clause
// The values of directives: from words to the owner's field and back.
#include "base/memory.h"
#include "base/numbers.h"
#include "server/config_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool config_refuse(struct config_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    error->placed = false;
    return false;
}

// ---- lists of words -----------------------------------------------------------------------------

void config_add_word(struct bytes *out, struct slice word)
{
    bytes_append_slice(out, word);
    bytes_append_char(out, '\0');
}

void words_add(struct words *words, struct slice word)
{
    if (words->len == words->cap) {
        size_t cap = words->cap ? 2 * words->cap : 8;
        words->items = mem_realloc(words->items, words->cap * sizeof(*words->items),
                                   cap * sizeof(*words->items));
        words->cap = cap;
    }
    words->items[words->len++] = word;
}

void words_release(struct words *words)
{
    if (words->items)
        mem_free(words->items, words->cap * sizeof(*words->items));
    *words = (struct words){ 0 };
}

void words_list(struct words *words, const struct bytes *text)
{
    for (size_t at = 0; at < text->len;) {
        struct slice word = slice_of(text->data + at);
        words_add(words, word);
        at += word.len + 1;
    }
}

void words_split(struct words *words, struct slice text)
{
    while (text.len > 0) {
        const char *blank = memchr(text.ptr, ' ', text.len);
        struct slice word = { .ptr = text.ptr,
                              .len = blank ? (size_t)(blank - text.ptr) : text.len };
        words_add(words, word);
        if (!blank)
            return;
        text.ptr += word.len + 1;
        text.len -= word.len + 1;
        // A blank at the end has a word behind it, which is empty.
        if (text.len == 0)
            words_add(words, text);
    }
}

static void *field_of(const struct directive *directive)
{
    return (char *)directive->owner + directive->row->offset;
}

void directive_release_string(const struct directive *directive)
{
    if (directive->row->type != CONFIG_STRING)
        return;
    char **field = field_of(directive);
    if (*field)
        mem_free(*field, strlen(*field) + 1);
    *field = NULL;
}

// ---- setting ------------------------------------------------------------------------------------

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
        long long min = (long long)row->min;
        long long max = (long long)row->max;
        return row->type == CONFIG_OCTAL
                   ? config_refuse(error, "argument must be between %llo and %llo inclusive",
                                   (unsigned long long)min, (unsigned long long)max)
                   : config_refuse(error, "argument must be between %lld and %lld inclusive", min,
                                   max);
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

bool directive_set_words(const struct directive *directive, const struct slice *words, size_t count,
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

bool directive_restore(const struct directive *directive, const struct bytes *text,
                       struct config_error *error)
{
    struct words words = { 0 };
    words_list(&words, text);
    bool done = directive_set_words(directive, words.items, words.len, error);
    words_release(&words);
    return done;
}

bool directive_set_text(const struct directive *directive, struct slice text,
                        struct config_error *error)
{
    if (!(directive->row->flags & CONFIG_WORDS))
        return directive_set_words(directive, &text, 1, error);
    struct words words = { 0 };
    words_split(&words, text);
    bool done = directive_set_words(directive, words.items, words.len, error);
    words_release(&words);
    return done;
}

// ---- getting ------------------------------------------------------------------------------------

void directive_get_text(const struct directive *directive, struct bytes *out)
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
    case CONFIG_CUSTOM:
        if (row->get)
            row->get(directive->owner, out);
        break;
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

void directive_get_words(const struct directive *directive, struct bytes *out)
{
    const struct config_directive *row = directive->row;
    if (row->get_words) {
        row->get_words(directive->owner, out);
        return;
    }
    struct bytes text = { 0 };
    directive_get_text(directive, &text);
    if (row->flags & CONFIG_WORDS) {
        struct words words = { 0 };
        words_split(&words, bytes_slice(&text));
        for (size_t i = 0; i < words.len; i++)
            config_add_word(out, words.items[i]);
        words_release(&words);
    } else {
        config_add_word(out, bytes_slice(&text));
    }
    bytes_release(&text);
}

bool directive_has_words(const struct directive *directive, const struct bytes *words)
{
    struct bytes now = { 0 };
    directive_get_words(directive, &now);
    bool same = slice_equal(bytes_slice(&now), bytes_slice(words));
    bytes_release(&now);
    return same;
}
