// SPDX-License-Identifier: BSD-3-Clause
// Reading an RDB file, or the RDB part of another, for the programs that check files.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// What values need before any can be read. Once, first.
void check_set_up(void);

// Reads the RDB that begins where the descriptor stands, as the server would, and prints what is in it, and what is
// wrong where. `size` is that of the file, UINT64_MAX if nobody knows. True: it is whole, and ends at byte
// `end` of the file; the descriptor stands anywhere behind that.
bool check_rdb(int fd, const char *path, uint64_t size, uint64_t *end);
