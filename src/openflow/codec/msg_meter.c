/* METER_MOD, and the entries of replies about meters: OpenFlow 1.3.5, 7.3.4.5 and 7.3.5.11 to 13. */
#include "src/openflow/codec/msg_impl.h"
#include "src/tables/meter.h"

#define BAND_LEN 16 /* of drop and DSCP bands */

/* OFPMFF_ of OpenFlow 1.5: the action may be in action sets, anywhere in lists, and more than once. */
#define METER_FEATURES 0x7u

/* A band that is not known has a type of 0. */
static int decode_band(struct reader *r, struct meter_mod *mm)
{
    struct reader peek = *r, part;
    struct meter_band band = {0};
    uint16_t type = read_u16(&peek), len = read_u16(&peek);

    if (len < 12 || len % 4)
        return OFPERR_MMFC_BAD_BAND;
    part = read_part(r, len);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    read_skip(&part, 4);
    band.rate = read_u32(&part);
    band.burst = read_u32(&part);
    if ((type == METER_DROP_BAND || type == METER_DSCP_BAND)) {
        if (len != BAND_LEN)
            return OFPERR_MMFC_BAD_BAND;
        band.type = (uint8_t)type;
        band.prec_level = type == METER_DSCP_BAND ? read_u8(&part) : 0;
    }
    if (mm->n_bands < METER_BANDS_MAX)
        mm->bands[mm->n_bands] = band;
    mm->n_bands++;
    return 0;
}

int decode_meter_mod(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct meter_mod *mm = &msg->meter_mod;
    uint16_t command = read_u16(r);
    int error = 0;

    mm->command = command <= METER_DELETE ? command : METER_COMMAND_BAD;
    mm->flags = read_u16(r);
    mm->meter_id = read_u32(r);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    while (r->left && !error)
        error = decode_band(r, mm);
    if (mm->command == METER_DELETE) /* bands mean nothing there, however many: nobody is told of them */
        mm->n_bands = 0;
    return error;
}

static void put_bands(struct of_buf *buf, const struct meter_band *bands, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        of_buf_add_u16(buf, bands[i].type);
        of_buf_add_u16(buf, BAND_LEN);
        of_buf_add_u32(buf, bands[i].rate);
        of_buf_add_u32(buf, bands[i].burst);
        of_buf_add_u32(buf, (uint32_t)bands[i].prec_level << 24);
    }
}

void encode_meter_mod(const struct of_msg *msg, struct of_buf *buf)
{
    const struct meter_mod *mm = &msg->meter_mod;
    size_t start = msg_begin(buf, OF_METER_MOD, msg->version, msg->xid);

    of_buf_add_u16(buf, mm->command);
    of_buf_add_u16(buf, mm->flags);
    of_buf_add_u32(buf, mm->meter_id);
    put_bands(buf, mm->bands, mm->n_bands);
    msg_end(buf, start);
}

void of_multipart_add_meter(struct of_multipart *mp, struct of_buf *out, const struct meter_entry *meter,
                            const struct meter_counts *counts, uint64_t age_ms)
{
    struct of_buf *buf = &mp->part;
    size_t at = buf->len;

    of_buf_add_u32(buf, meter->id);
    of_buf_add_u16(buf, (uint16_t)(40 + 16 * meter->n_bands));
    of_buf_add(buf, 6);
    of_buf_add_u32(buf, meter->users.n);
    of_buf_add_u64(buf, counts->packets);
    of_buf_add_u64(buf, counts->bytes);
    of_buf_add_u32(buf, (uint32_t)(age_ms / 1000));
    of_buf_add_u32(buf, (uint32_t)(age_ms % 1000 * 1000000));
    for (unsigned i = 0; i < meter->n_bands; i++) {
        of_buf_add_u64(buf, counts->band_packets[i]);
        of_buf_add_u64(buf, counts->band_bytes[i]);
    }
    multipart_entry_end(mp, out, at);
}

void of_multipart_add_meter_config(struct of_multipart *mp, struct of_buf *out, const struct meter_entry *meter)
{
    struct of_buf *buf = &mp->part;
    size_t at = buf->len;

    of_buf_add_u16(buf, (uint16_t)(8 + BAND_LEN * meter->n_bands));
    of_buf_add_u16(buf, meter->flags);
    of_buf_add_u32(buf, meter->id);
    put_bands(buf, meter->bands, meter->n_bands);
    multipart_entry_end(mp, out, at);
}

void of_multipart_add_meter_features(struct of_multipart *mp, struct of_buf *out, bool as_ovs)
{
    struct of_buf *buf = &mp->part;
    size_t at = buf->len;

    of_buf_add_u32(buf, DATAPATH_METERS_MAX);
    of_buf_add_u32(buf, 1u << METER_DROP_BAND | 1u << METER_DSCP_BAND);
    of_buf_add_u32(buf, METER_KBPS | METER_PKTPS | METER_BURST | METER_STATS);
    of_buf_add_u8(buf, METER_BANDS_MAX);
    of_buf_add(buf, 3);
    if (mp->version >= OF15 && !as_ovs) {
        of_buf_add_u32(buf, METER_FEATURES);
        of_buf_add(buf, 4);
    }
    multipart_entry_end(mp, out, at);
}
