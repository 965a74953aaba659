// SPDX-License-Identifier: BSD-3-Clause
// The memory limit: maxmemory and its kin, and who is evicted or refused to keep it.
//
// While there is a limit, a gate stands in front of the commands that may use more memory. It costs them a look
// at the allocator's counter; above the limit it makes room first: what is being freed already, then
// evicted keys, for a bounded time. If time is too short for what a command brings, writes wait in front of the
// gate, and between the turns of the loop more room is made, until the limit holds; a limit that was lowered
// is reached so as well, but with no writes waiting as long as memory does not grow. So a storm is spread
// over turns, and memory is above the limit by no more than what one command brings and a small constant.
// Where nothing may be evicted, the command is refused.
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

// Whether the policy chooses keys by their use, with a limit or without: what is known of it is worth keeping.
bool eviction_by_use(const struct eviction *eviction);

// Why nothing is evicted or refused.
enum eviction_rest {
    EVICTION_RESTS_LOADING = 1u << 0,
    EVICTION_RESTS_REPLICA = 1u << 1,  // what goes is the primary's affair
};

// As long as there is a reason nothing is evicted or refused. Data that is there afterwards and above the limit goes as
// after the limit was lowered.
void eviction_pause(struct eviction *eviction, enum eviction_rest reason, bool paused);

// The limit in bytes; 0: none.
uint64_t eviction_limit(const struct eviction *eviction);
