/* GROUP_MOD, and the entries of replies about groups: OpenFlow 1.3.5, 7.3.4.2 and 7.3.5.6 to 8;
 * OpenFlow 1.5.1, 7.3.4.3. */
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/oxm.h"
#include "src/tables/group.h"

#define BUCKET_LEN 16                /* up to OpenFlow 1.4, without the actions */
#define BUCKET15_LEN 8               /* without actions and properties */
#define COMMAND_ADD_OR_MODIFY 0x8000 /* Open vSwitch's */

/* OpenFlow 1.5: properties of buckets, and of groups (Open vSwitch's, by Netronome's experimenter id). */
enum { BUCKET_WEIGHT, BUCKET_WATCH_PORT, BUCKET_WATCH_GROUP };
#define NTR_VENDOR_ID 0x0000154du
#define NTR_SELECTION_METHOD 1

static const uint16_t commands15[] = {
    [GROUP_ADD] = 0,           [GROUP_MODIFY] = 1,        [GROUP_DELETE] = 2,
    [GROUP_INSERT_BUCKET] = 3, [GROUP_REMOVE_BUCKET] = 5, [GROUP_ADD_OR_MODIFY] = 0x8000};

static enum group_command command_of_wire(uint16_t wire, uint8_t version)
{
    for (unsigned i = 0; i < sizeof commands15 / sizeof commands15[0]; i++)
        if (commands15[i] == wire && (version >= OF15 || wire < 3 || wire == COMMAND_ADD_OR_MODIFY))
            return i;
    return GROUP_COMMAND_BAD;
}

static uint16_t command_to_wire(enum group_command command)
{
    return command == GROUP_COMMAND_BAD ? UINT16_MAX : commands15[command];
}

/* --- buckets ------------------------------------------------------------- */

static struct bucket *add_bucket(struct group_mod *gm)
{
    if ((gm->n_buckets & (gm->n_buckets - 1)) == 0) {
        gm->buckets = realloc(gm->buckets, (gm->n_buckets ? gm->n_buckets * 2 : 1) * sizeof *gm->buckets);
        if (!gm->buckets)
            out_of_memory("an OpenFlow request", 0);
    }
    gm->buckets[gm->n_buckets] =
        (struct bucket){.id = gm->n_buckets, .watch_port = OFPORT_ANY, .watch_group = OFGROUP_ANY};
    return &gm->buckets[gm->n_buckets++];
}

/* The actions are found by their offset: the buffer may move. */
static int decode_acts(struct reader *r, struct of_msg *msg, struct bucket *bucket)
{
    size_t start = msg->acts.len;
    int error = acts_decode(r, msg->version, &msg->acts);

    bucket->acts.len = msg->acts.len - start;
    return error;
}

static void place_acts(struct of_msg *msg)
{
    const uint8_t *p = msg->acts.data;
    struct of_buf scratch = {0};

    for (unsigned i = 0; i < msg->group_mod.n_buckets; i++) {
        struct bucket *bucket = &msg->group_mod.buckets[i];

        bucket->acts.acts = (const struct act *)p;
        bucket->acts_wire_len = (uint32_t)acts_wire_len(&bucket->acts, &scratch);
        p += bucket->acts.len;
    }
    of_buf_free(&scratch);
}

static int decode_bucket(struct reader *r, struct of_msg *msg)
{
    struct bucket *bucket = add_bucket(&msg->group_mod);
    struct reader peek = *r, part;
    uint16_t len = read_u16(&peek);

    if (len < BUCKET_LEN || len % 8)
        return OFPERR_GMFC_BAD_BUCKET;
    part = read_part(r, len);
    if (r->bad)
        return OFPERR_GMFC_BAD_BUCKET;
    read_skip(&part, 2);
    bucket->weight = read_u16(&part);
    bucket->watch_port = read_u32(&part);
    bucket->watch_group = read_u32(&part);
    read_skip(&part, 4);
    return decode_acts(&part, msg, bucket);
}

static int decode_bucket15(struct reader *r, struct of_msg *msg)
{
    struct bucket *bucket = add_bucket(&msg->group_mod);
    struct reader peek = *r, part, acts, value;
    uint16_t len = read_u16(&peek), acts_len, type;
    int error, more;

    if (len < BUCKET15_LEN || len % 8)
        return OFPERR_GMFC_BAD_BUCKET;
    part = read_part(r, len);
    read_skip(&part, 2);
    acts_len = read_u16(&part);
    bucket->id = read_u32(&part);
    acts = read_part(&part, acts_len);
    if (r->bad || part.bad)
        return OFPERR_GMFC_BAD_BUCKET;
    error = decode_acts(&acts, msg, bucket);
    bucket->weight = msg->group_mod.type == GROUP_SELECT;
    while (!error && (more = read_property(&part, &type, &value)) != 0) {
        if (more < 0)
            return OFPERR_BPC_BAD_LEN;
        if (type == BUCKET_WEIGHT)
            bucket->weight = read_u16(&value);
        else if (type == BUCKET_WATCH_PORT)
            bucket->watch_port = read_u32(&value);
        else if (type == BUCKET_WATCH_GROUP)
            bucket->watch_group = read_u32(&value);
        else
            return property_unknown(type);
        if (value.bad)
            return OFPERR_BPC_BAD_LEN;
    }
    return error;
}

static void encode_bucket(struct of_buf *buf, const struct bucket *bucket, uint8_t version)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, 0);
    of_buf_add_u16(buf, bucket->weight);
    of_buf_add_u32(buf, bucket->watch_port);
    of_buf_add_u32(buf, bucket->watch_group);
    of_buf_add_u32(buf, 0);
    acts_encode(buf, &bucket->acts, version, NULL);
    of_buf_set_u16(buf, start, (uint16_t)(buf->len - start));
}

static void put_property(struct of_buf *buf, uint16_t type, uint32_t value)
{
    of_buf_add_u16(buf, type);
    of_buf_add_u16(buf, 8);
    of_buf_add_u32(buf, value);
}

static void encode_bucket15(struct of_buf *buf, const struct bucket *bucket, uint8_t version, uint8_t type)
{
    size_t start = buf->len, acts_at;

    of_buf_add_u32(buf, 0);
    of_buf_add_u32(buf, bucket->id);
    acts_at = buf->len;
    acts_encode(buf, &bucket->acts, version, NULL);
    of_buf_set_u16(buf, start + 2, (uint16_t)(buf->len - acts_at));
    if (type == GROUP_SELECT)
        put_property(buf, BUCKET_WEIGHT, (uint32_t)bucket->weight << 16);
    if (bucket->watch_port != OFPORT_ANY)
        put_property(buf, BUCKET_WATCH_PORT, bucket->watch_port);
    if (bucket->watch_group != OFGROUP_ANY)
        put_property(buf, BUCKET_WATCH_GROUP, bucket->watch_group);
    of_buf_set_u16(buf, start, (uint16_t)(buf->len - start));
}

/* --- selection method ---------------------------------------------------- */

/* Each field is a header and a value that is its mask. */
static int decode_fields(struct reader *r, struct group_selection *s)
{
    while (r->left >= 4) {
        const struct field *field;
        bool has_mask;
        size_t len;

        field = oxm_read_header(r, &has_mask, &len);
        if (r->bad || !field)
            return OFPERR_BMC_BAD_FIELD;
        if (len != field->n_bytes || s->n_fields == GROUP_FIELDS_MAX)
            return OFPERR_BMC_BAD_LEN;
        s->fields[s->n_fields] = field;
        read_copy(r, s->masks[s->n_fields++].b, len);
    }
    return r->bad ? OFPERR_BMC_BAD_LEN : 0;
}

static int decode_selection(struct reader *r, struct group_selection *s)
{
    int error;

    if (read_u32(r) != NTR_VENDOR_ID || read_u32(r) != NTR_SELECTION_METHOD)
        return r->bad ? OFPERR_BPC_BAD_LEN : OFPERR_BPC_BAD_EXPERIMENTER;
    read_skip(r, 4);
    read_copy(r, s->method, sizeof s->method);
    s->param = read_u64(r);
    if (r->bad)
        return OFPERR_BPC_BAD_LEN;
    if (!memchr(s->method, 0, sizeof s->method) || (strcmp(s->method, "hash") && strcmp(s->method, "dp_hash")))
        return OFPERR_BPC_BAD_VALUE;
    error = decode_fields(r, s);
    if (!error && s->n_fields && strcmp(s->method, "hash"))
        error = OFPERR_BPC_BAD_VALUE;
    return error;
}

static void encode_selection(struct of_buf *buf, const struct group_selection *s, uint8_t version)
{
    size_t start = buf->len;

    if (!s->method[0])
        return;
    of_buf_add_u16(buf, PROPERTY_EXPERIMENTER);
    of_buf_add_u16(buf, 0);
    of_buf_add_u32(buf, NTR_VENDOR_ID);
    of_buf_add_u32(buf, NTR_SELECTION_METHOD);
    of_buf_add_u32(buf, 0);
    of_buf_add_bytes(buf, s->method, sizeof s->method);
    of_buf_add_u64(buf, s->param);
    for (unsigned i = 0; i < s->n_fields; i++) {
        oxm_put_header(buf, s->fields[i], version, false);
        of_buf_add_bytes(buf, s->masks[i].b, s->fields[i]->n_bytes);
    }
    of_buf_set_u16(buf, start + 2, (uint16_t)(buf->len - start));
    of_buf_pad(buf, start, 8);
}

/* --- GROUP_MOD ----------------------------------------------------------- */

static int decode_body15(struct reader *r, struct of_msg *msg)
{
    struct group_mod *gm = &msg->group_mod;
    uint16_t len = read_u16(r), type;
    struct reader buckets, value;
    int error = 0, more;

    read_skip(r, 2);
    gm->command_bucket_id = read_u32(r);
    buckets = read_part(r, len);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    while (buckets.left && !error)
        error = decode_bucket15(&buckets, msg);
    while (!error && (more = read_property(r, &type, &value)) != 0) {
        if (more < 0)
            return OFPERR_BPC_BAD_LEN;
        error = type == PROPERTY_EXPERIMENTER ? decode_selection(&value, &gm->selection) : property_unknown(type);
    }
    return error;
}

int decode_group_mod(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct group_mod *gm = &msg->group_mod;
    int error = 0;

    gm->command = command_of_wire(read_u16(r), msg->version);
    gm->type = read_u8(r);
    read_skip(r, 1);
    gm->group_id = read_u32(r);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (msg->version >= OF15)
        error = decode_body15(r, msg);
    else
        while (r->left && !error)
            error = decode_bucket(r, msg);
    if (error)
        return error;
    if (gm->command == GROUP_DELETE) /* OpenFlow 1.3.5, 7.3.4.2: buckets mean nothing; nobody is told of them */
        gm->n_buckets = 0;
    place_acts(msg);
    return 0;
}

void encode_group_mod(const struct of_msg *msg, struct of_buf *buf)
{
    const struct group_mod *gm = &msg->group_mod;
    size_t start = msg_begin(buf, OF_GROUP_MOD, msg->version, msg->xid), at;

    of_buf_add_u16(buf, command_to_wire(gm->command));
    of_buf_add_u8(buf, gm->type);
    of_buf_add_u8(buf, 0);
    of_buf_add_u32(buf, gm->group_id);
    if (msg->version >= OF15) {
        of_buf_add_u32(buf, 0);
        of_buf_add_u32(buf, gm->command_bucket_id);
        at = buf->len;
        for (unsigned i = 0; i < gm->n_buckets; i++)
            encode_bucket15(buf, &gm->buckets[i], msg->version, gm->type);
        of_buf_set_u16(buf, at - 8, (uint16_t)(buf->len - at));
        encode_selection(buf, &gm->selection, msg->version);
    } else {
        for (unsigned i = 0; i < gm->n_buckets; i++)
            encode_bucket(buf, &gm->buckets[i], msg->version);
    }
    msg_end(buf, start);
}

/* --- replies ------------------------------------------------------------- */

void of_multipart_add_group(struct of_multipart *mp, struct of_buf *out, const struct group *group, uint64_t age_ms)
{
    struct of_buf *buf = &mp->part;
    size_t at = buf->len;

    of_buf_add_u32(buf, 0);
    of_buf_add_u32(buf, group->id);
    of_buf_add_u32(buf, group_users(group));
    of_buf_add_u32(buf, 0);
    of_buf_add_u64(buf, group->packets);
    of_buf_add_u64(buf, group->bytes);
    of_buf_add_u32(buf, (uint32_t)(age_ms / 1000));
    of_buf_add_u32(buf, (uint32_t)(age_ms % 1000 * 1000000));
    for (uint32_t i = 0; i < group->n_buckets; i++) {
        of_buf_add_u64(buf, group->buckets[i].packets);
        of_buf_add_u64(buf, group->buckets[i].bytes);
    }
    of_buf_set_u16(buf, at, (uint16_t)(buf->len - at));
    multipart_entry_end(mp, out, at);
}

void of_multipart_add_group_desc(struct of_multipart *mp, struct of_buf *out, const struct group *group)
{
    struct of_buf *buf = &mp->part;
    size_t at = buf->len, buckets_at;

    of_buf_add_u16(buf, 0);
    of_buf_add_u8(buf, group->type);
    of_buf_add_u8(buf, 0);
    of_buf_add_u32(buf, group->id);
    if (mp->version >= OF15)
        of_buf_add(buf, 8);
    buckets_at = buf->len;
    for (uint32_t i = 0; i < group->n_buckets; i++) {
        if (mp->version >= OF15)
            encode_bucket15(buf, &group->buckets[i], mp->version, group->type);
        else
            encode_bucket(buf, &group->buckets[i], mp->version);
    }
    if (mp->version >= OF15) {
        of_buf_set_u16(buf, buckets_at - 8, (uint16_t)(buf->len - buckets_at));
        encode_selection(buf, &group->selection, mp->version);
    }
    of_buf_set_u16(buf, at, (uint16_t)(buf->len - at));
    multipart_entry_end(mp, out, at);
}

void of_multipart_add_group_features(struct of_multipart *mp, struct of_buf *out)
{
    /* OFPAT_: output, the TTLs of MPLS and IP and copying them, VLAN, MPLS, queue, group, set_field, PBB. */
    static const unsigned actions[] = {0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25};
    /* OFPGFC_SELECT_WEIGHT, SELECT_LIVENESS, CHAINING, CHAINING_CHECKS. */
    static const uint32_t capabilities = 0xf;
    struct of_buf *buf = &mp->part;
    size_t at = buf->len;
    uint32_t bits = 0;

    for (unsigned i = 0; i < sizeof actions / sizeof actions[0]; i++)
        bits |= UINT32_C(1) << actions[i];
    if (mp->version >= OF15)
        bits |= UINT32_C(1) << 28 | UINT32_C(1) << 29; /* copy_field, meter */
    of_buf_add_u32(buf, (1u << GROUP_N_TYPES) - 1);
    of_buf_add_u32(buf, capabilities);
    for (int i = 0; i < GROUP_N_TYPES; i++)
        of_buf_add_u32(buf, OFGROUP_MAX);
    for (int i = 0; i < GROUP_N_TYPES; i++)
        of_buf_add_u32(buf, bits);
    multipart_entry_end(mp, out, at);
}
