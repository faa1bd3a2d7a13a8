/* Where log lines go: the console, syslog, a file. Each is a file, a pipe, a terminal or a socket, whose reader may
 * have stopped reading.
 *
 * Putting a line there never waits for the reader. Standard error is shared with other processes (a shell, a service
 * manager), for which O_NONBLOCK on the common open file description would break their own output; so a pipe or a
 * terminal is opened once more through /proc/self/fd, which gives a description of our own to set it on, and a socket
 * (systemd's journal) is sent to with MSG_DONTWAIT. Where the kernel permits neither, poll() is asked before each line.
 * A thread of its own would do without all that, but the lines that matter most, those before an abort, would be in
 * its queue then and not in the log.
 *
 * Lines that the reader has no room for wait in a bounded backlog. When that is full further lines are lost, until
 * half of it has been read; how many were lost is told by log_sink_take_lost().
 *
 * Any thread, unless a function says otherwise.
 */
#ifndef PMD_BASE_LOG_SINK_H
#define PMD_BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest line, bytes. A pipe takes that much whole or not at all (PIPE_BUF). */
#define LOG_LINE_MAX 2048
/* Bytes of lines that may wait. */
#define LOG_BACKLOG (256u << 10)

/* Open vSwitch calls them facilities, or destinations. */
enum log_facility { LOG_TO_CONSOLE, LOG_TO_SYSLOG, LOG_TO_FILE, LOG_N_FACILITIES };

struct log_sink_stats {
    uint64_t lines;   /* written */
    uint64_t lost;    /* lines that are in no log: the backlog was full, or the file refused them (disc full) */
    uint32_t waiting; /* bytes in the backlog */
};

/* Lines of `facility` go to `fd` from now on, those that wait too; -1 closes it, and what waits is forgotten. `own`:
 * nobody else uses its open file description; it is non-blocking, and closed when another one follows. Else it is left
 * as it is. At first the console is standard error, and the others are closed. Control thread. */
void log_sink_set(enum log_facility facility, int fd, bool own);
bool log_sink_is_open(enum log_facility facility);

/* Hands a line of at most LOG_LINE_MAX bytes over, with its newline if it wants one. */
void log_sink_put(enum log_facility facility, const char *line, size_t length);

/* Writes what waits and finds room now. Returns the bytes that still wait. */
uint32_t log_sink_flush(enum log_facility facility);

/* How many lines were lost since the last call, when the facility takes lines again; else 0. */
uint64_t log_sink_take_lost(enum log_facility facility);

/* Whether the last write was refused for another reason than a full reader. */
bool log_sink_fails(enum log_facility facility);

/* The sums over all facilities. */
void log_sink_get_stats(struct log_sink_stats *stats);

#endif
