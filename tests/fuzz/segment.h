/* Packets of which not a byte before or behind may be touched: a segment is memory of its own, so that the address
 * sanitizer sees both ends.
 */
#ifndef TESTS_FUZZ_SEGMENT_H
#define TESTS_FUZZ_SEGMENT_H

#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/metadata.h"
#include "tests/fuzz/fuzz.h"

static inline void free_segment(void *buffer, void *shared)
{
    free(buffer);
    free(shared);
}

/* `head_room`: bytes in front of the data that may be written. No metadata. */
static inline struct rte_mbuf *segment_new(struct rte_mempool *pool, const uint8_t *data, size_t len,
                                           uint16_t head_room)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    struct rte_mbuf_ext_shared_info *shared = calloc(1, sizeof *shared);
    uint8_t *buffer = malloc(head_room + len);

    CHECK(m && shared && (buffer || len == 0));
    memcpy(buffer + head_room, data, len);
    shared->free_cb = free_segment;
    shared->fcb_opaque = shared;
    rte_mbuf_ext_refcnt_set(shared, 1);
    rte_pktmbuf_attach_extbuf(m, buffer, RTE_BAD_IOVA, (uint16_t)(head_room + len), shared);
    m->data_off = head_room;
    m->data_len = (uint16_t)len;
    m->pkt_len = (uint32_t)len;
    memset(packet_meta(m), 0, sizeof *packet_meta(m));
    return m;
}

#endif
