// SPDX-License-Identifier: BSD-3-Clause
// The append-only file's folder: the manifest, the start, the first files, and files of an older layout.
#include "persist/aof_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "persist/aof_load.h"
#include "persist/loading.h"
#include "server/effects.h"
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool aof_path(const struct aof *aof, const char *name, char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%s/%s", aof->config.folder, name);
    if (len > 0 && len < PATH_MAX)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

static bool manifest_path(const struct aof *aof, char out[PATH_MAX])
{
    char name[PATH_MAX];
    int len = snprintf(name, sizeof(name), "%s%s", aof->config.stem, AOF_MANIFEST_SUFFIX);
    if (len > 0 && len < PATH_MAX)
        return aof_path(aof, name, out);
    errno = ENAMETOOLONG;
    return false;
}

static uint64_t file_bytes(const struct aof *aof, const char *name)
{
    char path[PATH_MAX];
    struct stat info;
    return aof_path(aof, name, path) && stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

enum status aof_make_folder(const struct aof *aof)
{
    bool there = mkdir(aof->config.folder, 0755) == 0 || errno == EEXIST;
    // One that was there may have been made by a process that was killed before it synced this.
    if (there && file_sync_folder(aof->config.folder) == STATUS_OK)
        return STATUS_OK;
    log_warning("Can't create the folder of the append-only file, %s: %s", aof->config.folder,
                strerror(errno));
    return STATUS_IO;
}

enum status aof_read_manifest(struct aof *aof)
{
    char path[PATH_MAX];
    struct bytes text = { 0 };
    struct aof_manifest_error error;
    if (!manifest_path(aof, path))
        return STATUS_IO;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return STATUS_NOT_FOUND;
    enum status status = fd < 0 ? STATUS_IO : file_read(fd, AOF_MANIFEST_BYTES_MAX, &text);
    if (status == STATUS_FULL)
        log_warning("The AOF manifest %s is larger than one can be", path);
    else if (status != STATUS_OK)
        log_warning("Can't read the AOF manifest %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    aof_manifest_release(&aof->manifest);
    if (status == STATUS_OK && !aof_manifest_parse(&aof->manifest, bytes_slice(&text), &error)) {
        log_warning("The AOF manifest %s is damaged: line %u: %s", path, error.line, error.reason);
        status = STATUS_INVALID;
    }
    bytes_release(&text);
    return status;
}

enum status aof_write_manifest(const struct aof *aof, const struct aof_manifest *manifest)
{
    char path[PATH_MAX];
    struct bytes text = { 0 };
    aof_manifest_format(manifest, &text);
    enum status status = manifest_path(aof, path) ? file_replace(path, bytes_slice(&text))
                                                  : STATUS_IO;
    if (status != STATUS_OK)
        log_warning("Can't write the AOF manifest %s: %s", path, strerror(errno));
    bytes_release(&text);
    return status;
}

void aof_delete_history(struct aof *aof)
{
    char path[PATH_MAX];
    if (aof->config.keep_history || !aof_manifest_has_history(&aof->manifest))
        return;
    for (size_t i = 0; i < aof->manifest.count; i++) {
        const struct aof_file *file = &aof->manifest.files[i];
        if (file->type != AOF_HISTORY || !aof_path(aof, file->name, path))
            continue;
        log_notice("Removing the history file %s", file->name);
        if (unlink(path) != 0 && errno != ENOENT)
            log_warning("Can't remove %s: %s", path, strerror(errno));
    }
    aof_manifest_drop_history(&aof->manifest);
    // If this fails the next one tells it.
    (void)(aof_write_manifest(aof, &aof->manifest) == STATUS_OK);
}

// A process that was killed may have left drafts of what it was about to write: the manifest, the next base.
static void remove_drafts(const struct aof *aof)
{
    char path[PATH_MAX];
    size_t drafts = manifest_path(aof, path) ? file_drafts_remove(path) : 0;
    for (int of_commands = 0; of_commands < 2; of_commands++) {
        struct aof_manifest next;
        aof_manifest_copy(&next, &aof->manifest);
        const char *base = aof_manifest_add_base(&next, aof->config.stem, 0, of_commands);
        drafts += aof_path(aof, base, path) ? file_drafts_remove(path) : 0;
        aof_manifest_release(&next);
    }
    if (drafts)
        log_notice("Removed %zu unfinished files of the append-only file", drafts);
}

// --- The first files ----------------------------------------------------------------------------

bool aof_make_empty(const struct aof *aof, const char *name)
{
    char path[PATH_MAX];
    if (!aof_path(aof, name, path) || (unlink(path) != 0 && errno != ENOENT))
        return false;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static enum status open_incr(struct aof *aof, const char *name, bool anew)
{
    char path[PATH_MAX];
    uint64_t mark = effects_offset(aof->server->effects);
    if (anew)
        log_notice("Creating AOF incr file %s on server start", name);
    if ((!anew || aof_make_empty(aof, name)) && aof_path(aof, name, path) &&
        aof_log_open(aof->log, path, anew, mark) == STATUS_OK)
        return STATUS_OK;
    log_warning("Can't open the AOF file %s: %s", name, strerror(errno));
    return STATUS_IO;
}

// A manifest that names them is written when they are there.
static enum status make_files(struct aof *aof)
{
    if (!aof_manifest_base(&aof->manifest)) {
        char path[PATH_MAX];
        static const struct rdb_progress nobody;
        bool of_commands = !aof->config.rdb_preamble;
        const char *base = aof_manifest_add_base(&aof->manifest, aof->config.stem, SIZE_MAX,
                                                 of_commands);
        log_notice("Creating AOF base file %s on server start", base);
        if (!aof_path(aof, base, path) ||
            aof_write_base(aof, path, of_commands, &nobody) != STATUS_OK) {
            log_warning("Can't write the AOF base file %s: %s", base, strerror(errno));
            return STATUS_IO;
        }
    }
    enum status status = open_incr(aof, aof_manifest_add_incr(&aof->manifest, aof->config.stem),
                                   true);
    return status == STATUS_OK ? aof_write_manifest(aof, &aof->manifest) : status;
}

// --- An older layout ----------------------------------------------------------------------------

// Before Redis 7 the append-only file was one file, beside the folder: it becomes the base. The manifest comes
// first, so that the data is found wherever this is interrupted.
static enum status adopt_old_file(struct aof *aof)
{
    char path[PATH_MAX];
    const struct aof_file *base = aof_manifest_base(&aof->manifest);
    if (access(aof->config.stem, F_OK) != 0)
        return STATUS_OK;
    if (aof->manifest.count > 0 && (!base || strcmp(base->name, aof->config.stem) != 0 ||
                                    (aof_path(aof, base->name, path) && access(path, F_OK) == 0)))
        return STATUS_OK;
    if (!base) {
        aof_manifest_adopt_base(&aof->manifest, aof->config.stem);
        if (aof_write_manifest(aof, &aof->manifest) != STATUS_OK)
            return STATUS_IO;
    }
    if (!aof_path(aof, aof->config.stem, path) || rename(aof->config.stem, path) != 0 ||
        file_sync_folder(path) != STATUS_OK || file_sync_folder(aof->config.stem) != STATUS_OK) {
        log_warning("Can't move the old append-only file %s into %s: %s", aof->config.stem,
                    aof->config.folder, strerror(errno));
        return STATUS_IO;
    }
    log_notice("Moved the old append-only file %s into %s: it is the base now", aof->config.stem,
               aof->config.folder);
    return STATUS_OK;
}

// --- Loading ------------------------------------------------------------------------------------

// Empty ones behind it don't count: when a rewrite could not begin, the manifest may name one that was never used.
static bool is_last(const struct aof *aof, size_t i)
{
    const struct aof_manifest *manifest = &aof->manifest;
    for (size_t later = i + 1; later < manifest->count; later++) {
        const struct aof_file *file = &manifest->files[later];
        if (file->type != AOF_HISTORY && file_bytes(aof, file->name) > 0)
            return false;
    }
    return true;
}

static enum status load_one(struct aof *aof, size_t i)
{
    char path[PATH_MAX];
    char error[AOF_ERROR_TEXT_MAX];
    struct aof_loaded loaded;
    const struct aof_file *file = &aof->manifest.files[i];
    const struct aof_load_options options = {
        // Behind the log's back nothing is cut.
        .is_last = aof->state == AOF_OFF && is_last(aof, i),
        .cut_truncated = aof->config.load_truncated,
        .cut_tail_max = (uint64_t)aof->config.corrupt_tail_bytes,
    };
    if (!aof_path(aof, file->name, path))
        return STATUS_IO;
    enum status status = aof_load_file(aof->server, path, &options, &loaded, error);
    if (status != STATUS_OK && loading_stopped(aof->server->loading)) {
        log_notice("The server was asked to stop while it was loading.");
        return status;
    }
    if (status != STATUS_OK) {
        log_warning("Can't load the append-only file: %s", error);
        return status == STATUS_NOT_FOUND ? STATUS_INVALID : status;
    }
    aof->old_bytes += loaded.size;
    if (loaded.commands > 0 || loaded.history.id[0])
        loading_note_history(aof->server->loading, &loaded.history);
    loading_next_file(aof->server->loading, loaded.size + loaded.cut_bytes);
    log_notice("Loaded %s: %llu keys of a snapshot, %llu commands", path,
               (unsigned long long)loaded.keys, (unsigned long long)loaded.commands);
    if (loaded.failed)
        log_warning("%s: %llu commands failed, as they can't have when they were written", path,
                    (unsigned long long)loaded.failed);
    return STATUS_OK;
}

static uint64_t bytes_to_load(const struct aof *aof)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < aof->manifest.count; i++) {
        const struct aof_file *file = &aof->manifest.files[i];
        bytes += file->type != AOF_HISTORY ? file_bytes(aof, file->name) : 0;
    }
    return bytes;
}

// STATUS_INVALID as well if the server was asked to stop meanwhile: the files stay as they are.
static enum status load_all(struct aof *aof)
{
    enum status status = STATUS_OK;
    struct loading_state *loading = aof->server->loading;
    uint64_t began_us = clock_mono_us_now();
    loading_begin(loading, bytes_to_load(aof), aof->state == AOF_OFF);
    for (size_t i = 0; i < aof->manifest.count && status == STATUS_OK; i++) {
        if (aof->manifest.files[i].type != AOF_HISTORY)
            status = load_one(aof, i);
    }
    loading_end(loading);
    if (status == STATUS_OK)
        log_notice("DB loaded from append only file: %.3f seconds",
                   (double)(clock_mono_us_now() - began_us) / 1e6);
    return status;
}

static enum status load_and_go_on(struct aof *aof)
{
    enum status status = load_all(aof);
    if (status != STATUS_OK)
        return status;
    aof->base_bytes = aof->old_bytes;
    aof_delete_history(aof);
    const struct aof_file *last = aof_manifest_last(&aof->manifest);
    if (!last)
        return make_files(aof);
    aof->old_bytes -= file_bytes(aof, last->name);
    return open_incr(aof, last->name, false);
}

enum status aof_load_again(struct aof *aof)
{
    uint64_t old_bytes = aof->old_bytes;
    enum status status = load_all(aof);
    aof->old_bytes = old_bytes;
    return status;
}

enum status aof_load_files(struct aof *aof)
{
    if (aof_make_folder(aof) != STATUS_OK)
        return STATUS_IO;
    enum status status = aof_read_manifest(aof);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    remove_drafts(aof);
    if (adopt_old_file(aof) != STATUS_OK)
        return STATUS_IO;
    return aof->manifest.count > 0 ? load_and_go_on(aof) : make_files(aof);
}
