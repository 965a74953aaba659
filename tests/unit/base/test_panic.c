// SPDX-License-Identifier: BSD-3-Clause
// Tests of assertions and the crash report; each crash happens in a child process.
#include "base/panic.h"

#include "base/log.h"
#include "support/unit.h"
#include "unit/base/child.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define PAGE 4096

static void write_context(int fd, void *udata)
{
    const char *text = udata;
    ssize_t ignored = write(fd, text, strlen(text));
    (void)ignored;
}

static void install(void)
{
    // A core file of every crash here would be of no use to anyone.
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    static char context[] = "ran GET for client 7\n";
    panic_install(write_context, context);
}

static void assert_died(const struct child *child, int signo)
{
    ck_assert_msg(WIFSIGNALED(child->status), "status %d: %s", child->status, child->output);
    ck_assert_int_eq(WTERMSIG(child->status), signo);
}

static void assert_reported(const struct child *child, const char *text)
{
    ck_assert_msg(strstr(child->output, text) != NULL, "no \"%s\" in: %s", text, child->output);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

static void fail_assertion(void)
{
    int two = 2;
    ASSERT(two == 3);
}

static void fail_assertion_installed(void)
{
    install();
    fail_assertion();
}

START_TEST(assertion_without_handler)
{
    struct child child;
    child_run(&child, fail_assertion);
    assert_died(&child, SIGABRT);
    assert_reported(&child, "test_panic.c:");
    assert_reported(&child, "assertion failed: two == 3");
    ck_assert_int_eq(count_of(child.output, "STACK TRACE"), 1);
}
END_TEST

START_TEST(assertion_with_handler)
{
    struct child child;
    child_run(&child, fail_assertion_installed);
    assert_died(&child, SIGABRT);
    assert_reported(&child, "assertion failed: two == 3");
    assert_reported(&child, "SIGABRT");
    assert_reported(&child, "ran GET for client 7\n");
    ck_assert_int_eq(count_of(child.output, "STACK TRACE"), 1);
}
END_TEST

static void panic_quietly(void)
{
    log_set_level(LOG_NOTHING);
    PANIC("value %d of %s", 42, "something");
}

START_TEST(a_panic_is_logged_whatever_the_level)
{
    struct child child;
    child_run(&child, panic_quietly);
    assert_died(&child, SIGABRT);
    assert_reported(&child, "value 42 of something");
}
END_TEST

static void hold_assertions(void)
{
    ASSERT(1 + 1 == 2);
    DEBUG_ASSERT(1 + 1 == 2);
}

START_TEST(a_true_assertion_does_nothing)
{
    struct child child;
    child_run(&child, hold_assertions);
    ck_assert_int_eq(child.status, 0);
    ck_assert_str_eq(child.output, "");
}
END_TEST

static void fail_debug_assertion(void)
{
    int two = 2;
    DEBUG_ASSERT(two == 3);
}

START_TEST(debug_assertions_are_for_debug_builds)
{
    struct child child;
    child_run(&child, fail_debug_assertion);
#ifdef RESPITE_DEBUG
    assert_died(&child, SIGABRT);
#else
    ck_assert_int_eq(child.status, 0);
#endif
}
END_TEST

static void read_forbidden_page(void)
{
    install();
    volatile char *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("page 0x%llx\n", (unsigned long long)(uintptr_t)page);
    fflush(stdout);
    printf("%d", page[0]);
}

START_TEST(a_bad_access_is_reported_with_its_address)
{
    struct child child;
    child_run(&child, read_forbidden_page);
    assert_died(&child, SIGSEGV);
    ck_assert_int_eq(strncmp(child.output, "page 0x", 7), 0);
    unsigned long long page = strtoull(child.output + 5, NULL, 16);
    char expected[80];
    snprintf(expected, sizeof expected, "SIGSEGV, accessing address 0x%llx\n", page);
    assert_reported(&child, expected);
    assert_reported(&child, "STACK TRACE");
    assert_reported(&child, "ran GET for client 7\n");
    assert_reported(&child, "END OF CRASH REPORT");
}
END_TEST

// Goes on until the stack is full; the compiler is not to see that it has no end.
// NOLINTNEXTLINE(misc-no-recursion): a stack overflow is what is wanted
static int __attribute__((noinline)) recurse(volatile int *depth)
{
    volatile char frame[1024];
    frame[0] = (char)++*depth;
    if (*depth < 0)
        return 0;
    return recurse(depth) + frame[0];
}

static void overflow_the_stack(void)
{
    install();
    volatile int depth = 0;
    recurse(&depth);
}

START_TEST(a_stack_overflow_is_reported)
{
    struct child child;
    child_run(&child, overflow_the_stack);
    assert_died(&child, SIGSEGV);
    assert_reported(&child, "END OF CRASH REPORT");
}
END_TEST

static void crash_in_context(int fd, void *udata)
{
    (void)fd;
    (void)udata;
    raise(SIGSEGV);
}

static void crash_while_reporting(void)
{
    install();
    panic_install(crash_in_context, NULL);
    abort();
}

START_TEST(a_crash_in_the_report_ends_it)
{
    struct child child;
    child_run(&child, crash_while_reporting);
    assert_died(&child, SIGSEGV);
    ck_assert_int_eq(count_of(child.output, "CRASH REPORT: cut here"), 1);
}
END_TEST

static void raise_each(int signo)
{
    install();
    raise(signo);
}

static void raise_sigbus(void)
{
    raise_each(SIGBUS);
}

static void raise_sigfpe(void)
{
    raise_each(SIGFPE);
}

static void raise_sigill(void)
{
    raise_each(SIGILL);
}

START_TEST(all_crash_signals_are_reported)
{
    static const struct {
        void (*run)(void);
        int signo;
        const char *name;
    } cases[] = {
        { raise_sigbus, SIGBUS, "SIGBUS, sent by pid " },
        { raise_sigfpe, SIGFPE, "SIGFPE, sent by pid " },
        { raise_sigill, SIGILL, "SIGILL, sent by pid " },
    };
    struct child child;
    child_run(&child, cases[_i].run);
    assert_died(&child, cases[_i].signo);
    assert_reported(&child, cases[_i].name);
    assert_reported(&child, "STACK TRACE");
}
END_TEST

static void no_context(void)
{
    install();
    panic_install(NULL, NULL);
    raise(SIGSEGV);
}

START_TEST(the_context_may_be_left_out)
{
    struct child child;
    child_run(&child, no_context);
    assert_died(&child, SIGSEGV);
    assert_reported(&child, "END OF CRASH REPORT");
    ck_assert_ptr_null(strstr(child.output, "CONTEXT"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("panic");
    TCase *assertions = tcase_create("assertions");
    tcase_set_timeout(assertions, 30);
    tcase_add_test(assertions, assertion_without_handler);
    tcase_add_test(assertions, assertion_with_handler);
    tcase_add_test(assertions, a_panic_is_logged_whatever_the_level);
    tcase_add_test(assertions, a_true_assertion_does_nothing);
    tcase_add_test(assertions, debug_assertions_are_for_debug_builds);
    suite_add_tcase(suite, assertions);

    TCase *crashes = tcase_create("crashes");
    tcase_set_timeout(crashes, 30);
    tcase_add_test(crashes, a_bad_access_is_reported_with_its_address);
    tcase_add_test(crashes, a_stack_overflow_is_reported);
    tcase_add_test(crashes, a_crash_in_the_report_ends_it);
    tcase_add_loop_test(crashes, all_crash_signals_are_reported, 0, 3);
    tcase_add_test(crashes, the_context_may_be_left_out);
    suite_add_tcase(suite, crashes);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
