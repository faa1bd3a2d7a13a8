#define MEM_WHAT "patch ports"

#include "src/bridge/patch.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "pmd/base/mem.h"
#include "src/bridge/bridge_impl.h"

#define BUCKETS 1024

/* The patch ports of all bridges, by their names. */
static LIST_HEAD(, bridge_port) patches[BUCKETS];

static unsigned bucket_of(const char *name)
{
    uint64_t hash = HASH_BASIS;

    for (const char *c = name; *c; c++)
        hash = hash_add(hash, (uint8_t)*c);
    return hash_finish(hash) % BUCKETS;
}

static struct bridge_port *find(const char *name)
{
    struct bridge_port *bp;

    LIST_FOREACH (bp, &patches[bucket_of(name)], patch.node) {
        if (strcmp(bp->name, name) == 0)
            return bp;
    }
    return NULL;
}

void patch_attach(struct bridge_port *bp, const char *peer_name)
{
    struct bridge_port *other = find(peer_name);

    bp->patch.peer_name = mem_strdup(peer_name);
    LIST_INSERT_HEAD(&patches[bucket_of(bp->name)], bp, patch.node);
    if (!other || other->patch.peer || strcmp(other->patch.peer_name, bp->name) != 0)
        return;
    bp->patch.peer = other;
    other->patch.peer = bp;
}

void patch_tell_peer(struct bridge_port *peer)
{
    bridge_port_read_status(peer);
    bridge_note_port(peer, BRIDGE_PORT_LINK | BRIDGE_PORT_CONFIG);
}

struct bridge_port *patch_detach(struct bridge_port *bp)
{
    struct bridge_port *peer = bp->patch.peer;

    LIST_REMOVE(bp, patch.node);
    free(bp->patch.peer_name);
    if (peer)
        peer->patch.peer = NULL;
    return peer;
}
