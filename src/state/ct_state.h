/* Tracked connections outlive the process: they are written to <run_dir>/connections while it runs, some seconds after
 * each other, and when it ends; the next process adopts them. The file is versioned, of one boot of the machine, and
 * has a checksum: what does not fit is left, with a line in the log. Control thread.
 *
 * A connection takes 96 bytes of the file, one of IPv6 160, and while it is written there are two of them.
 */
#ifndef SRC_STATE_CT_STATE_H
#define SRC_STATE_CT_STATE_H

struct ct_state;
struct datapath;
struct loop;

struct ct_state *ct_state_create(struct loop *loop, struct datapath *dp, const char *run_dir);
/* Adopts what the process before has left, and writes the file from now on. Before the poll-mode threads start. */
void ct_state_adopt(struct ct_state *state);
/* Writes all of it, once no packets are forwarded any more; nothing if ct_state_adopt() was not called. */
void ct_state_leave(struct ct_state *state);
void ct_state_destroy(struct ct_state *state); /* NULL is allowed */

#endif
