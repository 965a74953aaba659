// SPDX-License-Identifier: BSD-3-Clause
// What families share that reply with the values of strings.
#pragma once

struct cmd_ctx;
struct entry;

// The string as a bulk; a large one is sent from where it lies.
void reply_string(struct cmd_ctx *ctx, const struct entry *entry);
