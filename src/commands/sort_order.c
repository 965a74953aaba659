// SPDX-License-Identifier: BSD-3-Clause
// The order of SORT's elements.
//
// No two items are equal, as their places differ in the end: so the result does not depend on the
// algorithm. If only the first few are wanted, a heap of so many picks them out (Knuth, "The Art of
// Computer Programming", 5.2.3).
#include "commands/sort_order.h"

#include "base/memory.h"
#include "base/numbers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Texts up to this length are read where they are copied to, on the stack.
#define NUMBER_TEXT_MAX 128

static bool read_number(const char *text, double *out)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return *end == '\0' && errno != ERANGE && !isnan(*out);
}

bool sort_number(struct slice text, double *out)
{
    int64_t integer;
    if (parse_int64(text, &integer)) {
        *out = (double)integer;
        return true;
    }
    if (text.len < NUMBER_TEXT_MAX) {
        char copy[NUMBER_TEXT_MAX];
        memcpy(copy, text.ptr, text.len);
        copy[text.len] = '\0';
        return read_number(copy, out);
    }
    char *copy = mem_strndup(text.ptr, text.len);
    bool is_number = read_number(copy, out);
    mem_free(copy, text.len + 1);
    return is_number;
}

static int compare_texts(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_element_texts(const struct lp_value *a, const struct lp_value *b)
{
    char digits[2][INT64_TEXT_MAX];
    struct slice texts[2] = { a->text, b->text };
    if (!a->text.ptr)
        texts[0] = (struct slice){ digits[0], (size_t)format_int64(digits[0], a->integer) };
    if (!b->text.ptr)
        texts[1] = (struct slice){ digits[1], (size_t)format_int64(digits[1], b->integer) };
    return compare_texts(texts[0], texts[1]);
}

// Integers, however they lie in memory, then other texts.
static int compare_elements(const struct lp_value *a, const struct lp_value *b)
{
    struct lp_value values[2] = { *a, *b };
    for (int i = 0; i < 2; i++) {
        if (values[i].text.ptr && parse_int64(values[i].text, &values[i].integer))
            values[i].text.ptr = NULL;
    }
    bool a_is_text = values[0].text.ptr;
    bool b_is_text = values[1].text.ptr;
    if (a_is_text && b_is_text)
        return compare_texts(values[0].text, values[1].text);
    if (a_is_text != b_is_text)
        return a_is_text - b_is_text;
    return (values[0].integer > values[1].integer) - (values[0].integer < values[1].integer);
}

static int compare_numbers(const struct sort_item *a, const struct sort_item *b)
{
    int order = (a->by.number > b->by.number) - (a->by.number < b->by.number);
    return order != 0 ? order : compare_element_texts(&a->element, &b->element);
}

static int compare_alpha(const struct sort_item *a, const struct sort_item *b)
{
    if (a->by.text.ptr && b->by.text.ptr)
        return compare_texts(a->by.text, b->by.text);
    return (a->by.text.ptr != NULL) - (b->by.text.ptr != NULL);
}

static int compare_items(const void *left, const void *right, void *udata)
{
    const struct sort_item *a = left;
    const struct sort_item *b = right;
    const struct sort_order *order = udata;
    int result = order->alpha ? compare_alpha(a, b) : compare_numbers(a, b);
    if (result != 0)
        return order->backwards ? -result : result;
    if (order->settled)
        result = compare_elements(&a->element, &b->element);
    return result != 0 ? result : (a->place > b->place) - (a->place < b->place);
}

// Puts `item` into the heap, whose top is its last in order, in place of the one at `at`.
static void sift_down(struct sort_item *heap, size_t count, size_t at, struct sort_item item,
                      struct sort_order *order)
{
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && compare_items(&heap[child + 1], &heap[child], order) > 0)
            child++;
        if (compare_items(&heap[child], &item, order) <= 0)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = item;
}

static void pick_first(struct sort_item *items, size_t count, size_t wanted,
                       struct sort_order *order)
{
    for (size_t at = wanted / 2; at-- > 0;)
        sift_down(items, wanted, at, items[at], order);
    for (size_t i = wanted; i < count; i++) {
        if (compare_items(&items[i], &items[0], order) < 0)
            sift_down(items, wanted, 0, items[i], order);
    }
}

void sort_items(struct sort_item *items, size_t count, size_t wanted,
                const struct sort_order *order)
{
    struct sort_order how = *order;
    if (wanted == 0)
        return;
    if (wanted < count / 2)
        pick_first(items, count, wanted, &how);
    else
        wanted = count;
    qsort_r(items, wanted, sizeof(*items), compare_items, &how);
}
