// SPDX-License-Identifier: BSD-3-Clause
// Fuzz target: the commands of an append-only file. The first byte chooses how it is read; the rest is the file. What
// the reader calls whole has to be whole: cut there, the file gives the same commands and then its end. And it makes
// no difference in which pieces the bytes come.
#include "fuzz/fuzz.h"

#include "base/memory.h"
#include "base/panic.h"
#include "persist/aof_reader.h"

#include <string.h>

enum {
    OPTION_VET = 1,
    OPTION_UNTIL = 2,
};

#define UNTIL_S 1700000000

struct source {
    struct slice bytes;
    size_t part;
};

struct outcome {
    enum aof_found found;
    uint64_t at;
    uint64_t whole;
    uint64_t commands;
    uint64_t sum;  // of all that was handed out
    char reason[AOF_REASON_MAX];
};

static enum status read_source(void *udata, char *into, size_t room, size_t *got)
{
    struct source *source = udata;
    size_t len = source->bytes.len < room ? source->bytes.len : room;
    len = len < source->part ? len : source->part;
    if (len > 0)
        memcpy(into, source->bytes.ptr, len);
    source->bytes.ptr += len;
    source->bytes.len -= len;
    *got = len;
    return STATUS_OK;
}

// Any rule that a flipped bit may break.
static bool vet(void *udata, struct aof_reader *r)
{
    (void)udata;
    return r->argv.items[0].len < 12 || aof_refuse(r, "too long: %zu", r->argv.items[0].len);
}

static void add(struct outcome *outcome, const struct aof_reader *r)
{
    ASSERT(r->argc > 0 && r->argv.len == r->argc);
    outcome->commands++;
    for (uint32_t i = 0; i < r->argc; i++) {
        struct slice word = r->argv.items[i];
        outcome->sum = outcome->sum * 31 + word.len;
        for (size_t j = 0; j < word.len; j++)
            outcome->sum = outcome->sum * 31 + (uint8_t)word.ptr[j];
    }
}

static struct outcome read_all(struct slice file, size_t part, unsigned flags)
{
    struct source source = { .bytes = file, .part = part };
    struct outcome outcome = { 0 };
    struct aof_reader r;
    uint64_t whole = 0;
    aof_reader_init(&r, 0, read_source, flags & OPTION_VET ? vet : NULL, &source);
    if (flags & OPTION_UNTIL)
        r.until_s = UNTIL_S;
    while ((outcome.found = aof_reader_next(&r)) == AOF_COMMAND) {
        ASSERT(r.whole >= whole && r.whole <= r.at && r.at < file.len);
        ASSERT(!slice_is(r.argv.items[0], "multi") && !slice_is(r.argv.items[0], "exec"));
        whole = r.whole;
        add(&outcome, &r);
    }
    ASSERT(r.whole >= whole && r.whole <= r.at && r.at <= file.len);
    ASSERT(r.first_stamp_s < 0 || !(flags & OPTION_UNTIL) || r.last_stamp_s <= UNTIL_S);
    outcome.at = r.at;
    outcome.whole = r.whole;
    memcpy(outcome.reason, r.reason, sizeof(outcome.reason));
    aof_reader_release(&r);
    return outcome;
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
    ASSERT(a->found == b->found && a->at == b->at && a->whole == b->whole);
    ASSERT(a->commands == b->commands && a->sum == b->sum);
    ASSERT(strcmp(a->reason, b->reason) == 0);
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
    if (size < 1)
        return 0;
    struct slice file = { .ptr = (const char *)data + 1, .len = size - 1 };
    size_t used = mem_used();
    struct outcome all = read_all(file, SIZE_MAX, data[0]);
    struct outcome parts = read_all(file, 1 + (data[0] >> 4), data[0]);
    check_same(&all, &parts);
    ASSERT(all.found != AOF_FAILED && all.found != AOF_COMMAND);
    ASSERT((all.found != AOF_TORN && all.found != AOF_GARBAGE) || all.reason[0] != '\0');
    file.len = all.whole;
    struct outcome again = read_all(file, SIZE_MAX, data[0]);
    ASSERT(again.found == AOF_END && again.whole == file.len);
    ASSERT(again.commands == all.commands && again.sum == all.sum);
    ASSERT(mem_used() == used);
    return 0;
}
