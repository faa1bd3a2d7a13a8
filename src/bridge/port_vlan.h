/* How a Port treats VLANs: which packets it takes, and with which tag they leave. Pure functions, any thread. */
#ifndef SRC_BRIDGE_PORT_VLAN_H
#define SRC_BRIDGE_PORT_VLAN_H

#include <stdbool.h>
#include <stdint.h>

/* The names of OVS's vlan_mode. */
enum vlan_mode { VLAN_MODE_TRUNK, VLAN_MODE_ACCESS, VLAN_MODE_NATIVE_TAGGED, VLAN_MODE_NATIVE_UNTAGGED };

struct port_vlan {
    enum vlan_mode mode;
    uint16_t tag;        /* access or native VLAN; 0 = untagged */
    uint64_t trunks[64]; /* bitmap of VLANs carried; all ones = all */
};

/* A trunk that carries every VLAN. */
void port_vlan_init(struct port_vlan *vlan);
/* Does the Port carry packets of this VLAN (0 .. 4095) at all? */
bool port_vlan_carries(const struct port_vlan *vlan, uint16_t vid);

/* A trunk that carries every VLAN: packets come and go by it as they are. */
bool port_vlan_is_plain(const struct port_vlan *vlan);

enum port_vlan_verdict {
    PORT_VLAN_ADMITTED,
    PORT_VLAN_TAGGED_ON_ACCESS, /* an access port takes no tags */
    PORT_VLAN_NOT_CARRIED,
};
/* A packet that arrives with VLAN id `vid` (0: untagged, or tagged with priority alone) is in VLAN *in, if it is
 * admitted. */
enum port_vlan_verdict port_vlan_admit(const struct port_vlan *vlan, uint16_t vid, uint16_t *in);
/* Does a packet of VLAN `vid` leave with a tag? */
bool port_vlan_leaves_tagged(const struct port_vlan *vlan, uint16_t vid);

#endif
