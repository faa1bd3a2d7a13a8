#include "src/match/minimatch.h"
#include "src/match/of_error.h"
#include "src/openflow/wire/oxm.h"
#include "src/openflow/wire/version.h"

#define NXM_NX_COOKIE (0x0001u << 16 | 30 << 9) /* without length; NXM_NX_MPLS_TTL has the number, too */
#define OXM_CLASS_EXPERIMENTER 0xffff
#define MASKS_KNOWN 64

/* Fields that OpenFlow before 1.5 has in ONF's experimenter class, with their later numbers (EXT-109, EXT-233). */
static bool is_onf_field(enum field_id id)
{
    return id == FIELD_TCP_FLAGS || id == FIELD_ACTSET_OUTPUT;
}

const struct field *oxm_read_header(struct reader *r, bool *has_mask, size_t *len)
{
    uint32_t header = read_u32(r), experimenter;
    const struct field *f;

    *has_mask = header >> 8 & 1;
    *len = header & 0xff;
    if (header >> 16 != OXM_CLASS_EXPERIMENTER)
        return field_by_header(header);
    if (*len < 4)
        r->bad = true;
    experimenter = read_u32(r);
    *len -= 4;
    if (r->bad)
        return NULL;
    if (experimenter != OF_EXPERIMENTER_ONF)
        return field_by_experimenter(experimenter, header);
    f = field_by_header(0x80000000u | (header & 0xfe00));
    return f && is_onf_field(f->id) ? f : NULL;
}

static uint32_t header_for(const struct field *f, uint8_t version)
{
    if (version == OXM_NXM)
        return f->nxm ? f->nxm : f->oxm;
    return f->oxm ? f->oxm : f->nxm;
}

void oxm_put_header(struct of_buf *buf, const struct field *f, uint8_t version, bool has_mask)
{
    uint32_t header = header_for(f, version);
    unsigned len = (unsigned)f->n_bytes << has_mask;
    bool onf = version < OF15 && header >> 16 == 0x8000 && is_onf_field(f->id);
    uint32_t experimenter = onf ? OF_EXPERIMENTER_ONF : header >> 16 == OXM_CLASS_EXPERIMENTER ? f->experimenter : 0;

    header = (header & 0xfffffe00) | (uint32_t)has_mask << 8;
    if (!experimenter) {
        of_buf_add_u32(buf, header | len);
        return;
    }
    of_buf_add_u32(buf, (header & 0xffff) | (uint32_t)OXM_CLASS_EXPERIMENTER << 16 | (len + 4));
    of_buf_add_u32(buf, experimenter);
}

static bool all_ones(const uint8_t *b, size_t n)
{
    while (n > 0 && b[n - 1] == 0xff)
        n--;
    return n == 0;
}

static bool all_zero(const uint8_t *b, size_t n)
{
    while (n > 0 && b[n - 1] == 0)
        n--;
    return n == 0;
}

/* The value of a field whose width is not the protocol's is right-aligned. */
static void align(const uint8_t *bytes, size_t len, unsigned n_bytes, uint8_t *out)
{
    memset(out, 0, n_bytes);
    if (len >= n_bytes)
        memcpy(out, bytes + len - n_bytes, n_bytes);
    else
        memcpy(out + n_bytes - len, bytes, len);
}

static bool fits(const uint8_t *bytes, size_t len, unsigned n_bytes)
{
    return len <= n_bytes || all_zero(bytes, len - n_bytes);
}

int oxm_read_value(struct reader *r, const struct field *f, bool has_mask, size_t len, union field_value *value,
                   union field_value *mask)
{
    const uint8_t *bytes = read_bytes(r, len);
    size_t half = has_mask ? len / 2 : len;

    memset(value, 0, sizeof *value);
    memset(mask, 0, sizeof *mask);
    if (!bytes || half << has_mask != len || (!f->variable && half != f->n_bytes))
        return OFPERR_BMC_BAD_LEN;
    if (f->n_bytes == 0)
        return OFPERR_NXFMFC_INVALID_TLV_FIELD;
    if (!fits(bytes, half, f->n_bytes))
        return OFPERR_BMC_BAD_VALUE;
    align(bytes, half, f->n_bytes, value->b);
    if (has_mask)
        align(bytes + half, half, f->n_bytes, mask->b);
    else
        memset(mask->b, 0xff, f->n_bytes);
    return 0;
}

static bool is_tun_metadata(const struct field *f)
{
    return f->id >= FIELD_TUN_METADATA0 && f->id <= FIELD_TUN_METADATA63;
}

/* One entry: `f` with its value and mask. */
static int decode_entry(struct reader *r, const struct field *f, bool has_mask, size_t len, struct match *match)
{
    union field_value value, mask;
    unsigned n = f->n_bytes;
    int error = oxm_read_value(r, f, has_mask, len, &value, &mask);

    if (error)
        return error;
    if (f->maskable == FIELD_MASK_NONE && !all_ones(mask.b, n) && !all_zero(mask.b, n))
        return OFPERR_BMC_BAD_MASK;
    /* That an option is there, whatever its value, which a key cannot tell: nothing wider is meant. */
    if (is_tun_metadata(f) && all_zero(mask.b, n))
        return OFPERR_BMC_BAD_MASK;
    for (unsigned i = 0; i < n; i++) /* OpenFlow 1.3.5, 7.2.3.5 */
        if (value.b[i] & ~mask.b[i])
            return OFPERR_BMC_BAD_WILDCARDS;
    if (!field_value_valid(f, &value))
        return OFPERR_BMC_BAD_VALUE;
    if (!field_prereq_implied(f, match))
        return OFPERR_BMC_BAD_PREREQ;
    if (!field_is_wild(f, &match->mask))
        return OFPERR_BMC_DUP_FIELD;
    if (f->id == FIELD_PACKET_TYPE && all_zero(value.b, n))
        return 0; /* Ethernet: all packets are */
    if (!all_zero(mask.b, n))
        match_set_masked(match, f, &value, &mask);
    if (f->id == FIELD_PACKET_TYPE)
        match_imply_eth_type(match);
    return 0;
}

/* As above, for the many fields whose bytes are copied as they are. */
static int decode_exact(struct reader *r, const struct field *f, struct match *match)
{
    const uint8_t *bytes = read_bytes(r, f->n_bytes);

    if (!bytes)
        return OFPERR_BMC_BAD_LEN;
    if (!field_prereq_implied(f, match))
        return OFPERR_BMC_BAD_PREREQ;
    if (!field_is_wild(f, &match->mask))
        return OFPERR_BMC_DUP_FIELD;
    memcpy((uint8_t *)&match->value + f->offset, bytes, f->n_bytes);
    field_mask_all(f, &match->mask);
    return 0;
}

static bool is_plain(const struct field *f, bool has_mask, size_t len)
{
    return f->whole && !has_mask && len == f->n_bytes && f->id != FIELD_PACKET_TYPE;
}

static int decode_cookie(struct reader *r, bool has_mask, uint64_t *cookie, uint64_t *cookie_mask)
{
    if (!cookie)
        return OFPERR_BMC_BAD_FIELD;
    *cookie = read_u64(r);
    *cookie_mask = has_mask ? read_u64(r) : UINT64_MAX;
    if (r->bad)
        return OFPERR_BMC_BAD_LEN;
    return *cookie & ~*cookie_mask ? OFPERR_BMC_BAD_WILDCARDS : 0;
}

int oxm_decode(struct reader *r, struct match *match, uint64_t *cookie, uint64_t *cookie_mask)
{
    uint64_t seen[FIELD_SET_WORDS] = {0};

    match_init_all(match);
    while (r->left > 0) {
        struct reader peek = *r;
        uint32_t header = read_u32(&peek);
        const struct field *f;
        bool has_mask;
        size_t len;
        int error;

        f = oxm_read_header(r, &has_mask, &len);
        if (r->bad)
            return OFPERR_BMC_BAD_LEN;
        if ((header & 0xfffffe00) == NXM_NX_COOKIE && len == 8u << has_mask) {
            error = decode_cookie(r, has_mask, cookie, cookie_mask);
            if (error)
                return error;
            continue;
        }
        if (!f)
            return OFPERR_BMC_BAD_FIELD;
        if (seen[f->id / 64] >> f->id % 64 & 1)
            return OFPERR_BMC_DUP_FIELD;
        seen[f->id / 64] |= UINT64_C(1) << f->id % 64;
        error = is_plain(f, has_mask, len) ? decode_exact(r, f, match) : decode_entry(r, f, has_mask, len, match);
        if (error)
            return error;
    }
    return r->bad ? OFPERR_BMC_BAD_LEN : 0;
}

static void put_bytes(struct of_buf *buf, const struct field *f, const struct flow *flow)
{
    union field_value v;

    if (f->whole) {
        of_buf_add_bytes(buf, (const uint8_t *)flow + f->offset, f->n_bytes);
        return;
    }
    field_get(f, flow, &v);
    of_buf_add_bytes(buf, v.b, f->n_bytes);
}

static void put_entry(struct of_buf *buf, const struct field *f, uint8_t version, bool exact, const struct match *match)
{
    oxm_put_header(buf, f, version, !exact);
    put_bytes(buf, f, &match->value);
    if (!exact)
        put_bytes(buf, f, &match->mask);
}

/* The tag is one field in NXM and two in OXM; an OXM match that the two cannot say has the NXM entry instead. */
static bool tag_as_tci(const struct match *match, uint8_t version)
{
    uint16_t mask = rte_be_to_cpu_16(match->mask.pkt.vlan_tci[0]);
    uint16_t value = rte_be_to_cpu_16(match->value.pkt.vlan_tci[0]);

    if (version == OXM_NXM)
        return true;
    if ((mask & 0xe000) == 0 || (mask == 0xffff && value == 0)) /* "no tag" is VLAN_VID = 0 */
        return false;
    return (mask & 0xe000) != 0xe000 || !(value & VLAN_TCI_PRESENT);
}

/* Whether `f`, which is not wild, is the one to write, of the fields that share its place in the key. */
static bool is_written(const struct field *f, const struct match *match, uint8_t version)
{
    if (!field_prereq_implied(f, match))
        return false;
    switch (f->id) {
    case FIELD_ETH_TYPE: /* of a packet that is not Ethernet, it is said by the packet type */
        return match->value.packet_type == PACKET_TYPE_ETHERNET;
    case FIELD_IN_PORT:
    case FIELD_IP_TOS:
        return version == OXM_NXM;
    case FIELD_IN_PORT_OXM:
    case FIELD_IP_DSCP:
        return version != OXM_NXM;
    case FIELD_VLAN_TCI:
        return tag_as_tci(match, version);
    case FIELD_VLAN_VID:
    case FIELD_VLAN_PCP:
        return !tag_as_tci(match, version);
    default:
        return !(f->id >= FIELD_XREG0 && f->id <= FIELD_XXREG3); /* the registers they are made of are written */
    }
}

/* The words of struct flow that the field is in. */
static uint64_t words_of(const struct field *f)
{
    const uint64_t words = UINT64_C(7) & ((UINT64_C(2) << (f->offset % 8 + f->container) / 8) - 1);

    /* The place of a tunnel option is not known before it is given one, and is another later. */
    if (is_tun_metadata(f))
        return ((UINT64_C(1) << TUN_METADATA_LEN / 8) - 1) << offsetof(struct flow, pkt.tun_metadata) / 8;
    return words << f->offset / 8;
}

/* Which fields may be in a word: few of them all, so that a match of a few words is written without a look at each. */
static const uint64_t *fields_in(unsigned word)
{
    static uint64_t sets[FLOW_WORDS][FIELD_SET_WORDS];
    static bool made;

    for (int id = 0; id < FIELD_N && !made; id++)
        for (uint64_t words = words_of(field_by_id(id)); words != 0; words &= words - 1)
            sets[__builtin_ctzll(words)][id / 64] |= UINT64_C(1) << id % 64;
    made = true;
    return sets[word];
}

/* Which fields of a mask are not wild, and which of these are exact. */
struct mask_fields {
    uint64_t map; /* of its words */
    uint64_t words[FLOW_WORDS];
    uint64_t set[FIELD_SET_WORDS], exact[FIELD_SET_WORDS];
};

static bool is_of_mask(const struct mask_fields *fields, const struct flow *mask, uint64_t map)
{
    const uint64_t *words = (const uint64_t *)mask;

    if (fields->map != map)
        return false;
    for (; map != 0; map &= map - 1) {
        const int word = __builtin_ctzll(map);

        if (fields->words[word] != words[word])
            return false;
    }
    return true;
}

static void find_fields(struct mask_fields *fields, const struct flow *mask, uint64_t map)
{
    uint64_t candidates[FIELD_SET_WORDS] = {0};

    memset(fields, 0, sizeof *fields);
    fields->map = map;
    for (; map != 0; map &= map - 1) {
        const unsigned word = (unsigned)__builtin_ctzll(map);

        fields->words[word] = ((const uint64_t *)mask)[word];
        for (unsigned i = 0; i < FIELD_SET_WORDS; i++)
            candidates[i] |= fields_in(word)[i];
    }
    for (unsigned i = 0; i < FIELD_SET_WORDS; i++) {
        for (uint64_t left = candidates[i]; left != 0; left &= left - 1) {
            const struct field *f = field_by_id((int)i * 64 + __builtin_ctzll(left));

            if ((!f->nxm && !f->oxm) || field_is_wild(f, mask))
                continue;
            fields->set[i] |= left & -left;
            fields->exact[i] |= field_is_exact(f, mask) ? left & -left : 0;
        }
    }
}

/* Rules come by the thousand with a few masks: what one has of fields is looked for once. The places of tunnel options
 * may change, so a mask with some is looked at each time. Control thread. */
static const struct mask_fields *fields_of(const struct flow *mask)
{
    static const uint64_t options = ((UINT64_C(1) << TUN_METADATA_LEN / 8) - 1)
                                    << offsetof(struct flow, pkt.tun_metadata) / 8;
    static struct mask_fields known[MASKS_KNOWN];
    const uint64_t map = flow_map(mask);
    struct mask_fields *fields = &known[flow_hash(mask, map) % MASKS_KNOWN];

    if (map & options || !is_of_mask(fields, mask, map))
        find_fields(fields, mask, map);
    return fields;
}

size_t oxm_encode(struct of_buf *buf, const struct match *match, uint8_t version, uint64_t cookie, uint64_t cookie_mask)
{
    const struct mask_fields *fields = fields_of(&match->mask);
    size_t start = buf->len;

    for (unsigned i = 0; i < FIELD_SET_WORDS; i++) {
        for (uint64_t left = fields->set[i]; left != 0; left &= left - 1) {
            const struct field *f = field_by_id((int)i * 64 + __builtin_ctzll(left));

            if (is_written(f, match, version))
                put_entry(buf, f, version, fields->exact[i] & left & -left, match);
        }
    }
    if (cookie_mask) {
        of_buf_add_u32(buf, NXM_NX_COOKIE | 1 << 8 | 16);
        of_buf_add_u64(buf, cookie & cookie_mask);
        of_buf_add_u64(buf, cookie_mask);
    }
    return buf->len - start;
}

int oxm_match_decode(struct reader *r, struct match *match)
{
    uint16_t type = read_u16(r), len = read_u16(r);
    struct reader entries;

    if (r->bad || len < 4)
        return OFPERR_BMC_BAD_LEN;
    if (type != 1) /* OFPMT_OXM */
        return OFPERR_BMC_BAD_TYPE;
    entries = read_part(r, len - 4u);
    read_skip(r, (8 - len % 8) % 8);
    return r->bad ? OFPERR_BMC_BAD_LEN : oxm_decode(&entries, match, NULL, NULL);
}

void oxm_match_encode(struct of_buf *buf, const struct match *match, uint8_t version)
{
    size_t start = buf->len;

    of_buf_add_u16(buf, 1);
    of_buf_add_u16(buf, 0);
    oxm_encode(buf, match, version, 0, 0);
    of_buf_set_u16(buf, start + 2, (uint16_t)(buf->len - start));
    of_buf_pad(buf, start, 8);
}

int nxm_match_decode(struct reader *r, size_t len, struct match *match, uint64_t *cookie, uint64_t *cookie_mask)
{
    struct reader entries = read_part(r, len);

    read_skip(r, (8 - len % 8) % 8);
    return r->bad ? OFPERR_BMC_BAD_LEN : oxm_decode(&entries, match, cookie, cookie_mask);
}

size_t nxm_match_encode(struct of_buf *buf, const struct match *match, uint64_t cookie, uint64_t cookie_mask)
{
    size_t start = buf->len, len = oxm_encode(buf, match, OXM_NXM, cookie, cookie_mask);

    of_buf_pad(buf, start, 8);
    return len;
}
