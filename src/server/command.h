// SPDX-License-Identifier: BSD-3-Clause
// What a command is: the rows of the families' tables, as data that dispatch, COMMAND, ACL, help and
// the tests read. Handlers never check arity: the row does.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cmd_ctx;
struct slice;

// Flags, named as COMMAND INFO names them.
enum command_flag {
    CMD_WRITE = 1u << 0,
    CMD_READONLY = 1u << 1,
    CMD_DENYOOM = 1u << 2,
    CMD_ADMIN = 1u << 3,
    CMD_PUBSUB = 1u << 4,
    CMD_NOSCRIPT = 1u << 5,
    CMD_BLOCKING = 1u << 6,
    CMD_LOADING = 1u << 7,
    CMD_STALE = 1u << 8,
    CMD_SKIP_MONITOR = 1u << 9,
    CMD_SKIP_SLOWLOG = 1u << 10,
    CMD_ASKING = 1u << 11,
    CMD_FAST = 1u << 12,
    CMD_NO_AUTH = 1u << 13,
    CMD_MAY_REPLICATE = 1u << 14,  // writes nothing here, but others get it too; not shown
    CMD_NO_MANDATORY_KEYS = 1u << 15,
    CMD_PROTECTED = 1u << 16,
    CMD_NO_ASYNC_LOADING = 1u << 17,
    CMD_NO_MULTI = 1u << 18,
    CMD_ALLOW_BUSY = 1u << 19,
    CMD_MOVABLE_KEYS = 1u << 20,
};

// ACL categories. WRITE, READ, ADMIN (with DANGEROUS), PUBSUB, FAST or SLOW and BLOCKING follow from
// the flags; rows name the others.
enum acl_category {
    ACL_KEYSPACE = 1u << 0,
    ACL_READ = 1u << 1,
    ACL_WRITE = 1u << 2,
    ACL_SET = 1u << 3,
    ACL_SORTEDSET = 1u << 4,
    ACL_LIST = 1u << 5,
    ACL_HASH = 1u << 6,
    ACL_STRING = 1u << 7,
    ACL_BITMAP = 1u << 8,
    ACL_HYPERLOGLOG = 1u << 9,
    ACL_GEO = 1u << 10,
    ACL_STREAM = 1u << 11,
    ACL_PUBSUB = 1u << 12,
    ACL_ADMIN = 1u << 13,
    ACL_FAST = 1u << 14,
    ACL_SLOW = 1u << 15,
    ACL_BLOCKING = 1u << 16,
    ACL_DANGEROUS = 1u << 17,
    ACL_CONNECTION = 1u << 18,
    ACL_TRANSACTION = 1u << 19,
    ACL_SCRIPTING = 1u << 20,
};

// Where a command's keys stand, as the key specifications of COMMAND INFO say it.
enum key_spec_flag {
    KEY_RO = 1u << 0,
    KEY_RW = 1u << 1,
    KEY_OW = 1u << 2,
    KEY_RM = 1u << 3,
    KEY_ACCESS = 1u << 4,
    KEY_UPDATE = 1u << 5,
    KEY_INSERT = 1u << 6,
    KEY_DELETE = 1u << 7,
    KEY_NOT_KEY = 1u << 8,
    KEY_INCOMPLETE = 1u << 9,
    KEY_VARIABLE_FLAGS = 1u << 10,
};

enum key_begin { KEY_BEGIN_NONE, KEY_BEGIN_INDEX, KEY_BEGIN_KEYWORD, KEY_BEGIN_UNKNOWN };
enum key_find { KEY_FIND_RANGE, KEY_FIND_KEYNUM, KEY_FIND_UNKNOWN };

struct key_spec {
    uint32_t flags;
    enum key_begin begin;
    int begin_index;      // INDEX: position of the first key; KEYWORD: where the search starts
    const char *keyword;  // KEYWORD: the word before the first key
    enum key_find find;
    int last;   // RANGE: position of the last key, from the first one; negative: from the end
    int step;   // RANGE and KEYNUM
    int limit;  // RANGE with last -1: 1/limit of what follows are keys, 0 and 1: all
    int keynum_index;  // KEYNUM: where the number stands, from the begin
    int keynum_first;  // KEYNUM: where the first key stands, from the begin
    const char *notes;
    // UNKNOWN: the position of the specification's key in this request, 0: none. NULL: nobody can say.
    uint32_t (*locate)(const struct slice *argv, uint32_t argc);
};

#define COMMAND_KEY_SPECS_MAX 4

// The groups that COMMAND DOCS knows.
enum command_group {
    GROUP_GENERIC,
    GROUP_STRING,
    GROUP_LIST,
    GROUP_SET,
    GROUP_SORTED_SET,
    GROUP_HASH,
    GROUP_PUBSUB,
    GROUP_TRANSACTIONS,
    GROUP_CONNECTION,
    GROUP_SERVER,
    GROUP_CLUSTER,
};

// The arguments as COMMAND DOCS describes them: a tree.
enum arg_type {
    ARG_STRING,
    ARG_INTEGER,
    ARG_DOUBLE,
    ARG_KEY,
    ARG_PATTERN,
    ARG_UNIX_TIME,
    ARG_PURE_TOKEN,
    ARG_ONEOF,
    ARG_BLOCK,
};

enum arg_flag {
    ARG_OPTIONAL = 1u << 0,
    ARG_MULTIPLE = 1u << 1,
    ARG_MULTIPLE_TOKEN = 1u << 2,
};

struct command_arg {
    const char *name;
    enum arg_type type;
    const char *token;  // the word before it, or that it is
    const char *since;
    const char *deprecated_since;
    uint32_t flags;
    int key_spec;  // KEY, and PATTERN of keys: which of the row's key specifications it belongs to
    const struct command_arg *args;  // ONEOF and BLOCK; ends with an argument without a name
};

// A list of arguments; may be nested.
#define ARGS(...)                \
    (const struct command_arg[]) \
    {                            \
        __VA_ARGS__,             \
        {                        \
            0                    \
        }                        \
    }

// One row. Tables end with a row without a name.
struct command {
    const char *name;        // lower case; a subcommand's own name
    const char *summary;     // in our own words
    const char *since;       // the Redis version that introduced it
    const char *complexity;  // O(...); NULL where it says nothing
    enum command_group group;
    int arity;  // number of arguments with the name; negative: at least that many
    uint32_t flags;
    uint32_t acl;  // categories beyond those that follow from the flags
    struct key_spec keys[COMMAND_KEY_SPECS_MAX];
    const char *tips[4];
    const char *deprecated_since, *replaced_by;
    const char *refusal;    // how the error begins where it is not run; NULL: as everywhere
    bool is_syscmd;         // not for applications, as COMMAND DOCS says
    bool barrier;           // may keep what its client sent behind it from being run
    bool brief;             // takes next to no time, whatever is asked; fast reads are it anyway
    bool while_subscribed;  // a RESP2 client may run it while it has subscriptions
    int16_t element;  // where an element of the first key's value is named (batch_ahead.c), or 0
    const struct command_arg *args;
    // The flags that a specification's keys have in this request, where it has VARIABLE_FLAGS.
    uint32_t (*key_flags)(const struct slice *argv, uint32_t argc);
    void (*handler)(struct cmd_ctx *ctx);  // NULL: only subcommands
    const struct command *subcommands;
};

// The commonest key specifications.
#define KEYS_FIRST(spec_flags)                                                                     \
    {                                                                                              \
        .flags = (spec_flags), .begin = KEY_BEGIN_INDEX, .begin_index = 1, .find = KEY_FIND_RANGE, \
        .last = 0, .step = 1                                                                       \
    }
#define KEYS_SECOND(spec_flags)                                                                    \
    {                                                                                              \
        .flags = (spec_flags), .begin = KEY_BEGIN_INDEX, .begin_index = 2, .find = KEY_FIND_RANGE, \
        .last = 0, .step = 1                                                                       \
    }
#define KEYS_ALL(spec_flags)                                                                       \
    {                                                                                              \
        .flags = (spec_flags), .begin = KEY_BEGIN_INDEX, .begin_index = 1, .find = KEY_FIND_RANGE, \
        .last = -1, .step = 1                                                                      \
    }
#define KEYS_EVERY_SECOND(spec_flags)                                                              \
    {                                                                                              \
        .flags = (spec_flags), .begin = KEY_BEGIN_INDEX, .begin_index = 1, .find = KEY_FIND_RANGE, \
        .last = -1, .step = 2                                                                      \
    }
