/* Tables and what tells of them: TABLE_MOD, TABLE_STATUS; entries of replies, written and read: OFPMP_TABLE,
 * OFPMP_TABLE_DESC (OpenFlow 1.4.1, 7.3.3, 7.4.5, 7.3.5.4 and 17), OFPMP_TABLE_FEATURES. */
#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/codec/table_features.h"
#include "src/openflow/wire/layout.h"

/* Properties of a table's configuration. */
#define TABLE_MOD_EVICTION 2
#define TABLE_MOD_VACANCY 3
#define TABLE_MOD_EXPERIMENTER 0xffff

/* --- configuration ------------------------------------------------------- */

static int decode_property(uint16_t type, struct reader *value, struct of_table_config *c)
{
    switch (type) {
    case TABLE_MOD_EVICTION:
        if (c->has_eviction)
            return OFPERR_BPC_DUP_TYPE;
        c->has_eviction = true;
        c->eviction = read_u32(value);
        break;
    case TABLE_MOD_VACANCY:
        if (c->has_vacancy)
            return OFPERR_BPC_DUP_TYPE;
        c->has_vacancy = true;
        c->vacancy_down = read_u8(value);
        c->vacancy_up = read_u8(value);
        c->vacancy = read_u8(value);
        read_skip(value, 1);
        break;
    case TABLE_MOD_EXPERIMENTER:
        return OFPERR_BPC_BAD_EXPERIMENTER;
    default:
        return OFPERR_BPC_BAD_TYPE;
    }
    return value->bad || value->left ? OFPERR_BPC_BAD_LEN : 0;
}

static int decode_properties(struct reader *r, struct of_table_config *c)
{
    struct reader value;
    uint16_t type;
    int more, error = 0;

    while (!error && (more = read_property(r, &type, &value)) != 0)
        error = more < 0 ? OFPERR_BPC_BAD_LEN : decode_property(type, &value, c);
    return error;
}

static void put_properties(struct of_buf *buf, const struct of_table_config *c)
{
    if (c->has_eviction) {
        of_buf_add_u16(buf, TABLE_MOD_EVICTION);
        of_buf_add_u16(buf, 8);
        of_buf_add_u32(buf, c->eviction);
    }
    if (c->has_vacancy) {
        of_buf_add_u16(buf, TABLE_MOD_VACANCY);
        of_buf_add_u16(buf, 8);
        of_buf_add_u8(buf, c->vacancy_down);
        of_buf_add_u8(buf, c->vacancy_up);
        of_buf_add_u8(buf, c->vacancy);
        of_buf_add_u8(buf, 0);
    }
}

static void put_desc(struct of_buf *buf, const struct of_table_config *c)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, 0);
    of_buf_add_u8(buf, c->table_id);
    of_buf_add_u8(buf, 0);
    of_buf_add_u32(buf, c->config);
    put_properties(buf, c);
    of_buf_set_u16(buf, start, (uint16_t)(buf->len - start));
}

int table_desc_read(struct reader *r, struct of_table_config *c)
{
    struct reader peek = *r, entry = read_part(r, read_u16(&peek));

    memset(c, 0, sizeof *c);
    read_skip(&entry, 2);
    c->table_id = read_u8(&entry);
    read_skip(&entry, 1);
    c->config = read_u32(&entry);
    return entry.bad ? OFPERR_BRC_BAD_LEN : decode_properties(&entry, c);
}

/* --- messages ------------------------------------------------------------ */

int decode_table_mod(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    msg->table_mod.table_id = read_u8(r);
    read_skip(r, 3);
    msg->table_mod.config = read_u32(r);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    return msg->version >= OF14 ? decode_properties(r, &msg->table_mod) : 0;
}

void encode_table_mod(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin(buf, OF_TABLE_MOD, msg->version, msg->xid);

    of_buf_add_u8(buf, msg->table_mod.table_id);
    of_buf_add(buf, 3);
    of_buf_add_u32(buf, msg->table_mod.config);
    if (msg->version >= OF14)
        put_properties(buf, &msg->table_mod);
    msg_end(buf, start);
}

int decode_table_status(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    uint8_t reason = read_u8(r);

    read_skip(r, 7);
    msg->table_status.reason = reason;
    return table_desc_read(r, &msg->table_status.table);
}

void encode_table_status(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin(buf, OF_TABLE_STATUS, msg->version, msg->xid);

    of_buf_add_u8(buf, msg->table_status.reason);
    of_buf_add(buf, 7);
    put_desc(buf, &msg->table_status.table);
    msg_end(buf, start);
}

/* --- entries of replies -------------------------------------------------- */

#define MEMBER(member) LAYOUT(struct of_table_stats, member, sizeof(((struct of_table_stats *)0)->member))

static const struct layout id[] = {MEMBER(table_id), LAYOUT_PAD(3), LAYOUT_END};
static const struct layout sizes10[] = {LAYOUT_PAD(4), MEMBER(max_entries), LAYOUT_END};
static const struct layout counters[] = {MEMBER(active), MEMBER(lookups), MEMBER(matched), LAYOUT_END};

static void put_stats(struct of_buf *buf, uint8_t version, const struct of_table_stats *t)
{
    static const uint8_t wildcards[] = {0x00, 0x3f, 0xff, 0xff}; /* OFPFW_ALL: every field can be wildcarded */

    layout_put(buf, id, t);
    if (version == OF10) {
        of_buf_add_bytes(buf, t->name, sizeof t->name);
        layout_put(buf, sizes10, t);
        memcpy(buf->data + buf->len - 8, wildcards, sizeof wildcards);
    }
    layout_put(buf, counters, t);
}

void of_multipart_add_table(struct of_multipart *mp, struct of_buf *out, const struct of_table_stats *table)
{
    size_t at = mp->part.len;

    if (mp->type == OF_MP_TABLE_FEATURES)
        table_features_encode(&mp->part, mp->version, table);
    else
        put_stats(&mp->part, mp->version, table);
    multipart_entry_end(mp, out, at);
}

int of_table_features_next(uint8_t version, struct of_bytes *body, struct of_table_stats *t)
{
    struct reader r = reader_of(body->data, body->len);
    int error;

    memset(t, 0, sizeof *t);
    error = table_features_decode(&r, version, t);
    *body = (struct of_bytes){r.p, r.left};
    return error;
}

void of_multipart_add_table_desc(struct of_multipart *mp, struct of_buf *out, const struct of_table_config *config)
{
    size_t at = mp->part.len;

    put_desc(&mp->part, config);
    multipart_entry_end(mp, out, at);
}
