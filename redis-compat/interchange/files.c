// SPDX-License-Identifier: BSD-3-Clause
// Files and folders that change hands: see files.h.
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define AOF_FOLDER "appendonlydir"

static void path_of(char path[PATH_BYTES], const char *dir, const char *name)
{
    if (snprintf(path, PATH_BYTES, "%s/%s", dir, name) >= PATH_BYTES)
        die("too long: %s/%s", dir, name);
}

void files_read(struct buffer *out, const char *dir, const char *name)
{
    char path[PATH_BYTES];
    path_of(path, dir, name);
    if (!buffer_read_file(out, path))
        die("%s: %s", path, strerror(errno));
}

void files_write(const char *dir, const char *name, struct span bytes)
{
    char path[PATH_BYTES];
    path_of(path, dir, name);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(bytes.ptr, 1, bytes.len, file) != bytes.len || fclose(file) != 0)
        die("%s: %s", path, strerror(errno));
}

static void copy_file(const char *from, const char *to, const char *name)
{
    struct buffer bytes = { 0 };
    files_read(&bytes, from, name);
    files_write(to, name, buffer_span(&bytes));
    buffer_release(&bytes);
}

static bool exists(const char *dir, const char *name)
{
    char path[PATH_BYTES];
    path_of(path, dir, name);
    return access(path, F_OK) == 0;
}

static void copy_aof_folder(const char *from, const char *to)
{
    char path[2][PATH_BYTES];
    path_of(path[0], from, AOF_FOLDER);
    path_of(path[1], to, AOF_FOLDER);
    DIR *dir = opendir(path[0]);
    if (!dir || mkdir(path[1], 0700) != 0)
        die("%s: %s", path[1], strerror(errno));
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            copy_file(path[0], path[1], entry->d_name);
    closedir(dir);
}

void files_copy(const char *from, char to[SERVER_DIR_MAX])
{
    servers_folder(to);
    if (exists(from, "dump.rdb"))
        copy_file(from, to, "dump.rdb");
    if (exists(from, "appendonly.aof"))
        copy_file(from, to, "appendonly.aof");
    if (exists(from, AOF_FOLDER))
        copy_aof_folder(from, to);
}

void files_find(const char *dir, const char *ending, char name[PATH_BYTES])
{
    char path[PATH_BYTES];
    path_of(path, dir, AOF_FOLDER);
    DIR *folder = opendir(path);
    if (!folder)
        die("%s: %s", path, strerror(errno));
    const struct dirent *entry;
    name[0] = '\0';
    while ((entry = readdir(folder)) != NULL) {
        size_t len = strlen(entry->d_name);
        if (len < strlen(ending) || strcmp(entry->d_name + len - strlen(ending), ending) != 0)
            continue;
        if (name[0])
            die("%s has several files *%s", path, ending);
        path_of(name, AOF_FOLDER, entry->d_name);
    }
    closedir(folder);
    if (!name[0])
        die("%s has no file *%s", path, ending);
}

static void read_pipe(int fd, struct buffer *output)
{
    char part[4096];
    ssize_t got;
    while ((got = read(fd, part, sizeof(part))) > 0)
        buffer_append(output, (struct span){ part, (size_t)got });
    close(fd);
}

int run_program(const char *const argv[], struct buffer *output)
{
    int ends[2];
    int status;
    if (pipe2(ends, O_CLOEXEC) != 0)
        die("pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        execvp(argv[0], (char *const *)argv);
        dprintf(2, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    close(ends[1]);
    read_pipe(ends[0], output);
    if (waitpid(pid, &status, 0) != pid)
        die("waitpid: %s", strerror(errno));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool checker_agrees(const char *program, const char *dir, const char *name, struct buffer *why)
{
    char path[PATH_BYTES];
    struct buffer output = { 0 };
    path_of(path, dir, name);
    bool ok = run_program((const char *const[]){ program, path, NULL }, &output) == 0;
    if (!ok)
        buffer_append(why, buffer_span(&output));
    buffer_release(&output);
    return ok;
}
