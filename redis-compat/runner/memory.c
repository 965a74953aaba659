// SPDX-License-Identifier: BSD-3-Clause
// Memory of the runner: see memory.h.
#include "memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLOCK_BYTES 16384
#define ALIGNMENT   16

void die(const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("compat: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

// --- Spans --------------------------------------------------------------------------------------

struct span span_of(const char *text)
{
    return (struct span){ text, strlen(text) };
}

bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_of(text));
}

bool span_equal_word(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_is_word(struct span a, const char *text)
{
    return span_equal_word(a, span_of(text));
}

bool span_starts(struct span a, const char *prefix)
{
    size_t len = strlen(prefix);
    return a.len >= len && memcmp(a.ptr, prefix, len) == 0;
}

// A copy for functions that want a NUL; false: too long for a number.
static bool number_text(struct span a, char out[64])
{
    if (a.len == 0 || a.len >= 64)
        return false;
    memcpy(out, a.ptr, a.len);
    out[a.len] = '\0';
    return true;
}

bool span_int(struct span a, long long *out)
{
    char text[64];
    char *end;
    if (!number_text(a, text) || (text[0] != '-' && (text[0] < '0' || text[0] > '9')))
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end == text + a.len;
}

bool span_number(struct span a, double *out)
{
    char text[64];
    char *end;
    if (!number_text(a, text))
        return false;
    *out = strtod(text, &end);
    return end == text + a.len;
}

struct span span_trim(struct span a)
{
    while (a.len > 0 && (a.ptr[0] == ' ' || a.ptr[0] == '\t')) {
        a.ptr++;
        a.len--;
    }
    while (a.len > 0 && (a.ptr[a.len - 1] == ' ' || a.ptr[a.len - 1] == '\t'))
        a.len--;
    return a;
}

struct span span_take_word(struct span *line)
{
    *line = span_trim(*line);
    struct span word = { line->ptr, 0 };
    while (word.len < line->len && line->ptr[word.len] != ' ')
        word.len++;
    *line = span_trim((struct span){ line->ptr + word.len, line->len - word.len });
    return word;
}

bool span_next_line(struct span *text, struct span *line)
{
    if (text->len == 0)
        return false;
    const char *end = memchr(text->ptr, '\n', text->len);
    line->ptr = text->ptr;
    line->len = end ? (size_t)(end - text->ptr) : text->len;
    size_t taken = line->len + (end != NULL);
    text->ptr += taken;
    text->len -= taken;
    return true;
}

// --- Arenas -------------------------------------------------------------------------------------

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    _Alignas(ALIGNMENT) char data[];
};

static struct arena_block *block_new(size_t bytes)
{
    struct arena_block *block = calloc(1, sizeof(*block) + bytes);
    if (!block)
        die("out of memory");
    block->size = bytes;
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    struct arena_block *block = arena->blocks;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!block || block->size - block->used < bytes) {
        block = block_new(bytes > BLOCK_BYTES / 4 ? bytes : BLOCK_BYTES);
        // A block of one large thing is full at once: it goes behind the one that has room.
        struct arena_block **place = arena->blocks && block->size == bytes ? &arena->blocks->next
                                                                           : &arena->blocks;
        block->next = *place;
        *place = block;
    }
    void *memory = block->data + block->used;
    block->used += bytes;
    return memory;
}

struct span arena_copy(struct arena *arena, struct span text)
{
    return (struct span){ arena_text(arena, text), text.len };
}

char *arena_text(struct arena *arena, struct span text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

struct span arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(arena, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return (struct span){ text, (size_t)len };
}

void arena_release(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena->blocks = NULL;
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t item_bytes)
{
    // Full at 0, 4, 8, 16, ... elements.
    if (count != 0 && (count < 4 || (count & (count - 1)) != 0))
        return items;
    size_t cap = count < 4 ? 4 : 2 * count;
    void *moved = arena_alloc(arena, cap * item_bytes);
    if (count > 0)
        memcpy(moved, items, count * item_bytes);
    return moved;
}

// --- Buffers ------------------------------------------------------------------------------------

void buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->cap - buffer->len > more)
        return;
    size_t cap = 2 * buffer->cap > 256 ? 2 * buffer->cap : 256;
    while (cap - buffer->len <= more)
        cap *= 2;
    char *data = realloc(buffer->data, cap);
    if (!data)
        die("out of memory");
    buffer->data = data;
    buffer->cap = cap;
}

void buffer_append(struct buffer *buffer, struct span text)
{
    buffer_reserve(buffer, text.len);
    if (text.len > 0)
        memcpy(buffer->data + buffer->len, text.ptr, text.len);
    buffer->len += text.len;
    buffer->data[buffer->len] = '\0';
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, span_of(text));
}

void buffer_char(struct buffer *buffer, char c)
{
    buffer_append(buffer, (struct span){ &c, 1 });
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    buffer_reserve(buffer, (size_t)len);
    va_start(args, format);
    vsnprintf(buffer->data + buffer->len, (size_t)len + 1, format, args);
    va_end(args);
    buffer->len += (size_t)len;
}

struct span buffer_span(const struct buffer *buffer)
{
    return (struct span){ buffer->data, buffer->len };
}

void buffer_clear(struct buffer *buffer)
{
    buffer->len = 0;
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){ 0 };
}

bool buffer_read_file(struct buffer *buffer, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t got;
    do {
        buffer_reserve(buffer, 65536);
        got = fread(buffer->data + buffer->len, 1, 65536, file);
        buffer->len += got;
        buffer->data[buffer->len] = '\0';
    } while (got > 0);
    bool ok = !ferror(file);
    fclose(file);
    return ok;
}
