// SPDX-License-Identifier: BSD-3-Clause
// Configuration: see config.h. This file: the registered directives, CONFIG GET and SET.
#include "server/config.h"

#include "base/glob.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "server/config_internal.h"

#include <string.h>

// How long a list of names in the log may be, so that the next one fits in as well.
#define INERT_LINE_MAX 800

// How much of an unknown name an error shows.
#define NAME_SHOWN 64

// Pairs of one CONFIG SET; more than there are names.
#define PAIRS_MAX (2 * DIRECTIVES_MAX)

struct config *config_new(void)
{
    struct config *config = mem_alloc_zeroed(sizeof(struct config));
    config_register(config, config_include_directives, config);
    return config;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        bytes_release(&config->directives[i].default_words);
        bytes_release(&config->directives[i].file_words);
    }
    mem_free(config, sizeof(*config));
}

void config_register(struct config *config, const struct config_directive *table, void *owner)
{
    for (const struct config_directive *row = table; row->name; row++) {
        ASSERT(config->count < DIRECTIVES_MAX);
        struct directive *directive = &config->directives[config->count++];
        *directive = (struct directive){ .row = row, .owner = owner };
        struct config_error error;
        if (row->default_text &&
            !directive_set_text(directive, slice_of(row->default_text), &error))
            PANIC("the default of %s is refused: %s", row->name, error.text);
        directive_get_words(directive, &directive->default_words);
        directive_get_words(directive, &directive->file_words);
    }
}

void config_release_strings(struct config *config, const void *owner)
{
    for (size_t i = 0; i < config->count; i++) {
        if (config->directives[i].owner == owner)
            directive_release_string(&config->directives[i]);
    }
}

static bool has_name(const struct config_directive *row, struct slice name)
{
    return slice_is(name, row->name) || (row->alias && slice_is(name, row->alias));
}

struct directive *config_find(struct config *config, struct slice name)
{
    for (size_t i = 0; i < config->count; i++) {
        if (has_name(config->directives[i].row, name))
            return &config->directives[i];
    }
    return NULL;
}

bool config_is_secret(struct config *config, struct slice name)
{
    const struct directive *directive = config_find(config, name);
    return directive && directive->row->flags & CONFIG_SECRET;
}

// ---- GET ----------------------------------------------------------------------------------------

void config_get(const struct config *config, const struct slice *patterns, size_t count,
                config_emit_fn emit, void *udata)
{
    struct bytes value = { 0 };
    for (size_t i = 0; i < config->count; i++) {
        const struct directive *directive = &config->directives[i];
        if (directive->row->flags & CONFIG_HIDDEN)
            continue;
        const char *names[] = { directive->row->name, directive->row->alias };
        for (size_t n = 0; n < 2 && names[n]; n++) {
            size_t p = 0;
            while (p < count && !glob_match(patterns[p], slice_of(names[n]), true))
                p++;
            if (p == count)
                continue;
            bytes_clear(&value);
            directive_get_text(directive, &value);
            // One who asks for a name gets it back as he wrote it.
            bool literal = glob_literal_prefix(patterns[p]) == patterns[p].len;
            emit(literal ? patterns[p] : slice_of(names[n]), bytes_slice(&value), udata);
        }
    }
    bytes_release(&value);
}

// ---- What has no effect -------------------------------------------------------------------------

// Set to what this server can't do.
static bool is_lost(const struct directive *directive)
{
    return directive->row->flags & CONFIG_UNSUPPORTED &&
           !directive_has_words(directive, &directive->default_words);
}

enum status config_check_unsupported(const struct config *config, bool ignore,
                                     struct config_error *error)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct directive *directive = &config->directives[i];
        if (!is_lost(directive))
            continue;
        if (!ignore) {
            config_refuse(error,
                          "'%s' is set, but not supported by this server, which would be less safe "
                          "than it looks; 'ignore-unsupported yes' starts it all the same",
                          directive->row->name);
            return STATUS_INVALID;
        }
        log_warning("The directive '%s' is not supported and has no effect (ignore-unsupported)",
                    directive->row->name);
    }
    return STATUS_OK;
}

static void log_inert(const struct bytes *names)
{
    if (names->len)
        log_notice("Directives accepted that have no effect here: %.*s", (int)names->len,
                   names->data);
}

void config_report_inert(const struct config *config)
{
    struct bytes names = { 0 };
    for (size_t i = 0; i < config->count; i++) {
        const struct directive *directive = &config->directives[i];
        if (!directive->given || !(directive->row->flags & CONFIG_INERT))
            continue;
        if (names.len > INERT_LINE_MAX) {
            log_inert(&names);
            bytes_clear(&names);
        }
        bytes_printf(&names, "%s%s", names.len ? ", " : "", directive->row->name);
    }
    log_inert(&names);
    bytes_release(&names);
}

// ---- SET ----------------------------------------------------------------------------------------

struct change {
    struct directive *directive;
    struct slice name;
    struct slice value;
    struct bytes old_words;
    bool applied;
};

// The reply to a CONFIG SET that one directive spoils.
static enum status refuse_set(struct config_error *error, struct slice name, const char *reason)
{
    config_refuse(error, "CONFIG SET failed (possibly related to argument '%.*s') - %.384s",
                  (int)(name.len < NAME_SHOWN ? name.len : NAME_SHOWN), name.ptr, reason);
    return STATUS_INVALID;
}

// Finds the directives of all pairs, refusing unknown, unchangeable and repeated ones. A directive
// may come by each of its names.
static enum status find_pairs(struct config *config, struct change *changes, size_t count,
                              struct config_error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct slice name = changes[i].name;
        struct directive *found = config_find(config, name);
        if (!found || found->row->flags & CONFIG_HIDDEN) {
            config_refuse(error, "Unknown option or number of arguments for CONFIG SET - '%.*s'",
                          (int)(name.len < NAME_SHOWN ? name.len : NAME_SHOWN), name.ptr);
            return STATUS_NOT_FOUND;
        }
        if (found->row->flags & CONFIG_IMMUTABLE)
            return refuse_set(error, name, "can't set immutable config");
        if (found->row->flags & CONFIG_PROTECTED)
            return refuse_set(error, name, "can't set protected config");
        if (found->row->flags & CONFIG_NOT_LOADING && config->loading)
            return STATUS_AGAIN;
        for (size_t k = 0; k < i; k++) {
            if (changes[k].directive == found && slice_equal_nocase(changes[k].name, name))
                return refuse_set(error, name, "duplicate parameter");
        }
        changes[i].directive = found;
    }
    return STATUS_OK;
}

// Gives all of them their values; on failure `*failed` is the one that is to blame.
static bool set_all(struct change *changes, size_t count, size_t *failed,
                    struct config_error *reason)
{
    for (size_t i = 0; i < count; i++) {
        struct directive *directive = changes[i].directive;
        *failed = i;
        if (!directive_set_text(directive, changes[i].value, reason))
            return false;
        if (is_lost(directive))
            return config_refuse(reason, "not supported by this server");
    }
    return true;
}

// Whether an earlier change of the same owner has been applied in the same way.
static bool is_applied(const struct change *changes, size_t i)
{
    const struct directive *directive = changes[i].directive;
    for (size_t k = 0; k < i; k++) {
        const struct directive *other = changes[k].directive;
        if (changes[k].applied && other->owner == directive->owner &&
            other->row->apply == directive->row->apply)
            return true;
    }
    return false;
}

static bool apply_all(struct change *changes, size_t count, size_t *failed,
                      struct config_error *reason)
{
    for (size_t i = 0; i < count; i++) {
        const struct directive *directive = changes[i].directive;
        if (!directive->row->apply || is_applied(changes, i) ||
            directive_has_words(directive, &changes[i].old_words))
            continue;
        *failed = i;
        changes[i].applied = true;
        if (!directive->row->apply(directive->owner, reason))
            return false;
    }
    return true;
}

// Back to what it was, and whoever was told of the new value is told of the old one.
static void undo_all(struct change *changes, size_t count)
{
    struct config_error error;
    for (size_t i = count; i-- > 0;) {
        if (!directive_restore(changes[i].directive, &changes[i].old_words, &error))
            log_warning("CONFIG SET can't undo %s: %s", changes[i].directive->row->name,
                        error.text);
    }
    for (size_t i = count; i-- > 0;) {
        const struct directive *directive = changes[i].directive;
        if (changes[i].applied && !directive->row->apply(directive->owner, &error))
            log_warning("CONFIG SET can't undo %s: %s", directive->row->name, error.text);
    }
}

enum status config_set(struct config *config, const struct slice *pairs, size_t count,
                       struct config_error *error)
{
    if (count > PAIRS_MAX)
        return refuse_set(error, pairs[0], "too many directives at once");
    if (count == 0)
        return STATUS_OK;
    struct change *changes = mem_alloc_zeroed(count * sizeof(*changes));
    for (size_t i = 0; i < count; i++)
        changes[i] = (struct change){ .name = pairs[2 * i], .value = pairs[2 * i + 1] };

    enum status status = find_pairs(config, changes, count, error);
    if (status == STATUS_OK) {
        for (size_t i = 0; i < count; i++)
            directive_get_words(changes[i].directive, &changes[i].old_words);
        size_t failed = 0;
        struct config_error reason;
        if (!set_all(changes, count, &failed, &reason) ||
            !apply_all(changes, count, &failed, &reason)) {
            undo_all(changes, count);
            status = refuse_set(error, changes[failed].name, reason.text);
        }
    }
    for (size_t i = 0; i < count; i++)
        bytes_release(&changes[i].old_words);
    mem_free(changes, count * sizeof(*changes));
    return status;
}

void config_set_loading(struct config *config, bool loading)
{
    config->loading = loading;
}
