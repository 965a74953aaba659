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

struct network {
    struct server *server;
    int address_count;
    char *addresses[ADDRESSES_MAX];
    struct listener *listeners[ADDRESSES_MAX + 1];
    int listener_count;
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

static const struct config_directive network_directives[] = {
    { .name = "bind",
      .type = CONFIG_CUSTOM,
      .flags = CONFIG_WORDS | CONFIG_IMMUTABLE,
      .default_text = "* -::*",
      .set = set_bind,
      .get = get_bind },
    { .name = "port",
      .type = CONFIG_INT,
      .flags = CONFIG_IMMUTABLE,
      .offset = offsetof(struct network, port),
      .default_text = "6379",
      .max = 65535 },
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
    for (int i = 0; i < network->listener_count; i++)
        listener_close(network->listeners[i]);
    release_addresses(network);
    config_release_strings(network->server->config, network);
    mem_free(network, sizeof(*network));
}

// STATUS_NOT_FOUND: an optional address that this machine does not have.
static enum status open_tcp(struct network *network, const char *address)
{
    bool optional = address[0] == '-';
    const struct listener_tcp options = {
        .address = address + optional,
        .port = (int)network->port,
        .backlog = (int)network->backlog,
    };
    enum status status = listener_open_tcp(network->server->loop, &options, clients_accept,
                                           network->server->clients,
                                           &network->listeners[network->listener_count]);
    if (status == STATUS_OK) {
        network->listener_count++;
        return STATUS_OK;
    }
    bool missing = errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT;
    if (optional && missing)
        return STATUS_NOT_FOUND;
    log_warning("Could not create server TCP listening socket %s:%d: %s", options.address,
                options.port, strerror(errno));
    return STATUS_IO;
}

static enum status open_unix(struct network *network)
{
    enum status status = listener_open_unix(network->server->loop, network->unix_path,
                                            (unsigned)network->unix_mode, (int)network->backlog,
                                            clients_accept, network->server->clients,
                                            &network->listeners[network->listener_count]);
    if (status == STATUS_OK)
        network->listener_count++;
    else
        log_warning("Failed opening Unix socket %s: %s", network->unix_path, strerror(errno));
    return status;
}

enum status network_open(struct network *network)
{
    for (int i = 0; network->port && i < network->address_count; i++) {
        if (open_tcp(network, network->addresses[i]) == STATUS_IO)
            return STATUS_IO;
    }
    if (network->unix_path[0] && open_unix(network) != STATUS_OK)
        return STATUS_IO;
    if (network->listener_count == 0) {
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
