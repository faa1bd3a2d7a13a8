/* Tunnels, as the control thread tells of them. */
#include <rte_debug.h>

#include "pmd/poll/datapath_impl.h"
#include "pmd/tunnel/table.h"

int datapath_tunnel_add(struct datapath *dp, const struct tunnel_in *in, uint32_t index)
{
    RTE_VERIFY(index >= TUNNEL_INDEX_FIRST);
    return tunnel_table_add(dp->tunnels, in, index);
}

void datapath_tunnel_remove(struct datapath *dp, uint32_t index)
{
    tunnel_table_remove(dp->tunnels, index);
}

int datapath_tunnel_options_set(struct datapath *dp, const struct tunnel_option *options, unsigned n)
{
    return tunnel_table_set_options(dp->tunnels, options, n);
}
