/* What the switch looks after as long as it runs: ports whose devices report changes or do not, the directory of
 * sockets, poll-mode threads that do not come round, the log, systemd's watchdog. Timers and events of its loop;
 * control thread. */
#ifndef SRC_APP_HOUSEKEEPING_H
#define SRC_APP_HOUSEKEEPING_H

struct housekeeping;
struct sluice;

/* NULL with errno. */
struct housekeeping *housekeeping_create(struct sluice *sw);
void housekeeping_destroy(struct housekeeping *hk); /* NULL is allowed */

#endif
