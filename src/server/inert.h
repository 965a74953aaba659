// SPDX-License-Identifier: BSD-3-Clause
// Directives of Redis 7.2 that have no effect here: accepted, judged, kept and answered, so that a
// configuration file written for Redis loads as it is. The rows stand in inert.def.
#pragma once

struct inert;
struct server;

// Registers the directives.
struct inert *inert_new(struct server *server);
void inert_free(struct server *server, struct inert *inert);
