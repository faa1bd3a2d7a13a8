/* Matches as lists of OXM or NXM entries (OpenFlow 1.3.5, 7.2.3; NXM has the same headers with other numbers), and the
 * headers of fields wherever else they appear. For wire/ and codec/ alone. */
#ifndef SRC_OPENFLOW_WIRE_OXM_H
#define SRC_OPENFLOW_WIRE_OXM_H

#include "src/match/field.h"
#include "src/openflow/wire/buf.h"
#include "src/openflow/wire/wire.h"

/* Which headers are preferred when writing; any is understood when reading. */
#define OXM_NXM 0 /* as a `version`: NXM */

/* A field's header, with what follows for an experimenter's: reads it off `r`. `*len` is the length of the value (and
 * mask). NULL if the field is not known; r->bad if it is cut short. */
const struct field *oxm_read_header(struct reader *r, bool *has_mask, size_t *len);
/* Reads the value, and mask if there is one, that follow a header: `len` bytes. The mask is all ones where there is
 * none. Returns 0 or an enum of_error. */
int oxm_read_value(struct reader *r, const struct field *field, bool has_mask, size_t len, union field_value *value,
                   union field_value *mask);
void oxm_put_header(struct of_buf *buf, const struct field *field, uint8_t version, bool has_mask);

/* Reads the entries that fill `r`. `cookie` (of a filter, NXM_NX_COOKIE): NULL = not allowed. Returns 0 or an
 * enum of_error (OFPERR_BMC_*). */
int oxm_decode(struct reader *r, struct match *match, uint64_t *cookie, uint64_t *cookie_mask);
/* Writes the entries of `match`, without padding; returns their length. */
size_t oxm_encode(struct of_buf *buf, const struct match *match, uint8_t version, uint64_t cookie,
                  uint64_t cookie_mask);

/* struct ofp_match of OpenFlow 1.2 and later: type, length, entries, padding. */
int oxm_match_decode(struct reader *r, struct match *match);
void oxm_match_encode(struct of_buf *buf, const struct match *match, uint8_t version);

/* `len` bytes of NXM entries and the padding behind them. */
int nxm_match_decode(struct reader *r, size_t len, struct match *match, uint64_t *cookie, uint64_t *cookie_mask);
/* Returns the length without the padding that it writes. */
size_t nxm_match_encode(struct of_buf *buf, const struct match *match, uint64_t cookie, uint64_t cookie_mask);

/* struct ofp_match of OpenFlow 1.0, 40 bytes (OpenFlow 1.0.2, 5.2.3). What it cannot say is left out. */
int match10_decode(struct reader *r, struct match *match,
                   bool *exact); /* `exact`: nothing is wildcarded; may be NULL */
void match10_encode(struct of_buf *buf, const struct match *match);

#endif
