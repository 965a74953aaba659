// SPDX-License-Identifier: BSD-3-Clause
// One text for all orders of elements: see canonical.h.
#include "canonical.h"

#include <stdlib.h>
#include <string.h>

static int compare_buffers(const void *a, const void *b)
{
    const struct buffer *x = a;
    const struct buffer *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = len ? memcmp(x->data, y->data, len) : 0;
    if (order != 0)
        return order;
    return (x->len > y->len) - (x->len < y->len);
}

static void append_element(struct buffer *out, const struct reply *element, bool deep)
{
    if (deep)
        canonical_append(out, element, true);
    else
        buffer_append(out, element->raw);
}

void canonical_append(struct buffer *out, const struct reply *reply, bool deep)
{
    if (!reply_is_aggregate(reply) || reply->null) {
        buffer_append(out, reply->raw);
        return;
    }
    size_t width = reply->type == REPLY_MAP || reply->type == REPLY_ATTRIBUTE ? 2 : 1;
    size_t count = reply->count / width;
    struct buffer *elements = calloc(count ? count : 1, sizeof(*elements));
    if (!elements)
        die("out of memory");
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < width; k++)
            append_element(&elements[i], &reply->items[width * i + k], deep);
    }
    qsort(elements, count, sizeof(*elements), compare_buffers);
    buffer_printf(out, "%c%zu\r\n", reply->type, count);
    for (size_t i = 0; i < count; i++) {
        buffer_append(out, buffer_span(&elements[i]));
        buffer_release(&elements[i]);
    }
    free(elements);
}

bool canonical_equal(const struct reply *a, const struct reply *b, bool deep)
{
    struct buffer x = { 0 };
    struct buffer y = { 0 };
    canonical_append(&x, a, deep);
    canonical_append(&y, b, deep);
    bool equal = span_equal(buffer_span(&x), buffer_span(&y));
    buffer_release(&x);
    buffer_release(&y);
    return equal;
}
