/* The tracker as a whole: made and ended, zones, limits, timeouts, numbers about it. Control thread. */
#include <netinet/in.h>
#include <rte_cycles.h>
#include <rte_random.h>
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "pmd/ct/expire.h"
#include "pmd/ct/flush.h"
#include "pmd/ct/protocols.h"
#include "pmd/ct/tcp.h"
#include "pmd/ct/tracker_impl.h"

/* Numbers that are in no connection: of those that wait for a grace period. */
#define LEAVING_MOST 65536u
/* Connections for which memory is ready before they are made. */
#define READY_AHEAD 65536u

#define STEP_CHECK 4 /* rounds between two looks at the clock */

static const char *const reason_names[CT_N_REASONS] = {
#define X(symbol, name, doc) [symbol] = name,
    CT_REASONS(X)
#undef X
};

const char *ct_reason_name(enum ct_reason reason)
{
    return reason < CT_N_REASONS ? reason_names[reason] : "unknown";
}

const char *ct_reason_doc(enum ct_reason reason)
{
    static const char *const docs[CT_N_REASONS] = {
#define X(symbol, name, doc) [symbol] = doc,
        CT_REASONS(X)
#undef X
    };

    return reason < CT_N_REASONS ? docs[reason] : "";
}

const char *ct_helper_name(enum ct_helper helper)
{
    static const char *const names[] = {[CT_HELPER_FTP] = "ftp", [CT_HELPER_TFTP] = "tftp"};

    return names[helper];
}

static bool zones_init(struct ct *ct)
{
    static const uint32_t defaults[CT_N_TIMEOUTS] = {
#define X(symbol, name, seconds, doc) [symbol] = seconds,
        CT_TIMEOUTS(X)
#undef X
    };

    ct->zones = calloc(CT_ZONES, sizeof *ct->zones);
    ct->zone_limits = calloc(CT_ZONES, sizeof *ct->zone_limits);
    ct->zone_policies = calloc(CT_ZONES, sizeof *ct->zone_policies);
    ct->zone_has_limit = calloc(CT_ZONES, sizeof *ct->zone_has_limit);
    memcpy(ct->default_policy.seconds, defaults, sizeof defaults);
    for (uint32_t zone = 0; ct->zone_policies && zone < CT_ZONES; zone++)
        ct->zone_policies[zone] = &ct->default_policy;
    return ct->zones && ct->zone_limits && ct->zone_policies && ct->zone_has_limit;
}

static void policies_fini(struct ct *ct)
{
    for (uint32_t zone = 0; ct->zone_policies && zone < CT_ZONES; zone++) {
        if (ct->zone_policies[zone] != &ct->default_policy)
            free(ct->zone_policies[zone]);
    }
    free(ct->zone_policies);
}

struct ct *ct_create(const struct ct_params *params)
{
    const size_t size = sizeof(struct ct) + params->n_threads * sizeof(struct ct_thread);
    const uint32_t capacity = params->max_connections + LEAVING_MOST + params->n_threads * POOL_HELD;
    struct ct *ct = aligned_alloc(RTE_CACHE_LINE_SIZE, size);

    if (!ct)
        return NULL;
    memset(ct, 0, size);
    ct->max = params->max_connections;
    ct->n_threads = params->n_threads;
    ct->rcu = params->rcu;
    ct->tcp_window_check = true;
    ct->sweep_ms = CT_SWEEP_DEFAULT;
    ct->pool = params->pool;
    ct->fragments_enabled[0] = ct->fragments_enabled[1] = true;
    ct->fragment_min[0] = CT_FRAGMENT_MIN_IPV4;
    ct->fragment_min[1] = CT_FRAGMENT_MIN_IPV6;
    ct->fragments_max = CT_FRAGMENTS_DEFAULT;
    ct->seed = rte_rand();
    if (!zones_init(ct) || !expect_init(&ct->expect) || !directory_init(&ct->directory, ct->max) ||
        !ct_memory_reserve(&ct->conns_memory, (capacity + 1ull) * sizeof(struct conn)) ||
        !ct_memory_reserve(&ct->colds_memory, (capacity + 1ull) * sizeof(struct conn_cold)) ||
        !ct_memory_reserve(&ct->lines_memory, (capacity + 1ull) * sizeof(struct conn_v6))) {
        ct_destroy(ct);
        return NULL;
    }
    for (unsigned i = 0; i < ct->n_threads; i++) {
        if (!fragments_init(&ct->threads[i].fragments)) {
            ct_destroy(ct);
            return NULL;
        }
    }
    ct->conns = (struct conn *)(void *)ct->conns_memory.base;
    ct->colds = (struct conn_cold *)(void *)ct->colds_memory.base;
    ct->lines = (struct conn_v6 *)(void *)ct->lines_memory.base;
    _Static_assert(offsetof(struct conn_cold, wheel_at) == offsetof(struct conn_cold, next) + sizeof(uint32_t),
                   "the two words of struct pool_links");
    pool_init(&ct->conn_pool, &ct->colds[0].next, capacity);
    pool_init(&ct->line_pool, ct->lines, capacity);
    return ct;
}

void ct_destroy(struct ct *ct)
{
    if (!ct)
        return;
    for (unsigned i = 0; i < ct->n_threads; i++)
        fragments_fini(&ct->threads[i].fragments);
    expire_fini(ct);
    flush_fini(ct);
    expect_fini(&ct->expect);
    directory_fini(&ct->directory);
    ct_memory_free(&ct->conns_memory);
    ct_memory_free(&ct->colds_memory);
    ct_memory_free(&ct->lines_memory);
    free(ct->zones);
    free(ct->zone_limits);
    policies_fini(ct);
    free(ct->zone_has_limit);
    free(ct);
}

bool ct_is_used(const struct ct *ct)
{
    return __atomic_load_n(&ct->used, __ATOMIC_RELAXED);
}

/* --- rates --------------------------------------------------------------- */

uint64_t ct_made(const struct ct *ct)
{
    uint64_t made = 0;

    for (unsigned t = 0; t < ct->n_threads; t++)
        made += __atomic_load_n(&ct->threads[t].created, __ATOMIC_RELAXED);
    return made;
}

static void sample(const struct ct *ct, uint32_t now, struct ct_sample *sample)
{
    *sample = (struct ct_sample){.taken = true, .second = now, .removed = ct->removed, .created = ct_made(ct)};
}

static void rates_note(struct ct *ct, uint32_t now)
{
    if (likely(ct->samples[1].taken && now - ct->samples[1].second < CT_RATE_SECONDS))
        return;
    ct->samples[0] = ct->samples[1];
    sample(ct, now, &ct->samples[1]);
}

void ct_rates(struct ct *ct, uint32_t now, struct ct_rates *rates)
{
    const struct ct_sample *since;
    struct ct_sample here;

    rates_note(ct, now);
    since = ct->samples[0].taken ? &ct->samples[0] : &ct->samples[1];
    sample(ct, now, &here);
    *rates = (struct ct_rates){.seconds = now - since->second};
    if (rates->seconds == 0)
        return;
    rates->created = (double)(here.created - since->created) / rates->seconds;
    rates->removed = (double)(here.removed - since->removed) / rates->seconds;
}

/* --- work ---------------------------------------------------------------- */

static size_t bytes_wanted(const struct ct_pool *pool)
{
    const uint32_t fresh = __atomic_load_n(&pool->fresh, __ATOMIC_RELAXED);

    /* No memory for IPv6 lines before there is an IPv6 connection. */
    return fresh > 1 || pool->capacity == 0 ? (fresh + (size_t)READY_AHEAD) * 64 : 0;
}

/* A step takes as long as the kernel needs for 2 MB. */
static bool prepare(struct ct *ct)
{
    const size_t conns = RTE_MAX(bytes_wanted(&ct->conn_pool), (size_t)READY_AHEAD * sizeof(struct conn));

    return ct_memory_step(&ct->directory.memory, ct->directory.memory.size) | ct_memory_step(&ct->conns_memory, conns) |
           ct_memory_step(&ct->colds_memory, conns) | ct_memory_step(&ct->lines_memory, bytes_wanted(&ct->line_pool));
}

/* Up to which second the wheel is to be turned. */
static uint32_t sweep_to(struct ct *ct, uint32_t now)
{
    const uint32_t interval = ct->sweep_ms / 1000 + (ct->sweep_ms % 1000 != 0);

    if (!ct->wheel_turns || (ct->wheel_second == ct->sweep_to && now - ct->sweep_to >= interval))
        ct->sweep_to = now;
    return ct->sweep_to;
}

bool ct_work(struct ct *ct, uint32_t now, uint32_t budget_us)
{
    const uint64_t end = rte_rdtsc() + budget_us * (rte_get_tsc_hz() / 1000000);
    bool more;

    rates_note(ct, now);

    do {
        more = prepare(ct);
        for (unsigned i = 0; i < STEP_CHECK; i++) {
            const uint32_t to = sweep_to(ct, now);
            bool again = expire_news(ct, now);

            again |= expire_wheel(ct, to);
            again |= expire_sweep(ct);
            again |= flush_step(ct, now);
            again |= expire_free(ct);
            more |= again;
            if (!again)
                break;
        }
        for (unsigned t = 0; t < ct->n_threads; t++) {
            pool_hand_back(&ct->conn_pool, &ct->threads[t].conns);
            pool_hand_back(&ct->line_pool, &ct->threads[t].lines);
        }
    } while (more && rte_rdtsc() < end);
    return more;
}

/* --- limits -------------------------------------------------------------- */

void ct_set_max(struct ct *ct, uint32_t max)
{
    __atomic_store_n(&ct->max, max, __ATOMIC_RELAXED);
}

uint32_t ct_max(const struct ct *ct)
{
    return ct->max;
}

uint32_t ct_count(const struct ct *ct)
{
    return __atomic_load_n(&ct->count, __ATOMIC_RELAXED);
}

static void store_limit(struct ct *ct, uint16_t zone, uint32_t limit)
{
    __atomic_store_n(&ct->zone_limits[zone], limit, __ATOMIC_RELAXED);
}

void ct_set_default_limit(struct ct *ct, uint32_t limit)
{
    ct->default_limit = limit;
    for (uint32_t zone = 0; zone < CT_ZONES; zone++) {
        if (!ct->zone_has_limit[zone])
            store_limit(ct, (uint16_t)zone, limit);
    }
}

uint32_t ct_default_limit(const struct ct *ct)
{
    return ct->default_limit;
}

void ct_set_zone_limit(struct ct *ct, uint16_t zone, uint32_t limit)
{
    ct->zone_has_limit[zone] = true;
    store_limit(ct, zone, limit);
}

void ct_unset_zone_limit(struct ct *ct, uint16_t zone)
{
    ct->zone_has_limit[zone] = false;
    store_limit(ct, zone, ct->default_limit);
}

bool ct_zone_has_limit(const struct ct *ct, uint16_t zone)
{
    return ct->zone_has_limit[zone];
}

uint32_t ct_zone_limit(const struct ct *ct, uint16_t zone)
{
    return ct->zone_limits[zone];
}

uint32_t ct_zone_count(const struct ct *ct, uint16_t zone)
{
    return (uint32_t)__atomic_load_n(&ct->zones[zone], __ATOMIC_RELAXED);
}

enum ct_reason conn_count_up(struct ct *ct, uint16_t zone, uint32_t *generation)
{
    const uint32_t limit = __atomic_load_n(&ct->zone_limits[zone], __ATOMIC_RELAXED);
    uint64_t word = __atomic_load_n(&ct->zones[zone], __ATOMIC_RELAXED);

    if (__atomic_add_fetch(&ct->count, 1, __ATOMIC_RELAXED) > __atomic_load_n(&ct->max, __ATOMIC_RELAXED)) {
        __atomic_fetch_sub(&ct->count, 1, __ATOMIC_RELAXED);
        return CT_REASON_TABLE_FULL;
    }
    do {
        if (limit != 0 && (uint32_t)word >= limit) {
            __atomic_fetch_sub(&ct->count, 1, __ATOMIC_RELAXED);
            return CT_REASON_ZONE_LIMIT;
        }
    } while (!__atomic_compare_exchange_n(&ct->zones[zone], &word, word + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    *generation = (uint32_t)(word >> 32);
    return CT_REASON_NONE;
}

void conn_count_down(struct ct *ct, uint16_t zone, uint32_t generation)
{
    uint64_t word = __atomic_load_n(&ct->zones[zone], __ATOMIC_RELAXED);

    __atomic_fetch_sub(&ct->count, 1, __ATOMIC_RELAXED);
    while ((uint32_t)(word >> 32) == generation &&
           !__atomic_compare_exchange_n(&ct->zones[zone], &word, word - 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void ct_flush_zone(struct ct *ct, uint16_t zone)
{
    const uint64_t generation = zone_generation(ct, zone) + 1;

    __atomic_store_n(&ct->zones[zone], generation << 32, __ATOMIC_RELEASE);
    ct->sweep_at = 1;
}

void ct_flush_all(struct ct *ct)
{
    for (uint32_t zone = 0; zone < CT_ZONES; zone++)
        ct_flush_zone(ct, (uint16_t)zone);
}

/* --- timeouts, options --------------------------------------------------- */

/* Sets the timeouts that count: the policy's own, and the default's where it has none. */
static void policy_settle(const struct ct *ct, struct ct_policy *policy)
{
    for (unsigned i = 0; i < CT_N_TIMEOUTS; i++)
        __atomic_store_n(&policy->seconds[i], policy->own[i] != 0 ? policy->own[i] : ct->default_policy.seconds[i],
                         __ATOMIC_RELAXED);
}

void ct_set_default_timeouts(struct ct *ct, const uint32_t seconds[CT_N_TIMEOUTS])
{
    for (unsigned i = 0; i < CT_N_TIMEOUTS; i++)
        __atomic_store_n(&ct->default_policy.seconds[i], seconds[i], __ATOMIC_RELAXED);
    for (uint32_t zone = 0; zone < CT_ZONES; zone++) {
        if (ct->zone_policies[zone] != &ct->default_policy)
            policy_settle(ct, ct->zone_policies[zone]);
    }
}

void ct_default_timeouts(const struct ct *ct, uint32_t seconds[CT_N_TIMEOUTS])
{
    memcpy(seconds, ct->default_policy.seconds, sizeof ct->default_policy.seconds);
}

void ct_set_sweep_interval(struct ct *ct, uint32_t ms)
{
    ct->sweep_ms = ms;
}

uint32_t ct_sweep_interval(const struct ct *ct)
{
    return ct->sweep_ms;
}

void ct_set_zone_timeouts(struct ct *ct, uint16_t zone, const uint32_t seconds[CT_N_TIMEOUTS])
{
    struct ct_policy *policy = ct->zone_policies[zone];

    if (policy == &ct->default_policy) {
        policy = calloc(1, sizeof *policy);
        if (!policy)
            out_of_memory("timeouts of a zone", sizeof *policy);
    }
    memcpy(policy->own, seconds, sizeof policy->own);
    policy_settle(ct, policy);
    __atomic_store_n(&ct->zone_policies[zone], policy, __ATOMIC_RELEASE);
}

void ct_set_tcp_window_check(struct ct *ct, bool check)
{
    __atomic_store_n(&ct->tcp_window_check, check, __ATOMIC_RELAXED);
}

bool ct_tcp_window_check(const struct ct *ct)
{
    return ct->tcp_window_check;
}

/* --- what is there ------------------------------------------------------- */

void ct_stats(const struct ct *ct, struct ct_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->removed = ct->removed;
    stats->memory =
        ct->directory.memory.ready + ct->conns_memory.ready + ct->colds_memory.ready + ct->lines_memory.ready;
    for (unsigned t = 0; t < ct->n_threads; t++) {
        stats->created += __atomic_load_n(&ct->threads[t].created, __ATOMIC_RELAXED);
        for (unsigned i = 0; i < CT_N_REASONS; i++)
            stats->reasons[i] += __atomic_load_n(&ct->threads[t].reasons[i], __ATOMIC_RELAXED);
    }
}

static void tuple_info(const struct ct *ct, const struct conn *conn, enum conn_direction direction,
                       struct ct_tuple_info *info)
{
    const struct ct_tuple *tuple = &conn->tuple[direction];

    if (conn->ipv6) {
        memcpy(info->src, ct->lines[conn->tuple[0].src].address[direction][0], 16);
        memcpy(info->dst, ct->lines[conn->tuple[0].src].address[direction][1], 16);
    } else {
        memcpy(info->src, &tuple->src, 4);
        memcpy(info->dst, &tuple->dst, 4);
    }
    info->sport = tuple->sport;
    info->dport = tuple->dport;
    if (conn->proto == IPPROTO_ICMP || conn->proto == IPPROTO_ICMPV6) {
        info->icmp_type = (uint8_t)tuple->dport;
        info->dport = tuple->sport;
    }
}

static void tcp_info(uint64_t state, struct ct_info *info)
{
    const uint64_t window[2] = {0, 0};
    struct tcp_connection tcp;

    tcp_load(&tcp, state, window);
    info->tcp_state = tcp_state_name(&tcp);
    for (unsigned d = 0; d < 2; d++) {
        info->tcp_states[d] = tcp_peer_name(tcp.side[d].peer);
        info->tcp_scaled[d] = tcp.side[d].scale <= TCP_SCALE_MAX;
        info->tcp_scale[d] = info->tcp_scaled[d] ? tcp.side[d].scale : 0;
        info->tcp_late |= tcp.side[d].scale == TCP_SCALE_UNKNOWN;
    }
}

static void parent_info(const struct ct *ct, const struct conn *conn, const struct ct_tuple *parent,
                        struct ct_tuple_info *info)
{
    if (conn->ipv6) {
        memcpy(info->src, ct->lines[parent->src].address[CONN_ORIG][0], 16);
        memcpy(info->dst, ct->lines[parent->src].address[CONN_ORIG][1], 16);
    } else {
        memcpy(info->src, &parent->src, 4);
        memcpy(info->dst, &parent->dst, 4);
    }
    info->sport = parent->sport;
    info->dport = parent->dport;
}

static void conn_info(const struct ct *ct, uint32_t id, uint32_t now, struct ct_info *info)
{
    const struct conn *conn = &ct->conns[id];
    const uint64_t state = __atomic_load_n(&conn->state, __ATOMIC_RELAXED);

    memset(info, 0, sizeof *info);
    info->bucket = directory_home(&ct->directory, ct->colds[id].hash[0]);
    info->zone = conn->zone;
    info->proto = conn->proto;
    info->ipv6 = conn->ipv6;
    tuple_info(ct, conn, CONN_ORIG, &info->orig);
    tuple_info(ct, conn, CONN_REPLY, &info->reply);
    info->mark = __atomic_load_n(&conn->mark, __ATOMIC_RELAXED);
    memcpy(info->label, ct->colds[id].label, sizeof info->label);
    info->helper = ct_helper_name(state & CONN_FTP ? CT_HELPER_FTP : state & CONN_TFTP ? CT_HELPER_TFTP : 0);
    info->left = __atomic_load_n(&conn->deadline, __ATOMIC_RELAXED) - now;
    if (conn->proto == IPPROTO_TCP)
        tcp_info(state, info);
    info->has_parent = state & CONN_RELATED && (!conn->ipv6 || ct->colds[id].parent.src != 0);
    if (info->has_parent)
        parent_info(ct, conn, &ct->colds[id].parent, &info->parent);
}

bool conn_next(const struct ct *ct, uint32_t now, uint32_t *cursor, uint32_t most)
{
    const uint32_t fresh = __atomic_load_n(&ct->conn_pool.fresh, __ATOMIC_RELAXED);

    for (; most > 0; most--) {
        const uint32_t id = *cursor + 1;
        const struct conn *conn = &ct->conns[id];

        if (id >= fresh) {
            *cursor = 0;
            return false;
        }
        *cursor = id;
        if (!conn_state_is_alive(__atomic_load_n(&conn->state, __ATOMIC_ACQUIRE)) || conn_is_over(conn, now) ||
            conn->generation != zone_generation(ct, conn->zone))
            continue;
        return true;
    }
    return false;
}

bool ct_next(const struct ct *ct, uint32_t now, uint32_t *cursor, uint32_t most, struct ct_info *info)
{
    if (!conn_next(ct, now, cursor, most))
        return false;
    conn_info(ct, *cursor, now, info);
    return true;
}

uint32_t ct_buckets(const struct ct *ct)
{
    return ct->directory.n_buckets;
}
