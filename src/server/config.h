// SPDX-License-Identifier: BSD-3-Clause
// Configuration: directives declared in tables beside their owners, read from a file, from arguments
// and by CONFIG SET, answered by CONFIG GET.
//
// A directive's value lies in a field of its owner's struct. Owners register their tables at
// start-up; nothing here knows any directive.
#pragma once

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;

enum config_type {
    CONFIG_BOOL,    // bool: yes or no
    CONFIG_INT,     // int64_t, within bounds
    CONFIG_MEMORY,  // int64_t, bytes with an optional unit, within bounds
    CONFIG_OCTAL,   // int64_t, a file mode
    CONFIG_ENUM,    // int, one of the names
    CONFIG_STRING,  // char *, owned by the owner, NUL-terminated, never NULL
    CONFIG_CUSTOM,  // whatever set and get make of it
};

enum config_flag {
    CONFIG_IMMUTABLE = 1u << 0,  // not by CONFIG SET
    CONFIG_WORDS = 1u << 1,      // takes several words
    CONFIG_SECRET = 1u << 2,     // not to be shown in logs
    CONFIG_PROTECTED = 1u << 3,  // not by CONFIG SET, lest a client reach the file system
    // Accepted, kept and answered, but without effect: named once in the log if file or arguments
    // have set it.
    CONFIG_INERT = 1u << 4,
    // Its loss would weaken security or durability: any value but its default stops the start, unless
    // that is allowed (config_check_unsupported()), and is refused by CONFIG SET.
    CONFIG_UNSUPPORTED = 1u << 5,
    CONFIG_HIDDEN = 1u << 6,  // not answered by CONFIG GET
    // Its lines add up: each adds its words to those of the lines before, one without words (or
    // with one that is empty) forgets them. The first one replaces the default. `set` gets all.
    CONFIG_REPEATS = 1u << 7,
    // As an argument, it may stand alone before the next one: `--save --port 7000`.
    CONFIG_ALONE = 1u << 8,
    CONFIG_NOT_LOADING = 1u << 9,  // not by CONFIG SET while data is being loaded
};

// Why something was refused, for people.
struct config_error {
    char text[512];
    bool placed;  // the text names the file and the line already
};

// Writes the reason and returns false.
bool config_refuse(struct config_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct config_name {
    const char *name;
    int value;
};

struct config_directive {
    const char *name;
    const char *alias;  // an older name that works as well, or NULL
    enum config_type type;
    uint32_t flags;
    size_t offset;             // of the field in the owner's struct
    const char *default_text;  // as it would stand in a file
    int64_t min;
    int64_t max;
    const struct config_name *names;  // ENUM; ends with a NULL name
    // CUSTOM: false, with the reason in `error`, leaves the value as it was.
    bool (*set)(void *owner, const struct slice *words, size_t count, struct config_error *error);
    // CUSTOM: the value for people. Without `get_words`, `set` restores it from this text, split at
    // the blanks if it takes several words.
    void (*get)(const void *owner, struct bytes *out);
    // CUSTOM: the words that restore the value, one config_add_word() each; for words that may have
    // blanks in them, or a `get` that shows less than there is.
    void (*get_words)(const void *owner, struct bytes *out);
    size_t line_words;  // words a line when CONFIG REWRITE writes it; 0: all on one line
    // Called after a change at run time (not at start-up), when all directives of a CONFIG SET have
    // their values, and once for all that share it; false as for `set`.
    bool (*apply)(void *owner, struct config_error *error);
};

#define CONFIG_UNBOUNDED INT64_MAX

struct config *config_new(void);
void config_free(struct config *config);

// At start-up: adds a table (ends with a row without a name) and sets the defaults. The owner's
// fields must be zero before.
void config_register(struct config *config, const struct config_directive *table, void *owner);

// Frees the strings that an owner's directives own.
void config_release_strings(struct config *config, const void *owner);

// In `get_words`.
void config_add_word(struct bytes *out, struct slice word);

// Reads a file ("-": standard input), and with it what it includes: `include PATH`, where PATH may be
// a pattern; relative to the working directory. On failure the error names file, line and reason.
MUST_CHECK enum status config_load_file(struct config *config, const char *path,
                                        struct config_error *error);

// Reads a text of that form; `name` is what errors call it (NULL: arguments).
MUST_CHECK enum status config_load_text(struct config *config, const char *name, struct slice text,
                                        struct config_error *error);

// Reads `--name value...` arguments, as redis-server takes them: what follows the -- begins a line,
// and the arguments up to the next one with -- are its words.
MUST_CHECK enum status config_load_args(struct config *config, int argc, char **argv,
                                        struct config_error *error);

// CONFIG REWRITE: makes the file that was loaded say what holds now. Only lines whose value has
// changed are touched, in place; what has no line comes behind the last one, unless it is the default
// or an included file says it. On failure `error` is the reason, and the file is as it was.
MUST_CHECK enum status config_rewrite(struct config *config, const char *path,
                                      struct config_error *error);

// Once all is read: refuses, with the directive's name, an unsupported directive that is away from its
// default; with `ignore` it is logged as a warning instead.
MUST_CHECK enum status config_check_unsupported(const struct config *config, bool ignore,
                                                struct config_error *error);

// Logs the names of the inert directives that file and arguments have set, each once.
void config_report_inert(const struct config *config);

// CONFIG SET: all pairs or none. `error` is the reply's text without "ERR "; STATUS_AGAIN: not while loading.
MUST_CHECK enum status config_set(struct config *config, const struct slice *pairs, size_t count,
                                  struct config_error *error);

// Data is being loaded, or no longer.
void config_set_loading(struct config *config, bool loading);

// Whether the name is that of a directive whose value is not to be shown.
bool config_is_secret(struct config *config, struct slice name);

// Calls `emit` for every directive (and alias) whose name matches one of the patterns, any case, once;
// with the pattern itself for a name if that is one.
typedef void (*config_emit_fn)(struct slice name, struct slice value, void *udata);
void config_get(const struct config *config, const struct slice *patterns, size_t count,
                config_emit_fn emit, void *udata);
