// SPDX-License-Identifier: BSD-3-Clause
// Kinds of replies: see kind.h.
#include "kind.h"

#include <string.h>

static const struct {
    const char *word;
    char type;
    bool with_text;  // a status's text, an error's code
    bool with_keys;
} kinds[] = {
    { .word = "status", .type = REPLY_STATUS, .with_text = true },
    { .word = "error", .type = REPLY_ERROR, .with_text = true },
    { .word = "int", .type = REPLY_INT },
    { .word = "bulk", .type = REPLY_BULK },
    { .word = "verbatim", .type = REPLY_VERBATIM },
    { .word = "null", .type = REPLY_NULL },
    { .word = "array", .type = REPLY_ARRAY },
    { .word = "set", .type = REPLY_SET },
    { .word = "push", .type = REPLY_PUSH },
    { .word = "map", .type = REPLY_MAP, .with_keys = true },
    { .word = "pairs", .type = REPLY_ARRAY, .with_keys = true },
};

// One alternative, taken apart.
struct kind_parts {
    size_t row;
    struct span text;
    struct span keys;
    bool keyed;
};

// Takes the next alternative off.
static bool next_alternative(struct span *kind, struct span *out)
{
    if (kind->len == 0)
        return false;
    const char *bar = memchr(kind->ptr, '|', kind->len);
    size_t len = bar ? (size_t)(bar - kind->ptr) : kind->len;
    *out = span_trim((struct span){ kind->ptr, len });
    kind->ptr += len + (bar != NULL);
    kind->len -= len + (bar != NULL);
    return true;
}

static const char *take_apart(struct span text, struct kind_parts *out)
{
    size_t len = 0;
    while (len < text.len && text.ptr[len] != ' ' && text.ptr[len] != '(')
        len++;
    *out = (struct kind_parts){ .row = sizeof(kinds) / sizeof(*kinds) };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (span_is((struct span){ text.ptr, len }, kinds[i].word))
            out->row = i;
    }
    if (out->row == sizeof(kinds) / sizeof(*kinds))
        return "no such kind";
    struct span rest = { text.ptr + len, text.len - len };
    if (rest.len == 0)
        return NULL;
    if (kinds[out->row].with_text) {
        out->text = span_trim(rest);
        return NULL;
    }
    if (!kinds[out->row].with_keys || rest.ptr[0] != '(' || rest.ptr[rest.len - 1] != ')')
        return "more than a kind";
    out->keyed = true;
    out->keys = (struct span){ rest.ptr + 1, rest.len - 2 };
    return NULL;
}

bool kind_valid(struct span kind, const char **error)
{
    struct span one;
    struct kind_parts parts;
    *error = kind.len == 0 ? "a kind is wanted" : NULL;
    while (*error == NULL && next_alternative(&kind, &one))
        *error = take_apart(one, &parts);
    return *error == NULL;
}

static bool has_keys(const struct reply *reply, struct span keys)
{
    size_t at = 0;
    while (keys.len > 0) {
        const char *blank = memchr(keys.ptr, ' ', keys.len);
        size_t len = blank ? (size_t)(blank - keys.ptr) : keys.len;
        if (at >= reply->count ||
            !span_equal(reply->items[at].text, (struct span){ keys.ptr, len }))
            return false;
        at += 2;
        keys.ptr += len + (blank != NULL);
        keys.len -= len + (blank != NULL);
    }
    return reply->count % 2 == 0;
}

static bool match_one(const struct kind_parts *parts, const struct reply *reply)
{
    char type = kinds[parts->row].type;
    if (type == REPLY_NULL)
        return reply->null;
    if (reply->null || reply->type != type)
        return false;
    if (parts->keyed)
        return has_keys(reply, parts->keys);
    if (parts->text.len == 0)
        return true;
    struct span got = type == REPLY_ERROR ? reply_error_code(reply) : reply->text;
    return span_equal(got, parts->text);
}

bool kind_match(struct span kind, const struct reply *reply)
{
    struct span one;
    struct kind_parts parts;
    while (next_alternative(&kind, &one)) {
        if (take_apart(one, &parts) == NULL && match_one(&parts, reply))
            return true;
    }
    return false;
}
