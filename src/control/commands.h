/* The commands of the control socket, one file a subject. Each registers its own with the switch as argument.
 * Control thread. */
#ifndef SRC_CONTROL_COMMANDS_H
#define SRC_CONTROL_COMMANDS_H

#include "src/app/switch.h"
#include "src/net/control.h"

/* All of them; once the switch has its control socket and before its loop runs. */
void commands_register(struct sluice *sw);

void commands_register_ports(struct control *control, struct sluice *sw);       /* ports, bridges */
void commands_register_controllers(struct control *control, struct sluice *sw); /* controllers */
void commands_register_pmd(struct control *control, struct sluice *sw);         /* pmd, drops, caches */
void commands_register_flows(struct control *control, struct sluice *sw);       /* flows, dpctl/dump-flows */
void commands_register_trace(struct control *control, struct sluice *sw);       /* ofproto/trace */
void commands_register_capture(struct control *control, struct sluice *sw);     /* capture/start, show, stop */
void commands_register_fdb(struct control *control, struct sluice *sw);         /* fdb/show, fdb/flush */
void commands_register_daemon(struct control *control, struct sluice *sw);      /* exit, reload, vlog/set, vlog/list */

/* The bridge that argv[i] names; with no such word, the only one. NULL: failed, and `reply` says why. */
struct bridge *command_bridge(struct sluice *sw, int argc, const char *const *argv, int i, struct control_reply *reply);

#endif
