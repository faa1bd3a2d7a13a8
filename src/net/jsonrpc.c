#include "src/net/jsonrpc.h"

#include <string.h>

static bool is_space(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

/* --- whole messages ------------------------------------------------------ */

/* Where the string ends that `i` is in: at its closing quote, or at `len`. */
static size_t scan_string(struct jsonrpc_scanner *scanner, const char *text, size_t i, size_t len)
{
    for (; i < len; i++) {
        if (scanner->escaped)
            scanner->escaped = false;
        else if (text[i] == '\\')
            scanner->escaped = true;
        else if (text[i] == '"')
            break;
    }
    return i;
}

/* Looks at a character that is inside of the object and no deeper. False: no object may have it there. */
static bool scan_member(struct jsonrpc_scanner *scanner, char ch, size_t at)
{
    struct jsonrpc_member *last = scanner->n_members ? &scanner->members[scanner->n_members - 1] : NULL;

    if (ch == ':' && !scanner->in_value && last && !last->value) {
        last->value = at + 1;
        scanner->in_value = true;
        return true;
    }
    if ((ch == ',' || ch == '}') && scanner->in_value) {
        last->value_len = at - last->value;
        scanner->in_value = false;
        return true;
    }
    return scanner->in_value || is_space(ch) || (ch == '}' && !last);
}

/* A string begins: a name, if it is no value. */
static bool scan_name(struct jsonrpc_scanner *scanner, size_t at)
{
    if (scanner->depth != 1 || scanner->in_value)
        return true;
    if (scanner->n_members == JSONRPC_MEMBERS_MAX ||
        (scanner->n_members && !scanner->members[scanner->n_members - 1].value))
        return false;
    scanner->members[scanner->n_members++] = (struct jsonrpc_member){.name = at + 1};
    return true;
}

static void scan_name_end(struct jsonrpc_scanner *scanner, size_t at)
{
    if (scanner->depth != 1 || scanner->in_value)
        return;
    struct jsonrpc_member *last = &scanner->members[scanner->n_members - 1];
    last->name_len = at - last->name;
}

/* False: the message cannot go on like this. */
static bool scan_char(struct jsonrpc_scanner *scanner, char ch, size_t at)
{
    if (!scanner->depth && ch != '{' && !is_space(ch))
        return false;
    if (ch == '"') {
        scanner->in_string = true;
        return scan_name(scanner, at);
    }
    if (ch == '{' || ch == '[')
        return ++scanner->depth == 1 || scanner->depth > 2 || scanner->in_value;
    bool closes = ch == '}' || ch == ']';
    if (scanner->depth == 1 && !scan_member(scanner, ch, at))
        return false;
    if (closes)
        scanner->depth--;
    return !closes || scanner->depth || ch == '}';
}

ssize_t jsonrpc_scan(struct jsonrpc_scanner *scanner, const char *text, size_t len)
{
    size_t i = scanner->seen;

    for (; i < len; i++) {
        if (scanner->in_string) {
            i = scan_string(scanner, text, i, len);
            if (i == len)
                break;
            scanner->in_string = false;
            scan_name_end(scanner, i);
            continue;
        }
        char ch = text[i];
        /* Most of a large message is deep inside and of no interest. */
        if (scanner->depth > 1 && ch != '"' && ch != '{' && ch != '[' && ch != '}' && ch != ']')
            continue;
        if (!scan_char(scanner, ch, i))
            return -1;
        if (ch == '}' && !scanner->depth) {
            scanner->seen = i + 1;
            return (ssize_t)i + 1;
        }
    }
    scanner->seen = i;
    return 0;
}

const struct jsonrpc_member *jsonrpc_member(const struct jsonrpc_scanner *scanner, const char *text, const char *name)
{
    size_t len = strlen(name);

    for (unsigned i = 0; i < scanner->n_members; i++) {
        const struct jsonrpc_member *member = &scanner->members[i];
        if (member->name_len == len && !memcmp(text + member->name, name, len))
            return member;
    }
    return NULL;
}

/* --- values -------------------------------------------------------------- */

const char *jsonrpc_skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '"')
            return at + 1;
        if (*at == '\\')
            at++;
    }
    return NULL;
}

const char *jsonrpc_skip_value(const char *at, const char *end)
{
    int depth = 0;

    do {
        if (at >= end)
            return NULL;
        if (*at == '"') {
            if (!(at = skip_string(at, end)))
                return NULL;
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        if ((*at == '}' || *at == ']') && --depth < 0)
            return NULL;
        at++;
        /* A number, true, false or null ends where something else begins. */
        while (!depth && at < end && !strchr(",:{}[]\" \t\r\n", *at) && at[-1] != ']' && at[-1] != '}')
            at++;
    } while (depth);
    return at;
}
