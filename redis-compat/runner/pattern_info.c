// SPDX-License-Identifier: BSD-3-Clause
// Compares INFO texts: see pattern.h.
//
// A value is an integer, a decimal, a size with its unit, a percentage, or a list of key=value; of both
// texts' values the kind has to be the same, of decimals the digits behind the point, of lists the keys
// and their values' kinds. What is none of these is a word, and words have to be the same.
#include "pattern_info.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t count_digits(struct span text)
{
    size_t count = 0;
    while (count < text.len && is_digit(text.ptr[count]))
        count++;
    return count;
}

static void skip(struct span *text, size_t len)
{
    text->ptr += len;
    text->len -= len;
}

// --- Kinds of values ----------------------------------------------------------------------------

enum value_kind { VALUE_WORD, VALUE_NUMBER, VALUE_PERCENT, VALUE_SIZE };

struct value_shape {
    enum value_kind kind;
    size_t decimals;
};

static struct value_shape shape_of(struct span value)
{
    struct value_shape word = { VALUE_WORD, 0 };
    struct value_shape shape = { VALUE_NUMBER, 0 };
    if (span_starts(value, "-"))
        skip(&value, 1);
    size_t digits = count_digits(value);
    if (digits == 0)
        return word;
    skip(&value, digits);
    if (span_starts(value, ".")) {
        skip(&value, 1);
        shape.decimals = count_digits(value);
        if (shape.decimals == 0)
            return word;
        skip(&value, shape.decimals);
    }
    if (value.len == 0)
        return shape;
    if (value.len > 1 || !strchr("%BKMGTP", value.ptr[0]))
        return word;
    shape.kind = value.ptr[0] == '%' ? VALUE_PERCENT : VALUE_SIZE;
    // Bytes are whole, and no two sizes need have the same unit.
    if (shape.kind == VALUE_SIZE && (value.ptr[0] == 'B') != (shape.decimals == 0))
        return word;
    if (shape.kind == VALUE_SIZE && value.ptr[0] == 'B')
        shape.decimals = 2;
    return shape;
}

static bool same_shape(struct span oracle, struct span ours)
{
    struct value_shape a = shape_of(oracle);
    struct value_shape b = shape_of(ours);
    if (a.kind != b.kind || a.decimals != b.decimals)
        return false;
    return a.kind != VALUE_WORD || span_equal(oracle, ours);
}

// Takes what stands before the separator off the text, and the separator.
static struct span take_until(struct span *text, char separator)
{
    const char *end = text->len ? memchr(text->ptr, separator, text->len) : NULL;
    struct span out = { text->ptr, end ? (size_t)(end - text->ptr) : text->len };
    skip(text, out.len + (end ? 1 : 0));
    return out;
}

static bool is_list(struct span value)
{
    return value.len && memchr(value.ptr, '=', value.len);
}

// Lists of key=value, separated by commas.
static bool same_list(struct span oracle, struct span ours)
{
    while (oracle.len || ours.len) {
        struct span a = take_until(&oracle, ',');
        struct span b = take_until(&ours, ',');
        if (!span_equal(take_until(&a, '='), take_until(&b, '=')) || !same_shape(a, b))
            return false;
    }
    return true;
}

static bool same_kind(struct span oracle, struct span ours)
{
    return is_list(oracle) && is_list(ours) ? same_list(oracle, ours) : same_shape(oracle, ours);
}

// --- Lines --------------------------------------------------------------------------------------

// Whether the pattern has this name, with this mark before it ("" for none).
static bool named(const struct pattern *pattern, const char *mark, struct span name)
{
    for (size_t i = 0; i < pattern->count; i++) {
        struct span entry = pattern->names[i];
        if (!span_starts(entry, mark))
            continue;
        skip(&entry, strlen(mark));
        if (span_equal(entry, name))
            return true;
    }
    return false;
}

// A place in a text, and the lines that count in it.
struct lines {
    struct span rest;
    bool is_ours;
    bool left_out;  // the section that it is in
    bool first;
};

static bool is_header(struct span line)
{
    return span_starts(line, "# ");
}

static struct span header_name(struct span line)
{
    skip(&line, 2);
    return line;
}

// The next line that is neither of a section that is left out, nor ours only. Lines have to end with
// CRLF, and headers to follow an empty line.
static bool next_line(const struct pattern *pattern, struct lines *lines, struct span *line,
                      const char **error)
{
    bool blank = false;
    while (lines->rest.len) {
        *line = take_until(&lines->rest, '\n');
        if (line->len == 0 || line->ptr[line->len - 1] != '\r') {
            *error = "a line does not end with CRLF";
            return false;
        }
        line->len--;
        bool was_blank = blank;
        blank = line->len == 0;
        if (blank)
            continue;
        if (is_header(*line)) {
            if (!was_blank && !lines->first)
                *error = "a header does not follow an empty line";
            lines->left_out = named(pattern, "~", header_name(*line));
        } else if (was_blank) {
            *error = "an empty line within a section";
        }
        lines->first = false;
        struct span field = *line;
        bool ours_only = lines->is_ours && named(pattern, "+", take_until(&field, ':'));
        if (!lines->left_out && !ours_only)
            return true;
    }
    if (blank)
        *error = "an empty line at the end";
    return false;
}

static bool match_line(const struct pattern *pattern, struct span oracle, struct span ours,
                       struct buffer *why)
{
    if (is_header(oracle) || is_header(ours)) {
        if (span_equal(oracle, ours))
            return true;
        buffer_printf(why, "'%.*s' where the oracle has '%.*s'", SHOW(ours), SHOW(oracle));
        return false;
    }
    struct span name = take_until(&oracle, ':');
    struct span our_name = take_until(&ours, ':');
    if (!span_equal(name, our_name)) {
        buffer_printf(why, "the field %.*s where the oracle has %.*s", SHOW(our_name), SHOW(name));
        return false;
    }
    if (named(pattern, "", name) || same_kind(oracle, ours))
        return true;
    buffer_printf(why, "the field %.*s is of another kind: '%.*s' and '%.*s'", SHOW(name),
                  SHOW(oracle), SHOW(ours));
    return false;
}

bool info_match(const struct pattern *pattern, struct span oracle, struct span ours,
                struct buffer *why)
{
    struct lines a = { .rest = oracle, .first = true };
    struct lines b = { .rest = ours, .is_ours = true, .first = true };
    const char *error = NULL;
    for (;;) {
        struct span line = { 0 };
        struct span our_line = { 0 };
        bool more = next_line(pattern, &a, &line, &error);
        bool our_more = next_line(pattern, &b, &our_line, &error);
        if (error) {
            buffer_text(why, error);
            return false;
        }
        if (!more && !our_more)
            return true;
        if (more != our_more) {
            struct span extra = more ? line : our_line;
            buffer_printf(why, "'%.*s' is %s only", SHOW(extra), more ? "the oracle's" : "ours");
            return false;
        }
        if (!match_line(pattern, line, our_line, why))
            return false;
    }
}
