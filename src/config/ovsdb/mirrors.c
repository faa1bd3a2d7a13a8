#define MEM_WHAT "the database"

#include "src/config/ovsdb/mirrors.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/config/keys.h"
#include "src/ovsdb/vswitch.h"

static const struct ovsdb_row *mirror_at(const struct ovsdb *db, const struct ovsdb_row *row, uint32_t i)
{
    return ovsdb_ref(db, row, VSWITCH_BRIDGE_MIRRORS, i);
}

static const char *name_of(const struct ovsdb_row *mirror)
{
    const char *name = ovsdb_string(mirror, VSWITCH_MIRROR_NAME);

    return name ? name : "";
}

char *config_mirror_name(const struct ovsdb *db, const struct ovsdb_row *row, uint32_t i)
{
    const struct ovsdb_row *mirror = mirror_at(db, row, i), *other;
    char uuid[OVSDB_UUID_LEN + 1];

    if (!mirror)
        return NULL;
    for (uint32_t j = 0; j < i; j++) {
        other = mirror_at(db, row, j);
        if (!other || strcmp(name_of(other), name_of(mirror)) != 0)
            continue;
        ovsdb_uuid_format(&mirror->uuid, uuid);
        return mem_asprintf("%s %s", name_of(mirror), uuid);
    }
    return mem_strdup(name_of(mirror));
}

static void take_ports(const struct ovsdb *db, const struct ovsdb_row *mirror, unsigned column, char ***names,
                       size_t *n)
{
    const uint32_t count = ovsdb_count(mirror, column);

    *names = mem_calloc(count + 1, sizeof **names);
    for (uint32_t i = 0; i < count; i++) {
        const struct ovsdb_row *port = ovsdb_ref(db, mirror, column, i);
        if (port)
            (*names)[(*n)++] = mem_strdup(ovsdb_string(port, VSWITCH_PORT_NAME));
    }
}

static void take_vlans(const struct ovsdb_row *row, struct config_mirror *mirror)
{
    const struct ovsdb_datum *vlans = &row->columns[VSWITCH_MIRROR_SELECT_VLAN];

    mirror->select_vlan = vlans->n ? mem_calloc(vlans->n, sizeof *mirror->select_vlan) : NULL;
    for (uint32_t i = 0; i < vlans->n; i++) {
        int64_t vlan = vlans->atoms[i].integer;
        if (vlan >= 0 && vlan <= 4095)
            mirror->select_vlan[mirror->n_select_vlan++] = (int)vlan;
    }
}

static void take_mirror(const struct ovsdb *db, const struct ovsdb_row *row, struct config_mirror *mirror)
{
    const struct ovsdb_row *output =
        ovsdb_count(row, VSWITCH_MIRROR_OUTPUT_PORT) ? ovsdb_ref(db, row, VSWITCH_MIRROR_OUTPUT_PORT, 0) : NULL;
    int64_t vlan = ovsdb_integer(row, VSWITCH_MIRROR_OUTPUT_VLAN, CONFIG_TAG_NONE);
    int64_t snaplen = ovsdb_integer(row, VSWITCH_MIRROR_SNAPLEN, 0);

    mirror->select_all = ovsdb_boolean(row, VSWITCH_MIRROR_SELECT_ALL, false);
    take_ports(db, row, VSWITCH_MIRROR_SELECT_SRC_PORT, &mirror->select_src_port, &mirror->n_select_src_port);
    take_ports(db, row, VSWITCH_MIRROR_SELECT_DST_PORT, &mirror->select_dst_port, &mirror->n_select_dst_port);
    take_vlans(row, mirror);
    if (output)
        mirror->output_port = mem_strdup(ovsdb_string(output, VSWITCH_PORT_NAME));
    else if (vlan >= 1 && vlan <= 4095)
        mirror->output_vlan = (int)vlan;
    mirror->snaplen = snaplen >= 14 && snaplen <= UINT16_MAX ? (int)snaplen : 0;
}

void config_mirrors_take(const struct ovsdb *db, const struct ovsdb_row *row, struct config_bridge *bridge)
{
    const struct config_section *section = config_key_find(&config_section_bridge, "mirrors")->section;

    for (uint32_t i = 0; i < ovsdb_count(row, VSWITCH_BRIDGE_MIRRORS); i++) {
        char *name = config_mirror_name(db, row, i);
        if (!name)
            continue;
        if (bridge->n_mirrors == CONFIG_MIRRORS_MAX) {
            LOG_WARN_RL(LOG_CONFIG, "database: bridge %s: mirror %s is left out: a bridge has at most %d", bridge->name,
                        name, CONFIG_MIRRORS_MAX);
            free(name);
            return;
        }
        struct config_mirror *mirror = config_section_append(section, (void **)&bridge->mirrors, &bridge->n_mirrors);
        mirror->name = name;
        take_mirror(db, mirror_at(db, row, i), mirror);
        if (mirror->output_port || mirror->output_vlan != CONFIG_TAG_NONE)
            continue;
        LOG_WARN_RL(LOG_CONFIG, "database: bridge %s: mirror %s does not specify output; ignoring", bridge->name, name);
        config_section_remove(section, bridge->mirrors, &bridge->n_mirrors, bridge->n_mirrors - 1);
    }
}
