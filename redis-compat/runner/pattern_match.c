// SPDX-License-Identifier: BSD-3-Clause
// Compares two replies under a pattern: see pattern.h.
#include "canonical.h"
#include "pattern.h"
#include "pattern_info.h"

#include <string.h>

#include <math.h>

static bool differ(struct buffer *why, const char *reason)
{
    buffer_text(why, reason);
    return false;
}

static bool match_same(const struct reply *oracle, const struct reply *ours, struct buffer *why)
{
    if (span_equal(oracle->raw, ours->raw))
        return true;
    if (oracle->type != ours->type)
        return differ(why, "another type");
    size_t at = 0;
    while (at < oracle->raw.len && at < ours->raw.len && oracle->raw.ptr[at] == ours->raw.ptr[at])
        at++;
    buffer_printf(why, "the bytes differ from the %zuth on", at + 1);
    return false;
}

static bool match_type(const struct reply *oracle, const struct reply *ours, struct buffer *why)
{
    if (oracle->type != ours->type || oracle->null != ours->null)
        return differ(why, "another type");
    if (!span_equal(reply_error_code(oracle), reply_error_code(ours)))
        return differ(why, "another error");
    return true;
}

static bool match_shape(const struct reply *oracle, const struct reply *ours, struct buffer *why)
{
    if (!match_type(oracle, ours, why))
        return false;
    if (oracle->count != ours->count)
        return differ(why, "another number of elements");
    for (size_t i = 0; i < oracle->count; i++) {
        if (!match_shape(&oracle->items[i], &ours->items[i], why))
            return false;
    }
    return true;
}

static bool match_bulk(const struct reply *oracle, const struct reply *ours, struct buffer *why)
{
    if (oracle->type != REPLY_BULK && oracle->type != REPLY_NULL)
        return differ(why, "the oracle's is no bulk string");
    return match_type(oracle, ours, why);
}

static bool match_number(const struct pattern *pattern, const struct reply *oracle,
                         const struct reply *ours, struct buffer *why)
{
    double a;
    double b;
    if (oracle->type != ours->type)
        return differ(why, "another type");
    if (pattern->kind == PATTERN_INT && oracle->type != REPLY_INT)
        return differ(why, "the oracle's is no integer");
    if (!span_number(oracle->text, &a) || !span_number(ours->text, &b))
        return differ(why, "not both are numbers");
    // What PTTL answers without a time to live is no time.
    bool special = pattern->kind == PATTERN_INT && (a < 0 || b < 0);
    if (pattern->bounded && fabs(a - b) > (special ? 0 : pattern->tolerance))
        return differ(why, "the numbers differ by more than allowed");
    return true;
}

static bool match_side(double limit, const struct reply *oracle, const struct reply *ours,
                       struct buffer *why)
{
    double a;
    double b;
    if (oracle->type != ours->type)
        return differ(why, "another type");
    if (!span_number(oracle->text, &a) || !span_number(ours->text, &b))
        return differ(why, "not both are numbers");
    return (a < limit) == (b < limit) || differ(why, "on different sides of the limit");
}

static bool match_unordered(const struct reply *oracle, const struct reply *ours, bool deep,
                            struct buffer *why)
{
    if (oracle->type != ours->type || oracle->null != ours->null)
        return differ(why, "another type");
    if (!reply_is_aggregate(oracle))
        return match_same(oracle, ours, why);
    return canonical_equal(oracle, ours, deep) || differ(why, "not the same elements");
}

// A reply's text without the "txt:" of a verbatim one.
static struct span bare_text(const struct reply *reply)
{
    struct span text = reply->text;
    if (reply->type == REPLY_VERBATIM && text.len >= 4) {
        text.ptr += 4;
        text.len -= 4;
    }
    return text;
}

static bool match_prefix(const struct pattern *pattern, const struct reply *oracle,
                         const struct reply *ours, struct buffer *why)
{
    if (oracle->type != ours->type)
        return differ(why, "another type");
    struct span want = pattern->text;
    struct span a = bare_text(oracle);
    struct span b = bare_text(ours);
    if (a.len < want.len || b.len < want.len)
        return differ(why, "shorter than the prefix");
    a.len = b.len = want.len;
    return (span_equal(a, want) && span_equal(b, want)) || differ(why, "another beginning");
}

// What stands behind the first `mark`; false if it is not there.
static bool text_behind(struct span mark, struct span *text)
{
    const char *at = mark.len ? memmem(text->ptr, text->len, mark.ptr, mark.len) : NULL;
    if (!at)
        return false;
    const char *end = text->ptr + text->len;
    text->ptr = at + mark.len;
    text->len = (size_t)(end - text->ptr);
    return true;
}

static bool match_behind(const struct pattern *pattern, const struct reply *oracle,
                         const struct reply *ours, struct buffer *why)
{
    if (oracle->type != ours->type)
        return differ(why, "another type");
    struct span a = bare_text(oracle);
    struct span b = bare_text(ours);
    if (!text_behind(pattern->text, &a) || !text_behind(pattern->text, &b))
        return differ(why, "the text is not there");
    return span_equal(a, b) || differ(why, "another end");
}

static bool match_help(const struct reply *oracle, const struct reply *ours, struct buffer *why)
{
    if (oracle->type != REPLY_ARRAY || ours->type != REPLY_ARRAY)
        return differ(why, "not both are arrays");
    if (oracle->count == 0 || ours->count == 0)
        return differ(why, "no lines");
    for (size_t i = 0; i < ours->count; i++) {
        if (ours->items[i].type != REPLY_STATUS)
            return differ(why, "a line is no status");
    }
    return match_same(&oracle->items[0], &ours->items[0], why);
}

static bool match_items(const struct pattern *pattern, const struct reply *oracle,
                        const struct reply *ours, struct buffer *why)
{
    if (oracle->type != ours->type || oracle->null != ours->null)
        return differ(why, "another type");
    if (oracle->count != ours->count)
        return differ(why, "another number of elements");
    if (pattern->kind == PATTERN_ITEMS && pattern->count != oracle->count)
        return differ(why, "the pattern has another number of elements");
    for (size_t i = 0; i < oracle->count; i++) {
        const struct pattern *item = &pattern->items[pattern->kind == PATTERN_EACH ? 0 : i];
        if (!pattern_match(item, &oracle->items[i], &ours->items[i], why)) {
            buffer_printf(why, " (element %zu)", i);
            return false;
        }
    }
    return true;
}

static const struct pattern *value_pattern(const struct pattern *map, struct span key)
{
    static const struct pattern same = { .kind = PATTERN_SAME };
    for (size_t i = 0; i < map->count; i++) {
        if (span_equal(map->names[i], key))
            return &map->items[i];
    }
    return &same;
}

static bool match_map(const struct pattern *pattern, const struct reply *oracle,
                      const struct reply *ours, struct buffer *why)
{
    if (oracle->type != ours->type)
        return differ(why, "another type");
    if (!reply_is_aggregate(oracle) || oracle->count % 2)
        return differ(why, "the oracle's is no map");
    if (oracle->count != ours->count)
        return differ(why, "another number of elements");
    for (size_t i = 0; i < oracle->count; i += 2) {
        const struct pattern *value = value_pattern(pattern, oracle->items[i].text);
        bool ok = match_same(&oracle->items[i], &ours->items[i], why) &&
                  pattern_match(value, &oracle->items[i + 1], &ours->items[i + 1], why);
        if (!ok) {
            buffer_printf(why, " (key %.*s)", SHOW(oracle->items[i].text));
            return false;
        }
    }
    return true;
}

// --- Lines of key=value -------------------------------------------------------------------------

// Takes the next key=value or key:value off a line.
static bool next_field(const struct pattern *pattern, struct span *line, struct span *key,
                       struct span *value)
{
    char separator = pattern->kind == PATTERN_STATS ? ',' : ' ';
    *line = span_trim(*line);
    if (line->len == 0)
        return false;
    size_t len = 0;
    while (len < line->len && line->ptr[len] != separator)
        len++;
    size_t key_len = 0;
    while (key_len < len && line->ptr[key_len] != '=' &&
           (line->ptr[key_len] != ':' || pattern->kind == PATTERN_STATS))
        key_len++;
    *key = (struct span){ line->ptr, key_len };
    *value = (struct span){ line->ptr + key_len, len - key_len };
    len += len < line->len;
    line->ptr += len;
    line->len -= len;
    return true;
}

static bool named(const struct pattern *pattern, struct span key)
{
    for (size_t i = 0; i < pattern->count; i++) {
        if (span_is(pattern->names[i], "*") || span_equal(pattern->names[i], key))
            return true;
    }
    return false;
}

static bool ours_only(const struct pattern *pattern, struct span key)
{
    for (size_t i = 0; i < pattern->count; i++) {
        struct span name = pattern->names[i];
        if (span_starts(name, "+") && span_equal((struct span){ name.ptr + 1, name.len - 1 }, key))
            return true;
    }
    return false;
}

// The next of our fields that the oracle should have as well.
static bool next_common(const struct pattern *pattern, struct span *line, struct span *key,
                        struct span *value)
{
    while (next_field(pattern, line, key, value)) {
        if (!ours_only(pattern, *key))
            return true;
    }
    return false;
}

static bool match_field_line(const struct pattern *pattern, struct span oracle, struct span ours,
                             struct buffer *why)
{
    struct span key;
    struct span value;
    struct span our_key;
    struct span our_value;
    while (next_field(pattern, &oracle, &key, &value)) {
        bool ok = next_common(pattern, &ours, &our_key, &our_value) && span_equal(key, our_key) &&
                  (named(pattern, key) || span_equal(value, our_value));
        if (!ok) {
            buffer_printf(why, "the field %.*s", SHOW(key));
            return false;
        }
    }
    if (!next_common(pattern, &ours, &our_key, &our_value))
        return true;
    buffer_printf(why, "the field %.*s is ours only", SHOW(our_key));
    return false;
}

static bool match_fields(const struct pattern *pattern, const struct reply *oracle,
                         const struct reply *ours, struct buffer *why)
{
    struct span a = bare_text(oracle);
    struct span b = bare_text(ours);
    struct span line;
    struct span our_line;
    if (oracle->type != ours->type)
        return differ(why, "another type");
    while (span_next_line(&a, &line)) {
        if (!span_next_line(&b, &our_line))
            return differ(why, "fewer lines");
        if (!match_field_line(pattern, line, our_line, why))
            return false;
    }
    return b.len == 0 || differ(why, "more lines");
}

static bool match_info(const struct pattern *pattern, const struct reply *oracle,
                       const struct reply *ours, struct buffer *why)
{
    if (oracle->type != ours->type)
        return differ(why, "another type");
    return info_match(pattern, bare_text(oracle), bare_text(ours), why);
}

// What stands before the colon, or the whole line.
static struct span name_of(struct span line)
{
    size_t len = 0;
    while (len < line.len && line.ptr[len] != ':')
        len++;
    return (struct span){ line.ptr, len };
}

static bool find_line(struct span text, struct span name, struct span *out)
{
    while (span_next_line(&text, out)) {
        if (span_equal(name_of(*out), name))
            return true;
    }
    return false;
}

static bool match_stats(const struct pattern *pattern, const struct reply *oracle,
                        const struct reply *ours, struct buffer *why)
{
    struct span a = bare_text(oracle);
    struct span b = bare_text(ours);
    struct span all = b;
    struct span line;
    struct span our_line;
    if (oracle->type != ours->type)
        return differ(why, "another type");
    while (span_next_line(&a, &line)) {
        if (!find_line(all, name_of(line), &our_line)) {
            buffer_printf(why, "the line %.*s is missing", SHOW(name_of(line)));
            return false;
        }
        if (!match_field_line(pattern, line, our_line, why))
            return false;
        span_next_line(&b, &our_line);
    }
    return b.len == 0 || differ(why, "more lines");
}

bool pattern_match(const struct pattern *pattern, const struct reply *oracle,
                   const struct reply *ours, struct buffer *why)
{
    switch (pattern->kind) {
    case PATTERN_SAME: return match_same(oracle, ours, why);
    case PATTERN_TYPE: return match_type(oracle, ours, why);
    case PATTERN_SHAPE: return match_shape(oracle, ours, why);
    case PATTERN_BULK: return match_bulk(oracle, ours, why);
    case PATTERN_INT:
    case PATTERN_NUMBER: return match_number(pattern, oracle, ours, why);
    case PATTERN_SIDE: return match_side(pattern->tolerance, oracle, ours, why);
    case PATTERN_UNORDERED: return match_unordered(oracle, ours, false, why);
    case PATTERN_UNORDERED_DEEP: return match_unordered(oracle, ours, true, why);
    case PATTERN_PREFIX: return match_prefix(pattern, oracle, ours, why);
    case PATTERN_BEHIND: return match_behind(pattern, oracle, ours, why);
    case PATTERN_HELP: return match_help(oracle, ours, why);
    case PATTERN_FIELDS: return match_fields(pattern, oracle, ours, why);
    case PATTERN_INFO: return match_info(pattern, oracle, ours, why);
    case PATTERN_STATS: return match_stats(pattern, oracle, ours, why);
    case PATTERN_ITEMS:
    case PATTERN_EACH: return match_items(pattern, oracle, ours, why);
    case PATTERN_MAP: return match_map(pattern, oracle, ours, why);
    }
    return false;
}
