// SPDX-License-Identifier: BSD-3-Clause
// The manifest of an append-only file: which files it consists of, in which order.
//
// One line a file, as Redis 7 writes them (format: Redis documentation, "Redis persistence", multi-part AOF):
//   file appendonly.aof.2.base.rdb seq 2 type b
//   file appendonly.aof.1.incr.aof seq 1 type h
//   file appendonly.aof.2.incr.aof seq 2 type i
// b: the base, at most one; i: what was written since, in rising order; h: history, to be deleted. Nothing here
// touches a file.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AOF_MANIFEST_SUFFIX ".manifest"

// What a manifest may take; one is a few hundred bytes as a rule.
#define AOF_MANIFEST_BYTES_MAX (1u << 20)

enum aof_file_type { AOF_BASE = 'b', AOF_INCR = 'i', AOF_HISTORY = 'h' };

struct aof_file {
    char *name;  // within the folder
    uint64_t seq;
    enum aof_file_type type;
};

// All zero is a valid empty one.
struct aof_manifest {
    struct aof_file *files;  // base, history, then incremental ones
    size_t count;
    uint64_t base_seq;  // the highest that were ever used
    uint64_t incr_seq;
};

// What is wrong with a manifest.
struct aof_manifest_error {
    unsigned line;  // from 1 on
    const char *reason;
};

void aof_manifest_release(struct aof_manifest *manifest);

// Reads a manifest's text into an empty struct. False: it is empty again, and `error` says why. O(files^2).
MUST_CHECK bool aof_manifest_parse(struct aof_manifest *manifest, struct slice text,
                                   struct aof_manifest_error *error);

void aof_manifest_format(const struct aof_manifest *manifest, struct bytes *out);

void aof_manifest_copy(struct aof_manifest *to, const struct aof_manifest *from);

// The base, or NULL.
const struct aof_file *aof_manifest_base(const struct aof_manifest *manifest);

// The last incremental file, or NULL.
const struct aof_file *aof_manifest_last(const struct aof_manifest *manifest);

// Adds the next incremental file, or a base in place of what there is: all older files, but the
// last `keep` incremental ones, become history. `stem` is appendfilename; the base is an RDB file or made of
// commands. The name is that of the new file.
const char *aof_manifest_add_incr(struct aof_manifest *manifest, const char *stem);
const char *aof_manifest_add_base(struct aof_manifest *manifest, const char *stem, size_t keep,
                                  bool of_commands);

// The base is this file, of another name than ours.
void aof_manifest_adopt_base(struct aof_manifest *manifest, const char *name);

// Whether there is any history.
bool aof_manifest_has_history(const struct aof_manifest *manifest);

// Forgets the history.
void aof_manifest_drop_history(struct aof_manifest *manifest);

// Whether a name stays within its folder.
bool aof_name_is_plain(struct slice name);
