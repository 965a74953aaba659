// SPDX-License-Identifier: BSD-3-Clause
// Listpacks: see listpack.h for the format.
#include "ds/listpack.h"

#include "base/little_endian.h"
#include "base/numbers.h"
#include "base/panic.h"
#include "ds/listpack_inl.h"

// The count that means "count them".
#define COUNT_UNKNOWN 65535

// The shortest element: one byte and its back length.
#define ELEMENT_MIN 2

static size_t header_count(const unsigned char *lp)
{
    return load_le16(lp + 4);
}

static size_t offset_of(const unsigned char *lp, const unsigned char *p)
{
    return lp_at_end(p) ? 0 : (size_t)(p - lp);
}

static size_t count_elements(const unsigned char *lp)
{
    size_t count = 0;
    for (const unsigned char *p = lp + LP_HEADER_BYTES; !lp_at_end(p); p = lp_step(p))
        count++;
    return count;
}

void lp_init(unsigned char *lp)
{
    store_le32(lp, LP_EMPTY_BYTES);
    store_le16(lp + 4, 0);
    lp[LP_HEADER_BYTES] = LP_END;
}

size_t lp_bytes(const unsigned char *lp)
{
    return load_le32(lp);
}

size_t lp_count(const unsigned char *lp)
{
    size_t count = header_count(lp);
    return likely(count < COUNT_UNKNOWN) ? count : count_elements(lp);
}

// ---- positions ----------------------------------------------------------------------------------

// The element in front of `p`, which is not the first: its back length is read from the right.
static const unsigned char *step_back(const unsigned char *p)
{
    size_t data = 0;
    size_t back = 0;
    unsigned char byte;
    do {
        byte = *--p;
        data |= (size_t)(byte & 0x7F) << (7 * back++);
    } while (byte & 0x80);
    return p - data;
}

size_t lp_first(const unsigned char *lp)
{
    return offset_of(lp, lp + LP_HEADER_BYTES);
}

size_t lp_last(const unsigned char *lp)
{
    return lp_prev(lp, lp_end(lp));
}

size_t lp_next(const unsigned char *lp, size_t at)
{
    return offset_of(lp, lp_step(lp + at));
}

size_t lp_prev(const unsigned char *lp, size_t at)
{
    return at <= LP_HEADER_BYTES ? 0 : (size_t)(step_back(lp + at) - lp);
}

size_t lp_end(const unsigned char *lp)
{
    return lp_bytes(lp) - 1;
}

static size_t seek_forward(const unsigned char *lp, uint64_t index)
{
    const unsigned char *p = lp + LP_HEADER_BYTES;
    while (index-- > 0 && !lp_at_end(p))
        p = lp_step(p);
    return offset_of(lp, p);
}

// Index 0 is the last element.
static size_t seek_backward(const unsigned char *lp, uint64_t index)
{
    size_t at = lp_last(lp);
    while (index-- > 0 && at != 0)
        at = lp_prev(lp, at);
    return at;
}

size_t lp_seek(const unsigned char *lp, int64_t index)
{
    bool from_end = index < 0;
    uint64_t distance = from_end ? ~(uint64_t)index : (uint64_t)index;
    size_t count = header_count(lp);
    if (count < COUNT_UNKNOWN) {
        if (distance >= count)
            return 0;
        if (distance > count / 2) {
            distance = count - 1 - distance;
            from_end = !from_end;
        }
    }
    return from_end ? seek_backward(lp, distance) : seek_forward(lp, distance);
}

size_t lp_element_bytes(const unsigned char *lp, size_t at)
{
    return (size_t)(lp_step(lp + at) - (lp + at));
}

size_t lp_span(const unsigned char *lp, size_t at, size_t count)
{
    const unsigned char *p = lp + at;
    while (count-- > 0)
        p = lp_step(p);
    return (size_t)(p - (lp + at));
}

// ---- reading ------------------------------------------------------------------------------------

struct lp_value lp_get(const unsigned char *lp, size_t at)
{
    return lp_read(lp + at);
}

struct slice lp_text(const unsigned char *lp, size_t at, char scratch[24])
{
    const unsigned char *p = lp + at;
    if (lp_is_text(p))
        return lp_read_text(p);
    int len = format_int64(scratch, lp_read_integer(p));
    return (struct slice){ .ptr = scratch, .len = (size_t)len };
}

// ---- looking for --------------------------------------------------------------------------------

struct lp_key lp_key_of(struct slice text)
{
    struct lp_key key = { .text = text };
    key.is_integer = parse_int64(text, &key.integer);
    return key;
}

// What is looked for, prepared: the last (up to) eight bytes of the text as one integer, least first,
// and the shift that takes what else is in such a word of an element out.
struct needle {
    const struct lp_key *key;
    size_t len;
    uint64_t tail;
    unsigned shift;
};

static inline struct needle needle_of(const struct lp_key *key)
{
    struct needle needle = { .key = key, .len = key->text.len };
    // An integer without its text: no string is that long.
    if (key->is_integer && needle.len == 0)
        needle.len = SIZE_MAX;
    else if (needle.len >= 8)
        needle.tail = load_le64(key->text.ptr + needle.len - 8);
    else if (needle.len > 0) {
        memcpy(&needle.tail, key->text.ptr, needle.len);
        needle.tail = le64toh(needle.tail);
        needle.shift = 64 - 8 * (unsigned)needle.len;
    }
    return needle;
}

// Whether the element's text is the needle's, of the same length. Most texts differ in their last
// bytes if at all, so memcmp() is rarely needed. Eight bytes that end with a text are all of the
// listpack: its header and the encoding lie in front of the first.
static inline bool same_text(const char *text, const struct needle *needle)
{
    if (needle->len == 0)
        return true;
    if (load_le64(text + needle->len - 8) >> needle->shift != needle->tail)
        return false;
    return needle->len <= 8 || memcmp(text, needle->key->text.ptr, needle->len - 8) == 0;
}

// Strings that read as integers are compared, too: those of foreign origin may not be stored as such.
static inline bool is_needle(const unsigned char *p, const struct needle *needle)
{
    if (lp_is_text(p)) {
        struct slice text = lp_read_text(p);
        return text.len == needle->len && same_text(text.ptr, needle);
    }
    return needle->key->is_integer && lp_read_integer(p) == needle->key->integer;
}

bool lp_equal(const unsigned char *lp, size_t at, const struct lp_key *key)
{
    struct needle needle = needle_of(key);
    return is_needle(lp + at, &needle);
}

// As is_needle(), and how far the next element is: short strings, the most frequent ones, first.
static inline bool examine(const unsigned char *p, const struct needle *needle, size_t *bytes)
{
    unsigned first = *p;
    if (likely((first & 0xC0) == 0x80)) {
        size_t len = first & 0x3F;
        *bytes = len + 2;
        return len == needle->len && same_text((const char *)p + 1, needle);
    }
    size_t data = lp_data_bytes(p);
    *bytes = data + lp_back_bytes(data);
    return is_needle(p, needle);
}

size_t lp_find(const unsigned char *lp, size_t at, const struct lp_key *key, unsigned skip)
{
    if (at == 0)
        return 0;
    const struct needle needle = needle_of(key);
    const unsigned char *p = lp + at;
    while (!lp_at_end(p)) {
        size_t bytes;
        if (examine(p, &needle, &bytes))
            return (size_t)(p - lp);
        p += bytes;
        for (unsigned i = 0; i < skip && !lp_at_end(p); i++)
            p = lp_step(p);
    }
    return 0;
}

// ---- writing ------------------------------------------------------------------------------------

// Bytes of an integer's encoding and data.
static size_t integer_data_bytes(int64_t integer)
{
    if (integer >= 0 && integer <= 127)
        return 1;
    if (integer >= -4096 && integer <= 4095)
        return 2;
    if (integer >= INT16_MIN && integer <= INT16_MAX)
        return 3;
    if (integer >= -(1 << 23) && integer < 1 << 23)
        return 4;
    return integer >= INT32_MIN && integer <= INT32_MAX ? 5 : 9;
}

static size_t text_header_bytes(size_t len)
{
    if (len <= 63)
        return 1;
    return len <= 4095 ? 2 : 5;
}

// The back length of `data` bytes, most significant bits first; all bytes but the first are marked.
static size_t write_back(unsigned char *out, size_t data)
{
    size_t bytes = lp_back_bytes(data);
    for (size_t i = bytes - 1; i > 0; i--) {
        out[i] = (unsigned char)(0x80 | (data & 0x7F));
        data >>= 7;
    }
    out[0] = (unsigned char)data;
    return bytes;
}

size_t lp_encoded_int_bytes(int64_t integer)
{
    return integer_data_bytes(integer) + 1;
}

size_t lp_encoded_bytes(const struct lp_key *key)
{
    if (key->is_integer)
        return lp_encoded_int_bytes(key->integer);
    size_t data = text_header_bytes(key->text.len) + key->text.len;
    return data + lp_back_bytes(data);
}

size_t lp_encode_int(unsigned char *out, int64_t integer)
{
    size_t data = integer_data_bytes(integer);
    uint64_t bits = (uint64_t)integer;
    switch (data) {
    case 1: out[0] = (unsigned char)bits; break;
    case 2:
        out[0] = (unsigned char)(0xC0 | (bits >> 8 & 0x1F));
        out[1] = (unsigned char)bits;
        break;
    case 3:
        out[0] = LP_INT16;
        store_le16(out + 1, (uint16_t)bits);
        break;
    case 4:
        out[0] = LP_INT24;
        store_le16(out + 1, (uint16_t)bits);
        out[3] = (unsigned char)(bits >> 16);
        break;
    case 5:
        out[0] = LP_INT32;
        store_le32(out + 1, (uint32_t)bits);
        break;
    default:
        out[0] = LP_INT64;
        store_le64(out + 1, bits);
        break;
    }
    out[data] = (unsigned char)data;  // the back length
    return data + 1;
}

static size_t write_text_header(unsigned char *out, size_t len)
{
    size_t bytes = text_header_bytes(len);
    if (bytes == 1) {
        out[0] = (unsigned char)(0x80 | len);
    } else if (bytes == 2) {
        out[0] = (unsigned char)(0xE0 | len >> 8);
        out[1] = (unsigned char)len;
    } else {
        out[0] = LP_TEXT32;
        store_le32(out + 1, (uint32_t)len);
    }
    return bytes;
}

size_t lp_encode(unsigned char *out, const struct lp_key *key)
{
    if (key->is_integer)
        return lp_encode_int(out, key->integer);
    size_t header = write_text_header(out, key->text.len);
    if (key->text.len)
        memcpy(out + header, key->text.ptr, key->text.len);
    size_t data = header + key->text.len;
    return data + write_back(out + data, data);
}

// The count after an edit. One that can't be told stays so until the bytes say that it can be: a
// listpack that once was large must not be counted on every question for ever.
static size_t count_after(const unsigned char *lp, const struct lp_edit *edit, size_t size)
{
    size_t count = header_count(lp);
    if (count < COUNT_UNKNOWN) {
        count = count - edit->removed_count + edit->added_count;
        return count < COUNT_UNKNOWN ? count : COUNT_UNKNOWN;
    }
    bool countable = size < LP_EMPTY_BYTES + ELEMENT_MIN * (size_t)COUNT_UNKNOWN;
    return countable && edit->added == 0 ? count_elements(lp) : COUNT_UNKNOWN;
}

void lp_splice(unsigned char *lp, const struct lp_edit *edit)
{
    size_t old_size = lp_bytes(lp);
    size_t size = old_size - edit->removed + edit->added;
    size_t behind = edit->at + edit->removed;
    ASSERT(edit->at >= LP_HEADER_BYTES && behind < old_size && size <= LP_BYTES_MAX);
    if (edit->removed != edit->added)
        memmove(lp + edit->at + edit->added, lp + behind, old_size - behind);
    if (edit->bytes && edit->added)
        memcpy(lp + edit->at, edit->bytes, edit->added);
    store_le32(lp, (uint32_t)size);
    store_le16(lp + 4, (uint16_t)count_after(lp, edit, size));
}

// ---- validation ---------------------------------------------------------------------------------

// Bytes of the element, whole, if it lies within `room`; 0 if it doesn't or isn't one.
static size_t valid_element(const unsigned char *p, size_t room)
{
    unsigned first = *p;
    if (first > LP_INT64)
        return 0;
    // The encoding's own bytes come before what they say is looked at.
    size_t header = first == LP_TEXT32 ? 5 : (first & 0xF0) == 0xE0 ? 2 : 1;
    if (header > room)
        return 0;
    size_t data = lp_data_bytes(p);
    size_t back = lp_back_bytes(data);
    if (data + back > room)
        return 0;
    unsigned char expected[5];
    write_back(expected, data);
    return memcmp(p + data, expected, back) == 0 ? data + back : 0;
}

bool lp_validate(const unsigned char *lp, size_t size)
{
    if (size < LP_EMPTY_BYTES || lp_bytes(lp) != size || lp[size - 1] != LP_END)
        return false;
    size_t count = 0;
    size_t at = LP_HEADER_BYTES;
    while (at < size - 1) {
        size_t bytes = valid_element(lp + at, size - 1 - at);
        if (bytes == 0)
            return false;
        at += bytes;
        count++;
    }
    size_t told = header_count(lp);
    return told == COUNT_UNKNOWN || told == count;
}
