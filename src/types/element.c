// SPDX-License-Identifier: BSD-3-Clause
// Members of large sets and fields of large hashes: see element.h.
#include "types/element.h"

#include "base/memory.h"
#include "base/panic.h"

#include <stdint.h>

#define SHORT_LENGTH_MAX 253
#define LONG_LENGTH      255

struct element {
    unsigned char bytes[1];
};

static size_t length_size(size_t len)
{
    return len <= SHORT_LENGTH_MAX ? 1 : 5;
}

static size_t counted_size(size_t len)
{
    return length_size(len) + len;
}

static unsigned char *write_counted(unsigned char *p, struct slice text)
{
    if (text.len <= SHORT_LENGTH_MAX) {
        *p++ = (unsigned char)text.len;
    } else {
        ASSERT(text.len <= UINT32_MAX);
        uint32_t wide = (uint32_t)text.len;
        *p++ = LONG_LENGTH;
        memcpy(p, &wide, sizeof(wide));
        p += sizeof(wide);
    }
    if (text.len)
        memcpy(p, text.ptr, text.len);
    return p + text.len;
}

static struct slice read_counted(const unsigned char *p)
{
    if (*p != LONG_LENGTH)
        return (struct slice){ .ptr = (const char *)p + 1, .len = *p };
    uint32_t len;
    memcpy(&len, p + 1, sizeof(len));
    return (struct slice){ .ptr = (const char *)p + 5, .len = len };
}

struct element *element_new(struct slice text)
{
    struct element *element = mem_alloc(counted_size(text.len));
    write_counted(element->bytes, text);
    return element;
}

struct element *element_new_field(struct slice field, struct slice value)
{
    struct element *element = mem_alloc(counted_size(field.len) + counted_size(value.len));
    write_counted(write_counted(element->bytes, field), value);
    return element;
}

struct slice element_text(const struct element *element)
{
    return read_counted(element->bytes);
}

// Where the value of a field begins.
static unsigned char *value_at(const struct element *field)
{
    struct slice text = element_text(field);
    return (unsigned char *)(uintptr_t)(text.ptr + text.len);
}

struct slice element_value(const struct element *field)
{
    return read_counted(value_at(field));
}

static size_t member_size(const struct element *member)
{
    return counted_size(element_text(member).len);
}

static size_t field_size(const struct element *field)
{
    return member_size(field) + counted_size(element_value(field).len);
}

struct element *element_with_value(struct element *field, struct slice value)
{
    size_t have = field_size(field);
    size_t wanted = member_size(field) + counted_size(value.len);
    if (mem_good_size(have) != mem_good_size(wanted)) {
        struct element *moved = element_new_field(element_text(field), value);
        mem_free(field, have);
        return moved;
    }
    write_counted(value_at(field), value);
    return field;
}

size_t element_memory(const struct element *member)
{
    return mem_good_size(member_size(member));
}

size_t element_field_memory(const struct element *field)
{
    return mem_good_size(field_size(field));
}

void element_free(struct element *member)
{
    mem_free(member, member_size(member));
}

void element_free_field(struct element *field)
{
    mem_free(field, field_size(field));
}
