// SPDX-License-Identifier: BSD-3-Clause
// The memory limit: maxmemory and its kin, and who is evicted or refused to keep it.
//
// While there is a limit, a gate stands in front of the commands that may use more memory. It costs them a look
// at the allocator's counter; above the limit it makes room first: what is being freed already, then
// evicted keys, until the memory is below the limit, or not above what it was when time was short last.
// Between the turns of the loop more is made, for a bounded time, until the limit holds. So a storm (a limit
// that was lowered, a huge value) is spread over turns, and memory does not grow meanwhile. Where nothing may be
// evicted, the command is refused.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cmd_ctx;
struct eviction;
struct server;

// Registers directives, the gate, INFO fields and the loop hook.
struct eviction *eviction_new(struct server *server);
void eviction_free(struct eviction *eviction);

// To be called once the configuration is read.
void eviction_configured(struct eviction *eviction);

// Above the limit: makes room as the gate does; true: there is none, the error has been replied. For what
// takes memory without being a command that does.
bool eviction_refuses(struct cmd_ctx *ctx);

// The limit in bytes; 0: none.
uint64_t eviction_limit(const struct eviction *eviction);
