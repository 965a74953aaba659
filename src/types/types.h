// SPDX-License-Identifier: BSD-3-Clause
// All types that there are.
#pragma once

struct keyspace;

// At start-up: makes them known to the keyspace.
void types_register(struct keyspace *keyspace);
