// SPDX-License-Identifier: BSD-3-Clause
// The server as a process: into the background, the pid file, the supervisor, signals, the end.
//
//   configuration read -> process_begin() -> server_start() -> process_ready() -> the loop -> process_end()
//
// With `daemonize yes` the first process waits until the one in the background can serve or has failed:
// its exit status is that of the start, and the terminal shows why it failed.
#pragma once

#include "base/status.h"

#include <stdbool.h>

struct cmd_ctx;
struct process;
struct server;

// Registers `daemonize`, `pidfile`, `supervised`, `shutdown-timeout`, `shutdown-on-sigint` and `shutdown-on-sigterm`.
struct process *process_new(struct server *server);
void process_free(struct process *process);

// Once the configuration is read and before anything is opened: finds out who supervises, and goes
// into the background if wanted. Then it returns in the new process only; the old one ends here.
// STATUS_IO: the reason is on standard error.
MUST_CHECK enum status process_begin(struct process *process);

// From now on signals are listened to: SIGTERM and SIGINT stop the server as shutdown-on-... says, a second one at once; SIGHUP
// reopens the log.
void process_listen(struct process *process);

// The server can serve: writes the pid file, says so in the log, to the supervisor and to the process
// that waits in the foreground.
void process_ready(struct process *process);

// The loop has ended: removes the pid file and says goodbye.
void process_end(struct process *process);

// How to stop, as SHUTDOWN takes it.
enum stop_flag {
    STOP_SAVE = 1u << 0,    // only if the data could be saved
    STOP_NOSAVE = 1u << 1,  // without saving
    STOP_NOW = 1u << 2,     // without waiting for replicas that lag behind
    STOP_FORCE = 1u << 3,   // even if saving fails
};

// Whoever has something to finish before the end, or a reason why it can't come; at start-up. False: the
// server goes on, and the log says why. Those who come later are asked later.
typedef bool (*process_stop_fn)(void *udata, unsigned flags);
void process_on_stop(struct process *process, process_stop_fn fn, void *udata);

// At start-up: `lags` says whether others still lack some of the data, so that the end has to wait for them; `report`:
// for the last time, and says in the log who does.
typedef bool (*process_wait_fn)(void *udata, bool report);
void process_on_wait(struct process *process, process_wait_fn lags, void *udata);

// Whether process_stop() has let the loop end.
bool process_stopping(const struct process *process);

enum stop_result {
    STOP_REFUSED,  // the server goes on; the log says why
    STOP_BEGUN,    // the loop ends after this turn, when the pending replies are out
    STOP_WAITS,  // for others that lag behind, up to shutdown-timeout, while writes wait; then one of the above
};

// To be called again, it has no effect while it waits, but with STOP_NOW: then nothing more is waited for.
enum stop_result process_stop(struct process *process, unsigned flags);

// For SHUTDOWN, after STOP_WAITS: is run again when it has ended. O(1).
void process_wait_for_stop(struct cmd_ctx *ctx);
bool process_stop_waits(const struct process *process);

// SHUTDOWN ABORT: does not wait any more, and does not stop. False: it did not wait.
bool process_abort_stop(struct process *process);

// At the end of a turn: stops if nobody lags behind any more.
void process_look_at_wait(struct process *process);

// Who supervises the process: "no", "systemd" or "upstart", as INFO shows it.
const char *process_supervised(const struct process *process);
