// SPDX-License-Identifier: BSD-3-Clause
// Fuzz target of intsets: bytes from outside are refused, or can be searched and changed.
//
// Input: eight bytes that are a value to add and to remove, then what may be an intset.
#include "fuzz/fuzz.h"

#include "base/little_endian.h"
#include "base/memory.h"
#include "base/panic.h"
#include "ds/intset.h"

#define VALUE_BYTES 8

static void check_order(const unsigned char *set)
{
    size_t count = intset_count(set);
    ASSERT(intset_validate(set, intset_bytes(set)));
    for (size_t i = 0; i < count; i++) {
        size_t index;
        ASSERT(i == 0 || intset_at(set, i - 1) < intset_at(set, i));
        ASSERT(intset_find(set, intset_at(set, i), &index) && index == i);
    }
}

static unsigned char *add(unsigned char *set, int64_t value)
{
    size_t index;
    if (intset_find(set, value, &index))
        return set;
    size_t count = intset_count(set);
    size_t size = intset_bytes_with(set, value);
    set = mem_realloc(set, intset_bytes(set), size);
    intset_insert(set, index, value);
    ASSERT(intset_bytes(set) == size && intset_count(set) == count + 1);
    ASSERT(intset_at(set, index) == value);
    return set;
}

static unsigned char *take(unsigned char *set, size_t index)
{
    size_t size = intset_bytes(set);
    int64_t value = intset_at(set, index);
    size_t place;
    intset_remove(set, index);
    ASSERT(!intset_find(set, value, &place) && place == index);
    return mem_realloc(set, size, intset_bytes(set));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    mem_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < VALUE_BYTES || !intset_validate(data + VALUE_BYTES, size - VALUE_BYTES))
        return 0;
    int64_t value = (int64_t)load_le64(data);
    unsigned char *set = mem_alloc(size - VALUE_BYTES);
    memcpy(set, data + VALUE_BYTES, size - VALUE_BYTES);
    check_order(set);
    // The value in every width that it has.
    set = add(set, (int16_t)value);
    set = add(set, (int32_t)value);
    set = add(set, value);
    check_order(set);
    set = take(set, (uint64_t)value % intset_count(set));
    check_order(set);
    while (intset_count(set) > 0)
        set = take(set, intset_count(set) / 2);
    mem_free(set, intset_bytes(set));
    return 0;
}
