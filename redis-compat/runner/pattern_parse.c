// SPDX-License-Identifier: BSD-3-Clause
// Reads the pattern language: see pattern.h.
#include "pattern.h"

#include <string.h>

#define NESTED_MAX 16

struct parser {
    struct arena *arena;
    struct span text;
    size_t pos;
    int depth;
    const char *error;
};

static bool fail(struct parser *p, const char *error)
{
    p->error = error;
    return false;
}

static void skip_blanks(struct parser *p)
{
    while (p->pos < p->text.len && p->text.ptr[p->pos] == ' ')
        p->pos++;
}

static bool take(struct parser *p, const char *token)
{
    skip_blanks(p);
    struct span rest = { p->text.ptr + p->pos, p->text.len - p->pos };
    if (!span_starts(rest, token))
        return false;
    p->pos += strlen(token);
    return true;
}

// Up to one of `ends`, which is left there.
static struct span take_until(struct parser *p, const char *ends)
{
    skip_blanks(p);
    struct span out = { p->text.ptr + p->pos, 0 };
    while (p->pos < p->text.len && !strchr(ends, p->text.ptr[p->pos])) {
        p->pos++;
        out.len++;
    }
    return span_trim(out);
}

static bool parse(struct parser *p, struct pattern *out);

// After "~".
static bool parse_tolerance(struct parser *p, struct pattern *out)
{
    out->bounded = true;
    if (!span_number(take_until(p, ",]}. "), &out->tolerance) || out->tolerance < 0)
        return fail(p, "a number is wanted after ~");
    return true;
}

// After "fields(", "info(" or "stats(".
static bool parse_fields(struct parser *p, enum pattern_kind kind, struct pattern *out)
{
    out->kind = kind;
    while (!take(p, ")")) {
        struct span name = take_until(p, " )");
        if (name.len == 0)
            return fail(p, "fields(...), info(...) or stats(...) without its end");
        out->names = arena_grow(p->arena, out->names, out->count, sizeof(*out->names));
        out->names[out->count++] = name;
    }
    return true;
}

static bool add_item(struct parser *p, struct pattern *out)
{
    struct pattern item = { 0 };
    if (!parse(p, &item))
        return false;
    out->items = arena_grow(p->arena, out->items, out->count, sizeof(*out->items));
    out->items[out->count++] = item;
    return true;
}

// After "[".
static bool parse_items(struct parser *p, struct pattern *out)
{
    out->kind = PATTERN_ITEMS;
    if (take(p, "]"))
        return true;
    do {
        if (!add_item(p, out))
            return false;
    } while (take(p, ","));
    if (out->count == 1 && take(p, "..."))
        out->kind = PATTERN_EACH;
    return take(p, "]") || fail(p, "[ without ]");
}

// After "{".
static bool parse_map(struct parser *p, struct pattern *out)
{
    out->kind = PATTERN_MAP;
    do {
        struct span key = take_until(p, ":,}");
        if (key.len == 0 || !take(p, ":"))
            return fail(p, "{ wants key: pattern");
        out->names = arena_grow(p->arena, out->names, out->count, sizeof(*out->names));
        out->names[out->count] = key;
        if (!add_item(p, out))
            return false;
    } while (take(p, ","));
    return take(p, "}") || fail(p, "{ without }");
}

static bool parse_word(struct parser *p, struct pattern *out)
{
    static const struct {
        const char *word;
        enum pattern_kind kind;
    } words[] = {
        { "=", PATTERN_SAME },
        { "type", PATTERN_TYPE },
        { "shape", PATTERN_SHAPE },
        { "bulk", PATTERN_BULK },
        { "help", PATTERN_HELP },
        { "unordered*", PATTERN_UNORDERED_DEEP },
        { "unordered", PATTERN_UNORDERED },
        { "int", PATTERN_INT },
        { "number", PATTERN_NUMBER },
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!take(p, words[i].word))
            continue;
        out->kind = words[i].kind;
        bool may = out->kind == PATTERN_INT || out->kind == PATTERN_NUMBER;
        return may && take(p, "~") ? parse_tolerance(p, out) : true;
    }
    return fail(p, "no such pattern");
}

static bool parse_text(struct parser *p, enum pattern_kind kind, struct pattern *out)
{
    out->kind = kind;
    out->text = take_until(p, ")");
    return take(p, ")") || fail(p, "a text without its closing bracket");
}

static bool parse(struct parser *p, struct pattern *out)
{
    bool ok;
    if (p->depth == NESTED_MAX)
        return fail(p, "nested too deep");
    p->depth++;
    if (take(p, "prefix(")) {
        ok = parse_text(p, PATTERN_PREFIX, out);
    } else if (take(p, "behind(")) {
        ok = parse_text(p, PATTERN_BEHIND, out);
    } else if (take(p, "side(")) {
        out->kind = PATTERN_SIDE;
        ok = span_number(take_until(p, ")"), &out->tolerance) && take(p, ")");
        if (!ok)
            fail(p, "a number is wanted in side(...)");
    } else if (take(p, "fields(")) {
        ok = parse_fields(p, PATTERN_FIELDS, out);
    } else if (take(p, "info(")) {
        ok = parse_fields(p, PATTERN_INFO, out);
    } else if (take(p, "stats(")) {
        ok = parse_fields(p, PATTERN_STATS, out);
    } else if (take(p, "[")) {
        ok = parse_items(p, out);
    } else if (take(p, "{")) {
        ok = parse_map(p, out);
    } else {
        ok = parse_word(p, out);
    }
    p->depth--;
    return ok;
}

bool pattern_parse(struct arena *arena, struct span text, struct pattern *out, const char **error)
{
    struct parser p = { .arena = arena, .text = text };
    *out = (struct pattern){ 0 };
    bool ok = parse(&p, out);
    skip_blanks(&p);
    if (ok && p.pos < text.len)
        ok = fail(&p, "more than one pattern");
    *error = p.error;
    return ok;
}
