// SPDX-License-Identifier: BSD-3-Clause
// Micro-benchmark of src/resp: ns per parsed request and per written reply, minimum of many rounds.
//
//   bench_resp [ROUNDS]
#include "base/clock.h"
#include "base/memory.h"
#include "resp/parser.h"
#include "resp/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PIPELINE 256

static const struct resp_limits limits = { .max_bulk = 512 << 20,
                                           .max_multibulk = INT32_MAX,
                                           .authenticated = true };

static unsigned rounds = 2000;

// Keeps the optimiser from dropping what is measured.
static inline void use(const void *value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

static void report(const char *name, uint64_t best_us, unsigned repeats, unsigned count)
{
    printf("%-34s %8.2f ns\n", name, (double)best_us * 1000 / repeats / count);
}

// ---- parser -------------------------------------------------------------------------------------

static void request_begin(struct bytes *out, unsigned argc)
{
    bytes_printf(out, "*%u\r\n", argc);
}

static void request_arg(struct bytes *out, const char *data, size_t len)
{
    bytes_printf(out, "$%zu\r\n", len);
    bytes_append(out, data, len);
    bytes_append_text(out, "\r\n");
}

static void request_key(struct bytes *out, unsigned number)
{
    char key[32];
    request_arg(out, key, (size_t)snprintf(key, sizeof key, "key:%012u", number * 7919));
}

static void add_get(struct bytes *out, unsigned i)
{
    request_begin(out, 2);
    request_arg(out, "GET", 3);
    request_key(out, i);
}

static void add_set(struct bytes *out, unsigned i)
{
    request_begin(out, 3);
    request_arg(out, "SET", 3);
    request_key(out, i);
    request_arg(out, "0123456789abcdef", 16);
}

static void add_set_1k(struct bytes *out, unsigned i)
{
    static const char value[1024];
    request_begin(out, 3);
    request_arg(out, "SET", 3);
    request_key(out, i);
    request_arg(out, value, sizeof value);
}

static void add_mget(struct bytes *out, unsigned i)
{
    request_begin(out, 11);
    request_arg(out, "MGET", 4);
    for (unsigned k = 0; k < 10; k++)
        request_key(out, i * 10 + k);
}

// Lengths that no branch predictor learns.
static void add_mixed(struct bytes *out, unsigned i)
{
    static const char data[400];
    unsigned dice = i * 2654435761u;
    request_begin(out, 3);
    request_arg(out, "SET", 3);
    request_arg(out, data, 1 + (dice >> 8) % 30);
    request_arg(out, data, (dice >> 20) % 300);
}

// Without quotes: taking them off would change the request, which is parsed again and again.
static void add_inline(struct bytes *out, unsigned i)
{
    bytes_printf(out, "SET key:%012u 0123456789\r\n", i);
}

static void parse_pipeline(const struct bytes *requests, struct resp_argv *argv)
{
    struct resp_parser parser = { 0 };
    size_t at = 0;
    argv->len = 0;
    while (at < requests->len) {
        struct resp_command command;
        if (resp_parse(&parser, requests->data + at, requests->len - at, &limits, argv, &command) !=
            RESP_COMMAND)
            abort();
        at += command.consumed;
        use(&command);
    }
}

static void bench_parse(const char *name, void (*add)(struct bytes *, unsigned))
{
    enum { REPEATS = 20 };
    struct bytes requests = { 0 };
    struct resp_argv argv = { 0 };
    for (unsigned i = 0; i < PIPELINE; i++)
        add(&requests, i);
    uint64_t best_us = UINT64_MAX;
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t begin_us = clock_mono_us_now();
        for (unsigned repeat = 0; repeat < REPEATS; repeat++)
            parse_pipeline(&requests, &argv);
        uint64_t took_us = clock_mono_us_now() - begin_us;
        if (took_us < best_us)
            best_us = took_us;
    }
    report(name, best_us, REPEATS, PIPELINE);
    resp_argv_release(&argv);
    bytes_release(&requests);
}

// ---- writer -------------------------------------------------------------------------------------

static const char payload[4096];

static void write_ok(struct resp_writer *w, unsigned i)
{
    (void)i;
    resp_ok(w);
}

static void write_null(struct resp_writer *w, unsigned i)
{
    (void)i;
    resp_null(w);
}

static void write_int(struct resp_writer *w, unsigned i)
{
    resp_int(w, i & 63);
}

static void write_long_int(struct resp_writer *w, unsigned i)
{
    resp_int(w, 1700000000000 + i);
}

static void write_bulk_16(struct resp_writer *w, unsigned i)
{
    resp_bulk(w, payload + i, 16);
}

static void write_bulk_mixed(struct resp_writer *w, unsigned i)
{
    resp_bulk(w, payload, (i * 2654435761u >> 20) % 300);
}

static void write_bulk_1000(struct resp_writer *w, unsigned i)
{
    resp_bulk(w, payload + i, 1000);
}

static void write_array_3(struct resp_writer *w, unsigned i)
{
    resp_array(w, 3);
    resp_bulk(w, payload + i, 16);
    resp_bulk(w, payload + i, 5);
    resp_int(w, i);
}

static void write_deferred(struct resp_writer *w, unsigned i)
{
    struct resp_deferred deferred;
    resp_deferred_begin(w, &deferred);
    resp_bulk(w, payload + i, 16);
    resp_deferred_end(w, &deferred, resp_array, 1);
}

static void bench_write(const char *name, void (*write)(struct resp_writer *, unsigned))
{
    enum { REPEATS = 20 };
    struct outq_pool pool = { 0 };
    struct outq out;
    outq_init(&out, &pool);
    struct resp_writer writer = { .out = &out, .proto = 2 };
    uint64_t best_us = UINT64_MAX;
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t begin_us = clock_mono_us_now();
        for (unsigned repeat = 0; repeat < REPEATS; repeat++) {
            for (unsigned i = 0; i < PIPELINE; i++)
                write(&writer, i);
            outq_clear(&out);
        }
        uint64_t took_us = clock_mono_us_now() - begin_us;
        if (took_us < best_us)
            best_us = took_us;
    }
    report(name, best_us, REPEATS, PIPELINE);
    outq_pool_release(&pool);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = (unsigned)strtoul(argv[1], NULL, 10);
    mem_init();
    printf("pipelines of %d, minimum of %u rounds\n", PIPELINE, rounds);
    bench_parse("parse GET (2 arguments)", add_get);
    bench_parse("parse SET (3 arguments)", add_set);
    bench_parse("parse SET, value of 1,024 bytes", add_set_1k);
    bench_parse("parse SET, random lengths", add_mixed);
    bench_parse("parse MGET (11 arguments)", add_mget);
    bench_parse("parse inline SET", add_inline);
    bench_write("write OK", write_ok);
    bench_write("write null", write_null);
    bench_write("write integer, 1 or 2 digits", write_int);
    bench_write("write integer, 13 digits", write_long_int);
    bench_write("write bulk of 16", write_bulk_16);
    bench_write("write bulk of 0 to 299", write_bulk_mixed);
    bench_write("write bulk of 1,000", write_bulk_1000);
    bench_write("write array of 2 bulks and integer", write_array_3);
    bench_write("write deferred array of 1 bulk", write_deferred);
    return 0;
}
