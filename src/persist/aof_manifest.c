// SPDX-License-Identifier: BSD-3-Clause
// The manifest of an append-only file: see aof_manifest.h.
#include "persist/aof_manifest.h"

#include "base/memory.h"
#include "base/numbers.h"
#include "base/panic.h"
#include "resp/words.h"

#include <limits.h>
#include <string.h>

// Redis takes 1,024; the longest name there can be, written as \xHH, has more.
#define LINE_MAX_BYTES 2048

// Numbers in names beyond this are not counted on from.
#define NAME_NUMBER_MAX (UINT64_C(1) << 53)

static void free_name(char *name)
{
    mem_free(name, strlen(name) + 1);
}

void aof_manifest_release(struct aof_manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++)
        free_name(manifest->files[i].name);
    mem_free(manifest->files, manifest->count * sizeof(*manifest->files));
    *manifest = (struct aof_manifest){ 0 };
}

bool aof_name_is_plain(struct slice name)
{
    return name.len > 0 && !memchr(name.ptr, '/', name.len) && !memchr(name.ptr, '\0', name.len) &&
           !slice_is(name, ".") && !slice_is(name, "..");
}

// The number in front of `mark` in a name, as in "appendonly.aof.7.incr.aof"; 0: it has none.
static uint64_t number_before(const char *name, const char *mark)
{
    uint64_t number;
    const char *end = strstr(name, mark);
    const char *at = end;
    while (at && at > name && at[-1] >= '0' && at[-1] <= '9')
        at--;
    bool is_number = at &&
                     parse_uint64((struct slice){ .ptr = at, .len = (size_t)(end - at) }, &number);
    return is_number && number <= NAME_NUMBER_MAX ? number : 0;
}

static void raise(uint64_t *highest, uint64_t seq)
{
    if (seq > *highest)
        *highest = seq;
}

// The manifest takes the name over.
static void insert(struct aof_manifest *manifest, size_t at, const struct aof_file *file)
{
    size_t bytes = manifest->count * sizeof(*file);
    manifest->files = mem_realloc(manifest->files, bytes, bytes + sizeof(*file));
    memmove(manifest->files + at + 1, manifest->files + at, (manifest->count - at) * sizeof(*file));
    manifest->files[at] = *file;
    manifest->count++;
    if (file->type != AOF_HISTORY)
        raise(file->type == AOF_BASE ? &manifest->base_seq : &manifest->incr_seq, file->seq);
    // A name that is taken is not given again, whatever stands beside it.
    raise(&manifest->base_seq, number_before(file->name, ".base."));
    raise(&manifest->incr_seq, number_before(file->name, ".incr."));
}

static void append(struct aof_manifest *manifest, const struct aof_file *file)
{
    insert(manifest, manifest->count, file);
}

static void remove_at(struct aof_manifest *manifest, size_t at)
{
    size_t bytes = manifest->count * sizeof(*manifest->files);
    manifest->count--;
    memmove(manifest->files + at, manifest->files + at + 1,
            (manifest->count - at) * sizeof(*manifest->files));
    if (manifest->count > 0) {
        manifest->files = mem_realloc(manifest->files, bytes, bytes - sizeof(*manifest->files));
        return;
    }
    mem_free(manifest->files, bytes);
    manifest->files = NULL;
}

const struct aof_file *aof_manifest_base(const struct aof_manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->files[i].type == AOF_BASE)
            return &manifest->files[i];
    }
    return NULL;
}

const struct aof_file *aof_manifest_last(const struct aof_manifest *manifest)
{
    const struct aof_file *last = NULL;
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->files[i].type == AOF_INCR)
            last = &manifest->files[i];
    }
    return last;
}

// --- Reading ------------------------------------------------------------------------------------

static bool is_known(const struct aof_manifest *manifest, struct slice name)
{
    for (size_t i = 0; i < manifest->count; i++) {
        if (slice_equal(slice_of(manifest->files[i].name), name))
            return true;
    }
    return false;
}

// NULL: the file fits in. Else the reason why not.
static const char *misfit(const struct aof_manifest *manifest, struct slice name, uint64_t seq,
                          char type)
{
    const struct aof_file *last = aof_manifest_last(manifest);
    if (!aof_name_is_plain(name))
        return "the file name is a path";
    if (name.len > NAME_MAX)
        return "the file name is too long";
    if (is_known(manifest, name))
        return "the file is named twice";
    if (type == AOF_BASE && aof_manifest_base(manifest))
        return "there are two base files";
    if (type == AOF_INCR && last && seq <= last->seq)
        return "the sequence numbers of the incremental files don't rise";
    return NULL;
}

// `words` are the line's. NULL, or the reason why it is refused.
static const char *take_line(struct aof_manifest *manifest, const struct slice *words, size_t count)
{
    struct slice name = { 0 };
    uint64_t seq = 0;
    char type = '\0';
    if (count % 2 != 0)
        return "the line is not made of names and values";
    for (size_t i = 0; i < count; i += 2) {
        struct slice value = words[i + 1];
        if (slice_is(words[i], "file")) {
            name = value;
        } else if (slice_is(words[i], "seq")) {
            if (!parse_uint64(value, &seq) || seq == 0 || seq > INT64_MAX)
                return "the sequence number is none";
        } else if (slice_is(words[i], "type")) {
            type = value.len == 1 ? value.ptr[0] : '?';
        }
        // Others may come with a later version.
    }
    if (!name.len || !seq || !type)
        return "file, seq or type is missing";
    if (!strchr("bih", type))
        return "the type is unknown";
    const char *reason = misfit(manifest, name, seq, type);
    if (reason)
        return reason;
    const struct aof_file file = {
        .name = mem_strndup(name.ptr, name.len),
        .seq = seq,
        .type = (enum aof_file_type)type,
    };
    append(manifest, &file);
    return NULL;
}

static const char *read_line(struct aof_manifest *manifest, struct slice line)
{
    struct resp_argv words = { 0 };
    char copy[LINE_MAX_BYTES];
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (line.len >= sizeof(copy))
        return "the line is too long";
    if (line.len > 0 && line.ptr[0] == '#')
        return NULL;
    memcpy(copy, line.ptr, line.len);
    copy[line.len] = '\0';
    const char *reason = "the quotes don't match";
    if (resp_split_words(copy, line.len, &words) == STATUS_OK)
        reason = words.len ? take_line(manifest, words.items, words.len) : "the line is empty";
    resp_argv_release(&words);
    return reason;
}

bool aof_manifest_parse(struct aof_manifest *manifest, struct slice text,
                        struct aof_manifest_error *error)
{
    *error = (struct aof_manifest_error){ .line = 1 };
    const char *end = text.ptr + text.len;
    for (const char *at = text.ptr; at < end && !error->reason; error->line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct slice line = { .ptr = at, .len = (size_t)((newline ? newline : end) - at) };
        // Written aside and renamed, it has no half lines.
        error->reason = newline ? read_line(manifest, line) : "the line has no end";
        if (error->reason)
            break;
        at = newline + 1;
    }
    if (!error->reason && manifest->count == 0)
        error->reason = "it names no file";
    if (error->reason)
        aof_manifest_release(manifest);
    return !error->reason;
}

// --- Writing ------------------------------------------------------------------------------------

static bool needs_quotes(const char *name)
{
    for (; *name; name++) {
        if (*name <= ' ' || *name > '~' || *name == '"' || *name == '\'' || *name == '\\')
            return true;
    }
    return false;
}

void aof_manifest_format(const struct aof_manifest *manifest, struct bytes *out)
{
    for (size_t i = 0; i < manifest->count; i++) {
        const struct aof_file *file = &manifest->files[i];
        bytes_append_text(out, "file ");
        if (needs_quotes(file->name))
            bytes_append_quoted(out, slice_of(file->name));
        else
            bytes_append_text(out, file->name);
        bytes_printf(out, " seq %llu type %c\n", (unsigned long long)file->seq, (char)file->type);
    }
}

void aof_manifest_copy(struct aof_manifest *to, const struct aof_manifest *from)
{
    *to = (struct aof_manifest){ 0 };
    for (size_t i = 0; i < from->count; i++) {
        struct aof_file file = from->files[i];
        file.name = mem_strndup(file.name, strlen(file.name));
        append(to, &file);
    }
    to->base_seq = from->base_seq;
    to->incr_seq = from->incr_seq;
}

// --- Changing -----------------------------------------------------------------------------------

static char *make_name(const char *stem, uint64_t seq, const char *suffix)
{
    struct bytes text = { 0 };
    bytes_printf(&text, "%s.%llu%s", stem, (unsigned long long)seq, suffix);
    char *name = mem_strndup(text.data, text.len);
    bytes_release(&text);
    return name;
}

const char *aof_manifest_add_incr(struct aof_manifest *manifest, const char *stem)
{
    uint64_t seq = manifest->incr_seq + 1;
    const struct aof_file file = {
        .name = make_name(stem, seq, ".incr.aof"),
        .seq = seq,
        .type = AOF_INCR,
    };
    append(manifest, &file);
    return file.name;
}

static size_t count_incrs(const struct aof_manifest *manifest)
{
    size_t count = 0;
    for (size_t i = 0; i < manifest->count; i++)
        count += manifest->files[i].type == AOF_INCR;
    return count;
}

const char *aof_manifest_add_base(struct aof_manifest *manifest, const char *stem, size_t keep,
                                  bool of_commands)
{
    uint64_t seq = manifest->base_seq + 1;
    size_t incrs = count_incrs(manifest);
    size_t old = incrs > keep ? incrs - keep : 0;
    for (size_t i = 0; i < manifest->count; i++) {
        struct aof_file *file = &manifest->files[i];
        bool is_old = file->type == AOF_BASE || (file->type == AOF_INCR && old > 0);
        old -= file->type == AOF_INCR && old > 0;
        if (is_old)
            file->type = AOF_HISTORY;
    }
    const struct aof_file base = {
        .name = make_name(stem, seq, of_commands ? ".base.aof" : ".base.rdb"),
        .seq = seq,
        .type = AOF_BASE,
    };
    insert(manifest, 0, &base);
    return base.name;
}

void aof_manifest_adopt_base(struct aof_manifest *manifest, const char *name)
{
    ASSERT(manifest->count == 0);
    const struct aof_file base = {
        .name = mem_strndup(name, strlen(name)),
        .seq = 1,
        .type = AOF_BASE,
    };
    append(manifest, &base);
}

bool aof_manifest_has_history(const struct aof_manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->files[i].type == AOF_HISTORY)
            return true;
    }
    return false;
}

void aof_manifest_drop_history(struct aof_manifest *manifest)
{
    for (size_t i = manifest->count; i-- > 0;) {
        if (manifest->files[i].type != AOF_HISTORY)
            continue;
        free_name(manifest->files[i].name);
        remove_at(manifest, i);
    }
}
