#define MEM_WHAT "mirrors"

#include "src/bridge/mirror.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/bridge/bridge_impl.h"

/* --- names --------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_take(struct mirror_names *names, const char *const *from, size_t n)
{
    names->n = n;
    names->sorted = mem_calloc(n + 1, sizeof *names->sorted);
    for (size_t i = 0; i < n; i++)
        names->sorted[i] = mem_strdup(from[i]);
    qsort(names->sorted, n, sizeof *names->sorted, compare);
}

static void names_free(struct mirror_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->sorted[i]);
    free(names->sorted);
}

static bool names_have(const struct mirror_names *names, const char *name)
{
    return names->n > 0 && bsearch(&name, names->sorted, names->n, sizeof *names->sorted, compare);
}

static bool names_same(const struct mirror_names *a, const struct mirror_names *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->sorted[i], b->sorted[i]) != 0)
            return false;
    }
    return true;
}

/* --- mirrors ------------------------------------------------------------- */

static struct mirror *mirror_create(const struct mirror_config *config)
{
    struct mirror *mirror = mem_calloc(1, sizeof *mirror);

    mirror->name = mem_strdup(config->name);
    mirror->output_port = config->output_port ? mem_strdup(config->output_port) : NULL;
    mirror->output_vlan = config->output_port ? MIRROR_NO_VLAN : config->output_vlan;
    mirror->snaplen = config->snaplen;
    mirror->select_all = config->select_all;
    names_take(&mirror->src, config->select_src_port, config->n_select_src_port);
    names_take(&mirror->dst, config->select_dst_port, config->n_select_dst_port);
    mirror->selects_vlans = config->n_select_vlan > 0;
    for (size_t i = 0; i < config->n_select_vlan; i++)
        mirror->vlans[config->select_vlan[i] / 64] |= UINT64_C(1) << config->select_vlan[i] % 64;
    return mirror;
}

static void mirror_free(struct mirror *mirror)
{
    if (!mirror)
        return;
    names_free(&mirror->src);
    names_free(&mirror->dst);
    free(mirror->name);
    free(mirror->output_port);
    free(mirror);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool mirror_same(const struct mirror *a, const struct mirror *b)
{
    return same_text(a->name, b->name) && same_text(a->output_port, b->output_port) &&
           a->output_vlan == b->output_vlan && a->snaplen == b->snaplen && a->select_all == b->select_all &&
           a->selects_vlans == b->selects_vlans && memcmp(a->vlans, b->vlans, sizeof a->vlans) == 0 &&
           names_same(&a->src, &b->src) && names_same(&a->dst, &b->dst);
}

static bool goes_where(const struct mirror *a, const struct mirror *b)
{
    if (a->out || b->out)
        return a->out == b->out;
    return a->output_vlan != MIRROR_NO_VLAN && a->output_vlan == b->output_vlan;
}

static void find_alike(struct mirrors *mirrors)
{
    for (unsigned i = 0; i < MIRRORS_MAX; i++) {
        struct mirror *mirror = mirrors->at[i];

        if (!mirror)
            continue;
        mirror->alike = UINT32_C(1) << i;
        for (unsigned j = 0; j < MIRRORS_MAX; j++) {
            if (mirrors->at[j] && goes_where(mirror, mirrors->at[j]))
                mirror->alike |= UINT32_C(1) << j;
        }
    }
}

/* Finds out what the mirrors have to do with the Port. True: it is the output of one. */
static bool look_at(struct mirrors *mirrors, struct lport *lport)
{
    const uint32_t was = lport->mirrors.output;

    lport->mirrors = (struct lport_mirrors){0};
    for (unsigned i = 0; i < MIRRORS_MAX; i++) {
        const uint32_t bit = UINT32_C(1) << i;
        struct mirror *mirror = mirrors->at[i];

        if (!mirror)
            continue;
        if (mirror->select_all || names_have(&mirror->src, lport_name(lport)))
            lport->mirrors.received |= bit;
        if (mirror->select_all || names_have(&mirror->dst, lport_name(lport)))
            lport->mirrors.sent |= bit;
        if (mirror->output_port && strcmp(mirror->output_port, lport_name(lport)) == 0) {
            mirror->out = lport;
            lport->mirrors.output |= bit;
        }
    }
    /* Nothing is received on it any more that would tell where its addresses have gone. */
    if (lport->mirrors.output && !was)
        mac_table_flush(lport->bridge->macs, lport->id);
    return lport->mirrors.output != 0;
}

/* Places of mirrors that stay are kept: megaflows and packets under way know them by these. True: something is
 * different. */
static bool place(struct bridge *bridge, struct mirror *mirror)
{
    static uint32_t next_id;
    struct mirrors *mirrors = bridge->mirrors;
    unsigned at = 0;

    while (at < MIRRORS_MAX && (!mirrors->at[at] || strcmp(mirrors->at[at]->name, mirror->name) != 0))
        at++;
    if (at < MIRRORS_MAX) {
        bool same = mirror_same(mirrors->at[at], mirror);

        mirror->id = mirrors->at[at]->id;
        mirror->packets = mirrors->at[at]->packets;
        mirror->bytes = mirrors->at[at]->bytes;
        mirror_free(mirrors->at[at]);
        mirrors->at[at] = mirror;
        return !same;
    }
    for (at = 0; at < MIRRORS_MAX && mirrors->at[at]; at++)
        ;
    if (at == MIRRORS_MAX) {
        LOG_WARN(LOG_CONFIG, "%s: mirror %s is left out: a bridge has at most %d", bridge->name, mirror->name,
                 MIRRORS_MAX);
        mirror_free(mirror);
        return false;
    }
    mirror->id = ++next_id;
    mirrors->at[at] = mirror;
    return true;
}

static bool is_wanted(const struct mirror *mirror, const struct mirror_config *configs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(configs[i].name, mirror->name) == 0)
            return true;
    }
    return false;
}

static bool remove_others(struct bridge *bridge, const struct mirror_config *configs, size_t n)
{
    bool any = false;

    for (unsigned i = 0; i < MIRRORS_MAX; i++) {
        struct mirror *mirror = bridge->mirrors->at[i];

        if (!mirror || is_wanted(mirror, configs, n))
            continue;
        mirror_free(mirror);
        bridge->mirrors->at[i] = NULL;
        any = true;
    }
    return any;
}

void mirrors_set(struct bridge *bridge, const struct mirror_config *configs, size_t n)
{
    struct lport *lport;
    bool changed;

    if (!bridge->mirrors && n == 0)
        return;
    if (!bridge->mirrors)
        bridge->mirrors = mem_calloc(1, sizeof *bridge->mirrors);
    changed = remove_others(bridge, configs, n);
    for (size_t i = 0; i < n; i++)
        changed |= place(bridge, mirror_create(&configs[i]));
    TAILQ_FOREACH (lport, &bridge->lports, node)
        look_at(bridge->mirrors, lport);
    find_alike(bridge->mirrors);
    if (n == 0)
        mirrors_free(bridge);
    if (changed)
        bridge_note(bridge);
}

void mirrors_port_added(struct lport *lport)
{
    struct bridge *bridge = lport->bridge;

    if (!bridge->mirrors || !look_at(bridge->mirrors, lport))
        return;
    find_alike(bridge->mirrors);
    bridge_note(bridge);
}

/* A bond may have the name of one of its members. */
void mirrors_port_removed(struct lport *lport)
{
    struct bridge *bridge = lport->bridge;
    struct mirror *mirror;
    struct lport *other;

    if (!lport->mirrors.output)
        return;
    MIRROR_FOR_EACH(mirror, bridge)
    {
        if (mirror->out == lport)
            mirror->out = NULL;
    }
    TAILQ_FOREACH (other, &bridge->lports, node) {
        if (other != lport && other->mirrors.output)
            look_at(bridge->mirrors, other);
    }
    find_alike(bridge->mirrors);
    bridge_note(bridge);
}

void mirrors_free(struct bridge *bridge)
{
    if (!bridge->mirrors)
        return;
    for (unsigned i = 0; i < MIRRORS_MAX; i++)
        mirror_free(bridge->mirrors->at[i]);
    free(bridge->mirrors);
    bridge->mirrors = NULL;
}

void mirrors_tell_missing(const struct bridge *bridge)
{
    struct mirror *mirror;

    MIRROR_FOR_EACH(mirror, bridge)
    {
        if (!mirror->output_port || mirror->out || mirror->told_missing)
            continue;
        mirror->told_missing = true;
        LOG_WARN(LOG_CONFIG,
                 "%s: mirror %s outputs to port %s, which is not on the bridge: add the port, or name another",
                 bridge->name, mirror->name, mirror->output_port);
    }
}

void mirror_count(struct bridge *bridge, uint32_t id, uint64_t packets, uint64_t bytes)
{
    struct mirror *mirror;

    MIRROR_FOR_EACH(mirror, bridge)
    {
        if (mirror->id != id)
            continue;
        mirror->packets += packets;
        mirror->bytes += bytes;
    }
}

const struct mirror *mirror_by_name(const struct bridge *bridge, const char *name)
{
    const struct mirror *mirror;

    MIRROR_FOR_EACH(mirror, bridge)
    {
        if (strcmp(mirror->name, name) == 0)
            return mirror;
    }
    return NULL;
}
