// SPDX-License-Identifier: BSD-3-Clause
// Memory of the runner: spans, arenas that are released as a whole, and growing buffers.
//
// The runner ends with a message when memory runs out: nothing here returns NULL.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Bytes that somebody else owns.
struct span {
    const char *ptr;
    size_t len;
};

#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })

// The arguments of a "%.*s".
#define SHOW(span) (int)(span).len, (span).ptr

struct span span_of(const char *text);
bool span_equal(struct span a, struct span b);
bool span_is(struct span a, const char *text);       // the same bytes
bool span_is_word(struct span a, const char *text);  // upper and lower case are the same
bool span_equal_word(struct span a, struct span b);
bool span_starts(struct span a, const char *prefix);
// A whole decimal number that fits.
bool span_int(struct span a, long long *out);
bool span_number(struct span a, double *out);
struct span span_trim(struct span a);
// Takes the first word off, and the blanks around it.
struct span span_take_word(struct span *line);
// Takes the next line off `text`; false at its end.
bool span_next_line(struct span *text, struct span *line);

// What is allocated in an arena lives until the arena is released. Zero is an empty one.
struct arena {
    struct arena_block *blocks;
};

void *arena_alloc(struct arena *arena, size_t bytes);  // zeroed
struct span arena_copy(struct arena *arena, struct span text);
// NUL-terminated.
char *arena_text(struct arena *arena, struct span text);
struct span arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void arena_release(struct arena *arena);

// Room for one more element of an array in an arena: the array, moved if it was full.
void *arena_grow(struct arena *arena, void *items, size_t count, size_t item_bytes);

// Growing bytes, on the heap. Zero is an empty one. data is NUL-terminated if it is not NULL.
struct buffer {
    char *data;
    size_t len;
    size_t cap;
};

void buffer_append(struct buffer *buffer, struct span text);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_char(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Room for so many more bytes at data + len.
void buffer_reserve(struct buffer *buffer, size_t more);
struct span buffer_span(const struct buffer *buffer);
void buffer_clear(struct buffer *buffer);
void buffer_release(struct buffer *buffer);

// Reads a file. False: errno says why.
bool buffer_read_file(struct buffer *buffer, const char *path);

// Says what is wrong and ends the runner with status 2.
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
