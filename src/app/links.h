/* What the kernel says of network interfaces, brought to the ports that work on them: link state at once, and a new
 * port where an interface was deleted and is there again. Control thread only. */
#ifndef SRC_APP_LINKS_H
#define SRC_APP_LINKS_H

struct links;
struct port;
struct sluice;

/* NULL: the kernel does not tell, as is logged; then changes are seen by polling alone. */
struct links *links_create(struct sluice *sw);
void links_destroy(struct links *links); /* NULL is allowed */

/* Callback of port_poll_events(): has the port's bridge read its status again. `arg` is not used. */
void links_port_changed(void *arg, struct port *port);

#endif
