// SPDX-License-Identifier: BSD-3-Clause
// INFO: sections of "field:value" lines, which the subsystems register.
//
// A section is a row of subjects. Its owner writes the first lines, and whoever has something to say in
// the section of another adds a subject. What is registered under a name that is there already takes
// that one's place: so the lines of a server without some feature stand where Redis has them, until
// the feature's owner takes them over.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

struct info;

struct info *info_new(void);
void info_free(struct info *info);

// Appends "field:value\r\n" lines. To be cheap: INFO is asked every second by some.
typedef void (*info_section_fn)(void *udata, struct bytes *out);

// All three at start-up; names and texts are kept, not copied.

// `name` as it stands in the header ("Server"); `by_default`: part of INFO without an argument.
// `fn` may be NULL: a header without lines. A section that is there keeps its place and loses its
// subjects.
void info_add_section(struct info *info, const char *name, bool by_default, info_section_fn fn,
                      void *udata);

// Behind what the section has, or in place of this subject's lines. The section is there.
void info_add_fields(struct info *info, const char *section, const char *subject,
                     info_section_fn fn, void *udata);

// The same for lines that never change.
void info_add_lines(struct info *info, const char *section, const char *subject, const char *lines);
// At start-up: `fn` sets figures of its owner to zero when a client asks for it (CONFIG RESETSTAT).
typedef void (*info_reset_fn)(void *udata);
void info_on_reset(struct info *info, info_reset_fn fn, void *udata);

// Calls them all.
void info_reset(const struct info *info);

// The text for these section names (none: the default ones; "all", "everything" and "default" are
// understood; unknown ones say nothing), each section once, in the order of registration.
void info_write(const struct info *info, const struct slice *names, size_t count,
                struct bytes *out);
