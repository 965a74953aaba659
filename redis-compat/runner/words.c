// SPDX-License-Identifier: BSD-3-Clause
// Words of a line: see words.h.
#include "words.h"

#include <stdint.h>
#include <string.h>

// The most that $(TEXT*N) may become.
#define REPEATED_MAX (1L << 30)

struct splitter {
    struct arena *arena;
    const struct resolver *resolver;
    struct span line;
    size_t pos;
    struct buffer word;
    const char *error;
};

static bool at_end(const struct splitter *s)
{
    return s->pos >= s->line.len;
}

static char peek(const struct splitter *s)
{
    return s->line.ptr[s->pos];
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool fail(struct splitter *s, const char *error)
{
    s->error = error;
    return false;
}

static bool append_escape(struct splitter *s);

// Reads escapes in the text of $(TEXT*N), as in double quotes.
static bool unescape(struct span text, struct buffer *out)
{
    struct splitter inner = { .line = text };
    bool ok = true;
    while (!at_end(&inner) && ok) {
        char c = inner.line.ptr[inner.pos++];
        if (c != '\\')
            buffer_char(&inner.word, c);
        else
            ok = append_escape(&inner);
    }
    buffer_append(out, buffer_span(&inner.word));
    buffer_release(&inner.word);
    return ok;
}

// TEXT*N
static bool repeat(struct splitter *s, struct span inner)
{
    const char *star = memrchr(inner.ptr, '*', inner.len);
    struct buffer text = { 0 };
    long long times;
    if (!star || star == inner.ptr)
        return false;
    struct span before = { inner.ptr, (size_t)(star - inner.ptr) };
    struct span number = { star + 1, inner.len - before.len - 1 };
    bool ok = span_int(number, &times) && times >= 0 && unescape(before, &text) &&
              times <= REPEATED_MAX / (long long)text.len;
    if (ok)
        buffer_reserve(&s->word, text.len * (size_t)times);
    for (long long i = 0; ok && i < times; i++)
        buffer_append(&s->word, buffer_span(&text));
    buffer_release(&text);
    return ok;
}

// At "$(".
static bool substitute(struct splitter *s)
{
    const char *begin = s->line.ptr + s->pos + 2;
    const char *end = memchr(begin, ')', s->line.len - s->pos - 2);
    if (!end)
        return fail(s, "$( without )");
    struct span inner = { begin, (size_t)(end - begin) };
    s->pos += inner.len + 3;
    if (repeat(s, inner))
        return true;
    if (!s->resolver) {
        buffer_append(&s->word, (struct span){ begin - 2, inner.len + 3 });
        return true;
    }
    if (!s->resolver->resolve(s->resolver->udata, inner, &s->word))
        return fail(s, "$(...) of a name that was not saved");
    return true;
}

static bool substitution_here(const struct splitter *s)
{
    return peek(s) == '$' && s->pos + 1 < s->line.len && s->line.ptr[s->pos + 1] == '(';
}

// After a backslash in double quotes.
static bool append_escape(struct splitter *s)
{
    static const char names[] = "nrtba\"\\";
    static const char values[] = "\n\r\t\b\a\"\\";
    if (at_end(s))
        return fail(s, "a line ends with a backslash");
    char c = s->line.ptr[s->pos++];
    if (c == 'x') {
        int high = s->pos < s->line.len ? hex_digit(s->line.ptr[s->pos]) : -1;
        int low = s->pos + 1 < s->line.len ? hex_digit(s->line.ptr[s->pos + 1]) : -1;
        if (high < 0 || low < 0)
            return fail(s, "\\x wants two hexadecimal digits");
        buffer_char(&s->word, (char)(high * 16 + low));
        s->pos += 2;
        return true;
    }
    const char *at = memchr(names, c, sizeof(names) - 1);
    if (!at)
        return fail(s, "no such escape");
    buffer_char(&s->word, values[at - names]);
    return true;
}

static bool double_quoted(struct splitter *s)
{
    while (!at_end(s)) {
        if (substitution_here(s)) {
            if (!substitute(s))
                return false;
            continue;
        }
        char c = s->line.ptr[s->pos++];
        if (c == '"')
            return true;
        if (c != '\\')
            buffer_char(&s->word, c);
        else if (!append_escape(s))
            return false;
    }
    return fail(s, "a \" without its end");
}

static bool single_quoted(struct splitter *s)
{
    while (!at_end(s)) {
        char c = s->line.ptr[s->pos++];
        if (c == '\'')
            return true;
        if (c == '\\' && !at_end(s) && peek(s) == '\'') {
            c = '\'';
            s->pos++;
        }
        buffer_char(&s->word, c);
    }
    return fail(s, "a ' without its end");
}

// A word may have several parts: x"y z"$(w).
static bool one_word(struct splitter *s)
{
    while (!at_end(s) && !blank(peek(s))) {
        bool ok = true;
        if (substitution_here(s)) {
            ok = substitute(s);
        } else {
            char c = s->line.ptr[s->pos++];
            if (c == '"')
                ok = double_quoted(s);
            else if (c == '\'')
                ok = single_quoted(s);
            else
                buffer_char(&s->word, c);
        }
        if (!ok)
            return false;
    }
    return true;
}

bool words_split(struct arena *arena, struct span line, const struct resolver *resolver,
                 struct words *out, const char **error)
{
    struct splitter s = { .arena = arena, .resolver = resolver, .line = line };
    bool ok = true;
    *out = (struct words){ 0 };
    while (ok) {
        while (!at_end(&s) && blank(peek(&s)))
            s.pos++;
        if (at_end(&s))
            break;
        buffer_clear(&s.word);
        ok = one_word(&s);
        out->items = arena_grow(arena, out->items, out->count, sizeof(*out->items));
        out->items[out->count++] = arena_copy(arena, buffer_span(&s.word));
    }
    buffer_release(&s.word);
    *error = s.error;
    return ok;
}

// --- Writing ------------------------------------------------------------------------------------

static void append_escaped(struct buffer *out, char c)
{
    switch (c) {
    case '\n': buffer_text(out, "\\n"); return;
    case '\r': buffer_text(out, "\\r"); return;
    case '\t': buffer_text(out, "\\t"); return;
    case '"': buffer_text(out, "\\\""); return;
    case '\\': buffer_text(out, "\\\\"); return;
    default: break;
    }
    if (c >= ' ' && c <= '~')
        buffer_char(out, c);
    else
        buffer_printf(out, "\\x%02x", (unsigned)(unsigned char)c);
}

void words_escape(struct buffer *out, struct span text, size_t limit)
{
    size_t shown = text.len > limit ? limit : text.len;
    buffer_char(out, '"');
    for (size_t i = 0; i < shown; i++)
        append_escaped(out, text.ptr[i]);
    buffer_char(out, '"');
    if (text.len > limit)
        buffer_printf(out, "... (%zu bytes)", text.len);
}

static bool plain(char c)
{
    return c > ' ' && c <= '~' && c != '"' && c != '\'' && c != '\\' && c != '$';
}

void words_quote(struct buffer *out, struct span text)
{
    bool bare = text.len > 0;
    for (size_t i = 0; i < text.len && bare; i++)
        bare = plain(text.ptr[i]);
    if (bare) {
        buffer_append(out, text);
        return;
    }
    buffer_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '$')
            buffer_text(out, "\\x24");
        else
            append_escaped(out, text.ptr[i]);
    }
    buffer_char(out, '"');
}
