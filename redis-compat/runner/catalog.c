// SPDX-License-Identifier: BSD-3-Clause
// All commands of both servers: see catalog.h.
#include "catalog.h"
#include "words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 20000
#define NAME_MAX    128

// The places of COMMAND's reply.
enum { AT_NAME, AT_ARITY, AT_FLAGS, AT_FIRST, AT_LAST, AT_STEP, AT_SUBCOMMANDS = 9, PARTS = 10 };

void ask(struct connection *c, struct arena *arena, const char *line, struct reply *out)
{
    struct words words;
    const char *error;
    struct buffer bytes = { 0 };
    if (!words_split(arena, span_of(line), NULL, &words, &error))
        die("%s: %s", line, error);
    command_append(&bytes, words.items, words.count);
    if (!connection_send(c, buffer_span(&bytes), PATIENCE_MS) ||
        connection_fetch(c, arena, PATIENCE_MS, out) != FETCH_REPLY)
        die("%s: a server does not answer", line);
    buffer_release(&bytes);
}

static struct command *find_or_add(struct catalog *catalog, struct span name)
{
    struct command *known = catalog_named(catalog, name);
    if (known)
        return known;
    catalog->items = arena_grow(&catalog->arena, catalog->items, catalog->count,
                                sizeof(*catalog->items));
    struct command *command = &catalog->items[catalog->count++];
    *command = (struct command){ .name = arena_copy(&catalog->arena, name) };
    command->words = memchr(name.ptr, '|', name.len) ? 2 : 1;
    return command;
}

static bool has_flag(const struct reply *flags, const char *name)
{
    for (size_t i = 0; i < flags->count; i++) {
        if (span_is(flags->items[i].text, name))
            return true;
    }
    return false;
}

static long long number_at(const struct reply *description, size_t i)
{
    long long number = 0;
    span_int(description->items[i].text, &number);
    return number;
}

// Where both describe a command the oracle's word counts.
static void add_described(struct catalog *catalog, enum side side, const struct reply *description)
{
    if (description->count != PARTS)
        die("COMMAND of the %s does not have %d parts", side_name(side), PARTS);
    struct command *command = find_or_add(catalog, description->items[AT_NAME].text);
    const struct reply *subcommands = &description->items[AT_SUBCOMMANDS];
    command->has[side] = true;
    if (!command->has[ORACLE] || side == ORACLE) {
        command->arity = number_at(description, AT_ARITY);
        command->first_key = number_at(description, AT_FIRST);
        command->last_key = number_at(description, AT_LAST);
        command->key_step = number_at(description, AT_STEP);
        command->writes = has_flag(&description->items[AT_FLAGS], "write");
        command->container = subcommands->count > 0;
    }
    for (size_t i = 0; i < subcommands->count; i++)
        add_described(catalog, side, &subcommands->items[i]);
}

static void read_docs(struct catalog *catalog, const struct reply *docs)
{
    for (size_t i = 0; i + 1 < docs->count; i += 2) {
        const struct reply *doc = &docs->items[i + 1];
        const struct reply *group = reply_lookup(doc, "group");
        const struct reply *subcommands = reply_lookup(doc, "subcommands");
        struct command *command = catalog_named(catalog, docs->items[i].text);
        if (subcommands)
            read_docs(catalog, subcommands);
        if (!command)
            continue;
        if (group)
            command->group = arena_copy(&catalog->arena, group->text);
        if (!arguments_read(&catalog->arena, reply_lookup(doc, "arguments"), &command->arguments))
            die("COMMAND DOCS %.*s: an argument of a type that is not known", SHOW(command->name));
    }
}

static int compare_names(const void *a, const void *b)
{
    const struct command *x = a;
    const struct command *y = b;
    size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = memcmp(x->name.ptr, y->name.ptr, len);
    return order ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

void catalog_read(struct catalog *catalog, const struct pair *pair)
{
    struct arena arena = { 0 };
    struct reply reply;
    *catalog = (struct catalog){ 0 };
    for (enum side side = ORACLE; side <= OURS; side++) {
        struct connection c;
        if (!server_connect(&pair->servers[side], false, &c))
            die("no connection to the %s", side_name(side));
        ask(&c, &arena, "COMMAND", &reply);
        if (reply.count == 0)
            die("COMMAND of the %s lists nothing", side_name(side));
        for (size_t i = 0; i < reply.count; i++)
            add_described(catalog, side, &reply.items[i]);
        if (side == ORACLE) {
            ask(&c, &arena, "COMMAND DOCS", &reply);
            read_docs(catalog, &reply);
        }
        connection_close(&c);
    }
    // The oracle's order differs from run to run; a seed has to mean the same commands.
    qsort(catalog->items, catalog->count, sizeof(*catalog->items), compare_names);
    arena_release(&arena);
}

void catalog_release(struct catalog *catalog)
{
    arena_release(&catalog->arena);
    *catalog = (struct catalog){ 0 };
}

struct command *catalog_named(const struct catalog *catalog, struct span name)
{
    for (size_t i = 0; i < catalog->count; i++) {
        if (span_equal(catalog->items[i].name, name))
            return &catalog->items[i];
    }
    return NULL;
}

struct command *catalog_find(const struct catalog *catalog, const struct span *argv, size_t argc)
{
    char name[NAME_MAX];
    size_t len = 0;
    struct command *found = NULL;
    for (size_t word = 0; word < 2 && word < argc; word++) {
        if (len + argv[word].len + 1 > sizeof(name))
            return found;
        if (word > 0)
            name[len++] = '|';
        for (size_t i = 0; i < argv[word].len; i++)
            name[len++] = (char)tolower((unsigned char)argv[word].ptr[i]);
        struct command *command = catalog_named(catalog, (struct span){ name, len });
        if (!command)
            return found;
        found = command;
        if (!command->container)
            return found;
    }
    return found;
}
