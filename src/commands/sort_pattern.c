// SPDX-License-Identifier: BSD-3-Clause
// SORT's patterns: from an element to the value that it is sorted by, or that is returned for it.
#include "commands/sort_pattern.h"

#include "types/string.h"

#include <string.h>

void sort_pattern_parse(struct slice text, struct sort_pattern *out)
{
    *out = (struct sort_pattern){ .kind = SORT_PATTERN_FIXED };
    // A NUL ends what '*', "->" and "#" are looked for in.
    const char *end = text.ptr + text.len;
    size_t visible = strnlen(text.ptr, text.len);
    if (slice_equal((struct slice){ .ptr = text.ptr, .len = visible }, SLICE("#"))) {
        out->kind = SORT_PATTERN_ELEMENT;
        return;
    }
    const char *star = visible > 0 ? memchr(text.ptr, '*', visible) : NULL;
    if (!star)
        return;
    const char *behind = star + 1;
    size_t left = visible - (size_t)(behind - text.ptr);
    const char *arrow = memmem(behind, left, "->", 2);
    bool has_field = arrow && (size_t)(arrow - behind) + 2 < left;
    const char *after_end = has_field ? arrow : end;
    out->kind = has_field ? SORT_PATTERN_FIELD : SORT_PATTERN_STRING;
    out->before = (struct slice){ .ptr = text.ptr, .len = (size_t)(star - text.ptr) };
    out->after = (struct slice){ .ptr = behind, .len = (size_t)(after_end - behind) };
    if (has_field)
        out->field = (struct slice){ .ptr = arrow + 2, .len = (size_t)(end - arrow - 2) };
}

struct sort_value sort_pattern_find(const struct sort_pattern *pattern, struct db *db,
                                    struct slice element, struct bytes *key,
                                    char scratch[HASH_SCRATCH])
{
    struct sort_value value = { .text = { 0 } };
    if (pattern->kind == SORT_PATTERN_FIXED)
        return value;
    if (pattern->kind == SORT_PATTERN_ELEMENT)
        return (struct sort_value){ .text = element };
    bytes_clear(key);
    bytes_append_slice(key, pattern->before);
    bytes_append_slice(key, element);
    bytes_append_slice(key, pattern->after);
    struct key name = key_of(bytes_slice(key));
    const struct entry *entry = db_find_read(db, &name).entry;
    bool is_field = pattern->kind == SORT_PATTERN_FIELD;
    if (!entry || entry_type(entry) != (is_field ? TYPE_HASH : TYPE_STRING))
        return value;
    if (is_field) {
        if (!hash_get(entry, pattern->field, scratch, &value.text))
            value.text = (struct slice){ 0 };
        return value;
    }
    return (struct sort_value){ .text = string_bytes(entry, scratch), .string = entry };
}
