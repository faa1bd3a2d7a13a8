/* Spanning trees of Open vSwitch's database. Control thread. */
#include <string.h>

#include "src/config/keys.h"
#include "src/config/ovsdb/to_model_impl.h"

void config_take_stp(const struct ovsdb *db, const struct ovsdb_row *row, struct config_stp *stp)
{
    static const struct {
        const char *key, *name;
        size_t offset;
    } numbers[] = {
        {"stp-priority", "priority", offsetof(struct config_stp, priority)},
        {"stp-hello-time", "hello_time", offsetof(struct config_stp, hello_time)},
        {"stp-max-age", "max_age", offsetof(struct config_stp, max_age)},
        {"stp-forward-delay", "forward_delay", offsetof(struct config_stp, forward_delay)},
    };

    stp->enable = ovsdb_boolean(row, VSWITCH_BRIDGE_STP_ENABLE, false);
    config_take_mac(ovsdb_map_string(db, row, VSWITCH_BRIDGE_OTHER_CONFIG, "stp-system-id"), stp->system_id);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        config_take_number(db, row, VSWITCH_BRIDGE_OTHER_CONFIG, numbers[i].key, &config_section_stp, numbers[i].name,
                           (int *)((char *)stp + numbers[i].offset));
}

void config_take_port_stp(const struct ovsdb *db, const struct ovsdb_row *row, struct config_port_stp *stp)
{
    static const struct {
        const char *key, *name;
        size_t offset;
    } numbers[] = {
        {"stp-port-num", "number", offsetof(struct config_port_stp, number)},
        {"stp-port-priority", "priority", offsetof(struct config_port_stp, priority)},
        {"stp-path-cost", "path_cost", offsetof(struct config_port_stp, path_cost)},
    };
    const char *enable = ovsdb_map_string(db, row, VSWITCH_PORT_OTHER_CONFIG, "stp-enable");

    stp->enable = !enable || strcmp(enable, "false") != 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        config_take_number(db, row, VSWITCH_PORT_OTHER_CONFIG, numbers[i].key, &config_section_port_stp,
                           numbers[i].name, (int *)((char *)stp + numbers[i].offset));
}
