#include "src/bridge/port_vlan.h"

#include <string.h>

static bool trunks_carry(const struct port_vlan *vlan, uint16_t vid)
{
    return vlan->trunks[vid / 64] >> vid % 64 & 1;
}

void port_vlan_init(struct port_vlan *vlan)
{
    vlan->mode = VLAN_MODE_TRUNK;
    vlan->tag = 0;
    memset(vlan->trunks, 0xff, sizeof vlan->trunks);
}

bool port_vlan_carries(const struct port_vlan *vlan, uint16_t vid)
{
    switch (vlan->mode) {
    case VLAN_MODE_ACCESS:
        return vid == vlan->tag;
    case VLAN_MODE_NATIVE_TAGGED:
    case VLAN_MODE_NATIVE_UNTAGGED:
        return vid == vlan->tag || trunks_carry(vlan, vid);
    case VLAN_MODE_TRUNK:
    default:
        return trunks_carry(vlan, vid);
    }
}

bool port_vlan_is_plain(const struct port_vlan *vlan)
{
    uint64_t all = UINT64_MAX;

    for (size_t i = 0; i < sizeof vlan->trunks / sizeof vlan->trunks[0]; i++)
        all &= vlan->trunks[i];
    return vlan->mode == VLAN_MODE_TRUNK && all == UINT64_MAX;
}

enum port_vlan_verdict port_vlan_admit(const struct port_vlan *vlan, uint16_t vid, uint16_t *in)
{
    if (vlan->mode == VLAN_MODE_ACCESS && vid != 0)
        return PORT_VLAN_TAGGED_ON_ACCESS;
    *in = vlan->mode != VLAN_MODE_TRUNK && vid == 0 ? vlan->tag : vid;
    return port_vlan_carries(vlan, *in) ? PORT_VLAN_ADMITTED : PORT_VLAN_NOT_CARRIED;
}

bool port_vlan_leaves_tagged(const struct port_vlan *vlan, uint16_t vid)
{
    if (vid == 0 || vlan->mode == VLAN_MODE_ACCESS)
        return false;
    return !(vlan->mode == VLAN_MODE_NATIVE_UNTAGGED && vid == vlan->tag);
}
