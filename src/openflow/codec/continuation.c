#include "src/openflow/codec/continuation.h"

#include <string.h>

#include "src/actions/act_check.h"
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/wire.h"

enum {
    /* Open vSwitch's. TABLE_ID and COOKIE are those of the ACTIONS that follow. */
    PROP_BRIDGE = 0x8000,
    PROP_STACK = 0x8001, /* a value, the top of the stack first */
    PROP_MIRRORS = 0x8002,
    PROP_TABLE_ID = 0x8004,
    PROP_COOKIE = 0x8005,
    PROP_ACTIONS = 0x8006,
    PROP_ACTION_SET = 0x8007,
    /* Sluice's. */
    PROP_STATE = 0x8100,  /* u32 in_phy_port, u32 packet type, u8 STATE_* */
    PROP_ORIGIN = 0x8101, /* u8 ORIGIN_*, of the ACTIONS or LIST that follow */
    /* As ACTIONS and ACTION_SET, where those would lose something: u8 version, 3 bytes, then instructions. */
    PROP_LIST = 0x8102,
    PROP_SET = 0x8103,
};

#define STATE_IN_SET 1
#define STATE_IN_GROUP 2
#define ORIGIN_TABLE_MISS 1
#define ORIGIN_PACKET_OUT 2

/* --- encoding ------------------------------------------------------------ */

static size_t begin(struct of_buf *buf, uint16_t type, unsigned pad)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, 0);
    of_buf_add(buf, pad);
    return start;
}

static void end(struct of_buf *buf, size_t start)
{
    of_buf_set_u16(buf, start + 2, (uint16_t)(buf->len - start));
    of_buf_pad(buf, start, 8);
}

static void put_u8(struct of_buf *buf, uint16_t type, uint8_t value)
{
    size_t start = begin(buf, type, 0);

    of_buf_add_u8(buf, value);
    end(buf, start);
}

/* Does what was written of the list from `at` on read as the list? */
static bool reads_back(const struct of_buf *buf, size_t at, const struct act_list *list, uint8_t version,
                       bool instructions)
{
    struct reader r = reader_of(buf->data + at, buf->len - at);
    struct act_buffer acts;
    struct act_list read;
    bool same;

    act_buffer_init(&acts);
    same = (instructions ? instructions_decode(&r, version, &acts) : acts_decode(&r, version, &acts)) == 0;
    read = act_buffer_list(&acts);
    same = same && act_lists_equal(&read, list);
    act_buffer_free(&acts);
    return same;
}

/* As plain actions of the connection's version. False: that would not be the list, nothing was written. */
static bool put_actions(struct of_buf *buf, uint16_t type, const struct act_list *list, uint8_t version)
{
    size_t start = begin(buf, type, 4);

    acts_encode(buf, list, version, NULL);
    if (!reads_back(buf, start + 8, list, version, false)) {
        buf->len = start;
        return false;
    }
    end(buf, start);
    return true;
}

/* As instructions of any version; returns whether that is the list. */
static bool put_instructions(struct of_buf *buf, uint16_t type, const struct act_list *list, uint8_t version)
{
    size_t start = begin(buf, type, 0);

    of_buf_add_u8(buf, version);
    of_buf_add(buf, 3);
    instructions_encode(buf, list, version, NULL);
    end(buf, start);
    return reads_back(buf, start + 8, list, version, version != OF10);
}

static void put_list(struct of_buf *buf, uint16_t plain, uint16_t type, const struct act_list *list, uint8_t version)
{
    /* A rule can be written in the version that it came by. */
    static const uint8_t versions[] = {OF15, OF13, OF10};
    size_t start = buf->len;

    if (put_actions(buf, plain, list, version))
        return;
    for (size_t i = 0; i < sizeof versions; i++) {
        if (put_instructions(buf, type, list, versions[i]))
            return;
        buf->len = start;
    }
    put_instructions(buf, type, list, OF15);
}

struct writer {
    struct of_buf *buf;
    struct recirc_origin last;
    uint8_t version;
};

static void put_segment(void *arg, const struct recirc_origin *origin, const struct act_list *list, bool last)
{
    struct writer *w = arg;

    if (origin->table_id != w->last.table_id)
        put_u8(w->buf, PROP_TABLE_ID, origin->table_id);
    if (origin->cookie != w->last.cookie) {
        size_t start = begin(w->buf, PROP_COOKIE, 4);

        of_buf_add_u64(w->buf, origin->cookie);
        end(w->buf, start);
    }
    if (origin->table_miss != w->last.table_miss || origin->packet_out != w->last.packet_out)
        put_u8(w->buf, PROP_ORIGIN,
               (origin->table_miss ? ORIGIN_TABLE_MISS : 0) | (origin->packet_out ? ORIGIN_PACKET_OUT : 0));
    w->last = *origin;
    put_list(w->buf, PROP_ACTIONS, PROP_LIST, list, w->version);
}

static void put_value(struct of_buf *buf, const union field_value *value)
{
    size_t start = begin(buf, PROP_STACK, 0);
    unsigned skip = 0;

    while (skip < sizeof value->b - 1 && !value->b[skip])
        skip++;
    of_buf_add_bytes(buf, value->b + skip, sizeof value->b - skip);
    end(buf, start);
}

void of_continuation_encode(struct of_buf *buf, const uint8_t *id, const struct recirc *left, uint8_t version)
{
    struct writer w = {.buf = buf, .version = version};
    size_t start = begin(buf, PROP_BRIDGE, 0);

    of_buf_add_bytes(buf, id, OF_CONTINUATION_ID_LEN);
    end(buf, start);
    start = begin(buf, PROP_STATE, 0);
    of_buf_add_u32(buf, left->state.in_phy_port);
    of_buf_add_u32(buf, rte_be_to_cpu_32(left->state.packet_type));
    of_buf_add_u8(buf, (left->state.in_set ? STATE_IN_SET : 0) | (left->state.in_group ? STATE_IN_GROUP : 0));
    end(buf, start);
    for (uint32_t i = left->state.n_stack; i-- > 0;)
        put_value(buf, &left->stack[i]);
    if (left->state.mirrored) {
        start = begin(buf, PROP_MIRRORS, 0);
        of_buf_add_u32(buf, left->state.mirrored);
        end(buf, start);
    }
    recirc_for_each_segment(left, put_segment, &w);
    if (left->set.len > 0)
        put_list(buf, PROP_ACTION_SET, PROP_SET, &left->set, version);
}

/* --- decoding ------------------------------------------------------------ */

static int read_list(struct reader *r, bool plain, uint8_t version, struct act_buffer *acts)
{
    struct act_list list;
    int error;

    if (!plain)
        version = read_u8(r);
    read_skip(r, plain ? 4 : 3);
    if (r->bad)
        return OFPERR_BPC_BAD_LEN;
    if (version >= 32 || !(OF_VERSIONS >> version & 1))
        return OFPERR_BPC_BAD_VALUE;
    error = plain || version == OF10 ? acts_decode(r, version, acts) : instructions_decode(r, version, acts);
    if (error)
        return error;
    list = act_buffer_list(acts);
    return act_list_check_unmatched(&list);
}

static int read_segment(struct reader *r, bool plain, uint8_t version, const struct recirc_origin *origin,
                        struct of_continuation *c)
{
    struct act_buffer acts;
    struct act_list list;
    int error;

    act_buffer_init(&acts);
    error = read_list(r, plain, version, &acts);
    list = act_buffer_list(&acts);
    if (!error)
        recirc_add_segment(&c->segments, origin, &list);
    act_buffer_free(&acts);
    return error;
}

/* They come from the top of the stack. */
static int read_value(struct reader *r, struct of_continuation *c)
{
    union field_value *value;

    if (c->state.n_stack == OF_CONTINUATION_STACK_MAX)
        return OFPERR_BPC_TOO_MANY;
    if (r->left == 0 || r->left > sizeof value->b)
        return OFPERR_BPC_BAD_LEN;
    value = &c->stack[OF_CONTINUATION_STACK_MAX - ++c->state.n_stack];
    memset(value, 0, sizeof *value);
    read_copy(r, value->b + sizeof value->b - r->left, r->left);
    return 0;
}

static int read_one(uint16_t type, struct reader *r, uint8_t version, struct recirc_origin *origin,
                    struct of_continuation *c)
{
    uint8_t bits;

    switch (type) {
    case PROP_BRIDGE:
        read_copy(r, c->id, sizeof c->id);
        return 0;
    case PROP_STATE:
        c->state.in_phy_port = read_u32(r);
        c->state.packet_type = rte_cpu_to_be_32(read_u32(r));
        bits = read_u8(r);
        c->state.in_set = (bits & STATE_IN_SET) != 0;
        c->state.in_group = (bits & STATE_IN_GROUP) != 0;
        return 0;
    case PROP_STACK:
        return read_value(r, c);
    case PROP_MIRRORS:
        c->state.mirrored = read_u32(r);
        return 0;
    case PROP_TABLE_ID:
        origin->table_id = read_u8(r);
        return origin->table_id < PIPELINE_TABLES ? 0 : OFPERR_BPC_BAD_VALUE;
    case PROP_COOKIE:
        read_skip(r, 4);
        origin->cookie = read_u64(r);
        return 0;
    case PROP_ORIGIN:
        bits = read_u8(r);
        origin->table_miss = bits & ORIGIN_TABLE_MISS;
        origin->packet_out = bits & ORIGIN_PACKET_OUT;
        return 0;
    case PROP_ACTIONS:
    case PROP_LIST:
        return read_segment(r, type == PROP_ACTIONS, version, origin, c);
    case PROP_ACTION_SET:
    case PROP_SET:
        return c->set.len ? OFPERR_BPC_DUP_TYPE : read_list(r, type == PROP_ACTION_SET, version, &c->set);
    default:
        return OFPERR_BPC_BAD_TYPE;
    }
}

int of_continuation_decode(const struct of_bytes *bytes, uint8_t version, struct of_continuation *c)
{
    struct reader r = reader_of(bytes->data, bytes->len), value;
    struct recirc_origin origin = {0};
    int more, error = 0;
    uint16_t type;

    memset(c->id, 0, sizeof c->id);
    memset(&c->state, 0, sizeof c->state);
    act_buffer_init(&c->segments);
    act_buffer_init(&c->set);
    while (!error && (more = read_property(&r, &type, &value)) != 0) {
        error = more < 0 ? OFPERR_BPC_BAD_LEN : read_one(type, &value, version, &origin, c);
        if (!error && (value.bad || value.left))
            error = OFPERR_BPC_BAD_LEN;
    }
    if (error) {
        of_continuation_free(c);
        return error;
    }
    memmove(c->stack, c->stack + OF_CONTINUATION_STACK_MAX - c->state.n_stack, c->state.n_stack * sizeof c->stack[0]);
    return 0;
}

void of_continuation_free(struct of_continuation *c)
{
    act_buffer_free(&c->segments);
    act_buffer_free(&c->set);
}

struct recirc of_continuation_left(const struct of_continuation *c)
{
    return (struct recirc){.state = c->state,
                           .segments_len = (uint32_t)c->segments.len,
                           .set_len = (uint32_t)c->set.len,
                           .stack = c->stack,
                           .set = act_buffer_list(&c->set),
                           .segments = c->segments.data};
}
