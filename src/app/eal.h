/* Starting DPDK's environment from the model. Control thread, once. */
#ifndef SRC_APP_EAL_H
#define SRC_APP_EAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/app/cores.h"
#include "src/config/model.h"

#define EAL_ARGS_MAX 128

/* An argument vector as main() gets one; owned by the struct. */
struct eal_args {
    int argc;
    char *argv[EAL_ARGS_MAX + 1];
};

/* What eal_start() gives to DPDK. `hugepages`: whether there are enough of them; if not, what the operator asked for
 * that needs hugepages is left out. `memory_mb`: what is to be reserved without hugepages. Returns 0, or -1 with a
 * sentence in `error`. Free it with eal_args_free(). */
int eal_args_build(const struct config *config, const struct cores *cores, bool hugepages, uint32_t memory_mb,
                   struct eal_args *args, char *error, size_t error_size);
void eal_args_free(struct eal_args *args);

/* Checks cores and hugepages (with advice in the log), runs rte_eal_init(): the main lcore is the calling thread, the
 * workers are the poll-mode cores. Without enough hugepages it runs on ordinary pages and says so. Returns 0, or -1
 * with a sentence in `error` that says what to do. rte_eal_cleanup() ends it. */
int eal_start(const struct config *config, char *error, size_t error_size);

#endif
