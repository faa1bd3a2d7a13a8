/* Running in the background as Open vSwitch's daemons do: --detach, --monitor, --pidfile, --user, --mlockall. main()'s
 * thread, before there are others: threads, EAL and locks do not survive a fork.
 *
 * With `detach` the process that was started waits until the switch calls daemonize_complete() and exits with 0 then,
 * or with the switch's status if that ended before. With `monitor` a process stays that starts the switch again when a
 * signal ends it. */
#ifndef SRC_APP_DAEMON_H
#define SRC_APP_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

struct daemon_options {
    bool detach;
    bool monitor;
    bool no_chdir; /* else the working directory becomes "/" when the switch is ready */
    bool mlockall;
    bool overwrite_pidfile;
    const char *pidfile; /* absolute; NULL: none */
    const char *user;    /* "user" or "user:group"; NULL: stay who we are */
    const char *program; /* for messages */
};

/* Forks as asked, changes the user and makes the pidfile, which is locked (fcntl) as long as the process lives. Returns
 * in the process that is to be the switch: 0, or -1 with a sentence in `error`. The processes that only wait never
 * return. */
int daemon_start(const struct daemon_options *options, char *error, size_t error_size);

/* The switch is ready: lets the processes go that wait for it, and closes the standard descriptors of a detached one.
 */
void daemonize_complete(void);

/* The switch was told to end: the monitor does not start it again, however it ends from now on. */
void daemon_stopping(void);

/* Removes the pidfile. */
void daemon_end(void);

#endif
