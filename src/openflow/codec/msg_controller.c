/* Controllers among each other: roles, and what one is told of others: ROLE_STATUS, REQUESTFORWARD (OpenFlow 1.4.1,
 * 7.4.4 and 6), CONTROLLER_STATUS (OpenFlow 1.5.1, 7.4.7 and 7.3.5.22). */
#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/wire/layout.h"

/* --- roles (OpenFlow 1.3.5, 7.3.9) --------------------------------------- */

int decode_role(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    uint32_t role = read_u32(r);

    msg->role.short_id = read_u16(r);
    if (msg->version < OF15)
        msg->role.short_id = 0; /* padding */
    read_skip(r, 2);
    msg->role.generation_id = read_u64(r);
    msg->role.has_generation_id = role == OF_ROLE_MASTER || role == OF_ROLE_SLAVE;
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (role > OF_ROLE_SLAVE)
        return OFPERR_RRFC_BAD_ROLE;
    msg->role.role = role;
    return 0;
}

/* Nicira's roles: other, master, slave. */
int decode_nx_role(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    uint32_t role = read_u32(r);

    msg->role.nx = true;
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (role > 2)
        return OFPERR_RRFC_BAD_ROLE;
    msg->role.role = OF_ROLE_EQUAL + role;
    return 0;
}

void encode_role(const struct of_msg *msg, struct of_buf *buf)
{
    const struct of_role_msg *role = &msg->role;
    size_t start;

    if (role->nx) {
        start = msg_begin_vendor(buf, msg->version, msg->xid, OF_EXPERIMENTER_NICIRA,
                                 msg->type == OF_ROLE_REQUEST ? NXT_ROLE_REQUEST : NXT_ROLE_REPLY);
        of_buf_add_u32(buf, role->role > OF_ROLE_EQUAL ? role->role - OF_ROLE_EQUAL : 0);
    } else {
        start = msg_begin(buf, msg->type, msg->version, msg->xid);
        of_buf_add_u32(buf, role->role);
        of_buf_add_u16(buf, msg->version >= OF15 ? role->short_id : 0);
        of_buf_add_u16(buf, 0);
        of_buf_add_u64(buf, role->generation_id);
    }
    msg_end(buf, start);
}

int decode_role_status(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    uint32_t role = read_u32(r);

    msg->role.reason = read_u8(r);
    read_skip(r, 3);
    msg->role.generation_id = read_u64(r);
    msg->role.has_generation_id = true;
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (role > OF_ROLE_SLAVE)
        return OFPERR_RRFC_BAD_ROLE;
    msg->role.role = role;
    read_skip(r, r->left); /* properties: there are none but experimenters' */
    return 0;
}

void encode_role_status(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin(buf, OF_ROLE_STATUS, msg->version, msg->xid);

    of_buf_add_u32(buf, msg->role.role);
    of_buf_add_u8(buf, msg->role.reason);
    of_buf_add(buf, 3);
    of_buf_add_u64(buf, msg->role.generation_id);
    msg_end(buf, start);
}

/* --- CONTROLLER_STATUS --------------------------------------------------- */

#define STATUS_URI 0 /* OFPCSPT_URI */
#define MEMBER(member, width) LAYOUT(struct of_controller_status, member, width)

static const struct layout status[] = {LAYOUT_PAD(2),      MEMBER(short_id, 2), MEMBER(role, 4), MEMBER(reason, 1),
                                       MEMBER(is_down, 1), LAYOUT_PAD(6),       LAYOUT_END};

bool controller_status_read(struct reader *r, struct of_controller_status *s)
{
    struct reader peek = *r, entry = read_part(r, read_u16(&peek)), value;
    uint16_t type;
    int more;

    memset(s, 0, sizeof *s);
    layout_read(&entry, status, s);
    s->is_down = s->is_down != 0;
    while ((more = read_property(&entry, &type, &value)) > 0) {
        if (type != STATUS_URI)
            continue;
        s->uri = (const char *)value.p;
        s->uri_len = value.left;
    }
    return more == 0 && s->role <= OF_ROLE_SLAVE;
}

static void put_status(struct of_buf *buf, const struct of_controller_status *s)
{
    size_t start = buf->len, property;

    layout_put(buf, status, s);
    property = buf->len;
    of_buf_add_u16(buf, STATUS_URI);
    of_buf_add_u16(buf, (uint16_t)(4 + s->uri_len));
    of_buf_add_bytes(buf, s->uri, s->uri_len);
    of_buf_pad(buf, property, 8);
    of_buf_set_u16(buf, start, (uint16_t)(buf->len - start));
}

int decode_controller_status(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    return controller_status_read(r, &msg->controller_status) ? 0 : OFPERR_BRC_BAD_LEN;
}

void encode_controller_status(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin(buf, OF_CONTROLLER_STATUS, msg->version, msg->xid);

    put_status(buf, &msg->controller_status);
    msg_end(buf, start);
}

void of_multipart_add_controller(struct of_multipart *mp, struct of_buf *out, const struct of_controller_status *s)
{
    size_t at = mp->part.len;

    put_status(&mp->part, s);
    multipart_entry_end(mp, out, at);
}

/* --- REQUESTFORWARD ------------------------------------------------------ */

int decode_requestforward(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct of_header inner;

    if (r->left < OF_HEADER_LEN || of_header_parse(r->p, &inner) || inner.length != r->left)
        return OFPERR_BRC_BAD_LEN;
    msg->requestforward = (struct of_bytes){r->p, r->left};
    read_skip(r, r->left);
    return 0;
}

void encode_requestforward(const struct of_msg *msg, struct of_buf *buf)
{
    size_t start = msg_begin(buf, OF_REQUESTFORWARD, msg->version, msg->xid);

    of_buf_add_bytes(buf, msg->requestforward.data, msg->requestforward.len);
    msg_end(buf, start);
}
