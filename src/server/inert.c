// SPDX-License-Identifier: BSD-3-Clause
// Directives without effect: see inert.h.
#include "server/inert.h"

#include "base/memory.h"
#include "base/numbers.h"
#include "server/config.h"
#include "server/server.h"

#include <ctype.h>
#include <string.h>

#define KEPT        CONFIG_INERT
#define FIXED       (CONFIG_INERT | CONFIG_IMMUTABLE)
#define ASKED       CONFIG_UNSUPPORTED
#define ASKED_FIXED (CONFIG_UNSUPPORTED | CONFIG_IMMUTABLE)

#define HOST_NAME_MAX_LEN 255
#define OOM_SCORES        3
#define OOM_SCORE_MAX     2000

// Where a value lies; which member, the row's type says.
union inert_value {
    bool flag;
    int64_t number;
    int choice;
    char *text;
};

enum {
#define FLAG(...)   +1
#define NUMBER(...) +1
#define SIZE(...)   +1
#define CHOICE(...) +1
#define TEXT(...)   +1
#define OTHER(...)  +1
    ROW_COUNT = 0
#include "server/inert.def"
#undef FLAG
#undef NUMBER
#undef SIZE
#undef CHOICE
#undef TEXT
#undef OTHER
};

struct inert {
    int64_t oom_scores[OOM_SCORES];
    size_t users;
    size_t modules;
    struct bytes host_name;
    struct bytes title;
    // inert.def's rows, with the offsets of these values; the last row is empty.
    struct config_directive rows[ROW_COUNT + 1];
    union inert_value values[ROW_COUNT];
};

// --- Names --------------------------------------------------------------------------------------

static const struct config_name sanitize_words[] = {
    { "no", 0 }, { "yes", 1 }, { "clients", 2 }, { 0 }
};
static const struct config_name propagation_errors[] = {
    { "ignore", 0 }, { "panic", 1 }, { "panic-on-replicas", 2 }, { 0 }
};
static const struct config_name endpoint_types[] = {
    { "ip", 0 }, { "hostname", 1 }, { "unknown-endpoint", 2 }, { 0 }
};
static const struct config_name tls_auth_words[] = {
    { "no", 0 }, { "yes", 1 }, { "optional", 2 }, { 0 }
};
static const struct config_name channel_rules[] = { { "allchannels", 0 },
                                                    { "resetchannels", 1 },
                                                    { 0 } };
static const struct config_name local_words[] = {
    { "no", 0 }, { "yes", 1 }, { "local", 2 }, { 0 }
};
static const struct config_name syslog_facilities[] = {
    { "user", 0 },   { "local0", 1 }, { "local1", 2 }, { "local2", 3 }, { "local3", 4 },
    { "local4", 5 }, { "local5", 6 }, { "local6", 7 }, { "local7", 8 }, { 0 },
};
static const struct config_name oom_score_words[] = {
    { "no", 0 }, { "yes", 1 }, { "relative", 1 }, { "absolute", 2 }, { 0 }
};

// --- Directives of a kind of their own ----------------------------------------------------------

static void keep_text(struct bytes *field, struct slice text)
{
    bytes_clear(field);
    bytes_append_slice(field, text);
}

// These two stand in a file as often as there are users and modules: counted, so that they are not
// the default.
static bool set_user(void *owner, const struct slice *words, size_t count,
                     struct config_error *error)
{
    (void)words;
    (void)error;
    ((struct inert *)owner)->users += count > 0;
    return true;
}

static void get_user(const void *owner, struct bytes *out)
{
    bytes_printf(out, "%zu", ((const struct inert *)owner)->users);
}

static bool set_module(void *owner, const struct slice *words, size_t count,
                       struct config_error *error)
{
    (void)words;
    (void)error;
    ((struct inert *)owner)->modules += count > 0;
    return true;
}

static void get_module(const void *owner, struct bytes *out)
{
    bytes_printf(out, "%zu", ((const struct inert *)owner)->modules);
}

static bool set_host_name(void *owner, const struct slice *words, size_t count,
                          struct config_error *error)
{
    (void)count;
    struct slice name = words[0];
    if (name.len > HOST_NAME_MAX_LEN)
        return config_refuse(error, "Hostnames must be less than 256 characters");
    for (size_t i = 0; i < name.len; i++) {
        if (!isalnum((unsigned char)name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '.')
            return config_refuse(error, "Hostnames may only contain alphanumeric characters, "
                                        "hyphens or dots");
    }
    keep_text(&((struct inert *)owner)->host_name, name);
    return true;
}

static void get_host_name(const void *owner, struct bytes *out)
{
    bytes_append_slice(out, bytes_slice(&((const struct inert *)owner)->host_name));
}

// The length of a variable in braces at the start of `text`, 0 if it is none that exists.
static size_t title_variable(struct slice text)
{
    static const char *const names[] = { "{title}",    "{listen-addr}", "{server-mode}", "{port}",
                                         "{tls-port}", "{unixsocket}",  "{config-file}" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t len = strlen(names[i]);
        if (text.len >= len && memcmp(text.ptr, names[i], len) == 0)
            return len;
    }
    return 0;
}

static bool set_title(void *owner, const struct slice *words, size_t count,
                      struct config_error *error)
{
    (void)count;
    struct slice title = words[0];
    bool valid = title.len > 0;
    for (size_t at = 0; valid && at < title.len;) {
        struct slice rest = { .ptr = title.ptr + at, .len = title.len - at };
        size_t len = *rest.ptr == '{' ? title_variable(rest) : 1;
        valid = len > 0;
        at += len;
    }
    if (!valid)
        return config_refuse(error, "template format is invalid or contains unknown variables");
    keep_text(&((struct inert *)owner)->title, title);
    return true;
}

static void get_title(const void *owner, struct bytes *out)
{
    bytes_append_slice(out, bytes_slice(&((const struct inert *)owner)->title));
}

static bool set_oom_scores(void *owner, const struct slice *words, size_t count,
                           struct config_error *error)
{
    int64_t scores[OOM_SCORES];
    if (count != OOM_SCORES)
        return config_refuse(error, "wrong number of arguments");
    for (int i = 0; i < OOM_SCORES; i++) {
        if (!parse_int64(words[i], &scores[i]) || scores[i] < -OOM_SCORE_MAX ||
            scores[i] > OOM_SCORE_MAX)
            return config_refuse(
                error, "Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
    }
    memcpy(((struct inert *)owner)->oom_scores, scores, sizeof(scores));
    return true;
}

static void get_oom_scores(const void *owner, struct bytes *out)
{
    const struct inert *inert = owner;
    for (int i = 0; i < OOM_SCORES; i++)
        bytes_printf(out, "%s%d", i ? " " : "", (int)inert->oom_scores[i]);
}

// --- The rows -----------------------------------------------------------------------------------

#define ROW(NAME, ALIAS, FLAGS, DEFAULT) \
    .name = (NAME), .alias = (ALIAS), .flags = (FLAGS), .default_text = (DEFAULT)
#define FLAG(...) { ROW(__VA_ARGS__), .type = CONFIG_BOOL },
#define NUMBER(NAME, ALIAS, FLAGS, DEFAULT, MIN, MAX) \
    { ROW(NAME, ALIAS, FLAGS, DEFAULT), .type = CONFIG_INT, .min = (MIN), .max = (MAX) },
#define SIZE(NAME, ALIAS, FLAGS, DEFAULT, MIN)                               \
    { ROW(NAME, ALIAS, FLAGS, DEFAULT), .type = CONFIG_MEMORY, .min = (MIN), \
      .max = CONFIG_UNBOUNDED },
#define CHOICE(NAME, ALIAS, FLAGS, DEFAULT, NAMES) \
    { ROW(NAME, ALIAS, FLAGS, DEFAULT), .type = CONFIG_ENUM, .names = (NAMES) },
#define TEXT(...) { ROW(__VA_ARGS__), .type = CONFIG_STRING },
#define OTHER(NAME, ALIAS, FLAGS, DEFAULT, SET, GET) \
    { ROW(NAME, ALIAS, FLAGS, DEFAULT), .type = CONFIG_CUSTOM, .set = (SET), .get = (GET) },

static const struct config_directive inert_rows[ROW_COUNT + 1] = {
#include "server/inert.def"
};

struct inert *inert_new(struct server *server)
{
    struct inert *inert = mem_alloc_zeroed(sizeof(*inert));
    memcpy(inert->rows, inert_rows, sizeof(inert_rows));
    for (size_t i = 0; i < ROW_COUNT; i++)
        inert->rows[i].offset = offsetof(struct inert, values) + i * sizeof(union inert_value);
    config_register(server->config, inert->rows, inert);
    return inert;
}

void inert_free(struct server *server, struct inert *inert)
{
    config_release_strings(server->config, inert);
    bytes_release(&inert->host_name);
    bytes_release(&inert->title);
    mem_free(inert, sizeof(*inert));
}
