/* Where FTP's control connection says that a data connection will go (RFC 959: PORT, 227; RFC 2428: EPRT, 229). Pure
 * functions on the data of one segment, which may be anything. Any thread.
 */
#ifndef PMD_CT_FTP_H
#define PMD_CT_FTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FTP_LOOKED_AT 1024 /* octets of a segment; commands and replies are short */
#define FTP_TEXT_MAX 64

enum ftp_form {
    FTP_COMMAS,     /* h1,h2,h3,h4,p1,p2 */
    FTP_EXTENDED,   /* address|port, between delimiters */
    FTP_PORT_ALONE, /* port, between delimiters */
};

struct ftp_address {
    uint16_t at, len; /* of the text, in the data */
    uint16_t port;    /* host order; never 0 */
    uint8_t form;     /* enum ftp_form */
    bool ipv6;
    uint8_t delimiter;
    uint8_t address[16]; /* IPv4: the first 4 bytes; FTP_PORT_ALONE: none */
};

/* Finds the first line that says one: a command of the client's, or a reply of the server's. A line that is cut short
 * says none. */
bool ftp_find(const uint8_t *data, size_t len, bool from_server, struct ftp_address *found);

/* Writes the text that says another address and port, to replace the one that was found. Returns its length. */
size_t ftp_format(const struct ftp_address *found, const uint8_t *address, uint16_t port, char text[FTP_TEXT_MAX]);

#endif
