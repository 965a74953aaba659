// SPDX-License-Identifier: BSD-3-Clause
// Where the server listens: see network.h.
#include "server/network.h"

#include "base/log.h"
#include "base/memory.h"
#include "net/listener.h"
#include "server/client.h"
#include "server/config.h"
#include "server/server.h"

#include <errno.h>
#include <string.h>

#define ADDRESSES_MAX 16

struct tcp_socket {
    char *address;
    int port;
    struct listener *listener;
};

struct tcp_sockets {
    int count;
    struct tcp_socket items[ADDRESSES_MAX];
};

struct network {
    struct server *server;
    int address_count;
    char *addresses[ADDRESSES_MAX];
    struct tcp_sockets tcp;
    struct listener *unix_listener;
    int64_t port;
    int64_t backlog;
    int64_t unix_mode;
    char *unix_path;
};

static void release_addresses(struct network *network)
{
    for (int i = 0; i < network->address_count; i++)
        mem_free(network->addresses[i], strlen(network->addresses[i]) + 1);
    network->address_count = 0;
}

static bool set_bind(void *owner, const struct slice *words, size_t count,
                     struct config_error *error)
{
    struct network *network = owner;
    if (count > ADDRESSES_MAX)
        return config_refuse(error, "Too many bind addresses specified.");
    release_addresses(network);
    for (size_t i = 0; i < count; i++) {
        if (words[i].len)
            network->addresses[network->address_count++] = mem_strndup(words[i].ptr, words[i].len);
    }
    return true;
}

static void get_bind(const void *owner, struct bytes *out)
{
    const struct network *network = owner;
    for (int i = 0; i < network->address_count; i++)
        bytes_printf(out, "%s%s", i ? " " : "", network->addresses[i]);
}

// --- Listening ----------------------------------------------------------------------------------

static bool listens(const struct tcp_sockets *sockets, const struct listener *listener)
{
    for (int i = 0; i < sockets->count; i++) {
        if (sockets->items[i].listener == listener)
            return true;
    }
    return false;
}

// Closes the sockets that `kept` does not have as well.
static void close_all_but(struct tcp_sockets *sockets, const struct tcp_sockets *kept)
{
    for (int i = 0; i < sockets->count; i++) {
        struct tcp_socket *socket = &sockets->items[i];
        if (listens(kept, socket->listener))
            continue;
        listener_close(socket->listener);
        mem_free(socket->address, strlen(socket->address) + 1);
    }
    sockets->count = 0;
}

static const struct tcp_sockets no_sockets;

// Adds a socket. 0, or what went wrong, which is in the log. An optional address (with a leading '-')
// that this machine does not have is no error and adds none.
static int open_tcp(struct network *network, const char *address, int port,
                    struct tcp_sockets *sockets)
{
    bool optional = address[0] == '-';
    const struct listener_tcp options = {
        .address = address + optional,
        .port = port,
        .backlog = (int)network->backlog,
    };
    struct tcp_socket *socket = &sockets->items[sockets->count];
    if (listener_open_tcp(network->server->loop, &options, clients_accept, network->server->clients,
                          &socket->listener) == STATUS_OK) {
        socket->address = mem_strndup(address, strlen(address));
        socket->port = port;
        sockets->count++;
        return 0;
    }
    int error = errno;
    bool missing = error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPROTONOSUPPORT;
    if (optional && missing)
        return 0;
    log_warning("Could not create server TCP listening socket %s:%d: %s", options.address, port,
                strerror(error));
    return error;
}

// The socket of `sockets` that listens on this address and port, or NULL.
static const struct tcp_socket *find_socket(const struct tcp_sockets *sockets, const char *address,
                                            int port)
{
    for (int i = 0; i < sockets->count; i++) {
        const struct tcp_socket *socket = &sockets->items[i];
        if (socket->port == port && strcmp(socket->address, address) == 0)
            return socket;
    }
    return NULL;
}

// Fills `out` with the sockets that bind and port ask for, those of `old` among them. 0, or what went
// wrong, with some of them in `out`.
static int open_wanted(struct network *network, const struct tcp_sockets *old,
                       struct tcp_sockets *out)
{
    for (int i = 0; network->port && i < network->address_count; i++) {
        const char *address = network->addresses[i];
        const struct tcp_socket *have = find_socket(old, address, (int)network->port);
        if (have && !listens(out, have->listener)) {
            out->items[out->count++] = *have;
            continue;
        }
        int error = open_tcp(network, address, (int)network->port, out);
        if (error)
            return error;
    }
    return 0;
}

// The second try, when an address can not be had beside one that is open: all addresses beside one of
// them, on the same port. Closes first, and opens what was there if that does not help either.
static bool exchange_sockets(struct network *network)
{
    struct tcp_sockets old = network->tcp;
    struct tcp_sockets now = { 0 };
    for (int i = 0; i < old.count; i++)
        listener_close(old.items[i].listener);
    bool done = open_wanted(network, &no_sockets, &now) == 0;
    if (!done)
        close_all_but(&now, &no_sockets);
    for (int i = 0; i < old.count; i++) {
        struct tcp_socket *socket = &old.items[i];
        if (!done && open_tcp(network, socket->address, socket->port, &now) != 0)
            log_warning("No longer listening on %s:%d", socket->address, socket->port);
        mem_free(socket->address, strlen(socket->address) + 1);
    }
    network->tcp = now;
    return done;
}

// Listens where bind and port say now; false, with everything as it was, if that can not be.
static bool reopen(struct network *network)
{
    struct tcp_sockets now = { 0 };
    int error = open_wanted(network, &network->tcp, &now);
    if (!error) {
        close_all_but(&network->tcp, &now);
        network->tcp = now;
        return true;
    }
    close_all_but(&now, &network->tcp);
    bool same_port = network->tcp.count && network->tcp.items[0].port == network->port;
    return error == EADDRINUSE && same_port && exchange_sockets(network);
}

static bool apply_port(void *owner, struct config_error *error)
{
    return reopen(owner) ||
           config_refuse(error, "Unable to listen on this port. Check server logs.");
}

static bool apply_bind(void *owner, struct config_error *error)
{
    return reopen(owner) || config_refuse(error, "Failed to bind to specified addresses.");
}

static const struct config_directive network_directives[] = {
    { .name = "bind",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_WORDS,
      .default_text = "* -::*",
      .set = set_bind,
      .get = get_bind,
      .apply = apply_bind },
    { .name = "port",
      .type = CONFIG_INT,
      .offset = offsetof(struct network, port),
      .default_text = "6379",
      .max = 65535,
      .apply = apply_port },
    { .name = "tcp-backlog",
      .type = CONFIG_INT,
      .flags = CONFIG_IMMUTABLE,
      .offset = offsetof(struct network, backlog),
      .default_text = "511",
      .max = INT32_MAX },
    { .name = "unixsocket",
      .type = CONFIG_STRING,
      .flags = CONFIG_IMMUTABLE,
      .offset = offsetof(struct network, unix_path),
      .default_text = "" },
    { .name = "unixsocketperm",
      .type = CONFIG_OCTAL,
      .flags = CONFIG_IMMUTABLE,
      .offset = offsetof(struct network, unix_mode),
      .default_text = "0",
      .max = 0777 },
    { 0 },
};

struct network *network_new(struct server *server)
{
    struct network *network = mem_alloc_zeroed(sizeof(*network));
    network->server = server;
    config_register(server->config, network_directives, network);
    return network;
}

void network_free(struct network *network)
{
    close_all_but(&network->tcp, &no_sockets);
    if (network->unix_listener)
        listener_close(network->unix_listener);
    release_addresses(network);
    config_release_strings(network->server->config, network);
    mem_free(network, sizeof(*network));
}

static enum status open_unix(struct network *network)
{
    enum status status = listener_open_unix(
        network->server->loop, network->unix_path, (unsigned)network->unix_mode,
        (int)network->backlog, clients_accept, network->server->clients, &network->unix_listener);
    if (status != STATUS_OK)
        log_warning("Failed opening Unix socket %s: %s", network->unix_path, strerror(errno));
    return status;
}

enum status network_open(struct network *network)
{
    if (open_wanted(network, &no_sockets, &network->tcp) != 0)
        return STATUS_IO;
    if (network->unix_path[0] && open_unix(network) != STATUS_OK)
        return STATUS_IO;
    if (network->tcp.count == 0 && !network->unix_listener) {
        log_warning("Nothing to listen on: set port or unixsocket");
        return STATUS_IO;
    }
    return STATUS_OK;
}

void network_describe(const struct network *network, struct bytes *out)
{
    int number = 0;
    if (network->port) {
        bytes_printf(out, "listener%d:name=tcp", number++);
        for (int i = 0; i < network->address_count; i++)
            bytes_printf(out, ",bind=%s", network->addresses[i]);
        bytes_printf(out, ",port=%d\r\n", (int)network->port);
    }
    if (network->unix_path[0])
        bytes_printf(out, "listener%d:name=unix,bind=%s\r\n", number, network->unix_path);
}

bool network_has_unix(const struct network *network)
{
    return network->unix_path[0] != '\0';
}

int network_port(const struct network *network)
{
    return (int)network->port;
}
