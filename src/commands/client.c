// SPDX-License-Identifier: BSD-3-Clause
// CLIENT: who is connected, names, closing connections.
#include "server/client.h"
#include "base/numbers.h"
#include "commands/client_control.h"
#include "commands/client_name.h"
#include "commands/client_tracking.h"
#include "commands/tables.h"
#include "server/server.h"

#include <stdio.h>
#include <string.h>

// Whether CLIENT LIST can show the text: no blanks, no control characters.
static bool printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '!' || text.ptr[i] > '~')
            return false;
    }
    return true;
}

bool client_name_check(struct cmd_ctx *ctx, struct slice name)
{
    if (printable(name))
        return true;
    reply_error(ctx, ERR_CLIENT_NAME);
    return false;
}

// CLIENT ID
static void cmd_client_id(struct cmd_ctx *ctx)
{
    reply_int(ctx, (int64_t)ctx->client->id);
}

// CLIENT INFO
static void cmd_client_info(struct cmd_ctx *ctx)
{
    struct bytes text = { 0 };
    client_describe(ctx->client, &text);
    bytes_append_char(&text, '\n');
    resp_verbatim(&ctx->reply, "txt", bytes_slice(&text));
    bytes_release(&text);
}

// CLIENT SETNAME name
static void cmd_client_setname(struct cmd_ctx *ctx)
{
    if (!client_name_check(ctx, ctx->argv[2]))
        return;
    client_set_text(&ctx->client->name, ctx->argv[2]);
    reply_ok(ctx);
}

// CLIENT GETNAME
static void cmd_client_getname(struct cmd_ctx *ctx)
{
    if (ctx->client->name)
        resp_bulk_text(&ctx->reply, ctx->client->name);
    else
        reply_null(ctx);
}

// CLIENT SETINFO LIB-NAME name | LIB-VER version
static void cmd_client_setinfo(struct cmd_ctx *ctx)
{
    bool is_name = arg_is(ctx, 2, "lib-name");
    if (!is_name && !arg_is(ctx, 2, "lib-ver")) {
        reply_errorf(ctx, "ERR Unrecognized option '%.*s'", (int)ctx->argv[2].len,
                     ctx->argv[2].ptr);
        return;
    }
    if (!printable(ctx->argv[3])) {
        reply_errorf(ctx, "ERR %s cannot contain spaces, newlines or special characters.",
                     is_name ? "lib-name" : "lib-ver");
        return;
    }
    client_set_text(is_name ? &ctx->client->lib_name : &ctx->client->lib_ver, ctx->argv[3]);
    reply_ok(ctx);
}

// What a client is to others.
enum client_type { TYPE_ANY, TYPE_NORMAL, TYPE_PUBSUB, TYPE_REPLICA, TYPE_PRIMARY };

// False: no such type; the error has been replied.
static bool parse_type(struct cmd_ctx *ctx, struct slice name, enum client_type *type)
{
    static const struct {
        const char *name;
        enum client_type type;
    } types[] = {
        { "normal", TYPE_NORMAL },   { "pubsub", TYPE_PUBSUB },  { "slave", TYPE_REPLICA },
        { "replica", TYPE_REPLICA }, { "master", TYPE_PRIMARY },
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (slice_is(name, types[i].name)) {
            *type = types[i].type;
            return true;
        }
    }
    reply_errorf(ctx, "ERR Unknown client type '%.*s'", (int)name.len, name.ptr);
    return false;
}

static bool is_of_type(const struct client *client, enum client_type type)
{
    enum client_type is = TYPE_NORMAL;
    if (client->flags & CLIENT_PRIMARY)
        is = TYPE_PRIMARY;
    else if (client->flags & CLIENT_REPLICA)
        is = TYPE_REPLICA;
    else if (client->flags & CLIENT_SUBSCRIBED)
        is = TYPE_PUBSUB;
    return type == TYPE_ANY || type == is;
}

static void describe_line(const struct client *client, struct bytes *out)
{
    client_describe(client, out);
    bytes_append_char(out, '\n');
}

// False: an id is no id; the error has been replied.
static bool list_by_ids(struct cmd_ctx *ctx, struct bytes *out)
{
    for (uint32_t i = 3; i < ctx->argc; i++) {
        int64_t id;
        if (!parse_int64(ctx->argv[i], &id)) {
            reply_errorf(ctx, "ERR Invalid client ID");
            return false;
        }
        const struct client *client = clients_find(ctx->server->clients, (uint64_t)id);
        if (client)
            describe_line(client, out);
    }
    return true;
}

static void list_all(struct cmd_ctx *ctx, enum client_type type, struct bytes *out)
{
    const struct list *all = &ctx->server->clients->all;
    for (struct list_link *link = list_first(all); link; link = list_next(all, link)) {
        const struct client *client = LIST_ITEM(link, struct client, all_link);
        if (is_of_type(client, type))
            describe_line(client, out);
    }
}

// CLIENT LIST [TYPE normal|master|replica|pubsub] [ID id [id ...]]
static void cmd_client_list(struct cmd_ctx *ctx)
{
    enum client_type type = TYPE_ANY;
    bool by_id = false;
    if (ctx->argc == 4 && arg_is(ctx, 2, "type")) {
        if (!parse_type(ctx, ctx->argv[3], &type))
            return;
    } else if (ctx->argc > 3 && arg_is(ctx, 2, "id")) {
        by_id = true;
    } else if (ctx->argc != 2) {
        reply_error(ctx, ERR_SYNTAX);
        return;
    }
    struct bytes text = { 0 };
    bool done = true;
    if (by_id)
        done = list_by_ids(ctx, &text);
    else
        list_all(ctx, type, &text);
    if (done)
        resp_verbatim(&ctx->reply, "txt", bytes_slice(&text));
    bytes_release(&text);
}

struct kill_filter {
    uint64_t id;  // 0: any
    const struct slice *addr;
    const struct slice *laddr;
    enum client_type type;
    bool skip_me;
};

static bool kill_matches(const struct cmd_ctx *ctx, const struct client *client,
                         const struct kill_filter *filter)
{
    char name[CONN_NAME_MAX];
    if (!is_of_type(client, filter->type) || (filter->id && client->id != filter->id))
        return false;
    if (filter->skip_me && client == ctx->client)
        return false;
    if (filter->addr) {
        conn_peer_name(&client->conn, name);
        if (!slice_equal(*filter->addr, slice_of(name)))
            return false;
    }
    if (filter->laddr) {
        conn_local_name(&client->conn, name);
        if (!slice_equal(*filter->laddr, slice_of(name)))
            return false;
    }
    return true;
}

static int64_t kill_matching(struct cmd_ctx *ctx, const struct kill_filter *filter)
{
    int64_t killed = 0;
    const struct list *all = &ctx->server->clients->all;
    for (struct list_link *link = list_first(all); link; link = list_next(all, link)) {
        struct client *client = LIST_ITEM(link, struct client, all_link);
        if (client->flags & CLIENT_CLOSING || !kill_matches(ctx, client, filter))
            continue;
        // One's own reply is still to be sent.
        if (client == ctx->client)
            client_close_after_reply(client);
        else
            client_kill(client);
        killed++;
    }
    return killed;
}

// One pair of CLIENT KILL's filters. False: the error has been replied.
static bool parse_kill_pair(struct cmd_ctx *ctx, uint32_t i, struct kill_filter *filter)
{
    const struct slice *value = &ctx->argv[i + 1];
    if (arg_is(ctx, i, "id")) {
        int64_t id;
        if (!parse_int64(*value, &id) || id < 1) {
            reply_errorf(ctx, "ERR client-id should be greater than 0");
            return false;
        }
        filter->id = (uint64_t)id;
        return true;
    }
    if (arg_is(ctx, i, "type"))
        return parse_type(ctx, *value, &filter->type);
    if (arg_is(ctx, i, "user")) {
        if (slice_equal(*value, SLICE("default")))
            return true;
        reply_errorf(ctx, "ERR No such user '%.*s'", (int)value->len, value->ptr);
        return false;
    }
    if (arg_is(ctx, i, "skipme") && (slice_is(*value, "yes") || slice_is(*value, "no"))) {
        filter->skip_me = slice_is(*value, "yes");
        return true;
    }
    if (arg_is(ctx, i, "addr")) {
        filter->addr = value;
        return true;
    }
    if (arg_is(ctx, i, "laddr")) {
        filter->laddr = value;
        return true;
    }
    reply_error(ctx, ERR_SYNTAX);
    return false;
}

// CLIENT KILL ip:port
// CLIENT KILL [ID id] [TYPE type] [USER user] [ADDR ip:port] [LADDR ip:port] [SKIPME yes|no] ...
static void cmd_client_kill(struct cmd_ctx *ctx)
{
    struct kill_filter filter = { .skip_me = ctx->argc != 3 };
    if (ctx->argc == 3) {
        filter.addr = &ctx->argv[2];
        if (kill_matching(ctx, &filter))
            reply_ok(ctx);
        else
            reply_error(ctx, ERR_NO_SUCH_CLIENT);
        return;
    }
    for (uint32_t i = 2; i < ctx->argc; i += 2) {
        if (i + 1 >= ctx->argc) {
            reply_error(ctx, ERR_SYNTAX);
            return;
        }
        if (!parse_kill_pair(ctx, i, &filter))
            return;
    }
    reply_int(ctx, kill_matching(ctx, &filter));
}

// CLIENT HELP
static void cmd_client_help(struct cmd_ctx *ctx)
{
    static const char *const lines[] = {
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CACHING (YES|NO)",
        "    Track, or not, the keys that the next command reads.",
        "GETNAME",
        "    The name of this connection.",
        "GETREDIR",
        "    The id of the connection that is told of stale keys in place of this one.",
        "HELP",
        "    These lines.",
        "ID",
        "    The id of this connection.",
        "INFO",
        "    This connection as CLIENT LIST shows it.",
        "KILL <ip:port>",
        "    Close the connection with this address.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Close the connections that match all of ADDR, LADDR, ID, TYPE and USER; SKIPME no",
        "    includes this one.",
        "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <id> [<id> ...]]",
        "    The connections, one a line.",
        "NO-EVICT (ON|OFF)",
        "    Keep this connection from being closed to save memory.",
        "NO-TOUCH (ON|OFF)",
        "    Let this connection's commands leave the access times of keys as they are.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Let the commands of all clients, or those that write, wait for so many milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Send replies, or none, or none to the next command.",
        "SETINFO <LIB-NAME|LIB-VER> <value>",
        "    Note the client library's name or version.",
        "SETNAME <name>",
        "    Name this connection.",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
        "         [OPTIN] [OPTOUT] [NOLOOP]",
        "    Tell this connection when keys that it has read become stale.",
        "TRACKINGINFO",
        "    What this connection has asked to be told.",
        "UNBLOCK <client-id> [TIMEOUT|ERROR]",
        "    End a blocking command, as if its time were over or with an error.",
        "UNPAUSE",
        "    Run what waits because of PAUSE.",
    };
    reply_help(ctx, lines, sizeof(lines) / sizeof(*lines));
}

#define CLIENT_FLAGS (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)

static const struct command client_subcommands[] = {
    { .name = "id",
      .summary = "Returns the connection's id.",
      .since = "5.0.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 2,
      .flags = CLIENT_FLAGS,
      .acl = ACL_CONNECTION,
      .handler = cmd_client_id },
    { .name = "info",
      .summary = "Describes the connection.",
      .since = "6.2.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 2,
      .flags = CLIENT_FLAGS,
      .acl = ACL_CONNECTION,
      .tips = { "nondeterministic_output" },
      .handler = cmd_client_info },
    { .name = "list",
      .summary = "Lists the connections.",
      .since = "2.4.0",
      .complexity = "O(N) where N is the number of connections",
      .group = GROUP_CONNECTION,
      .arity = -2,
      .flags = CLIENT_FLAGS | CMD_ADMIN,
      .acl = ACL_CONNECTION,
      .tips = { "nondeterministic_output" },
      .args = ARGS(
          { .name = "normal_master_replica_pubsub",
            .type = ARG_ONEOF,
            .token = "TYPE",
            .since = "5.0.0",
            .flags = ARG_OPTIONAL,
            .args = ARGS({ .name = "normal", .type = ARG_PURE_TOKEN, .token = "NORMAL" },
                         { .name = "master", .type = ARG_PURE_TOKEN, .token = "MASTER" },
                         { .name = "replica", .type = ARG_PURE_TOKEN, .token = "REPLICA" },
                         { .name = "pubsub", .type = ARG_PURE_TOKEN, .token = "PUBSUB" }) },
          { .name = "id",
            .type = ARG_BLOCK,
            .token = "ID",
            .since = "6.2.0",
            .flags = ARG_OPTIONAL,
            .args = ARGS({ .name = "client-id", .type = ARG_INTEGER, .flags = ARG_MULTIPLE }) }),
      .handler = cmd_client_list },
    { .name = "setname",
      .summary = "Names the connection.",
      .since = "2.6.9",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 3,
      .flags = CLIENT_FLAGS,
      .acl = ACL_CONNECTION,
      .args = ARGS({ .name = "connection-name", .type = ARG_STRING }),
      .handler = cmd_client_setname },
    { .name = "getname",
      .summary = "Returns the connection's name.",
      .since = "2.6.9",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 2,
      .flags = CLIENT_FLAGS,
      .acl = ACL_CONNECTION,
      .handler = cmd_client_getname },
    { .name = "setinfo",
      .summary = "Notes the name or version of the connection's client library.",
      .since = "7.2.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 4,
      .flags = CLIENT_FLAGS,
      .acl = ACL_CONNECTION,
      .tips = { "request_policy:all_nodes", "response_policy:all_succeeded" },
      .args = ARGS({ .name = "attr",
                     .type = ARG_ONEOF,
                     .args = ARGS({ .name = "libname", .type = ARG_STRING, .token = "LIB-NAME" },
                                  { .name = "libver", .type = ARG_STRING, .token = "LIB-VER" }) }),
      .handler = cmd_client_setinfo },
    { .name = "kill",
      .summary = "Closes connections.",
      .since = "2.4.0",
      .complexity = "O(N) where N is the number of connections",
      .group = GROUP_CONNECTION,
      .arity = -3,
      .flags = CLIENT_FLAGS | CMD_ADMIN,
      .acl = ACL_CONNECTION,
      .args = ARGS(
          { .name = "filter",
            .type = ARG_ONEOF,
            .args = ARGS(
                { .name = "ip:port", .type = ARG_STRING, .deprecated_since = "2.8.12" },
                { .name = "new-format",
                  .type = ARG_ONEOF,
                  .flags = ARG_MULTIPLE,
                  .args = ARGS(
                      { .name = "client-id",
                        .type = ARG_INTEGER,
                        .token = "ID",
                        .since = "2.8.12",
                        .flags = ARG_OPTIONAL },
                      { .name = "normal_master_slave_pubsub",
                        .type = ARG_ONEOF,
                        .token = "TYPE",
                        .since = "2.8.12",
                        .flags = ARG_OPTIONAL,
                        .args = ARGS(
                            { .name = "normal", .type = ARG_PURE_TOKEN, .token = "NORMAL" },
                            { .name = "master",
                              .type = ARG_PURE_TOKEN,
                              .token = "MASTER",
                              .since = "3.2.0" },
                            { .name = "slave", .type = ARG_PURE_TOKEN, .token = "SLAVE" },
                            { .name = "replica",
                              .type = ARG_PURE_TOKEN,
                              .token = "REPLICA",
                              .since = "5.0.0" },
                            { .name = "pubsub", .type = ARG_PURE_TOKEN, .token = "PUBSUB" }) },
                      { .name = "username",
                        .type = ARG_STRING,
                        .token = "USER",
                        .flags = ARG_OPTIONAL },
                      { .name = "ip:port",
                        .type = ARG_STRING,
                        .token = "ADDR",
                        .flags = ARG_OPTIONAL },
                      { .name = "ip:port",
                        .type = ARG_STRING,
                        .token = "LADDR",
                        .since = "6.2.0",
                        .flags = ARG_OPTIONAL },
                      { .name = "yes/no",
                        .type = ARG_STRING,
                        .token = "SKIPME",
                        .flags = ARG_OPTIONAL }) }) }),
      .handler = cmd_client_kill },
    { .name = "no-evict",
      .summary = "Keeps the connection from being closed to save memory.",
      .since = "7.0.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 3,
      .flags = CLIENT_FLAGS | CMD_ADMIN,
      .acl = ACL_CONNECTION,
      .args = ARGS({ .name = "enabled",
                     .type = ARG_ONEOF,
                     .args = ARGS({ .name = "on", .type = ARG_PURE_TOKEN, .token = "ON" },
                                  { .name = "off", .type = ARG_PURE_TOKEN, .token = "OFF" }) }),
      .handler = cmd_client_no_evict },
    { .name = "no-touch",
      .summary = "Lets the connection's commands leave access times as they are.",
      .since = "7.2.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 3,
      .flags = CLIENT_FLAGS,
      .acl = ACL_CONNECTION,
      .args = ARGS({ .name = "enabled",
                     .type = ARG_ONEOF,
                     .args = ARGS({ .name = "on", .type = ARG_PURE_TOKEN, .token = "ON" },
                                  { .name = "off", .type = ARG_PURE_TOKEN, .token = "OFF" }) }),
      .handler = cmd_client_no_touch },
    { .name = "pause",
      .summary = "Lets commands wait for a time.",
      .since = "2.9.50",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = -3,
      .flags = CLIENT_FLAGS | CMD_ADMIN,
      .acl = ACL_CONNECTION,
      .barrier = true,
      .args = ARGS({ .name = "timeout", .type = ARG_INTEGER },
                   { .name = "mode",
                     .type = ARG_ONEOF,
                     .since = "6.2.0",
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "write", .type = ARG_PURE_TOKEN, .token = "WRITE" },
                                  { .name = "all", .type = ARG_PURE_TOKEN, .token = "ALL" }) }),
      .handler = cmd_client_pause },
    { .name = "unpause",
      .summary = "Runs what waits because of CLIENT PAUSE.",
      .since = "6.2.0",
      .complexity = "O(N) where N is the number of clients that wait",
      .group = GROUP_CONNECTION,
      .arity = 2,
      .flags = CLIENT_FLAGS | CMD_ADMIN,
      .acl = ACL_CONNECTION,
      .handler = cmd_client_unpause },
    { .name = "reply",
      .summary = "Sends replies, or none.",
      .since = "3.2.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 3,
      .flags = CLIENT_FLAGS,
      .acl = ACL_CONNECTION,
      .args = ARGS({ .name = "on_off_skip",
                     .type = ARG_ONEOF,
                     .args = ARGS({ .name = "on", .type = ARG_PURE_TOKEN, .token = "ON" },
                                  { .name = "off", .type = ARG_PURE_TOKEN, .token = "OFF" },
                                  { .name = "skip", .type = ARG_PURE_TOKEN, .token = "SKIP" }) }),
      .handler = cmd_client_reply },
    { .name = "unblock",
      .summary = "Ends the blocking command of another connection.",
      .since = "5.0.0",
      .complexity = "O(log N) where N is the number of connections",
      .group = GROUP_CONNECTION,
      .arity = -3,
      .flags = CLIENT_FLAGS | CMD_ADMIN,
      .acl = ACL_CONNECTION,
      .args = ARGS({ .name = "client-id", .type = ARG_INTEGER },
                   { .name = "timeout_error",
                     .type = ARG_ONEOF,
                     .flags = ARG_OPTIONAL,
                     .args = ARGS({ .name = "timeout", .type = ARG_PURE_TOKEN, .token = "TIMEOUT" },
                                  { .name = "error", .type = ARG_PURE_TOKEN, .token = "ERROR" }) }),
      .handler = cmd_client_unblock },
    { .name = "tracking",
      .summary = "Tells the connection when keys that it has read become stale.",
      .since = "6.0.0",
      .complexity = "O(1), and O(N) where N is the length of the prefixes",
      .group = GROUP_CONNECTION,
      .arity = -3,
      .flags = CLIENT_FLAGS,
      .acl = ACL_CONNECTION,
      .args = client_tracking_args,
      .handler = cmd_client_tracking },
    { .name = "caching",
      .summary = "Has the keys tracked that the next command reads, or not.",
      .since = "6.0.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 3,
      .flags = CLIENT_FLAGS,
      .acl = ACL_CONNECTION,
      .args = ARGS({ .name = "mode",
                     .type = ARG_ONEOF,
                     .args = ARGS({ .name = "yes", .type = ARG_PURE_TOKEN, .token = "YES" },
                                  { .name = "no", .type = ARG_PURE_TOKEN, .token = "NO" }) }),
      .handler = cmd_client_caching },
    { .name = "trackinginfo",
      .summary = "Returns how the connection tracks keys.",
      .since = "6.2.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 2,
      .flags = CLIENT_FLAGS,
      .acl = ACL_CONNECTION,
      .handler = cmd_client_trackinginfo },
    { .name = "getredir",
      .summary = "Returns the id of the connection that is told of stale keys instead.",
      .since = "6.0.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 2,
      .flags = CLIENT_FLAGS,
      .acl = ACL_CONNECTION,
      .handler = cmd_client_getredir },
    { .name = "help",
      .summary = "Lists the subcommands.",
      .since = "5.0.0",
      .complexity = "O(1)",
      .group = GROUP_CONNECTION,
      .arity = 2,
      .flags = CMD_LOADING | CMD_STALE,
      .acl = ACL_CONNECTION,
      .handler = cmd_client_help },
    { 0 },
};

const struct command client_commands[] = {
    { .name = "client",
      .summary = "A container for commands about connections.",
      .since = "2.4.0",
      .complexity = "Depends on subcommand.",
      .group = GROUP_CONNECTION,
      .arity = -2,
      .flags = 0,
      .subcommands = client_subcommands },
    { 0 },
};
