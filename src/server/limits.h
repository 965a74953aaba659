// SPDX-License-Identifier: BSD-3-Clause
// The directives that say how far collections stay small (types/limits.h).
#pragma once

struct collection_limits;
struct server;

struct collection_limits *limits_new(struct server *server);
void limits_free(struct collection_limits *limits);
