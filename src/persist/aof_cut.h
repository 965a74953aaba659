// SPDX-License-Identifier: BSD-3-Clause
// Cutting the damaged end off an append-only file: what goes is kept beside it.
#pragma once

#include "base/status.h"

#include <limits.h>
#include <stdint.h>

// Cuts the file at `path`, which is open for reading and writing and has `size` bytes, back to its first `keep`
// bytes. The others are in `kept` then: "<path>.cut-<keep>", with ".1", ".2" ... behind it if there is such a
// file already. They are on the disk before anything is cut. STATUS_IO: errno is set, and the
// file is as it was unless only syncing it failed.
MUST_CHECK enum status aof_cut(int fd, const char *path, uint64_t size, uint64_t keep,
                               char kept[PATH_MAX]);
