// SPDX-License-Identifier: BSD-3-Clause
// The directives about clients.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Limits on what waits to be sent, per class of client.
enum client_class { CLIENT_NORMAL, CLIENT_REPLICA_CLASS, CLIENT_PUBSUB, CLIENT_CLASSES };

struct output_limit {
    uint64_t hard_bytes;  // 0: none
    uint64_t soft_bytes;
    uint64_t soft_s;
};

struct clients_config {
    int64_t max_clients;
    int64_t timeout_s;
    int64_t keepalive_s;
    int64_t max_bulk_bytes;
    int64_t query_buffer_bytes;
    struct output_limit output_limits[CLIENT_CLASSES];
    char *password;  // requirepass; "" is none
    bool protected_mode;
};
