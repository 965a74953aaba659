// SPDX-License-Identifier: BSD-3-Clause
// Large arguments on their way in: received straight into the blob that will become the value.
//
// A bulk of RESP_BIG_BULK bytes or more that has not arrived whole is taken out of the input buffer.
// Its bytes, and the CRLF behind them, go into a blob of its own, and the parser goes on behind it.
// When the command is complete, its handler may share the blob (incoming_share); the arguments stay
// readable until the command is over.
#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "types/blob.h"

#include <stdbool.h>
#include <stddef.h>

struct conn;
struct resp_parser;

// Of one client; NULL while it sends nothing large.
struct incoming;

// After the parser said that it wants more of the command at `buf`: takes the large bulk it waits in,
// if there is one, out of it. `len` is then how many bytes of the buffer still count.
// STATUS_NOT_FOUND: it waits for something else. STATUS_NOMEM: no memory for the bulk.
MUST_CHECK enum status incoming_begin(struct incoming **incoming, struct resp_parser *parser,
                                      const char *buf, size_t *len);

// Whether a bulk is being received.
bool incoming_active(const struct incoming *incoming);

// Receives more of it. STATUS_OK: it is complete, the command can be parsed on; STATUS_AGAIN: there
// is more to come; others as conn_recv(). `received` counts bytes in every case.
MUST_CHECK enum status incoming_recv(struct incoming *incoming, struct conn *conn,
                                     size_t *received);

// Whether an argument lies in a blob of its own.
bool incoming_has(const struct incoming *incoming, struct slice argument);

// The blob that an argument lies in, with a reference for the caller, or NULL if it lies in none.
struct blob *incoming_share(const struct incoming *incoming, struct slice argument);

// Bytes of the arguments, as the client has promised them.
size_t incoming_bytes(const struct incoming *incoming);

// Bytes held, as allocated.
size_t incoming_memory(const struct incoming *incoming);

// Drops the references; *incoming is NULL afterwards.
void incoming_release(struct incoming **incoming);
