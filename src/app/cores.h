/* CPU cores: whether the ones that the model wants can be had, and how they become DPDK lcores. Control thread,
 * at start. */
#ifndef SRC_APP_CORES_H
#define SRC_APP_CORES_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/config/model.h"

struct cores {
    cpu_set_t online;  /* what the machine has */
    cpu_set_t allowed; /* what this process may use */
};

/* Reads the cores of this machine and process. Returns 0 or negative errno. */
int cores_read(struct cores *cores);

/* What that said when it was asked first: later the thread that asks is pinned. */
const struct cores *cores_at_start(void);

/* Where the control thread may run, and what else does not poll: control.core, else the cores without a poll-mode
 * thread, which are all where each has one. */
cpu_set_t cores_of_control(const struct config *config, const struct cores *cores);

/* Whether pmd.cores and control.core can be had. Returns 0, or -1 with a sentence in `error` that names what there is.
 */
int cores_check(const struct config *config, const struct cores *cores, char *error, size_t error_size);

/* What EAL's --lcores and --main-lcore get: a worker lcore for each poll-mode core, with the core's number if DPDK has
 * that many lcores, and a main lcore on control.core or floating over all allowed cores without a poll-mode thread. If
 * poll-mode cores may change while the switch runs: one more for each other core, which floats with the main one.
 * Returns 0, or -1 with a sentence in `error`. */
int cores_to_lcores(const struct config *config, const struct cores *cores, char *lcores, size_t size,
                    unsigned *main_lcore, char *error, size_t error_size);

/* A set as "0-3,8". */
void cores_format(const cpu_set_t *set, char *text, size_t size);

/* The NUMA node of a core; 0 on a machine without nodes. */
int cores_node(int core);

#endif
