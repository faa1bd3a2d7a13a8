#include "src/pipeline/tlv_map.h"

#include <string.h>

#include "src/openflow/error.h"
#include "src/pipeline/field_rows.h"
#include "src/pipeline/group.h"
#include "src/pipeline/pipeline.h"
#include "src/pipeline/rule.h"

_Static_assert(TLV_MAPS_MAX == FIELD_N_TUN_METADATA, "a field each");
_Static_assert(TLV_OPTION_LEN_MAX == sizeof(union field_value), "the field's value");

#define UNIT 4 /* options are whole words (RFC 8926, 3.5) */
#define N_UNITS (TUN_METADATA_LEN / UNIT)

static struct tlv_map table[TLV_MAPS_MAX]; /* len 0: none */
static uint32_t units;                     /* of the key's bytes, those in use */
_Static_assert(N_UNITS == 32, "a bit each");

static uint32_t run_of(unsigned n_units)
{
    return n_units == 32 ? UINT32_MAX : (UINT32_C(1) << n_units) - 1;
}

static struct field *field_of(unsigned index)
{
    return &field_rows[FIELD_TUN_METADATA0 + index];
}

/* First fit. Returns 0, or an error if there is no room. */
static int place(const struct tlv_map *map)
{
    const unsigned n = map->len / UNIT;
    struct field *f = field_of(map->index);

    for (unsigned at = 0; at + n <= N_UNITS; at++) {
        if (units >> at & run_of(n))
            continue;
        units |= run_of(n) << at;
        f->offset = (uint16_t)(offsetof(struct flow, pkt.tun_metadata) + at * UNIT);
        f->n_bytes = f->container = map->len;
        f->n_bits = (uint8_t)(map->len * 8);
        table[map->index] = *map;
        return 0;
    }
    return OFPERR_NXTTMFC_TABLE_FULL;
}

static void unbind(unsigned index)
{
    struct field *f = field_of(index);
    const unsigned at = (f->offset - (unsigned)offsetof(struct flow, pkt.tun_metadata)) / UNIT;

    if (table[index].len == 0)
        return;
    units &= ~(run_of(table[index].len / UNIT) << at);
    f->n_bytes = f->container = f->n_bits = 0;
    table[index].len = 0;
}

/* --- who uses a field -----------------------------------------------------------------------------------------------
 */

static bool is_doomed(const struct field *f, uint64_t doomed)
{
    return f->variable && doomed >> (f->id - FIELD_TUN_METADATA0) & 1;
}

static bool acts_use(const struct act_list *list, uint64_t doomed)
{
    ACT_FOR_EACH (act, list) {
        switch (act->type) {
        case ACT_SET_FIELD:
            if (is_doomed(((const struct act_set_field *)act)->field, doomed))
                return true;
            break;
        case ACT_MOVE:
            if (is_doomed(((const struct act_move *)act)->src.field, doomed) ||
                is_doomed(((const struct act_move *)act)->dst.field, doomed))
                return true;
            break;
        case ACT_OUTPUT_REG:
            if (is_doomed(((const struct act_output_reg *)act)->src.field, doomed))
                return true;
            break;
        case ACT_STACK_PUSH:
        case ACT_STACK_POP:
        case ACT_DELETE_FIELD:
            if (is_doomed(((const struct act_subfield *)act)->sf.field, doomed))
                return true;
            break;
        case ACT_WRITE_ACTIONS: {
            const struct act_bytes *bytes = (const struct act_bytes *)act;
            struct act_list inner = {(const struct act *)bytes->data, bytes->n};

            if (acts_use(&inner, doomed))
                return true;
            break;
        }
        default:
            break;
        }
    }
    return false;
}

static bool rule_uses(const struct rule *rule, uint64_t doomed)
{
    struct match match;

    rule_match(rule, &match);
    for (unsigned i = 0; i < TLV_MAPS_MAX; i++) {
        if (doomed >> i & 1 && !field_is_wild(field_of(i), &match.mask))
            return true;
    }
    return acts_use(&rule->acts, doomed);
}

static bool groups_use(const struct group_table *groups, uint64_t doomed)
{
    for (const struct group *group = group_table_first(groups); group; group = group_table_next(groups, group)) {
        for (uint32_t i = 0; i < group->n_buckets; i++) {
            if (acts_use(&group->buckets[i].acts, doomed))
                return true;
        }
    }
    return false;
}

static bool in_use(struct pipeline *pipeline, uint64_t doomed)
{
    const struct rule_filter all = {.table_id = TABLE_ALL, .out_port = OFPORT_ANY, .out_group = OFGROUP_ANY};
    struct rule_cursor *cursor;
    const struct rule *rule;
    bool used = false;

    if (pipeline == NULL || doomed == 0)
        return false;
    cursor = rule_cursor_open(pipeline, &all);
    while (!used && (rule = rule_cursor_next(cursor)) != NULL)
        used = rule_uses(rule, doomed);
    rule_cursor_close(cursor);
    return used || groups_use(pipeline_groups(pipeline), doomed);
}

/* --- changes --------------------------------------------------------------------------------------------------------
 */

static bool same_option(const struct tlv_map *a, const struct tlv_map *b)
{
    return a->class == b->class && a->type == b->type;
}

static int check_add(const struct tlv_map *map)
{
    if (map->len == 0 || map->len % UNIT != 0 || map->len > 124)
        return OFPERR_NXTTMFC_BAD_OPT_LEN;
    if (map->index >= TLV_MAPS_MAX)
        return OFPERR_NXTTMFC_BAD_FIELD_IDX;
    if (map->len > TLV_OPTION_LEN_MAX)
        return OFPERR_NXTTMFC_TABLE_FULL;
    if (table[map->index].len != 0)
        return OFPERR_NXTTMFC_ALREADY_MAPPED;
    for (unsigned i = 0; i < TLV_MAPS_MAX; i++) {
        if (table[i].len != 0 && same_option(&table[i], map))
            return OFPERR_NXTTMFC_DUP_ENTRY;
    }
    return 0;
}

static int add(const struct tlv_map *maps, unsigned n)
{
    int error = 0;
    unsigned done = 0;

    for (; done < n && !error; done += !error) {
        error = check_add(&maps[done]);
        if (!error)
            error = place(&maps[done]);
    }
    while (error && done-- > 0)
        unbind(maps[done].index);
    return error;
}

int tlv_map_mod(enum tlv_command command, const struct tlv_map *maps, unsigned n, struct pipeline *pipeline)
{
    uint64_t doomed = command == TLV_CLEAR ? UINT64_MAX : 0;

    if (command == TLV_ADD)
        return add(maps, n);
    for (unsigned i = 0; command == TLV_DELETE && i < n; i++) {
        if (maps[i].index >= TLV_MAPS_MAX)
            return OFPERR_NXTTMFC_BAD_FIELD_IDX;
        doomed |= UINT64_C(1) << maps[i].index;
    }
    if (in_use(pipeline, doomed))
        return OFPERR_NXTTMFC_INVALID_TLV_DEL;
    for (unsigned i = 0; i < TLV_MAPS_MAX; i++) {
        if (doomed >> i & 1)
            unbind(i);
    }
    return 0;
}

unsigned tlv_map_list(struct tlv_map maps[TLV_MAPS_MAX])
{
    unsigned n = 0;

    for (unsigned i = 0; i < TLV_MAPS_MAX; i++) {
        if (table[i].len != 0)
            maps[n++] = table[i];
    }
    return n;
}
