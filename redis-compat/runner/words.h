// SPDX-License-Identifier: BSD-3-Clause
// Words of a line, quoted as in Redis's own tools, with substitutions.
//
//   plain   "a \"quoted\" word\r\n\x00"   'a literal $(word)'   $(name)   x$(y*1000)
//
// In double quotes: \n \r \t \b \a \" \\ \xHH. In single quotes: \' only. $(...) is replaced outside
// single quotes: $(TEXT*N) is TEXT, with its escapes, N times; $(NAME) is what the resolver says.
#pragma once

#include "memory.h"

struct words {
    struct span *items;
    size_t count;
};

// Appends what $(name) stands for; false: there is no such thing.
struct resolver {
    bool (*resolve)(void *udata, struct span name, struct buffer *out);
    void *udata;
};

// Splits a line. A NULL resolver leaves $(NAME) as it stands: good for checking a line. False: *error
// says why.
bool words_split(struct arena *arena, struct span line, const struct resolver *resolver,
                 struct words *out, const char **error);

// Appends text as a word that reads back as the same bytes: plain if it can be, else quoted.
void words_quote(struct buffer *out, struct span text);

// Appends text in double quotes, and no more than about `limit` bytes of it.
void words_escape(struct buffer *out, struct span text, size_t limit);
