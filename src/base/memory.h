// SPDX-License-Identifier: BSD-3-Clause
// The only way to memory: jemalloc with sized frees and exact accounting.
//
// Every block is freed with the size it was asked for (or any size of the same class), so the
// allocator need not look it up. Sizes counted are what the allocator really hands out.
// Counters are per thread, written by their owner alone; reading sums them.
// Under AddressSanitizer libc's malloc is used, so that the sanitizer sees every object, and a
// block's good size is then the size itself.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// To be called once, before any allocation.
void mem_init(void);

// A block of `size` bytes (> 0), aligned to 16, or to 8 if `size` is at most 8. Never NULL: out of
// memory ends the process with a message that names the size. O(1).
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));

// As mem_alloc(), zeroed.
void *mem_alloc_zeroed(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));

// As mem_alloc(), but NULL when there is no memory. For sizes that a client or a file chose, and
// for data structures that report STATUS_NOMEM.
void *mem_try_alloc(size_t size) __attribute__((malloc, alloc_size(1)));

// Grows or shrinks a block; the contents up to the smaller size are kept. `ptr` may be NULL when
// `old_size` is 0.
void *mem_realloc(void *ptr, size_t old_size, size_t new_size) __attribute__((returns_nonnull));

// As mem_realloc(), but NULL when there is no memory; the old block is then untouched.
void *mem_try_realloc(void *ptr, size_t old_size, size_t new_size);

// Frees a block of mem_alloc(), mem_realloc() or their try_ forms. `size`: as asked for, or any
// with the same mem_good_size(). `ptr` may be NULL.
void mem_free(void *ptr, size_t size);

// A block aligned to `alignment` (a power of two, at most 4096); NULL when there is no memory.
void *mem_try_alloc_aligned(size_t size, size_t alignment) __attribute__((malloc, alloc_size(1)));

// Frees a block of mem_try_alloc_aligned(), with the same size and alignment.
void mem_free_aligned(void *ptr, size_t size, size_t alignment);

// A copy of `len` bytes with a NUL behind it; freed with mem_free(ptr, len + 1).
char *mem_strndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull));

// How many bytes the allocator really hands out for `size`. O(1), a table look-up for small sizes.
size_t mem_good_size(size_t size);

// Bytes in use now, by all threads, in allocator-rounded sizes.
size_t mem_used(void);

// The highest mem_used() that mem_note_peak() has seen; it is called from cron and from INFO.
size_t mem_peak(void);
void mem_note_peak(void);
void mem_reset_peak(void);

// Resident set size of the process in bytes (one read of /proc).
size_t mem_rss(void);

// What the allocator says of itself, in bytes; all zero under AddressSanitizer.
struct mem_allocator_stats {
    size_t allocated;
    size_t active;
    size_t resident;
    size_t retained;
    size_t muzzy;
};
void mem_allocator_stats(struct mem_allocator_stats *out);

// Name and version as INFO's mem_allocator shows it, such as "jemalloc-5.3.0".
const char *mem_allocator_name(void);

struct bytes;

// Appends the allocator's own long report; false, and nothing, under AddressSanitizer.
bool mem_allocator_report(struct bytes *out);

// Gives unused pages back to the system.
void mem_purge(void);

// From now on a thread of the allocator's own does that with pages that have not been used for some seconds;
// without it, allocating and freeing do, and where nobody does either, nothing. The thread has a low
// priority. To be called again after a fork. False: there can be no such thread.
bool mem_purge_in_background(bool on);

// Gives the calling helper thread its own counters. The main thread needs no call.
void mem_thread_init(void);

// Tests only: lets `successes` more try_ allocations succeed and fails all later ones;
// mem_fail_never() ends it.
void mem_fail_after(uint64_t successes);
void mem_fail_never(void);
