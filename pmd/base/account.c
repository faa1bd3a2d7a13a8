#include "pmd/base/account.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits up to `end`. The highest number means "as it is" to chown(). */
static bool take_number(const char *text, char end, uint32_t *number)
{
    unsigned long long value;
    char *rest;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    value = strtoull(text, &rest, 10);
    if (*rest != end || errno || value >= UINT32_MAX)
        return false;
    *number = (uint32_t)value;
    return true;
}

/* A line of either file: name, password and number, then what is not asked for, with colons between them. */
static bool is_line_of(const char *line, const char *name, uint32_t *number)
{
    const size_t length = strlen(name);
    const char *password_end;

    if (strncmp(line, name, length) != 0 || line[length] != ':')
        return false;
    password_end = strchr(line + length + 1, ':');
    return password_end && take_number(password_end + 1, ':', number);
}

static int find(const char *path, const char *text, uint32_t *number)
{
    char *line = NULL;
    bool found = false;
    size_t size = 0;
    FILE *file;

    if (take_number(text, '\0', number))
        return 0;
    if (text[0] == '\0' || !(file = fopen(path, "re")))
        return -ENOENT;
    while (!found && getline(&line, &size, file) > 0)
        found = is_line_of(line, text, number);
    free(line);
    fclose(file);
    return found ? 0 : -ENOENT;
}

int account_find_user(const char *text, uid_t *uid)
{
    return find("/etc/passwd", text, uid);
}

int account_find_group(const char *text, gid_t *gid)
{
    return find("/etc/group", text, gid);
}
