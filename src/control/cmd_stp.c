/* stp/: spanning trees, with Open vSwitch's names and text. Control thread. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/agents/stp_agent.h"
#include "src/control/commands.h"

static void format_mac(uint64_t id, char text[18])
{
    snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)(id >> 40 & 0xff), (unsigned)(id >> 32 & 0xff),
             (unsigned)(id >> 24 & 0xff), (unsigned)(id >> 16 & 0xff), (unsigned)(id >> 8 & 0xff),
             (unsigned)(id & 0xff));
}

static void show_id(struct control_reply *reply, uint64_t id, uint64_t hello_us, uint64_t max_age_us,
                    uint64_t forward_delay_us)
{
    char mac[18];

    format_mac(id, mac);
    control_printf(reply,
                   "  stp-priority  %u\n"
                   "  stp-system-id   %s\n"
                   "  stp-hello-time  %us\n"
                   "  stp-max-age     %us\n"
                   "  stp-fwd-delay   %us\n",
                   (unsigned)(id >> 48), mac, (unsigned)(hello_us / 1000000), (unsigned)(max_age_us / 1000000),
                   (unsigned)(forward_delay_us / 1000000));
}

static json_t *faults_json(const struct stp_port *p)
{
    json_t *object = json_object();

    for (enum stp_fault fault = STP_OK + 1; fault < STP_N_FAULTS; fault++)
        if (p->faults[fault])
            json_object_set_new(object, stp_fault_name(fault), json_integer((json_int_t)p->faults[fault]));
    return object;
}

static void show_ports(struct control_reply *reply, const struct stp *stp, json_t *ports)
{
    const struct stp_port *p;

    control_printf(reply, "  %-11.10s%-11.10s%-11.10s%-6.5s%-8.7s\n", "Interface", "Role", "State", "Cost", "Pri.Nbr");
    control_printf(reply, "  ---------- ---------- ---------- ----- -------\n");
    TAILQ_FOREACH (p, &stp->ports, node) {
        const char *role = stp_role_name(stp_role(stp, p)), *state = stp_state_name(p->state);

        if (p->state != STP_DISABLED)
            control_printf(reply, "  %-11.10s%-11.10s%-11.10s%-6u%u.%u\n", p->name, role, state, p->path_cost,
                           p->id >> 8, p->id & 0xffu);
        json_array_append_new(ports, json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:I,s:I,s:o}", "name", p->name, "role", role,
                                               "state", state, "cost", (int)p->path_cost, "priority", p->id >> 8,
                                               "number", p->id & 0xff, "tx", (json_int_t)p->n_tx, "rx",
                                               (json_int_t)p->n_rx, "discarded", faults_json(p)));
    }
}

static void show(struct control_reply *reply, const struct bridge *br, const struct stp *stp)
{
    char id[24], root[24];
    json_t *ports = json_array();

    control_printf(reply, "---- %s ----\nRoot ID:\n", br->name);
    show_id(reply, stp->designated_root, stp->bridge_hello_us, stp->bridge_max_age_us, stp->bridge_forward_delay_us);
    if (stp->root_port)
        control_printf(reply, "  root-port       %s\n  root-path-cost  %u\n", stp->root_port->name,
                       stp->root_path_cost);
    else
        control_printf(reply, "  This bridge is the root\n");
    control_printf(reply, "\nBridge ID:\n");
    show_id(reply, stp->bridge_id, stp->hello_us, stp->max_age_us, stp->forward_delay_us);
    control_printf(reply, "\n");
    show_ports(reply, stp, ports);
    control_printf(reply, "\n");
    snprintf(id, sizeof id, "%016" PRIx64, stp->bridge_id);
    snprintf(root, sizeof root, "%016" PRIx64, stp->designated_root);
    json_array_append_new(reply->json,
                          json_pack("{s:s,s:s,s:s,s:s,s:I,s:o}", "bridge", br->name, "bridge_id", id, "root_id", root,
                                    "root_port", stp->root_port ? stp->root_port->name : "", "root_path_cost",
                                    (json_int_t)stp->root_path_cost, "ports", ports));
}

/* Calls `fn` for the tree of the bridge that argv[1] names, or for all. */
static void for_trees(const struct sluice *sw, int argc, const char *const *argv, struct control_reply *reply,
                      void (*fn)(const struct sluice *sw, struct control_reply *reply, const struct bridge *br,
                                 const struct stp *stp))
{
    const struct bridge *br;
    bool found = false;

    TAILQ_FOREACH (br, &sw->bridges, node) {
        const struct stp *stp = argc < 2 || !strcmp(argv[1], br->name) ? stp_agent_tree(sw->stp, br) : NULL;

        if (!stp)
            continue;
        found = true;
        fn(sw, reply, br, stp);
    }
    if (argc > 1 && !found)
        control_fail(reply, "no such stp object");
}

static void show_one(const struct sluice *sw, struct control_reply *reply, const struct bridge *br,
                     const struct stp *stp)
{
    show(reply, br, stp);
}

static void change_one(const struct sluice *sw, struct control_reply *reply, const struct bridge *br,
                       const struct stp *stp)
{
    stp_agent_detect_change(sw->stp, br);
}

static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    reply->json = json_array();
    for_trees(arg, argc, argv, reply, show_one);
}

static void cmd_tcn(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct sluice *sw = arg;

    if (argc > 1 && (!switch_bridge(sw, argv[1]) || !stp_agent_tree(sw->stp, switch_bridge(sw, argv[1])))) {
        control_fail(reply, "no such stp object");
        return;
    }
    for_trees(sw, argc, argv, reply, change_one);
    control_printf(reply, "OK\n");
}

void commands_register_stp(struct control *control, struct sluice *sw)
{
    control_register(control, "stp/show", "[bridge]", 0, 1, cmd_show, sw);
    control_register(control, "stp/tcn", "[bridge]", 0, 1, cmd_tcn, sw);
}
