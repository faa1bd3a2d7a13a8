#include "tests/lib/bed.h"
#include "src/upcall/flows_impl.h"

static void bed_get_status(struct port *port, struct port_status *status)
{
    *status = (struct port_status){.link_up = true, .mac = {{2, 0, 0, 0, 0, (uint8_t)port->index}}};
}

static int bed_set_admin_up(struct port *port, bool up)
{
    port->admin_up = up;
    return 0;
}

const struct port_ops *bed_ops(void)
{
    static struct port_ops ops;

    ops = fake_ops;
    ops.get_status = bed_get_status;
    ops.set_admin_up = bed_set_admin_up;
    return &ops;
}

void bed_create(struct bed *bed, struct rte_mempool *pool, const struct bed_params *params)
{
    static const unsigned lcores[] = {1};
    struct datapath_params dp_params = {.n_threads = 1,
                                        .lcores = lcores,
                                        .emc_entries = 1024,
                                        .megaflow_limit = params->megaflow_limit ? params->megaflow_limit : 16384,
                                        .mask_limit = params->mask_limit ? params->mask_limit : 128,
                                        .max_connections = 10000,
                                        .miss_ring = 1024,
                                        .pool = pool};
    struct flows_params flows_params = {
        .megaflow_limit = dp_params.megaflow_limit, .mask_limit = dp_params.mask_limit, .idle_ms = params->idle_ms};
    char error[256];

    memset(bed, 0, sizeof *bed);
    bed->dp = datapath_create(&dp_params, error, sizeof error);
    if (!bed->dp) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    flows_params.dp = bed->dp;
    bed->flows = flows_create(&flows_params);
    bed->bridge = bridge_create("br0", 1, bed->dp);
    flows_attach(bed->flows, bed->bridge);
    for (uint32_t i = 1; i <= BED_PORTS; i++) {
        const char *why;
        char name[8];

        bed->fake[i] = fake_port_create(1024);
        bed->fake[i]->port.ops = bed_ops();
        snprintf(name, sizeof name, "p%u", i);
        if (datapath_port_add(bed->dp, &bed->fake[i]->port) != 0 ||
            !bridge_port_add(bed->bridge,
                             &(struct bridge_port_params){.port = &bed->fake[i]->port, .name = name, .ofport = i},
                             &why))
            abort();
    }
    if (params->start && datapath_start(bed->dp) != 0)
        abort();
}

void bed_forget_bridge(struct bed *bed, struct bridge *bridge)
{
    while (!flows_forget_bridge(bed->flows, bridge, UINT32_MAX))
        ;
}

void bed_destroy(struct bed *bed)
{
    bed_forget_bridge(bed, bed->bridge);
    bridge_destroy(bed->bridge);
    for (int i = 0; i < 3; i++) {
        datapath_synchronize(bed->dp);
        datapath_reclaim(bed->dp);
    }
    flows_destroy(bed->flows);
    datapath_destroy(bed->dp);
}

int bed_mod(struct bed *bed, enum flow_mod_command command, const char *text)
{
    struct act_buffer acts;
    struct flow_mod fm;
    char *error;
    int result;

    act_buffer_init(&acts);
    error = flow_mod_parse(text, &fm, &acts, NULL, NULL);
    if (error) {
        fprintf(stderr, "%s: %s\n", text, error);
        abort();
    }
    fm.command = command;
    result = pipeline_flow_mod(bed->bridge->pipeline, &fm);
    act_buffer_free(&acts);
    return result;
}

__rte_format_printf(2, 3) void bed_add(struct bed *bed, const char *format, ...)
{
    char text[512];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len >= (int)sizeof text || bed_mod(bed, FLOW_ADD, text) != 0) {
        fprintf(stderr, "%s: refused\n", text);
        abort();
    }
}

void bed_add_unchecked(struct bed *bed, const char *actions)
{
    struct act_buffer acts;
    struct flow_mod fm = {.command = FLOW_ADD, .priority = 1, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    char *error;

    act_buffer_init(&acts);
    error = actions_parse(actions, &acts, NULL, NULL);
    if (error) {
        fprintf(stderr, "%s: %s\n", actions, error);
        abort();
    }
    match_init_all(&fm.match);
    fm.acts = act_buffer_list(&acts);
    if (pipeline_flow_mod(bed->bridge->pipeline, &fm) != 0)
        abort();
    act_buffer_free(&acts);
}

void bed_turn(struct bed *bed)
{
    flows_run_protocols(bed->flows, UINT32_MAX);
    while (flows_run_misses(bed->flows, 256) == 256)
        ;
    flows_run_revalidate(bed->flows, 1000);
    flows_run_count(bed->flows, 1000);
    flows_run_triggers(bed->flows);
    flows_run_expiry(bed->flows);
    datapath_reclaim(bed->dp);
}

void bed_count(struct bed *bed)
{
    const uint64_t pass = bed->flows->count_pass + 1;

    bed->flows->count_wanted = pass;
    while (!flows_counted(bed->flows, pass))
        flows_run_count(bed->flows, 1000);
}

void bed_settle(struct bed *bed)
{
    uint64_t ticket = flows_ticket(bed->flows);

    while (!flows_settled(bed->flows, ticket))
        bed_turn(bed);
}
