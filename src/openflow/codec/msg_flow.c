/* FLOW_MOD. */
#include "src/actions/act_check.h"
#include "src/openflow/codec/msg_impl.h"
#include "src/openflow/wire/act_wire.h"
#include "src/openflow/wire/oxm.h"

#define FLAGS13 0x1f      /* OFPFF_: the numbers of RULE_* */
#define FLAGS10 0x03      /* SEND_FLOW_REM, CHECK_OVERLAP */
#define FLAG10_EMERG 0x04 /* the emergency cache, which later versions lost */

static bool is_delete(const struct flow_mod *fm)
{
    return fm->command == FLOW_DELETE || fm->command == FLOW_DELETE_STRICT;
}

/* Can a reply or an update of any version say what the rule does? What surrounds the actions, match included, takes
 * less than MSG_AROUND_MAX. No action takes more than three times as many bytes on the wire as in a list, so that of
 * short lists nothing has to be counted. */
static bool fits_messages(const struct act_list *acts)
{
    struct of_buf scratch = {0};
    size_t len;

    if (acts->len <= (UINT16_MAX - MSG_AROUND_MAX) / 3)
        return true;
    len = instructions_wire_len(acts, &scratch);
    of_buf_free(&scratch);
    return len <= UINT16_MAX - MSG_AROUND_MAX;
}

/* Does what all forms have in common, once the parts are read. */
static int finish(struct of_msg *msg)
{
    struct flow_mod *fm = &msg->flow_mod;

    fm->acts = act_buffer_list(&msg->acts);
    if (!is_delete(fm)) { /* filters of deletes, and defaults of many controllers for the rest */
        fm->out_port = OFPORT_ANY;
        fm->out_group = OFGROUP_ANY;
    } else {
        fm->acts = (struct act_list){NULL, 0};
        return 0;
    }
    if (!fits_messages(&fm->acts))
        return OFPERR_BAC_TOO_MANY;
    return act_list_check(&fm->acts, &fm->match, fm->table_id);
}

/* --- OpenFlow 1.0 -------------------------------------------------------- */

static int take_command10(struct flow_mod *fm, uint16_t command, const struct of_decode_options *options)
{
    fm->table_id = TABLE_ALL;
    if (options->flow_mod_table_id) {
        fm->table_id = (uint8_t)(command >> 8);
        command &= 0xff;
    }
    if (command > FLOW_DELETE_STRICT)
        return OFPERR_FMFC_BAD_COMMAND;
    fm->command = command;
    return 0;
}

static int take_flags10(struct flow_mod *fm, uint16_t flags)
{
    if (flags & FLAG10_EMERG) /* OpenFlow 1.0.2, 4.6: there is no emergency cache, and it takes no timeouts */
        return fm->idle_timeout_s || fm->hard_timeout_s ? OFPERR_FMFC_BAD_TIMEOUT : OFPERR_FMFC_TABLE_FULL;
    if (flags & ~FLAGS10)
        return OFPERR_FMFC_BAD_FLAGS;
    fm->flags = flags;
    if (fm->command == FLOW_ADD)
        fm->flags |= RULE_RESET_COUNTS; /* an add of OpenFlow 1.0 always does, and says so in later versions */
    return 0;
}

/* A modify that finds nothing adds, and it changes cookies (OpenFlow 1.0.2, 4.6); not if it filters by cookie. */
static void take_cookie10(struct flow_mod *fm, uint64_t cookie)
{
    if (fm->cookie_mask == 0) {
        fm->cookie = cookie;
        fm->modify_cookie = cookie != UINT64_MAX;
        fm->modify_adds = true;
    }
}

/* From the timeouts to the flags; `match_len` is there in NXT_FLOW_MOD only. */
static int read_tail10(struct reader *r, struct flow_mod *fm)
{
    fm->idle_timeout_s = read_u16(r);
    fm->hard_timeout_s = read_u16(r);
    fm->priority = read_u16(r);
    fm->buffer_id = read_u32(r);
    fm->out_port = port_from_of10(read_u16(r));
    fm->out_group = OFGROUP_ANY;
    return take_flags10(fm, read_u16(r));
}

static int decode_flow_mod10(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct flow_mod *fm = &msg->flow_mod;
    uint64_t cookie;
    bool exact;
    int error = match10_decode(r, &fm->match, &exact);

    if (error)
        return error;
    cookie = read_u64(r);
    error = take_command10(fm, read_u16(r), options);
    if (!error)
        error = read_tail10(r, fm);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (!error)
        error = acts_decode(r, OF10, &msg->acts);
    if (error)
        return error;
    take_cookie10(fm, cookie);
    if (exact) { /* OpenFlow 1.0.2, 3.4: always of the highest priority */
        fm->priority = UINT16_MAX;
        fm->flags |= RULE_EXACT;
    }
    return finish(msg);
}

int decode_nx_flow_mod(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct flow_mod *fm = &msg->flow_mod;
    uint64_t cookie = read_u64(r);
    uint16_t match_len;
    int error = take_command10(fm, read_u16(r), options);

    if (!error)
        error = read_tail10(r, fm);
    match_len = read_u16(r);
    read_skip(r, 6);
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (!error)
        error = nxm_match_decode(r, match_len, &fm->match, &fm->cookie, &fm->cookie_mask);
    if (!error)
        error = acts_decode(r, OF10, &msg->acts);
    if (error)
        return error;
    if (fm->command == FLOW_ADD && fm->cookie_mask) /* an add has no rules to filter */
        return OFPERR_BMC_BAD_FIELD;
    take_cookie10(fm, cookie);
    return finish(msg);
}

static void encode_nx_flow_mod(const struct of_msg *msg, struct of_buf *buf)
{
    const struct flow_mod *fm = &msg->flow_mod;
    size_t start = msg_begin_vendor(buf, OF10, msg->xid, OF_EXPERIMENTER_NICIRA, NXT_FLOW_MOD), len_at, len;

    of_buf_add_u64(buf, fm->cookie_mask ? UINT64_MAX : fm->cookie);
    of_buf_add_u16(buf, (uint16_t)(fm->table_id << 8 | fm->command));
    of_buf_add_u16(buf, fm->idle_timeout_s);
    of_buf_add_u16(buf, fm->hard_timeout_s);
    of_buf_add_u16(buf, fm->priority);
    of_buf_add_u32(buf, fm->buffer_id);
    of_buf_add_u16(buf, port_to_of10(fm->out_port));
    of_buf_add_u16(buf, fm->flags & FLAGS10);
    len_at = buf->len;
    of_buf_add(buf, 8);
    len = nxm_match_encode(buf, &fm->match, fm->cookie, fm->cookie_mask);
    of_buf_set_u16(buf, len_at, (uint16_t)len);
    acts_encode(buf, &fm->acts, OF10, &fm->match);
    msg_end(buf, start);
}

/* --- OpenFlow 1.3 (OpenFlow 1.3.5, 7.3.4.1) ------------------------------ */

static int check_table13(const struct flow_mod *fm)
{
    return fm->table_id == TABLE_ALL && !is_delete(fm) ? OFPERR_FMFC_BAD_TABLE_ID : 0;
}

int decode_flow_mod(struct reader *r, const struct of_decode_options *options, struct of_msg *msg)
{
    struct flow_mod *fm = &msg->flow_mod;
    uint8_t command;
    int error;

    if (msg->version == OF10)
        return decode_flow_mod10(r, options, msg);
    fm->cookie = read_u64(r);
    fm->cookie_mask = read_u64(r);
    fm->table_id = read_u8(r);
    command = read_u8(r);
    fm->idle_timeout_s = read_u16(r);
    fm->hard_timeout_s = read_u16(r);
    fm->priority = read_u16(r);
    fm->buffer_id = read_u32(r);
    fm->out_port = read_u32(r);
    fm->out_group = read_u32(r);
    fm->flags = read_u16(r);
    fm->importance = read_u16(r);
    if (msg->version < OF14)
        fm->importance = 0; /* padding */
    if (r->bad)
        return OFPERR_BRC_BAD_LEN;
    if (command > FLOW_DELETE_STRICT)
        return OFPERR_FMFC_BAD_COMMAND;
    fm->command = command;
    if (fm->flags & ~FLAGS13)
        return OFPERR_FMFC_BAD_FLAGS;
    if (fm->command == FLOW_ADD)
        fm->cookie_mask = 0; /* means nothing there */
    error = check_table13(fm);
    if (!error)
        error = oxm_match_decode(r, &fm->match);
    if (!error)
        error = instructions_decode(r, msg->version, &msg->acts);
    return error ? error : finish(msg);
}

void encode_flow_mod(const struct of_msg *msg, struct of_buf *buf)
{
    const struct flow_mod *fm = &msg->flow_mod;
    size_t start;

    if (msg->version == OF10) {
        encode_nx_flow_mod(msg, buf);
        return;
    }
    start = msg_begin(buf, OF_FLOW_MOD, msg->version, msg->xid);
    of_buf_add_u64(buf, fm->cookie);
    of_buf_add_u64(buf, fm->cookie_mask);
    of_buf_add_u8(buf, fm->table_id);
    of_buf_add_u8(buf, (uint8_t)fm->command);
    of_buf_add_u16(buf, fm->idle_timeout_s);
    of_buf_add_u16(buf, fm->hard_timeout_s);
    of_buf_add_u16(buf, fm->priority);
    of_buf_add_u32(buf, fm->buffer_id);
    of_buf_add_u32(buf, fm->out_port);
    of_buf_add_u32(buf, fm->out_group);
    of_buf_add_u16(buf, fm->flags & FLAGS13);
    of_buf_add_u16(buf, msg->version >= OF14 ? fm->importance : 0);
    oxm_match_encode(buf, &fm->match, msg->version);
    instructions_encode(buf, &fm->acts, msg->version, &fm->match);
    msg_end(buf, start);
}
