/* encap and decap of Ethernet, NSH and MPLS headers: "encap(nsh(md_type=2,tlv(0x1000,10,0x12345678)))",
 * "decap(packet_type(ns=0,type=0))"; dec_nsh_ttl. */
#include "pmd/program.h"
#include "src/actions/act_impl.h"

static int check_encap(const struct act *act, struct act_known *k)
{
    const struct act_encap *a = (const struct act_encap *)act;

    if (a->packet_type >> 16 == 1) {
        act_known_hide(k, ACT_ENCAP);
        act_known_set_eth_type(k, (uint16_t)a->packet_type);
    }
    k->m.value.packet_type = rte_cpu_to_be_32(a->packet_type);
    return 0;
}

static void print_encap(struct act_printer *p, const struct act *header)
{
    const struct act_encap *act = (const struct act_encap *)header;
    FILE *out = p->out;

    if (act->packet_type == PACKET_TYPE_ETHERNET) {
        fputs("encap(ethernet)", out);
        return;
    }
    if (act->packet_type == PACKET_TYPE(1, RTE_ETHER_TYPE_MPLS)) {
        fputs("encap(mpls)", out);
        return;
    }
    if (act->packet_type == PACKET_TYPE(1, RTE_ETHER_TYPE_MPLSM)) {
        fputs("encap(mpls_mc)", out);
        return;
    }
    fputs("encap(nsh", out);
    if (act->md_type) {
        fprintf(out, "(md_type=%u", act->md_type);
        for (unsigned at = 0; at < act->tlvs_len; at += 4 + ((act->tlvs[at + 3] + 3u) & ~3u)) {
            const uint8_t *tlv = act->tlvs + at;

            fprintf(out, ",tlv(0x%04x,%u,0x", tlv[0] << 8 | tlv[1], tlv[2]);
            for (unsigned i = 0; i < tlv[3]; i++)
                fprintf(out, "%02x", tlv[4 + i]);
            fputc(')', out);
        }
        fputc(')', out);
    }
    fputc(')', out);
}

const struct act_ops act_ops_encap = {
    .name = "encap",
    .rank = ACT_RANK_ENCAP,
    .check = check_encap,
    .print = print_encap,
};

/* An Ethernet header leaves what is behind it as it is; what another one hides depends on the packet, unless an action
 * has pushed it. */
static int check_decap(const struct act *act, struct act_known *k)
{
    struct match *m = &k->m;
    const struct act_hidden *hidden;

    if (m->value.packet_type == PACKET_TYPE_ETHERNET) {
        m->value.packet_type = rte_cpu_to_be_32(PACKET_TYPE(1, rte_be_to_cpu_16(m->value.pkt.eth_type)));
        return 0;
    }
    hidden = act_known_pop(k, ACT_ENCAP);
    if (hidden) {
        act_known_reveal(k, hidden);
        return 0;
    }
    m->value.packet_type = PACKET_TYPE_ETHERNET;
    m->mask.pkt.eth_type = m->value.pkt.eth_type = 0;
    return 0;
}

static void print_decap(struct act_printer *p, const struct act *act)
{
    uint32_t becomes = act_u32_of(act);

    if (becomes == PACKET_TYPE_NEXT_PROTO)
        fputs("decap()", p->out);
    else
        fprintf(p->out, "decap(packet_type(ns=%u,type=%#x))", becomes >> 16, becomes & 0xffff);
}

const struct act_ops act_ops_decap = {
    .name = "decap",
    .rank = ACT_RANK_DECAP,
    .check = check_decap,
    .print = print_decap,
};

static int check_dec_nsh_ttl(const struct act *act, struct act_known *k)
{
    return act_check_read(field_by_id(FIELD_NSH_TTL), &k->m);
}

const struct act_ops act_ops_dec_nsh_ttl = {
    .name = "dec_nsh_ttl",
    .rank = ACT_RANK_DEC_NSH_TTL,
    .check = check_dec_nsh_ttl,
    .print = act_print_name,
};
