// SPDX-License-Identifier: BSD-3-Clause
// MEMORY DOCTOR: see memory_doctor.h.
#include "commands/memory_doctor.h"

#include "base/numbers.h"

#define MIB ((size_t)1 << 20)

// Below this the figures are those of an empty server.
#define JUDGED_BYTES (5 * MIB)

// What is lost matters from here on: so much in all, and so much more than there should be.
#define LOST_BYTES (10 * MIB)
#define LOST_RATIO 1.1

#define PEAK_RATIO   1.5
#define CLIENT_BYTES ((size_t)200 << 10)

struct human {
    char text[32];
};

static struct human human(size_t bytes)
{
    struct human human = { 0 };
    format_memory_human(human.text, bytes);
    return human;
}

double memory_ratio(size_t a, size_t b)
{
    return b ? (double)a / (double)b : 0;
}

// Whether `whole` holds much more than the `part` of it that is needed.
static bool loses(size_t whole, size_t part)
{
    return part > 0 && whole > part + LOST_BYTES && memory_ratio(whole, part) > LOST_RATIO;
}

static void judge_peak(const struct memory_figures *figures, struct bytes *out)
{
    if (memory_ratio(figures->peak, figures->used) > PEAK_RATIO)
        bytes_printf(out,
                     "* Peak: %s are in use, and it has been %s. The system may not have got back "
                     "what is free since then: its figure of the process may stay high. MEMORY "
                     "PURGE gives back what can be given.\n",
                     human(figures->used).text, human(figures->peak).text);
}

static void judge_allocator(const struct mem_allocator_stats *allocator, struct bytes *out)
{
    if (loses(allocator->active, allocator->allocated))
        bytes_printf(out,
                     "* Fragmentation: the allocator holds pages of %s for %s that are in use. It "
                     "fills the gaps as data comes; a restart ends it at once.\n",
                     human(allocator->active).text, human(allocator->allocated).text);
    if (loses(allocator->resident, allocator->active))
        bytes_printf(out,
                     "* Unused pages: the allocator keeps %s of memory for pages of %s that are in "
                     "use. It gives them back by and by, MEMORY PURGE does so now.\n",
                     human(allocator->resident).text, human(allocator->active).text);
}

static void judge_process(const struct memory_figures *figures, struct bytes *out)
{
    if (loses(figures->rss, figures->allocator.resident))
        bytes_printf(out,
                     "* Process: it takes %s, of which the allocator knows %s. The rest is program "
                     "code, stacks and what libraries ask for on their own.\n",
                     human(figures->rss).text, human(figures->allocator.resident).text);
}

static void judge_clients(const struct memory_figures *figures, struct bytes *out)
{
    if (figures->client_count && figures->clients / figures->client_count > CLIENT_BYTES)
        bytes_printf(out,
                     "* Clients: %zu of them hold %s. Look with CLIENT LIST (qbuf, omem) for those "
                     "that send or are sent much, or read slowly; client-output-buffer-limit cuts "
                     "them.\n",
                     figures->client_count, human(figures->clients).text);
}

void memory_doctor(const struct memory_figures *figures, struct bytes *out)
{
    if (figures->used < JUDGED_BYTES) {
        bytes_printf(out, "There is hardly any data here (%s in use): too little to judge by.\n",
                     human(figures->used).text);
        return;
    }
    size_t before = out->len;
    judge_peak(figures, out);
    judge_allocator(&figures->allocator, out);
    judge_process(figures, out);
    judge_clients(figures, out);
    if (out->len == before)
        bytes_printf(out, "Nothing is wrong: %s in use for %zu keys.\n", human(figures->used).text,
                     figures->keys);
}
