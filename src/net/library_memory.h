/* Memory of the libraries for sockets and JSON text. At start, before either is used. */
#ifndef SRC_NET_LIBRARY_MEMORY_H
#define SRC_NET_LIBRARY_MEMORY_H

/* Has libevent and jansson end the process by out_of_memory() from now on. Both would go on without what they could not
 * allocate: half of a message would be sent, a reply would lack a member, or NULL would be followed. */
void library_memory_init(void);

#endif
