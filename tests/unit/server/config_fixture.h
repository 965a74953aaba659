// SPDX-License-Identifier: BSD-3-Clause
// A configuration with a directive of each type, for the tests of the configuration.
#pragma once

#include "config_fixture_table.h"

#include "base/memory.h"

static struct config *config;
static struct config_error error;
static size_t used_before;

static inline void fixture_open(void)
{
    memset(&owner, 0, sizeof(owner));
    memset(&error, 0, sizeof(error));
    used_before = mem_used();
    config = config_new();
    config_register(config, fixture_table, &owner);
}

static inline void fixture_close(void)
{
    config_release_strings(config, &owner);
    ck_assert_ptr_null(owner.text);
    config_free(config);
    ck_assert_uint_eq(mem_used(), used_before);
}

// What CONFIG GET says of one name.
struct fixture_value {
    const char *name;
    char text[256];
    int count;
};

static inline void fixture_note(struct slice name, struct slice value, void *udata)
{
    struct fixture_value *found = udata;
    if (!slice_equal(name, slice_of(found->name)))
        return;
    found->count++;
    ck_assert_uint_lt(value.len, sizeof(found->text));
    if (value.len)
        memcpy(found->text, value.ptr, value.len);
    found->text[value.len] = '\0';
}

static inline void expect_value(const char *name, const char *want)
{
    struct fixture_value found = { .name = name };
    struct slice pattern = slice_of(name);
    config_get(config, &pattern, 1, fixture_note, &found);
    ck_assert_int_eq(found.count, 1);
    ck_assert_str_eq(found.text, want);
}
