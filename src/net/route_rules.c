#define MEM_WHAT "the kernel's routes"

#include "src/net/route_rules.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"

#define PRIORITY_MAIN 32766
#define PRIORITY_DEFAULT 32767

/* As the kernel makes them. IPv6 has no table default. */
static const struct route_rule standard[] = {
    {.priority = 0, .table = ROUTE_TABLE_LOCAL},
    {.priority = PRIORITY_MAIN, .table = ROUTE_TABLE_MAIN},
    {.priority = PRIORITY_DEFAULT, .table = ROUTE_TABLE_DEFAULT},
    {.priority = 0, .table = ROUTE_TABLE_LOCAL, .ipv6 = true},
    {.priority = PRIORITY_MAIN, .table = ROUTE_TABLE_MAIN, .ipv6 = true},
};
#define N_STANDARD (sizeof standard / sizeof *standard)

/* --- sorting ------------------------------------------------------------- */

/* Among equal priorities the order in which they were given stays. */
static void insert(struct route_rule *sorted, unsigned *n, const struct route_rule *rule)
{
    unsigned at = *n;

    while (at > 0 && sorted[at - 1].priority > rule->priority)
        at--;
    memmove(&sorted[at + 1], &sorted[at], (*n - at) * sizeof *sorted);
    sorted[at] = *rule;
    (*n)++;
}

static bool has_family(const struct route_rules *rules, bool ipv6)
{
    for (unsigned i = 0; i < rules->n_kernel; i++)
        if (rules->kernel[i].ipv6 == ipv6)
            return true;
    return false;
}

/* True: it came out differently. */
static bool sort(struct route_rules *rules)
{
    struct route_rule *sorted = mem_calloc(rules->n_kernel + rules->n_users + N_STANDARD, sizeof *sorted);
    unsigned n = 0;
    bool changed;

    for (unsigned i = 0; i < rules->n_kernel; i++)
        insert(sorted, &n, &rules->kernel[i]);
    for (unsigned i = 0; i < N_STANDARD; i++)
        if (!has_family(rules, standard[i].ipv6))
            insert(sorted, &n, &standard[i]);
    for (unsigned i = 0; i < rules->n_users; i++)
        insert(sorted, &n, &rules->users[i]);
    changed = n != rules->n || (n > 0 && memcmp(sorted, rules->sorted, n * sizeof *sorted) != 0);
    free(rules->sorted);
    rules->sorted = sorted;
    rules->n = n;
    return changed;
}

void route_rules_init(struct route_rules *rules)
{
    sort(rules);
}

void route_rules_clear(struct route_rules *rules)
{
    free(rules->sorted);
}

/* --- what the kernel says ------------------------------------------------ */

void route_rules_tell(struct route_rules *rules, const struct route_rule *rule)
{
    if (rules->n_told == ROUTE_RULES_MAX) {
        LOG_WARN_RL(LOG_MAIN, "over %u policy rules: the last ones count for no tunnel", ROUTE_RULES_MAX);
        return;
    }
    memcpy(&rules->told[rules->n_told++], rule, sizeof *rule);
}

static bool one_leads_to(const struct route_rule *rules, unsigned n, uint32_t table)
{
    for (unsigned i = 0; i < n; i++)
        if (rules[i].action == ROUTE_RULE_LOOKUP && rules[i].table == table)
            return true;
    return false;
}

bool route_rules_lead_to(const struct route_rules *rules, uint32_t table)
{
    return one_leads_to(standard, N_STANDARD, table) || one_leads_to(rules->told, rules->n_told, table) ||
           one_leads_to(rules->users, rules->n_users, table);
}

bool route_rules_told_all(struct route_rules *rules)
{
    memcpy(rules->kernel, rules->told, rules->n_told * sizeof *rules->told);
    rules->n_kernel = rules->n_told;
    rules->n_told = 0;
    return sort(rules);
}

/* --- operators' rules ---------------------------------------------------- */

/* As `ip rule add` does: just before the first that is not at 0. */
static uint32_t free_priority(const struct route_rules *rules)
{
    for (unsigned i = 0; i < rules->n; i++)
        if (rules->sorted[i].priority > 0)
            return rules->sorted[i].priority - 1;
    return PRIORITY_MAIN - 1;
}

bool route_rules_add(struct route_rules *rules, const struct route_rule *rule)
{
    struct route_rule *added;

    if (rules->n_users == ROUTE_RULES_MAX)
        return false;
    added = &rules->users[rules->n_users++];
    memcpy(added, rule, sizeof *added);
    added->user = true;
    if (added->priority == 0)
        added->priority = free_priority(rules);
    sort(rules);
    return true;
}

static bool is_like(const struct route_rule *a, const struct route_rule *b)
{
    return (b->priority == 0 || a->priority == b->priority) && a->table == b->table && a->ipv6 == b->ipv6 &&
           a->invert == b->invert && a->from_length == b->from_length && IN6_ARE_ADDR_EQUAL(&a->from, &b->from);
}

bool route_rules_remove(struct route_rules *rules, const struct route_rule *rule)
{
    for (unsigned i = 0; i < rules->n_users; i++) {
        struct route_rule *user = &rules->users[i];

        if (!is_like(user, rule))
            continue;
        memmove(user, user + 1, (rules->n_users - i - 1) * sizeof *user);
        rules->n_users--;
        sort(rules);
        return true;
    }
    return false;
}

/* --- asking -------------------------------------------------------------- */

static bool is_within(const struct in6_addr *address, const struct in6_addr *network, uint8_t length)
{
    unsigned whole = length / 8, rest = length % 8;

    if (length == 0)
        return true;
    return !IN6_IS_ADDR_UNSPECIFIED(address) && memcmp(address, network, whole) == 0 &&
           (rest == 0 || (address->s6_addr[whole] ^ network->s6_addr[whole]) >> (8 - rest) == 0);
}

bool route_rule_matches(const struct route_rule *rule, const struct route_query *query)
{
    bool matches;

    if (rule->ipv6 == !!IN6_IS_ADDR_V4MAPPED(&query->to))
        return false;
    matches = !rule->never && is_within(&query->from, &rule->from, rule->from_length) &&
              is_within(&query->to, &rule->to, rule->to_length) && ((query->mark ^ rule->mark) & rule->mark_mask) == 0;
    return matches != rule->invert;
}
