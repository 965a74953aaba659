// SPDX-License-Identifier: BSD-3-Clause
// A case: commands that both servers get, and how their replies are judged. README.md has the format.
#pragma once

#include "pattern.h"
#include "words.h"

enum step_kind {
    STEP_COMMAND,  // sent and answered
    STEP_SEND,     // sent, not waited for
    STEP_RAW,      // bytes as they are
    STEP_READ,     // one more reply
    STEP_CLOSED,   // the server closes the connection
    STEP_SILENT,   // nothing comes
    STEP_UNTIL,    // sent again until the reply is the wanted one
    STEP_SCAN,     // sent with each new cursor until it is 0: all elements together
    STEP_DRAIN,    // all that comes before a message on a channel, which is published for it
};

enum expect_kind {
    EXPECT_SAME,     // the oracle's bytes
    EXPECT_PATTERN,  // ? id pattern
    EXPECT_LITERAL,  // 7.2 id "bytes"
    EXPECT_KIND,     // => kind
};

// What RESP2 and RESP3 expect stands in [0] and [1].
#define PROTOCOLS 2

struct expect {
    enum expect_kind kind;
    struct span id;                  // PATTERN, LITERAL; KIND if the oracle's is another kind
    struct pattern pattern;          // PATTERN
    struct span literal[PROTOCOLS];  // LITERAL
    struct span wanted_kind;         // KIND
};

// A value of a reply that later steps use as $(name).
struct save {
    struct span name;
    struct span field;  // the value of field= in the text
    long long element;  // the element of an array; -1: the whole
    bool swapped;       // each server gets what the other one replied
};

struct step {
    enum step_kind kind;
    int line;
    struct span connection;
    struct span source;  // the words, not yet split
    int pipeline;        // steps of one number are sent in one write; 0: alone
    long long replies;   // RAW: how many
    struct span wanted;  // UNTIL: the reply's text; DRAIN: the channel
    struct expect expect;
    struct save *saves;
    size_t save_count;
};

enum protocol_mode {
    PROTOCOL_BOTH,
    PROTOCOL_2,
    PROTOCOL_3,
    PROTOCOL_NONE,  // the case says HELLO itself, if at all
};

// "%covers COMMAND WHAT...": coverage that the runner cannot see.
struct covers {
    struct span command;  // lower case
    struct words what;
};

struct test_case {
    const char *file;
    struct span family;
    int line;
    struct span name;
    enum protocol_mode protocol;
    struct words options;  // for both servers
    bool fresh;            // servers of its own
    bool tcp;
    struct span stream;  // why the streams of effects differ; empty: they do not
    struct covers *covers;
    size_t covers_count;
    struct step *steps;
    size_t step_count;
};

struct case_list {
    struct test_case *items;
    size_t count;
    struct arena arena;
};

// Reads FOLDER/FAMILY/NAME.case of all families, in the order of their names. Ends the runner if a
// file has a mistake.
void cases_read(struct case_list *list, const char *folder);

// Reads FOLDER/FAMILY/NAME.case of one family.
void cases_read_family(struct case_list *list, const char *folder, const char *family);

// Reads one file.
void cases_read_file(struct case_list *list, const char *path, struct span family);
void cases_release(struct case_list *list);
