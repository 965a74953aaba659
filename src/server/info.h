// SPDX-License-Identifier: BSD-3-Clause
// INFO: sections that the subsystems register.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

struct info;

struct info *info_new(void);
void info_free(struct info *info);

// Appends "field:value\r\n" lines.
typedef void (*info_section_fn)(void *udata, struct bytes *out);

// At start-up. `name` as it stands in the header ("Server"); `by_default`: part of INFO without an
// argument.
void info_add_section(struct info *info, const char *name, bool by_default, info_section_fn fn,
                      void *udata);

// At start-up: `fn` sets figures of its owner to zero when a client asks for it (CONFIG RESETSTAT).
typedef void (*info_reset_fn)(void *udata);
void info_on_reset(struct info *info, info_reset_fn fn, void *udata);

// Calls them all.
void info_reset(const struct info *info);

// The text for these section names (none: the default ones; "all", "everything" and "default" are
// understood), in the order of registration.
void info_write(const struct info *info, const struct slice *names, size_t count,
                struct bytes *out);
