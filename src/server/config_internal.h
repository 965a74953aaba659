// SPDX-License-Identifier: BSD-3-Clause
// What the configuration's files share: a registered directive, its value as words, where it was set.
#pragma once

#include "resp/words.h"
#include "server/config.h"

#include <sys/types.h>

#define DIRECTIVES_MAX    512
#define INCLUDE_DEPTH_MAX 16

// Nobody's configuration is larger; /dev/zero is.
#define CONFIG_FILE_MAX (16 << 20)

// A value is kept as its words, each with a NUL behind it.
struct directive {
    const struct config_directive *row;
    void *owner;
    struct bytes default_words;
    struct bytes file_words;  // after the main file was read, or written
    uint64_t file_lines;      // a checksum of its lines in the main file; 0: none
    bool given;               // by file or arguments
    bool included;            // by a file that the main file includes
};

enum config_source { SOURCE_OTHER, SOURCE_MAIN_FILE, SOURCE_INCLUDED_FILE };

// A file that is being read.
struct config_reading {
    dev_t device;
    ino_t inode;
};

struct config {
    struct directive directives[DIRECTIVES_MAX];
    size_t count;
    bool loading;
    enum config_source source;  // of what is being read
    int depth;
    struct config_reading reading[INCLUDE_DEPTH_MAX];
};

// By name or alias, any case; NULL: none.
struct directive *config_find(struct config *config, struct slice name);

// Gives a directive these words. False: the reason is in `error`.
bool directive_set_words(const struct directive *directive, const struct slice *words, size_t count,
                         struct config_error *error);

// The same with words as get_words() gave them.
bool directive_restore(const struct directive *directive, const struct bytes *words,
                       struct config_error *error);

// The value as CONFIG GET answers it.
void directive_get_text(const struct directive *directive, struct bytes *out);

// The value as words that restore it, each with a NUL behind it.
void directive_get_words(const struct directive *directive, struct bytes *out);

bool directive_has_words(const struct directive *directive, const struct bytes *words);

// The value from one text, as CONFIG SET and defaults give it: several words have one blank between
// them, and no quotes.
bool directive_set_text(const struct directive *directive, struct slice text,
                        struct config_error *error);

void directive_release_string(const struct directive *directive);

// Slices of somebody else's bytes. All zero is a valid empty list.
struct words {
    struct slice *items;
    size_t len;
    size_t cap;
};
void words_add(struct words *words, struct slice word);
// Adds the words that have a NUL behind each.
void words_list(struct words *words, const struct bytes *text);
// Adds what stands between blanks.
void words_split(struct words *words, struct slice text);
void words_release(struct words *words);

// Adds a line's words to the checksum of a directive's lines.
uint64_t config_add_line(uint64_t checksum, const struct slice *words, size_t count);

// Splits a line (up to its end) into words, from a copy in `copy`; comments and empty lines have none.
// False: the quotes are not balanced.
MUST_CHECK bool config_split_line(struct slice line, struct bytes *copy, struct resp_argv *words);

// The row of `include`, for the configuration itself.
extern const struct config_directive config_include_directives[];

// After the main file was read: remembers what it says.
void config_note_file(struct config *config);
