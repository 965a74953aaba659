// SPDX-License-Identifier: BSD-3-Clause
// The radix tree: how it is built, and its operations.
//
// Workload. Tens of thousands of short texts that share their beginnings (patterns of channels,
// prefixes of keys), asked by "which of you does this text begin with?" for every message or write;
// they come and go with clients. Who names them is not to be trusted: keys of megabytes, or
// thousands that are each other's prefix, must cost no more than their bytes.
//
//   node, one block   | value | prefix_len count capacity loose | children[] | bytes[] | prefix[] |
//                         8                   8                   8 each       1 each
//
// The key of a node is its parent's, the byte that leads here, and the prefix: all bytes up to the
// next branch or end of a key, so that a chain is one node. A value says that a key ends here.
// Children are sorted by their byte and found with memchr(), which compares 32 bytes at a time;
// there is room for 0, 1, 2, 4 ... 256 of them, the next size when it is full and the smallest that
// will do when a quarter is left. "The Adaptive Radix Tree" has four forms of nodes for what is one
// here; its larger ones (an index of 256 bytes, 256 pointers) save a few ns in nodes that are rare.
//
//   "news.*" -> A, "news.fr.*" -> B, "weather" -> C
//
//        (no value, "")  --n-->  (no value, "ews.")  --*-->  (A, "")
//               |                                    --f-->  (B, "r.*")
//               '--------w-->  (C, "eather")
//
// Invariants (radix_check() is the list). A node has a value or two children: with one child and no
// value it is joined with the child. Both this and a smaller size need another block, and a removal
// cannot fail: where there is no memory the node stays as it is and is called loose, until the next
// removal at this place tries again.
//
// Depth. As deep as the longest key has ends and branches: nothing recurses. Freeing turns pointers
// round on its way down to find back (H. Schorr and W. M. Waite, 1967), walking has a stack on
// the heap, and removal remembers on its way down where it will have to cut.
//
// Costs. A new key takes two new blocks at most, and a shorter one for a node that it branches
// from. Bytes a key with 10,000 of them (test_radix.c holds it to that): 30 for channels with a
// number behind a common name, 50 for random texts of 16 bytes.
//
// Rejected. Links to parents (8 bytes a node, and every child to be told when a node moves).
// Prefixes that lie in the keys of leaves only (a removed key's bytes would have to stay). A hash
// table for each length of prefix (as many look-ups as there are lengths).
#include "ds/radix.h"

#include "base/memory.h"
#include "base/panic.h"

#include <stdint.h>

#define MAX_CHILDREN 256

struct radix_node {
    void *value;  // NULL: no key ends here
    uint64_t prefix_len : 45;
    uint64_t count : 9;     // of children
    uint64_t capacity : 9;  // for children: 0 or a power of two
    uint64_t loose : 1;     // could be more compact; there was no memory for it
    struct radix_node *children[];
};

_Static_assert(sizeof(struct radix_node) == 16, "a node's head has two words");

static unsigned char *node_bytes(struct radix_node *node)
{
    return (unsigned char *)(node->children + node->capacity);
}

static char *node_prefix(struct radix_node *node)
{
    return (char *)node_bytes(node) + node->capacity;
}

static size_t node_size(const struct radix_node *node)
{
    return sizeof(*node) + node->capacity * (sizeof(void *) + 1) + node->prefix_len;
}

// NULL: no memory. The prefix is the caller's to write.
static struct radix_node *node_new(struct radix *radix, unsigned capacity, size_t prefix_len)
{
    struct radix_node head = { .prefix_len = prefix_len, .capacity = capacity };
    struct radix_node *node = mem_try_alloc(node_size(&head));
    if (node == NULL)
        return NULL;
    *node = head;
    radix->bytes += mem_good_size(node_size(node));
    return node;
}

// The node may be NULL.
static void node_free(struct radix *radix, struct radix_node *node)
{
    if (node == NULL)
        return;
    radix->bytes -= mem_good_size(node_size(node));
    mem_free(node, node_size(node));
}

static struct radix_node *leaf_new(struct radix *radix, struct slice prefix, void *value)
{
    struct radix_node *leaf = node_new(radix, 0, prefix.len);
    if (leaf != NULL) {
        memcpy(node_prefix(leaf), prefix.ptr, prefix.len);
        leaf->value = value;
    }
    return leaf;
}

// The node with another capacity, or another prefix, which is the caller's to write; the old one
// stays.
static struct radix_node *node_remade(struct radix *radix, struct radix_node *node,
                                      unsigned capacity, size_t prefix_len)
{
    struct radix_node *made = node_new(radix, capacity, prefix_len);
    if (made == NULL)
        return NULL;
    made->value = node->value;
    made->count = node->count;
    made->loose = node->loose;
    memcpy(made->children, node->children, node->count * sizeof(node->children[0]));
    memcpy(node_bytes(made), node_bytes(node), node->count);
    return made;
}

static unsigned capacity_for(unsigned count)
{
    unsigned capacity = count == 0 ? 0 : 1;
    while (capacity < count)
        capacity *= 2;
    return capacity;
}

static enum status node_resize(struct radix *radix, struct radix_node **link, unsigned capacity)
{
    struct radix_node *node = *link;
    struct radix_node *made = node_remade(radix, node, capacity, node->prefix_len);
    if (made == NULL)
        return STATUS_NOMEM;
    memcpy(node_prefix(made), node_prefix(node), node->prefix_len);
    node_free(radix, node);
    *link = made;
    return STATUS_OK;
}

// Where the pointer to the child lies; NULL if there is none for this byte.
static struct radix_node **node_child(struct radix_node *node, char byte)
{
    const unsigned char *bytes = node_bytes(node);
    const unsigned char *at = memchr(bytes, (unsigned char)byte, node->count);
    return at == NULL ? NULL : &node->children[at - bytes];
}

// There is room.
static void node_add(struct radix_node *node, char lead, struct radix_node *child)
{
    unsigned char *bytes = node_bytes(node);
    unsigned char byte = (unsigned char)lead;
    unsigned at = node->count;
    for (; at > 0 && bytes[at - 1] > byte; at--) {
        bytes[at] = bytes[at - 1];
        node->children[at] = node->children[at - 1];
    }
    bytes[at] = byte;
    node->children[at] = child;
    node->count++;
}

static void node_drop(struct radix_node *node, unsigned at)
{
    unsigned char *bytes = node_bytes(node);
    unsigned behind = node->count - at - 1U;
    memmove(bytes + at, bytes + at + 1, behind);
    memmove(&node->children[at], &node->children[at + 1], behind * sizeof(node->children[0]));
    node->count--;
}

static bool wants_joining(const struct radix_node *node)
{
    return node->count == 1 && node->value == NULL;
}

static bool wants_shrinking(const struct radix_node *node)
{
    return node->capacity > 0 && node->count <= node->capacity / 4;
}

static void loose_no_more(struct radix_node *node)
{
    node->loose = node->loose && (wants_joining(node) || wants_shrinking(node));
}

// Joins the node with its only child.
static enum status node_join(struct radix *radix, struct radix_node **link)
{
    struct radix_node *node = *link;
    struct radix_node *child = node->children[0];
    ASSERT(child != NULL);
    size_t head = node->prefix_len;
    size_t tail = child->prefix_len;
    struct radix_node *made = node_remade(radix, child, child->capacity, head + 1 + tail);
    if (made == NULL)
        return STATUS_NOMEM;
    char *prefix = node_prefix(made);
    memcpy(prefix, node_prefix(node), head);
    prefix[head] = (char)node_bytes(node)[0];
    memcpy(prefix + head + 1, node_prefix(child), tail);
    node_free(radix, node);
    node_free(radix, child);
    *link = made;
    return STATUS_OK;
}

// After something was removed from the node: makes it as compact as there is memory for.
static void node_tighten(struct radix *radix, struct radix_node **link)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && wants_joining(*link))
        status = node_join(radix, link);
    if (status == STATUS_OK && wants_shrinking(*link))
        status = node_resize(radix, link, capacity_for((*link)->count));
    (*link)->loose = status != STATUS_OK;
}

static struct slice slice_from(struct slice text, size_t count)
{
    return (struct slice){ .ptr = text.ptr + count, .len = text.len - count };
}

// An empty slice may have no address; memcmp() and its like want one.
static struct slice with_address(struct slice text)
{
    return text.len == 0 ? SLICE("") : text;
}

// Whether what is left of a key begins with the node's prefix, which is then taken off.
static bool take_prefix(struct radix_node *node, struct slice *rest)
{
    if (rest->len < node->prefix_len || memcmp(rest->ptr, node_prefix(node), node->prefix_len) != 0)
        return false;
    *rest = slice_from(*rest, node->prefix_len);
    return true;
}

// The child that the next byte leads to, the byte taken off; NULL if there is none.
static struct radix_node **take_child(struct radix_node *node, struct slice *rest)
{
    struct radix_node **link = node_child(node, rest->ptr[0]);
    *rest = slice_from(*rest, 1);
    return link;
}

void *radix_find(const struct radix *radix, struct slice key)
{
    struct radix_node *node = radix->root;
    struct slice rest = with_address(key);
    while (node != NULL && take_prefix(node, &rest)) {
        if (rest.len == 0)
            return node->value;
        struct radix_node **link = take_child(node, &rest);
        node = link == NULL ? NULL : *link;
    }
    return NULL;
}

bool radix_prefixes_of(const struct radix *radix, struct slice text,
                       bool (*visit)(void *value, size_t key_len, void *udata), void *udata)
{
    struct radix_node *node = radix->root;
    struct slice rest = with_address(text);
    while (node != NULL && take_prefix(node, &rest)) {
        if (node->value != NULL && !visit(node->value, text.len - rest.len, udata))
            return false;
        struct radix_node **link = rest.len == 0 ? NULL : take_child(node, &rest);
        node = link == NULL ? NULL : *link;
    }
    return true;
}

// Puts a node above this one that takes the first `common` bytes of the prefix; `rest` differs from
// the prefix behind them, or ends there.
static enum status split(struct radix *radix, struct radix_node **link, size_t common,
                         struct slice rest, void *value)
{
    struct radix_node *node = *link;
    const char *prefix = node_prefix(node);
    bool ends = rest.len == common;
    struct radix_node *upper = node_new(radix, ends ? 1 : 2, common);
    struct radix_node *lower = node_remade(radix, node, node->capacity,
                                           node->prefix_len - common - 1);
    struct radix_node *leaf = ends ? NULL : leaf_new(radix, slice_from(rest, common + 1), value);
    if (upper == NULL || lower == NULL || (leaf == NULL && !ends)) {
        node_free(radix, upper);
        node_free(radix, lower);
        node_free(radix, leaf);
        return STATUS_NOMEM;
    }
    memcpy(node_prefix(lower), prefix + common + 1, lower->prefix_len);
    memcpy(node_prefix(upper), prefix, common);
    node_add(upper, prefix[common], lower);
    if (ends)
        upper->value = value;
    else
        node_add(upper, rest.ptr[common], leaf);
    node_free(radix, node);
    *link = upper;
    radix->count++;
    return STATUS_OK;
}

// A new child of the node for what is left of the key behind the node's prefix, at least a byte.
static enum status branch(struct radix *radix, struct radix_node **link, struct slice rest,
                          void *value)
{
    struct radix_node *leaf = leaf_new(radix, slice_from(rest, 1), value);
    if (leaf == NULL)
        return STATUS_NOMEM;
    unsigned count = (*link)->count;
    if (count == (*link)->capacity &&
        node_resize(radix, link, capacity_for(count + 1)) != STATUS_OK) {
        node_free(radix, leaf);
        return STATUS_NOMEM;
    }
    node_add(*link, rest.ptr[0], leaf);
    loose_no_more(*link);
    radix->count++;
    return STATUS_OK;
}

// How many bytes of `rest` and of the node's prefix are the same.
static size_t common_bytes(struct radix_node *node, struct slice rest)
{
    const char *prefix = node_prefix(node);
    size_t limit = rest.len < node->prefix_len ? rest.len : node->prefix_len;
    size_t same = 0;
    while (same < limit && prefix[same] == rest.ptr[same])
        same++;
    return same;
}

enum status radix_put(struct radix *radix, struct slice key, void *value, void **old)
{
    struct radix_node **link = &radix->root;
    struct slice rest = with_address(key);
    ASSERT(value != NULL);
    *old = NULL;
    if (*link == NULL) {
        *link = leaf_new(radix, rest, value);
        radix->count = *link != NULL;
        return *link != NULL ? STATUS_OK : STATUS_NOMEM;
    }
    for (;;) {
        struct radix_node *node = *link;
        if (!take_prefix(node, &rest))
            return split(radix, link, common_bytes(node, rest), rest, value);
        if (rest.len == 0)
            break;
        struct slice from_child = rest;
        struct radix_node **child = take_child(node, &rest);
        if (child == NULL)
            return branch(radix, link, from_child, value);
        link = child;
    }
    *old = (*link)->value;
    (*link)->value = value;
    loose_no_more(*link);
    radix->count += *old == NULL;
    return STATUS_OK;
}

// Frees nodes that have at most one child each.
static void free_chain(struct radix *radix, struct radix_node *node)
{
    while (node != NULL) {
        struct radix_node *next = node->count == 0 ? NULL : node->children[0];
        node_free(radix, node);
        node = next;
    }
}

// Where a removal has to cut.
struct cut {
    struct radix_node **above;  // the last node on the way that has more than this way; NULL: none
    struct radix_node **way;    // where the way goes on from there
};

static struct radix_node **find_with_cut(struct radix *radix, struct slice key, struct cut *cut)
{
    struct radix_node **link = &radix->root;
    struct slice rest = with_address(key);
    *cut = (struct cut){ .way = link };
    while (link != NULL && *link != NULL && take_prefix(*link, &rest)) {
        if (rest.len == 0)
            return link;
        struct radix_node *node = *link;
        struct radix_node **child = take_child(node, &rest);
        if (node->count > 1 || node->value != NULL)
            *cut = (struct cut){ .above = link, .way = child };
        link = child;
    }
    return NULL;
}

void *radix_remove(struct radix *radix, struct slice key)
{
    struct cut cut;
    struct radix_node **link = find_with_cut(radix, key, &cut);
    void *value = link == NULL ? NULL : (*link)->value;
    if (value == NULL)
        return NULL;
    radix->count--;
    (*link)->value = NULL;
    if ((*link)->count > 0) {
        node_tighten(radix, link);
        return value;
    }
    struct radix_node *chain = *cut.way;
    if (cut.above == NULL) {
        radix->root = NULL;
    } else {
        node_drop(*cut.above, (unsigned)(cut.way - (*cut.above)->children));
        node_tighten(radix, cut.above);
    }
    free_chain(radix, chain);
    return value;
}

void radix_release(struct radix *radix, void (*release)(void *value, void *udata), void *udata)
{
    struct radix freed = *radix;
    struct radix_node *node = freed.root;
    struct radix_node *parent = NULL;
    *radix = (struct radix){ 0 };
    while (node != NULL) {
        if (node->count > 0) {
            struct radix_node **last = &node->children[node->count - 1];
            struct radix_node *child = *last;
            *last = parent;
            parent = node;
            node = child;
            continue;
        }
        if (node->value != NULL && release != NULL)
            release(node->value, udata);
        node_free(&freed, node);
        node = parent;
        if (node != NULL)
            parent = node->children[--node->count];
    }
    ASSERT(freed.bytes == 0);
}

// A node on the way to where a walk is.
struct frame {
    struct radix_node *node;
    size_t key_len;   // with its prefix
    unsigned behind;  // the child that comes next
};

// A walk in byte order, each node before its children.
struct walker {
    struct frame *frames;
    size_t depth;
    size_t room;
    struct bytes key;  // of the node that was returned last
};

static struct radix_node *walker_enter(struct walker *walker, struct radix_node *node)
{
    if (walker->depth == walker->room) {
        size_t room = walker->room == 0 ? 16 : walker->room * 2;
        walker->frames = mem_realloc(walker->frames, walker->room * sizeof(struct frame),
                                     room * sizeof(struct frame));
        walker->room = room;
    }
    bytes_append(&walker->key, node_prefix(node), node->prefix_len);
    walker->frames[walker->depth++] = (struct frame){ .node = node, .key_len = walker->key.len };
    return node;
}

// NULL: that was all.
static struct radix_node *walker_next(struct walker *walker)
{
    for (; walker->depth > 0; walker->depth--) {
        struct frame *top = &walker->frames[walker->depth - 1];
        if (top->behind == top->node->count)
            continue;
        walker->key.len = top->key_len;
        unsigned at = top->behind++;
        bytes_append_char(&walker->key, (char)node_bytes(top->node)[at]);
        return walker_enter(walker, top->node->children[at]);
    }
    return NULL;
}

static void walker_release(struct walker *walker)
{
    mem_free(walker->frames, walker->room * sizeof(struct frame));
    bytes_release(&walker->key);
}

// The node below which all keys are that begin with `prefix`, and what is missing of the prefix
// before the node's own; NULL if there is none.
static struct radix_node *find_below(const struct radix *radix, struct slice prefix, size_t *above)
{
    struct radix_node *node = radix->root;
    struct slice rest = prefix;
    while (node != NULL && rest.len > node->prefix_len && take_prefix(node, &rest)) {
        struct radix_node **link = take_child(node, &rest);
        node = link == NULL ? NULL : *link;
    }
    *above = prefix.len - rest.len;
    if (node == NULL || rest.len > node->prefix_len)
        return NULL;
    return memcmp(node_prefix(node), rest.ptr, rest.len) == 0 ? node : NULL;
}

bool radix_walk(const struct radix *radix, struct slice prefix,
                bool (*visit)(struct slice key, void *value, void *udata), void *udata)
{
    struct slice begin = with_address(prefix);
    size_t above;
    struct radix_node *node = find_below(radix, begin, &above);
    if (node == NULL)
        return true;
    struct walker walker = { 0 };
    bool going = true;
    bytes_append(&walker.key, begin.ptr, above);
    for (node = walker_enter(&walker, node); going && node != NULL; node = walker_next(&walker)) {
        if (node->value != NULL)
            going = visit(bytes_slice(&walker.key), node->value, udata);
    }
    walker_release(&walker);
    return going;
}

static void check_node(struct radix_node *node)
{
    const unsigned char *bytes = node_bytes(node);
    ASSERT(node->capacity <= MAX_CHILDREN && node->capacity == capacity_for(node->capacity));
    ASSERT(node->count <= node->capacity);
    ASSERT(node->count > 0 || node->value != NULL);
    ASSERT(node->loose == (wants_joining(node) || wants_shrinking(node)));
    for (unsigned i = 0; i < node->count; i++) {
        ASSERT(node->children[i] != NULL);
        ASSERT(i == 0 || bytes[i - 1] < bytes[i]);
    }
}

void radix_check(const struct radix *radix)
{
    size_t count = 0;
    size_t bytes = 0;
    struct walker walker = { 0 };
    struct radix_node *node = radix->root == NULL ? NULL : walker_enter(&walker, radix->root);
    for (; node != NULL; node = walker_next(&walker)) {
        check_node(node);
        count += node->value != NULL;
        bytes += mem_good_size(node_size(node));
    }
    walker_release(&walker);
    ASSERT(count == radix->count && bytes == radix->bytes);
}
