/* Continuations: what is left to do with a packet that waits for a controller, as NXT_PACKET_IN2 brings it there and
 * NXT_RESUME back (NXPINT_CONTINUATION). The switch keeps nothing of it; so what comes back may be anything, and is
 * taken for no more than a packet-out with actions would be. Control thread.
 *
 * Inside are properties: Open vSwitch's, where they can say what is to be said, and others that it passes over. What
 * surrounds the packet (in_port, metadata, registers, marks, tunnel) is not in it but beside it, for the controller to
 * change.
 */
#ifndef SRC_OPENFLOW_CODEC_CONTINUATION_H
#define SRC_OPENFLOW_CODEC_CONTINUATION_H

#include "src/openflow/codec/msg.h"
#include "src/xlate/recirc.h"

#define OF_CONTINUATION_ID_LEN 16
#define OF_CONTINUATION_STACK_MAX 64

struct of_continuation {
    uint8_t id[OF_CONTINUATION_ID_LEN]; /* of who made it */
    struct recirc_state state;          /* what is not beside it */
    union field_value stack[OF_CONTINUATION_STACK_MAX];
    struct act_buffer segments, set;
};

/* Appends `left` to `buf` as a connection of `version` writes it. */
void of_continuation_encode(struct of_buf *buf, const uint8_t *id, const struct recirc *left, uint8_t version);
/* Returns 0, or an enum of_error; then there is nothing to free. */
int of_continuation_decode(const struct of_bytes *bytes, uint8_t version, struct of_continuation *continuation);
void of_continuation_free(struct of_continuation *continuation);
/* Returns the continuation as flows_resume() takes it; it points into the continuation. */
struct recirc of_continuation_left(const struct of_continuation *continuation);

#endif
