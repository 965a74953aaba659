// SPDX-License-Identifier: BSD-3-Clause
// Memory: jemalloc behind sized frees, per-thread accounting and fault injection.
//
// Accounting. Each thread adds and subtracts in a counter of its own, so that no locked instruction
// is needed; a block may be freed by another thread than the one that asked for it, hence single
// counters may be negative and only their sum means something.
// A size is rounded by a table for small ones (filled from nallocx() at the start) and by nallocx()
// itself beyond.
#include "base/memory.h"

#include "base/bytes.h"
#include "base/panic.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEM_LIBC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define MEM_LIBC 1
#endif
#endif
#ifndef MEM_LIBC
#define MEM_LIBC 0
#endif

#if MEM_LIBC
#include <malloc.h>
#else
#include <jemalloc/jemalloc.h>
#endif

// --- accounting ---------------------------------------------------------------------------------

#define THREADS_MAX 16

struct counter {
    _Alignas(64) _Atomic int64_t bytes;
};

// Slot 0 is the main thread's.
static struct counter counters[THREADS_MAX];
static _Atomic int counters_taken = 1;
static _Thread_local struct counter *my_counter = &counters[0];

static _Atomic size_t peak_bytes;

// Only the owner writes its counter, so a plain load, add, store is enough.
static inline void count(int64_t delta)
{
    int64_t bytes = atomic_load_explicit(&my_counter->bytes, memory_order_relaxed);
    atomic_store_explicit(&my_counter->bytes, bytes + delta, memory_order_relaxed);
}

void mem_thread_init(void)
{
    int slot = atomic_fetch_add(&counters_taken, 1);
    ASSERT(slot < THREADS_MAX);
    my_counter = &counters[slot];
}

size_t mem_used(void)
{
    int64_t total = 0;
    int taken = atomic_load_explicit(&counters_taken, memory_order_relaxed);
    for (int i = 0; i < taken; i++)
        total += atomic_load_explicit(&counters[i].bytes, memory_order_relaxed);
    return total > 0 ? (size_t)total : 0;
}

size_t mem_peak(void)
{
    return atomic_load_explicit(&peak_bytes, memory_order_relaxed);
}

void mem_note_peak(void)
{
    size_t used = mem_used();
    if (used > mem_peak())
        atomic_store_explicit(&peak_bytes, used, memory_order_relaxed);
}

void mem_reset_peak(void)
{
    atomic_store_explicit(&peak_bytes, mem_used(), memory_order_relaxed);
}

// --- fault injection ----------------------------------------------------------------------------

static bool failing;
static uint64_t successes_left;

void mem_fail_after(uint64_t successes)
{
    successes_left = successes;
    failing = true;
}

void mem_fail_never(void)
{
    failing = false;
}

// True when a test wants this try_ allocation to fail.
static inline bool must_fail(void)
{
    if (likely(!failing))
        return false;
    if (successes_left == 0)
        return true;
    successes_left--;
    return false;
}

// --- the allocator ------------------------------------------------------------------------------

#if MEM_LIBC

// The sanitizer asks for its default options. Like malloc() elsewhere, an impossible size is to give
// NULL, not to end the process.
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void allocator_init(void)
{
}

static inline size_t good_size(size_t size)
{
    return size;
}

static inline size_t good_size_aligned(size_t size, size_t alignment)
{
    (void)alignment;
    return size;
}

static inline void *allocate(size_t size)
{
    return malloc(size);
}

static inline void *allocate_zeroed(size_t size)
{
    return calloc(1, size);
}

static inline void *allocate_aligned(size_t size, size_t alignment)
{
    void *ptr;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    return posix_memalign(&ptr, alignment, size) == 0 ? ptr : NULL;
}

static inline void *reallocate(void *ptr, size_t old_size, size_t new_size)
{
    DEBUG_ASSERT(!ptr || malloc_usable_size(ptr) == old_size);
    (void)old_size;
    return realloc(ptr, new_size);
}

static inline void release(void *ptr, size_t size)
{
    DEBUG_ASSERT(malloc_usable_size(ptr) == size);
    (void)size;
    free(ptr);
}

static inline void release_aligned(void *ptr, size_t size, size_t alignment)
{
    (void)alignment;
    release(ptr, size);
}

void mem_allocator_stats(struct mem_allocator_stats *out)
{
    *out = (struct mem_allocator_stats){ 0 };
}

const char *mem_allocator_name(void)
{
    return "libc";
}

bool mem_allocator_report(struct bytes *out)
{
    (void)out;
    return false;
}

void mem_purge(void)
{
    malloc_trim(0);
}

bool mem_purge_in_background(bool on)
{
    (void)on;
    return true;
}

#else

// Two arenas, since there is one thread that matters; caches deep enough for the bursts of small
// blocks that a batch of commands makes, but a full one gives back an eighth, not half of them: 500
// blocks freed all over the heap are 500 cache misses, up to 1.7 ms at once. Free pages go back to
// the system within a second: all segments of a table grow at about the same time, and what they
// leave is too short for the slabs that come after (with 10 s it was 11 % of RSS behind 5 M keys).
// jemalloc reads this symbol when it starts. Its background thread is started later
// (mem_purge_in_background()): it would not outlive a fork.
const char *malloc_conf =
    "narenas:2,lg_tcache_nslots_mul:2,tcache_nslots_small_max:1000,"
    "lg_tcache_flush_small_div:3,"
    "dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:false,max_background_threads:1";

// Class sizes of all sizes up to SMALL_MAX, by (size + 7) / 8.
#define SMALL_MAX 4096
static uint16_t small_classes[SMALL_MAX / 8 + 1];

static void allocator_init(void)
{
    for (size_t i = 1; i <= SMALL_MAX / 8; i++)
        small_classes[i] = (uint16_t)nallocx(i * 8, 0);
}

static inline size_t good_size(size_t size)
{
    if (likely(size <= SMALL_MAX))
        return small_classes[(size + 7) >> 3];
    return nallocx(size, 0);
}

static inline size_t good_size_aligned(size_t size, size_t alignment)
{
    return nallocx(size, MALLOCX_ALIGN(alignment));
}

// jemalloc's malloc() has a fast path that its mallocx() lacks: with sdallocx() a pair takes about
// 60 % of the time.
static inline void *allocate(size_t size)
{
    return malloc(size);
}

static inline void *allocate_zeroed(size_t size)
{
    return mallocx(size, MALLOCX_ZERO);
}

static inline void *allocate_aligned(size_t size, size_t alignment)
{
    return mallocx(size, MALLOCX_ALIGN(alignment));
}

static inline void *reallocate(void *ptr, size_t old_size, size_t new_size)
{
    if (!ptr)
        return allocate(new_size);
    DEBUG_ASSERT(sallocx(ptr, 0) == nallocx(old_size, 0));
    if (good_size(old_size) == good_size(new_size))
        return ptr;
    return rallocx(ptr, new_size, 0);
}

static inline void release(void *ptr, size_t size)
{
    DEBUG_ASSERT(sallocx(ptr, 0) == nallocx(size, 0));
    sdallocx(ptr, size, 0);
}

static inline void release_aligned(void *ptr, size_t size, size_t alignment)
{
    DEBUG_ASSERT(sallocx(ptr, 0) == nallocx(size, MALLOCX_ALIGN(alignment)));
    sdallocx(ptr, size, MALLOCX_ALIGN(alignment));
}

static size_t read_stat(const char *name)
{
    size_t value = 0;
    size_t len = sizeof value;
    return mallctl(name, &value, &len, NULL, 0) == 0 ? value : 0;
}

void mem_allocator_stats(struct mem_allocator_stats *out)
{
    // Statistics are a snapshot that advances with the epoch.
    uint64_t epoch = 1;
    mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
    out->allocated = read_stat("stats.allocated");
    out->active = read_stat("stats.active");
    out->resident = read_stat("stats.resident");
    out->retained = read_stat("stats.retained");
    // 4096 is MALLCTL_ARENAS_ALL, which is no literal and so can't be pasted into a name.
    out->muzzy = read_stat("stats.arenas.4096.pmuzzy") * read_stat("arenas.page");
}

#define TEXT_OF(x)     TEXT_OF_(x)
#define TEXT_OF_(x)    #x

const char *mem_allocator_name(void)
{
    return "jemalloc-" TEXT_OF(JEMALLOC_VERSION_MAJOR) "." TEXT_OF(
        JEMALLOC_VERSION_MINOR) "." TEXT_OF(JEMALLOC_VERSION_BUGFIX);
}

static void append_report(void *out, const char *text)
{
    bytes_append_text(out, text);
}

bool mem_allocator_report(struct bytes *out)
{
    malloc_stats_print(append_report, out, NULL);
    return true;
}

void mem_purge(void)
{
    mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
}

// As that of the children that save.
#define PURGE_PRIORITY 10

static bool set_background_thread(bool on)
{
    return mallctl("background_thread", NULL, NULL, &on, sizeof on) == 0;
}

// A thread's children inherit its priority, and jemalloc's thread is a child of the one that asks for it.
// Where it shares its CPU with the server a purge would hold up commands for milliseconds.
static void *start_background_thread(void *udata)
{
    bool *done = udata;
    (void)setpriority(PRIO_PROCESS, 0, PURGE_PRIORITY);
    *done = set_background_thread(true);
    return NULL;
}

bool mem_purge_in_background(bool on)
{
    pthread_t starter;
    bool done = false;
    if (!on || pthread_create(&starter, NULL, start_background_thread, &done) != 0)
        return set_background_thread(on);
    pthread_join(starter, NULL);
    return done;
}

#endif

// --- the interface ------------------------------------------------------------------------------

void mem_init(void)
{
    allocator_init();
}

static noreturn __attribute__((noinline, cold)) void out_of_memory(size_t size)
{
    PANIC("out of memory allocating %zu bytes (%zu in use)", size, mem_used());
}

void *mem_alloc(size_t size)
{
    DEBUG_ASSERT(size > 0);
    void *ptr = allocate(size);
    if (unlikely(!ptr))
        out_of_memory(size);
    count((int64_t)good_size(size));
    return ptr;
}

void *mem_alloc_zeroed(size_t size)
{
    DEBUG_ASSERT(size > 0);
    void *ptr = allocate_zeroed(size);
    if (unlikely(!ptr))
        out_of_memory(size);
    count((int64_t)good_size(size));
    return ptr;
}

void *mem_try_alloc(size_t size)
{
    DEBUG_ASSERT(size > 0);
    if (must_fail())
        return NULL;
    void *ptr = allocate(size);
    if (likely(ptr))
        count((int64_t)good_size(size));
    return ptr;
}

// The new block, counted; NULL when there is no memory.
static void *resize(void *ptr, size_t old_size, size_t new_size)
{
    DEBUG_ASSERT(new_size > 0);
    DEBUG_ASSERT(ptr || old_size == 0);
    void *moved = reallocate(ptr, old_size, new_size);
    if (likely(moved)) {
        size_t old_bytes = ptr ? good_size(old_size) : 0;
        count((int64_t)good_size(new_size) - (int64_t)old_bytes);
    }
    return moved;
}

void *mem_realloc(void *ptr, size_t old_size, size_t new_size)
{
    void *moved = resize(ptr, old_size, new_size);
    if (unlikely(!moved))
        out_of_memory(new_size);
    return moved;
}

void *mem_try_realloc(void *ptr, size_t old_size, size_t new_size)
{
    if (must_fail())
        return NULL;
    return resize(ptr, old_size, new_size);
}

void mem_free(void *ptr, size_t size)
{
    if (!ptr)
        return;
    count(-(int64_t)good_size(size));
    release(ptr, size);
}

void *mem_try_alloc_aligned(size_t size, size_t alignment)
{
    DEBUG_ASSERT(size > 0 && alignment > 0 && (alignment & (alignment - 1)) == 0);
    if (must_fail())
        return NULL;
    void *ptr = allocate_aligned(size, alignment);
    if (likely(ptr))
        count((int64_t)good_size_aligned(size, alignment));
    return ptr;
}

void mem_free_aligned(void *ptr, size_t size, size_t alignment)
{
    if (!ptr)
        return;
    count(-(int64_t)good_size_aligned(size, alignment));
    release_aligned(ptr, size, alignment);
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

size_t mem_good_size(size_t size)
{
    return good_size(size);
}

size_t mem_rss(void)
{
    // "size resident shared ..." in pages.
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    const char *resident = strchr(text, ' ');
    if (!resident)
        return 0;
    return (size_t)strtoull(resident, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}
