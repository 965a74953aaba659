// SPDX-License-Identifier: BSD-3-Clause
// Reading a database's number.
#pragma once

#include "server/ctx.h"

// The database that argument `i` names; NULL: there is none, the error has been replied.
struct db *arg_db(struct cmd_ctx *ctx, uint32_t i);
