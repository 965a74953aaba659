// SPDX-License-Identifier: BSD-3-Clause
// Fuzz target: the manifest of an append-only file. What was understood and written again is understood the same
// way; it has the order that is promised, and goes on having it as files are added.
#include "fuzz/fuzz.h"

#include "base/memory.h"
#include "base/panic.h"
#include "persist/aof_manifest.h"

#include <string.h>

#define NUMBER_MAX (UINT64_C(1) << 53)

static void check_order(const struct aof_manifest *manifest)
{
    const struct aof_file *last = NULL;
    int bases = 0;
    for (size_t i = 0; i < manifest->count; i++) {
        const struct aof_file *file = &manifest->files[i];
        ASSERT(aof_name_is_plain(slice_of(file->name)));
        ASSERT(file->type == AOF_BASE || file->type == AOF_INCR || file->type == AOF_HISTORY);
        bases += file->type == AOF_BASE;
        if (file->type != AOF_INCR)
            continue;
        ASSERT(!last || last->seq < file->seq);
        ASSERT(file->seq <= manifest->incr_seq);
        last = file;
    }
    ASSERT(bases <= 1);
    ASSERT(aof_manifest_last(manifest) == last);
    ASSERT((aof_manifest_base(manifest) != NULL) == (bases == 1));
}

static void check_again(const struct aof_manifest *manifest)
{
    struct aof_manifest again = { 0 };
    struct aof_manifest_error error;
    struct bytes text = { 0 };
    struct bytes other = { 0 };
    aof_manifest_format(manifest, &text);
    bool good = aof_manifest_parse(&again, bytes_slice(&text), &error);
    ASSERT(good);
    aof_manifest_format(&again, &other);
    ASSERT(slice_equal(bytes_slice(&text), bytes_slice(&other)));
    check_order(&again);
    aof_manifest_release(&again);
    bytes_release(&text);
    bytes_release(&other);
}

static void check_growth(struct aof_manifest *manifest)
{
    (void)aof_manifest_add_incr(manifest, "stem");
    (void)aof_manifest_add_base(manifest, "stem", 1, false);
    check_order(manifest);
    check_again(manifest);
    aof_manifest_drop_history(manifest);
    ASSERT(manifest->count == 2 && manifest->files[0].type == AOF_BASE &&
           manifest->files[1].type == AOF_INCR);
    check_again(manifest);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    mem_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { .ptr = (const char *)data, .len = size };
    struct aof_manifest manifest = { 0 };
    struct aof_manifest copy;
    struct aof_manifest_error error;
    size_t used = mem_used();
    if (!aof_manifest_parse(&manifest, text, &error)) {
        ASSERT(error.line > 0 && error.reason && manifest.count == 0);
        ASSERT(mem_used() == used);
        return 0;
    }
    ASSERT(manifest.count > 0);
    check_order(&manifest);
    check_again(&manifest);
    aof_manifest_copy(&copy, &manifest);
    aof_manifest_release(&manifest);
    // No server ever counts as far.
    if (copy.base_seq <= NUMBER_MAX && copy.incr_seq <= NUMBER_MAX)
        check_growth(&copy);
    aof_manifest_release(&copy);
    ASSERT(mem_used() == used);
    return 0;
}
