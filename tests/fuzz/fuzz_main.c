// SPDX-License-Identifier: BSD-3-Clause
// Drives a fuzz target without libFuzzer: runs it on its seeds and on random mutations of them, so
// that every compiler with sanitizers can run it for a moment. The same arguments give the same run.
//
//   fuzz_NAME [-runs=N] [-seed=N] PATH...
//
// PATH is a file or a folder of files; each file is run as it is and in N mutations (1,000). When
// the target ends the run, the input is left in a file, whose name is the last thing said; given as
// PATH with -runs=0 it repeats the finding.
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
    char **paths;  // ends with NULL
};

// What the child runs, for the parent to report: sanitizers end a process without a signal, too.
struct shared {
    bool running;
    size_t len;
    uint8_t data[INPUT_MAX + GROWTH_MAX];
};

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

// The target gets a copy of exactly the input's size, so that a sanitizer sees what it reads
// beyond it.
static void run(const struct input *input, struct shared *shared)
{
    uint8_t *copy = malloc(input->len ? input->len : 1);
    if (!copy)
        abort();
    memcpy(copy, input->data, input->len);
    memcpy(shared->data, input->data, input->len);
    shared->len = input->len;
    shared->running = true;
    LLVMFuzzerTestOneInput(copy, input->len);
    shared->running = false;
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

static bool run_file(const char *path, const struct options *options, struct shared *shared)
{
    struct input seed = { 0 };
    if (!read_file(path, &seed)) {
        free(seed.data);
        return false;
    }
    struct input work = { .data = malloc(seed.cap), .cap = seed.cap };
    if (!work.data)
        abort();
    run(&seed, shared);
    uint64_t random = options->seed ^ seed.len;
    for (unsigned long i = 0; i < options->runs; i++) {
        memcpy(work.data, seed.data, seed.len);
        work.len = seed.len;
        mutate(&work, &random);
        run(&work, shared);
    }
    free(work.data);
    free(seed.data);
    return true;
}

static bool run_folder(const char *path, const struct options *options, struct shared *shared)
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
            ok = run_file(file, options, shared) && ok;
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static bool run_paths(const struct options *options, struct shared *shared)
{
    bool ok = true;
    for (char **path = options->paths; *path; path++) {
        struct stat info;
        if (stat(*path, &info) != 0) {
            perror(*path);
            ok = false;
        } else if (S_ISDIR(info.st_mode)) {
            ok = run_folder(*path, options, shared) && ok;
        } else {
            ok = run_file(*path, options, shared) && ok;
        }
    }
    return ok;
}

// Writes the input that ended the child into a file.
static void report(const struct shared *shared)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/fuzz-finding-%d", (int)getpid());
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        return;
    }
    fwrite(shared->data, 1, shared->len, file);
    if (fclose(file) != 0)
        perror(path);
    else
        fprintf(stderr, "the input that ended the run is in %s\n", path);
}

// Runs everything in a child process. True: it came to its end, and every path could be read.
static bool run_child(const struct options *options)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        abort();
    pid_t child = fork();
    if (child < 0)
        abort();
    if (child == 0)
        exit(run_paths(options, shared) ? EXIT_SUCCESS : EXIT_FAILURE);
    int status;
    if (waitpid(child, &status, 0) != child)
        abort();
    if (shared->running)
        report(shared);
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options options = { .runs = 1000, .seed = 1, .paths = argv + 1 };
    LLVMFuzzerInitialize(&argc, &argv);
    for (; *options.paths && **options.paths == '-'; options.paths++) {
        const char *option = *options.paths;
        if (strncmp(option, "-runs=", 6) == 0)
            options.runs = strtoul(option + 6, NULL, 10);
        else if (strncmp(option, "-seed=", 6) == 0)
            options.seed = strtoull(option + 6, NULL, 10);
        else
            break;
    }
    if (!*options.paths) {
        fprintf(stderr, "usage: %s [-runs=N] [-seed=N] PATH...\n", argv[0]);
        return EXIT_FAILURE;
    }
    return run_child(&options) ? EXIT_SUCCESS : EXIT_FAILURE;
}
