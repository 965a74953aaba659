// SPDX-License-Identifier: BSD-3-Clause
// Files and folders that change hands, and programs that look at them.
#pragma once

#include "../runner/server.h"

#define PATH_BYTES 256

// A copy of a data folder: dump.rdb, appendonly.aof, appendonlydir/; no logs, no sockets.
void files_copy(const char *from, char to[SERVER_DIR_MAX]);

// All of a file. Ends the program if there is none.
void files_read(struct buffer *out, const char *dir, const char *name);
void files_write(const char *dir, const char *name, struct span bytes);

// The name, in appendonlydir/ of the folder, of the file that ends so, as a path below the folder.
void files_find(const char *dir, const char *ending, char name[PATH_BYTES]);

// Runs a program; its exit status (128 and more: a signal), and what it wrote.
int run_program(const char *const argv[], struct buffer *output);

// Whether a checker (redis-check-rdb, redis-check-aof, or the path of ours) says that this file is well.
bool checker_agrees(const char *program, const char *dir, const char *name, struct buffer *why);
