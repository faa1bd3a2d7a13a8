/* What Open vSwitch's Open_vSwitch.other_config says of cores, memory, DPDK and poll-mode threads, onto the model: for
 * a switch whose configuration is a database. Pure functions of their arguments. */
#ifndef SRC_APP_OTHER_CONFIG_H
#define SRC_APP_OTHER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "src/app/cores.h"
#include "src/config/model.h"

struct other_config_pair {
    const char *key, *value;
};

struct other_config_pairs {
    const struct other_config_pair *items;
    size_t n;
};

/* Where the switch runs. */
struct other_config_machine {
    struct cores cores;
    int (*node_of)(int core); /* cores_node() */
    bool hugepages;           /* there are enough */
};

/* Fills in `config->dpdk`, `pmd` and `control`, which are as config_default() made them. A database is never refused:
 * what cannot be had, or is not understood, is told in a sentence, and the default stands for it. Defaults are such
 * that a machine of two cores without hugepages works: a poll-mode thread on each NUMA node, which sleeps when it is
 * idle, and not on the first core, where everything else runs. */
void other_config_apply(const struct other_config_pairs *pairs, const struct other_config_machine *machine,
                        struct config *config, void (*tell)(void *arg, const char *sentence), void *arg);

/* Tells, in a sentence each, which keys have no effect, and which will have one after a restart because they differ
 * from those that the switch was started with. `started` is NULL for a switch with a file, which has cores and memory.
 */
void other_config_note(const struct other_config_pairs *pairs, const struct other_config_pairs *started,
                       void (*tell)(void *arg, const char *sentence), void *arg);

#endif
