#include "src/net/target.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const char *tail_after(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static int parse_port(const char *text, size_t len)
{
    int port = 0;

    if (len == 0 || len > 5)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -EINVAL;
        port = port * 10 + (text[i] - '0');
    }
    return port >= 1 && port <= 65535 ? port : -EINVAL;
}

static int parse_ip(const char *text, size_t len, int port, struct config_target *target)
{
    struct sockaddr_in *in4 = (struct sockaddr_in *)&target->address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&target->address;
    char ip[INET6_ADDRSTRLEN];
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (brackets) {
        text++;
        len -= 2;
    }
    if (len >= sizeof ip)
        return -EINVAL;
    memcpy(ip, text, len);
    ip[len] = '\0';

    if (brackets && inet_pton(AF_INET6, ip, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        target->address_len = sizeof *in6;
        return 0;
    }
    if (!brackets && inet_pton(AF_INET, ip, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
        in4->sin_port = htons(port);
        target->address_len = sizeof *in4;
        return 0;
    }
    return -EINVAL;
}

static int parse_unix(const char *path, struct config_target *target, char *why, size_t why_size)
{
    struct sockaddr_un *sun = (struct sockaddr_un *)&target->address;
    size_t len = strlen(path);

    if (path[0] != '/') {
        snprintf(why, why_size, "needs an absolute path, such as %s",
                 target->passive ? "punix:/run/br0.sock" : "unix:/run/controller.sock");
        return -EINVAL;
    }
    if (len >= sizeof sun->sun_path) {
        snprintf(why, why_size, "has a path of %zu bytes, a Unix socket takes at most %zu: use a shorter one", len,
                 sizeof sun->sun_path - 1);
        return -EINVAL;
    }
    sun->sun_family = AF_UNIX;
    memcpy(sun->sun_path, path, len + 1);
    target->address_len = sizeof *sun;
    return 0;
}

/* IP[:PORT], what to connect to; `port` is the usual one. */
static int parse_active(const char *text, int port, struct config_target *target, char *why, size_t why_size)
{
    size_t ip_len = text[0] == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":");
    const int usual = port;
    const char *scheme = target->tls ? "ssl" : "tcp";

    if (ip_len > strlen(text))
        ip_len = strlen(text);
    if (text[ip_len] == ':')
        port = parse_port(text + ip_len + 1, strlen(text + ip_len + 1));
    else if (text[ip_len] != '\0')
        port = -EINVAL;
    if (port < 0) {
        snprintf(why, why_size, "needs a TCP port from 1 to 65535 at its end, as in %s:127.0.0.1:%d or %s:[::1]:%d",
                 scheme, usual, scheme, usual);
        return -EINVAL;
    }
    if (parse_ip(text, ip_len, port, target) != 0) {
        snprintf(why, why_size,
                 "needs an IP address (host names are not looked up, IPv6 goes in brackets), as in "
                 "%s:127.0.0.1:%d or %s:[::1]:%d",
                 scheme, usual, scheme, usual);
        return -EINVAL;
    }
    return 0;
}

/* PORT[:IP], where to listen. */
static int parse_passive(const char *text, struct config_target *target, char *why, size_t why_size)
{
    size_t port_len = strcspn(text, ":");
    int port = parse_port(text, port_len);
    const char *ip = text[port_len] == ':' ? text + port_len + 1 : "0.0.0.0";
    const char *scheme = target->tls ? "pssl" : "ptcp";

    if (port < 0) {
        snprintf(why, why_size, "needs a TCP port from 1 to 65535 at its start, as in %s:6654:127.0.0.1", scheme);
        return -EINVAL;
    }
    if (parse_ip(ip, strlen(ip), port, target) != 0) {
        snprintf(why, why_size,
                 "needs an IP address (IPv6 in brackets) or nothing behind the port, as in "
                 "%s:6654:127.0.0.1 or %s:6654:[::1]",
                 scheme, scheme);
        return -EINVAL;
    }
    return 0;
}

/* One of the three kinds to connect to. Returns 1 if `text` is none of them. */
static int parse_remote(const char *text, int port, struct config_target *target, char *why, size_t why_size)
{
    const char *tail;

    if ((tail = tail_after(text, "tcp:")))
        return parse_active(tail, port, target, why, why_size);
    if ((tail = tail_after(text, "ssl:"))) {
        target->tls = true;
        return parse_active(tail, port, target, why, why_size);
    }
    if ((tail = tail_after(text, "unix:")))
        return parse_unix(tail, target, why, why_size);
    return 1;
}

int config_target_parse_remote(const char *text, int port, struct config_target *target, char *why, size_t why_size)
{
    memset(target, 0, sizeof *target);
    why[0] = '\0';
    int rc = parse_remote(text, port, target, why, why_size);
    if (rc <= 0)
        return rc;
    snprintf(why, why_size, "must be tcp:IP[:PORT], ssl:IP[:PORT] or unix:PATH");
    return -EINVAL;
}

int config_target_parse(const char *text, bool passive, struct config_target *target, char *why, size_t why_size)
{
    const char *tail;

    memset(target, 0, sizeof *target);
    target->passive = passive;
    why[0] = '\0';

    if (passive) {
        if ((tail = tail_after(text, "pssl:"))) {
            target->tls = true;
            return parse_passive(tail, target, why, why_size);
        }
        if ((tail = tail_after(text, "ptcp:")))
            return parse_passive(tail, target, why, why_size);
        if ((tail = tail_after(text, "punix:")))
            return parse_unix(tail, target, why, why_size);
        if (tail_after(text, "tcp:") || tail_after(text, "ssl:") || tail_after(text, "unix:"))
            snprintf(why, why_size, "is an address to connect to: put it in \"controllers\", or write p%s to listen",
                     text[0] == 't'   ? "tcp:PORT[:IP]"
                     : text[0] == 's' ? "ssl:PORT[:IP]"
                                      : "unix:PATH");
        else
            snprintf(why, why_size, "must be ptcp:PORT[:IP], pssl:PORT[:IP] or punix:PATH");
        return -EINVAL;
    }
    int rc = parse_remote(text, CONFIG_TARGET_PORT, target, why, why_size);
    if (rc <= 0)
        return rc;
    if (tail_after(text, "ptcp:") || tail_after(text, "pssl:") || tail_after(text, "punix:"))
        snprintf(why, why_size, "is an address to listen on: put it in \"listen\"");
    else
        snprintf(why, why_size, "must be tcp:IP[:PORT], ssl:IP[:PORT] or unix:PATH");
    return -EINVAL;
}
