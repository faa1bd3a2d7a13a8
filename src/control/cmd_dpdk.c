/* dpdk/ and netdev-dpdk/: what DPDK says of its own memory and log, by the names of Open vSwitch. Control thread. */
#include <errno.h>
#include <inttypes.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/control/commands.h"

/* Makes what `print` writes to a file the reply. */
static void capture(struct control_reply *reply, void (*print)(FILE *out))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out) {
        control_fail(reply, "out of memory");
        return;
    }
    print(out);
    if (fclose(out) == 0)
        control_printf(reply, "%s", text);
    free(text);
}

static void print_malloc(FILE *out)
{
    rte_malloc_dump_stats(out, NULL);
}

static void cmd_malloc(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    capture(reply, print_malloc);
}

static void cmd_lcores(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    capture(reply, rte_lcore_dump);
}

static void cmd_log_list(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    capture(reply, rte_log_dump);
}

/* "lib.eal:debug", "debug" for all. */
static bool set_level(char *word, struct control_reply *reply)
{
    static const struct {
        const char *name;
        uint32_t level;
    } levels[] = {
        {"emergency", RTE_LOG_EMERG}, {"alert", RTE_LOG_ALERT},   {"critical", RTE_LOG_CRIT}, {"error", RTE_LOG_ERR},
        {"warning", RTE_LOG_WARNING}, {"notice", RTE_LOG_NOTICE}, {"info", RTE_LOG_INFO},     {"debug", RTE_LOG_DEBUG},
    };
    char *colon = strrchr(word, ':'), *level = colon ? colon + 1 : word;

    if (colon)
        *colon = 0;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (!strcmp(level, levels[i].name))
            return rte_log_set_level_pattern(colon ? word : "*", levels[i].level) >= 0;
    control_fail(reply,
                 "%s: not a level: emergency, alert, critical, error, warning, notice, info, debug, behind a pattern "
                 "of log types and a colon, or alone",
                 level);
    return false;
}

static void cmd_log_set(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    for (int i = 1; i < argc; i++) {
        char word[256];

        if ((size_t)snprintf(word, sizeof word, "%s", argv[i]) >= sizeof word) {
            control_fail(reply, "%s: too long", argv[i]);
            return;
        }
        if (!set_level(word, reply)) {
            if (!reply->failed)
                control_fail(reply, "%s: cannot set the level", argv[i]);
            return;
        }
    }
    if (argc == 1)
        rte_log_set_level_pattern("*", RTE_LOG_DEBUG);
}

static void print_pool(struct rte_mempool *pool, void *out)
{
    rte_mempool_dump(out, pool);
}

static void print_pools(FILE *out)
{
    rte_mempool_walk(print_pool, out);
}

/* Ports of a NUMA node share a pool, so a port's is among all of them. */
static void cmd_mempools(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    const struct bridge_port *bp = NULL;
    struct bridge *br;

    TAILQ_FOREACH (br, &sw->bridges, node)
        if (argc > 1 && !bp)
            bp = bridge_port_by_name(br, argv[1]);
    if (argc > 1 && (!bp || !bp->port)) {
        control_fail(reply, "%s: not a port of the datapath", argv[1]);
        return;
    }
    capture(reply, print_pools);
}

void commands_register_dpdk(struct control *control, struct sluice *sw)
{
    control_register(control, "dpdk/get-malloc-stats", "", 0, 0, cmd_malloc, sw);
    control_register(control, "dpdk/lcore-list", "", 0, 0, cmd_lcores, sw);
    control_register(control, "dpdk/log-list", "", 0, 0, cmd_log_list, sw);
    control_register(control, "dpdk/log-set", "{level | pattern:level}", 0, 16, cmd_log_set, sw);
    control_register(control, "netdev-dpdk/get-mempool-info", "[netdev]", 0, 1, cmd_mempools, sw);
}
