// SPDX-License-Identifier: BSD-3-Clause
// Texts of the status codes.
#include "base/status.h"

#define STATUS_TEXT(name, text) [name] = text,

const char *status_text(enum status status)
{
    static const char *const texts[] = { STATUS_LIST(STATUS_TEXT) };
    if ((unsigned)status >= sizeof texts / sizeof texts[0])
        return "unknown status";
    return texts[status];
}
