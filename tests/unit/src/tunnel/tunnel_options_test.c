/* What becomes of the options of a tunnel port, in Open vSwitch's words where they are wrong, and how they are printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "src/tunnel/tunnel_options.h"
#include "src/tunnel/tunnel_text.h"

static struct tunnel_config config;
static char said[512], text[TUNNEL_TEXT_MAX];

/* Of a port t; the options come as "KEY", "VALUE" ..., NULL. */
static int parse(const char *type, ...)
{
    struct tunnel_option_text options[16];
    const char *key;
    va_list args;
    size_t n = 0;

    va_start(args, type);
    while ((key = va_arg(args, const char *)))
        options[n++] = (struct tunnel_option_text){key, va_arg(args, const char *)};
    va_end(args);
    return tunnel_options_parse("t", type, options, n, &config, said, sizeof said);
}

/* The options as they are printed: what is asked for in another way is printed in one. */
static const char *options_text(void)
{
    tunnel_options_text(&config, text, sizeof text);
    return text;
}

static const char *port_text(void)
{
    tunnel_port_text(&config, 1024, text, sizeof text);
    return text;
}

static void test_defaults(void **state)
{
    static const struct {
        const char *name;
        enum tunnel_type type;
        uint16_t dst_port;
        enum tunnel_payload payload;
    } types[] = {
        {"vxlan", TUNNEL_VXLAN, 4789, TUNNEL_L2}, {"geneve", TUNNEL_GENEVE, 6081, TUNNEL_L2},
        {"gre", TUNNEL_GRE, 0, TUNNEL_L2},        {"ip6gre", TUNNEL_GRE, 0, TUNNEL_L2},
        {"erspan", TUNNEL_ERSPAN, 0, TUNNEL_L2},  {"ip6erspan", TUNNEL_ERSPAN, 0, TUNNEL_L2},
        {"gtpu", TUNNEL_GTPU, 2152, TUNNEL_L3},   {"srv6", TUNNEL_SRV6, 0, TUNNEL_L3},
    };

    for (size_t i = 0; i < RTE_DIM(types); i++) {
        const bool ipv4 = types[i].type != TUNNEL_SRV6;

        assert_int_equal(parse(types[i].name, "remote_ip", ipv4 ? "192.0.2.2" : "2001:db8::2", NULL), 0);
        assert_string_equal(said, "");
        assert_string_equal(config.type_name, types[i].name);
        assert_int_equal(config.type, types[i].type);
        assert_int_equal(config.dst_port, types[i].dst_port);
        assert_int_equal(config.payload, types[i].payload);
        assert_int_equal(config.ttl, 64);
        assert_true(config.df);
    }
}

static void test_all_options(void **state)
{
    assert_int_equal(parse("vxlan", "remote_ip", "192.0.2.2", "local_ip", "192.0.2.1", "in_key", "0x10", "out_key",
                           "flow", "dst_port", "8472", "tos", "0x20", "ttl", "9", "df_default", "false", "csum", "true",
                           "exts", "gbp,gpe", "packet_type", "ptap", "egress_pkt_mark", "7", "icmp_too_big", "true",
                           NULL),
                     0);
    assert_string_equal(said, "");
    assert_string_equal(options_text(),
                        "csum=true, df_default=false, dst_port=8472, egress_pkt_mark=7, exts=gbp,gpe, "
                        "icmp_too_big=true, in_key=16, local_ip=192.0.2.1, out_key=flow, packet_type=ptap, "
                        "remote_ip=192.0.2.2, tos=0x20, ttl=9");
    assert_string_equal(port_text(), "192.0.2.1->192.0.2.2, key=0x10, ptap, dp port=1024, out_key=flow, ttl=9, "
                                     "tos=0x20, df=false, csum=true");
    assert_int_equal(parse("gre", "remote_ip", "2001:db8::2", "key", "5", "seq", "true", "tos", "inherit", "ttl",
                           "inherit", "packet_type", "legacy_l3", NULL),
                     0);
    assert_string_equal(options_text(),
                        "key=5, packet_type=legacy_l3, remote_ip=2001:db8::2, seq=true, tos=inherit, ttl=inherit");
    assert_string_equal(port_text(), "::->2001:db8::2, key=0x5, legacy_l3, dp port=1024, ttl=inherit, tos=inherit");
    assert_int_equal(parse("geneve", "remote_ip", "flow", "local_ip", "flow", "key", "flow", NULL), 0);
    assert_string_equal(options_text(), "key=flow, local_ip=flow, remote_ip=flow");
    assert_string_equal(port_text(), "flow->flow, key=flow, legacy_l2, dp port=1024, ttl=64");
}

static void test_erspan(void **state)
{
    assert_int_equal(parse("erspan", "remote_ip", "192.0.2.2", "key", "1", "erspan_ver", "1", "erspan_idx", "3f", NULL),
                     0);
    assert_string_equal(options_text(), "erspan_idx=0x3f, erspan_ver=1, key=1, remote_ip=192.0.2.2");
    assert_int_equal(
        parse("erspan", "remote_ip", "192.0.2.2", "erspan_ver", "2", "erspan_dir", "1", "erspan_hwid", "2a", NULL), 0);
    assert_string_equal(options_text(), "erspan_dir=1, erspan_hwid=0x2a, erspan_ver=2, remote_ip=192.0.2.2");
    assert_int_equal(parse("erspan", "remote_ip", "flow", "erspan_ver", "flow", NULL), 0);
    assert_string_equal(options_text(), "erspan_dir=flow, erspan_hwid=flow, erspan_idx=flow, erspan_ver=flow, "
                                        "remote_ip=flow");
}

static void test_srv6(void **state)
{
    assert_int_equal(parse("srv6", "remote_ip", "2001:db8::2", NULL), 0);
    assert_string_equal(options_text(), "remote_ip=2001:db8::2");
    assert_string_equal(port_text(), "::->2001:db8::2, key=0, legacy_l3, dp port=1024, ttl=64");
    assert_int_equal(tunnel_overhead(&config), 40 + 8 + 16);
    assert_int_equal(parse("srv6", "remote_ip", "2001:db8::2", "srv6_flowlabel", "copy", "srv6_segs",
                           "2001:db8::2,2001:DB8:0::3,fd00::9", NULL),
                     0);
    assert_string_equal(said, "");
    assert_string_equal(options_text(), "remote_ip=2001:db8::2, srv6_segs=2001:db8::2,2001:db8::3,fd00::9");
    assert_int_equal(tunnel_overhead(&config), 40 + 8 + 3 * 16);
    assert_int_equal(parse("srv6", "remote_ip", "flow", "srv6_flowlabel", "compute", "srv6_segs", "fd00::9,", NULL), 0);
    assert_string_equal(options_text(), "remote_ip=flow, srv6_flowlabel=compute, srv6_segs=fd00::9");
    assert_int_equal(parse("srv6", "remote_ip", "fd00::9", "srv6_flowlabel", "zero", NULL), 0);
    assert_string_equal(options_text(), "remote_ip=fd00::9, srv6_flowlabel=zero");
    assert_int_equal(parse("srv6", "remote_ip", "fd00::9", "srv6_flowlabel", "random", "csum", "true", NULL), 0);
    assert_string_equal(said, "t: unknown srv6_flowlabel 'random'\nt: unknown srv6 argument 'csum'");
    assert_string_equal(options_text(), "remote_ip=fd00::9");
}

/* Without these the port cannot be; the words are Open vSwitch's. */
static void test_refusals(void **state)
{
    static const struct {
        const char *type, *key, *value, *key2, *value2, *said;
    } cases[] = {
        {"vxlan", "key", "1", NULL, NULL, "t: vxlan type requires valid 'remote_ip' argument"},
        {"vxlan", "remote_ip", "nowhere", NULL, NULL,
         "t: bad vxlan 'remote_ip'\nt: vxlan type requires valid 'remote_ip' argument"},
        {"geneve", "remote_ip", "224.0.0.1", NULL, NULL, "t: multicast remote_ip=224.0.0.1 not allowed"},
        {"geneve", "remote_ip", "ff02::1", NULL, NULL, "t: multicast remote_ip=ff02::1 not allowed"},
        {"gre", "remote_ip", "192.0.2.2", "local_ip", "flow",
         "t: gre type requires 'remote_ip=flow' with 'local_ip=flow'"},
        {"gre", "remote_ip", "192.0.2.2", "local_ip", "2001:db8::1",
         "t: 'remote_ip' and 'local_ip' has to be of the same address family"},
        {"vxlan", "remote_ip", "192.0.2.2", "packet_type", "legacy_l3",
         "t: legacy_l3 configured on VXLAN (without GPE) tunnel that cannot carry L3 traffic"},
        {"gtpu", "remote_ip", "192.0.2.2", "packet_type", "legacy_l2",
         "t: legacy_l2 configured on gtpu tunnel that cannot carry L2 traffic"},
        {"gre", "remote_ip", "192.0.2.2", "packet_type", "l2", "t: unknown packet_type 'l2'"},
        {"erspan", "remote_ip", "192.0.2.2", "erspan_ver", "3", "t: invalid erspan version: 3"},
        {"erspan", "remote_ip", "192.0.2.2", "erspan_idx", "100000", "t: invalid erspan index: 100000"},
        {"erspan", "remote_ip", "192.0.2.2", "erspan_dir", "2", "t: invalid erspan direction: 2"},
        {"erspan", "remote_ip", "192.0.2.2", "erspan_hwid", "40", "t: invalid erspan hardware ID: 40"},
        {"vxlan", "remote_ip", "192.0.2.2", "dst_port", "http", "t: invalid dst_port http"},
        {"srv6", "remote_ip", "192.0.2.2", NULL, NULL, "t: srv6 type requires IPv6 addresses"},
        {"srv6", "remote_ip", "flow", "local_ip", "192.0.2.1", "t: srv6 type requires IPv6 addresses"},
        {"srv6", "remote_ip", "fd00::2", "srv6_segs", "fd00::3,fd00::2",
         "t: the first of 'srv6_segs' has to be 'remote_ip'"},
        {"srv6", "remote_ip", "fd00::2", "srv6_segs", "fd00::2,nowhere",
         "t: bad srv6 'srv6_segs': nowhere is no IPv6 address"},
        {"srv6", "remote_ip", "fd00::2", "srv6_segs", "fd00::2,192.0.2.1",
         "t: bad srv6 'srv6_segs': 192.0.2.1 is no IPv6 address"},
        {"srv6", "remote_ip", "fd00::2", "srv6_segs", "fd00::2,::3,::4,::5,::6,::7,::8",
         "t: bad srv6 'srv6_segs': more than 6 segments"},
        {"srv6", "remote_ip", "fd00::2", "packet_type", "legacy_l2",
         "t: legacy_l2 configured on srv6 tunnel that cannot carry L2 traffic"},
    };

    for (size_t i = 0; i < RTE_DIM(cases); i++) {
        assert_int_not_equal(parse(cases[i].type, cases[i].key, cases[i].value, cases[i].key2, cases[i].value2, NULL),
                             0);
        assert_string_equal(said, cases[i].said);
    }
}

/* These have no effect, and are told. */
static void test_warnings(void **state)
{
    static const struct {
        const char *type, *key, *value, *said;
    } cases[] = {
        {"vxlan", "tos", "3", "t: invalid TOS 3"},
        {"vxlan", "tos", "", "t: invalid TOS "},
        {"vxlan", "exts", "gbp,more", "t: unknown extension 'more'"},
        {"geneve", "exts", "gbp", "t: unknown geneve argument 'exts'"},
        {"gre", "dst_port", "4789", "t: unknown gre argument 'dst_port'"},
        {"gtpu", "csum", "true", "t: unknown gtpu argument 'csum'"},
        {"vxlan", "seq", "true", "t: unknown vxlan argument 'seq'"},
        {"vxlan", "srv6_segs", "fd00::2", "t: unknown vxlan argument 'srv6_segs'"},
        {"gre", "srv6_flowlabel", "zero", "t: unknown gre argument 'srv6_flowlabel'"},
        {"vxlan", "remote-ip", "192.0.2.3", "t: unknown vxlan argument 'remote-ip'"},
        {"vxlan", "local_ip", "here", "t: bad vxlan 'local_ip'"},
        {"gre", "psk", "secret", ""}, /* for ovs-monitor-ipsec */
        {"gre", "remote_cert", "/etc/cert.pem", ""},
        {"gre", "remote_name", "peer", ""},
        {"vxlan", "ttl", "0", ""}, /* 64 */
    };

    for (size_t i = 0; i < RTE_DIM(cases); i++) {
        assert_int_equal(parse(cases[i].type, "remote_ip", "192.0.2.2", cases[i].key, cases[i].value, NULL), 0);
        assert_string_equal(said, cases[i].said);
        assert_string_equal(options_text(),
                            strstr(cases[i].value, "gbp,") ? "exts=gbp, remote_ip=192.0.2.2" : "remote_ip=192.0.2.2");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_all_options), cmocka_unit_test(test_erspan),
        cmocka_unit_test(test_srv6),     cmocka_unit_test(test_refusals),    cmocka_unit_test(test_warnings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
