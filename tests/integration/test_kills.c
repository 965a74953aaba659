// SPDX-License-Identifier: BSD-3-Clause
// Kills: what is there after SIGKILL at a random moment, under each policy, while syncs are under way and while the
// file is rewritten, saved, turned off and on.
//
// `always`: all that was acknowledged. `everysec` and `no`: the same, but what came while a sync was under way (with
// `no`, when a rewrite has begun) and the thread had not written yet: since the loop itself wrote for the last time. TEST_ROUNDS: how many kills of each kind; `make
// test-long` has more.
#include "support/client.h"
#include "support/disk.h"
#include "support/writers.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KILLS       12
#define ROUND_MS    40  // how long a round lasts at most, from when writers have begun
#define ROUND_LIMIT 8   // seconds a kill may take, on a machine that does much else

static const char *const policies[] = { "always", "everysec", "no" };
#define POLICIES ((int)(sizeof(policies) / sizeof(*policies)))
enum policy { ALWAYS, EVERYSEC, NO };

// The last ones keep the thread busy that writes while a sync is under way.
static const char *const rules[] = {
    "",
    "fdatasync:delay=3000",
    "fdatasync:delay=20000",
    "fdatasync:delay=20000,write:path=incr:delay=500",
};
#define RULES ((int)(sizeof(rules) / sizeof(*rules)))

static struct test_server *start(const struct test_disk *disk, const char *policy)
{
    return server_start(SERVER_ARGS("--appendonly", "yes", "--appendfsync", policy, "--dir",
                                    disk->dir, "--auto-aof-rewrite-percentage", "0"));
}

static void let_write(struct writers *writers, const struct test_server *server,
                      enum disturbance what)
{
    redisContext *c = client_connect_unix(server);
    writers_promise(writers, true);
    writers_run(writers, server);
    disk_nap_us(random() % (ROUND_MS * 500));
    writers_disturb(writers, c, what);
    disk_nap_us(random() % (ROUND_MS * 500));
    redisFree(c);
}

// Whether no sync can have been under way that others didn't wait for.
static bool is_strict(enum policy policy, enum disturbance what)
{
    return policy == ALWAYS ||
           (policy == NO && (what == DO_NOTHING || what == DO_SAVE || what == DO_BGSAVE));
}

static enum disturbance any_disturbance(enum policy policy)
{
    enum disturbance what = (enum disturbance)(random() % DISTURBANCES);
    return what == DO_CHANGE_POLICY && policy != ALWAYS ? DO_REWRITE : what;
}

struct tally {
    long long missing;
    int rounds;
};

static void judge(const struct writers_loss *loss, bool strict, unsigned long long since_ns,
                  struct tally *tally)
{
    ck_assert_msg(loss->problem[0] == '\0', "after kill %d: %s", tally->rounds, loss->problem);
    ck_assert_msg(!strict || loss->missing == 0, "after kill %d: %lld acknowledged writes missing",
                  tally->rounds, loss->missing);
    ck_assert_msg(loss->missing == 0 || loss->since_ns >= since_ns,
                  "after kill %d: %lld writes are missing, the first is %lld us too early",
                  tally->rounds, loss->missing, (long long)(since_ns - loss->since_ns) / 1000);
    tally->missing += loss->missing;
    tally->rounds++;
}

START_TEST(what_was_acknowledged_is_there)
{
    struct test_disk disk;
    struct writers writers;
    struct writers_loss loss;
    struct tally tally = { 0 };
    disk_init(&disk, false);
    writers_init(&writers);
    srandom((unsigned)getpid());
    for (int round = 0; round < server_rounds(KILLS); round++) {
        const char *rule = rules[random() % RULES];
        enum disturbance what = any_disturbance((enum policy)_i);
        disk_rules(&disk, "");
        struct test_server *server = start(&disk, policies[_i]);
        disk_rules(&disk, rule);
        let_write(&writers, server, what);
        disk_kill(server);
        writers_join(&writers);
        unsigned long long since_ns = atomic_load(&disk.state->wrote_ns);
        disk_rules(&disk, "");
        server = start(&disk, policies[_i]);
        writers_check(&writers, server, &loss);
        disk_kill(server);
        judge(&loss, is_strict((enum policy)_i, what), since_ns, &tally);
    }
    printf("%s: %lld acknowledged writes missing after %d kills\n", policies[_i], tally.missing,
           tally.rounds);
    writers_free(&writers);
}
END_TEST

// With the power, too, no more goes than what the last complete sync did not cover, if there was any; and what goes is
// the end, not something in between.
START_TEST(everysec_keeps_what_was_synced)
{
    struct test_disk disk;
    struct writers writers;
    struct writers_loss loss;
    struct tally tally = { 0 };
    disk_init(&disk, true);
    writers_init(&writers);
    srandom((unsigned)getpid());
    for (int round = 0; round < server_rounds(KILLS); round++) {
        struct test_server *server = start(&disk, "everysec");
        disk_rules(&disk, rules[random() % RULES]);
        enum disturbance what = round % 2 ? (enum disturbance)(random() % DISTURBANCES)
                                          : DO_NOTHING;
        let_write(&writers, server, what);
        disk_lose_power(&disk, server, (enum disk_cut)(round % DISK_CUTS));
        writers_join(&writers);
        // With two files at a time it is not known which of them was synced.
        unsigned long long since_ns = what == DO_NOTHING ? atomic_load(&disk.state->synced_ns) : 0;
        disk_rules(&disk, "");
        server = start(&disk, "everysec");
        writers_check(&writers, server, &loss);
        server_stop(server);
        judge(&loss, false, since_ns, &tally);
    }
    printf("everysec: %lld acknowledged writes missing after %d power cuts\n", tally.missing,
           tally.rounds);
    writers_free(&writers);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("kills");
    TCase *tcase = server_tcase(suite, "kills");
    if (server_rounds(KILLS) > KILLS)
        tcase_set_timeout(tcase, (double)server_rounds(KILLS) * ROUND_LIMIT);
    tcase_add_loop_test(tcase, what_was_acknowledged_is_there, 0, POLICIES);
    tcase_add_test(tcase, everysec_keeps_what_was_synced);
    return suite;
}

SERVER_TEST_MAIN(make_suite)
