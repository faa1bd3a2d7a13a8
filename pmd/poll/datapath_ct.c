/* Connection tracking as the control thread gets at it. */
#include "pmd/base/clock.h"
#include "pmd/poll/datapath_impl.h"

uint32_t datapath_seconds(void)
{
    return (uint32_t)(clock_now_us() / 1000000);
}

struct ct *datapath_ct(const struct datapath *dp)
{
    return dp->ct;
}

bool datapath_ct_busy(const struct datapath *dp)
{
    return ct_is_used(dp->ct) && ct_count(dp->ct) > 0;
}
