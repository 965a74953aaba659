// SPDX-License-Identifier: BSD-3-Clause
// REPLCONF: what a replica tells of itself, and what it has got.
#include "base/memory.h"
#include "base/numbers.h"
#include "repl/replicas_internal.h"
#include "resp/words.h"
#include "server/client.h"
#include "server/ctx.h"

#include <string.h>

struct replica *replica_of(struct client *client)
{
    struct replicas *replicas = client->server->repl->replicas;
    if (client->replica)
        return client->replica;
    struct replica *replica = mem_alloc_zeroed(sizeof(*replica));
    replica->replicas = replicas;
    replica->client = client;
    client->replica = replica;
    replica_note_peer(replica);
    list_append(&replicas->talking, &replica->link);
    return replica;
}

// --- Options ------------------------------------------------------------------------------------
// Each gets the position of its value. False: the error has been replied.

static bool set_port(struct cmd_ctx *ctx, struct replica *replica, uint32_t i)
{
    int64_t port;
    if (!arg_int64(ctx, i, &port))
        return false;
    replica->port = port >= 0 && port <= UINT16_MAX ? (int)port : 0;
    return true;
}

// What INFO's line of fields could not show.
static char shown_char(char c)
{
    return c > ' ' && c <= '~' && c != ',' && c != '=' ? c : '?';
}

static bool set_ip(struct cmd_ctx *ctx, struct replica *replica, uint32_t i)
{
    char ip[REPLICA_IP_MAX];
    struct slice value = ctx->argv[i];
    if (value.len > sizeof(ip)) {
        reply_errorf(ctx,
                     "ERR REPLCONF ip-address provided by replica instance is too long: %zu bytes",
                     value.len);
        return false;
    }
    for (size_t c = 0; c < value.len; c++)
        ip[c] = shown_char(value.ptr[c]);
    client_set_text(&replica->announced_ip, (struct slice){ .ptr = ip, .len = value.len });
    return true;
}

static bool add_capability(struct cmd_ctx *ctx, struct replica *replica, uint32_t i)
{
    if (arg_is(ctx, i, "eof"))
        replica->capabilities |= CAPABLE_EOF;
    else if (arg_is(ctx, i, "psync2"))
        replica->capabilities |= CAPABLE_PSYNC2;
    return true;
}

static bool set_rdb_only(struct cmd_ctx *ctx, struct replica *replica, uint32_t i)
{
    int64_t value;
    if (!arg_int64(ctx, i, &value))
        return false;
    if (value < 0 || value > 1) {
        reply_errorf(ctx, "ERR value is out of range, value must between 0 and 1");
        return false;
    }
    replica->rdb_only = value;
    return true;
}

// Only functions can be asked for: then, or with nothing asked for, there is no data.
static bool check_filter(struct cmd_ctx *ctx, const struct resp_argv *words)
{
    for (size_t w = 0; w < words->len; w++) {
        struct slice word = words->items[w];
        if (slice_is(word, "functions"))
            continue;
        reply_errorf(ctx, "ERR Unsupported rdb-filter-only option: %.*s", (int)word.len, word.ptr);
        return false;
    }
    return true;
}

static bool set_filter(struct cmd_ctx *ctx, struct replica *replica, uint32_t i)
{
    struct slice value = ctx->argv[i];
    struct resp_argv words = { 0 };
    char *line = mem_try_alloc(value.len + 1);
    if (!line) {
        reply_error(ctx, ERR_OUT_OF_MEMORY);
        return false;
    }
    memcpy(line, value.ptr, value.len);
    enum status status = resp_split_words(line, value.len, &words);
    if (status == STATUS_NOMEM)
        reply_error(ctx, ERR_OUT_OF_MEMORY);
    else if (status != STATUS_OK)
        reply_errorf(ctx, "ERR Missing rdb-filter-only values");
    bool valid = status == STATUS_OK && check_filter(ctx, &words);
    replica->without_data |= valid;
    resp_argv_release(&words);
    mem_free(line, value.len + 1);
    return valid;
}

// It is welcome, whichever it is.
static bool note_version(struct cmd_ctx *ctx, struct replica *replica, uint32_t i)
{
    (void)ctx;
    (void)replica;
    (void)i;
    return true;
}

static const struct option {
    const char *name;
    bool (*set)(struct cmd_ctx *ctx, struct replica *replica, uint32_t i);
} options[] = {
    { "listening-port", set_port }, { "ip-address", set_ip },          { "capa", add_capability },
    { "rdb-only", set_rdb_only },   { "rdb-filter-only", set_filter }, { "version", note_version },
};

static const struct option *find_option(const struct cmd_ctx *ctx, uint32_t i)
{
    for (size_t o = 0; o < sizeof(options) / sizeof(*options); o++) {
        if (arg_is(ctx, i, options[o].name))
            return &options[o];
    }
    return NULL;
}

// --- Acknowledgements ---------------------------------------------------------------------------

// More than we have is more than it can have.
static bool advance(const struct replicas *replicas, struct slice text, uint64_t *offset)
{
    uint64_t value;
    if (!parse_uint64(text, &value) || value <= *offset || value > replicas->repl->stream.end)
        return false;
    *offset = value;
    return true;
}

// ACK offset [FACK offset]: nothing is answered, whatever it says.
static void acknowledge(struct cmd_ctx *ctx, uint32_t i)
{
    const struct client *client = ctx->client;
    struct replica *replica = client->replica;
    if (!(client->flags & CLIENT_REPLICA) || replica->state < REPLICA_RECEIVING)
        return;
    // It may have the whole data set before the end of the child that sent it is known here.
    replica->has_loaded = true;
    struct replicas *replicas = replica->replicas;
    replica->acked_ms = replicas_now_ms();
    replicas->acked_more |= advance(replicas, ctx->argv[i + 1], &replica->acked);
    if (ctx->argc > i + 3 && arg_is(ctx, i + 2, "fack"))
        replicas->acked_more |= advance(replicas, ctx->argv[i + 3], &replica->acked_on_disk);
    if (replica->state == REPLICA_LOADING)
        replica_go_online(replica);
}

void replicas_replconf(struct cmd_ctx *ctx)
{
    if (ctx->argc % 2 == 0) {
        reply_error(ctx, ERR_SYNTAX);
        return;
    }
    for (uint32_t i = 1; i < ctx->argc; i += 2) {
        if (arg_is(ctx, i, "ack")) {
            acknowledge(ctx, i);
            return;
        }
        // A replica answers it when it has run it, and not to whom sent it: that is the link's to do.
        if (arg_is(ctx, i, "getack"))
            return;
        const struct option *option = find_option(ctx, i);
        if (!option) {
            reply_errorf(ctx, "ERR Unrecognized REPLCONF option: %.*s", (int)ctx->argv[i].len,
                         ctx->argv[i].ptr);
            return;
        }
        if (!option->set(ctx, replica_of(ctx->client), i + 1))
            return;
    }
    reply_ok(ctx);
}
