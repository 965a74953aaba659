// SPDX-License-Identifier: BSD-3-Clause
// What kind of reply a client waits for, where the bytes don't matter to it: handshakes.
//
//   status  status TEXT  error  error CODE  int  bulk  verbatim  null  array  set  push
//   map  map(KEY KEY ...)      a RESP3 map with these keys in this order, maybe more behind them
//   pairs  pairs(KEY KEY ...)  the same as RESP2's flat array
//   KIND | KIND                one of them
#pragma once

#include "reply.h"

// False: *error says why.
bool kind_valid(struct span kind, const char **error);

bool kind_match(struct span kind, const struct reply *reply);
