// SPDX-License-Identifier: BSD-3-Clause
// Tests of the end of a process, where its moments matter; the rest is tests/integration/test_process.c.
#include "server/process.h"

#include "rig.h"
#include "server/notify.h"
#include "support/unit.h"
#include "unit/base/child.h"

#include <signal.h>

#define SURVIVED 77

static void start(void)
{
    rig_make(NULL);
    rig_start();
    process_listen(server->process);
    process_ready(server->process);
}

static void expect_exit(const struct child *child, int status)
{
    ck_assert_msg(WIFEXITED(child->status) && WEXITSTATUS(child->status) == status, "%x: %s",
                  (unsigned)child->status, child->output);
}

static void two_signals(int first, int second)
{
    start();
    kill(getpid(), first);
    rig_turns(3);
    kill(getpid(), second);
    _exit(SURVIVED);
}

static void term_twice(void)
{
    two_signals(SIGTERM, SIGTERM);
}

static void interrupt_after_term(void)
{
    two_signals(SIGTERM, SIGINT);
}

static void term_after_interrupt(void)
{
    two_signals(SIGINT, SIGTERM);
}

START_TEST(a_second_signal_ends_at_once)
{
    static void (*const runs[])(void) = { term_twice, interrupt_after_term, term_after_interrupt };
    struct child child;
    child_run(&child, runs[_i]);
    expect_exit(&child, 1);
    ck_assert_ptr_nonnull(strstr(child.output, "Another signal to stop: ending at once\n"));
}
END_TEST

static void hang_up_after_term(void)
{
    two_signals(SIGTERM, SIGHUP);
}

START_TEST(others_do_not)
{
    struct child child;
    child_run(&child, hang_up_after_term);
    expect_exit(&child, SURVIVED);
}
END_TEST

// Asked by SHUTDOWN, the loop ends; a signal that comes then changes nothing.
static void term_after_shutdown(void)
{
    start();
    if (process_stop(server->process, STOP_NOSAVE) != STOP_BEGUN)
        _exit(1);
    kill(getpid(), SIGTERM);
    process_end(server->process);
    kill(getpid(), SIGTERM);
    server_free(server);
    kill(getpid(), SIGTERM);
    _exit(SURVIVED);
}

START_TEST(a_signal_after_shutdown)
{
    struct child child;
    child_run(&child, term_after_shutdown);
    expect_exit(&child, SURVIVED);
}
END_TEST

// Counts how often it is asked, and refuses what is to be saved.
static bool refuse_to_save(void *udata, unsigned flags)
{
    ++*(int *)udata;
    return !(flags & STOP_SAVE);
}

START_TEST(who_refuses_the_end)
{
    int asked = 0;
    start();
    process_on_stop(server->process, refuse_to_save, &asked);
    ck_assert_int_eq(process_stop(server->process, STOP_SAVE), STOP_REFUSED);
    ck_assert(!process_stopping(server->process));
    ck_assert_int_eq(process_stop(server->process, 0), STOP_BEGUN);
    ck_assert(process_stopping(server->process));
    ck_assert_int_eq(asked, 2);
    // Once it ends, nobody is asked again.
    ck_assert_int_eq(process_stop(server->process, STOP_SAVE), STOP_BEGUN);
    ck_assert_int_eq(asked, 2);
    rig_stop();
}
END_TEST

START_TEST(names_of_sockets)
{
    struct notify notify;
    char longest[109] = "/";
    memset(longest + 1, 'a', sizeof(longest) - 2);
    longest[107] = '\0';
    ck_assert(notify_init(&notify, "/run/systemd/notify"));
    ck_assert(notify_init(&notify, "@abstract"));
    ck_assert_int_eq(notify.address.sun_path[0], '\0');
    ck_assert_uint_eq(notify.len, offsetof(struct sockaddr_un, sun_path) + strlen("@abstract"));
    ck_assert(notify_init(&notify, longest));
    longest[107] = 'a';
    longest[108] = '\0';
    ck_assert(!notify_init(&notify, longest));
    ck_assert(!notify_init(&notify, ""));
    ck_assert(!notify_init(&notify, "/"));
    ck_assert(!notify_init(&notify, "@"));
    ck_assert(!notify_init(&notify, "run/notify"));
    ck_assert(!notify_init(&notify, "vsock:2:1"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = tcase_create("end");
    tcase_add_loop_test(tcase, a_second_signal_ends_at_once, 0, 3);
    tcase_add_test(tcase, others_do_not);
    tcase_add_test(tcase, a_signal_after_shutdown);
    tcase_add_test(tcase, who_refuses_the_end);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("notify");
    tcase_add_test(tcase, names_of_sockets);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
