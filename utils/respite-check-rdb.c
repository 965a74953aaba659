// SPDX-License-Identifier: BSD-3-Clause
// respite-check-rdb: reads an RDB file as the server would, and says what is in it, or what is wrong where.
#include "check_rdb.h"

#include "server/server.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] = "Usage: respite-check-rdb FILE\n"
                            "\n"
                            "Reads an RDB file as respite-server would, and says what is in it: "
                            "the version, what the writer\n"
                            "says of itself, and for each database how many keys of which type and "
                            "encoding (the one they get\n"
                            "in memory), with how many bytes in the file, and how many expire. "
                            "Exits with 0 if the file is whole;\n"
                            "with 1 if it is damaged, or cannot be read: then the offset and what "
                            "was being read are said.\n"
                            "\n"
                            "       -h, --help\n"
                            "       -v, --version\n";

static bool check_file(const char *path)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &stat) != 0) {
        printf("%s: cannot be read: %m\n", path);
        if (fd >= 0)
            close(fd);
        return false;
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    uint64_t end;
    bool whole = check_rdb(fd, path, S_ISREG(stat.st_mode) ? (uint64_t)stat.st_size : UINT64_MAX,
                           &end);
    close(fd);
    if (whole)
        printf("%s is whole\n", path);
    return whole;
}

int main(int argc, char **argv)
{
    const char *word = argc == 2 ? argv[1] : "";
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(word, "-v") == 0 || strcmp(word, "--version") == 0) {
        puts("respite-check-rdb " RESPITE_VERSION);
        return EXIT_SUCCESS;
    }
    if (argc != 2 || *word == '-' || *word == '\0') {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    check_set_up();
    return check_file(word) ? EXIT_SUCCESS : EXIT_FAILURE;
}
