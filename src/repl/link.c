// SPDX-License-Identifier: BSD-3-Clause
// The link to our primary: see README.md.
#include "base/memory.h"
#include "repl/repl_internal.h"
#include "server/client.h"
#include "server/ctx.h"

struct link {
    struct repl *repl;
};

struct link *link_new(struct repl *repl)
{
    struct link *link = mem_alloc_zeroed(sizeof(*link));
    link->repl = repl;
    return link;
}

void link_free(struct link *link)
{
    mem_free(link, sizeof(*link));
}

void link_gone(struct link *link, struct client *client)
{
    (void)link;
    (void)client;
}

void link_ask_failover(struct link *link)
{
    (void)link;
}

bool link_is_up(const struct link *link)
{
    (void)link;
    return false;
}

int link_selected_db(const struct link *link)
{
    (void)link;
    return 0;
}

void link_info(const struct link *link, struct bytes *out)
{
    (void)link;
    (void)out;
}

void link_reply_role(struct cmd_ctx *ctx)
{
    resp_array(&ctx->reply, 0);
}
