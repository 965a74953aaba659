// SPDX-License-Identifier: BSD-3-Clause
// Integers of file formats, least byte first, at any address: a load or store each.
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_le16(const void *p)
{
    uint16_t value;
    memcpy(&value, p, sizeof(value));
    return le16toh(value);
}

static inline uint32_t load_le32(const void *p)
{
    uint32_t value;
    memcpy(&value, p, sizeof(value));
    return le32toh(value);
}

static inline uint64_t load_le64(const void *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof(value));
    return le64toh(value);
}

static inline void store_le16(void *p, uint16_t value)
{
    value = htole16(value);
    memcpy(p, &value, sizeof(value));
}

static inline void store_le32(void *p, uint32_t value)
{
    value = htole32(value);
    memcpy(p, &value, sizeof(value));
}

static inline void store_le64(void *p, uint64_t value)
{
    value = htole64(value);
    memcpy(p, &value, sizeof(value));
}
