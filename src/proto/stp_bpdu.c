#include "src/proto/stp_bpdu.h"

#include <string.h>

#define TYPE_CONFIG 0x00
#define TYPE_TCN 0x80
#define FLAG_TOPOLOGY_CHANGE 0x01
#define FLAG_TOPOLOGY_CHANGE_ACK 0x80

static const struct {
    const char *name, *text;
} faults[STP_N_FAULTS] = {[STP_OK] = {"ok", "nothing"},
#define X(symbol, name, doc) [symbol] = {name, doc},
                          STP_FAULTS(X)
#undef X
};

const char *stp_fault_name(enum stp_fault fault)
{
    return faults[fault].name;
}

const char *stp_fault_text(enum stp_fault fault)
{
    return faults[fault].text;
}

static uint64_t get(const uint8_t *p, unsigned n)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < n; i++)
        value = value << 8 | p[i];
    return value;
}

static void put(uint8_t *p, unsigned n, uint64_t value)
{
    for (unsigned i = n; i-- > 0; value >>= 8)
        p[i] = (uint8_t)value;
}

enum stp_fault stp_bpdu_parse(const uint8_t *bytes, size_t len, struct stp_bpdu *bpdu)
{
    *bpdu = (struct stp_bpdu){.type = STP_BPDU_TCN};
    if (len < STP_TCN_LEN)
        return STP_FAULT_SHORT;
    if (get(bytes, 2) != 0)
        return STP_FAULT_PROTOCOL;
    if (bytes[3] == TYPE_TCN)
        return STP_OK;
    if (bytes[3] != TYPE_CONFIG)
        return STP_FAULT_TYPE;
    if (len < STP_CONFIG_LEN)
        return STP_FAULT_SHORT;
    *bpdu = (struct stp_bpdu){
        .type = STP_BPDU_CONFIG,
        .topology_change = bytes[4] & FLAG_TOPOLOGY_CHANGE,
        .topology_change_ack = bytes[4] & FLAG_TOPOLOGY_CHANGE_ACK,
        .root_id = get(bytes + 5, 8),
        .root_path_cost = (uint32_t)get(bytes + 13, 4),
        .bridge_id = get(bytes + 17, 8),
        .port_id = (uint16_t)get(bytes + 25, 2),
        .message_age = (uint16_t)get(bytes + 27, 2),
        .max_age = (uint16_t)get(bytes + 29, 2),
        .hello_time = (uint16_t)get(bytes + 31, 2),
        .forward_delay = (uint16_t)get(bytes + 33, 2),
    };
    return bpdu->message_age < bpdu->max_age ? STP_OK : STP_FAULT_AGE; /* 9.3.4 */
}

size_t stp_bpdu_build(const struct stp_bpdu *bpdu, uint8_t bytes[STP_CONFIG_LEN])
{
    memset(bytes, 0, STP_CONFIG_LEN);
    if (bpdu->type == STP_BPDU_TCN) {
        bytes[3] = TYPE_TCN;
        return STP_TCN_LEN;
    }
    bytes[3] = TYPE_CONFIG;
    bytes[4] = (uint8_t)((bpdu->topology_change ? FLAG_TOPOLOGY_CHANGE : 0) |
                         (bpdu->topology_change_ack ? FLAG_TOPOLOGY_CHANGE_ACK : 0));
    put(bytes + 5, 8, bpdu->root_id);
    put(bytes + 13, 4, bpdu->root_path_cost);
    put(bytes + 17, 8, bpdu->bridge_id);
    put(bytes + 25, 2, bpdu->port_id);
    put(bytes + 27, 2, bpdu->message_age);
    put(bytes + 29, 2, bpdu->max_age);
    put(bytes + 31, 2, bpdu->hello_time);
    put(bytes + 33, 2, bpdu->forward_delay);
    return STP_CONFIG_LEN;
}
