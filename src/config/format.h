/* What a string of the configuration must look like. A format is named by the key table (src/config/keys.c), which
 * makes it part of validation, of docs/configuration.md and of the JSON Schema. Any thread; nothing is allocated.
 */
#ifndef SRC_CONFIG_FORMAT_H
#define SRC_CONFIG_FORMAT_H

#include <stddef.h>
#include <stdint.h>

struct config_format {
    const char *doc;     /* "an absolute path", for the table of keys */
    const char *pattern; /* regular expression of the JSON Schema, no stricter than `check`; NULL: none */
    /* 0, or -EINVAL with what to do in `why`. */
    int (*check)(const char *value, char *why, size_t why_size);
};

/* Bytes of what OFPMP_DESC tells of a bridge, without the 0 at the end (OpenFlow 1.3.5, 7.3.5.1). */
#define CONFIG_DP_DESC_MAX 255
#define CONFIG_DP_SN_MAX 31

/* Bytes of run_dir, "/" and a file name together that fit into a Unix socket's address, end not counted. */
#define CONFIG_SOCKET_PATH_MAX 107

extern const struct config_format config_format_bridge_name;
extern const struct config_format config_format_port_name;
extern const struct config_format config_format_ifname;
extern const struct config_format config_format_directory;
extern const struct config_format config_format_socket_path;
extern const struct config_format config_format_file;
extern const struct config_format config_format_devargs;
extern const struct config_format config_format_eal_arg;
extern const struct config_format config_format_controller;
extern const struct config_format config_format_listen;
extern const struct config_format config_format_database;
extern const struct config_format config_format_protocol;
extern const struct config_format config_format_dp_desc;
extern const struct config_format config_format_dp_sn;
extern const struct config_format config_format_ipv4;
extern const struct config_format config_format_file_mode;
extern const struct config_format config_format_user;
extern const struct config_format config_format_group;
/* Options of tunnels: what no key of one of them can be; the rest is said by tunnel_options_parse(). */
extern const struct config_format config_format_tunnel_ip;
extern const struct config_format config_format_tunnel_key;
extern const struct config_format config_format_tunnel_number;
extern const struct config_format config_format_tunnel_hex;
extern const struct config_format config_format_tunnel_tos;
extern const struct config_format config_format_tunnel_ttl;
extern const struct config_format config_format_tunnel_exts;
extern const struct config_format config_format_tunnel_segments;
extern const struct config_format config_format_tunnel_label;
extern const struct config_format config_format_tunnel_packet_type;

/* The wire version that "OpenFlow13" stands for; 0: none that Sluice speaks. */
unsigned config_parse_protocol(const char *text);

/* 16 hexadecimal digits, not all zero. Returns 0 or -EINVAL. */
int config_parse_datapath_id(const char *text, uint64_t *datapath_id);

/* Six octets "02:00:00:00:00:01", a unicast address and not all zero. Returns 0, or -EINVAL with what to do in `why`.
 */
int config_parse_mac(const char *text, uint8_t mac[6], char *why, size_t why_size);

#endif
