/* dpctl/flush-conntrack: all connections, a zone's, or those of a tuple, mark or label; and the words that say which.
 * Control thread. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/control/commands.h"
#include "src/match/key_value.h"

/* To be written to while it is parsed. */
static char *copy_of(const char *word)
{
    char *copy = strdup(word);

    if (!copy)
        out_of_memory("a command", 0);
    return copy;
}

/* "5" or "5/0xff" */
static bool mark_parse(char *text, struct ct_match *match)
{
    char *mask = strchr(text, '/');
    uint64_t value, bits = UINT32_MAX;

    if (mask)
        *mask++ = '\0';
    if (!text_to_u64(text, UINT32_MAX, &value) || (mask && !text_to_u64(mask, UINT32_MAX, &bits)))
        return false;
    match->mark = (uint32_t)value;
    match->mark_mask = (uint32_t)bits;
    return true;
}

/* Hexadecimal, right-justified. */
static bool label_bytes(const char *text, uint8_t bytes[CT_LABEL_LEN])
{
    size_t len;

    text += !strncmp(text, "0x", 2) ? 2 : 0;
    len = strlen(text);
    memset(bytes, 0, CT_LABEL_LEN);
    if (len == 0 || len > 2 * CT_LABEL_LEN || strspn(text, "0123456789abcdefABCDEF") != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        const char digit[2] = {text[len - 1 - i], '\0'};

        bytes[CT_LABEL_LEN - 1 - i / 2] |= (uint8_t)(strtoul(digit, NULL, 16) << (i & 1 ? 4 : 0));
    }
    return true;
}

static bool labels_parse(char *text, struct ct_match *match)
{
    char *mask = strchr(text, '/');

    if (mask)
        *mask++ = '\0';
    memset(match->label_mask, 0xff, sizeof match->label_mask);
    return label_bytes(text, match->label) && (!mask || label_bytes(mask, match->label_mask));
}

static bool address_parse(const char *text, bool ipv6, struct ct_match *match, uint8_t address[16])
{
    const uint8_t version = ipv6 ? 6 : 4;

    if (match->ip_version != 0 && match->ip_version != version)
        return false;
    match->ip_version = version;
    return inet_pton(ipv6 ? AF_INET6 : AF_INET, text, address) == 1;
}

static bool is_icmp(const struct ct_match *match)
{
    return match->proto == IPPROTO_ICMP || match->proto == IPPROTO_ICMPV6;
}

/* A field of a tuple, as ovs-dpctl(8) has it. */
static bool field_parse(const char *key, const char *value, struct ct_match *match, struct ct_tuple_match *tuple)
{
    uint64_t n;

    if (!strcmp(key, "ct_nw_src") || !strcmp(key, "ct_nw_dst"))
        return address_parse(value, false, match, key[6] == 's' ? tuple->src : tuple->dst);
    if (!strcmp(key, "ct_ipv6_src") || !strcmp(key, "ct_ipv6_dst"))
        return address_parse(value, true, match, key[8] == 's' ? tuple->src : tuple->dst);
    if (!text_to_u64(value, UINT16_MAX, &n))
        return false;
    if (!strcmp(key, "ct_tp_src") || (!strcmp(key, "icmp_id") && is_icmp(match)))
        tuple->sport = rte_cpu_to_be_16((uint16_t)n);
    else if (!strcmp(key, "ct_tp_dst"))
        tuple->dport = rte_cpu_to_be_16((uint16_t)n);
    else if (n > UINT8_MAX)
        return false;
    else if (!strcmp(key, "ct_nw_proto"))
        match->proto = (uint8_t)n;
    else if (!strcmp(key, "icmp_type") && is_icmp(match))
        tuple->icmp_type = (uint8_t)n;
    else if (!strcmp(key, "icmp_code") && is_icmp(match))
        tuple->icmp_code = (uint8_t)n;
    else
        return false;
    return true;
}

static bool tuple_parse(char *text, struct ct_match *match, struct ct_tuple_match *tuple, struct control_reply *reply)
{
    char *key, *value;

    while (key_value_next(&text, &key, &value)) {
        if (!field_parse(key, value, match, tuple)) {
            control_fail(reply, "failed to parse field %s", key);
            return false;
        }
    }
    if (match->proto == 0 && (tuple->sport != 0 || tuple->dport != 0)) {
        control_fail(reply, "port is set without protocol");
        return false;
    }
    return true;
}

static bool word_parse(char *word, unsigned *n_tuples, struct ct_match *match, struct control_reply *reply)
{
    uint64_t zone;

    if (!strncmp(word, "zone=", 5)) {
        match->in_zone = text_to_u64(word + 5, UINT16_MAX, &zone);
        match->zone = match->in_zone ? (uint16_t)zone : 0;
        if (!match->in_zone)
            control_fail(reply, "failed to parse zone");
        return match->in_zone;
    }
    if (!strncmp(word, "mark=", 5) && !mark_parse(word + 5, match)) {
        control_fail(reply, "failed to parse mark");
        return false;
    }
    if (!strncmp(word, "labels=", 7) && !labels_parse(word + 7, match)) {
        control_fail(reply, "failed to parse labels");
        return false;
    }
    if (!strncmp(word, "mark=", 5) || !strncmp(word, "labels=", 7))
        return true;
    if (*n_tuples == 2) {
        control_fail(reply, "invalid arguments");
        return false;
    }
    return tuple_parse(word, match, (*n_tuples)++ == 0 ? &match->orig : &match->reply, reply);
}

bool command_ct_match(const char *word, unsigned *n_tuples, struct ct_match *match, struct control_reply *reply)
{
    char *copy = copy_of(word);
    const bool good = word_parse(copy, n_tuples, match, reply);

    free(copy);
    return good;
}

static void cmd_flush(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct ct_match match;
    unsigned n_tuples = 0;

    memset(&match, 0, sizeof match);
    for (int i = 1; i < argc; i++) {
        if (!command_is_datapath(argv[i]) && !command_ct_match(argv[i], &n_tuples, &match, reply))
            return;
    }
    ct_flush_matching(datapath_ct(((struct sluice *)arg)->dp), datapath_seconds(), &match);
}

void commands_register_ct_flush(struct control *control, struct sluice *sw)
{
    control_register(control, "dpctl/flush-conntrack",
                     "[dp] [zone=N] [mark=X[/M]] [labels=X[/M]] [ct-orig-tuple [ct-reply-tuple]]", 0, 6, cmd_flush, sw);
}
