// SPDX-License-Identifier: BSD-3-Clause
// The runner's command line: see options.h.
#include "options.h"
#include "memory.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "compat [OPTION...] [FILE.case...]\n"
    "\n"
    "Holds Respite against redis-server: cases, coverage, metadata, random commands.\n"
    "The environment names the servers: REDIS_SERVER (redis-server), RESPITE_SERVER\n"
    "(build/respite-server). With files it plays these cases and nothing else.\n"
    "\n"
    "  --family NAME    only the cases of this family (a folder of redis-compat/cases,\n"
    "                   or handshakes)\n"
    "  --case TEXT      only cases with TEXT in their names\n"
    "  --only PART      only cases, metadata or random\n"
    "  --streams FROM   compare what the cases make the servers tell their replicas, and not\n"
    "                   the replies; FROM is psync, or aof: from their append-only files\n"
    "  --verbose        tell of what passes too\n"
    "  --jobs N         pairs of servers at a time (3)\n"
    "  --seed N         where the random commands begin (1)\n"
    "  --commands N     how many of them (200000)\n"
    "  --root FOLDER    where the cases are (redis-compat)\n";

static unsigned long number(const char *text)
{
    long long value;
    if (!span_int(span_of(text), &value) || value < 0)
        die("a number is wanted: %s", text);
    return (unsigned long)value;
}

static void choose_part(struct options *options, const char *part)
{
    options->cases = strcmp(part, "cases") == 0;
    options->metadata = strcmp(part, "metadata") == 0;
    options->random = strcmp(part, "random") == 0;
    if (!options->cases && !options->metadata && !options->random)
        die("--only cases, metadata or random");
}

static enum stream_source stream_source(const char *text)
{
    if (strcmp(text, "psync") != 0 && strcmp(text, "aof") != 0)
        die("--streams psync or aof");
    return strcmp(text, "aof") == 0 ? STREAM_AOF : STREAM_PSYNC;
}

static void take_option(struct options *options, int option)
{
    switch (option) {
    case 'f': options->family = optarg; break;
    case 'c': options->case_text = optarg; break;
    case 'o': choose_part(options, optarg); break;
    case 'e': options->streams = stream_source(optarg); break;
    case 'v': options->verbose = true; break;
    case 'j': options->jobs = (int)number(optarg); break;
    case 's': options->seed = number(optarg); break;
    case 'n': options->commands = number(optarg); break;
    case 'r': options->root = optarg; break;
    case 'h': fputs(help, stdout); exit(0);
    default: fputs(help, stderr); exit(2);
    }
}

void options_read(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        { "family", required_argument, NULL, 'f' },
        { "case", required_argument, NULL, 'c' },
        { "only", required_argument, NULL, 'o' },
        { "verbose", no_argument, NULL, 'v' },
        { "streams", required_argument, NULL, 'e' },
        { "jobs", required_argument, NULL, 'j' },
        { "seed", required_argument, NULL, 's' },
        { "commands", required_argument, NULL, 'n' },
        { "root", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    int option;
    *options = (struct options){ .root = "redis-compat",
                                 .jobs = 3,
                                 .cases = true,
                                 .metadata = true,
                                 .random = true,
                                 .seed = 1,
                                 .commands = 200000 };
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        take_option(options, option);
    options->files = argv + optind;
    options->file_count = (size_t)(argc - optind);
    bool filtered = options->family || options->case_text || options->file_count > 0 ||
                    options->streams;
    if (filtered)
        options->metadata = options->random = false;
    if (options->jobs < 1 || options->commands < 1000)
        die("--jobs has to be 1 or more, --commands 1000 or more");
    options->whole = options->cases && !filtered;
}
