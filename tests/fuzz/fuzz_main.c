// SPDX-License-Identifier: BSD-3-Clause
// Drives a fuzz target without libFuzzer: runs it on its seeds and on random mutations of them, so
// that every compiler with sanitizers can run it for a moment. The same arguments give the same run.
//
//   fuzz_NAME [-runs=N] [-seed=N] PATH...
//
// PATH is a file or a folder of files; each file is run as it is and in N mutations (1,000). When
// the target aborts, the input is left in a file, whose name is the last thing said; given as PATH
// with -runs=0 it repeats the finding.
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX (1 << 20)

// Room that mutations may add to a seed.
#define GROWTH_MAX 4096

struct input {
    uint8_t *data;
    size_t len;
    size_t cap;
};

struct options {
    unsigned long runs;
    uint64_t seed;
};

// For the report of a crash, which gets no argument.
static const struct input *current;

// ---- random -------------------------------------------------------------------------------------

// splitmix64 (Steele, Lea and Flood, 2014).
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static size_t below(uint64_t *state, size_t bound)
{
    return bound > 0 ? next_random(state) % bound : 0;
}

// ---- mutations ----------------------------------------------------------------------------------

// Puts `len` bytes in at `at`, as far as there is room.
static void insert(struct input *input, size_t at, const uint8_t *bytes, size_t len)
{
    if (len > input->cap - input->len)
        return;
    memmove(input->data + at + len, input->data + at, input->len - at);
    memcpy(input->data + at, bytes, len);
    input->len += len;
}

static void flip_bit(struct input *input, uint64_t *random)
{
    if (input->len > 0)
        input->data[below(random, input->len)] ^= (uint8_t)(1U << below(random, 8));
}

static void set_byte(struct input *input, uint64_t *random)
{
    if (input->len > 0)
        input->data[below(random, input->len)] = (uint8_t)next_random(random);
}

// Digits are where lengths and counts are: change one by a little.
static void change_digit(struct input *input, uint64_t *random)
{
    size_t start = below(random, input->len);
    for (size_t i = start; i < input->len; i++) {
        if (input->data[i] < '0' || input->data[i] > '9')
            continue;
        input->data[i] = (uint8_t)('0' + below(random, 10));
        return;
    }
}

static void insert_random(struct input *input, uint64_t *random)
{
    uint8_t bytes[16];
    size_t len = 1 + below(random, sizeof bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)next_random(random);
    insert(input, below(random, input->len + 1), bytes, len);
}

// Bytes that mean something to text protocols and number parsers.
static void insert_token(struct input *input, uint64_t *random)
{
    static const char *const tokens[] = { "\r\n",  "\n",   "\r", "*1\r\n", "$0\r\n", "$-1\r\n",
                                          "*-1\r", "\"",   "'",  "\\x",    "\\",     " ",
                                          "-",     "0",    "+",  "9999",   "32768",  "65536",
                                          "-9223", "\377", "%",  "[^a-z]", "*?*",    "e308" };
    const char *token = tokens[below(random, sizeof tokens / sizeof *tokens)];
    insert(input, below(random, input->len + 1), (const uint8_t *)token, strlen(token));
}

static void remove_part(struct input *input, uint64_t *random)
{
    size_t at = below(random, input->len);
    size_t len = below(random, below(random, 8) > 0 ? 8 : input->len) + 1;
    if (len > input->len - at)
        len = input->len - at;
    memmove(input->data + at, input->data + at + len, input->len - at - len);
    input->len -= len;
}

static void repeat_part(struct input *input, uint64_t *random)
{
    uint8_t part[256];
    size_t at = below(random, input->len);
    size_t len = below(random, sizeof part) + 1;
    if (len > input->len - at)
        len = input->len - at;
    memcpy(part, input->data + at, len);
    insert(input, below(random, input->len + 1), part, len);
}

static void cut_end(struct input *input, uint64_t *random)
{
    input->len = below(random, input->len + 1);
}

static void mutate(struct input *input, uint64_t *random)
{
    static void (*const kinds[])(struct input *, uint64_t *) = {
        flip_bit,     set_byte,    change_digit, insert_random,
        insert_token, remove_part, repeat_part,  cut_end,
    };
    size_t steps = 1 + below(random, 4);
    for (size_t i = 0; i < steps; i++)
        kinds[below(random, sizeof kinds / sizeof *kinds)](input, random);
}

// ---- running ------------------------------------------------------------------------------------

// Writes the input that was running into a file. Called while the process dies.
static void leave_input(void)
{
    char path[64];
    const struct input *input = current;
    if (!input)
        return;
    current = NULL;
    snprintf(path, sizeof path, "/tmp/fuzz-crash-%d", (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    bool whole = write(fd, input->data, input->len) == (ssize_t)input->len;
    close(fd);
    if (whole)
        fprintf(stderr, "the input is in %s\n", path);
}

static void on_signal(int number)
{
    leave_input();
    signal(number, SIG_DFL);
    raise(number);
}

// The sanitizers' own hook; they end the process without a signal.
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

// The target gets a copy of exactly the input's size, so that a sanitizer sees what it reads
// beyond it.
static void run(const struct input *input)
{
    uint8_t *copy = malloc(input->len ? input->len : 1);
    if (!copy)
        abort();
    memcpy(copy, input->data, input->len);
    current = input;
    LLVMFuzzerTestOneInput(copy, input->len);
    current = NULL;
    free(copy);
}

static bool read_file(const char *path, struct input *out)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return false;
    }
    out->data = malloc(INPUT_MAX + GROWTH_MAX);
    if (!out->data)
        abort();
    out->len = fread(out->data, 1, INPUT_MAX, file);
    out->cap = out->len + GROWTH_MAX;
    bool failed = ferror(file) != 0;
    if (failed)
        perror(path);
    fclose(file);
    return !failed;
}

static bool run_file(const char *path, const struct options *options)
{
    struct input seed = { 0 };
    if (!read_file(path, &seed)) {
        free(seed.data);
        return false;
    }
    struct input work = { .data = malloc(seed.cap), .cap = seed.cap };
    if (!work.data)
        abort();
    run(&seed);
    uint64_t random = options->seed ^ seed.len;
    for (unsigned long i = 0; i < options->runs; i++) {
        memcpy(work.data, seed.data, seed.len);
        work.len = seed.len;
        mutate(&work, &random);
        run(&work);
    }
    free(work.data);
    free(seed.data);
    return true;
}

static bool run_folder(const char *path, const struct options *options)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        perror(path);
        return false;
    }
    bool ok = true;
    for (int i = 0; i < count; i++) {
        char file[PATH_MAX];
        int len = snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && len < (int)sizeof file)
            ok = run_file(file, options) && ok;
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static bool run_path(const char *path, const struct options *options)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        perror(path);
        return false;
    }
    return S_ISDIR(info.st_mode) ? run_folder(path, options) : run_file(path, options);
}

int main(int argc, char **argv)
{
    struct options options = { .runs = 1000, .seed = 1 };
    bool ok = true;
    int paths = 0;
    LLVMFuzzerInitialize(&argc, &argv);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(leave_input);
    signal(SIGABRT, on_signal);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-runs=", 6) == 0) {
            options.runs = strtoul(argv[i] + 6, NULL, 10);
        } else if (strncmp(argv[i], "-seed=", 6) == 0) {
            options.seed = strtoull(argv[i] + 6, NULL, 10);
        } else {
            ok = run_path(argv[i], &options) && ok;
            paths++;
        }
    }
    if (paths == 0)
        fprintf(stderr, "usage: %s [-runs=N] [-seed=N] PATH...\n", argv[0]);
    return ok && paths > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
