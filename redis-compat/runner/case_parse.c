// SPDX-License-Identifier: BSD-3-Clause
// Reads case files: see README.md for the format.
#include "case.h"
#include "kind.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct case_list *list;
    const char *path;
    int line;
    struct span family;
    struct test_case *current;  // NULL before the first
    int pipelines;              // so many begun in this case
    bool in_pipeline;
};

_Noreturn static void mistake(const struct reader *r, const char *what)
{
    die("%s:%d: %s", r->path, r->line, what);
}

static struct arena *arena_of(const struct reader *r)
{
    return &r->list->arena;
}

static struct words split(const struct reader *r, struct span line)
{
    struct words words;
    const char *error;
    if (!words_split(arena_of(r), line, NULL, &words, &error))
        mistake(r, error);
    return words;
}

// The words of a line, as one.
static struct span join(const struct reader *r, struct span line)
{
    struct words words = split(r, line);
    struct buffer joined = { 0 };
    for (size_t i = 0; i < words.count; i++)
        buffer_append(&joined, words.items[i]);
    struct span out = arena_copy(arena_of(r), buffer_span(&joined));
    buffer_release(&joined);
    return out;
}

static long long take_number(const struct reader *r, struct span *line)
{
    long long number;
    if (!span_int(span_take_word(line), &number) || number < 0)
        mistake(r, "a number is wanted");
    return number;
}

// --- What follows a command: indented lines -------------------------------------------------------

static void expect_once(const struct reader *r, struct expect *expect, enum expect_kind kind)
{
    if (expect->kind != EXPECT_SAME && expect->kind != kind)
        mistake(r, "a second expectation");
    expect->kind = kind;
}

// ? id pattern
static void read_pattern(const struct reader *r, struct span line, struct expect *expect)
{
    const char *error;
    expect_once(r, expect, EXPECT_PATTERN);
    expect->id = span_take_word(&line);
    if (!pattern_parse(arena_of(r), line, &expect->pattern, &error))
        mistake(r, error);
}

// 7.2 id "bytes", 7.2/2 id "bytes", 7.2/3 id "bytes"
static void read_literal(const struct reader *r, struct span word, struct span line,
                         struct expect *expect)
{
    expect_once(r, expect, EXPECT_LITERAL);
    expect->id = span_take_word(&line);
    struct span bytes = join(r, line);
    if (bytes.len == 0)
        mistake(r, "the bytes of the reply are wanted");
    if (!span_is(word, "7.2/3"))
        expect->literal[0] = bytes;
    if (!span_is(word, "7.2/2"))
        expect->literal[1] = bytes;
}

// => kind, => 7.2 id kind
static void read_kind(const struct reader *r, struct span line, struct expect *expect)
{
    const char *error;
    expect_once(r, expect, EXPECT_KIND);
    if (span_starts(line, "7.2 ")) {
        span_take_word(&line);
        expect->id = span_take_word(&line);
    }
    expect->wanted_kind = line;
    if (!kind_valid(line, &error))
        mistake(r, error);
}

// save name [element N] [field NAME] [swapped]
static void read_save(const struct reader *r, struct span line, struct step *step)
{
    struct save save = { .element = -1, .name = span_take_word(&line) };
    while (line.len > 0) {
        struct span word = span_take_word(&line);
        if (span_is(word, "element"))
            save.element = take_number(r, &line);
        else if (span_is(word, "field"))
            save.field = span_take_word(&line);
        else if (span_is(word, "swapped"))
            save.swapped = true;
        else
            mistake(r, "save name [element N] [field NAME] [swapped]");
    }
    step->saves = arena_grow(arena_of(r), step->saves, step->save_count, sizeof(save));
    step->saves[step->save_count++] = save;
}

static void read_attachment(const struct reader *r, struct span line)
{
    if (!r->current || r->current->step_count == 0)
        mistake(r, "an indented line belongs to the command before it");
    struct step *step = &r->current->steps[r->current->step_count - 1];
    struct span word = span_take_word(&line);
    if (span_is(word, "?"))
        read_pattern(r, line, &step->expect);
    else if (span_is(word, "7.2") || span_is(word, "7.2/2") || span_is(word, "7.2/3"))
        read_literal(r, word, line, &step->expect);
    else if (span_is(word, "=>"))
        read_kind(r, line, &step->expect);
    else if (span_is(word, "save"))
        read_save(r, line, step);
    else
        mistake(r, "an indented line begins with ?, 7.2, => or save");
}

// --- Steps --------------------------------------------------------------------------------------

static struct test_case *current_case(const struct reader *r)
{
    if (!r->current)
        mistake(r, "a case begins with === and its name");
    return r->current;
}

static struct step *add_step(const struct reader *r, enum step_kind kind, struct span connection)
{
    struct test_case *current = current_case(r);
    current->steps = arena_grow(arena_of(r), current->steps, current->step_count,
                                sizeof(*current->steps));
    struct step *step = &current->steps[current->step_count++];
    *step = (struct step){ .kind = kind, .line = r->line, .connection = connection };
    step->pipeline = r->in_pipeline ? r->pipelines : 0;
    return step;
}

static void set_source(const struct reader *r, struct step *step, struct span line)
{
    step->source = line;
    if (split(r, line).count == 0)
        mistake(r, "a command is wanted");
}

// "name> rest": takes the name off; main without one.
static struct span take_connection(struct span *line)
{
    struct span rest = *line;
    struct span word = span_take_word(&rest);
    if (word.len < 2 || word.ptr[word.len - 1] != '>' || rest.len == 0)
        return SPAN("main");
    *line = rest;
    return (struct span){ word.ptr, word.len - 1 };
}

// A %word that stands for a step; false: it is another.
static bool read_special(const struct reader *r, struct span connection, struct span line)
{
    static const struct {
        const char *word;
        enum step_kind kind;
    } kinds[] = {
        { "%send", STEP_SEND },     { "%raw", STEP_RAW },       { "%read", STEP_READ },
        { "%closed", STEP_CLOSED }, { "%silent", STEP_SILENT }, { "%until", STEP_UNTIL },
        { "%scan", STEP_SCAN },     { "%drain", STEP_DRAIN },
    };
    struct span word = span_take_word(&line);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (!span_is(word, kinds[i].word))
            continue;
        if (r->in_pipeline)
            mistake(r, "only commands may stand in a pipeline");
        struct step *step = add_step(r, kinds[i].kind, connection);
        if (step->kind == STEP_RAW)
            step->replies = take_number(r, &line);
        if (step->kind == STEP_UNTIL || step->kind == STEP_DRAIN)
            step->wanted = span_take_word(&line);
        if (step->kind == STEP_DRAIN && step->wanted.len == 0)
            mistake(r, "%drain CHANNEL");
        if (step->kind == STEP_SEND || step->kind == STEP_RAW || step->kind == STEP_UNTIL ||
            step->kind == STEP_SCAN)
            set_source(r, step, line);
        else if (line.len > 0)
            mistake(r, "more words than this takes");
        return true;
    }
    return false;
}

// --- What holds for the case ----------------------------------------------------------------------

static void read_protocol(const struct reader *r, struct span line)
{
    static const char *const words[] = { "both", "2", "3", "none" };
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (span_is(line, words[i])) {
            r->current->protocol = (enum protocol_mode)i;
            return;
        }
    }
    mistake(r, "%proto both, 2, 3 or none");
}

static void read_covers(const struct reader *r, struct span line)
{
    struct test_case *current = r->current;
    struct covers covers = { .command = span_take_word(&line), .what = split(r, line) };
    if (covers.what.count == 0)
        mistake(r, "%covers COMMAND WHAT...");
    current->covers = arena_grow(arena_of(r), current->covers, current->covers_count,
                                 sizeof(covers));
    current->covers[current->covers_count++] = covers;
}

static bool read_property(struct reader *r, struct span line)
{
    struct span word = span_take_word(&line);
    struct test_case *current = current_case(r);
    if (span_is(word, "%proto")) {
        read_protocol(r, line);
    } else if (span_is(word, "%server")) {
        current->fresh = true;
        current->options = split(r, line);
    } else if (span_is(word, "%fresh")) {
        current->fresh = true;
    } else if (span_is(word, "%tcp")) {
        current->fresh = current->tcp = true;
    } else if (span_is(word, "%stream")) {
        current->stream = arena_copy(arena_of(r), line);
        if (line.len == 0)
            mistake(r, "%stream ID");
    } else if (span_is(word, "%covers")) {
        read_covers(r, line);
    } else if (span_is(word, "%pipeline") && !r->in_pipeline) {
        r->in_pipeline = true;
        r->pipelines++;
    } else if (span_is(word, "%end") && r->in_pipeline) {
        r->in_pipeline = false;
    } else {
        return false;
    }
    return true;
}

// --- Files --------------------------------------------------------------------------------------

static void begin_case(struct reader *r, struct span name)
{
    struct case_list *list = r->list;
    if (r->in_pipeline)
        mistake(r, "%pipeline without %end");
    list->items = arena_grow(&list->arena, list->items, list->count, sizeof(*list->items));
    r->current = &list->items[list->count++];
    *r->current = (struct test_case){
        .file = r->path, .family = r->family, .line = r->line, .name = name
    };
    r->pipelines = 0;
    if (name.len == 0)
        mistake(r, "a case has a name");
}

static void read_step_line(const struct reader *r, struct span line)
{
    struct span connection = take_connection(&line);
    if (read_special(r, connection, line))
        return;
    if (span_starts(line, "%"))
        mistake(r, "no such directive");
    set_source(r, add_step(r, STEP_COMMAND, connection), line);
}

static void read_line(struct reader *r, struct span line)
{
    struct span trimmed = span_trim(line);
    if (trimmed.len == 0 || trimmed.ptr[0] == '#')
        return;
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
        read_attachment(r, trimmed);
    } else if (span_starts(line, "=== ")) {
        begin_case(r, span_trim((struct span){ line.ptr + 4, line.len - 4 }));
    } else if (line.ptr[0] != '%' || !read_property(r, trimmed)) {
        read_step_line(r, trimmed);
    }
}

void cases_read_file(struct case_list *list, const char *path, struct span family)
{
    struct buffer file = { 0 };
    struct span line;
    if (!buffer_read_file(&file, path))
        die("%s: %s", path, strerror(errno));
    struct span text = arena_copy(&list->arena, buffer_span(&file));
    buffer_release(&file);
    struct reader r = { .list = list, .family = arena_copy(&list->arena, family) };
    r.path = arena_text(&list->arena, span_of(path));
    while (span_next_line(&text, &line)) {
        r.line++;
        read_line(&r, line);
    }
    if (r.in_pipeline)
        mistake(&r, "%pipeline without %end");
    if (!r.current)
        mistake(&r, "no cases");
}

static int is_case_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && strcmp(entry->d_name + len - 5, ".case") == 0;
}

static int is_family(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

void cases_read_family(struct case_list *list, const char *folder, const char *family)
{
    struct dirent **entries;
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, family);
    int count = scandir(path, &entries, is_case_file, alphasort);
    if (count < 0)
        die("%s: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s/%s", folder, family, entries[i]->d_name);
        cases_read_file(list, path, span_of(family));
        free(entries[i]);
    }
    free(entries);
}

void cases_read(struct case_list *list, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_family, alphasort);
    if (count < 0)
        die("%s: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        cases_read_family(list, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

void cases_release(struct case_list *list)
{
    arena_release(&list->arena);
    *list = (struct case_list){ 0 };
}
