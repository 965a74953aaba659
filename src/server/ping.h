// SPDX-License-Identifier: BSD-3-Clause
// `respite-server --ping`: whether a server answers PONG, for health checks.
#pragma once

// Asks the server once. Arguments: its address (host:port, [IPv6]:port, /path or unix:/path;
// 127.0.0.1:6379 without one) and how many seconds that may take (3). The password comes from the
// environment: RESPITE_PASSWORD or REDISCLI_AUTH. Returns the exit status: 0 for PONG, else 1, and the
// reason is on standard error. Ends the process when the time is over.
int ping(int argc, char *const *argv);
