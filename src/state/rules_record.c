#include "src/state/rules_record.h"

#include <string.h>

#include "pmd/base/clock.h"
#include "src/match/of_error.h"
#include "src/openflow/codec/msg.h"
#include "src/openflow/wire/version.h"
#include "src/tables/group.h"
#include "src/tables/meter.h"

_Static_assert(sizeof(struct rules_record) == 32, "no padding, and messages start at a multiple of 8");

#define FLAGS_OF_RULE                                                                                                  \
    (RULE_SEND_FLOW_REM | RULE_CHECK_OVERLAP | RULE_RESET_COUNTS | RULE_NO_PKT_COUNTS | RULE_NO_BYT_COUNTS |           \
     RULE_LEARNED | RULE_EXACT)

/* --- writing ------------------------------------------------------------- */

/* Appends a head to be filled in; returns where it is. */
static size_t begin(struct of_buf *buf, enum rules_record_kind kind, uint64_t id)
{
    const size_t at = buf->len;
    struct rules_record *record = of_buf_add(buf, sizeof *record);

    record->len = sizeof *record;
    record->kind = (uint8_t)kind;
    record->id = id;
    return at;
}

static struct rules_record *head_of(const struct of_buf *buf, size_t at)
{
    return (struct rules_record *)(buf->data + at);
}

static void end(struct of_buf *buf, size_t at)
{
    struct rules_record *record = head_of(buf, at);

    record->message = (uint32_t)(buf->len - at - sizeof *record);
    of_buf_pad(buf, at, 8);
    record = head_of(buf, at);
    record->len = (uint32_t)(buf->len - at);
}

/* Actions come back as they were written: OpenFlow 1.0's set actions and enqueue are such in that version alone, which
 * can say the rest of the rule with Open vSwitch's extensions; reg_load is set_field in OpenFlow 1.5, which alone has
 * meters anywhere. */
static uint8_t version_for(const struct act_list *acts)
{
    uint8_t version = OF15;
    bool metered = false;

    ACT_FOR_EACH (act, acts) {
        struct act_list inner;

        if (act->form == ACT_FORM_OF10 || act->type == ACT_ENQUEUE)
            return OF10;
        metered |= act->type == ACT_METER;
        if ((act->type == ACT_SET_FIELD && act->form == ACT_FORM_NICIRA) ||
            (act_nested(act, &inner) && version_for(&inner) == OF14))
            version = OF14;
    }
    return metered ? OF15 : version;
}

static void put_flow_mod(struct of_buf *buf, const struct rule *rule)
{
    struct of_msg msg; /* the rest of it is not looked at, and is large */
    struct flow_mod *fm = &msg.flow_mod;

    msg.type = OF_FLOW_MOD;
    msg.version = version_for(&rule->acts);
    msg.xid = 0;
    fm->command = FLOW_ADD;
    fm->table_id = rule->table_id;
    fm->priority = rule->priority;
    fm->idle_timeout_s = rule->idle_timeout_s;
    fm->hard_timeout_s = rule->hard_timeout_s;
    fm->flags = 0;
    fm->importance = 0;
    fm->cookie = rule->cookie;
    fm->cookie_mask = 0;
    fm->buffer_id = OF_NO_BUFFER;
    fm->out_port = OFPORT_ANY;
    fm->out_group = OFGROUP_ANY;
    rule_match(rule, &fm->match);
    fm->acts = rule->acts;
    of_msg_encode(&msg, buf);
}

/* A rule's place in memory is its own for as long as it is in its table, and that it left it is recorded before another
 * can have it. */
void rules_record_rule(struct of_buf *buf, const struct rule *rule, bool there)
{
    const size_t at = begin(buf, RECORD_RULE, (uintptr_t)rule);
    struct rules_record *record;

    if (!there)
        return;
    record = head_of(buf, at);
    record->created_ms = rule->created_ms;
    record->flags = rule->flags & FLAGS_OF_RULE;
    record->importance = rule->importance;
    put_flow_mod(buf, rule);
    end(buf, at);
}

void rules_record_group(struct of_buf *buf, const struct group *group, bool there)
{
    const struct of_msg msg = {
        .type = OF_GROUP_MOD,
        .version = OF15,
        .group_mod =
            {
                .command = GROUP_ADD,
                .type = group->type,
                .group_id = group->id,
                .command_bucket_id = BUCKET_ID_ALL,
                .buckets = group->buckets,
                .n_buckets = group->n_buckets,
                .selection = group->selection,
            },
    };
    const size_t at = begin(buf, RECORD_GROUP, group->id);

    if (!there)
        return;
    of_msg_encode(&msg, buf);
    end(buf, at);
}

void rules_record_meter(struct of_buf *buf, const struct meter_entry *meter, bool there)
{
    struct of_msg msg = {
        .type = OF_METER_MOD,
        .version = OF15,
        .meter_mod = {.command = METER_ADD, .flags = meter->flags, .meter_id = meter->id, .n_bands = meter->n_bands},
    };
    const size_t at = begin(buf, RECORD_METER, meter->id);

    if (!there)
        return;
    memcpy(msg.meter_mod.bands, meter->bands, sizeof msg.meter_mod.bands);
    of_msg_encode(&msg, buf);
    end(buf, at);
}

void rules_record_options(struct of_buf *buf)
{
    struct of_msg msg = {.type = OF_TLV_TABLE_MOD, .version = OF15, .tlv_table = {.command = TLV_ADD}};
    const size_t at = begin(buf, RECORD_OPTIONS, 0);

    msg.tlv_table.n = tlv_map_list(msg.tlv_table.maps);
    if (msg.tlv_table.n == 0)
        return;
    of_msg_encode(&msg, buf);
    end(buf, at);
}

/* --- reading ------------------------------------------------------------- */

const struct rules_record *rules_record_at(const uint8_t *data, size_t len)
{
    const struct rules_record *record = (const struct rules_record *)data;

    if (len < sizeof *record || record->len < sizeof *record || record->len > len || record->len % 8 != 0 ||
        record->message > record->len - sizeof *record || record->kind >= RECORD_N_KINDS)
        return NULL;
    return record;
}

/* Those that are there already stay. */
static int add_options(const struct of_tlv_table *table)
{
    struct tlv_map there[TLV_MAPS_MAX], missing[TLV_MAPS_MAX];
    const unsigned n_there = tlv_map_list(there);
    unsigned n = 0;

    for (unsigned i = 0; i < table->n; i++) {
        const struct tlv_map *map = &table->maps[i];
        bool known = false;

        for (unsigned j = 0; j < n_there; j++)
            known |= there[j].class == map->class && there[j].type == map->type && there[j].len == map->len &&
                     there[j].index == map->index;
        if (!known)
            missing[n++] = *map;
    }
    return n == 0 ? 0 : tlv_map_mod(TLV_ADD, missing, n);
}

static int add_rule(const struct rules_record *record, struct pipeline *pipeline, struct flow_mod *fm)
{
    const uint64_t now_ms = clock_now_ms();

    if (fm->command != FLOW_ADD)
        return OFPERR_FMFC_BAD_COMMAND;
    fm->flags = record->flags & FLAGS_OF_RULE;
    fm->importance = record->importance;
    return pipeline_take_over_rule(pipeline, fm, record->created_ms < now_ms ? record->created_ms : now_ms);
}

static int apply(const struct rules_record *record, struct pipeline *pipeline, struct of_msg *msg)
{
    static const enum of_msg_type types[RECORD_N_KINDS] = {
        [RECORD_RULE] = OF_FLOW_MOD,
        [RECORD_GROUP] = OF_GROUP_MOD,
        [RECORD_METER] = OF_METER_MOD,
        [RECORD_OPTIONS] = OF_TLV_TABLE_MOD,
    };

    if (msg->type != types[record->kind])
        return OFPERR_BRC_BAD_TYPE;
    if (msg->type == OF_FLOW_MOD)
        return add_rule(record, pipeline, &msg->flow_mod);
    if (msg->type == OF_GROUP_MOD)
        return msg->group_mod.command == GROUP_ADD ? group_table_mod(pipeline_groups(pipeline), &msg->group_mod)
                                                   : OFPERR_GMFC_BAD_COMMAND;
    if (msg->type == OF_TLV_TABLE_MOD)
        return add_options(&msg->tlv_table);
    return pipeline_meters(pipeline) && msg->meter_mod.command == METER_ADD
               ? meter_table_mod(pipeline_meters(pipeline), &msg->meter_mod)
               : OFPERR_MMFC_BAD_COMMAND;
}

int rules_record_apply(const struct rules_record *record, struct pipeline *pipeline)
{
    static const struct of_decode_options options = {.flow_mod_table_id = true};
    struct of_msg msg;
    int error = of_msg_decode((const uint8_t *)(record + 1), record->message, &options, &msg);

    if (error != 0)
        return error;
    error = apply(record, pipeline, &msg);
    of_msg_free(&msg);
    return error;
}
