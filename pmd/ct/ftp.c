#include "pmd/ct/ftp.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The rest of a line, which ends before `end`. */
struct line {
    const uint8_t *p, *end;
};

static bool is_digit(const struct line *line)
{
    return line->p < line->end && *line->p >= '0' && *line->p <= '9';
}

static bool take(struct line *line, uint8_t c)
{
    if (line->p == line->end || *line->p != c)
        return false;
    line->p++;
    return true;
}

static bool take_number(struct line *line, uint32_t max, uint32_t *number)
{
    if (!is_digit(line))
        return false;
    for (*number = 0; is_digit(line); line->p++) {
        *number = *number * 10 + (*line->p - '0');
        if (*number > max)
            return false;
    }
    return true;
}

static bool take_commas(struct line *line, struct ftp_address *found)
{
    uint32_t part[6];

    for (unsigned i = 0; i < 6; i++) {
        if ((i > 0 && !take(line, ',')) || !take_number(line, 255, &part[i]))
            return false;
    }
    for (unsigned i = 0; i < 4; i++)
        found->address[i] = (uint8_t)part[i];
    found->port = (uint16_t)(part[4] << 8 | part[5]);
    found->form = FTP_COMMAS;
    return true;
}

static bool take_delimiter(struct line *line, struct ftp_address *found)
{
    if (line->p == line->end || *line->p < 33 || *line->p > 126 || is_digit(line))
        return false;
    found->delimiter = *line->p++;
    return true;
}

static bool take_address(struct line *line, struct ftp_address *found)
{
    const uint8_t *end = memchr(line->p, found->delimiter, (size_t)(line->end - line->p));
    char text[INET6_ADDRSTRLEN];

    if (!end || end - line->p >= (ptrdiff_t)sizeof text)
        return false;
    memcpy(text, line->p, (size_t)(end - line->p));
    text[end - line->p] = '\0';
    line->p = end;
    return inet_pton(found->ipv6 ? AF_INET6 : AF_INET, text, found->address) == 1;
}

/* EPRT |1|132.235.1.2|6275| */
static bool take_extended(struct line *line, const uint8_t *data, struct ftp_address *found)
{
    uint32_t family, port;

    if (!take_delimiter(line, found) || !take_number(line, 2, &family) || family == 0 || !take(line, found->delimiter))
        return false;
    found->ipv6 = family == 2;
    found->at = (uint16_t)(line->p - data);
    if (!take_address(line, found) || !take(line, found->delimiter) || !take_number(line, UINT16_MAX, &port))
        return false;
    found->len = (uint16_t)(line->p - data - found->at);
    found->port = (uint16_t)port;
    found->form = FTP_EXTENDED;
    return take(line, found->delimiter);
}

/* 229 Entering Extended Passive Mode (|||6446|) */
static bool take_port_alone(struct line *line, const uint8_t *data, struct ftp_address *found)
{
    uint32_t port;

    line->p = memchr(line->p, '(', (size_t)(line->end - line->p));
    if (!line->p || !take(line, '(') || !take_delimiter(line, found) || !take(line, found->delimiter) ||
        !take(line, found->delimiter))
        return false;
    found->at = (uint16_t)(line->p - data);
    if (!take_number(line, UINT16_MAX, &port))
        return false;
    found->len = (uint16_t)(line->p - data - found->at);
    found->port = (uint16_t)port;
    found->form = FTP_PORT_ALONE;
    return take(line, found->delimiter);
}

/* The numbers of a 227 have parentheses around them, or not (RFC 1123, 4.1.2.6). */
static bool take_plain(struct line *line, const uint8_t *data, struct ftp_address *found)
{
    while (line->p < line->end && !is_digit(line))
        line->p++;
    found->at = (uint16_t)(line->p - data);
    if (!take_commas(line, found))
        return false;
    found->len = (uint16_t)(line->p - data - found->at);
    return true;
}

static bool begins(const struct line *line, const char *word)
{
    return line->end - line->p > (ptrdiff_t)strlen(word) && strncasecmp((const char *)line->p, word, strlen(word)) == 0;
}

static bool take_line(struct line line, const uint8_t *data, bool from_server, struct ftp_address *found)
{
    const bool extended = begins(&line, from_server ? "229 " : "EPRT ");

    memset(found, 0, sizeof *found);
    if (!extended && !begins(&line, from_server ? "227 " : "PORT "))
        return false;
    line.p += from_server ? 4 : 5;
    if (extended && from_server ? !take_port_alone(&line, data, found)
        : extended              ? !take_extended(&line, data, found)
                                : !take_plain(&line, data, found))
        return false;
    return found->port != 0;
}

bool ftp_find(const uint8_t *data, size_t len, bool from_server, struct ftp_address *found)
{
    const uint8_t *at = data, *end = data + (len < FTP_LOOKED_AT ? len : FTP_LOOKED_AT), *newline;

    for (; at < end && (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
        if (take_line((struct line){at, newline}, data, from_server, found))
            return true;
    }
    return false;
}

size_t ftp_format(const struct ftp_address *found, const uint8_t *address, uint16_t port, char text[FTP_TEXT_MAX])
{
    char words[INET6_ADDRSTRLEN];

    switch ((enum ftp_form)found->form) {
    case FTP_COMMAS:
        return (size_t)snprintf(text, FTP_TEXT_MAX, "%u,%u,%u,%u,%u,%u", address[0], address[1], address[2], address[3],
                                port >> 8, port & 0xff);
    case FTP_EXTENDED:
        inet_ntop(found->ipv6 ? AF_INET6 : AF_INET, address, words, sizeof words);
        return (size_t)snprintf(text, FTP_TEXT_MAX, "%s%c%u", words, found->delimiter, port);
    case FTP_PORT_ALONE:
        break;
    }
    return (size_t)snprintf(text, FTP_TEXT_MAX, "%u", port);
}
