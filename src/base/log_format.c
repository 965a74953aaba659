// SPDX-License-Identifier: BSD-3-Clause
// One line of the log in its three forms: see log_format.h.
//
// The C library's localtime_r(), gmtime_r() and strftime() go through a lock for the time zone, which
// another thread may hold at the moment of a fork: the date is computed here instead.
#include "base/log_format.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DAY_S          86400
#define DAYS_400_YEARS 146097

// From 1 March of the year 0 to 1 January 1970.
#define DAYS_TO_1970 719468

#define REPLACEMENT "\\ufffd"

struct date {
    int year;
    int month;  // 0 to 11
    int day;
    int hour;
    int minute;
    int second;
    int ms;
};

// Years are counted from March here, so that the leap day is the last one of a year.
static struct date date_of(int64_t local_ms)
{
    int64_t seconds = local_ms / 1000 - (local_ms % 1000 < 0);
    int64_t days = seconds / DAY_S - (seconds % DAY_S < 0);
    int second_of_day = (int)(seconds - days * DAY_S);
    int64_t since = days + DAYS_TO_1970;
    int64_t era = since / DAYS_400_YEARS - (since % DAYS_400_YEARS < 0);
    int in_era = (int)(since - era * DAYS_400_YEARS);
    int year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int in_year = in_era - (365 * year + year / 4 - year / 100);
    int month = (5 * in_year + 2) / 153;
    return (struct date){
        .year = (int)(year + era * 400) + (month >= 10),
        .month = (month + 2) % 12,
        .day = in_year - (153 * month + 2) / 5 + 1,
        .hour = second_of_day / 3600,
        .minute = second_of_day / 60 % 60,
        .second = second_of_day % 60,
        .ms = (int)(local_ms - seconds * 1000),
    };
}

static struct date event_date(const struct log_event *event)
{
    return date_of(event->time_us / 1000 + (int64_t)event->zone_s * 1000);
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = { "debug", "verbose", "notice", "warning", "fatal" };
    return names[level];
}

static const char *role_name(char role)
{
    switch (role) {
    case 'M': return "primary";
    case 'S': return "replica";
    case 'C': return "child";
    case 'X': return "sentinel";
    default: return "unknown";
    }
}

// "2026-11-21T22:41:42.230+01:00"
static int format_iso_time(char *out, size_t room, const struct log_event *event)
{
    struct date date = event_date(event);
    int zone_min = (event->zone_s < 0 ? -event->zone_s : event->zone_s) / 60;
    return snprintf(out, room, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02d:%02d", date.year,
                    date.month + 1, date.day, date.hour, date.minute, date.second, date.ms,
                    event->zone_s < 0 ? '-' : '+', zone_min / 60, zone_min % 60);
}

// How many bytes the UTF-8 character at `at` takes; 0 if they are none: cut off, longer than needed, a
// surrogate, or beyond U+10FFFF.
static size_t utf8_len(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80)
        return 1;
    size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool beyond = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return overlong || beyond ? 0 : len;
}

// Writes an ASCII character as it stands in a JSON string; returns the length.
static size_t escape_ascii(char *out, unsigned char c)
{
    static const char shorts[] = "\"\"\\\\\nn\rr\tt\bb\ff";
    for (const char *pair = shorts; *pair; pair += 2) {
        if (c == (unsigned char)pair[0]) {
            out[0] = '\\';
            out[1] = pair[1];
            return 2;
        }
    }
    if (c < 0x20 || c == 0x7f)
        return (size_t)sprintf(out, "\\u%04x", c);
    out[0] = (char)c;
    return 1;
}

// The message in quotes, any bytes of it as valid JSON: what is no UTF-8 becomes U+FFFD.
static size_t quote(char *out, const char *message, size_t len)
{
    const unsigned char *from = (const unsigned char *)message;
    size_t at = 0;
    out[at++] = '"';
    for (size_t i = 0; i < len;) {
        size_t taken = utf8_len(from + i, len - i);
        if (taken == 1) {
            at += escape_ascii(out + at, from[i]);
        } else if (taken == 0) {
            memcpy(out + at, REPLACEMENT, sizeof REPLACEMENT - 1);
            at += sizeof REPLACEMENT - 1;
            taken = 1;
        } else {
            memcpy(out + at, from + i, taken);
            at += taken;
        }
        i += taken;
    }
    out[at++] = '"';
    return at;
}

// Whether logfmt takes the text without quotes.
static bool is_bare(const char *message, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)message[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return len > 0;
}

static size_t append(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    return len;
}

static size_t format_classic(char *out, const struct log_event *event)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char marks[] = { '.', '-', '*', '#', '#' };
    struct date date = event_date(event);
    int len = snprintf(out, LOG_LINE_MAX, "%d:%c %02d %.3s %04d %02d:%02d:%02d.%03d %c ",
                       event->pid, event->role, date.day, months + 3 * date.month, date.year,
                       date.hour, date.minute, date.second, date.ms, marks[event->level]);
    return (size_t)len + append(out + len, event->message, event->message_len);
}

static size_t format_json(char *out, const struct log_event *event)
{
    size_t len = append(out, "{\"time\":\"", 9);
    len += (size_t)format_iso_time(out + len, LOG_LINE_MAX - len, event);
    len += (size_t)snprintf(out + len, LOG_LINE_MAX - len,
                            "\",\"level\":\"%s\",\"pid\":%d,\"role\":\"%s\",\"message\":",
                            level_name(event->level), event->pid, role_name(event->role));
    len += quote(out + len, event->message, event->message_len);
    out[len++] = '}';
    return len;
}

static size_t format_logfmt(char *out, const struct log_event *event)
{
    size_t len = append(out, "time=", 5);
    len += (size_t)format_iso_time(out + len, LOG_LINE_MAX - len, event);
    len += (size_t)snprintf(out + len, LOG_LINE_MAX - len,
                            " level=%s pid=%d role=%s message=", level_name(event->level),
                            event->pid, role_name(event->role));
    return len + (is_bare(event->message, event->message_len)
                      ? append(out + len, event->message, event->message_len)
                      : quote(out + len, event->message, event->message_len));
}

size_t log_format_line(char *out, enum log_format format, const struct log_event *event)
{
    size_t len = 0;
    switch (format) {
    case LOG_CLASSIC: len = format_classic(out, event); break;
    case LOG_JSON: len = format_json(out, event); break;
    case LOG_LOGFMT: len = format_logfmt(out, event); break;
    }
    out[len++] = '\n';
    return len;
}
