#include "src/openflow/wire/oxs.h"

#include "src/match/of_error.h"
#include "src/openflow/wire/layout.h"

#define OXS_CLASS_BASIC 0x8002

static const struct {
    uint8_t number, len;
    struct layout value[3];
} fields[] = {
    {0, 8, {LAYOUT(struct oxs_stats, duration_s, 4), LAYOUT(struct oxs_stats, duration_ns, 4), LAYOUT_END}},
    {1, 8, {LAYOUT(struct oxs_stats, idle_s, 4), LAYOUT(struct oxs_stats, idle_ns, 4), LAYOUT_END}},
    {3, 4, {LAYOUT(struct oxs_stats, flows, 4), LAYOUT_END}},
    {4, 8, {LAYOUT(struct oxs_stats, packets, 8), LAYOUT_END}},
    {5, 8, {LAYOUT(struct oxs_stats, bytes, 8), LAYOUT_END}},
};
#define N_FIELDS (sizeof fields / sizeof fields[0])

static int decode_field(uint16_t oxs_class, uint8_t number, struct reader *value, struct oxs_stats *stats)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        if (oxs_class != OXS_CLASS_BASIC || fields[i].number != number)
            continue;
        if (value->left != fields[i].len)
            return OFPERR_BRC_BAD_LEN;
        layout_read(value, fields[i].value, stats);
        stats->present |= 1u << number;
        return 0;
    }
    stats->unknown = true;
    return 0;
}

int oxs_decode(struct reader *r, struct oxs_stats *stats)
{
    struct reader list;
    uint16_t len;
    int error = 0;

    memset(stats, 0, sizeof *stats);
    read_skip(r, 2);
    len = read_u16(r);
    if (r->bad || len < 4)
        return OFPERR_BRC_BAD_LEN;
    list = read_part(r, len - 4u);
    read_skip(r, (8 - len % 8) % 8);
    while (list.left > 0 && !error) {
        uint16_t oxs_class = read_u16(&list);
        uint8_t number = read_u8(&list) >> 1;
        struct reader value = read_part(&list, read_u8(&list));

        error = list.bad ? OFPERR_BRC_BAD_LEN : decode_field(oxs_class, number, &value, stats);
    }
    return r->bad ? OFPERR_BRC_BAD_LEN : error;
}

void oxs_encode(struct of_buf *buf, const struct oxs_stats *stats)
{
    size_t start = buf->len;

    of_buf_add_u32(buf, 0);
    for (size_t i = 0; i < N_FIELDS; i++) {
        if (!(stats->present >> fields[i].number & 1))
            continue;
        of_buf_add_u16(buf, OXS_CLASS_BASIC);
        of_buf_add_u8(buf, (uint8_t)(fields[i].number << 1));
        of_buf_add_u8(buf, fields[i].len);
        layout_put(buf, fields[i].value, stats);
    }
    of_buf_set_u16(buf, start + 2, (uint16_t)(buf->len - start));
    of_buf_pad(buf, start, 8);
}
