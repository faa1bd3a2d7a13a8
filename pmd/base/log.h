/* Logging for both halves of the program: DPDK's rte_log, one log type a component, plus rate-limited forms.
 * DPDK's own messages go the same way, its warnings and errors rate-limited as a whole.
 *
 * A line goes to each facility that is open (console, syslog, file) and whose level for the component admits it.
 *
 * Any thread may log. Nothing logs per packet: on a poll-mode thread use the _RL forms, and only on paths that are not
 * taken per packet. Levels are set at run time by log_set_level() and log_set_facility_level() ("sluicectl vlog/set").
 */
#ifndef PMD_BASE_LOG_H
#define PMD_BASE_LOG_H

#include <rte_log.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmd/base/log_sink.h"

/* One log type each; registered under "sluice.<name>". X(symbol, "name") */
#define LOG_COMPONENTS(X)                                                                                              \
    X(LOG_MAIN, "main")                                                                                                \
    X(LOG_CONFIG, "config")                                                                                            \
    X(LOG_PORT, "port")                                                                                                \
    X(LOG_PMD, "pmd")                                                                                                  \
    X(LOG_FLOWS, "flows")                                                                                              \
    X(LOG_PIPELINE, "pipeline")                                                                                        \
    X(LOG_OPENFLOW, "openflow")                                                                                        \
    X(LOG_BRIDGE, "bridge")                                                                                            \
    X(LOG_CONTROL, "control")                                                                                          \
    X(LOG_OVSDB, "ovsdb")                                                                                              \
    X(LOG_DPDK, "dpdk")                                                                                                \
    X(LOG_SELF, "log")

enum log_component {
#define X(symbol, name) symbol,
    LOG_COMPONENTS(X)
#undef X
        LOG_N_COMPONENTS
};

/* At most `burst` messages at once and `per_minute` in the long run from one place in the code; tells how many it ate.
 */
struct log_limit {
    uint64_t refilled_ms;
    uint32_t tokens;
    uint32_t suppressed;
    uint32_t burst;
    uint32_t per_minute;
};
#define LOG_LIMIT_INIT(burst_, per_minute_)                                                                            \
    {                                                                                                                  \
        .burst = (burst_), .tokens = (burst_), .per_minute = (per_minute_)                                             \
    }

void log_write(enum log_component component, uint32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void log_write_limited(enum log_component component, uint32_t level, struct log_limit *limit, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Takes one message out of the limit at time `now_ms` (monotonic milliseconds): true if it may be shown, with
 * *suppressed = how many were eaten since the last one shown. Any thread. */
bool log_limit_admit(struct log_limit *limit, uint64_t now_ms, uint32_t *suppressed);

/* Sets the level of `component` ("any" for all) for all facilities. Returns 0, -ENOENT for an unknown component,
 * -EINVAL for an unknown level. Levels: off, emer, err, warn, info, dbg (the names of vlog). "dpdk" are the messages
 * that DPDK has let through by levels of its own. */
int log_set_level(const char *component, const char *level);

/* By number: -1 stands for all components, or all facilities. `level` is one of log_find_level(). */
void log_set_facility_level(int component, int facility, uint32_t level);
int log_find_component(const char *name);                     /* -1: there is none of that name */
int log_find_facility(const char *name);                      /* "console", "syslog", "file"; or -1 */
bool log_find_level(const char *name, uint32_t *level);       /* false: there is none of that name */
const char *log_component_name(enum log_component component); /* "port" */
const char *log_level_name(enum log_component component, enum log_facility facility); /* "INFO" */

/* Writes the lines that wait because their reader had no room for them, and says how many were lost: logging itself
 * never waits (pmd/base/log_sink.h). The control thread calls it every now and then. */
void log_flush(void);
/* Does what log_flush() does, at the end of the process: gives the reader up to `timeout_ms` to take what waits.
 * Control thread. */
void log_finish(unsigned timeout_ms);

/* Sends the log, and DPDK's own messages as module "dpdk", to `path` alone (appended, a line at a time); NULL: to
 * standard error alone. Call it before rte_eal_init(). Returns 0 or negative errno (-ENXIO: a FIFO that nobody reads),
 * and then nothing was changed. Control thread. */
int log_open(const char *path);
/* Sends it to `path` besides; NULL: no more. Errors as above. Control thread. */
int log_open_file(const char *path);
/* Sends it to the syslog daemon that listens on the Unix datagram socket `path` besides ("/dev/log"), under the name of
 * `program`. If there is none yet, log_flush() tries again now and then. Control thread. */
void log_open_syslog(const char *path, const char *program);
/* Opens the file again under its name, after a rotation; the old one stays if that fails. Returns 0, negative errno, or
 * -ENOENT without a file. Control thread. */
int log_reopen(void);
/* No more lines to standard error. Control thread. */
void log_close_console(void);

#define LOG_EMER(component, ...) log_write(component, RTE_LOG_CRIT, __VA_ARGS__)
#define LOG_ERR(component, ...) log_write(component, RTE_LOG_ERR, __VA_ARGS__)
#define LOG_WARN(component, ...) log_write(component, RTE_LOG_WARNING, __VA_ARGS__)
#define LOG_INFO(component, ...) log_write(component, RTE_LOG_INFO, __VA_ARGS__)
#define LOG_DBG(component, ...) log_write(component, RTE_LOG_DEBUG, __VA_ARGS__)

#define LOG_RL(component, level, ...)                                                                                  \
    do {                                                                                                               \
        static struct log_limit limit_ = LOG_LIMIT_INIT(10, 12);                                                       \
        log_write_limited(component, level, &limit_, __VA_ARGS__);                                                     \
    } while (0)
#define LOG_ERR_RL(component, ...) LOG_RL(component, RTE_LOG_ERR, __VA_ARGS__)
#define LOG_WARN_RL(component, ...) LOG_RL(component, RTE_LOG_WARNING, __VA_ARGS__)
#define LOG_INFO_RL(component, ...) LOG_RL(component, RTE_LOG_INFO, __VA_ARGS__)

#endif
