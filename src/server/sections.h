// SPDX-License-Identifier: BSD-3-Clause
// The INFO sections that belong to the server as a whole, and those of features that it does not have
// yet.
#pragma once

#include "base/bytes.h"

struct config;
struct server;

// At start-up, each section in its place among those of the subsystems.
void sections_register_server(struct server *server);
void sections_register_memory(struct server *server);
void sections_register_stats(struct server *server);
void sections_register_cpu(struct server *server);
void sections_register_keyspace(struct server *server);

// The same for what answers as a server that does not use the feature (sections_absent.c). The
// feature's owner registers the section anew and takes its place.
void sections_register_persistence(struct server *server);
void sections_register_replication(struct server *server);
void sections_register_modules(struct server *server);
void sections_register_cluster(struct server *server);
