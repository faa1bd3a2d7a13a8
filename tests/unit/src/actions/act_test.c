/* Action lists: their text, and what a check refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/match/of_error.h"
#include "src/actions/act_check.h"
#include "tests/lib/flow_text.h"

/* In and out as "ovs-ofctl parse-flow" has them; NULL = the text itself. */
static const struct {
    const char *in, *out;
} formats[] = {
    {"drop", NULL},
    {"", "drop"},
    {"output:2", NULL},
    {"2", "output:2"},
    {"NORMAL", NULL},
    {"in_port", "IN_PORT"},
    {"output:LOCAL", "LOCAL"},
    {"controller", "CONTROLLER:65535"},
    {"controller:128", "CONTROLLER:128"},
    {"controller(max_len=64,reason=action,id=3)", "controller(max_len=64,id=3)"},
    {"controller(userdata=01.02.03,pause)", NULL},
    {"controller(reason=no_match)", NULL},
    {"enqueue:1:2", NULL},
    {"enqueue(1,2)", "enqueue:1:2"},
    {"set_queue:5,pop_queue", NULL},
    {"mod_vlan_vid:5,mod_vlan_pcp:3,strip_vlan", NULL},
    {"push_vlan:0x88a8", NULL},
    {"mod_dl_src:1:2:3:4:5:6,mod_nw_tos:32", "mod_dl_src:01:02:03:04:05:06,mod_nw_tos:32"},
    {"dec_ttl(1,2),dec_ttl", NULL},
    {"set_mpls_ttl:4", "set_mpls_ttl(4)"},
    {"push_mpls:0x8847,pop_mpls:0x800", "push_mpls:0x8847,pop_mpls:0x0800"},
    {"resubmit:1", NULL},
    {"resubmit(1,2),resubmit(,2),exit", NULL},
    {"resubmit(1)", "resubmit:1"},
    {"note:01.02", "note:01.02.00.00.00.00"},
    {"move:reg0[3]->reg1[4]", "move:NXM_NX_REG0[3]->NXM_NX_REG1[4]"},
    {"move:vlan_vid[]->reg0[0..11]", "move:OXM_OF_VLAN_VID[]->NXM_NX_REG0[0..11]"},
    {"load:5->NXM_NX_REG0[]", "load:0x5->NXM_NX_REG0[]"},
    {"load:0->reg0[0..3]", "load:0->NXM_NX_REG0[0..3]"},
    {"load:5->xxreg0[100..110]", "load:0x5->NXM_NX_XXREG0[100..110]"},
    {"set_field:1->reg0", "set_field:0x1->reg0"},
    {"set_field:0x1/0xf->reg0", NULL},
    {"set_field:1.2.3.4->ip_src", NULL},
    {"set_field:0x1005->vlan_vid", "set_field:4101->vlan_vid"},
    {"set_field:::1->ipv6_dst", NULL},
    {"set_tunnel:5,set_tunnel64:0x123456789", "set_tunnel:0x5,set_tunnel64:0x123456789"},
    {"encap(ethernet),encap(nsh),encap(nsh(md_type=1)),encap(mpls),encap(mpls_mc)", NULL},
    {"encap(nsh(md_type=2,tlv(0x1000,10,0x12345678),tlv(0x1000,11,0x123456)))", NULL},
    {"decap,decap(),decap(packet_type(ns=0,type=0)),decap(packet_type(ns=1,type=0x800)),dec_nsh_ttl",
     "decap(),decap(),decap(packet_type(ns=0,type=0)),decap(packet_type(ns=1,type=0x800)),dec_nsh_ttl"},
    {"set_field:0x12/0xff->nsh_c1,load:5->NXOXM_NSH_C2[],move:nsh_spi->reg0[0..23]",
     "set_field:0x12/0xff->nsh_c1,load:0x5->NXOXM_NSH_C2[],move:NXOXM_NSH_SPI[]->NXM_NX_REG0[0..23]"},
    {"push_pbb:0x88e7,set_field:0x5->pbb_isid,set_field:1->pbb_uca,pop_pbb,copy_ttl_in,copy_ttl_out", NULL},
    {"push:reg0[],pop:reg0[3..5]", "push:NXM_NX_REG0[],pop:NXM_NX_REG0[3..5]"},
    {"fin_timeout(idle_timeout=5,hard_timeout=3)", NULL},
    {"conjunction(1234,1/2),conjunction(0x5, 64/64)", "conjunction(1234,1/2),conjunction(5,64/64)"},
    {"write_metadata:5/7,goto_table:3", "write_metadata:0x5/0x7,goto_table:3"},
    {"meter:5,clear_actions,write_actions(group:5,set_field:0x1->reg0)", NULL},
    {"output:reg0[]", "output:NXM_NX_REG0[]"},
    {"ct(),ct(commit),ct(zone=5,table=1),ct_clear", "ct(),ct(commit),ct(table=1,zone=5),ct_clear"},
    {"ct(commit,force,table=3,zone=NXM_NX_REG0[0..15],exec(set_field:0x17->ct_mark,move:NXM_NX_REG1[]->NXM_NX_CT_LABEL["
     "0..31])),output:2",
     NULL},
    {"ct(commit,zone=1,nat(src=10.1.1.240-10.1.1.255:34567-34568,persistent,random)),ct(table=2,nat)",
     "ct(commit,zone=1,nat("
     "src=10.1.1.240-10.1.1.255:34567-34568,persistent,random)),ct(table=2,nat)"},
    {"ct(commit,nat(dst=fd00::1-fd00::9)),ct(commit,nat(dst=[fd00::1]:80,hash)),ct(commit,nat(src))", NULL},
    {"ct(commit,nat(src=0.0.0.0),exec(set_field:0x1->ct_mark)),ct(commit,nat(src=[fd00::1]-[fd00::9]:1-9))", NULL},
};

static void lists_are_formatted_as_ovs_ofctl_does(void **state)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct act_buffer acts, again;
        struct act_list list, list2;
        char *error, *text;

        act_buffer_init(&acts);
        act_buffer_init(&again);
        error = actions_parse(formats[i].in, &acts, NULL, NULL);
        if (error)
            fail_msg("%s: %s", formats[i].in, error);
        list = act_buffer_list(&acts);
        text = act_list_format(&list, NULL, NULL);
        assert_string_equal(text, formats[i].out ? formats[i].out : formats[i].in);
        assert_null(actions_parse(text, &again, NULL, NULL));
        list2 = act_buffer_list(&again);
        assert_true(act_lists_equal(&list, &list2));
        free(text);
        act_buffer_free(&acts);
        act_buffer_free(&again);
    }
}

static void nonsense_is_refused(void **state)
{
    static const char *const bad[] = {"foo",
                                      "output:",
                                      "output:foo",
                                      "load:5->reg0",
                                      "load:16->reg0[0..3]",
                                      "load:1->eth_type[]",
                                      "move:reg0[]->reg1[0..3]",
                                      "move:reg0[]",
                                      "set_field:1",
                                      "set_field:1->foo",
                                      "set_field:1->ipv6_exthdr",
                                      "mod_vlan_vid:4096",
                                      "resubmit(1,300)",
                                      "controller(foo)",
                                      "enqueue:1",
                                      "goto_table:255",
                                      "write_actions(foo)"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct act_buffer acts;
        char *error;

        act_buffer_init(&acts);
        error = actions_parse(bad[i], &acts, NULL, NULL);
        if (i != 3 && !error) /* "load:5->reg0" is all of reg0 */
            fail_msg("%s is accepted", bad[i]);
        free(error);
        act_buffer_free(&acts);
    }
}

static int check(const char *match_text, const char *actions, uint8_t table)
{
    struct act_buffer acts;
    struct act_list list;
    struct match match;
    char *error;
    int rc;

    act_buffer_init(&acts);
    assert_null(match_parse(match_text, &match, NULL, NULL));
    error = actions_parse(actions, &acts, NULL, NULL);
    if (error)
        fail_msg("%s: %s", actions, error);
    list = act_buffer_list(&acts);
    rc = act_list_check(&list, &match, table);
    act_buffer_free(&acts);
    return rc;
}

static void actions_must_fit_the_match(void **state)
{
    assert_int_equal(check("ip", "dec_ttl,set_field:1.1.1.1->ip_src", 0), 0);
    assert_int_equal(check("", "dec_ttl", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("", "mod_nw_src:1.1.1.1,mod_tp_dst:5", 0), 0);
    assert_int_equal(check("", "set_field:1.1.1.1->ip_src", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("ip", "ct(commit,force,exec(set_field:1->ct_mark,move:ip_src->NXM_NX_CT_LABEL[0..31]))", 0),
                     0);
    assert_int_equal(check("ipv6", "ct(table=1,zone=NXM_NX_REG0[16..31]),ct_clear", 0), 0);
    assert_int_equal(check("", "ct(table=1)", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("arp", "ct(table=1)", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("", "ct_clear", 0), 0);
    assert_int_equal(check("ip", "ct(force)", 0), OFPERR_BAC_BAD_ARGUMENT);
    assert_int_equal(check("ip", "ct(nat),ct(commit,nat(src=1.1.1.1))", 0), 0);
    assert_int_equal(check("ipv6", "ct(commit,nat(dst=fd00::1))", 0), 0);
    assert_int_equal(check("ipv6", "ct(commit,nat(dst=1.1.1.1))", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("ip", "ct(commit,nat(dst=fd00::1))", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("ip", "ct(exec(set_field:1->ct_mark))", 0), OFPERR_BAC_BAD_ARGUMENT);
    assert_int_equal(check("ip", "ct(commit,exec(output:1))", 0), OFPERR_BAC_BAD_ARGUMENT);
    assert_int_equal(check("ip", "ct(commit,exec(set_field:1->reg0))", 0), OFPERR_BAC_BAD_SET_ARGUMENT);
    assert_int_equal(check("ip", "ct(zone=NXM_NX_REG0[0..14])", 0), OFPERR_BAC_BAD_SET_LEN);
    assert_int_equal(check("ip", "set_field:1->ct_mark", 0), OFPERR_BAC_BAD_SET_ARGUMENT);
    assert_int_equal(check("udp", "move:udp_src[]->reg0[0..15]", 0), 0);
    assert_int_equal(check("tcp", "move:udp_src[]->reg0[0..15]", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("", "set_field:5->vlan_vid", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("", "push_vlan:0x8100,set_field:4101->vlan_vid,pop_vlan", 0), 0);
    assert_int_equal(check("", "push_vlan:0x8100,pop_vlan,pop_vlan", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("dl_vlan=200", "push_vlan:0x8100,pop_vlan,pop_vlan,output:2", 0), 0);
    assert_int_equal(check("dl_vlan=200", "push_vlan:0x8100,pop_vlan,pop_vlan,pop_vlan", 0),
                     OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("", "push_vlan:0x8100,push_vlan:0x88a8,output:2,pop_vlan,pop_vlan,output:3", 0), 0);
    assert_int_equal(check("", "push_vlan:0x8100,push_vlan:0x8100,clone(pop_vlan,pop_vlan),pop_vlan,pop_vlan", 0), 0);
    assert_int_equal(check("", "set_field:0x1005->vlan_tci,pop_vlan", 0), 0);
    assert_int_equal(check("dl_vlan=200", "set_field:0->vlan_tci,pop_vlan", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    /* What a header hides is known when it goes. */
    assert_int_equal(
        check("tcp", "push_mpls:0x8847,push_mpls:0x8847,pop_mpls:0x8847,pop_mpls:0x800,set_field:7->tcp_dst", 0), 0);
    assert_int_equal(check("udp", "push_mpls:0x8847,pop_mpls:0x800,set_field:7->tcp_dst", 0),
                     OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("tcp", "push_mpls:0x8847,pop_mpls:0x86dd,set_field:7->tcp_dst", 0),
                     OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("tcp,dl_vlan=5", "push_mpls:0x8847,pop_mpls:0x8100,pop_vlan,set_field:7->tcp_dst", 0), 0);
    assert_int_equal(check("tcp,dl_vlan=5", "push_mpls:0x8847,pop_vlan", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(
        check("tcp,dl_vlan=5", "push_pbb:0x88e7,push_vlan:0x88a8,pop_pbb,pop_vlan,pop_vlan,set_field:7->tcp_dst", 0),
        0);
    assert_int_equal(check("tcp,dl_vlan=5", "push_pbb:0x88e7,pop_vlan", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("tcp", "push_pbb:0x88e7,pop_pbb,set_field:7->udp_dst", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("tcp", "encap(nsh),encap(ethernet),decap(),decap(),set_field:7->tcp_dst", 0), 0);
    assert_int_equal(check("tcp", "encap(nsh),set_field:5->nsh_ttl,decap(),set_field:7->udp_dst", 0),
                     OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("tcp", "encap(nsh),dec_ttl", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("icmp6", "set_field:135->icmpv6_type,set_field:::1->nd_target", 0), 0);
    /* A later fragment has no ports; that it is none needs not be said. */
    assert_int_equal(check("udp,nw_frag=later", "set_field:7->udp_dst", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("udp,nw_frag=first", "set_field:7->udp_dst", 0), 0);
    assert_int_equal(check("", "strip_vlan", 0), 0);
    assert_int_equal(check("", "push_vlan:0x800", 0), OFPERR_BAC_BAD_ARGUMENT);
    assert_int_equal(check("ip", "push_mpls:0x8847,set_field:5->mpls_label,pop_mpls:0x800,dec_ttl", 0), 0);
    assert_int_equal(check("ip", "push_mpls:0x8847,dec_ttl", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("dl_type=0x88e7", "pop_pbb,pop_pbb,dec_ttl,set_field:5->vlan_vid", 0), 0); /* who knows */
    assert_int_equal(check("mpls", "pop_mpls:0x8100,pop_vlan,dec_ttl", 0), 0);
    assert_int_equal(check("mpls", "pop_mpls:0x800,pop_vlan", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("ip", "set_field:0x86dd->eth_type,set_field:::1->ipv6_dst", 0), 0);
    assert_int_equal(check("tcp", "set_field:17->nw_proto,set_field:7->udp_dst", 0), 0);
    assert_int_equal(check("tcp", "set_field:17->nw_proto,set_field:7->tcp_dst", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("", "set_field:17->nw_proto", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("ip", "write_actions(dec_ttl)", 0), 0);
    assert_int_equal(check("", "write_actions(dec_ttl)", 0), OFPERR_BAC_MATCH_INCONSISTENT);
    assert_int_equal(check("", "write_actions(exit,output:3)", 0), OFPERR_BAC_BAD_TYPE); /* a set does not run it */
    assert_int_equal(check("", "write_actions(note:00,output:3)", 0), 0);
    assert_int_equal(check("", "goto_table:3", 2), 0);
    assert_int_equal(check("", "goto_table:3", 3), OFPERR_BIC_BAD_TABLE_ID);
    assert_int_equal(check("", "output:ANY", 0), OFPERR_BAC_BAD_OUT_PORT);
    assert_int_equal(check("", "output:0", 0), OFPERR_BAC_BAD_OUT_PORT);
    assert_int_equal(check("", "set_field:5->ct_mark", 0), OFPERR_BAC_BAD_SET_ARGUMENT);
    assert_int_equal(check("", "fin_timeout(idle_timeout=1)", 0), OFPERR_BAC_MATCH_INCONSISTENT);
}

static void filters_look_into_write_actions(void **state)
{
    struct act_buffer acts;
    struct act_list list;

    act_buffer_init(&acts);
    assert_null(actions_parse("set_field:1->reg0,controller(id=1),write_actions(group:7,output:5)", &acts, NULL, NULL));
    list = act_buffer_list(&acts);
    assert_true(act_list_outputs_to(&list, 5));
    assert_true(act_list_outputs_to(&list, OFPORT_CONTROLLER));
    assert_false(act_list_outputs_to(&list, 7));
    assert_true(act_list_uses_group(&list, 7));
    assert_false(act_list_uses_group(&list, 5));
    act_buffer_free(&acts);
}

static void flow_mods_parse(void **state)
{
    struct act_buffer acts;
    struct flow_mod fm;
    char *error;

    act_buffer_init(&acts);
    assert_null(
        flow_mod_parse("table=3,priority=5,cookie=0x7/0xf,idle_timeout=9,send_flow_rem,udp,in_port=1,actions=output:2",
                       &fm, &acts, NULL, NULL));
    assert_int_equal(fm.command, FLOW_ADD);
    assert_int_equal(fm.table_id, 3);
    assert_int_equal(fm.priority, 5);
    assert_int_equal(fm.cookie, 7);
    assert_int_equal(fm.cookie_mask, 15);
    assert_int_equal(fm.idle_timeout_s, 9);
    assert_int_equal(fm.flags, RULE_SEND_FLOW_REM);
    assert_int_equal(fm.match.value.in_port, 1);
    assert_int_equal(fm.match.value.pkt.ip_proto, 17);
    assert_true(act_list_outputs_to(&fm.acts, 2));
    act_buffer_free(&acts);
    error = flow_mod_parse("priority=x,actions=1", &fm, &acts, NULL, NULL);
    assert_non_null(error);
    free(error);
    error = flow_mod_parse("arp,actions=dec_ttl", &fm, &acts, NULL, NULL);
    assert_non_null(error);
    free(error);
    act_buffer_free(&acts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_formatted_as_ovs_ofctl_does),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(actions_must_fit_the_match),
        cmocka_unit_test(filters_look_into_write_actions),
        cmocka_unit_test(flow_mods_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
