/* The hash for select groups, kept with the packet. The program says uses_meta: the metadata is there. */
#include "pmd/action/packet.h"
#include "pmd/metadata.h"
#include "pmd/select_hash.h"

enum drop_reason action_hash(struct action_packet *p, const void *operand, uint32_t arg)
{
    packet_meta(p->m)->md.dp_hash = select_hash_packet(p->m, arg);
    return ACTION_OK;
}
