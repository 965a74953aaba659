// SPDX-License-Identifier: BSD-3-Clause
// What was called how often: see command_stats.h.
#include "server/command_stats.h"

#include "base/clock.h"
#include "server/error_stats.h"
#include "server/info.h"
#include "server/registry.h"
#include "server/server.h"

static void write_command(const struct command_entry *command, struct bytes *out)
{
    if (command->calls || command->failed_calls || command->rejected_calls) {
        uint64_t ns = clock_ticks_to_ns(command->ticks);
        double us_per_call = command->calls ? (double)ns / 1000 / (double)command->calls : 0;
        bytes_printf(out,
                     "cmdstat_%s:calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,"
                     "failed_calls=%llu\r\n",
                     command->full_name, (unsigned long long)command->calls,
                     (unsigned long long)(ns / 1000), us_per_call,
                     (unsigned long long)command->rejected_calls,
                     (unsigned long long)command->failed_calls);
    }
    for (int i = 0; i < command->subcommand_count; i++)
        write_command(&command->subcommands[i], out);
}

static void info_commandstats(void *udata, struct bytes *out)
{
    const struct server *server = udata;
    for (size_t i = 0; i < registry_count(server->registry); i++)
        write_command(registry_at(server->registry, i), out);
}

static void reset(void *udata)
{
    const struct server *server = udata;
    for (size_t i = 0; i < registry_count(server->registry); i++)
        registry_reset_stats(registry_at(server->registry, i));
    error_stats_reset(server->error_stats);
}

void command_stats_register(struct server *server)
{
    info_add_section(server->info, "Commandstats", false, info_commandstats, server);
    info_on_reset(server->info, reset, server);
}
