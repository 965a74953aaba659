// SPDX-License-Identifier: BSD-3-Clause
// Small files, whole: reading them and replacing them so that no half of one is ever seen.
#pragma once

#include "base/bytes.h"

#include <limits.h>

// Appends all that can be read from the descriptor. STATUS_FULL: there is more than `max_bytes` of it;
// STATUS_IO: errno is set.
MUST_CHECK enum status file_read(int fd, size_t max_bytes, struct bytes *out);

// Puts a file with this text in the place of `path`: a temporary file in the same folder, synced,
// renamed over the old one, the folder synced. It keeps the old one's mode and, where that is
// allowed, its owner; a new file is for its owner alone. STATUS_IO: errno is set; unless it was the
// folder's sync that failed, the old file is as it was, and nothing else is left behind.
MUST_CHECK enum status file_replace(const char *path, struct slice text);

// The same for what is written bit by bit: a file beside `target`, to be written to through `fd`.
struct file_draft {
    int fd;
    char path[PATH_MAX];
    const char *target;  // kept by the caller
};

// STATUS_IO: errno is set, and there is no draft.
MUST_CHECK enum status file_draft_begin(struct file_draft *draft, const char *target);
// Syncs it and puts it in the target's place. STATUS_IO as above: errno is set, and the draft is gone.
MUST_CHECK enum status file_draft_commit(struct file_draft *draft);
// Drops it; errno stays.
void file_draft_drop(struct file_draft *draft);

// Syncs the folder that holds `path`, so that the names in it are on the disk, and with them a file or folder
// that was made, renamed or deleted there. STATUS_IO: errno is set.
MUST_CHECK enum status file_sync_folder(const char *path);

// Removes the drafts of this target that a process which was killed has left behind, and says how many there
// were. For a target that nobody is writing.
size_t file_drafts_remove(const char *target);

// Writes all of it. STATUS_IO: errno is set, and some of it may have been written.
MUST_CHECK enum status file_write(int fd, struct slice bytes);
