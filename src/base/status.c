/* SPDX-License-Identifier: MIT */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char sentence[1024];

elman_status el_fail(elman_status status, const char *format, ...)
{
    /* The arguments may point into the sentence that stands. */
    char next[sizeof sentence];
    va_list args;
    va_start(args, format);
    vsnprintf(next, sizeof next, format, args);
    va_end(args);
    memcpy(sentence, next, sizeof sentence);
    return status;
}

elman_status el_no_memory(void)
{
    return el_fail(ELMAN_ENOMEM, "memory ran out");
}

elman_status el_fail_in(elman_status status, const char *context)
{
    return el_fail(status, "%s: %s", context, sentence);
}

const char *elman_message(void)
{
    return sentence;
}

#define NAME(name, text) "ELMAN_" #name,
#define TEXT(name, text) text,

const char *elman_status_name(elman_status status)
{
    static const char *const names[] = {ELMAN_STATUS_TABLE(NAME)};
    const unsigned index = (unsigned)status;
    return index < ELMAN_STATUS_COUNT ? names[index] : "ELMAN_UNKNOWN";
}

const char *elman_status_text(elman_status status)
{
    static const char *const texts[] = {ELMAN_STATUS_TABLE(TEXT)};
    const unsigned index = (unsigned)status;
    return index < ELMAN_STATUS_COUNT ? texts[index] : "unknown status";
}

const char *elman_version(void)
{
#define STRING_(x) #x
#define STRING(x) STRING_(x)
    return STRING(ELMAN_VERSION_MAJOR) "." STRING(
        ELMAN_VERSION_MINOR) "." STRING(ELMAN_VERSION_PATCH);
}
