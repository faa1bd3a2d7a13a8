#include "src/config/format.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pmd/base/account.h"
#include "src/net/target.h"

/* IFNAMSIZ, with the terminator. */
#define NAME_SIZE 16
/* As many as a file's name has: what OVS takes. */
#define PORT_NAME_BYTES 255
/* The paths of its sockets must not be longer than 107 bytes, which is checked where run_dir is known. */
#define BRIDGE_NAME_CHARACTERS 100

static int check_bridge_name(const char *value, char *why, size_t why_size)
{
    size_t len = strlen(value);

    if (len == 0 || len > BRIDGE_NAME_CHARACTERS) {
        snprintf(why, why_size, "must have 1 to %d characters, not %zu", BRIDGE_NAME_CHARACTERS, len);
        return -EINVAL;
    }
    for (const char *c = value; *c; c++) {
        if (isalnum((unsigned char)*c) || (c > value && strchr("._-", *c)))
            continue;
        snprintf(why, why_size,
                 "must start with a letter or a digit and go on with letters, digits, \".\", \"_\" or \"-\"");
        return -EINVAL;
    }
    return 0;
}

/* ovs-ofctl takes a port's name or number or one of OpenFlow's reserved ports in the same place. */
static int check_port_name(const char *value, char *why, size_t why_size)
{
    static const char *const reserved[] = {"in_port",    "table", "normal", "flood", "all",
                                           "controller", "local", "none",   "any",   "unset"};
    size_t len = strlen(value);

    if (len == 0 || len > PORT_NAME_BYTES) {
        snprintf(why, why_size, "must have 1 to %d bytes, not %zu", PORT_NAME_BYTES, len);
        return -EINVAL;
    }
    if (strchr(value, '/')) {
        snprintf(why, why_size, "must not contain a \"/\"");
        return -EINVAL;
    }
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strcasecmp(value, reserved[i]) == 0) {
            snprintf(why, why_size, "is a reserved port of OpenFlow: choose another name");
            return -EINVAL;
        }
    }
    if (strspn(value, "0123456789") == strlen(value)) {
        snprintf(why, why_size, "reads as a port number in rules: put a letter into the name");
        return -EINVAL;
    }
    return 0;
}

static int check_ifname(const char *value, char *why, size_t why_size)
{
    size_t len = strlen(value);

    if (len == 0 || len >= NAME_SIZE) {
        snprintf(why, why_size, "must have 1 to %d characters, the limit of the kernel, not %zu", NAME_SIZE - 1, len);
        return -EINVAL;
    }
    if (strcmp(value, ".") == 0 || strcmp(value, "..") == 0) {
        snprintf(why, why_size, "is no name the kernel takes: choose another");
        return -EINVAL;
    }
    for (const char *c = value; *c; c++) {
        if (isgraph((unsigned char)*c) && !strchr("/:%,=", *c))
            continue;
        snprintf(why, why_size, "must not contain spaces, non-ASCII characters or any of / : %% , =");
        return -EINVAL;
    }
    return 0;
}

static int check_absolute(const char *value, size_t max, char *why, size_t why_size)
{
    size_t len = strlen(value);

    if (value[0] != '/') {
        snprintf(why, why_size, "must be an absolute path: start it with \"/\"");
        return -EINVAL;
    }
    if (len > max) {
        snprintf(why, why_size, "has %zu bytes, at most %zu fit into a %s: use a shorter path", len, max,
                 max <= CONFIG_SOCKET_PATH_MAX ? "socket address" : "file name");
        return -EINVAL;
    }
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            snprintf(why, why_size, "must not contain control characters");
            return -EINVAL;
        }
    }
    return 0;
}

static int check_directory(const char *value, char *why, size_t why_size)
{
    if (value[0] == '/' && value[strlen(value) - 1] == '/') {
        snprintf(why, why_size, "must name a directory below \"/\", without a slash at the end");
        return -EINVAL;
    }
    return check_absolute(value, CONFIG_SOCKET_PATH_MAX - strlen("/sluiced.ctl"), why, why_size);
}

static int check_file(const char *value, char *why, size_t why_size)
{
    return check_absolute(value, PATH_MAX - 1, why, why_size);
}

static int check_file_mode(const char *value, char *why, size_t why_size)
{
    const size_t len = strlen(value);

    if (strspn(value, "01234567") != len || len < 3 || len > 4 || (len == 4 && value[0] != '0'))
        snprintf(why, why_size, "must be three octal digits, such as \"660\"");
    else if (!(strtoul(value, NULL, 8) & 0222))
        snprintf(why, why_size, "lets nobody connect, which takes the permission of writing: give \"600\" or more");
    else
        return 0;
    return -EINVAL;
}

static int check_user(const char *value, char *why, size_t why_size)
{
    uid_t uid;

    if (account_find_user(value, &uid) == 0)
        return 0;
    snprintf(why, why_size, "is no user in /etc/passwd: create it, or give the number of one");
    return -EINVAL;
}

static int check_group(const char *value, char *why, size_t why_size)
{
    gid_t gid;

    if (account_find_group(value, &gid) == 0)
        return 0;
    snprintf(why, why_size, "is no group in /etc/group: create it, or give the number of one");
    return -EINVAL;
}

/* The path goes into the devargs of DPDK's vhost driver, where a comma ends it. */
static int check_socket_path(const char *value, char *why, size_t why_size)
{
    if (check_absolute(value, CONFIG_SOCKET_PATH_MAX, why, why_size) != 0)
        return -EINVAL;
    if (strpbrk(value, ",[]")) {
        snprintf(why, why_size, "must not contain a comma or brackets, which DPDK gives a meaning");
        return -EINVAL;
    }
    if (value[strlen(value) - 1] == '/') {
        snprintf(why, why_size, "must name a socket, not a directory: add a file name");
        return -EINVAL;
    }
    return 0;
}

static int check_text(const char *value, const char *empty, char *why, size_t why_size)
{
    if (value[0] == '\0') {
        snprintf(why, why_size, "must not be empty: %s", empty);
        return -EINVAL;
    }
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            snprintf(why, why_size, "must not contain control characters");
            return -EINVAL;
        }
    }
    return 0;
}

static int check_devargs(const char *value, char *why, size_t why_size)
{
    if (check_text(value, "give a PCI address such as 0000:01:00.0 or a vdev such as net_pcap0,rx_pcap=in.pcap", why,
                   why_size) != 0)
        return -EINVAL;
    if (!isalnum((unsigned char)value[0])) {
        snprintf(why, why_size,
                 "must start with a device: a PCI address such as 0000:01:00.0 or a vdev such as net_pcap0");
        return -EINVAL;
    }
    return 0;
}

static int check_eal_arg(const char *value, char *why, size_t why_size)
{
    static const struct {
        const char *option;
        const char *instead;
    } taken[] = {
        {"-c", "set pmd.cores and control.core"},
        {"-l", "set pmd.cores and control.core"},
        {"--lcores", "set pmd.cores and control.core"},
        {"-s", "set pmd.cores and control.core"},
        {"-S", "set pmd.cores and control.core"},
        {"--main-lcore", "set control.core"},
        {"--no-huge", "set dpdk.hugepages to false"},
        {"--proc-type", "leave it out, Sluice is always the primary process"},
        {"--help", "leave it out"},
        {"-h", "leave it out"},
        {"-v", "leave it out"},
        {"--version", "leave it out"},
        {"--", "leave it out"},
    };

    if (check_text(value, "leave it out", why, why_size) != 0)
        return -EINVAL;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        size_t len = strlen(taken[i].option);
        bool is_long = taken[i].option[1] == '-';

        if (strncmp(value, taken[i].option, len) != 0)
            continue;
        if (is_long && value[len] != '\0' && (value[len] != '=' || len == 2))
            continue;
        snprintf(why, why_size, "is not for you to pass: %s", taken[i].instead);
        return -EINVAL;
    }
    return 0;
}

static int check_controller(const char *value, char *why, size_t why_size)
{
    struct config_target target;

    return config_target_parse(value, false, &target, why, why_size);
}

static int check_database(const char *value, char *why, size_t why_size)
{
    struct config_target target;

    return config_target_parse_remote(value, 6640, &target, why, why_size);
}

unsigned config_parse_protocol(const char *text)
{
    static const struct {
        const char *name;
        unsigned version;
    } protocols[] = {{"OpenFlow10", 1}, {"OpenFlow13", 4}, {"OpenFlow14", 5}, {"OpenFlow15", 6}};

    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        if (!strcmp(protocols[i].name, text))
            return protocols[i].version;
    return 0;
}

static int check_protocol(const char *value, char *why, size_t why_size)
{
    if (config_parse_protocol(value))
        return 0;
    snprintf(why, why_size, "must be OpenFlow10, OpenFlow13, OpenFlow14 or OpenFlow15");
    return -EINVAL;
}

static int check_ipv4(const char *value, char *why, size_t why_size)
{
    struct in_addr address;

    if (inet_pton(AF_INET, value, &address) == 1)
        return 0;
    snprintf(why, why_size, "must be an IPv4 address such as \"192.0.2.1\"");
    return -EINVAL;
}

/* Decimal, or hexadecimal behind 0x. */
static bool is_number(const char *value, unsigned long long most)
{
    char *end;

    errno = 0;
    unsigned long long number = strtoull(value, &end, 0);
    return isdigit((unsigned char)value[0]) && *end == '\0' && errno == 0 && number <= most;
}

static int refuse(char *why, size_t why_size, const char *what)
{
    snprintf(why, why_size, "must be %s", what);
    return -EINVAL;
}

static int check_tunnel_ip(const char *value, char *why, size_t why_size)
{
    struct in6_addr address;

    if (!strcmp(value, "flow") || inet_pton(AF_INET, value, &address) == 1 || inet_pton(AF_INET6, value, &address) == 1)
        return 0;
    return refuse(why, why_size, "an address such as \"192.0.2.2\" or \"2001:db8::2\", or \"flow\"");
}

static int check_tunnel_key(const char *value, char *why, size_t why_size)
{
    return !strcmp(value, "flow") || is_number(value, ULLONG_MAX) ? 0 : refuse(why, why_size, "a number, or \"flow\"");
}

static int check_tunnel_number(const char *value, char *why, size_t why_size)
{
    return is_number(value, UINT32_MAX) ? 0 : refuse(why, why_size, "a number from 0 to 4294967295");
}

static int check_tunnel_hex(const char *value, char *why, size_t why_size)
{
    if (!strcmp(value, "flow") || (value[0] && strlen(value) <= 8 && !value[strspn(value, "0123456789abcdefABCDEF")]))
        return 0;
    return refuse(why, why_size, "1 to 8 hexadecimal digits, or \"flow\"");
}

static int check_tunnel_tos(const char *value, char *why, size_t why_size)
{
    if (!strcmp(value, "inherit") || (is_number(value, 252) && strtoul(value, NULL, 0) % 4 == 0))
        return 0;
    return refuse(why, why_size, "a multiple of 4 from 0 to 252, or \"inherit\"");
}

static int check_tunnel_ttl(const char *value, char *why, size_t why_size)
{
    if (!strcmp(value, "inherit") || (is_number(value, 255) && strtoul(value, NULL, 0) > 0))
        return 0;
    return refuse(why, why_size, "a number from 1 to 255, or \"inherit\"");
}

static int check_tunnel_exts(const char *value, char *why, size_t why_size)
{
    static const char *const choices[] = {"gbp", "gpe", "gbp,gpe", "gpe,gbp"};

    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (!strcmp(value, choices[i]))
            return 0;
    return refuse(why, why_size, "\"gbp\", \"gpe\" or \"gbp,gpe\"");
}

/* What they are is told by the port: src/tunnel/tunnel_options.c. */
static int check_tunnel_segments(const char *value, char *why, size_t why_size)
{
    if (*value && value[strspn(value, "0123456789abcdefABCDEF:.,")] == '\0')
        return 0;
    return refuse(why, why_size, "IPv6 addresses with commas between them");
}

static int check_tunnel_label(const char *value, char *why, size_t why_size)
{
    if (!strcmp(value, "copy") || !strcmp(value, "zero") || !strcmp(value, "compute"))
        return 0;
    return refuse(why, why_size, "\"copy\", \"zero\" or \"compute\"");
}

static int check_tunnel_packet_type(const char *value, char *why, size_t why_size)
{
    if (!strcmp(value, "legacy_l2") || !strcmp(value, "legacy_l3") || !strcmp(value, "ptap"))
        return 0;
    return refuse(why, why_size, "\"legacy_l2\", \"legacy_l3\" or \"ptap\"");
}

static int check_listen(const char *value, char *why, size_t why_size)
{
    struct config_target target;

    return config_target_parse(value, true, &target, why, why_size);
}

const struct config_format config_format_bridge_name = {
    "1 to 100 letters, digits, `.`, `_`, `-`; the first a letter or a digit",
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
    check_bridge_name,
};
const struct config_format config_format_port_name = {
    "1 to 255 bytes of UTF-8 without `/`; neither a number nor a reserved port of OpenFlow",
    "^[^/]{1,255}$",
    check_port_name,
};
const struct config_format config_format_ifname = {
    "1 to 15 printable characters, none of them a space or one of `/ : % , =`",
    "^[^/:%,= ]{1,15}$",
    check_ifname,
};
const struct config_format config_format_directory = {"an absolute path of at most 95 bytes", "^/.{0,94}$",
                                                      check_directory};
const struct config_format config_format_socket_path = {
    "an absolute path of at most 107 bytes, without commas and brackets", "^/[^,\\[\\]]{1,106}$", check_socket_path};
const struct config_format config_format_file = {"an absolute path", "^/.", check_file};
const struct config_format config_format_devargs = {"a PCI address or a vdev with its arguments", "^[A-Za-z0-9]",
                                                    check_devargs};
const struct config_format config_format_eal_arg = {"a word; what Sluice sets itself is refused (`-l`, `--lcores`, "
                                                    "`--main-lcore`, `--no-huge`, `--proc-type` and the like)",
                                                    "^.", check_eal_arg};
const struct config_format config_format_controller = {"`tcp:IP[:PORT]`, `ssl:IP[:PORT]` or `unix:PATH`",
                                                       "^(tcp:|ssl:|unix:/)", check_controller};
const struct config_format config_format_listen = {"`ptcp:PORT[:IP]`, `pssl:PORT[:IP]` or `punix:PATH`",
                                                   "^(ptcp:|pssl:|punix:/)", check_listen};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int config_parse_datapath_id(const char *text, uint64_t *datapath_id)
{
    uint64_t id = 0;

    if (strlen(text) != 16)
        return -EINVAL;
    for (int i = 0; i < 16; i++) {
        int digit = hex_digit(text[i]);

        if (digit < 0)
            return -EINVAL;
        id = id << 4 | digit;
    }
    if (id == 0)
        return -EINVAL;
    *datapath_id = id;
    return 0;
}

int config_parse_mac(const char *text, uint8_t mac[6], char *why, size_t why_size)
{
    static const uint8_t none[6];
    uint8_t bytes[6];

    for (int i = 0; i < 6; i++) {
        const char *octet = text + 3 * i;
        int high = strlen(text) == 17 ? hex_digit(octet[0]) : -1;
        int low = high < 0 ? -1 : hex_digit(octet[1]);

        if (low < 0 || (i < 5 && octet[2] != ':')) {
            snprintf(why, why_size, "must be six octets such as \"02:00:00:00:00:01\"");
            return -EINVAL;
        }
        bytes[i] = high << 4 | low;
    }
    if (bytes[0] & 1 || memcmp(bytes, none, 6) == 0) {
        snprintf(why, why_size,
                 "must be a unicast address: the lowest bit of its first octet is 0, and not all of it is zero");
        return -EINVAL;
    }
    memcpy(mac, bytes, 6);
    return 0;
}
static int check_length(const char *value, size_t most, char *why, size_t why_size)
{
    if (strlen(value) <= most)
        return 0;
    snprintf(why, why_size, "must have at most %zu bytes, not %zu", most, strlen(value));
    return -EINVAL;
}

static int check_dp_desc(const char *value, char *why, size_t why_size)
{
    return check_length(value, CONFIG_DP_DESC_MAX, why, why_size);
}

static int check_dp_sn(const char *value, char *why, size_t why_size)
{
    return check_length(value, CONFIG_DP_SN_MAX, why, why_size);
}

const struct config_format config_format_dp_desc = {"at most 255 bytes", NULL, check_dp_desc};
const struct config_format config_format_dp_sn = {"at most 31 bytes", NULL, check_dp_sn};
const struct config_format config_format_database = {"`unix:PATH`, `tcp:IP[:PORT]` or `ssl:IP[:PORT]`",
                                                     "^(tcp:|ssl:|unix:/)", check_database};
const struct config_format config_format_protocol = {"`OpenFlow10`, `OpenFlow13`, `OpenFlow14` or `OpenFlow15`",
                                                     "^OpenFlow1[0345]$", check_protocol};
const struct config_format config_format_file_mode = {"three octal digits, with a 0 before them or not", "^0?[0-7]{3}$",
                                                      check_file_mode};
const struct config_format config_format_user = {"a user in `/etc/passwd`, or the number of any", NULL, check_user};
const struct config_format config_format_group = {"a group in `/etc/group`, or the number of any", NULL, check_group};
const struct config_format config_format_ipv4 = {"an IPv4 address", "^[0-9]{1,3}(\\.[0-9]{1,3}){3}$", check_ipv4};
const struct config_format config_format_tunnel_ip = {"an IPv4 or IPv6 address, or `flow`", "^([0-9a-fA-F:.]+|flow)$",
                                                      check_tunnel_ip};
const struct config_format config_format_tunnel_key = {"a number, or `flow`", "^(0x[0-9a-fA-F]+|[0-9]+|flow)$",
                                                       check_tunnel_key};
const struct config_format config_format_tunnel_number = {"a number", "^(0x[0-9a-fA-F]+|[0-9]+)$", check_tunnel_number};
const struct config_format config_format_tunnel_hex = {"hexadecimal digits, or `flow`", "^([0-9a-fA-F]{1,8}|flow)$",
                                                       check_tunnel_hex};
const struct config_format config_format_tunnel_tos = {"a multiple of 4 from 0 to 252, or `inherit`",
                                                       "^(0x[0-9a-fA-F]+|[0-9]+|inherit)$", check_tunnel_tos};
const struct config_format config_format_tunnel_ttl = {"a number from 1 to 255, or `inherit`",
                                                       "^(0x[0-9a-fA-F]+|[0-9]+|inherit)$", check_tunnel_ttl};
const struct config_format config_format_tunnel_exts = {"`gbp`, `gpe` or `gbp,gpe`", "^(gbp|gpe)(,(gbp|gpe))?$",
                                                        check_tunnel_exts};
const struct config_format config_format_tunnel_segments = {"IPv6 addresses with commas between them",
                                                            "^[0-9a-fA-F:.,]+$", check_tunnel_segments};
const struct config_format config_format_tunnel_label = {"`copy`, `zero` or `compute`", "^(copy|zero|compute)$",
                                                         check_tunnel_label};
const struct config_format config_format_tunnel_packet_type = {
    "`legacy_l2`, `legacy_l3` or `ptap`", "^(legacy_l2|legacy_l3|ptap)$", check_tunnel_packet_type};
