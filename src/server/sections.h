// SPDX-License-Identifier: BSD-3-Clause
// The INFO sections that belong to the server as a whole: Server, Memory, Stats, Keyspace.
#pragma once

struct server;

// At start-up, each section in its place among those of the subsystems.
void sections_register_server(struct server *server);
void sections_register_memory(struct server *server);
void sections_register_stats(struct server *server);
void sections_register_keyspace(struct server *server);
