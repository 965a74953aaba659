// SPDX-License-Identifier: BSD-3-Clause
// Fuzz target: the bytes of a configuration file, as a whole server's directives read them, and what
// CONFIG REWRITE makes of them.
//
// What the file set has to be there again when the rewritten file is read by another configuration.
// Lines that reach beyond it are left out: other files, the working directory, commands.
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/panic.h"
#include "resp/words.h"
#include "server/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define WORDS_MAX 64

// A directive of each type.
struct owner {
    bool flag;
    int64_t number;
    int64_t bytes;
    int64_t mode;
    int word;
    char *text;
    char *secret;
    struct bytes list;
    struct bytes pairs;
};

static bool set_words_of(struct bytes *field, const struct slice *words, size_t count,
                         struct config_error *error)
{
    if (count > WORDS_MAX)
        return config_refuse(error, "too many words");
    struct bytes new_words = { 0 };
    for (size_t i = 0; i < count; i++)
        config_add_word(&new_words, words[i]);
    bytes_release(field);
    *field = new_words;
    return true;
}

static bool set_list(void *udata, const struct slice *words, size_t count,
                     struct config_error *error)
{
    // A list of one word that has several in it could not be told from a list of those.
    if (count == 1 && (words[0].len == 0 || memchr(words[0].ptr, ' ', words[0].len)))
        count = 0;
    return set_words_of(&((struct owner *)udata)->list, words, count, error);
}

static bool set_pairs(void *udata, const struct slice *words, size_t count,
                      struct config_error *error)
{
    if (count == 1 && words[0].len == 0)
        count = 0;
    return count % 2 ? config_refuse(error, "half a pair")
                     : set_words_of(&((struct owner *)udata)->pairs, words, count, error);
}

static void get_list(const void *udata, struct bytes *out)
{
    bytes_append_slice(out, bytes_slice(&((const struct owner *)udata)->list));
}

static void get_pairs(const void *udata, struct bytes *out)
{
    bytes_append_slice(out, bytes_slice(&((const struct owner *)udata)->pairs));
}

static const struct config_name names[] = { { "one", 1 }, { "two", 2 }, { 0 } };

#define FIELD(member) offsetof(struct owner, member)

static const struct config_directive table[] = {
    { .name = "flag", .type = CONFIG_BOOL, .offset = FIELD(flag), .default_text = "yes" },
    { .name = "number",
      .alias = "old-number",
      .type = CONFIG_INT,
      .offset = FIELD(number),
      .default_text = "10",
      .min = -5,
      .max = INT64_MAX },
    { .name = "bytes",
      .type = CONFIG_MEMORY,
      .offset = FIELD(bytes),
      .default_text = "1mb",
      .max = INT64_MAX },
    { .name = "mode",
      .type = CONFIG_OCTAL,
      .offset = FIELD(mode),
      .default_text = "0",
      .max = 0777 },
    { .name = "word",
      .type = CONFIG_ENUM,
      .offset = FIELD(word),
      .default_text = "one",
      .names = names },
    { .name = "text", .type = CONFIG_STRING, .offset = FIELD(text), .default_text = "" },
    { .name = "secret",
      .type = CONFIG_STRING,
      .flags = CONFIG_SECRET,
      .offset = FIELD(secret),
      .default_text = "" },
    { .name = "list",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_WORDS,
      .default_text = "a b",
      .set = set_list,
      .get = get_list,
      .get_words = get_list },
    { .name = "pairs",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_WORDS | CONFIG_REPEATS | CONFIG_ALONE,
      .default_text = "x 1",
      .set = set_pairs,
      .get = get_pairs,
      .get_words = get_pairs,
      .line_words = 2 },
    { 0 },
};

static char path[64];

struct reader {
    struct config *config;
    struct owner owner;
};

static void open_reader(struct reader *reader)
{
    reader->config = config_new();
    config_register(reader->config, table, &reader->owner);
}

static void close_reader(struct reader *reader)
{
    config_release_strings(reader->config, &reader->owner);
    bytes_release(&reader->owner.list);
    bytes_release(&reader->owner.pairs);
    config_free(reader->config);
}

static void note_value(struct slice name, struct slice value, void *udata)
{
    bytes_append_slice(udata, name);
    bytes_append_char(udata, '\0');
    bytes_append_slice(udata, value);
    bytes_append_char(udata, '\0');
}

static void note_values(const struct reader *reader, struct bytes *out)
{
    const struct slice all = SLICE("*");
    config_get(reader->config, &all, 1, note_value, out);
}

// Whether another file would be opened: inputs with such a line are not for here.
static bool includes(const uint8_t *data, size_t size)
{
    bool found = false;
    struct resp_argv words = { 0 };
    char *copy = mem_alloc(size);
    memcpy(copy, data, size);
    for (char *line = copy, *end = copy + size; line < end && !found;) {
        char *next = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((next ? next : end) - line);
        resp_argv_clear(&words);
        if (resp_split_words(line, len, &words) == STATUS_OK && words.len > 0)
            found = slice_is(words.items[0], "include");
        line += len + 1;
    }
    mem_free(copy, size);
    resp_argv_release(&words);
    return found;
}

static void write_input(const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT(fd >= 0);
    ASSERT(write(fd, data, size) == (ssize_t)size);
    close(fd);
}

// The file with what it changes at run time is rewritten, and read by a new reader.
static void rewrite_and_compare(struct reader *reader)
{
    static const struct slice changes[] = {
        SLICE("number"), SLICE("77"),   SLICE("text"), SLICE("a \"b\" \\ '#\n"),
        SLICE("list"),   SLICE("p #q"), SLICE("mode"), SLICE("600"),
    };
    struct config_error error;
    struct bytes wanted = { 0 };
    struct bytes got = { 0 };
    ASSERT(config_set(reader->config, changes, 4, &error) == STATUS_OK);
    note_values(reader, &wanted);
    ASSERT(config_rewrite(reader->config, path, &error) == STATUS_OK);

    struct reader second = { 0 };
    open_reader(&second);
    ASSERT(config_load_file(second.config, path, &error) == STATUS_OK);
    note_values(&second, &got);
    ASSERT(slice_equal(bytes_slice(&wanted), bytes_slice(&got)));
    close_reader(&second);
    bytes_release(&wanted);
    bytes_release(&got);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    mem_init();
    log_set_level(LOG_NOTHING);
    // Where syncing costs nothing, if there is such a place.
    const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(path, sizeof(path), "%s/respite-fuzz-config-%ld", folder, (long)getpid());
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || includes(data, size))
        return 0;
    struct reader reader = { 0 };
    struct config_error error = { 0 };
    open_reader(&reader);
    // Most inputs are refused somewhere; those that are not go to a file and are rewritten.
    const struct slice text = { .ptr = (const char *)data, .len = size };
    bool good = config_load_text(reader.config, "input", text, &error) == STATUS_OK;
    ASSERT(good || memchr(error.text, '\0', sizeof(error.text)));
    close_reader(&reader);
    if (!good)
        return 0;
    struct reader again = { 0 };
    open_reader(&again);
    write_input(data, size);
    ASSERT(config_load_file(again.config, path, &error) == STATUS_OK);
    rewrite_and_compare(&again);
    close_reader(&again);
    unlink(path);
    return 0;
}
