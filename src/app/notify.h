/* What the service manager is told (sd_notify). Without one, or without libsystemd, nothing happens. Control thread. */
#ifndef SRC_APP_NOTIFY_H
#define SRC_APP_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1". */
void notify(const char *state);

/* The time within which systemd wants the next "WATCHDOG=1", in microseconds (WatchdogSec= of the service); 0: it does
 * not watch. */
uint64_t notify_watchdog_us(void);

#endif
