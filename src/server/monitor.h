// SPDX-License-Identifier: BSD-3-Clause
// MONITOR: clients that are shown every command that is run.
#pragma once

struct client;
struct cmd_ctx;
struct monitors;
struct server;

// Registers the gate that keeps monitors from the data.
struct monitors *monitors_new(struct server *server);
void monitors_free(struct monitors *monitors);

// Shows the client every command from now on; or no longer.
void monitor_add(struct client *client);
void monitor_remove(struct client *client);

// To be called for a command that has been run, while there is OBSERVER_MONITOR: one line to every monitor,
// with secrets left out. Commands for administrators are not shown.
void monitor_feed(const struct cmd_ctx *ctx);
