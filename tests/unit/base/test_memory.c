// SPDX-License-Identifier: BSD-3-Clause
// Tests of allocation, its accounting and its fault injection.
#include "base/memory.h"

#include "base/bytes.h"
#include "base/random.h"
#include "support/unit.h"
#include "unit/base/child.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define BLOCKS      70000
#define SIZE_BEYOND ((size_t)1 << 60)

struct block {
    char *ptr;
    size_t size;
};

START_TEST(used_follows_every_block)
{
    static const size_t sizes[] = { 1,    7,    8,    9,     16,     17,     100,
                                    4095, 4096, 4097, 16384, 100000, 5000000 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i];
        size_t before = mem_used();
        char *ptr = mem_alloc(size);
        memset(ptr, 'x', size);
        ck_assert_uint_eq(mem_used() - before, mem_good_size(size));
        ck_assert_uint_ge(mem_good_size(size), size);
        ptr = mem_realloc(ptr, size, size * 3);
        ck_assert_uint_eq(mem_used() - before, mem_good_size(size * 3));
        ck_assert_int_eq(ptr[size - 1], 'x');
        ptr = mem_try_realloc(ptr, size * 3, size);
        ck_assert_ptr_nonnull(ptr);
        ck_assert_uint_eq(mem_used() - before, mem_good_size(size));
        mem_free(ptr, size);
        ck_assert_uint_eq(mem_used(), before);
    }
}
END_TEST

START_TEST(good_size_is_a_class)
{
    for (size_t size = 1; size < 20000; size += size < 5000 ? 1 : 37) {
        size_t good = mem_good_size(size);
        ck_assert_uint_ge(good, size);
        ck_assert_uint_le(good, size + size / 4 + 16);
        ck_assert_uint_eq(mem_good_size(good), good);
        ck_assert_uint_ge(mem_good_size(size + 1), good);
    }
}
END_TEST

START_TEST(any_size_of_the_class_frees)
{
    size_t before = mem_used();
    void *ptr = mem_alloc(1000);
    mem_free(ptr, mem_good_size(1000));
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(blocks_are_aligned)
{
    for (size_t size = 1; size < 300; size++) {
        void *ptr = mem_alloc(size);
        ck_assert_uint_eq((uintptr_t)ptr % (size <= 8 ? 8 : 16), 0);
        mem_free(ptr, size);
    }
}
END_TEST

START_TEST(aligned_blocks)
{
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        size_t before = mem_used();
        char *ptr = mem_try_alloc_aligned(5120, alignment);
        ck_assert_ptr_nonnull(ptr);
        ck_assert_uint_eq((uintptr_t)ptr % alignment, 0);
        ck_assert_uint_ge(mem_used() - before, 5120);
        memset(ptr, 1, 5120);
        mem_free_aligned(ptr, 5120, alignment);
        ck_assert_uint_eq(mem_used(), before);
    }
}
END_TEST

START_TEST(zeroed_blocks_are_zero)
{
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 200000; size = size * 3 + 1) {
            char *ptr = mem_alloc_zeroed(size);
            ck_assert(ptr[0] == 0 && memcmp(ptr, ptr + 1, size - 1) == 0);
            memset(ptr, 0xff, size);
            mem_free(ptr, size);
        }
    }
}
END_TEST

START_TEST(null_is_free_to_free)
{
    size_t before = mem_used();
    mem_free(NULL, 100);
    mem_free_aligned(NULL, 100, 64);
    ck_assert_uint_eq(mem_used(), before);
    void *ptr = mem_realloc(NULL, 0, 100);
    ck_assert_uint_eq(mem_used() - before, mem_good_size(100));
    mem_free(ptr, 100);
}
END_TEST

START_TEST(strndup_copies_bytes)
{
    char *copy = mem_strndup("a\0b", 3);
    ck_assert_mem_eq(copy, "a\0b\0", 4);
    mem_free(copy, 4);
    copy = mem_strndup("", 0);
    ck_assert_str_eq(copy, "");
    mem_free(copy, 1);
}
END_TEST

START_TEST(injected_failures)
{
    size_t before = mem_used();
    mem_fail_after(2);
    void *first = mem_try_alloc(10);
    void *second = mem_try_alloc_aligned(64, 64);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_null(mem_try_alloc(10));
    ck_assert_ptr_null(mem_try_alloc_aligned(64, 64));
    ck_assert_ptr_null(mem_try_realloc(first, 10, 1000));
    ck_assert_ptr_null(mem_try_realloc(NULL, 0, 1000));
    // The others don't fail.
    void *third = mem_alloc(10);
    mem_fail_never();
    first = mem_try_realloc(first, 10, 1000);
    ck_assert_ptr_nonnull(first);
    mem_free(first, 1000);
    mem_free_aligned(second, 64, 64);
    mem_free(third, 10);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

START_TEST(peak)
{
    mem_reset_peak();
    size_t base = mem_peak();
    ck_assert_uint_eq(base, mem_used());
    void *ptr = mem_alloc(1000000);
    mem_note_peak();
    mem_free(ptr, 1000000);
    mem_note_peak();
    ck_assert_uint_eq(mem_peak(), base + mem_good_size(1000000));
    mem_reset_peak();
    ck_assert_uint_eq(mem_peak(), base);
}
END_TEST

static void *allocate_in_thread(void *arg)
{
    mem_thread_init();
    struct block *blocks = arg;
    for (int i = 0; i < 1000; i++)
        mem_free(blocks[i].ptr, blocks[i].size);
    for (int i = 0; i < 500; i++)
        blocks[i].ptr = mem_alloc(blocks[i].size);
    return NULL;
}

START_TEST(threads_have_their_own_counters)
{
    // The other thread frees what this one allocated, and the other way round.
    static struct block blocks[1000];
    size_t before = mem_used();
    size_t half = 0;
    for (int i = 0; i < 1000; i++) {
        blocks[i].size = (size_t)i + 1;
        blocks[i].ptr = mem_alloc(blocks[i].size);
        if (i < 500)
            half += mem_good_size(blocks[i].size);
    }
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, allocate_in_thread, blocks), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(mem_used() - before, half);
    for (int i = 0; i < 500; i++)
        mem_free(blocks[i].ptr, blocks[i].size);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

static void allocate_too_much(void)
{
    void *volatile ptr = mem_alloc(SIZE_BEYOND);
    (void)ptr;
}

START_TEST(out_of_memory_ends_the_process)
{
    struct child child;
    child_run(&child, allocate_too_much);
    ck_assert(WIFSIGNALED(child.status));
    ck_assert_int_eq(WTERMSIG(child.status), SIGABRT);
    ck_assert_ptr_nonnull(strstr(child.output, "out of memory"));
    ck_assert_ptr_nonnull(strstr(child.output, "1152921504606846976"));
}
END_TEST

START_TEST(too_much_is_null_for_try)
{
    size_t before = mem_used();
    ck_assert_ptr_null(mem_try_alloc(SIZE_BEYOND));
    ck_assert_ptr_null(mem_try_alloc_aligned(SIZE_BEYOND, 64));
    char *ptr = mem_alloc(10);
    ptr[9] = 'x';
    ck_assert_ptr_null(mem_try_realloc(ptr, 10, SIZE_BEYOND));
    ck_assert_int_eq(ptr[9], 'x');
    mem_free(ptr, 10);
    ck_assert_uint_eq(mem_used(), before);
}
END_TEST

#ifdef __SANITIZE_ADDRESS__

static void read_freed_memory(void)
{
    char *volatile ptr = mem_alloc(40);
    mem_free(ptr, 40);
    printf("%d\n", ptr[20]);
}

START_TEST(use_after_free_is_caught)
{
    struct child child;
    child_run(&child, read_freed_memory);
    ck_assert_int_ne(child.status, 0);
    ck_assert_ptr_nonnull(strstr(child.output, "heap-use-after-free"));
}
END_TEST

#else

START_TEST(the_allocator_reports)
{
    struct bytes report = { 0 };
    bytes_append_text(&report, "> ");
    ck_assert(mem_allocator_report(&report));
    bytes_append_char(&report, '\0');
    ck_assert_uint_gt(report.len, 1000);
    ck_assert_ptr_nonnull(strstr(report.data, "> ___ Begin jemalloc statistics ___"));
    ck_assert_ptr_nonnull(strstr(report.data, "--- End jemalloc statistics ---"));
    bytes_release(&report);
}
END_TEST

START_TEST(process_figures)
{
    size_t size = 64 << 20;
    size_t before = mem_rss();
    ck_assert_uint_gt(before, 100000);
    char *ptr = mem_alloc(size);
    memset(ptr, 1, size);
    ck_assert_uint_gt(mem_rss(), before + size / 2);
    mem_free(ptr, size);
    mem_purge();
    ck_assert_uint_lt(mem_rss(), before + size / 2);
    ck_assert_uint_gt(strlen(mem_allocator_name()), 3);
}
END_TEST

static size_t random_size(struct random *random)
{
    if (random_below(random, 1000) == 0)
        return 5000 + random_below(random, 200000);
    return 16 + random_below(random, 5000 - 16);
}

static void check_agreement(void)
{
    struct mem_allocator_stats stats;
    mem_allocator_stats(&stats);
    double used = (double)mem_used();
    double allocated = (double)stats.allocated;
    ck_assert_msg(used > 0.99 * allocated && used < 1.01 * allocated, "used %.0f, allocated %.0f",
                  used, allocated);
    ck_assert_uint_ge(stats.active, stats.allocated);
    ck_assert_uint_ge(stats.resident, stats.active);
}

START_TEST(used_agrees_with_the_allocator)
{
    static struct block blocks[BLOCKS];
    struct random random;
    random_seed(&random, 1);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i].size = random_size(&random);
        blocks[i].ptr = mem_alloc(blocks[i].size);
        blocks[i].ptr[0] = 1;
    }
    ck_assert_uint_gt(mem_used(), 100 << 20);
    check_agreement();
    for (int i = 0; i < BLOCKS; i++) {
        uint64_t choice = random_below(&random, 6);
        if (choice < 2) {
            mem_free(blocks[i].ptr, blocks[i].size);
            blocks[i].ptr = NULL;
        } else if (choice == 2) {
            size_t size = random_size(&random);
            blocks[i].ptr = mem_realloc(blocks[i].ptr, blocks[i].size, size);
            blocks[i].size = size;
        }
    }
    check_agreement();
    for (int i = 0; i < BLOCKS; i++)
        mem_free(blocks[i].ptr, blocks[i].size);
}
END_TEST

#endif

#ifdef RESPITE_DEBUG

static void free_with_wrong_size(void)
{
    void *ptr = mem_alloc(100);
    mem_free(ptr, 300);
}

START_TEST(a_wrong_size_is_noticed)
{
    struct child child;
    child_run(&child, free_with_wrong_size);
    ck_assert(WIFSIGNALED(child.status));
    ck_assert_ptr_nonnull(strstr(child.output, "assertion failed"));
}
END_TEST

#endif

#ifndef __SANITIZE_ADDRESS__
// The threads of at least this nice value.
static unsigned count_nice_threads(int least)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;) {
        if (task->d_name[0] != '.') {
            id_t thread = (id_t)strtoul(task->d_name, NULL, 10);
            count += getpriority(PRIO_PROCESS, thread) >= least;
        }
    }
    closedir(tasks);
    return count;
}

// One that has been joined is still listed for a moment.
static unsigned count_threads(unsigned expected)
{
    unsigned count = count_nice_threads(-20);
    for (int i = 0; i < 1000 && count != expected; i++) {
        usleep(1000);
        count = count_nice_threads(-20);
    }
    return count;
}

START_TEST(a_thread_gives_pages_back)
{
    ck_assert_uint_eq(count_threads(1), 1);
    ck_assert(mem_purge_in_background(true));
    ck_assert_uint_eq(count_threads(2), 2);
    ck_assert_uint_ge(count_nice_threads(10), 1);
    ck_assert(mem_purge_in_background(true));
    ck_assert_uint_eq(count_threads(2), 2);
    ck_assert(mem_purge_in_background(false));
    ck_assert_uint_eq(count_threads(1), 1);
}
END_TEST
#endif

static Suite *make_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *blocks = tcase_create("blocks");
    tcase_add_test(blocks, used_follows_every_block);
    tcase_add_test(blocks, good_size_is_a_class);
    tcase_add_test(blocks, any_size_of_the_class_frees);
    tcase_add_test(blocks, blocks_are_aligned);
    tcase_add_test(blocks, aligned_blocks);
    tcase_add_test(blocks, zeroed_blocks_are_zero);
    tcase_add_test(blocks, null_is_free_to_free);
    tcase_add_test(blocks, strndup_copies_bytes);
    suite_add_tcase(suite, blocks);

    TCase *failures = tcase_create("failures");
    tcase_add_test(failures, injected_failures);
    tcase_add_test(failures, out_of_memory_ends_the_process);
    tcase_add_test(failures, too_much_is_null_for_try);
#ifdef __SANITIZE_ADDRESS__
    tcase_add_test(failures, use_after_free_is_caught);
#endif
#ifdef RESPITE_DEBUG
    tcase_add_test(failures, a_wrong_size_is_noticed);
#endif
    suite_add_tcase(suite, failures);

    TCase *figures = tcase_create("figures");
    tcase_set_timeout(figures, 60);
    tcase_add_test(figures, peak);
    tcase_add_test(figures, threads_have_their_own_counters);
#ifndef __SANITIZE_ADDRESS__
    // The sanitizer keeps freed blocks for a while, and has no statistics of ours.
    tcase_add_test(figures, the_allocator_reports);
    tcase_add_test(figures, a_thread_gives_pages_back);
    tcase_add_test(figures, process_figures);
    tcase_add_test(figures, used_agrees_with_the_allocator);
#endif
    suite_add_tcase(suite, figures);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
