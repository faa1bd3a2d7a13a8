/* The signals that end the switch (SIGTERM, SIGINT) and have it read its file again (SIGHUP). Control thread. */
#ifndef SRC_APP_SIGNALS_H
#define SRC_APP_SIGNALS_H

struct signals;
struct sluice;

/* Takes them from now on. NULL with errno. */
struct signals *signals_create(struct sluice *sw);
void signals_destroy(struct signals *signals); /* NULL is allowed */

#endif
