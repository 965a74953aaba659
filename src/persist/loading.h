// SPDX-License-Identifier: BSD-3-Clause
// Reading the data that the server begins with, whichever files it comes from, or that a primary sends: who is served
// meanwhile and who gets LOADING, what rests, and what INFO and the log say of it.
//
// Keys are neither swept nor evicted until the end, and what is deleted is freed at once. At the start the loop is turned by hand now and then, so that
// commands that need no data are answered; in a command (DEBUG RELOAD) nobody is.
//
// What a primary sends is read into databases aside (store/aside.h). Only eviction rests then; all commands
// but a few are answered with the data that there is, or, where there is none, only those that need no data.
//
//   loading_begin()  loading_progress() ...  loading_next_file()  loading_progress() ...  loading_end()
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct history;
struct loading_state;
struct rdb_load_options;
struct rdb_loaded;
struct server;

// Makes server->loading, which is freed with the server; registers the gate LOADING and INFO's fields. Once;
// snapshot_register() does it.
void loading_register(struct server *server);

// `total_bytes` of all files. `serving`: not from inside of a command.
void loading_begin(struct loading_state *loading, uint64_t total_bytes, bool serving);
// Into databases aside. `total_bytes` may be 0: nobody knows. `answering`: there is data to answer with. The caller
// turns the loop.
void loading_begin_aside(struct loading_state *loading, uint64_t total_bytes, bool answering);
void loading_end(struct loading_state *loading);

// So much of the file at hand has been read. Cheap; to be called every few milliseconds. False: the server has been
// asked to stop, which is to be done at once.
bool loading_progress(struct loading_state *loading, uint64_t file_bytes);

// The file at hand has been read; it had so many bytes.
void loading_next_file(struct loading_state *loading, uint64_t file_bytes);

// Has the reader of an RDB tell of its progress; sets `progress`, `aux` and `udata`.
void loading_follow(struct loading_state *loading, struct rdb_load_options *options);

// What an RDB had in it.
void loading_note(struct loading_state *loading, const struct rdb_loaded *loaded);

// Which history the data are a state of, as the last file said that has any data. "" if it didn't tell.
void loading_note_history(struct loading_state *loading, const struct history *history);
const struct history *loading_history(const struct loading_state *loading);

// Whether the databases have a part of their data only, or nothing yet. INFO's loading.
bool loading_on(const struct loading_state *loading);

// Whether they answer while others are loaded aside. INFO's async_loading.
bool loading_aside(const struct loading_state *loading);

// Whether loading has ended early because the server was asked to stop.
bool loading_stopped(const struct loading_state *loading);

// Keys of the RDB that is being read, or of the last one; and those that had expired.
uint64_t loading_keys(const struct loading_state *loading);
uint64_t loading_expired_keys(const struct loading_state *loading);
