// SPDX-License-Identifier: BSD-3-Clause
// Replicas that are fed: see README.md.
#include "base/memory.h"
#include "repl/repl_internal.h"
#include "server/block.h"
#include "server/client.h"
#include "server/ctx.h"

struct replicas {
    struct repl *repl;
    struct list all;
};

struct replicas *replicas_new(struct repl *repl)
{
    struct replicas *replicas = mem_alloc_zeroed(sizeof(*replicas));
    replicas->repl = repl;
    list_init(&replicas->all);
    return replicas;
}

void replicas_free(struct replicas *replicas)
{
    mem_free(replicas, sizeof(*replicas));
}

void replicas_turn(struct replicas *replicas)
{
    (void)replicas;
}

void replicas_gone(struct replicas *replicas, struct client *client)
{
    (void)replicas;
    (void)client;
}

void replicas_disconnect_all(struct replicas *replicas)
{
    (void)replicas;
}

size_t replicas_count(const struct replicas *replicas)
{
    (void)replicas;
    return 0;
}

struct list *replicas_all(struct replicas *replicas)
{
    return &replicas->all;
}

bool replicas_are_few(const struct replicas *replicas)
{
    return replicas->repl->config.min_replicas > 0;
}

void replicas_info(const struct replicas *replicas, struct bytes *out)
{
    (void)replicas;
    bytes_append_text(out, "connected_slaves:0\r\n");
}

void replicas_reply_role(struct cmd_ctx *ctx)
{
    resp_array(&ctx->reply, 0);
}
