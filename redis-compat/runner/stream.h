// SPDX-License-Identifier: BSD-3-Clause
// The stream of effects of one server, as a replica gets it or as its append-only file has it.
#pragma once

#include "case.h"
#include "server.h"

enum stream_source {
    STREAM_NONE,
    STREAM_PSYNC,  // what a replica is sent behind the data set
    STREAM_AOF,    // without what is for replicas only
};

struct stream {
    enum stream_source source;
    const struct server *server;
    struct connection
        connection;      // PSYNC; for an AOF what has been read of the file lies in its buffer
    struct buffer file;  // AOF: its path
    size_t taken;        // AOF: bytes of it
};

// Commands, in order; each is an array of bulk strings.
struct stream_part {
    struct reply *commands;
    size_t count;
};

enum stream_result {
    STREAM_READ,
    STREAM_NO_MARK,  // the server did not take the mark: it refuses writes, or has too few databases
    STREAM_BROKEN,   // the mark did not come
};

// False: the case is not to be followed: it says that its streams differ, or it cannot be: nobody gets a stream without its password, and an append-only file is begun anew.
bool stream_plays(enum stream_source source, const struct test_case *test);

// The options that a server has to be started with. Their spans are constant; the words lie in the arena.
struct words stream_options(struct arena *arena, enum stream_source source,
                            const struct words *others);

// False: `why` has the reason.
bool stream_open(struct stream *stream, const struct server *server, enum stream_source source,
                 struct buffer *why);
void stream_close(struct stream *stream);

// Marks the end of a part, and reads all up to it. What keeps connections alive (PING, REPLCONF) is left out.
enum stream_result stream_read(struct stream *stream, struct arena *arena, struct stream_part *part,
                               struct buffer *why);
