// SPDX-License-Identifier: BSD-3-Clause
// Lazy freeing: what is large and removed is freed in slices behind the reply, or, where a lazyfree-*
// directive says no, at once.
//
// After each turn of the loop a slice is freed, and the loop stays awake until all is. What is free is given
// back to the system by the allocator's own thread (jemalloc-bg-thread).
#pragma once

#include <stdbool.h>

struct lazyfree;
struct server;

// Registers directives, INFO fields and the loop hook.
struct lazyfree *lazyfree_new(struct server *server);
void lazyfree_free(struct lazyfree *lazyfree);

// To be called once the configuration is read.
void lazyfree_configured(struct lazyfree *lazyfree);

// Everything is freed at once until it is unpaused: for who keeps the loop, which frees the slices, from turning.
void lazyfree_pause(struct lazyfree *lazyfree, bool paused);
