#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"

#include "src/match/key_value.h"

/* The first of `ends` that is not inside parentheses, or the end of the text. */
static char *skip_to(char *p, const char *ends)
{
    int depth = 0;

    for (; *p; p++) {
        if (depth == 0 && strchr(ends, *p))
            return p;
        if (*p == '(')
            depth++;
        else if (*p == ')' && depth > 0)
            depth--;
    }
    return p;
}

bool key_value_next(char **pos, char **key, char **value)
{
    static char none[] = "";
    char *p = *pos + strspn(*pos, ", \t\r\n"), *end;

    if (!*p)
        return false;
    *key = p;
    *value = none;
    p += strcspn(p, ":=(, \t\r\n");
    switch (*p) {
    case '(':
        *p++ = '\0';
        *value = p;
        end = skip_to(p, ")");
        if (*end)
            *end++ = '\0';
        break;
    case ':':
    case '=':
        *p++ = '\0';
        *value = p;
        end = skip_to(p, ", \t\r\n");
        if (*end)
            *end++ = '\0';
        break;
    default:
        end = p;
        if (*end)
            *end++ = '\0';
    }
    *pos = end;
    return true;
}

bool text_to_u64(const char *text, uint64_t max, uint64_t *number)
{
    unsigned long long v;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    v = strtoull(text, &end, 0);
    if (errno || *end || v > max)
        return false;
    *number = v;
    return true;
}

char *text_error(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        out_of_memory("rules, groups and meters", 0);
    va_end(args);
    return text;
}
