// SPDX-License-Identifier: BSD-3-Clause
// Starts and ends the two servers: each in a folder of its own, saving nothing, reached by a UNIX
// socket.
#pragma once

#include "connection.h"

#include <sys/types.h>

// The two servers that are compared; also an index.
enum side { ORACLE, OURS };
#define SIDES 2

const char *side_name(enum side side);

#define SERVER_DIR_MAX 80

struct server {
    enum side side;
    pid_t pid;        // 0: not running
    bool ended_well;  // by itself, with status 0: a case has asked for it
    char dir[SERVER_DIR_MAX];
    char socket[100];
    int port;  // 0: none
};

// What a server is started with beside the usual.
struct server_options {
    const struct words *words;  // "--maxclients" "3" ...; may be NULL
    bool tcp;                   // on a port of 127.0.0.1 as well
};

struct pair {
    struct server servers[SIDES];
};

// The programs that the environment names (REDIS_SERVER, RESPITE_SERVER), and the folder that holds
// the servers' folders and vanishes when the runner ends. Ends the runner if it cannot be.
void servers_init(void);

// Makes an empty folder, which vanishes when the runner ends.
void servers_folder(char dir[SERVER_DIR_MAX]);

// Starts one on what lies in this folder, and waits until it has loaded it. False: `why` has the reason, and what
// it logged last.
bool server_start(struct server *server, enum side side, const char *dir,
                  const struct server_options *options, struct buffer *why);

// Ends it with SHUTDOWN NOSAVE; its folder stays. False: it did not end well, and `why` says so.
bool server_shut_down(struct server *server, struct buffer *why);

// Starts both and waits until they answer. False: `why` has the reason.
bool pair_start(struct pair *pair, const struct server_options *options, struct buffer *why);

// Ends both. False: one had ended by itself, or ends with an error; `why` has what it logged last.
bool pair_stop(struct pair *pair, struct buffer *why);

// False: it has ended.
bool server_alive(struct server *server);

// Sends a command on a connection of its own, and appends the reply. False: there was none. When it
// returns the server has forgotten the connection.
bool server_tell(const struct server *server, const char *command, struct buffer *answer);

// A connection by the server's UNIX socket, or its port.
bool server_connect(const struct server *server, bool tcp, struct connection *out);
