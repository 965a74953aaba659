// SPDX-License-Identifier: BSD-3-Clause
// INFO: see info.h.
#include "server/info.h"

#include "base/memory.h"
#include "base/panic.h"

#define SECTIONS_MAX 32
#define RESETS_MAX   32

struct info {
    int count;
    struct {
        const char *name;
        bool by_default;
        info_section_fn fn;
        void *udata;
    } sections[SECTIONS_MAX];
    int reset_count;
    struct {
        info_reset_fn fn;
        void *udata;
    } resets[RESETS_MAX];
};

struct info *info_new(void)
{
    return mem_alloc_zeroed(sizeof(struct info));
}

void info_free(struct info *info)
{
    mem_free(info, sizeof(*info));
}

void info_add_section(struct info *info, const char *name, bool by_default, info_section_fn fn,
                      void *udata)
{
    ASSERT(info->count < SECTIONS_MAX);
    int i = info->count++;
    info->sections[i].name = name;
    info->sections[i].by_default = by_default;
    info->sections[i].fn = fn;
    info->sections[i].udata = udata;
}

void info_on_reset(struct info *info, info_reset_fn fn, void *udata)
{
    ASSERT(info->reset_count < RESETS_MAX);
    int i = info->reset_count++;
    info->resets[i].fn = fn;
    info->resets[i].udata = udata;
}

void info_reset(const struct info *info)
{
    for (int i = 0; i < info->reset_count; i++)
        info->resets[i].fn(info->resets[i].udata);
}

static bool wanted(const char *section, bool by_default, const struct slice *names, size_t count)
{
    if (count == 0)
        return by_default;
    for (size_t i = 0; i < count; i++) {
        if (slice_is(names[i], section) || slice_is(names[i], "all") ||
            slice_is(names[i], "everything") || (by_default && slice_is(names[i], "default")))
            return true;
    }
    return false;
}

void info_write(const struct info *info, const struct slice *names, size_t count, struct bytes *out)
{
    for (int i = 0; i < info->count; i++) {
        if (!wanted(info->sections[i].name, info->sections[i].by_default, names, count))
            continue;
        if (out->len)
            bytes_append_text(out, "\r\n");
        bytes_printf(out, "# %s\r\n", info->sections[i].name);
        info->sections[i].fn(info->sections[i].udata, out);
    }
}
