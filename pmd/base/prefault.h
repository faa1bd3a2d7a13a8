/* Memory that is there before it is used: the first write to a page of 2 MB costs some hundred microseconds, which is
 * too long for a turn of a poll-mode thread.
 */
#ifndef PMD_BASE_PREFAULT_H
#define PMD_BASE_PREFAULT_H

#include "pmd/base/hugemem.h"

/* Gets every page of `mem`, from the NUMA node of the calling thread where the policy says nothing else; what is in it
 * stays, and others may write to it meanwhile. Nothing to do for memory of DPDK's heap. */
void prefault(const struct hugemem *mem);

#endif
