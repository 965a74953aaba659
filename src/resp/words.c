// SPDX-License-Identifier: BSD-3-Clause
// Splitting a line: see words.h.
#include "resp/words.h"

#include "resp/parser_internal.h"

enum status resp_split_words(char *line, size_t len, struct resp_argv *argv)
{
    switch (resp_split_inline(line, len, argv)) {
    case RESP_FAULT_NONE: return STATUS_OK;
    case RESP_FAULT_MEMORY: return STATUS_NOMEM;
    default: return STATUS_INVALID;
    }
}
