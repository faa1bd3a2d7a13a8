/* encap and decap from text: "encap(nsh(md_type=2,tlv(0x1000,10,0x12345678)))", "decap(packet_type(ns=0,type=0))". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/program.h"
#include "src/match/key_value.h"
#include "tests/lib/text/act_parse_impl.h"

#define TLVS_MAX (NSH_PUSH_MAX - 8)

/* "0x1000,10,0x12345678": class, type and the value, in whole bytes of its hex digits. */
static char *parse_tlv(const char *text, uint8_t *tlvs, uint8_t *len)
{
    unsigned class, type;
    uint8_t *tlv = tlvs + *len;
    int used = 0;
    size_t digits, n, padded;

    if (sscanf(text, "%i,%i,0x%n", (int *)&class, (int *)&type, &used) != 2 || !used || class > 0xffff || type > 0xff)
        return text_error("tlv(%s): not class,type,value in hex", text);
    text += used;
    digits = strspn(text, "0123456789abcdefABCDEF");
    n = (digits + 1) / 2;
    padded = (n + 3) & ~(size_t)3;
    if (text[digits] || digits == 0 || n > 124 || *len + 4 + padded > TLVS_MAX)
        return text_error("tlv value %s: bad, or too long", text);
    memset(tlv, 0, 4 + padded);
    tlv[0] = (uint8_t)(class >> 8);
    tlv[1] = (uint8_t) class;
    tlv[2] = (uint8_t)type;
    tlv[3] = (uint8_t)n;
    for (size_t i = 0; i < digits; i++) {
        char c = text[digits - 1 - i];
        unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 32) - 'a' + 10);

        tlv[4 + n - 1 - i / 2] |= (uint8_t)(digit << (i % 2 * 4));
    }
    *len += (uint8_t)(4 + padded);
    return NULL;
}

static char *parse_nsh(char *text, struct act_encap *head, uint8_t *tlvs)
{
    char *key, *value, *error = NULL;
    uint64_t n;

    while (!error && key_value_next(&text, &key, &value)) {
        if (!strcmp(key, "md_type") && text_to_u64(value, 2, &n) && n > 0)
            head->md_type = (uint8_t)n;
        else if (!strcmp(key, "tlv"))
            error = parse_tlv(value, tlvs, &head->tlvs_len);
        else
            error = text_error("encap(nsh): bad property \"%s\"", key);
    }
    if (!error && head->tlvs_len && head->md_type != 2)
        error = text_error("encap(nsh): tlv needs md_type=2");
    return error;
}

char *encap_parse(char *text, struct act_buffer *acts)
{
    struct act_encap head = {.packet_type = 0}, *act;
    uint8_t tlvs[TLVS_MAX];
    char *key, *value, *error = NULL;

    if (!key_value_next(&text, &key, &value))
        return text_error("encap of what?");
    if (!strcmp(key, "nsh")) {
        head.packet_type = PACKET_TYPE(1, ETH_TYPE_NSH);
        error = parse_nsh(value, &head, tlvs);
    } else if (!strcmp(key, "mpls") && !*value) {
        head.packet_type = PACKET_TYPE(1, RTE_ETHER_TYPE_MPLS);
    } else if (!strcmp(key, "mpls_mc") && !*value) {
        head.packet_type = PACKET_TYPE(1, RTE_ETHER_TYPE_MPLSM);
    } else if (strcmp(key, "ethernet") || *value) {
        error = text_error("encap(%s): unknown header", key);
    }
    if (error)
        return error;
    act = act_buffer_add(acts, ACT_ENCAP, sizeof *act + head.tlvs_len);
    head.h = act->h;
    *act = head;
    act->h.form = ACT_FORM_NICIRA;
    memcpy(act->tlvs, tlvs, head.tlvs_len);
    return NULL;
}

char *decap_parse(const char *text, struct act_buffer *acts)
{
    struct act_u32 *act = act_buffer_add(acts, ACT_DECAP, sizeof *act);
    unsigned ns, type;
    int used = 0;

    act->h.form = ACT_FORM_NICIRA;
    act->value = PACKET_TYPE_NEXT_PROTO;
    if (!*text)
        return NULL;
    if (sscanf(text, "packet_type(ns=%i,type=%i)%n", (int *)&ns, (int *)&type, &used) != 2 || !used || text[used] ||
        ns > 1 || type > 0xffff)
        return text_error("decap(%s): not packet_type(ns=n,type=t)", text);
    act->value = PACKET_TYPE(ns, type);
    return NULL;
}
