// SPDX-License-Identifier: BSD-3-Clause
// Directives of the process as a whole: see settings.h.
#include "server/settings.h"

#include "base/log.h"
#include "base/memory.h"
#include "server/config.h"
#include "server/registry.h"
#include "server/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct config_name log_levels[] = {
    { "debug", LOG_DEBUG },     { "verbose", LOG_VERBOSE }, { "notice", LOG_NOTICE },
    { "warning", LOG_WARNING }, { "nothing", LOG_NOTHING }, { 0 },
};

static const struct config_name log_formats[] = {
    { "classic", LOG_CLASSIC },
    { "json", LOG_JSON },
    { "logfmt", LOG_LOGFMT },
    { 0 },
};

static const struct config_name debug_commands[] = {
    { "no", DEBUG_COMMAND_NO },
    { "yes", DEBUG_COMMAND_YES },
    { "local", DEBUG_COMMAND_LOCAL },
    { 0 },
};

static bool apply_log_level(void *owner, struct config_error *error)
{
    (void)error;
    log_set_level((enum log_level)((struct settings *)owner)->log_level);
    return true;
}

static bool apply_log_format(void *owner, struct config_error *error)
{
    (void)error;
    log_set_format((enum log_format)((struct settings *)owner)->log_format);
    return true;
}

static bool set_dir(void *owner, const struct slice *words, size_t count,
                    struct config_error *error)
{
    struct settings *settings = owner;
    if (count != 1)
        return config_refuse(error, "wrong number of arguments");
    char *path = mem_strndup(words[0].ptr, words[0].len);
    bool done = chdir(path) == 0;
    mem_free(path, words[0].len + 1);
    if (!done)
        return config_refuse(error, "%s", strerror(errno));
    char *now = getcwd(NULL, 0);
    if (settings->dir)
        mem_free(settings->dir, strlen(settings->dir) + 1);
    settings->dir = mem_strndup(now ? now : "", now ? strlen(now) : 0);
    free(now);
    return true;
}

static void get_dir(const void *owner, struct bytes *out)
{
    bytes_append_text(out, ((const struct settings *)owner)->dir);
}

// ---- rename-command -----------------------------------------------------------------------------

static bool set_rename(void *owner, const struct slice *words, size_t count,
                       struct config_error *error)
{
    const struct settings *settings = owner;
    if (count != 2)
        return config_refuse(error, "Bad directive or wrong number of arguments");
    switch (registry_rename(settings->registry, words[0], words[1])) {
    case STATUS_OK: return true;
    case STATUS_EXISTS: return config_refuse(error, "Target command name already exists");
    default: return config_refuse(error, "No such command in rename-command");
    }
}

#define FIELD(member) offsetof(struct settings, member)

static const struct config_directive settings_directives[] = {
    { .name = "databases",
      .type = CONFIG_INT,
      .flags = CONFIG_IMMUTABLE,
      .offset = FIELD(databases),
      .default_text = "16",
      .min = 1,
      .max = 1 << 20 },
    { .name = "loglevel",
      .type = CONFIG_ENUM,
      .offset = FIELD(log_level),
      .default_text = "notice",
      .names = log_levels,
      .apply = apply_log_level },
    { .name = "log-format",
      .type = CONFIG_ENUM,
      .offset = FIELD(log_format),
      .default_text = "classic",
      .names = log_formats,
      .apply = apply_log_format },
    { .name = "logfile",
      .type = CONFIG_STRING,
      .flags = CONFIG_IMMUTABLE,
      .offset = FIELD(log_file),
      .default_text = "" },
    { .name = "dir",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_PROTECTED,
      .default_text = ".",
      .set = set_dir,
      .get = get_dir },
    { .name = "enable-debug-command",
      .type = CONFIG_ENUM,
      .flags = CONFIG_IMMUTABLE,
      .offset = FIELD(debug_command),
      .default_text = "no",
      .names = debug_commands },
    { .name = "rename-command",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_HIDDEN | CONFIG_IMMUTABLE,
      .set = set_rename },
    { .name = "ignore-unsupported",
      .type = CONFIG_BOOL,
      .flags = CONFIG_IMMUTABLE,
      .offset = FIELD(ignore_unsupported),
      .default_text = "no" },
    { 0 },
};

struct settings *settings_new(struct server *server)
{
    struct settings *settings = mem_alloc_zeroed(sizeof(*settings));
    settings->registry = server->registry;
    config_register(server->config, settings_directives, settings);
    return settings;
}

void settings_free(struct server *server, struct settings *settings)
{
    config_release_strings(server->config, settings);
    mem_free(settings->dir, strlen(settings->dir) + 1);
    mem_free(settings, sizeof(*settings));
}

enum status settings_apply(struct settings *settings)
{
    log_set_level((enum log_level)settings->log_level);
    log_set_format((enum log_format)settings->log_format);
    if (settings->log_file[0] && log_set_file(settings->log_file) != STATUS_OK) {
        log_warning("Can't open the log file '%s': %s", settings->log_file, strerror(errno));
        return STATUS_IO;
    }
    return STATUS_OK;
}
