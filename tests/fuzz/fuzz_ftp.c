/* What is looked for in FTP's control connections, in any bytes. Input: who sends (first bit) and of which family the
 * new address is (second), a port (2 bytes), a segment. What is found lies in the segment; with another address and
 * port written in its place, these are found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/ct/ftp.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t address4[16] = {192, 0, 2, 255};
static const uint8_t address6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 1};

/* A copy, so that what reads too far is seen. */
static bool find(const uint8_t *data, size_t len, bool from_server, struct ftp_address *found)
{
    uint8_t *copy = malloc(len ? len : 1);
    bool result;

    CHECK(copy);
    memcpy(copy, data, len);
    result = ftp_find(copy, len, from_server, found);
    free(copy);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ftp_address found, again;
    char text[FTP_TEXT_MAX];
    const uint8_t *address;
    bool from_server;
    uint8_t *changed;
    uint16_t port;
    size_t n, len;

    if (size < 3)
        return 0;
    from_server = data[0] & 1;
    port = (uint16_t)(data[1] << 8 | data[2]);
    port = port ? port : 1;
    data += 3;
    size -= 3;
    if (!find(data, size, from_server, &found))
        return 0;
    CHECK(found.port != 0 && found.at + found.len <= size && found.at + found.len <= FTP_LOOKED_AT);
    address = found.ipv6 ? address6 : address4;
    n = ftp_format(&found, address, port, text);
    CHECK(n > 0 && n < FTP_TEXT_MAX);
    len = size - found.len + n;
    changed = malloc(len);
    CHECK(changed);
    memcpy(changed, data, found.at);
    memcpy(changed + found.at, text, n);
    memcpy(changed + found.at + n, data + found.at + found.len, size - found.at - found.len);
    if (len <= FTP_LOOKED_AT) {
        CHECK(find(changed, len, from_server, &again));
        CHECK(again.at == found.at && again.len == n && again.port == port && again.form == found.form);
        CHECK(found.form == FTP_PORT_ALONE || !memcmp(again.address, address, found.ipv6 ? 16 : 4));
    }
    free(changed);
    return 0;
}
