// SPDX-License-Identifier: BSD-3-Clause
// The append-only file's directives and its lines of INFO.
#include "persist/aof_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "server/config.h"
#include "server/info.h"
#include "server/server.h"

#include <string.h>

// --- Directives ---------------------------------------------------------------------------------

static const struct config_name fsync_policies[] = {
    { "everysec", AOF_FSYNC_EVERYSEC },
    { "always", AOF_FSYNC_ALWAYS },
    { "no", AOF_FSYNC_NO },
    { 0 },
};

static bool apply_enabled(void *owner, struct config_error *error)
{
    struct aof *aof = owner;
    if (aof->config.enabled == aof_is_on(aof))
        return true;
    if (aof->config.enabled)
        return aof_turn_on(aof, error);
    aof_turn_off(aof);
    return true;
}

static bool apply_fsync(void *owner, struct config_error *error)
{
    (void)error;
    struct aof *aof = owner;
    aof_apply_fsync(aof);
    // Those who wait for what nobody demands any more need not.
    aof_settle(aof);
    return true;
}

static bool apply_history(void *owner, struct config_error *error)
{
    (void)error;
    aof_delete_history(owner);
    return true;
}

static bool set_name(char **field, const char *directive, const struct slice *words, size_t count,
                     struct config_error *error)
{
    if (count != 1)
        return config_refuse(error, "wrong number of arguments");
    if (words[0].len == 0)
        return config_refuse(error, "%s can't be empty", directive);
    if (!aof_name_is_plain(words[0]))
        return config_refuse(error, "%s can't be a path, just a %s", directive,
                             strcmp(directive, "appenddirname") == 0 ? "dirname" : "filename");
    if (*field)
        mem_free(*field, strlen(*field) + 1);
    *field = mem_strndup(words[0].ptr, words[0].len);
    return true;
}

static bool set_folder(void *owner, const struct slice *words, size_t count,
                       struct config_error *error)
{
    return set_name(&((struct aof *)owner)->config.folder, "appenddirname", words, count, error);
}

static void get_folder(const void *owner, struct bytes *out)
{
    bytes_append_text(out, ((const struct aof *)owner)->config.folder);
}

static bool set_stem(void *owner, const struct slice *words, size_t count,
                     struct config_error *error)
{
    return set_name(&((struct aof *)owner)->config.stem, "appendfilename", words, count, error);
}

static void get_stem(const void *owner, struct bytes *out)
{
    bytes_append_text(out, ((const struct aof *)owner)->config.stem);
}

#define FIELD(member) offsetof(struct aof, config.member)

static const struct config_directive aof_directives[] = {
    { .name = "appendonly",
      .type = CONFIG_BOOL,
      .flags = CONFIG_NOT_LOADING,
      .offset = FIELD(enabled),
      .default_text = "no",
      .apply = apply_enabled },
    { .name = "appendfsync",
      .type = CONFIG_ENUM,
      .offset = FIELD(fsync),
      .default_text = "everysec",
      .names = fsync_policies,
      .apply = apply_fsync },
    { .name = "appenddirname",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_IMMUTABLE,
      .default_text = "appendonlydir",
      .set = set_folder,
      .get = get_folder },
    { .name = "appendfilename",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_IMMUTABLE,
      .default_text = "appendonly.aof",
      .set = set_stem,
      .get = get_stem },
    { .name = "no-appendfsync-on-rewrite",
      .type = CONFIG_BOOL,
      .offset = FIELD(no_sync_on_rewrite),
      .default_text = "no",
      .apply = apply_fsync },
    { .name = "aof-timestamp-enabled",
      .type = CONFIG_BOOL,
      .offset = FIELD(timestamps),
      .default_text = "no" },
    { .name = "aof-use-rdb-preamble",
      .type = CONFIG_BOOL,
      .offset = FIELD(rdb_preamble),
      .default_text = "yes" },
    { .name = "aof-rewrite-incremental-fsync",
      .type = CONFIG_BOOL,
      .offset = FIELD(incremental_sync),
      .default_text = "yes" },
    { .name = "aof-disable-auto-gc",
      .type = CONFIG_BOOL,
      .offset = FIELD(keep_history),
      .default_text = "no",
      .apply = apply_history },
    { .name = "aof-load-truncated",
      .type = CONFIG_BOOL,
      .offset = FIELD(load_truncated),
      .default_text = "yes" },
    { .name = "aof-load-corrupt-tail-max-size",
      .type = CONFIG_MEMORY,
      .offset = FIELD(corrupt_tail_bytes),
      .default_text = "0",
      .max = CONFIG_UNBOUNDED },
    { .name = "auto-aof-rewrite-percentage",
      .type = CONFIG_INT,
      .offset = FIELD(rewrite_percent),
      .default_text = "100",
      .max = INT32_MAX },
    { .name = "auto-aof-rewrite-min-size",
      .type = CONFIG_MEMORY,
      .offset = FIELD(rewrite_min_bytes),
      .default_text = "64mb",
      .max = CONFIG_UNBOUNDED },
    { 0 },
};

// --- INFO ---------------------------------------------------------------------------------------

static const char *ok_or_err(bool ok)
{
    return ok ? "ok" : "err";
}

static void info_state(void *udata, struct bytes *out)
{
    const struct aof *aof = udata;
    const struct aof_rewriting *rewriting = &aof->rewriting;
    int64_t now_s = (int64_t)(clock_mono_us_now() / 1000000);
    bool write_ok = !aof->needs_base && !(aof->log && aof_log_write_error(aof->log));
    bytes_printf(out,
                 "aof_enabled:%d\r\n"
                 "aof_rewrite_in_progress:%d\r\n"
                 "aof_rewrite_scheduled:%d\r\n"
                 "aof_last_rewrite_time_sec:%lld\r\n"
                 "aof_current_rewrite_time_sec:%lld\r\n"
                 "aof_last_bgrewrite_status:%s\r\n"
                 "aof_rewrites:%llu\r\n"
                 "aof_rewrites_consecutive_failures:%llu\r\n"
                 "aof_last_write_status:%s\r\n"
                 "aof_last_cow_size:%llu\r\n",
                 aof_is_on(aof), aof_rewriting(aof), rewriting->wanted,
                 (long long)rewriting->last_s,
                 child_running(&rewriting->child) ? (long long)(now_s - rewriting->began_s) : -1,
                 ok_or_err(!rewriting->last_failed), (unsigned long long)rewriting->count,
                 (unsigned long long)rewriting->failures, ok_or_err(write_ok),
                 (unsigned long long)rewriting->copied_bytes);
}

static void info_sizes(void *udata, struct bytes *out)
{
    const struct aof *aof = udata;
    if (!aof->log)
        return;
    unsigned long long bytes = aof->old_bytes + aof_log_size(aof->log);
    bytes_printf(out,
                 "aof_current_size:%llu\r\n"
                 "aof_base_size:%llu\r\n"
                 "aof_pending_rewrite:%d\r\n"
                 "aof_buffer_length:%zu\r\n"
                 "aof_pending_bio_fsync:%d\r\n"
                 "aof_delayed_fsync:%llu\r\n",
                 bytes, (unsigned long long)aof->base_bytes, aof->rewriting.wanted,
                 aof_log_buffered(aof->log), aof_log_syncing(aof->log),
                 (unsigned long long)aof->delayed);
}

static void reset_figures(void *udata)
{
    struct aof *aof = udata;
    aof->delayed = 0;
    aof->rewriting.count = 0;
}

void aof_register_settings(struct aof *aof)
{
    struct server *server = aof->server;
    config_register(server->config, aof_directives, aof);
    info_add_fields(server->info, "Persistence", "aof", info_state, aof);
    info_add_fields(server->info, "Persistence", "aof sizes", info_sizes, aof);
    info_on_reset(server->info, reset_figures, aof);
}
