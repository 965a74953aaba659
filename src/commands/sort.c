// SPDX-License-Identifier: BSD-3-Clause
// SORT and SORT_RO: the elements of a list, a set or a sorted set in order, or values found by them.
#include "base/memory.h"
#include "base/numbers.h"
#include "commands/sort_order.h"
#include "commands/sort_pattern.h"
#include "commands/string_reply.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/server.h"
#include "store/elements.h"
#include "types/list.h"

// One request, as it is being answered.
struct sort {
    struct cmd_ctx *ctx;
    struct sort_order order;
    struct sort_pattern by;
    bool has_by;
    bool unsorted;  // as the elements lie in the collection
    bool stores;
    int64_t offset;
    int64_t limit;              // how many, or negative: all
    struct sort_pattern *gets;  // room for as many as there are arguments
    size_t get_count;
    struct sort_item *items;
    size_t item_count;
    char (*scratches)[HASH_SCRATCH];  // of the items' texts; NULL: none are needed
    struct bytes key;                 // room for the key that a pattern gives
    struct entry *stored;             // what STORE has so far, or NULL
    int64_t emitted;
};

// --- Options ------------------------------------------------------------------------------------

// The position of STORE's key, the last one if there are several; 0: none. Where the arguments are
// right, this reads them as parse_option() does.
static uint32_t locate_store(const struct slice *argv, uint32_t argc)
{
    uint32_t found = 0;
    for (uint32_t i = 2; i < argc; i++) {
        if (slice_is(argv[i], "limit"))
            i += 2;
        else if (slice_is(argv[i], "by") || slice_is(argv[i], "get"))
            i++;
        else if (slice_is(argv[i], "store") && i + 1 < argc)
            found = ++i;
    }
    return found;
}

static void add_get(struct sort *sort, struct slice pattern)
{
    size_t bytes = sort->ctx->argc * sizeof(*sort->gets);
    if (!sort->gets)
        sort->gets = mem_alloc(bytes);
    sort_pattern_parse(pattern, &sort->gets[sort->get_count++]);
}

static void set_by(struct sort *sort, struct slice pattern)
{
    sort_pattern_parse(pattern, &sort->by);
    bool finds = sort->by.kind == SORT_PATTERN_STRING || sort->by.kind == SORT_PATTERN_FIELD;
    sort->has_by = true;
    // Once it is unsorted, it stays so, whatever comes behind.
    sort->unsorted |= !finds;
}

// The option at `*i`, which moves to its last argument; false: it is none.
static bool parse_option(struct sort *sort, uint32_t *i, bool may_store)
{
    const struct cmd_ctx *ctx = sort->ctx;
    bool has_argument = *i + 1 < ctx->argc;
    if (arg_is(ctx, *i, "asc"))
        sort->order.backwards = false;
    else if (arg_is(ctx, *i, "desc"))
        sort->order.backwards = true;
    else if (arg_is(ctx, *i, "alpha"))
        sort->order.alpha = true;
    else if (has_argument && arg_is(ctx, *i, "by"))
        set_by(sort, ctx->argv[++*i]);
    else if (has_argument && arg_is(ctx, *i, "get"))
        add_get(sort, ctx->argv[++*i]);
    else if (has_argument && may_store && arg_is(ctx, *i, "store"))
        sort->stores = ++*i;
    else
        return false;
    return true;
}

// False: the error has been replied.
static bool parse_options(struct sort *sort, bool may_store)
{
    struct cmd_ctx *ctx = sort->ctx;
    for (uint32_t i = 2; i < ctx->argc; i++) {
        if (arg_is(ctx, i, "limit") && i + 2 < ctx->argc) {
            if (!arg_int64(ctx, i + 1, &sort->offset) || !arg_int64(ctx, i + 2, &sort->limit))
                return false;
            i += 2;
        } else if (!parse_option(sort, &i, may_store)) {
            reply_error(ctx, ERR_SYNTAX);
            return false;
        }
    }
    return true;
}

// What is asked for of `count` elements.
static struct element_range wanted_range(const struct sort *sort, size_t count)
{
    size_t first = sort->offset > 0 ? (size_t)sort->offset : 0;
    if (first >= count)
        return (struct element_range){ 0 };
    size_t left = count - first;
    bool is_limited = sort->limit >= 0 && (size_t)sort->limit < left;
    return (struct element_range){ .first = first,
                                   .count = is_limited ? (size_t)sort->limit : left };
}

// --- Elements -----------------------------------------------------------------------------------

static void add_item(struct lp_value element, void *udata)
{
    struct sort *sort = udata;
    sort->items[sort->item_count] = (struct sort_item){ .element = element,
                                                        .place = sort->item_count };
    sort->item_count++;
}

// Room for so many items; if there is no memory, replies.
static bool make_room(struct sort *sort, size_t count)
{
    sort->items = mem_try_alloc(count * sizeof(*sort->items));
    if (sort->items && sort->order.alpha && !sort->unsorted)
        sort->scratches = mem_try_alloc(count * sizeof(*sort->scratches));
    if (sort->items && (sort->scratches || !sort->order.alpha || sort->unsorted))
        return true;
    mem_free(sort->items, count * sizeof(*sort->items));
    reply_error(sort->ctx, ERR_OUT_OF_MEMORY);
    return false;
}

static struct slice element_as_text(const struct lp_value *element, char scratch[HASH_SCRATCH])
{
    if (element->text.ptr)
        return element->text;
    return (struct slice){ .ptr = scratch, .len = (size_t)format_int64(scratch, element->integer) };
}

// What the item is sorted by, as text; `found` lies in one of the scratches, or where it was found.
static struct slice text_to_sort_by(struct sort *sort, const struct sort_item *item,
                                    char scratch[HASH_SCRATCH])
{
    if (!sort->has_by)
        return element_as_text(&item->element, scratch);
    char digits[HASH_SCRATCH];
    struct slice element = element_as_text(&item->element, digits);
    return sort_pattern_find(&sort->by, sort->ctx->db, element, &sort->key, scratch).text;
}

static bool weigh_by_number(struct sort *sort, struct sort_item *item)
{
    char scratch[HASH_SCRATCH];
    item->by.number = (double)item->element.integer;
    if (!sort->has_by && !item->element.text.ptr)
        return true;
    struct slice text = text_to_sort_by(sort, item, scratch);
    item->by.number = 0;
    return !text.ptr || sort_number(text, &item->by.number);
}

static void weigh_by_text(struct sort *sort, struct sort_item *item, char scratch[HASH_SCRATCH])
{
    item->by.text = text_to_sort_by(sort, item, scratch);
    // What is only shown is compared as C texts are, up to a NUL.
    if (item->by.text.ptr && !sort->stores)
        item->by.text.len = strnlen(item->by.text.ptr, item->by.text.len);
}

// Finds out what all items are sorted by; false: something is no number, the error has been replied.
static bool weigh(struct sort *sort)
{
    bool are_numbers = true;
    for (size_t i = 0; i < sort->item_count; i++) {
        if (sort->order.alpha)
            weigh_by_text(sort, &sort->items[i], sort->scratches[i]);
        else
            are_numbers &= weigh_by_number(sort, &sort->items[i]);
    }
    if (!are_numbers)
        reply_error(sort->ctx, ERR_SORT_NOT_DOUBLE);
    return are_numbers;
}

// --- Results ------------------------------------------------------------------------------------

typedef void (*emit_fn)(struct sort *sort, const struct sort_value *value);

static void emit_reply(struct sort *sort, const struct sort_value *value)
{
    if (value->string)
        reply_string(sort->ctx, value->string);
    else if (value->text.ptr)
        resp_bulk_slice(&sort->ctx->reply, value->text);
    else
        reply_null(sort->ctx);
}

// What is not there is stored as an empty text.
static void emit_stored(struct sort *sort, const struct sort_value *value)
{
    const struct cmd_ctx *ctx = sort->ctx;
    struct slice text = value->text.ptr ? value->text : SLICE("");
    if (sort->stored)
        list_entry_push(&sort->stored, ctx->server->limits, LIST_RIGHT, &text, 1);
    else
        sort->stored = list_entry_new(key_slice(&ctx->keys[1]), ctx->server->keyspace->access_clock,
                                      ctx->server->limits, LIST_RIGHT, &text, 1);
    sort->emitted++;
}

static void emit_item(struct sort *sort, const struct sort_item *item, emit_fn emit)
{
    char digits[HASH_SCRATCH];
    char scratch[HASH_SCRATCH];
    struct slice element = element_as_text(&item->element, digits);
    if (sort->get_count == 0)
        emit(sort, &(struct sort_value){ .text = element });
    for (size_t i = 0; i < sort->get_count; i++) {
        struct sort_value value = sort_pattern_find(&sort->gets[i], sort->ctx->db, element,
                                                    &sort->key, scratch);
        emit(sort, &value);
    }
}

static void put_stored(struct sort *sort)
{
    struct cmd_ctx *ctx = sort->ctx;
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[1]);
    if (sort->stored) {
        db_overwrite(ctx->db, &ctx->keys[1], &ref, sort->stored);
        ctx_written(ctx, 1, NOTIFY_LIST, "sortstore");
    } else if (ref.entry) {
        db_remove(ctx->db, &ctx->keys[1], ref);
        ctx_removed(ctx, 1);
    }
    reply_int(ctx, sort->emitted);
}

// `items` are `count`, in order.
static void finish(struct sort *sort, const struct sort_item *items, size_t count)
{
    emit_fn emit = sort->stores ? emit_stored : emit_reply;
    if (!sort->stores)
        resp_array(&sort->ctx->reply, count * (sort->get_count ? sort->get_count : 1));
    for (size_t i = 0; i < count; i++)
        emit_item(sort, &items[i], emit);
    if (sort->stores)
        put_stored(sort);
}

// --- The commands -------------------------------------------------------------------------------

// Answers for a collection; what was allocated is left to the caller.
static void sort_collection(struct sort *sort, const struct entry *source,
                            const struct element_ops *elements)
{
    size_t count = elements->count(source);
    struct element_range wanted = wanted_range(sort, count);
    struct element_range all = { .count = count };
    // A stored result must not depend on an order that is no order.
    if (sort->stores && !elements->ordered) {
        sort->order.settled = true;
        sort->order.alpha |= sort->unsorted;
        sort->has_by &= !sort->unsorted;
        sort->unsorted = false;
    }
    wanted.reverse = sort->order.backwards && elements->ordered;
    const struct element_range *read = sort->unsorted ? &wanted : &all;
    if (wanted.count == 0 && sort->unsorted) {
        finish(sort, NULL, 0);
        return;
    }
    if (!make_room(sort, read->count))
        return;
    elements->each(source, read, add_item, sort);
    if (sort->unsorted) {
        finish(sort, sort->items, wanted.count);
    } else if (weigh(sort)) {
        sort_items(sort->items, count, wanted.first + wanted.count, &sort->order);
        finish(sort, sort->items + wanted.first, wanted.count);
    }
    mem_free(sort->items, read->count * sizeof(*sort->items));
    mem_free(sort->scratches, read->count * sizeof(*sort->scratches));
}

static void sort_key(struct sort *sort)
{
    struct cmd_ctx *ctx = sort->ctx;
    const struct entry *source = db_find_read(ctx->db, &ctx->keys[0]).entry;
    if (!source) {
        finish(sort, NULL, 0);
        return;
    }
    const struct element_ops *elements = ctx->server->keyspace->types[entry_type(source)]->elements;
    if (elements)
        sort_collection(sort, source, elements);
    else
        reply_error(ctx, ERR_WRONG_TYPE);
}

static void run(struct cmd_ctx *ctx, bool may_store)
{
    struct sort sort = { .ctx = ctx, .limit = -1 };
    if (parse_options(&sort, may_store))
        sort_key(&sort);
    bytes_release(&sort.key);
    mem_free(sort.gets, ctx->argc * sizeof(*sort.gets));
}

// SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]
//   [STORE destination]
static void cmd_sort(struct cmd_ctx *ctx)
{
    run(ctx, true);
}

// SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]
static void cmd_sort_ro(struct cmd_ctx *ctx)
{
    run(ctx, false);
}

// Arguments of both.
#define SORT_ARGS                                                                          \
    { .name = "key", .type = ARG_KEY },                                                    \
        { .name = "pattern",                                                               \
          .type = ARG_PATTERN,                                                             \
          .key_spec = 1,                                                                   \
          .token = "BY",                                                                   \
          .flags = ARG_OPTIONAL },                                                         \
        { .name = "offset_count",                                                          \
          .type = ARG_BLOCK,                                                               \
          .token = "LIMIT",                                                                \
          .flags = ARG_OPTIONAL,                                                           \
          .args = ARGS({ .name = "offset", .type = ARG_INTEGER },                          \
                       { .name = "count", .type = ARG_INTEGER }) },                        \
        { .name = "pattern",                                                               \
          .type = ARG_PATTERN,                                                             \
          .key_spec = 1,                                                                   \
          .token = "GET",                                                                  \
          .flags = ARG_OPTIONAL | ARG_MULTIPLE | ARG_MULTIPLE_TOKEN },                     \
        { .name = "order",                                                                 \
          .type = ARG_ONEOF,                                                               \
          .flags = ARG_OPTIONAL,                                                           \
          .args = ARGS({ .name = "asc", .type = ARG_PURE_TOKEN, .token = "ASC" },          \
                       { .name = "desc", .type = ARG_PURE_TOKEN, .token = "DESC" }) },     \
    {                                                                                      \
        .name = "sorting", .type = ARG_PURE_TOKEN, .token = "ALPHA", .flags = ARG_OPTIONAL \
    }

#define KEYS_OF_PATTERNS                                                                          \
    {                                                                                             \
        .flags = KEY_RO | KEY_ACCESS, .begin = KEY_BEGIN_UNKNOWN, .find = KEY_FIND_UNKNOWN,       \
        .notes = "For the optional BY/GET keyword. It is marked 'unknown' because the key names " \
                 "derive from the content of the key we sort"                                     \
    }

#define SORT_COMPLEXITY                                                                           \
    "O(N+M*log(M)) where N is the number of elements and M that of those returned; O(N) if they " \
    "are "                                                                                        \
    "not sorted"

const struct command sort_commands[] = {
    { .name = "sort",
      .summary =
          "Puts the elements of a list, a set or a sorted set in order; replies with them or "
          "stores them.",
      .since = "1.0.0",
      .complexity = SORT_COMPLEXITY,
      .group = GROUP_GENERIC,
      .arity = -2,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS,
      .acl = ACL_SET | ACL_SORTEDSET | ACL_LIST | ACL_DANGEROUS,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS),
                KEYS_OF_PATTERNS,
                { .flags = KEY_OW | KEY_UPDATE,
                  .begin = KEY_BEGIN_UNKNOWN,
                  .find = KEY_FIND_UNKNOWN,
                  .notes = "For the optional STORE keyword. It is marked 'unknown' because the "
                           "keyword can appear anywhere in the argument array",
                  .locate = locate_store } },
      .args = ARGS(SORT_ARGS, { .name = "destination",
                                .type = ARG_KEY,
                                .key_spec = 2,
                                .token = "STORE",
                                .flags = ARG_OPTIONAL }),
      .handler = cmd_sort },
    { .name = "sort_ro",
      .summary = "Puts the elements of a list, a set or a sorted set in order, and stores nothing.",
      .since = "7.0.0",
      .complexity = SORT_COMPLEXITY,
      .group = GROUP_GENERIC,
      .arity = -2,
      .flags = CMD_READONLY | CMD_MOVABLE_KEYS,
      .acl = ACL_SET | ACL_SORTEDSET | ACL_LIST | ACL_DANGEROUS,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS), KEYS_OF_PATTERNS },
      .args = ARGS(SORT_ARGS),
      .handler = cmd_sort_ro },
    { 0 },
};
