// SPDX-License-Identifier: BSD-3-Clause
// Glob matching with one level of backtracking.
//
// Between two stars every pattern item takes exactly one byte of the text. So when the items behind
// a star have matched up to the next star, taking the earliest such place never loses a match, and
// no earlier star need be tried again: a mismatch only moves the last star on by one byte.
#include "base/glob.h"

#include <stdint.h>
#include <string.h>

// `at`..`end` is what is left of the pattern.
struct cursor {
    const unsigned char *at;
    const unsigned char *end;
    bool ignore_case;
};

static inline unsigned char fold(unsigned char c, bool ignore_case)
{
    return ignore_case && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

// Two things are as in Redis (on x86), where a byte is a signed char: bytes from 0x80 on sort before
// all others, and the ends change places before their case is folded.
static bool in_range(const struct cursor *p, unsigned char c, signed char from, signed char to)
{
    signed char low = from < to ? from : to;
    signed char high = from < to ? to : from;
    low = (signed char)fold((unsigned char)low, p->ignore_case);
    high = (signed char)fold((unsigned char)high, p->ignore_case);
    return (signed char)c >= low && (signed char)c <= high;
}

// Matches a byte with the class that `p` stands in, behind its '['. A class without its ']' goes on
// to the end of the pattern. Leaves `p` behind the class.
static bool match_class(struct cursor *p, unsigned char byte)
{
    unsigned char c = fold(byte, p->ignore_case);
    bool negated = p->at < p->end && *p->at == '^';
    bool found = false;
    p->at += negated;
    while (p->at < p->end && *p->at != ']') {
        size_t left = (size_t)(p->end - p->at);
        if (p->at[0] == '\\' && left >= 2) {
            // An escaped letter keeps its case here, as in Redis.
            found |= p->at[1] == byte;
            p->at += 2;
        } else if (left >= 3 && p->at[1] == '-') {
            found |= in_range(p, c, (signed char)p->at[0], (signed char)p->at[2]);
            p->at += 3;
        } else {
            found |= fold(p->at[0], p->ignore_case) == c;
            p->at++;
        }
    }
    if (p->at < p->end)
        p->at++;
    return found != negated;
}

// Matches one byte with the next item, which is not a star, and moves behind the item.
static bool match_item(struct cursor *p, unsigned char c)
{
    switch (*p->at) {
    case '?': p->at++; return true;
    case '[': p->at++; return match_class(p, c);
    case '\\':
        // At the end of the pattern it stands for itself.
        if (p->end - p->at >= 2)
            p->at++;
        break;
    default: break;
    }
    return fold(*p->at++, p->ignore_case) == fold(c, p->ignore_case);
}

bool glob_match(struct slice pattern, struct slice text, bool ignore_case)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    const unsigned char *end = at + text.len;
    struct cursor p = { .at = (const unsigned char *)pattern.ptr,
                        .end = (const unsigned char *)pattern.ptr + pattern.len,
                        .ignore_case = ignore_case };
    // Behind the last star, and what that star has not swallowed.
    const unsigned char *retry_pattern = NULL;
    const unsigned char *retry_text = NULL;

    // Not even a star matches the empty text, as in Redis.
    if (at == end)
        return pattern.len == 0;
    while (at < end) {
        if (p.at < p.end && *p.at == '*') {
            retry_pattern = ++p.at;
            retry_text = at;
            if (p.at == p.end)
                return true;
        } else if (p.at < p.end && match_item(&p, *at)) {
            at++;
        } else if (retry_pattern) {
            p.at = retry_pattern;
            at = ++retry_text;
        } else {
            return false;
        }
    }
    while (p.at < p.end && *p.at == '*')
        p.at++;
    return p.at == p.end;
}

size_t glob_literal_prefix(struct slice pattern)
{
    size_t len = 0;
    while (len < pattern.len && !memchr("*?[\\", pattern.ptr[len], 4))
        len++;
    return len;
}
