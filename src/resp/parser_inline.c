// SPDX-License-Identifier: BSD-3-Clause
// Inline commands: one line of words, with quotes as in a shell, for people and health checks.
//
//   word     bytes up to a blank; a quote inside it begins a quoted part, which ends the word
//   "..."    \n \r \t \b \a, \xHH with two hexadecimal digits, \ before anything else is dropped
//   '...'    \' is a quote, any other \ stands for itself
//
// Behind a closing quote a blank or the line's end must follow. Blanks before a word are all of
// isspace(); only blank, tab and CR end an unquoted one. So a CR before the LF needs no care.
// A word without its quotes and escapes is never longer than with them: it is unescaped where it
// lies.
#include "resp/parser_internal.h"

struct line {
    char *at;
    const char *end;
    char *out;  // where the next byte of the word goes, never behind `at`
};

static inline bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool ends_word(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Takes what follows a backslash inside double quotes.
static void take_escape(struct line *line)
{
    char c = *line->at++;
    switch (c) {
    case 'n': c = '\n'; break;
    case 'r': c = '\r'; break;
    case 't': c = '\t'; break;
    case 'b': c = '\b'; break;
    case 'a': c = '\a'; break;
    case 'x':
        if (line->end - line->at >= 2 && hex_digit(line->at[0]) >= 0 &&
            hex_digit(line->at[1]) >= 0) {
            c = (char)(hex_digit(line->at[0]) * 16 + hex_digit(line->at[1]));
            line->at += 2;
        }
        break;
    default: break;
    }
    *line->out++ = c;
}

// Takes a quoted part from behind its opening quote. False: it does not end as it must.
static bool take_quoted(struct line *line, char quote)
{
    while (line->at < line->end) {
        char c = *line->at++;
        if (c == quote)
            return line->at == line->end || is_blank(*line->at);
        bool escape = c == '\\' && line->at < line->end;
        if (escape && quote == '"')
            take_escape(line);
        else if (escape && *line->at == '\'')
            *line->out++ = *line->at++;
        else
            *line->out++ = c;
    }
    return false;
}

// Takes a word; the first byte is not a blank. False: unbalanced quotes.
static bool take_word(struct line *line)
{
    line->out = line->at;
    while (line->at < line->end && !ends_word(*line->at)) {
        char c = *line->at++;
        if (c == '"' || c == '\'')
            return take_quoted(line, c);
        *line->out++ = c;
    }
    return true;
}

enum resp_fault resp_split_inline(char *text, size_t len, struct resp_argv *argv)
{
    struct line line = { .at = text, .end = text + len };
    for (;;) {
        while (line.at < line.end && is_blank(*line.at))
            line.at++;
        if (line.at == line.end)
            return RESP_FAULT_NONE;
        const char *word = line.at;
        if (!take_word(&line))
            return RESP_FAULT_QUOTES;
        if (!resp_argv_add(argv, word, (size_t)(line.out - word)))
            return RESP_FAULT_MEMORY;
    }
}
