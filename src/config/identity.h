/* What tells this switch from all others: MAC addresses and datapath ids that nobody gave are made of it and the
 * bridge's name, so that bridges of one name on two hosts differ, and those of one host stay as they are over restarts.
 * Any thread.
 */
#ifndef SRC_CONFIG_IDENTITY_H
#define SRC_CONFIG_IDENTITY_H

/* The identity of a switch that has its configuration from a file: the machine's id (machine-id(5)), and the folder for
 * sockets, which no two switches of a machine share. `root` is "", or a folder in the place of the root for tests.
 * Without a machine's id, as in containers, the host's name stands for it. The caller frees the text. */
char *config_identity(const char *root, const char *run_dir);

#endif
