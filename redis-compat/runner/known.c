// SPDX-License-Identifier: BSD-3-Clause
// KNOWN_DIFFERENCES.md: see known.h.
#include "known.h"

#include <errno.h>
#include <string.h>

#define COLUMNS 3

// Splits "| a | b | c |"; a bar inside backticks does not separate. False: not a row of so many.
static bool split_row(struct span line, struct span columns[COLUMNS])
{
    size_t count = 0;
    size_t begin = 1;
    bool ticked = false;
    for (size_t i = 1; i < line.len; i++) {
        if (line.ptr[i] == '`')
            ticked = !ticked;
        if (line.ptr[i] != '|' || ticked)
            continue;
        if (count == COLUMNS)
            return false;
        columns[count++] = span_trim((struct span){ line.ptr + begin, i - begin });
        begin = i + 1;
    }
    return count == COLUMNS && begin == line.len;
}

// The text of a cell: without its backticks, and with \| as Markdown means it.
static struct span cell_text(struct arena *arena, struct span cell)
{
    if (cell.len < 2 || cell.ptr[0] != '`' || cell.ptr[cell.len - 1] != '`')
        return cell;
    char *text = arena_alloc(arena, cell.len);
    size_t len = 0;
    for (size_t i = 1; i + 1 < cell.len; i++) {
        if (cell.ptr[i] != '\\' || cell.ptr[i + 1] != '|')
            text[len++] = cell.ptr[i];
    }
    return (struct span){ text, len };
}

static bool parse_kind(struct known *known)
{
    if (span_starts(known->id, "meta:"))
        known->kind = KNOWN_META;
    else if (span_starts(known->id, "uncovered:"))
        known->kind = KNOWN_UNCOVERED;
    else if (span_is(known->value, "7.2"))
        known->kind = KNOWN_VERSION;
    else if (span_is(known->value, "run"))
        known->kind = KNOWN_RUN;
    else if (span_is(known->value, "own"))
        known->kind = KNOWN_OWN;
    else
        return false;
    return true;
}

static void read_row(struct known_list *list, const char *path, int number, struct span line)
{
    struct span columns[COLUMNS];
    struct known known = { 0 };
    if (!split_row(line, columns))
        die("%s:%d: not of the form | `id` | kind | reason |", path, number);
    known.id = cell_text(&list->arena, columns[0]);
    known.value = cell_text(&list->arena, columns[1]);
    if (!parse_kind(&known))
        die("%s:%d: the kind is 7.2, run or own", path, number);
    if (columns[2].len == 0)
        die("%s:%d: no reason is given", path, number);
    if (known_find(list, known.id))
        die("%s:%d: listed twice: %.*s", path, number, SHOW(known.id));
    list->items = arena_grow(&list->arena, list->items, list->count, sizeof(*list->items));
    list->items[list->count++] = known;
}

void known_read(struct known_list *list, const char *path)
{
    struct buffer file = { 0 };
    struct span line;
    *list = (struct known_list){ 0 };
    if (!buffer_read_file(&file, path))
        die("%s: %s", path, strerror(errno));
    struct span text = arena_copy(&list->arena, buffer_span(&file));
    buffer_release(&file);
    for (int number = 1; span_next_line(&text, &line); number++) {
        line = span_trim(line);
        if (span_starts(line, "| `"))
            read_row(list, path, number, line);
    }
    for (size_t i = 0; i < list->count; i++)
        list->items[i].used = 0;
}

void known_release(struct known_list *list)
{
    arena_release(&list->arena);
    *list = (struct known_list){ 0 };
}

struct known *known_find(struct known_list *list, struct span id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (span_equal(list->items[i].id, id)) {
            list->items[i].used++;
            return &list->items[i];
        }
    }
    return NULL;
}
