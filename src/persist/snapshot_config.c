// SPDX-License-Identifier: BSD-3-Clause
// The directives of snapshots.
#include "base/memory.h"
#include "base/numbers.h"
#include "persist/snapshot_internal.h"
#include "server/config.h"
#include "server/server.h"

#include <string.h>

// As strtoll() reads it, which Redis uses: a plus and zeros in front don't matter.
static bool parse_save_number(struct slice word, int64_t *out)
{
    size_t skip = word.len > 1 && word.ptr[0] == '+';
    while (skip + 1 < word.len && word.ptr[skip] == '0')
        skip++;
    word.ptr += skip;
    word.len -= skip;
    return parse_int64(word, out);
}

static bool set_save(void *owner, const struct slice *words, size_t count,
                     struct config_error *error)
{
    struct snapshot *snapshot = owner;
    if (count == 1 && words[0].len == 0)
        count = 0;
    struct save_point points[SAVE_POINTS_MAX];
    if (count % 2 != 0)
        return config_refuse(error, "Invalid save parameters");
    if (count / 2 > SAVE_POINTS_MAX)
        return config_refuse(error, "more than %d pairs of seconds and changes", SAVE_POINTS_MAX);
    for (size_t i = 0; i < count; i++) {
        bool is_changes = i % 2;
        int64_t *out = is_changes ? &points[i / 2].changes : &points[i / 2].seconds;
        if (!parse_save_number(words[i], out) || *out < !is_changes ||
            (is_changes && *out > INT32_MAX))
            return config_refuse(error, "Invalid save parameters");
    }
    snapshot->point_count = count / 2;
    memcpy(snapshot->points, points, snapshot->point_count * sizeof(*points));
    return true;
}

static void get_save(const void *owner, struct bytes *out)
{
    const struct snapshot *snapshot = owner;
    for (size_t i = 0; i < snapshot->point_count; i++)
        bytes_printf(out, "%s%lld %lld", i ? " " : "", (long long)snapshot->points[i].seconds,
                     (long long)snapshot->points[i].changes);
}

static bool set_file_name(void *owner, const struct slice *words, size_t count,
                          struct config_error *error)
{
    struct snapshot *snapshot = owner;
    if (count != 1)
        return config_refuse(error, "wrong number of arguments");
    if (memchr(words[0].ptr, '/', words[0].len))
        return config_refuse(error, "dbfilename can't be a path, just a filename");
    snapshot_release_config(snapshot);
    snapshot->file_name = mem_strndup(words[0].ptr, words[0].len);
    return true;
}

static void get_file_name(const void *owner, struct bytes *out)
{
    bytes_append_text(out, ((const struct snapshot *)owner)->file_name);
}

static bool apply_gate(void *owner, struct config_error *error)
{
    (void)error;
    snapshot_update_gate(owner);
    return true;
}

#define FIELD(member) offsetof(struct snapshot, member)

static const struct config_directive snapshot_directives[] = {
    { .name = "save",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_WORDS | CONFIG_REPEATS | CONFIG_ALONE,
      .default_text = "3600 1 300 100 60 10000",
      .set = set_save,
      .get = get_save,
      .line_words = 2,
      .apply = apply_gate },
    { .name = "dbfilename",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_PROTECTED,
      .default_text = "dump.rdb",
      .set = set_file_name,
      .get = get_file_name },
    { .name = "rdbcompression",
      .type = CONFIG_BOOL,
      .offset = FIELD(compress),
      .default_text = "yes" },
    { .name = "rdbchecksum",
      .type = CONFIG_BOOL,
      .flags = CONFIG_IMMUTABLE,
      .offset = FIELD(checksum),
      .default_text = "yes" },
    { .name = "rdb-save-incremental-fsync",
      .type = CONFIG_BOOL,
      .offset = FIELD(incremental_sync),
      .default_text = "yes" },
    { .name = "rdb-key-save-delay",
      .type = CONFIG_INT,
      .flags = CONFIG_HIDDEN,
      .offset = FIELD(key_delay_us),
      .default_text = "0",
      .max = INT32_MAX },
    { .name = "stop-writes-on-bgsave-error",
      .type = CONFIG_BOOL,
      .offset = FIELD(stop_writes),
      .default_text = "yes",
      .apply = apply_gate },
    { 0 },
};

void snapshot_register_config(struct snapshot *snapshot)
{
    config_register(snapshot->server->config, snapshot_directives, snapshot);
}

void snapshot_release_config(struct snapshot *snapshot)
{
    if (snapshot->file_name)
        mem_free(snapshot->file_name, strlen(snapshot->file_name) + 1);
    snapshot->file_name = NULL;
}
