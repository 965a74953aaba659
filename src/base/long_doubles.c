// SPDX-License-Identifier: BSD-3-Clause
// Long doubles as text, as INCRBYFLOAT reads and prints them: see numbers.h.
#include "base/numbers.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool parse_long_double(struct slice text, long double *out)
{
    char copy[LONG_DOUBLE_TEXT_MAX];
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    // strtold() would skip what isspace() knows.
    if (text.ptr[0] == ' ' || (text.ptr[0] >= '\t' && text.ptr[0] <= '\r'))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *end;
    errno = 0;
    long double value = strtold(copy, &end);
    if (end != copy + text.len || isnan(value))
        return false;
    if (errno == ERANGE && (isinf(value) || value == 0))
        return false;
    *out = value;
    return true;
}

int format_long_double(char *out, long double value)
{
    char text[LONG_DOUBLE_TEXT_MAX];
    int len = snprintf(text, sizeof(text), "%.17Lf", value);
    while (len > 0 && text[len - 1] == '0')
        len--;
    if (len > 0 && text[len - 1] == '.')
        len--;
    if (len == 2 && text[0] == '-' && text[1] == '0') {
        text[0] = '0';
        len = 1;
    }
    memcpy(out, text, (size_t)len);
    return len;
}
