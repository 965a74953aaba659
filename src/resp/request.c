// SPDX-License-Identifier: BSD-3-Clause
// Requests as RESP: see request.h.
#include "resp/request.h"

#include "base/numbers.h"

#include <string.h>

static void append_word(struct bytes *out, struct slice word)
{
    char *p = bytes_reserve(out, word.len + INT64_TEXT_MAX + 5);
    size_t len = 0;
    p[len++] = '$';
    len += (size_t)format_uint64(p + len, word.len);
    p[len++] = '\r';
    p[len++] = '\n';
    memcpy(p + len, word.ptr, word.len);
    len += word.len;
    p[len++] = '\r';
    p[len++] = '\n';
    out->len += len;
}

void resp_append_request(struct bytes *out, const struct slice *words, size_t count)
{
    char head[INT64_TEXT_MAX + 3] = "*";
    size_t len = 1 + (size_t)format_uint64(head + 1, count);
    head[len++] = '\r';
    head[len++] = '\n';
    bytes_append(out, head, len);
    for (size_t i = 0; i < count; i++)
        append_word(out, words[i]);
}
