// SPDX-License-Identifier: BSD-3-Clause
// Reading the configuration: files and what they include, standard input, arguments.
//
// All of it is text of lines, a directive and its words a line. Arguments become such a text first, so
// that they mean what redis-server makes of them.
#include "base/crc64.h"
#include "base/file.h"
#include "server/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// How much of a line an error shows.
#define LINE_SHOWN 96

#define BAD_DIRECTIVE "Bad directive or wrong number of arguments"

// ---- lines --------------------------------------------------------------------------------------

bool config_split_line(struct slice line, struct bytes *copy, struct resp_argv *words)
{
    bytes_clear(copy);
    resp_argv_clear(words);
    size_t blanks = 0;
    while (blanks < line.len && strchr(" \t\r\v\f", line.ptr[blanks]) && line.ptr[blanks])
        blanks++;
    if (blanks == line.len || line.ptr[blanks] == '#')
        return true;
    bytes_append_slice(copy, line);
    return resp_split_words(copy->data, copy->len, words) == STATUS_OK;
}

uint64_t config_add_line(uint64_t checksum, const struct slice *words, size_t count)
{
    // A word is told from the next one, and a line without words from none at all.
    checksum = crc64(checksum, &count, sizeof(count));
    for (size_t i = 0; i < count; i++) {
        checksum = crc64(checksum, &words[i].len, sizeof(words[i].len));
        checksum = crc64(checksum, words[i].ptr, words[i].len);
    }
    return checksum ? checksum : 1;
}

// Remembers who has set it.
static void note_source(const struct config *config, struct directive *directive,
                        const struct slice *words, size_t count)
{
    directive->given = true;
    if (config->source == SOURCE_INCLUDED_FILE)
        directive->included = true;
    if (config->source == SOURCE_MAIN_FILE)
        directive->file_lines = config_add_line(directive->file_lines, words, count);
}

// The words of a line, behind those of the lines before if they add up.
static bool set_line(const struct directive *directive, bool add, const struct slice *words,
                     size_t count, struct config_error *error)
{
    bool empty = count == 0 || (count == 1 && words[0].len == 0);
    if (!add || empty)
        return directive_set_words(directive, words, count, error);
    struct bytes before = { 0 };
    struct words all = { 0 };
    directive_get_words(directive, &before);
    words_list(&all, &before);
    for (size_t i = 0; i < count; i++)
        words_add(&all, words[i]);
    bool done = directive_set_words(directive, all.items, all.len, error);
    words_release(&all);
    bytes_release(&before);
    return done;
}

static bool load_words(struct config *config, const struct slice *words, size_t count,
                       struct config_error *error)
{
    struct directive *directive = config_find(config, words[0]);
    if (!directive)
        return config_refuse(error, BAD_DIRECTIVE);
    uint32_t flags = directive->row->flags;
    bool add = flags & CONFIG_REPEATS && directive->given;
    note_source(config, directive, words + 1, count - 1);
    if (!(flags & CONFIG_WORDS) || count != 2)
        return set_line(directive, add, words + 1, count - 1, error);

    // One word may hold several: save '900 1 300 10'.
    struct bytes copy = { 0 };
    struct resp_argv split = { 0 };
    bytes_reserve(&copy, words[1].len + 1);
    bytes_append_slice(&copy, words[1]);
    bool done = resp_split_words(copy.data, copy.len, &split) == STATUS_OK
                    ? set_line(directive, add, split.items, split.len, error)
                    : config_refuse(error, "unbalanced quotes");
    resp_argv_release(&split);
    bytes_release(&copy);
    return done;
}

// A text that is being read.
struct text {
    const char *name;  // NULL: arguments, whose lines are not for people
    struct slice rest;
    unsigned line_number;
    struct bytes copy;
    struct resp_argv words;
};

// The next line, without its end. False: there is none.
static bool next_line(struct text *text, struct slice *out)
{
    if (text->rest.len == 0)
        return false;
    const char *end = memchr(text->rest.ptr, '\n', text->rest.len);
    *out = (struct slice){ .ptr = text->rest.ptr,
                           .len = end ? (size_t)(end - text->rest.ptr) : text->rest.len };
    size_t consumed = out->len + (end != NULL);
    text->rest.ptr += consumed;
    text->rest.len -= consumed;
    text->line_number++;
    if (out->len && out->ptr[out->len - 1] == '\r')
        out->len--;
    return true;
}

static bool load_line(struct config *config, struct text *text, struct slice line,
                      struct config_error *reason)
{
    if (!config_split_line(line, &text->copy, &text->words)) {
        resp_argv_clear(&text->words);
        return config_refuse(reason, "Unbalanced quotes in configuration line");
    }
    return text->words.len == 0 || load_words(config, text->words.items, text->words.len, reason);
}

// Puts the place before the reason. The words of a line that is secret are not shown, nor those of
// one that can't be told, its quotes being open.
static void place_error(struct config *config, const struct text *text, struct slice line,
                        const struct config_error *reason, struct config_error *error)
{
    if (reason->placed) {
        *error = *reason;
        return;
    }
    const struct directive *directive = text->words.len ? config_find(config, text->words.items[0])
                                                        : NULL;
    const char *more = "";
    if (text->words.len == 0 || (directive && directive->row->flags & CONFIG_SECRET)) {
        size_t begin = 0;
        while (begin < line.len && strchr(" \t", line.ptr[begin]))
            begin++;
        size_t len = begin;
        while (len < line.len && !strchr(" \t", line.ptr[len]))
            len++;
        line = (struct slice){ .ptr = line.ptr + begin, .len = len - begin };
        more = " ...";
    }
    char place[192];
    if (text->name)
        snprintf(place, sizeof(place), "%.160s, line %u", text->name, text->line_number);
    else
        snprintf(place, sizeof(place), "arguments");
    config_refuse(error, "%s: '%.*s%s': %.200s", place,
                  (int)(line.len < LINE_SHOWN ? line.len : LINE_SHOWN), line.ptr, more,
                  reason->text);
    error->placed = true;
}

enum status config_load_text(struct config *config, const char *name, struct slice from,
                             struct config_error *error)
{
    struct text text = { .name = name, .rest = from };
    struct config_error reason = { .placed = false };
    struct slice line;
    bool done = true;
    while (done && next_line(&text, &line)) {
        done = load_line(config, &text, line, &reason);
        if (!done)
            place_error(config, &text, line, &reason, error);
    }
    resp_argv_release(&text.words);
    bytes_release(&text.copy);
    return done ? STATUS_OK : STATUS_INVALID;
}

// ---- files --------------------------------------------------------------------------------------

// Enters a file on the list of those being read. False: it is there, or there are too many.
static bool begin_reading(struct config *config, int fd, struct config_error *error)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0)
        return config_refuse(error, "%s", strerror(errno));
    for (int i = 0; i < config->depth; i++) {
        if (config->reading[i].device == stat.st_dev && config->reading[i].inode == stat.st_ino)
            return config_refuse(error,
                                 "the file includes itself, directly or through another one");
    }
    if (config->depth == INCLUDE_DEPTH_MAX)
        return config_refuse(error, "files are included more than %d deep", INCLUDE_DEPTH_MAX);
    config->reading[config->depth++] = (struct config_reading){ .device = stat.st_dev,
                                                                .inode = stat.st_ino };
    return true;
}

static enum status load_fd(struct config *config, int fd, const char *path,
                           struct config_error *error)
{
    struct bytes text = { 0 };
    errno = 0;
    enum status status = file_read(fd, CONFIG_FILE_MAX, &text);
    if (status == STATUS_OK)
        status = config_load_text(config, path, bytes_slice(&text), error);
    else
        config_refuse(error, "can't read configuration file '%.160s': %s", path,
                      status == STATUS_FULL ? "it is too large" : strerror(errno));
    bytes_release(&text);
    return status;
}

static enum status load_path(struct config *config, const char *path, struct config_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        config_refuse(error, "can't open configuration file '%.160s': %s", path, strerror(errno));
        return STATUS_IO;
    }
    enum status status = STATUS_INVALID;
    if (begin_reading(config, fd, error)) {
        status = load_fd(config, fd, path, error);
        config->depth--;
    }
    close(fd);
    return status;
}

enum status config_load_file(struct config *config, const char *path, struct config_error *error)
{
    if (strcmp(path, "-") == 0)
        return load_fd(config, STDIN_FILENO, "standard input", error);
    config->source = SOURCE_MAIN_FILE;
    enum status status = load_path(config, path, error);
    config->source = SOURCE_OTHER;
    if (status == STATUS_OK)
        config_note_file(config);
    return status;
}

void config_note_file(struct config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        struct directive *directive = &config->directives[i];
        bytes_clear(&directive->file_words);
        directive_get_words(directive, &directive->file_words);
    }
}

// ---- include ------------------------------------------------------------------------------------

static bool include_pattern(struct config *config, const char *pattern, struct config_error *error)
{
    glob_t found;
    int failed = glob(pattern, 0, NULL, &found);
    if (failed == GLOB_NOMATCH)
        return true;
    if (failed)
        return config_refuse(error, "can't look for files that match");
    bool done = true;
    for (size_t i = 0; done && i < found.gl_pathc; i++)
        done = load_path(config, found.gl_pathv[i], error) == STATUS_OK;
    globfree(&found);
    return done;
}

// A pattern may match nothing; a plain path has to be there.
static bool set_include(void *owner, const struct slice *words, size_t count,
                        struct config_error *error)
{
    struct config *config = owner;
    if (count != 1)
        return config_refuse(error, BAD_DIRECTIVE);
    enum config_source source = config->source;
    if (source == SOURCE_MAIN_FILE)
        config->source = SOURCE_INCLUDED_FILE;
    struct bytes path = { 0 };
    bytes_append_slice(&path, words[0]);
    bytes_append_char(&path, '\0');
    bool done = strpbrk(path.data, "*?[") ? include_pattern(config, path.data, error)
                                          : load_path(config, path.data, error) == STATUS_OK;
    bytes_release(&path);
    config->source = source;
    return done;
}

const struct config_directive config_include_directives[] = {
    { .name = "include",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_HIDDEN | CONFIG_IMMUTABLE,
      .set = set_include },
    { 0 },
};

// ---- arguments ----------------------------------------------------------------------------------

static bool begins_directive(const char *arg)
{
    return strncmp(arg, "--", 2) == 0;
}

// Whether the directive may stand there without a word.
static bool stands_alone(struct config *config, const char *name)
{
    const struct directive *directive = config_find(config, slice_of(name));
    return directive && directive->row->flags & CONFIG_ALONE;
}

enum status config_load_args(struct config *config, int argc, char **argv,
                             struct config_error *error)
{
    struct bytes text = { 0 };
    // What follows a bare name is its word, even with -- before it.
    bool wants_word = false;
    for (int i = 0; i < argc; i++) {
        if (begins_directive(argv[i]) && !wants_word) {
            bytes_append_char(&text, '\n');
            bytes_append_text(&text, argv[i] + 2);
            wants_word = !strpbrk(argv[i] + 2, " \t") &&
                         !(i + 1 < argc && begins_directive(argv[i + 1]) &&
                           stands_alone(config, argv[i] + 2));
            continue;
        }
        bytes_append_char(&text, ' ');
        bytes_append_quoted(&text, slice_of(argv[i]));
        wants_word = false;
    }
    enum status status = config_load_text(config, NULL, bytes_slice(&text), error);
    bytes_release(&text);
    return status;
}
