/* lacp/: LACP on bonds, with Open vSwitch's names and text. Control thread. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/agents/bond_agent.h"
#include "src/control/commands.h"

/* Members by name. */
#define MEMBERS_MAX 256

static unsigned sort_members(const struct lacp *lacp, const struct lacp_member *sorted[MEMBERS_MAX])
{
    const struct lacp_member *m;
    unsigned n = 0;

    TAILQ_FOREACH (m, &lacp->members, node) {
        unsigned at = n;

        if (n == MEMBERS_MAX)
            break;
        for (n++; at > 0 && strcmp(sorted[at - 1]->name, m->name) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = m;
    }
    return n;
}

static void format_mac(const uint8_t b[6], char text[18])
{
    snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

static void format_state(uint8_t state, char *text, size_t size)
{
    static const char *const names[] = {"activity",   "timeout",      "aggregation", "synchronized",
                                        "collecting", "distributing", "defaulted",   "expired"};
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (state >> i & 1)
            used += (size_t)snprintf(text + used, size - used, " %s", names[i]);
}

static void show_info(struct control_reply *reply, const char *who, const struct lacp_info *info)
{
    char mac[18], state[128];

    format_mac(info->system, mac);
    format_state(info->state, state, sizeof state);
    control_printf(reply,
                   "\n  %s sys_id: %s\n"
                   "  %s sys_priority: %u\n"
                   "  %s port_id: %u\n"
                   "  %s port_priority: %u\n"
                   "  %s key: %u\n"
                   "  %s state:%s\n",
                   who, mac, who, info->system_priority, who, info->port, who, info->port_priority, who, info->key, who,
                   state);
}

static json_t *info_json(const struct lacp_info *info)
{
    char mac[18], state[128];

    format_mac(info->system, mac);
    format_state(info->state, state, sizeof state);
    return json_pack("{s:s,s:i,s:i,s:i,s:i,s:s}", "sys_id", mac, "sys_priority", (int)info->system_priority, "port_id",
                     (int)info->port, "port_priority", (int)info->port_priority, "key", (int)info->key, "state",
                     state[0] ? state + 1 : state);
}

static void show_member(struct control_reply *reply, const struct lacp *lacp, const struct lacp_member *m,
                        json_t *members)
{
    struct lacp_info actor;

    lacp_actor(lacp, m, &actor);
    control_printf(reply,
                   "\nmember: %s: %s %s\n"
                   "  port_id: %u\n"
                   "  port_priority: %u\n"
                   "  may_enable: %s\n",
                   m->name, lacp_status_name(m->status), m->attached ? "attached" : "detached", m->config.port,
                   m->config.priority, lacp_may_use(lacp, m) ? "true" : "false");
    show_info(reply, "actor", &actor);
    show_info(reply, "partner", &m->partner);
    json_array_append_new(members,
                          json_pack("{s:s,s:s,s:b,s:b,s:o,s:o}", "name", m->name, "status", lacp_status_name(m->status),
                                    "attached", (int)m->attached, "may_enable", (int)lacp_may_use(lacp, m), "actor",
                                    info_json(&actor), "partner", info_json(&m->partner)));
}

static void show(void *arg, const char *name, const struct lacp *lacp)
{
    const struct lacp_member *sorted[MEMBERS_MAX];
    const struct lacp_config *config = &lacp->config;
    unsigned n = sort_members(lacp, sorted);
    struct control_reply *reply = arg;
    json_t *members = json_array();
    char mac[18], key[8] = "none";

    format_mac(config->system, mac);
    if (n > 0)
        snprintf(key, sizeof key, "%u", lacp_key(lacp));
    control_printf(reply,
                   "---- %s ----\n"
                   "  status: %s%s\n"
                   "  sys_id: %s\n"
                   "  sys_priority: %u\n"
                   "  aggregation key: %s\n"
                   "  lacp_time: %s\n",
                   name, config->active ? "active" : "passive", lacp->negotiated ? " negotiated" : "", mac,
                   config->system_priority, key, config->fast ? "fast" : "slow");
    for (unsigned i = 0; i < n; i++)
        show_member(reply, lacp, sorted[i], members);
    json_array_append_new(reply->json,
                          json_pack("{s:s,s:b,s:b,s:b,s:s,s:i,s:i,s:o}", "name", name, "active", (int)config->active,
                                    "negotiated", (int)lacp->negotiated, "fast", (int)config->fast, "sys_id", mac,
                                    "sys_priority", (int)config->system_priority, "key", (int)lacp_key(lacp), "members",
                                    members));
}

static json_t *faults_json(const struct lacp_member *m)
{
    json_t *object = json_object();

    for (enum lacp_fault fault = LACP_OK; fault < LACP_N_FAULTS; fault++)
        if (m->faults[fault])
            json_object_set_new(object, lacp_fault_name(fault), json_integer((json_int_t)m->faults[fault]));
    return object;
}

static void show_stats(void *arg, const char *name, const struct lacp *lacp)
{
    const struct lacp_member *sorted[MEMBERS_MAX];
    unsigned n = sort_members(lacp, sorted);
    struct control_reply *reply = arg;
    json_t *members = json_array();

    control_printf(reply, "---- %s statistics ----\n", name);
    for (unsigned i = 0; i < n; i++) {
        const struct lacp_member *m = sorted[i];

        control_printf(reply,
                       "\nmember: %s:\n"
                       "  TX PDUs: %" PRIu64 "\n"
                       "  RX PDUs: %" PRIu64 "\n"
                       "  RX Bad PDUs: %" PRIu64 "\n"
                       "  RX Marker Request PDUs: %" PRIu64 "\n"
                       "  Link Expired: %" PRIu64 "\n"
                       "  Link Defaulted: %" PRIu64 "\n"
                       "  Carrier Status Changed: %" PRIu64 "\n",
                       m->name, m->n_tx, m->n_rx, m->n_rx_bad, m->n_rx_markers, m->n_expired, m->n_defaulted,
                       m->n_link_changes);
        json_array_append_new(members,
                              json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "name", m->name, "tx_pdus",
                                        (json_int_t)m->n_tx, "rx_pdus", (json_int_t)m->n_rx, "rx_bad_pdus",
                                        (json_int_t)m->n_rx_bad, "rx_markers", (json_int_t)m->n_rx_markers, "expired",
                                        (json_int_t)m->n_expired, "defaulted", (json_int_t)m->n_defaulted,
                                        "link_changes", (json_int_t)m->n_link_changes, "discarded", faults_json(m)));
    }
    json_array_append_new(reply->json, json_pack("{s:s,s:o}", "name", name, "members", members));
}

static void run(const struct sluice *sw, int argc, const char *const *argv, struct control_reply *reply,
                void (*fn)(void *arg, const char *name, const struct lacp *lacp))
{
    const struct lacp *lacp;

    reply->json = json_array();
    if (argc < 2) {
        bond_agent_for_each_lacp(sw->bonds, fn, reply);
        return;
    }
    lacp = bond_agent_find_lacp(sw->bonds, argv[1]);
    if (lacp)
        fn(reply, argv[1], lacp);
    else
        control_fail(reply, "no such lacp object");
}

static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    run(arg, argc, argv, reply, show);
}

static void cmd_show_stats(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    run(arg, argc, argv, reply, show_stats);
}

void commands_register_lacp(struct control *control, struct sluice *sw)
{
    control_register(control, "lacp/show", "[port]", 0, 1, cmd_show, sw);
    control_register(control, "lacp/show-stats", "[port]", 0, 1, cmd_show_stats, sw);
}
