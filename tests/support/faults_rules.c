// SPDX-License-Identifier: BSD-3-Clause
// The rules of the preloaded library of disk faults: which call fails, and how. The grammar is told in faults.c.
#include "support/faults.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RULES_MAX 16
#define TEXT_MAX  4096
#define PATH_ROOM 128

enum kind { KIND_ANY, KIND_DIR, KIND_FILE };
enum who { WHO_ANY, WHO_PARENT, WHO_CHILD };

struct rule {
    unsigned calls;  // a bit each
    unsigned long long from;
    unsigned long long count;
    char path[PATH_ROOM];
    enum kind kind;
    enum who who;
    struct verdict verdict;
    unsigned long long seen;
};

static struct {
    pthread_mutex_t lock;
    struct rule rules[RULES_MAX];
    size_t count;
    unsigned calls;  // that any rule is for
    pid_t parent;
    const char *control_path;
    struct timespec control_mtime;
    off_t control_size;
    ino_t control_inode;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const struct {
    const char *name;
    unsigned calls;
} call_names[] = {
    { "write", 1u << CALL_WRITE },
    { "open", 1u << CALL_OPEN },
    { "fsync", 1u << CALL_FSYNC },
    { "fdatasync", 1u << CALL_FDATASYNC },
    { "sync", 1u << CALL_FSYNC | 1u << CALL_FDATASYNC },
    { "rename", 1u << CALL_RENAME },
    { "unlink", 1u << CALL_UNLINK },
    { "truncate", 1u << CALL_TRUNCATE },
    { "mkdir", 1u << CALL_MKDIR },
    { "any", (1u << CALL_COUNT) - 1 },
};

static const struct {
    const char *name;
    int error;
} error_names[] = {
    { "ENOSPC", ENOSPC }, { "EIO", EIO },       { "EDQUOT", EDQUOT }, { "EACCES", EACCES },
    { "EROFS", EROFS },   { "EMFILE", EMFILE }, { "ENOENT", ENOENT }, { "EINTR", EINTR },
    { "EINVAL", EINVAL }, { "EAGAIN", EAGAIN }, { "EPERM", EPERM },
};

// A rule that is not understood must not pass for one that never applies.
static _Noreturn void refuse(const char *what)
{
    fprintf(stderr, "faults: not understood: '%s'\n", what);
    abort();
}

static unsigned calls_of(const char *name)
{
    for (size_t i = 0; i < sizeof(call_names) / sizeof(*call_names); i++) {
        if (strcmp(name, call_names[i].name) == 0)
            return call_names[i].calls;
    }
    refuse(name);
}

static int error_of(const char *name)
{
    for (size_t i = 0; i < sizeof(error_names) / sizeof(*error_names); i++) {
        if (strcmp(name, error_names[i].name) == 0)
            return error_names[i].error;
    }
    refuse(name);
}

static unsigned long long number_of(const char *text)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || *end)
        refuse(text);
    return number;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void parse_part(struct rule *rule, const char *part)
{
    const char *value = strchr(part, '=');
    value = value ? value + 1 : "";
    if (begins(part, "from="))
        rule->from = number_of(value);
    else if (begins(part, "count="))
        rule->count = number_of(value);
    else if (begins(part, "path="))
        snprintf(rule->path, sizeof(rule->path), "%s", value);
    else if (strcmp(part, "dir") == 0)
        rule->kind = KIND_DIR;
    else if (strcmp(part, "file") == 0)
        rule->kind = KIND_FILE;
    else if (strcmp(part, "parent") == 0)
        rule->who = WHO_PARENT;
    else if (strcmp(part, "child") == 0)
        rule->who = WHO_CHILD;
    else if (begins(part, "error="))
        rule->verdict.error = error_of(value);
    else if (begins(part, "delay="))
        rule->verdict.delay_us = number_of(value);
    else if (strcmp(part, "short") == 0)
        rule->verdict.half = true;
    else if (strcmp(part, "nothing") == 0)
        rule->verdict.nothing = true;
    else
        refuse(part);
}

static void parse_rule(struct rule *rule, char *text)
{
    char *rest;
    const char *part = strtok_r(text, ":", &rest);
    *rule = (struct rule){ .from = 1, .count = ~0ULL };
    rule->calls = calls_of(part ? part : "");
    while ((part = strtok_r(NULL, ":", &rest)) != NULL)
        parse_part(rule, part);
}

// With the lock.
static void parse(char *text)
{
    char *rest;
    state.count = 0;
    state.calls = 0;
    for (char *one = strtok_r(text, ", \n", &rest); one; one = strtok_r(NULL, ", \n", &rest)) {
        if (state.count == RULES_MAX)
            refuse("too many rules");
        parse_rule(&state.rules[state.count], one);
        state.calls |= state.rules[state.count++].calls;
    }
}

// --- The control file ---------------------------------------------------------------------------

static bool control_is_as_it_was(const struct stat *info)
{
    return info->st_ino == state.control_inode && info->st_size == state.control_size &&
           info->st_mtim.tv_sec == state.control_mtime.tv_sec &&
           info->st_mtim.tv_nsec == state.control_mtime.tv_nsec;
}

// With the lock.
static void look_at_control(void)
{
    char text[TEXT_MAX];
    struct stat info;
    if (stat(state.control_path, &info) != 0 || control_is_as_it_was(&info))
        return;
    int fd = sys_open(state.control_path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (len < 0)
        return;
    text[len] = '\0';
    state.control_inode = info.st_ino;
    state.control_size = info.st_size;
    state.control_mtime = info.st_mtim;
    parse(text);
}

// --- Asking -------------------------------------------------------------------------------------

void rules_init(void)
{
    const char *given = getenv("FAULTS");
    state.parent = getpid();
    // A copy: redis-server writes its title over the environment.
    const char *control = getenv("FAULTS_CONTROL");
    state.control_path = control ? strdup(control) : NULL;
    if (!given)
        return;
    char text[TEXT_MAX];
    snprintf(text, sizeof(text), "%s", given);
    parse(text);
}

bool rules_want(enum call call)
{
    if (!state.control_path)
        return state.calls & 1u << call;
    int kept = errno;
    pthread_mutex_lock(&state.lock);
    look_at_control();
    bool wanted = state.calls & 1u << call;
    pthread_mutex_unlock(&state.lock);
    errno = kept;
    return wanted;
}

static bool applies(struct rule *rule, enum call call, const char *path, bool is_dir)
{
    if (!(rule->calls & 1u << call) || (rule->path[0] && !strstr(path, rule->path)) ||
        (rule->kind == KIND_DIR && !is_dir) || (rule->kind == KIND_FILE && is_dir))
        return false;
    bool is_parent = getpid() == state.parent;
    if ((rule->who == WHO_PARENT && !is_parent) || (rule->who == WHO_CHILD && is_parent))
        return false;
    rule->seen++;
    return rule->seen >= rule->from && rule->seen - rule->from < rule->count;
}

// Delays add up; of the rest the first rule that applies counts.
struct verdict rules_judge(enum call call, const char *path, bool is_dir)
{
    struct verdict verdict = { 0 };
    bool decided = false;
    pthread_mutex_lock(&state.lock);
    for (size_t i = 0; i < state.count; i++) {
        struct rule *rule = &state.rules[i];
        if (!applies(rule, call, path, is_dir))
            continue;
        verdict.delay_us += rule->verdict.delay_us;
        if (decided || !(rule->verdict.error || rule->verdict.nothing || rule->verdict.half))
            continue;
        decided = true;
        verdict.error = rule->verdict.error;
        verdict.nothing = rule->verdict.nothing;
        verdict.half = rule->verdict.half;
    }
    pthread_mutex_unlock(&state.lock);
    return verdict;
}

void rules_before_fork(void)
{
    pthread_mutex_lock(&state.lock);
}

void rules_after_fork(void)
{
    pthread_mutex_unlock(&state.lock);
}
