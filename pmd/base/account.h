/* Users and groups of this machine, by name or number. /etc/passwd and /etc/group say which there are, and nothing else
 * is asked: a directory service might let the caller wait for the network. Not for poll-mode threads. */
#ifndef PMD_BASE_ACCOUNT_H
#define PMD_BASE_ACCOUNT_H

#include <sys/types.h>

/* 0, or -ENOENT: no such name, and no number that a user or group may have. A number needs no entry. */
int account_find_user(const char *text, uid_t *uid);
int account_find_group(const char *text, gid_t *gid);

#endif
