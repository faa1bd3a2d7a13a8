/* TAPs that somebody moved to another network namespace, and that are to be ports again after the process was killed,
 * or the port made anew. They are known by a label that they carry as their alias (ip-link(8)), whatever they are
 * called there. The worker's thread, except where it says otherwise.
 */
#ifndef PMD_PORT_TAP_ELSEWHERE_H
#define PMD_PORT_TAP_ELSEWHERE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TAP_LABEL_SIZE 128 /* with the end; begins with TAP_LABEL_PREFIX */
#define TAP_LABEL_PREFIX "sluice:"

struct tap_place {
    char netns[64]; /* a file that is the namespace, like /run/netns/x or /proc/7/ns/net */
    ino_t inode;    /* of that namespace */
    char ifname[IFNAMSIZ];
    int ifindex; /* there */
    uint16_t mtu;
};

/* Looks into every namespace that has a name or a process. False: none that can be entered has a TAP of that label. Who
 * asks again within a second gets what was seen then, unless tap_elsewhere_changed() was called since. */
bool tap_elsewhere_find(const char *label, struct tap_place *place);
/* Opens a queue of it, like open() and TUNSETIFF with `flags` there. A descriptor, or a negative errno. */
int tap_elsewhere_open(const struct tap_place *place, short flags);
/* Has the interface of this namespace carry the label, if it has no alias. 0 or a negative errno. */
int tap_elsewhere_label(const char *ifname, const char *label);

/* An interface was moved. Any thread. */
void tap_elsewhere_changed(void);

#endif
