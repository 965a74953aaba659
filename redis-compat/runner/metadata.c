// SPDX-License-Identifier: BSD-3-Clause
// Compares the descriptions of commands: see metadata.h.
#include "metadata.h"
#include "canonical.h"

#include <string.h>

#define SHOWN_BYTES 1500

struct comparison {
    struct known_list *known;
    struct report *report;
    int protocol;
    struct span command;
    struct buffer text;  // of failures
    size_t checks;
    size_t failed;
};

// Whether our value is what the list says of 7.2.
static bool excused(struct comparison *c, const char *part, const struct reply *ours)
{
    struct buffer id = { 0 };
    struct buffer value = { 0 };
    buffer_printf(&id, "meta:%.*s:%s", SHOW(c->command), part);
    const struct known *known = known_find(c->known, buffer_span(&id));
    bool ok = known != NULL;
    // RESP3 shows the same in other brackets.
    if (ok && c->protocol == 2 && !span_is(known->value, "*")) {
        reply_print(&value, ours, SHOWN_BYTES);
        ok = span_equal(known->value, buffer_span(&value));
    }
    buffer_release(&id);
    buffer_release(&value);
    return ok;
}

static void tell(struct comparison *c, const char *part, const struct reply *oracle,
                 const struct reply *ours)
{
    const struct reply *replies[SIDES] = { oracle, ours };
    c->failed++;
    buffer_printf(&c->text, "FAIL  metadata of %.*s: %s  RESP%d\n", SHOW(c->command), part,
                  c->protocol);
    for (enum side side = ORACLE; side <= OURS; side++) {
        struct buffer shown = { 0 };
        if (replies[side])
            reply_print(&shown, replies[side], SHOWN_BYTES);
        else
            buffer_text(&shown, "(not there)");
        buffer_printf(&c->text, "      %s  %.*s\n", side_name(side), SHOW(buffer_span(&shown)));
        buffer_release(&shown);
    }
}

// One part; either may be missing (NULL).
static void compare_part(struct comparison *c, const char *part, const struct reply *oracle,
                         const struct reply *ours)
{
    c->checks++;
    if (!oracle && !ours)
        return;
    if (oracle && ours && canonical_equal(oracle, ours, true))
        return;
    if (!ours || !excused(c, part, ours))
        tell(c, part, oracle, ours);
}

static void ask_both(struct connection connections[SIDES], struct arena *arena, const char *line,
                     struct reply replies[SIDES])
{
    for (enum side side = ORACLE; side <= OURS; side++)
        ask(&connections[side], arena, line, &replies[side]);
}

// --- COMMAND ------------------------------------------------------------------------------------

static const char *const info_parts[] = { "name", "arity", "flags", "first-key", "last-key",
                                          "step", "acl",   "tips",  "key-specs" };
#define INFO_PARTS       (sizeof(info_parts) / sizeof(*info_parts))
#define INFO_SUBCOMMANDS 9

static const struct reply *named_in(const struct reply *list, struct span name)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct reply *item = &list->items[i];
        if (item->count > INFO_SUBCOMMANDS && span_equal(item->items[0].text, name))
            return item;
    }
    return NULL;
}

// Two lists of descriptions: of all commands, or of one's subcommands.
static void compare_infos(struct comparison *c, const struct reply *oracle,
                          const struct reply *ours)
{
    for (size_t i = 0; i < ours->count; i++) {
        const struct reply *our = &ours->items[i];
        const struct reply *other = our->count > INFO_SUBCOMMANDS
                                        ? named_in(oracle, our->items[0].text)
                                        : NULL;
        if (!other)
            continue;
        c->command = our->items[0].text;
        for (size_t part = 0; part < INFO_PARTS; part++)
            compare_part(c, info_parts[part], &other->items[part], &our->items[part]);
        compare_infos(c, &other->items[INFO_SUBCOMMANDS], &our->items[INFO_SUBCOMMANDS]);
    }
}

// --- COMMAND DOCS -------------------------------------------------------------------------------

// Summaries and histories are words of our own.
static const char *const docs_parts[] = { "since", "group", "doc_flags", "deprecated_since",
                                          "replaced_by" };

static const char *const argument_parts[] = { "name",  "type",  "key_spec_index",  "token",
                                              "since", "flags", "deprecated_since" };

// An argument list in a form of its own: 7.2 adds display_text, which is left out.
static void append_arguments(struct buffer *out, const struct reply *arguments)
{
    for (size_t i = 0; arguments && i < arguments->count; i++) {
        buffer_char(out, '(');
        for (size_t k = 0; k < sizeof(argument_parts) / sizeof(*argument_parts); k++) {
            const struct reply *value = reply_lookup(&arguments->items[i], argument_parts[k]);
            if (!value)
                continue;
            buffer_printf(out, "%s ", argument_parts[k]);
            canonical_append(out, value, true);
        }
        append_arguments(out, reply_lookup(&arguments->items[i], "arguments"));
        buffer_char(out, ')');
    }
}

static void compare_arguments(struct comparison *c, const struct reply *oracle,
                              const struct reply *ours)
{
    struct buffer a = { 0 };
    struct buffer b = { 0 };
    append_arguments(&a, oracle);
    append_arguments(&b, ours);
    c->checks++;
    if (!span_equal(buffer_span(&a), buffer_span(&b)) &&
        (!ours || !excused(c, "docs-arguments", ours)))
        tell(c, "docs-arguments", oracle, ours);
    buffer_release(&a);
    buffer_release(&b);
}

// "O(N)" of a sentence; its first order counts, the sentence is a matter of words.
static struct span order_of(const struct reply *complexity)
{
    struct span text = complexity ? complexity->text : (struct span){ 0 };
    const char *begin = text.len ? memmem(text.ptr, text.len, "O(", 2) : NULL;
    if (!begin)
        return (struct span){ 0 };
    size_t room = (size_t)(text.ptr + text.len - begin);
    size_t len = 0;
    int depth = 0;
    do {
        depth += (begin[len] == '(') - (begin[len] == ')');
        len++;
    } while (len < room && (len < 2 || depth > 0));
    return (struct span){ begin, len };
}

static void compare_complexity(struct comparison *c, const struct reply *oracle,
                               const struct reply *ours)
{
    c->checks++;
    bool same = !oracle == !ours && span_equal(order_of(oracle), order_of(ours));
    if (!same && (!ours || !excused(c, "docs-complexity", ours)))
        tell(c, "docs-complexity", oracle, ours);
}

static void compare_docs(struct comparison *c, const struct reply *oracle, const struct reply *ours)
{
    for (size_t i = 0; i + 1 < ours->count; i += 2) {
        const struct reply *our = &ours->items[i + 1];
        c->command = ours->items[i].text;
        char *name = arena_text(&c->report->arena, c->command);
        const struct reply *other = reply_lookup(oracle, name);
        if (!other)
            continue;
        for (size_t k = 0; k < sizeof(docs_parts) / sizeof(*docs_parts); k++) {
            struct span part = arena_printf(&c->report->arena, "docs-%s", docs_parts[k]);
            compare_part(c, part.ptr, reply_lookup(other, docs_parts[k]),
                         reply_lookup(our, docs_parts[k]));
        }
        compare_complexity(c, reply_lookup(other, "complexity"), reply_lookup(our, "complexity"));
        compare_arguments(c, reply_lookup(other, "arguments"), reply_lookup(our, "arguments"));
        const struct reply *subcommands = reply_lookup(our, "subcommands");
        const struct reply *others = reply_lookup(other, "subcommands");
        if (subcommands && others)
            compare_docs(c, others, subcommands);
    }
}

// --- COMMAND LIST -------------------------------------------------------------------------------

static bool both_have(const struct catalog *catalog, struct span name)
{
    const struct command *command = catalog_named(catalog, name);
    return command && command->has[ORACLE] && command->has[OURS];
}

// A list with what only one of the servers has left out.
static struct reply common_of(struct arena *arena, const struct catalog *catalog,
                              const struct reply *list)
{
    struct reply common = *list;
    common.items = arena_alloc(arena, list->count * sizeof(*common.items));
    common.count = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (both_have(catalog, list->items[i].text))
            common.items[common.count++] = list->items[i];
    }
    return common;
}

static void compare_lists(struct comparison *c, const struct catalog *catalog,
                          struct connection connections[SIDES])
{
    static const char *const categories[] = {
        "",          "keyspace",   "read",        "write",     "set",  "sortedset",
        "list",      "hash",       "string",      "bitmap",    "geo",  "hyperloglog",
        "stream",    "pubsub",     "admin",       "fast",      "slow", "blocking",
        "dangerous", "connection", "transaction", "scripting",
    };
    struct arena arena = { 0 };
    struct reply replies[SIDES];
    c->command = SPAN("command|list");
    for (size_t i = 0; i < sizeof(categories) / sizeof(*categories); i++) {
        struct span line = arena_printf(&arena, "COMMAND LIST%s%s", i ? " FILTERBY ACLCAT " : "",
                                        categories[i]);
        ask_both(connections, &arena, line.ptr, replies);
        struct reply oracle = common_of(&arena, catalog, &replies[ORACLE]);
        struct reply ours = common_of(&arena, catalog, &replies[OURS]);
        compare_part(c, line.ptr, &oracle, &ours);
    }
    arena_release(&arena);
}

// --- Both protocols -----------------------------------------------------------------------------

static void compare_in(struct comparison *c, const struct catalog *catalog, const struct pair *pair)
{
    struct arena arena = { 0 };
    struct connection connections[SIDES];
    struct reply replies[SIDES];
    const struct command *docs = catalog_named(catalog, SPAN("command|docs"));
    for (enum side side = ORACLE; side <= OURS; side++) {
        if (!server_connect(&pair->servers[side], false, &connections[side]))
            die("no connection to the %s", side_name(side));
    }
    ask_both(connections, &arena, c->protocol == 3 ? "HELLO 3" : "HELLO 2", replies);
    ask_both(connections, &arena, "COMMAND", replies);
    compare_infos(c, &replies[ORACLE], &replies[OURS]);
    compare_lists(c, catalog, connections);
    if (docs && docs->has[OURS]) {
        ask_both(connections, &arena, "COMMAND DOCS", replies);
        compare_docs(c, &replies[ORACLE], &replies[OURS]);
    }
    for (enum side side = ORACLE; side <= OURS; side++)
        connection_close(&connections[side]);
    arena_release(&arena);
}

void metadata_compare(const struct catalog *catalog, const struct pair *pair,
                      struct known_list *known, struct report *report)
{
    struct comparison c = { .known = known, .report = report };
    for (c.protocol = 2; c.protocol <= 3; c.protocol++)
        compare_in(&c, catalog, pair);
    struct report_line counts = { .cases = c.checks, .failed = c.failed };
    report_add(report, SPAN("metadata"), &counts, &c.text);
    buffer_release(&c.text);
}
