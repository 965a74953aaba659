// SPDX-License-Identifier: BSD-3-Clause
// The registered commands: see registry.h.
#include "server/registry.h"

#include "base/memory.h"
#include "base/numbers.h"
#include "base/panic.h"
#include "server/histogram.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define GATES_MAX    24
#define COMMANDS_MAX 512

// Open addressing over the folded name; four times as many places as commands at the most.
#define INDEX_PLACES 2048

// A name of up to 16 bytes folded to lower case, in two overlapping words.
#define FOLDED_BYTES 16

struct folded {
    uint64_t first;
    uint64_t last;
    size_t len;
};

struct index_place {
    struct folded name;
    struct command_entry *command;
};

struct registry {
    struct index_place index[INDEX_PLACES];
    struct command_entry *commands[COMMANDS_MAX];
    size_t count;
    int gate_count;       // asked in this order, and
    int last_gate_count;  // behind them, from the end of the array
    struct {
        gate_applies_fn applies;
        gate_refuses_fn refuses;
    } gates[GATES_MAX];
};

struct registry *registry_new(void)
{
    return mem_alloc_zeroed(sizeof(struct registry));
}

_Static_assert(offsetof(struct command_entry, histogram) + sizeof(struct histogram *) <=
                   COMMAND_ENTRY_ALIGNMENT,
               "dispatch needs one cache line of a command");

static struct command_entry *entries_new(size_t count)
{
    size_t bytes = count * sizeof(struct command_entry);
    struct command_entry *entries = mem_try_alloc_aligned(bytes, COMMAND_ENTRY_ALIGNMENT);
    if (!entries)
        PANIC("no memory for %zu bytes of commands", bytes);
    return entries;
}

static void entries_free(struct command_entry *entries, size_t count)
{
    mem_free_aligned(entries, count * sizeof(*entries), COMMAND_ENTRY_ALIGNMENT);
}

void registry_reset_stats(struct command_entry *command)
{
    if (command->histogram)
        mem_free(command->histogram, sizeof(*command->histogram));
    command->histogram = NULL;
    command->calls = command->ticks = 0;
    command->rejected_calls = command->failed_calls = 0;
    for (int i = 0; i < command->subcommand_count; i++)
        registry_reset_stats(&command->subcommands[i]);
}

static void entry_release(struct command_entry *entry)
{
    for (int i = 0; i < entry->subcommand_count; i++)
        entry_release(&entry->subcommands[i]);
    if (entry->subcommands)
        entries_free(entry->subcommands, (size_t)entry->subcommand_count);
    mem_free(entry->full_name, strlen(entry->full_name) + 1);
    mem_free(entry->called, strlen(entry->called) + 1);
}

void registry_free(struct registry *registry)
{
    for (size_t i = 0; i < registry->count; i++) {
        registry_reset_stats(registry->commands[i]);
        entry_release(registry->commands[i]);
        entries_free(registry->commands[i], 1);
    }
    mem_free(registry, sizeof(*registry));
}

static uint32_t add_gate(struct registry *registry, int i, gate_applies_fn applies,
                         gate_refuses_fn refuses)
{
    ASSERT(registry->gate_count + registry->last_gate_count <= GATES_MAX);
    ASSERT(registry->count == 0);
    registry->gates[i].applies = applies;
    registry->gates[i].refuses = refuses;
    return 1u << i;
}

uint32_t registry_add_gate(struct registry *registry, gate_applies_fn applies,
                           gate_refuses_fn refuses)
{
    return add_gate(registry, registry->gate_count++, applies, refuses);
}

uint32_t registry_add_last_gate(struct registry *registry, gate_applies_fn applies,
                                gate_refuses_fn refuses)
{
    return add_gate(registry, GATES_MAX - ++registry->last_gate_count, applies, refuses);
}

bool registry_ask_gates(const struct registry *registry, uint32_t bits, struct cmd_ctx *ctx)
{
    for (int i = 0; i < GATES_MAX; i++) {
        if (bits & 1u << i && registry->gates[i].refuses(ctx))
            return true;
    }
    return false;
}

// Eight bytes at once: those that are 'A' to 'Z' in lower case.
static inline uint64_t lower_case(uint64_t bytes)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t low_bits = bytes & 0x7f * each;
    // Bit 7 of a byte tells; no sum carries into the next one.
    uint64_t from_a = low_bits + (0x80 - 'A') * each;
    uint64_t behind_z = low_bits + (0x80 - ('Z' + 1)) * each;
    uint64_t upper = (from_a ^ behind_z) & ~bytes & 0x80 * each;
    return bytes | upper >> 2;
}

// Every byte of a name of up to 16 bytes is in one of the words.
static inline struct folded fold(struct slice name)
{
    struct folded folded = { .len = name.len };
    if (name.len >= 8) {
        memcpy(&folded.first, name.ptr, 8);
        memcpy(&folded.last, name.ptr + name.len - 8, 8);
        folded.last = lower_case(folded.last);
    } else if (name.len >= 4) {
        uint32_t low, high;
        memcpy(&low, name.ptr, 4);
        memcpy(&high, name.ptr + name.len - 4, 4);
        folded.first = low | (uint64_t)high << 32;
    } else if (name.len > 0) {
        const unsigned char *p = (const unsigned char *)name.ptr;
        folded.first = p[0] | (uint64_t)p[name.len / 2] << 8 | (uint64_t)p[name.len - 1] << 16;
    }
    folded.first = lower_case(folded.first);
    return folded;
}

static inline size_t index_home(const struct folded *name)
{
    uint64_t mixed = name->first * UINT64_C(0x9E3779B97F4A7C15) ^
                     name->last * UINT64_C(0xC2B2AE3D27D4EB4F) ^ name->len << 40;
    return mixed >> 53;
}
_Static_assert(INDEX_PLACES == 1u << (64 - 53), "index_home() yields a place");

static void index_add(struct registry *registry, struct command_entry *entry)
{
    struct folded name = fold(slice_of(entry->called));
    size_t i = index_home(&name);
    while (registry->index[i].command)
        i = (i + 1) % INDEX_PLACES;
    registry->index[i] = (struct index_place){ .name = name, .command = entry };
}

struct command_entry *registry_lookup(const struct registry *registry, struct slice name)
{
    struct folded folded = fold(name);
    for (size_t i = index_home(&folded); registry->index[i].command; i = (i + 1) % INDEX_PLACES) {
        const struct index_place *place = &registry->index[i];
        if (place->name.first != folded.first || place->name.last != folded.last ||
            place->name.len != folded.len)
            continue;
        // A long name has bytes that are in no word.
        if (likely(name.len <= FOLDED_BYTES) ||
            strncasecmp(place->command->called, name.ptr, name.len) == 0)
            return place->command;
    }
    return NULL;
}

static uint32_t all_categories(const struct command *row)
{
    uint32_t acl = row->acl;
    if (row->flags & CMD_WRITE)
        acl |= ACL_WRITE;
    if (row->flags & CMD_READONLY && !(acl & ACL_SCRIPTING))
        acl |= ACL_READ;
    if (row->flags & CMD_ADMIN)
        acl |= ACL_ADMIN | ACL_DANGEROUS;
    if (row->flags & CMD_PUBSUB)
        acl |= ACL_PUBSUB;
    if (row->flags & CMD_BLOCKING)
        acl |= ACL_BLOCKING;
    acl |= row->flags & CMD_FAST ? ACL_FAST : ACL_SLOW;
    return acl;
}

static bool is_plain_range(const struct key_spec *spec)
{
    return spec->begin == KEY_BEGIN_INDEX && spec->find == KEY_FIND_RANGE && spec->limit <= 1;
}

// First, last and step as far as plain ranges, each right behind the one before, say it.
static void set_key_range(struct command_entry *entry)
{
    int last = 0;
    for (int i = 0; i < COMMAND_KEY_SPECS_MAX; i++) {
        const struct key_spec *spec = &entry->row->keys[i];
        if (spec->begin == KEY_BEGIN_NONE)
            break;
        bool follows = i == 0 || (last > 0 && spec->begin_index == last + spec->step &&
                                  spec->step == entry->shown_keys.step);
        bool is_channel = spec->flags & KEY_NOT_KEY;
        if (!is_plain_range(spec) || !follows || (i > 0 && is_channel)) {
            entry->keys_complex = true;
            return;
        }
        last = spec->last >= 0 ? spec->begin_index + spec->last : spec->last;
        if (i == 0)
            entry->shown_keys.first = (int16_t)spec->begin_index;
        entry->shown_keys.last = (int16_t)last;
        entry->shown_keys.step = (int16_t)spec->step;
    }
    // Names of shard channels: clients need to know where they stand, nobody looks them up.
    if (entry->row->keys[0].flags & KEY_NOT_KEY) {
        entry->keys_complex = entry->row->keys[1].begin != KEY_BEGIN_NONE;
        return;
    }
    entry->key_first = entry->shown_keys.first;
    entry->key_last = entry->shown_keys.last;
    entry->key_step = entry->shown_keys.step;
}

static char *make_full_name(const struct command_entry *parent, const char *name)
{
    char text[96];
    int len = parent ? snprintf(text, sizeof(text), "%s|%s", parent->full_name, name)
                     : snprintf(text, sizeof(text), "%s", name);
    ASSERT(len > 0 && (size_t)len < sizeof(text));
    return mem_strndup(text, (size_t)len);
}

static void entry_init(const struct registry *registry, struct command_entry *entry,
                       const struct command *row, const struct command_entry *parent)
{
    *entry = (struct command_entry){
        .handler = row->handler,
        .row = row,
        .arity = row->arity,
        .flags = row->flags,
        .is_container = row->subcommands != NULL,
        .element = row->element,
        .is_barrier = row->barrier || row->flags & CMD_BLOCKING,
        .parent = parent,
        .acl = all_categories(row),
        .full_name = make_full_name(parent, row->name),
        .called = mem_strndup(row->name, strlen(row->name)),
    };
    set_key_range(entry);
    const uint32_t fast_read = CMD_FAST | CMD_READONLY;
    entry->is_brief = row->brief || ((row->flags & fast_read) == fast_read && row->arity > 0);
    for (int i = 0; i < GATES_MAX; i++) {
        if (registry->gates[i].applies && registry->gates[i].applies(row))
            entry->gates |= 1u << i;
    }
    if (!row->subcommands)
        return;
    while (row->subcommands[entry->subcommand_count].name)
        entry->subcommand_count++;
    entry->subcommands = entries_new((size_t)entry->subcommand_count);
    for (int i = 0; i < entry->subcommand_count; i++)
        entry_init(registry, &entry->subcommands[i], &row->subcommands[i], entry);
}

void registry_add(struct registry *registry, const struct command *table)
{
    for (const struct command *row = table; row->name; row++) {
        ASSERT(registry->count < COMMANDS_MAX);
        ASSERT(!registry_lookup(registry, slice_of(row->name)));
        struct command_entry *entry = entries_new(1);
        entry_init(registry, entry, row, NULL);
        registry->commands[registry->count++] = entry;
        index_add(registry, entry);
    }
}

static void index_all(struct registry *registry)
{
    memset(registry->index, 0, sizeof(registry->index));
    for (size_t i = 0; i < registry->count; i++)
        index_add(registry, registry->commands[i]);
}

static void remove_command(struct registry *registry, struct command_entry *entry)
{
    size_t i = 0;
    while (registry->commands[i] != entry)
        i++;
    registry->count--;
    memmove(&registry->commands[i], &registry->commands[i + 1],
            (registry->count - i) * sizeof(registry->commands[i]));
    entry_release(entry);
    mem_free(entry, sizeof(*entry));
}

enum status registry_rename(struct registry *registry, struct slice name, struct slice new_name)
{
    struct command_entry *entry = registry_lookup(registry, name);
    if (!entry)
        return STATUS_NOT_FOUND;
    if (new_name.len == 0) {
        remove_command(registry, entry);
        index_all(registry);
        return STATUS_OK;
    }
    const struct command_entry *other = registry_lookup(registry, new_name);
    if (other && other != entry)
        return STATUS_EXISTS;
    mem_free(entry->called, strlen(entry->called) + 1);
    entry->called = mem_strndup(new_name.ptr, new_name.len);
    index_all(registry);
    return STATUS_OK;
}

struct command_entry *registry_subcommand(const struct command_entry *container, struct slice name)
{
    for (int i = 0; i < container->subcommand_count; i++) {
        if (slice_is(name, container->subcommands[i].row->name))
            return &container->subcommands[i];
    }
    return NULL;
}

struct command_entry *registry_at(const struct registry *registry, size_t index)
{
    return registry->commands[index];
}

size_t registry_count(const struct registry *registry)
{
    return registry->count;
}

// Where a specification's keys begin, or 0 if they are not there.
static int64_t spec_begin(const struct key_spec *spec, const struct slice *argv, uint32_t argc)
{
    if (spec->begin == KEY_BEGIN_INDEX)
        return spec->begin_index;
    if (spec->begin == KEY_BEGIN_UNKNOWN)
        return spec->locate ? spec->locate(argv, argc) : 0;
    if (spec->begin != KEY_BEGIN_KEYWORD)
        return 0;
    int64_t step = spec->begin_index >= 0 ? 1 : -1;
    int64_t at = spec->begin_index >= 0 ? spec->begin_index : (int64_t)argc + spec->begin_index;
    for (; at > 0 && at < (int64_t)argc - 1; at += step) {
        if (slice_is(argv[at], spec->keyword))
            return at + 1;
    }
    return 0;
}

struct key_span {
    int64_t first;
    int64_t last;
    int64_t step;
};

// The span of one specification's keys; false if the arguments make no sense.
static bool spec_span(const struct key_spec *spec, const struct slice *argv, uint32_t argc,
                      int64_t begin, struct key_span *out)
{
    out->step = spec->step;
    if (spec->find == KEY_FIND_UNKNOWN) {
        // The row's own function has found it.
        *out = (struct key_span){ .first = begin, .last = begin, .step = 1 };
        return spec->begin == KEY_BEGIN_UNKNOWN && begin < (int64_t)argc;
    }
    if (spec->find == KEY_FIND_RANGE) {
        out->first = begin;
        out->last = spec->last >= 0 ? begin + spec->last : (int64_t)argc + spec->last;
        if (spec->last < 0 && spec->limit > 1)
            out->last = begin + ((int64_t)argc - begin) / spec->limit + spec->last;
        return out->last < (int64_t)argc;
    }
    if (spec->find != KEY_FIND_KEYNUM || begin + spec->keynum_index >= (int64_t)argc)
        return false;
    int64_t count;
    if (!parse_int64(argv[begin + spec->keynum_index], &count) || count < 0 || count > argc)
        return false;
    out->first = begin + spec->keynum_first;
    out->last = out->first + (count - 1) * spec->step;
    return out->last < (int64_t)argc;
}

int registry_find_keys(const struct command_entry *command, const struct slice *argv, uint32_t argc,
                       struct key_place *out, int max)
{
    int found = 0;
    for (int i = 0; i < COMMAND_KEY_SPECS_MAX; i++) {
        const struct key_spec *spec = &command->row->keys[i];
        if (spec->begin == KEY_BEGIN_NONE)
            break;
        if (spec->flags & KEY_NOT_KEY)
            continue;
        int64_t begin = spec_begin(spec, argv, argc);
        if (begin == 0)
            continue;
        struct key_span span;
        if (!spec_span(spec, argv, argc, begin, &span))
            return -1;
        uint32_t flags = spec->flags;
        if (flags & KEY_VARIABLE_FLAGS && command->row->key_flags)
            flags = command->row->key_flags(argv, argc);
        for (int64_t at = span.first; at <= span.last; at += span.step) {
            if (found < max)
                out[found] = (struct key_place){ .position = (uint32_t)at, .flags = flags };
            found++;
        }
    }
    return found;
}
