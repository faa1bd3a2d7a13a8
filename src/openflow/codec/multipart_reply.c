/* Replies that may need more than one message, as a whole; what belongs to no family of entries. */
#include "pmd/base/log.h"
#include "src/openflow/codec/msg_impl.h"

static void part_begin(struct of_multipart *mp)
{
    msg_begin(&mp->part, OF_MULTIPART_REPLY, mp->version, mp->xid);
    multipart_put_head(&mp->part, mp->type, mp->nx, mp->version, false);
    mp->head_len = mp->part.len;
}

void of_multipart_begin(struct of_multipart *mp, uint8_t version, uint32_t xid, enum of_multipart_type type, bool nx)
{
    memset(mp, 0, sizeof *mp);
    mp->version = version;
    mp->xid = xid;
    mp->type = type;
    mp->nx = nx;
    part_begin(mp);
}

void multipart_entry_end(struct of_multipart *mp, struct of_buf *out, size_t at)
{
    struct of_buf entry = {NULL, 0, 0};
    size_t len = mp->part.len - at;

    if (mp->part.len <= UINT16_MAX)
        return;
    of_buf_add_bytes(&entry, mp->part.data + at, len);
    mp->part.len = at;
    if (mp->head_len + len > UINT16_MAX) {
        LOG_ERR_RL(LOG_OPENFLOW,
                   "an entry of %zu bytes was left out of a reply of type %d: no message can be that long", len,
                   mp->type);
    } else {
        of_buf_set_u16(&mp->part, OF_HEADER_LEN + 2, 1); /* more follows */
        msg_end(&mp->part, 0);
        of_buf_add_bytes(out, mp->part.data, mp->part.len);
        mp->part.len = 0;
        part_begin(mp);
        of_buf_add_bytes(&mp->part, entry.data, len);
    }
    of_buf_free(&entry);
}

void of_multipart_end(struct of_multipart *mp, struct of_buf *out)
{
    msg_end(&mp->part, 0);
    of_buf_add_bytes(out, mp->part.data, mp->part.len);
    of_buf_free(&mp->part);
}

void of_multipart_abort(struct of_multipart *mp)
{
    of_buf_free(&mp->part);
}

static void put_text(struct of_buf *buf, const char *text, size_t width)
{
    char *to = of_buf_add(buf, width);

    if (text)
        memcpy(to, text, strnlen(text, width - 1));
}

void of_multipart_add_desc(struct of_multipart *mp, struct of_buf *out, const struct of_desc *desc)
{
    size_t at = mp->part.len;

    put_text(&mp->part, desc->mfr_desc, 256);
    put_text(&mp->part, desc->hw_desc, 256);
    put_text(&mp->part, desc->sw_desc, 256);
    put_text(&mp->part, desc->serial_num, 32);
    put_text(&mp->part, desc->dp_desc, 256);
    multipart_entry_end(mp, out, at);
}

void of_multipart_add_bundle_features(struct of_multipart *mp, struct of_buf *out)
{
    size_t at = mp->part.len;

    of_buf_add_u16(&mp->part, OF_BUNDLE_ATOMIC | OF_BUNDLE_ORDERED);
    of_buf_add(&mp->part, 6);
    multipart_entry_end(mp, out, at);
}
