#include "src/match/tlv_map.h"

#include <string.h>

#include "src/match/field_rows.h"
#include "src/match/minimatch.h"
#include "src/match/of_error.h"

_Static_assert(TLV_MAPS_MAX == FIELD_N_TUN_METADATA, "a field each");
_Static_assert(TLV_OPTION_LEN_MAX == sizeof(union field_value), "the field's value");

#define UNIT 4 /* options are whole words (RFC 8926, 3.5) */
#define N_UNITS (TUN_METADATA_LEN / UNIT)

static struct tlv_map table[TLV_MAPS_MAX]; /* len 0: none */
static uint32_t units;                     /* of the key's bytes, those in use */
_Static_assert(N_UNITS == 32, "a bit each");

/* How many matches look at each unit, and how many actions and selections of groups name each field. */
static uint32_t unit_users[N_UNITS], field_users[TLV_MAPS_MAX];

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

/* Its first unit. */
static unsigned unit_of(unsigned index)
{
    return (field_of(index)->offset - (unsigned)offsetof(struct flow, pkt.tun_metadata)) / UNIT;
}

static void unbind(unsigned index)
{
    struct field *f = field_of(index);

    if (table[index].len == 0)
        return;
    units &= ~(run_of(table[index].len / UNIT) << unit_of(index));
    f->n_bytes = f->container = f->n_bits = 0;
    table[index].len = 0;
}

/* --- who uses a field ---------------------------------------------------- */

void tlv_map_count_mask(const struct minimask *mask, int delta)
{
    const unsigned first = offsetof(struct flow, pkt.tun_metadata) / 8;

    if (!(mask->map >> first & ((UINT64_C(1) << N_UNITS / 2) - 1)))
        return;
    for (unsigned i = 0; i < N_UNITS; i++) {
        const uint64_t word = minimask_word(mask, first + i / 2);
        uint32_t halves[2];

        memcpy(halves, &word, sizeof word);
        if (halves[i % 2] != 0)
            unit_users[i] += (uint32_t)delta;
    }
}

void tlv_map_count_field(const struct field *field, int delta)
{
    if (field && field->variable)
        field_users[field->id - FIELD_TUN_METADATA0] += (uint32_t)delta;
}

static bool is_set(const struct flow *flow, unsigned index)
{
    const uint8_t *value = (const uint8_t *)flow + field_of(index)->offset;

    for (unsigned i = 0; i < table[index].len; i++) {
        if (value[i] != 0)
            return true;
    }
    return false;
}

uint64_t tlv_map_fields(const struct flow *flow)
{
    static const uint8_t none[TUN_METADATA_LEN];
    uint64_t fields = 0;

    if (memcmp(flow->pkt.tun_metadata, none, sizeof none) == 0) /* most matches */
        return 0;
    for (unsigned i = 0; units != 0 && i < TLV_MAPS_MAX; i++) {
        if (is_set(flow, i))
            fields |= UINT64_C(1) << i;
    }
    return fields;
}

uint64_t tlv_map_fields_of(const struct field *field)
{
    return field->variable ? UINT64_C(1) << (field->id - FIELD_TUN_METADATA0) : 0;
}

void tlv_map_count_fields(uint64_t fields, int delta)
{
    for (; fields != 0; fields &= fields - 1)
        field_users[__builtin_ctzll(fields)] += (uint32_t)delta;
}

static bool in_use(unsigned index)
{
    bool used = field_users[index] > 0;

    for (unsigned i = 0; i < table[index].len / UNIT; i++)
        used |= unit_users[unit_of(index) + i] > 0;
    return used;
}

/* --- changes ------------------------------------------------------------- */

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

int tlv_map_mod(enum tlv_command command, const struct tlv_map *maps, unsigned n)
{
    uint64_t doomed = command == TLV_CLEAR ? UINT64_MAX : 0;

    if (command == TLV_ADD)
        return add(maps, n);
    for (unsigned i = 0; command == TLV_DELETE && i < n; i++) {
        if (maps[i].index >= TLV_MAPS_MAX)
            return OFPERR_NXTTMFC_BAD_FIELD_IDX;
        doomed |= UINT64_C(1) << maps[i].index;
    }
    for (unsigned i = 0; i < TLV_MAPS_MAX; i++) {
        if (doomed >> i & 1 && in_use(i))
            return OFPERR_NXTTMFC_INVALID_TLV_DEL;
    }
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

/* --- options ------------------------------------------------------------- */

unsigned tlv_map_datapath(struct tunnel_option options[TLV_MAPS_MAX])
{
    unsigned n = 0;

    for (unsigned i = 0; i < TLV_MAPS_MAX; i++) {
        if (table[i].len != 0)
            options[n++] = (struct tunnel_option){.class = table[i].class,
                                                  .type = table[i].type,
                                                  .len = table[i].len,
                                                  .offset = (uint8_t)(unit_of(i) * UNIT)};
    }
    return n;
}

static uint8_t *option_write(const struct tlv_map *map, const uint8_t *value, uint8_t *to)
{
    *to++ = (uint8_t)(map->class >> 8);
    *to++ = (uint8_t)map->class;
    *to++ = map->type;
    *to++ = map->len / UNIT;
    memcpy(to, value, map->len);
    return to + map->len;
}

unsigned tlv_map_options_write(const struct flow *flow, struct flow *seen, uint8_t options[TLV_OPTIONS_LEN_MAX])
{
    uint8_t *end = options;

    for (unsigned i = 0; units != 0 && i < TLV_MAPS_MAX; i++) {
        const uint16_t offset = field_of(i)->offset;

        memset((uint8_t *)seen + offset, 0xff, table[i].len);
        if (is_set(flow, i))
            end = option_write(&table[i], (const uint8_t *)flow + offset, end);
    }
    return (unsigned)(end - options);
}
