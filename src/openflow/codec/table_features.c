#include "src/openflow/codec/table_features.h"
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/oxm.h"

/* Property types; those for table-miss entries, which are the same here, are left out as the specification allows. */
enum {
    TFPT_INSTRUCTIONS = 0,
    TFPT_NEXT_TABLES = 2,
    TFPT_WRITE_ACTIONS = 4,
    TFPT_APPLY_ACTIONS = 6,
    TFPT_MATCH = 8,
    TFPT_WILDCARDS = 10,
    TFPT_WRITE_SETFIELD = 12,
    TFPT_APPLY_SETFIELD = 14,
    TFPT_WRITE_COPYFIELD = 18, /* OpenFlow 1.5 */
    TFPT_APPLY_COPYFIELD = 20,
};

#define INST_GOTO_TABLE 1

#define TABLE_INGRESS 1 /* OFPTFF_INGRESS_TABLE */
#define ID_EXPERIMENTER 0xffff

static size_t property_begin(struct of_buf *buf, uint16_t type)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, 0);
    return start;
}

static void property_end(struct of_buf *buf, size_t start)
{
    of_buf_set_u16(buf, start + 2, (uint16_t)(buf->len - start));
    of_buf_pad(buf, start, 8);
}

static void put_id(struct of_buf *buf, uint16_t type)
{
    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, 4);
}

static void put_instructions(struct of_buf *buf, uint8_t version, bool can_goto)
{
    size_t start = property_begin(buf, TFPT_INSTRUCTIONS);

    for (uint16_t number = 0; number < ACT_NUMBERS; number++) {
        if (instruction_number_known(version, number) && (can_goto || number != INST_GOTO_TABLE))
            put_id(buf, number);
    }
    property_end(buf, start);
}

static void put_next_tables(struct of_buf *buf, const struct of_table_stats *t)
{
    size_t start = property_begin(buf, TFPT_NEXT_TABLES);

    for (unsigned id = t->table_id + 1u; id <= t->next_table_max; id++)
        of_buf_add_u8(buf, (uint8_t)id);
    property_end(buf, start);
}

static void put_actions(struct of_buf *buf, uint16_t property, uint8_t version)
{
    size_t start = property_begin(buf, property);

    for (uint16_t number = 0; number < ACT_NUMBERS; number++) {
        if (act_number_known(version, number))
            put_id(buf, number);
    }
    property_end(buf, start);
}

/* Every field that the version has; of set_field those that can be written. */
static void put_fields(struct of_buf *buf, uint16_t property, uint8_t version)
{
    size_t start = property_begin(buf, property);
    bool set = property >= TFPT_WRITE_SETFIELD;

    for (int id = 0; id < FIELD_N; id++) {
        const struct field *f = field_by_id(id);

        if (f->oxm && f->oxm_since <= version && (!set || f->writable || f->retypes))
            oxm_put_header(buf, f, version, property == TFPT_MATCH && f->maskable == FIELD_MASK_ANY);
    }
    property_end(buf, start);
}

void table_features_encode(struct of_buf *buf, uint8_t version, const struct of_table_stats *t)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, 0);
    of_buf_add_u8(buf, t->table_id);
    of_buf_add_u8(buf, version >= OF15 ? t->command : 0);
    of_buf_add_u32(buf, version >= OF15 ? TABLE_INGRESS : 0);
    of_buf_add_bytes(buf, t->name, sizeof t->name);
    of_buf_add_u64(buf, UINT64_MAX); /* metadata that matches */
    of_buf_add_u64(buf, UINT64_MAX); /* and can be written */
    of_buf_add_u32(buf, t->config);
    of_buf_add_u32(buf, t->max_entries);
    put_instructions(buf, version, t->table_id < t->next_table_max);
    put_next_tables(buf, t);
    put_actions(buf, TFPT_WRITE_ACTIONS, version);
    put_actions(buf, TFPT_APPLY_ACTIONS, version);
    put_fields(buf, TFPT_MATCH, version);
    put_fields(buf, TFPT_WILDCARDS, version);
    put_fields(buf, TFPT_WRITE_SETFIELD, version);
    put_fields(buf, TFPT_APPLY_SETFIELD, version);
    if (version >= OF15) {
        put_fields(buf, TFPT_WRITE_COPYFIELD, version);
        put_fields(buf, TFPT_APPLY_COPYFIELD, version);
    }
    of_buf_set_u16(buf, start, (uint16_t)(buf->len - start));
}

/* --- reading ------------------------------------------------------------- */

typedef bool number_known(uint8_t version, uint16_t number);

/* Ids of instructions or actions, up to the last that the version has; experimenters' have one of their own behind
 * them. */
static int check_ids(struct reader *r, uint8_t version, number_known *known)
{
    uint16_t last = ACT_NUMBERS;

    while (last > 0 && !known(version, last))
        last--;
    while (r->left) {
        uint16_t type = read_u16(r), len = read_u16(r);

        if (r->bad || len < 4 || len - 4u > r->left)
            return OFPERR_BPC_BAD_LEN;
        if (type != ID_EXPERIMENTER && type > last)
            return OFPERR_BPC_BAD_VALUE;
        read_skip(r, len - 4u);
    }
    return 0;
}

static int check_fields(struct reader *r)
{
    while (r->left) {
        bool has_mask;
        size_t len;
        const struct field *f = oxm_read_header(r, &has_mask, &len);

        if (r->bad)
            return OFPERR_BPC_BAD_LEN;
        if (!f)
            return OFPERR_BPC_BAD_VALUE;
    }
    return 0;
}

static int read_next_tables(struct reader *r, struct of_table_stats *t)
{
    while (r->left) {
        uint8_t next = read_u8(r);

        if (next <= t->table_id || next >= PIPELINE_TABLES)
            return OFPERR_BPC_BAD_VALUE;
        t->next_table_max = next > t->next_table_max ? next : t->next_table_max;
    }
    return 0;
}

static int decode_value(uint16_t type, struct reader *value, uint8_t version, struct of_table_stats *t)
{
    if (type <= TFPT_INSTRUCTIONS + 1)
        return check_ids(value, version, instruction_number_known);
    if (type <= TFPT_NEXT_TABLES + 1)
        return read_next_tables(value, t);
    if (type <= TFPT_APPLY_ACTIONS + 1)
        return check_ids(value, version, act_number_known);
    if (type <= TFPT_APPLY_SETFIELD + 1 || (type >= TFPT_WRITE_COPYFIELD && type <= TFPT_APPLY_COPYFIELD + 1))
        return check_fields(value);
    /* Synchronized tables, packet types, and what experimenters have. */
    return type < ID_EXPERIMENTER - 1 ? OFPERR_BPC_BAD_TYPE : OFPERR_BPC_BAD_EXPERIMENTER;
}

static int decode_properties(struct reader *r, uint8_t version, struct of_table_stats *t)
{
    struct reader value;
    uint64_t seen = 0;
    uint16_t type;
    int more, error = 0;

    while (!error && (more = read_property(r, &type, &value)) != 0) {
        if (more < 0)
            return OFPERR_BPC_BAD_LEN;
        if (type < 64 && seen >> type & 1)
            return OFPERR_BPC_DUP_TYPE;
        seen |= type < 64 ? UINT64_C(1) << type : 0;
        error = decode_value(type, &value, version, t);
    }
    return error;
}

int table_features_decode(struct reader *whole, uint8_t version, struct of_table_stats *t)
{
    struct reader peek = *whole, r;
    uint16_t len = read_u16(&peek);

    r = read_part(whole, len);
    read_skip(&r, 2);
    t->table_id = read_u8(&r);
    t->command = read_u8(&r);
    if (version < OF15)
        t->command = 0; /* padding */
    read_skip(&r, 4);
    read_copy(&r, t->name, sizeof t->name);
    t->name[sizeof t->name - 1] = '\0';
    read_skip(&r, 16);
    t->config = read_u32(&r);
    t->max_entries = read_u32(&r);
    t->next_table_max = t->table_id;
    if (whole->bad || r.bad || len < 64)
        return OFPERR_BRC_BAD_LEN;
    return decode_properties(&r, version, t);
}
