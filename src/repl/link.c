// SPDX-License-Identifier: BSD-3-Clause
// The link to our primary: connecting, receiving, being fed, beginning again. See README.md.
//
//   WAITING -> CONNECTING -> TALKING -> RECEIVING -> UP      a data set, and the stream behind it
//                                    '-------------> UP      the stream, from where we are
//
// From each state a failure leads to WAITING, and a second later (at once if the link was up, at most once a second) to the next
// try. What has been applied of the primary's history stays known, in struct repl, whatever becomes of the link: so any
// other server that has this history can take over where the last one stopped, in the middle of a transaction at its
// MULTI.
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/random.h"
#include "net/connector.h"
#include "persist/aof.h"
#include "repl/failover.h"
#include "repl/link_internal.h"
#include "resp/request.h"
#include "server/client.h"
#include "server/effects.h"
#include "server/process.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND_MS 1000
#define SECOND_US UINT64_C(1000000)

// Between acknowledgements of the first second: a primary may hear none until it has noticed that all of its data set
// is out, and sends nothing before it has heard one.
#define FIRST_ACKS_MS 100

// Between tries with a primary whose data we have refused.
#define REFUSED_WAIT_MS 10000

// Between lines about tries that fail.
#define SAY_AGAIN_US (60 * SECOND_US)

static struct clients *clients_of(const struct link *link)
{
    return link->repl->server->clients;
}

// --- States -------------------------------------------------------------------------------------

static void enter(struct link *link, enum link_state state)
{
    link->state = state;
    link->begun_us = clock_mono_us_now();
    if (state == LINK_UP)
        link->repl->link_lost_us = 0;
    repl_update_gates(link->repl);
}

// Lets go of what the state stands on. The client is somebody else's to free.
static void let_go(struct link *link)
{
    if (link->state == LINK_UP)
        link->repl->link_lost_us = clock_mono_us_now();
    connector_cancel(link->connector);
    link->connector = NULL;
    handshake_stop(&link->handshake);
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    if (link->client) {
        // From now on it is nobody's.
        link->client->flags &= ~(uint32_t)CLIENT_PRIMARY;
        client_close(link->client);
    }
    link->client = NULL;
    link->mark_count = 0;
    bytes_release(&link->transaction);
}

static void wait_for_next_try(struct link *link, int64_t delay_ms)
{
    let_go(link);
    enter(link, LINK_WAITING);
    alarm_set(&link->alarm, delay_ms);
}

// The log hears of the first failure, and then of one a minute: tries go on for ever.
static void fail(struct link *link, const char *reason)
{
    const struct repl *repl = link->repl;
    if (link->hands_over) {
        log_warning("The primary-to-be %s:%d can't be followed: %s", repl->primary_host,
                    repl->primary_port, reason);
        wait_for_next_try(link, SECOND_MS);
        failover_answered(repl->failover, false);
        return;
    }
    uint64_t now_us = clock_mono_us_now();
    if (!link->failures++ || now_us - link->said_us >= SAY_AGAIN_US) {
        link->said_us = now_us;
        log_warning("Can't follow the primary %s:%d: %s. Trying again every second (%llu tries "
                    "have failed)",
                    repl->primary_host, repl->primary_port, reason,
                    (unsigned long long)link->failures);
    }
    wait_for_next_try(link, SECOND_MS);
}

// --- Up -----------------------------------------------------------------------------------------

// Where the history and the effects are now belongs together; the append-only file knows the latter.
static void note_on_disk(struct link *link)
{
    const struct server *server = link->repl->server;
    unsigned done = 0;
    while (done < link->mark_count && aof_is_synced(server->aof, link->marks[done].effects_offset))
        link->offset_on_disk = link->marks[done++].offset;
    link->mark_count -= done;
    memmove(link->marks, link->marks + done, link->mark_count * sizeof(*link->marks));
    uint64_t offset = link->repl->stream.end;
    uint64_t noted = link->mark_count ? link->marks[link->mark_count - 1].offset
                                      : link->offset_on_disk;
    if (offset > noted && link->mark_count < LINK_MARKS_MAX)
        link->marks[link->mark_count++] = (struct link_mark){
            .offset = offset, .effects_offset = effects_offset(server->effects)
        };
}

void link_acknowledge(struct link *link)
{
    struct client *client = link->client;
    const struct server *server = link->repl->server;
    if (!client || client->flags & CLIENT_CLOSING || link->old_protocol)
        return;
    char offset[INT64_TEXT_MAX];
    char on_disk[INT64_TEXT_MAX];
    struct slice words[] = {
        SLICE("REPLCONF"), SLICE("ACK"), { .ptr = offset }, SLICE("FACK"), { .ptr = on_disk }
    };
    words[2].len = (size_t)format_uint64(offset, link->repl->stream.end);
    bool keeps_file = server->aof && aof_is_on(server->aof);
    if (keeps_file) {
        note_on_disk(link);
        words[4].len = (size_t)format_uint64(on_disk, link->offset_on_disk);
    }
    struct bytes text = { 0 };
    resp_append_request(&text, words, keeps_file ? 5 : 3);
    outq_append(&client->conn.out, text.data, text.len);
    bytes_release(&text);
    client_output_added(client);
}

// What the primary sends from now on is run, in the database that its stream is in.
static void be_fed(struct link *link)
{
    struct repl *repl = link->repl;
    struct keyspace *keyspace = repl->server->keyspace;
    if (repl->stream_db < 0 || repl->stream_db >= keyspace->db_count)
        repl->stream_db = 0;
    link->client = clients_adopt(clients_of(link), link->fd);
    link->fd = -1;
    link->client->flags |= CLIENT_PRIMARY;
    link->client->db = &keyspace->dbs[repl->stream_db];
    link->accepts_empty = link->refused = link->distrusted = false;
    link->failures = 0;
    link->offset_on_disk = 0;
    enter(link, LINK_UP);
    alarm_set(&link->alarm, FIRST_ACKS_MS);
    link_acknowledge(link);
}

void link_gone(struct link *link, const struct client *client)
{
    if (!link || link->client != client)
        return;
    uint64_t now_us = clock_mono_us_now();
    bool may_hurry = now_us - link->hurried_us >= SECOND_US;
    log_warning("Connection with the primary %s:%d lost, at offset %llu of its history",
                link->repl->primary_host, link->repl->primary_port,
                (unsigned long long)link->repl->stream.end);
    link->client = NULL;
    if (may_hurry)
        link->hurried_us = now_us;
    wait_for_next_try(link, may_hurry ? 0 : SECOND_MS);
}

void link_distrust(struct link *link)
{
    log_warning("The primary has sent what can't be run: the data sets may differ. The connection "
                "is closed, and all data will be asked for");
    link->distrusted = true;
    client_close(link->client);
}

// --- A data set ---------------------------------------------------------------------------------

static bool is_ours(const struct repl *repl, const char *id)
{
    return strcmp(id, repl->server->replication_id) == 0 || strcmp(id, repl->second_id) == 0;
}

static void received(struct link *link)
{
    struct repl *repl = link->repl;
    // Theirs was the old history.
    replicas_disconnect_all(repl->replicas);
    repl_take_history(repl, link->primary_id, link->primary_offset);
    repl->stream_db = link->receive.selected_db;
    log_notice("The primary's data set is complete: following its history %s from offset %llu",
               link->primary_id, (unsigned long long)link->primary_offset);
    be_fed(link);
}

// receive_run() has told the log why.
static void refuse(struct link *link)
{
    link->refused = true;
    wait_for_next_try(link, REFUSED_WAIT_MS);
}

static void judge_received(struct link *link, enum receive_result result)
{
    switch (result) {
    case RECEIVE_DONE: received(link); break;
    case RECEIVE_REFUSED: refuse(link); break;
    case RECEIVE_STOPPED:
        if (!process_stopping(link->repl->server->process))
            fail(link, "its data set did not go on coming");
        break;
    case RECEIVE_BROKEN: fail(link, "its data set did not arrive whole"); break;
    }
}

static void free_link(struct link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    mem_free(link, sizeof(*link));
}

// Between turns. In those that are made meanwhile clients may take the link away.
static void receive_now(void *udata)
{
    const struct repl *repl = udata;
    struct link *link = repl->link;
    if (!link || link->state != LINK_RECEIVING || link->receiving)
        return;
    link->receiving = true;
    enum receive_result result = receive_run(&link->receive);
    link->receiving = false;
    if (link->abandoned)
        free_link(link);
    else
        judge_received(link, result);
}

static void begin_receiving(struct link *link, const struct handshake_answer *answer)
{
    struct repl *repl = link->repl;
    bool may_be_empty = link->accepts_empty || is_ours(repl, answer->id);
    if (link->refused && !may_be_empty) {
        refuse(link);
        return;
    }
    log_notice("All data comes from the primary: history %s, offset %llu", answer->id,
               (unsigned long long)answer->offset);
    memcpy(link->primary_id, answer->id, sizeof(link->primary_id));
    link->primary_offset = answer->offset;
    link->receive = (struct receive){ .repl = repl, .fd = link->fd, .accepts_empty = may_be_empty };
    enter(link, LINK_RECEIVING);
    loop_later(repl->server->loop, receive_now, repl);
}

// --- Beginning ----------------------------------------------------------------------------------

static void go_on(struct link *link, const char *id)
{
    struct repl *repl = link->repl;
    log_notice("The primary goes on with what we miss, from offset %llu",
               (unsigned long long)repl->stream.end);
    if (id[0] && strcmp(id, repl->server->replication_id) != 0) {
        repl_rename_history(repl, id);
        // Ours have to hear of it: they come back for a partial sync.
        replicas_disconnect_all(repl->replicas);
    }
    be_fed(link);
}

static void on_answer(void *udata, const struct handshake_answer *answer)
{
    struct link *link = udata;
    struct handshake_answer old = { .result = HANDSHAKE_OLD };
    link->old_protocol = answer->result == HANDSHAKE_OLD;
    if (link->hands_over && answer->result != HANDSHAKE_FAILED) {
        link->hands_over = false;
        failover_answered(link->repl->failover, true);
    }
    switch (answer->result) {
    case HANDSHAKE_FULL: begin_receiving(link, answer); break;
    case HANDSHAKE_CONTINUE: go_on(link, answer->id); break;
    case HANDSHAKE_FAILED: fail(link, answer->reason); break;
    case HANDSHAKE_OLD:
        // A history of its own, for replicas of ours.
        random_hex(old.id, RUN_ID_LEN);
        begin_receiving(link, &old);
        break;
    }
}

static void on_connected(void *udata, int fd, const char *reason)
{
    struct link *link = udata;
    link->connector = NULL;
    if (fd < 0) {
        fail(link, reason);
        return;
    }
    conn_set_tcp_options(fd, (int)clients_of(link)->config.keepalive_s);
    link->fd = fd;
    enter(link, LINK_TALKING);
    bool offers = !link->distrusted && !link->old_protocol;
    handshake_begin(&link->handshake, link->repl, fd,
                    link->hands_over ? HANDSHAKE_HANDS_OVER
                    : offers         ? HANDSHAKE_OFFERS
                                     : HANDSHAKE_ASKS_ALL,
                    on_answer, link);
}

static void connect_now(struct link *link)
{
    const struct repl *repl = link->repl;
    const struct connector_options options = { .host = repl->primary_host,
                                               .port = repl->primary_port,
                                               .source = repl->config.source_address };
    if (!link->failures)
        log_notice("Connecting to the primary %s:%d", repl->primary_host, repl->primary_port);
    enter(link, LINK_CONNECTING);
    link->connector = connector_start(repl->server->loop, &options, on_connected, link);
}

// --- Once a second ------------------------------------------------------------------------------

uint64_t link_heard_us(const struct link *link)
{
    switch (link->state) {
    case LINK_TALKING: return link->handshake.heard_us;
    case LINK_RECEIVING:
        return link->receive.last_io_ms ? (uint64_t)link->receive.last_io_ms * 1000
                                        : link->begun_us;
    case LINK_UP: return link->client->active_us;
    default: return link->begun_us;
    }
}

static void give_up(struct link *link)
{
    char reason[96];
    snprintf(reason, sizeof(reason), "not a byte for %lld seconds (repl-timeout)",
             (long long)link->repl->config.timeout_s);
    if (link->receiving) {
        receive_stop(&link->receive);
        return;
    }
    fail(link, reason);
}

static void on_alarm(void *udata)
{
    struct link *link = udata;
    alarm_set(&link->alarm, SECOND_MS);
    if (link->state == LINK_WAITING) {
        connect_now(link);
        return;
    }
    uint64_t now_us = clock_mono_us_now();
    uint64_t heard_us = link_heard_us(link);
    uint64_t silent_us = now_us > heard_us ? now_us - heard_us : 0;
    if (silent_us > (uint64_t)link->repl->config.timeout_s * SECOND_US)
        give_up(link);
    if (link->state != LINK_UP)
        return;
    link_acknowledge(link);
    if (now_us - link->begun_us < SECOND_US)
        alarm_set(&link->alarm, FIRST_ACKS_MS);
}

// --- Making -------------------------------------------------------------------------------------

struct link *link_new(struct repl *repl)
{
    struct link *link = mem_alloc_zeroed(sizeof(*link));
    link->repl = repl;
    link->fd = link->handshake.fd = -1;
    alarm_init(&link->alarm, repl->server->loop, on_alarm, link);
    alarm_set(&link->alarm, 0);
    link->begun_us = clock_mono_us_now();
    return link;
}

void link_accept_empty(struct link *link)
{
    link->accepts_empty = true;
    if (link->refused && link->state == LINK_WAITING)
        alarm_set(&link->alarm, 0);
    link->refused = false;
}

void link_free(struct link *link)
{
    if (!link)
        return;
    alarm_clear(&link->alarm);
    if (link->receiving) {
        receive_stop(&link->receive);
        link->abandoned = true;
        return;
    }
    let_go(link);
    free_link(link);
}

void link_ask_failover(struct link *link)
{
    link->hands_over = true;
}

bool link_is_up(const struct link *link)
{
    return link->state == LINK_UP;
}

int link_selected_db(const struct link *link)
{
    return link->repl->stream_db;
}
