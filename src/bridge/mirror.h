/* Mirrors of a bridge: which packets are sent to another port, or another VLAN, too. Control thread only.
 *
 * A mirror names Ports, which come and go; each Port has bits that say which mirrors it has to do with (struct
 * lport_mirrors). Translation reads these and does the rest (src/xlate/xlate_mirror.c). Whatever changes what a
 * mirror does to packets has the megaflows of the bridge translated again.
 */
#ifndef SRC_BRIDGE_MIRROR_H
#define SRC_BRIDGE_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIRRORS_MAX 32 /* of a bridge */
#define MIRROR_NO_VLAN (-1)

struct bridge;
struct lport;

/* Bit sets of mirrors, by their place in struct mirrors. */
struct lport_mirrors {
    uint32_t received; /* that want what comes in by the Port */
    uint32_t sent;     /* and what goes out by it */
    uint32_t output;   /* that send to it: nothing else is received on it, nor sent by NORMAL, FLOOD or ALL */
};

/* What is wanted; names of Ports. */
struct mirror_config {
    const char *name; /* no other mirror of the bridge has it */
    bool select_all;  /* every Port, both ways */
    const char *const *select_src_port, *const *select_dst_port;
    size_t n_select_src_port, n_select_dst_port;
    const int *select_vlan; /* none: all */
    size_t n_select_vlan;
    const char *output_port; /* NULL: it is output_vlan */
    int output_vlan;         /* 1 .. 4095, or MIRROR_NO_VLAN */
    uint32_t snaplen;        /* bytes of a packet that are sent, 0: all of it */
};

struct mirror_names {
    char **sorted;
    size_t n;
};

struct mirror {
    uint32_t id; /* no other mirror of the process had it */
    char *name, *output_port;
    bool select_all, selects_vlans;
    struct mirror_names src, dst;
    uint64_t vlans[64]; /* bitmap, if selects_vlans */
    int output_vlan;
    uint32_t snaplen;
    struct lport *out; /* NULL: it is output_vlan, or there is no such Port */
    uint32_t alike;    /* mirrors that send to the same place, itself among them: of these a packet takes one */
    uint64_t packets, bytes;
    bool told_missing;
};

struct mirrors {
    struct mirror *at[MIRRORS_MAX]; /* NULL: none */
};

/* These are the mirrors from now on (at most MIRRORS_MAX). One that had the name already keeps its place and counters.
 */
void mirrors_set(struct bridge *bridge, const struct mirror_config *configs, size_t n);
/* A Port came, or is being taken away. */
void mirrors_port_added(struct lport *lport);
void mirrors_port_removed(struct lport *lport);
/* For the end of the bridge. */
void mirrors_free(struct bridge *bridge);

/* Has the log say, once of each, which mirrors send nowhere, as the bridge has no Port of that name. For when Ports
 * that are wanted are there. */
void mirrors_tell_missing(const struct bridge *bridge);

/* Packets were mirrored; nothing if the mirror is gone. */
void mirror_count(struct bridge *bridge, uint32_t id, uint64_t packets, uint64_t bytes);
/* NULL: the bridge has none of that name. */
const struct mirror *mirror_by_name(const struct bridge *bridge, const char *name);

#define MIRROR_FOR_EACH(mirror, bridge)                                                                                \
    for (unsigned mirror##_place = 0; (bridge)->mirrors && mirror##_place < MIRRORS_MAX; mirror##_place++)             \
        if ((mirror = (bridge)->mirrors->at[mirror##_place]))

#endif
