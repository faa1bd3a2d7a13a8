#include "src/proto/lacp_pdu.h"

#include <string.h>

#define SUBTYPE_LACP 1
#define SUBTYPE_MARKER 2
#define VERSION 1

/* Where the TLVs are, and how long each says that it is. */
#define ACTOR_AT 2
#define PARTNER_AT 22
#define COLLECTOR_AT 42
#define INFO_LEN 20
#define COLLECTOR_LEN 16
enum { TLV_ACTOR = 1, TLV_PARTNER, TLV_COLLECTOR };
#define TLV_MARKER_RESPONSE 2

static const struct {
    const char *name, *text;
} faults[LACP_N_FAULTS] = {[LACP_OK] = {"ok", "nothing"},
                           [LACP_MARKER] = {"marker", "nothing: it is a marker"},
#define X(symbol, name, doc) [symbol] = {name, doc},
                           LACP_FAULTS(X)
#undef X
};

const char *lacp_fault_name(enum lacp_fault fault)
{
    return faults[fault].name;
}

const char *lacp_fault_text(enum lacp_fault fault)
{
    return faults[fault].text;
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void get_info(const uint8_t *p, struct lacp_info *info)
{
    info->system_priority = get16(p);
    memcpy(info->system, p + 2, sizeof info->system);
    info->key = get16(p + 8);
    info->port_priority = get16(p + 10);
    info->port = get16(p + 12);
    info->state = p[14];
}

static void put_info(uint8_t *p, uint8_t type, const struct lacp_info *info)
{
    p[0] = type;
    p[1] = INFO_LEN;
    put16(p + 2, info->system_priority);
    memcpy(p + 4, info->system, sizeof info->system);
    put16(p + 10, info->key);
    put16(p + 12, info->port_priority);
    put16(p + 14, info->port);
    p[16] = info->state;
}

/* Versions after ours have the same beginning (802.1AX-2014, 6.4.12: Version_Number is not looked at). */
enum lacp_fault lacp_pdu_parse(const uint8_t *bytes, size_t len, struct lacp_pdu *pdu)
{
    if (len < LACP_PDU_LEN)
        return LACP_FAULT_SHORT;
    if (bytes[0] == SUBTYPE_MARKER)
        return LACP_MARKER;
    if (bytes[0] != SUBTYPE_LACP)
        return LACP_FAULT_SUBTYPE;
    if (bytes[ACTOR_AT] != TLV_ACTOR || bytes[ACTOR_AT + 1] != INFO_LEN || bytes[PARTNER_AT] != TLV_PARTNER ||
        bytes[PARTNER_AT + 1] != INFO_LEN)
        return LACP_FAULT_TLV;
    get_info(bytes + ACTOR_AT + 2, &pdu->actor);
    get_info(bytes + PARTNER_AT + 2, &pdu->partner);
    return LACP_OK;
}

void lacp_pdu_build(const struct lacp_pdu *pdu, uint8_t bytes[LACP_PDU_LEN])
{
    memset(bytes, 0, LACP_PDU_LEN);
    bytes[0] = SUBTYPE_LACP;
    bytes[1] = VERSION;
    put_info(bytes + ACTOR_AT, TLV_ACTOR, &pdu->actor);
    put_info(bytes + PARTNER_AT, TLV_PARTNER, &pdu->partner);
    bytes[COLLECTOR_AT] = TLV_COLLECTOR;
    bytes[COLLECTOR_AT + 1] = COLLECTOR_LEN;
}

void lacp_marker_answer(const uint8_t marker[LACP_PDU_LEN], uint8_t bytes[LACP_PDU_LEN])
{
    memcpy(bytes, marker, LACP_PDU_LEN);
    bytes[2] = TLV_MARKER_RESPONSE;
}
