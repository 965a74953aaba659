// SPDX-License-Identifier: BSD-3-Clause
// Histories in an append-only file: see history.h.
#include "persist/history.h"

#include "base/numbers.h"

#include <limits.h>
#include <string.h>

#define MARK     "#REPL:"
#define MARK_LEN (sizeof(MARK) - 1)

void history_append_line(const struct history *history, struct bytes *out)
{
    bytes_printf(out, MARK "%s:%lld:%d\r\n", history->id, (long long)history->offset,
                 history->selected_db);
}

static bool is_id(const char *text)
{
    for (int i = 0; i < RUN_ID_LEN; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (!is_digit && (text[i] < 'a' || text[i] > 'f'))
            return false;
    }
    return true;
}

bool history_parse_line(struct slice line, struct history *out)
{
    size_t fixed = MARK_LEN + RUN_ID_LEN + 1;
    int64_t selected_db;
    if (line.len <= fixed || memcmp(line.ptr, MARK, MARK_LEN) != 0 || !is_id(line.ptr + MARK_LEN) ||
        line.ptr[fixed - 1] != ':')
        return false;
    struct slice offset = { .ptr = line.ptr + fixed, .len = line.len - fixed };
    const char *colon = memchr(offset.ptr, ':', offset.len);
    if (!colon)
        return false;
    struct slice db = { .ptr = colon + 1, .len = (size_t)(offset.ptr + offset.len - colon - 1) };
    offset.len = (size_t)(colon - offset.ptr);
    if (!parse_int64(offset, &out->offset) || out->offset < 0 || !parse_int64(db, &selected_db) ||
        selected_db < 0 || selected_db > INT_MAX)
        return false;
    memcpy(out->id, line.ptr + MARK_LEN, RUN_ID_LEN);
    out->id[RUN_ID_LEN] = '\0';
    out->selected_db = (int)selected_db;
    return true;
}
