// SPDX-License-Identifier: BSD-3-Clause
// INFO: see info.h.
#include "server/info.h"

#include "base/memory.h"
#include "base/panic.h"

#include <stdint.h>
#include <string.h>

// As many as a mask has bits.
#define SECTIONS_MAX 32
#define RESETS_MAX   32
#define SUBJECTS_MAX 24

struct subject {
    const char *name;  // "": what the section itself was registered with
    info_section_fn fn;
    void *udata;
    const char *lines;  // without a function
};

struct section {
    const char *name;
    bool by_default;
    int count;
    struct subject subjects[SUBJECTS_MAX];
};

struct info {
    int count;
    struct section sections[SECTIONS_MAX];
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

static struct section *find_section(struct info *info, const char *name)
{
    for (int i = 0; i < info->count; i++) {
        if (strcmp(info->sections[i].name, name) == 0)
            return &info->sections[i];
    }
    return NULL;
}

void info_add_section(struct info *info, const char *name, bool by_default, info_section_fn fn,
                      void *udata)
{
    struct section *section = find_section(info, name);
    if (!section) {
        ASSERT(info->count < SECTIONS_MAX);
        section = &info->sections[info->count++];
    }
    *section = (struct section){ .name = name, .by_default = by_default };
    if (fn)
        section->subjects[section->count++] = (struct subject){ "", fn, udata, NULL };
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

static void add_subject(struct info *info, const char *section_name, struct subject subject)
{
    struct section *section = find_section(info, section_name);
    ASSERT(section != NULL);
    for (int i = 0; i < section->count; i++) {
        if (strcmp(section->subjects[i].name, subject.name) == 0) {
            section->subjects[i] = subject;
            return;
        }
    }
    ASSERT(section->count < SUBJECTS_MAX);
    section->subjects[section->count++] = subject;
}

void info_add_fields(struct info *info, const char *section, const char *subject,
                     info_section_fn fn, void *udata)
{
    add_subject(info, section, (struct subject){ subject, fn, udata, NULL });
}

void info_add_lines(struct info *info, const char *section, const char *subject, const char *lines)
{
    add_subject(info, section, (struct subject){ subject, NULL, NULL, lines });
}

// The sections of one name, a bit each.
static uint32_t sections_named(const struct info *info, struct slice name)
{
    bool all = slice_is(name, "all") || slice_is(name, "everything");
    bool by_default = slice_is(name, "default");
    uint32_t found = 0;
    for (int i = 0; i < info->count; i++) {
        const struct section *section = &info->sections[i];
        if (all || (by_default && section->by_default) || slice_is(name, section->name))
            found |= UINT32_C(1) << i;
    }
    return found;
}

static void write_section(const struct section *section, struct bytes *out)
{
    bytes_printf(out, "# %s\r\n", section->name);
    for (int i = 0; i < section->count; i++) {
        const struct subject *subject = &section->subjects[i];
        if (subject->fn)
            subject->fn(subject->udata, out);
        else
            bytes_append_text(out, subject->lines);
    }
}

void info_write(const struct info *info, const struct slice *names, size_t count, struct bytes *out)
{
    uint32_t wanted = count ? 0 : sections_named(info, SLICE("default"));
    for (size_t i = 0; i < count; i++)
        wanted |= sections_named(info, names[i]);
    for (int i = 0; i < info->count; i++) {
        if (!(wanted >> i & 1))
            continue;
        if (out->len)
            bytes_append_text(out, "\r\n");
        write_section(&info->sections[i], out);
    }
}
