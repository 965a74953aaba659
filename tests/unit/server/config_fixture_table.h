// SPDX-License-Identifier: BSD-3-Clause
// The directives of config_fixture.h: one of each type, some of which can be told to refuse.
#pragma once

#include "server/config.h"

#include <check.h>
#include <string.h>

#define FIXTURE_LIST_MAX 4

struct fixture_owner {
    bool flag;
    int64_t number;
    int64_t large;
    int64_t bytes;
    int64_t mode;
    int64_t fixed;
    int64_t guarded;
    int word;
    char *text;
    char *empty;
    char *secret;
    int list_len;
    char list[FIXTURE_LIST_MAX][32];
    int pairs_len;
    char pairs[FIXTURE_LIST_MAX][32];
    bool inert;
    bool lost;
    unsigned acted;
    // What the applies saw: how often, and the number at the last time.
    unsigned applied;
    int64_t applied_number;
};

static struct fixture_owner owner;

// A number of 13 is set, but can't be applied.
#define FIXTURE_UNLUCKY 13

static inline bool fixture_apply(void *udata, struct config_error *why)
{
    ck_assert_ptr_eq(udata, &owner);
    owner.applied++;
    owner.applied_number = owner.number;
    return owner.number != FIXTURE_UNLUCKY || config_refuse(why, "an unlucky number");
}

static inline bool fixture_copy(char (*out)[32], const struct slice *words, size_t count,
                                struct config_error *why)
{
    if (count > FIXTURE_LIST_MAX)
        return config_refuse(why, "too many for the list");
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_lt(words[i].len, sizeof(out[i]));
        memcpy(out[i], words[i].ptr, words[i].len);
        out[i][words[i].len] = '\0';
    }
    return true;
}

static inline bool fixture_set_list(void *udata, const struct slice *words, size_t count,
                                    struct config_error *why)
{
    ck_assert_ptr_eq(udata, &owner);
    if (!fixture_copy(owner.list, words, count, why))
        return false;
    owner.list_len = (int)count;
    return true;
}

static inline void fixture_get_list(const void *udata, struct bytes *out)
{
    ck_assert_ptr_eq(udata, &owner);
    for (int i = 0; i < owner.list_len; i++)
        bytes_printf(out, "%s%s", i ? " " : "", owner.list[i]);
}

static inline void fixture_get_list_words(const void *udata, struct bytes *out)
{
    for (int i = 0; udata && i < owner.list_len; i++)
        config_add_word(out, slice_of(owner.list[i]));
}

// Pairs of words; their lines add up.
static inline bool fixture_set_pairs(void *udata, const struct slice *words, size_t count,
                                     struct config_error *why)
{
    ck_assert_ptr_eq(udata, &owner);
    if (count == 1 && words[0].len == 0)
        count = 0;
    if (count % 2)
        return config_refuse(why, "half a pair");
    if (!fixture_copy(owner.pairs, words, count, why))
        return false;
    owner.pairs_len = (int)count;
    return true;
}

static inline void fixture_get_pairs(const void *udata, struct bytes *out)
{
    for (int i = 0; udata && i < owner.pairs_len; i++)
        bytes_printf(out, "%s%s", i ? " " : "", owner.pairs[i]);
}

static inline bool fixture_act(void *udata, const struct slice *words, size_t count,
                               struct config_error *why)
{
    struct fixture_owner *self = udata;
    self->acted++;
    return (count == 1 && slice_is(words[0], "now")) || config_refuse(why, "not now");
}

static const struct config_name fixture_words[] = {
    { "one", 1 }, { "two", 2 }, { "three", 3 }, { 0 }
};

#define FIELD(member) offsetof(struct fixture_owner, member)

static const struct config_directive fixture_table[] = {
    { .name = "flag", .offset = FIELD(flag), .type = CONFIG_BOOL, .default_text = "yes" },
    { .name = "number",
      .offset = FIELD(number),
      .alias = "old-number",
      .type = CONFIG_INT,
      .default_text = "10",
      .min = -5,
      .max = 100,
      .apply = fixture_apply },
    { .name = "large",
      .offset = FIELD(large),
      .type = CONFIG_INT,
      .default_text = "0",
      .max = CONFIG_UNBOUNDED },
    { .name = "bytes",
      .offset = FIELD(bytes),
      .type = CONFIG_MEMORY,
      .default_text = "1mb",
      .min = 100,
      .max = 1024 * 1024 * 1024 },
    { .name = "mode",
      .offset = FIELD(mode),
      .type = CONFIG_OCTAL,
      .default_text = "640",
      .max = 0777 },
    { .name = "fixed",
      .offset = FIELD(fixed),
      .type = CONFIG_INT,
      .flags = CONFIG_IMMUTABLE,
      .default_text = "1",
      .max = 100 },
    { .name = "guarded",
      .offset = FIELD(guarded),
      .type = CONFIG_INT,
      .flags = CONFIG_PROTECTED,
      .default_text = "1",
      .max = 100 },
    { .name = "word",
      .offset = FIELD(word),
      .type = CONFIG_ENUM,
      .default_text = "two",
      .names = fixture_words },
    { .name = "text", .offset = FIELD(text), .type = CONFIG_STRING, .default_text = "some text" },
    { .name = "empty", .offset = FIELD(empty), .type = CONFIG_STRING, .default_text = "" },
    { .name = "secret",
      .offset = FIELD(secret),
      .type = CONFIG_STRING,
      .flags = CONFIG_SECRET,
      .default_text = "hush" },
    { .name = "list",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_WORDS,
      .default_text = "a b",
      .set = fixture_set_list,
      .get = fixture_get_list,
      .get_words = fixture_get_list_words },
    { .name = "pairs",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_WORDS | CONFIG_REPEATS | CONFIG_ALONE,
      .default_text = "x 1",
      .set = fixture_set_pairs,
      .get = fixture_get_pairs,
      .line_words = 2 },
    { .name = "inert",
      .offset = FIELD(inert),
      .type = CONFIG_BOOL,
      .flags = CONFIG_INERT,
      .default_text = "no" },
    { .name = "lost",
      .offset = FIELD(lost),
      .type = CONFIG_BOOL,
      .flags = CONFIG_UNSUPPORTED,
      .default_text = "no" },
    { .name = "act",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_HIDDEN | CONFIG_IMMUTABLE,
      .set = fixture_act },
    { 0 },
};
