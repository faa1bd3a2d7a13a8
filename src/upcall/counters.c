/* Counters back to rules, idle megaflows; and what goes by the counters: timeouts and thresholds of rules. */
#include "pmd/base/clock.h"
#include "src/tables/stat_trigger.h"
#include "pmd/tunnel.h"
#include "src/upcall/flows_impl.h"
#include "src/xlate/punt.h"
#include "src/xlate/recirc.h"

/* A pass over all counters starts so often, and takes at most one tenth of the time. */
#define COUNT_INTERVAL_MS 500
#define COUNT_SHARE 10
#define COUNT_STEP 64
/* Rules that one call removes. */
#define EXPIRE_BUDGET 256
/* Between looks at the clock. */
#define SETTLE_STEP 256
/* Rules whose thresholds one call looks at. */
#define TRIGGER_BUDGET 1024
/* The fuller the datapath, the shorter megaflows live: from this share of the limit on, down to this. */
#define CROWDED_SHARE(limit) ((limit) - (limit) / 8)
#define CROWDED_IDLE_MS 200
/* Punts or recirculations in use from which on those out of use are looked for. */
#define INTERNED_MANY 49152
#define FREE_STEP 64 /* of intern.h's buckets, between two looks at the clock */

static void mark_too_big(const struct op_tunnel_push *push)
{
    if (push->too_big != 0)
        punt_mark(push->too_big);
}

static void mark_ids(const struct program *program)
{
    PROGRAM_FOR_EACH (op, program) {
        if (op->type == OP_PUNT) {
            const struct punt *punt = punt_get(op->arg);

            punt_mark(op->arg);
            if (punt && punt->recirc_id)
                recirc_mark(punt->recirc_id);
        } else if (op->type == OP_TUNNEL_PUSH) {
            mark_too_big((const struct op_tunnel_push *)op->data);
        } else if (op->type == OP_RECIRC) {
            recirc_mark(op->arg);
        } else if (op->type == OP_RECIRC_LARGER) {
            recirc_mark(op->arg);
            recirc_mark(((const struct op_larger *)op->data)->recirc);
        }
    }
}

static void count_one(struct flows *flows, struct mf_record *record, uint64_t now)
{
    if (!record_count(flows, record) && now - record->used_ms >= flows->count_idle_ms && now > record->used_ms) {
        megaflow_remove(flows, record);
        flows->stats.deleted_idle++;
        return;
    }
    effects_run(flows, record);
    if (flows->sweeping_ids)
        mark_ids(megaflow_program(record->mf));
}

static uint64_t idle_limit(const struct flows *flows)
{
    uint64_t limit = flows->limit, crowded = CROWDED_SHARE(limit), n = flows->n_live;
    uint64_t idle = flows->params.idle_ms;

    if (n <= crowded || limit == crowded)
        return idle;
    idle = n >= limit ? 0 : idle * (limit - n) / (limit - crowded);
    return RTE_MAX(idle, (uint64_t)CROWDED_IDLE_MS);
}

static void count_start(struct flows *flows, uint64_t now)
{
    flows->counting = true;
    flows->count_pass++;
    flows->count_id = 0;
    flows->count_started_ms = now;
    flows->count_cycles = 0;
    flows->count_idle_ms = idle_limit(flows);
    flows->stats.n_megaflows_mean = (flows->stats.n_megaflows_mean + flows->n_live) / 2;
    flows->stats.n_megaflows_most = RTE_MAX(flows->stats.n_megaflows_most, flows->n_live);
    flows->sweeping_ids = !flows->freeing_ids && (punt_count() > INTERNED_MANY || recirc_count() > INTERNED_MANY);
    if (flows->sweeping_ids) {
        punt_sweep_begin();
        recirc_sweep_begin();
    }
}

static void triggers_begin(struct flows *flows)
{
    struct flows_bridge *fb;

    LIST_FOREACH (fb, &flows->bridges, node) {
        if (fb->bridge->pipeline)
            pipeline_triggers_begin(fb->bridge->pipeline);
    }
    flows->triggering = true;
}

static void count_end(struct flows *flows, uint64_t now)
{
    uint64_t took_ms = flows->count_cycles / (rte_get_tsc_hz() / 1000);

    path_flush_credits(flows);
    flows->stats.pass_ms = (uint32_t)(now - flows->count_started_ms);
    if (flows->sweeping_ids) {
        held_packets_mark(flows, mark_ids);
        flows->sweeping_ids = false;
        flows->freeing_ids = true;
    }
    flows->counting = false;
    flows->count_done_ms = now;
    flows->count_due_ms =
        took_ms * COUNT_SHARE > COUNT_INTERVAL_MS ? now + took_ms * COUNT_SHARE : clock_beat(now, COUNT_INTERVAL_MS);
    flows->expiring = true;
    triggers_begin(flows);
}

/* Goes on with a pass. */
static void count_run(struct flows *flows, const struct budget *budget)
{
    uint64_t now = clock_now_ms(), start = rte_rdtsc();
    bool over;

    do {
        uint32_t end = RTE_MIN(flows->count_id + COUNT_STEP, flows->id_end);

        for (; flows->count_id < end; flows->count_id++) {
            if (flows->records[flows->count_id])
                count_one(flows, flows->records[flows->count_id], now);
        }
        over = flows->count_id >= flows->id_end;
    } while (!over && !budget_spent(budget));
    flows->count_cycles += rte_rdtsc() - start;
    if (over)
        count_end(flows, now);
}

static void free_ids(struct flows *flows, const struct budget *budget)
{
    while (flows->freeing_ids && !budget_spent(budget))
        flows->freeing_ids = !(punt_sweep_some(FREE_STEP) && recirc_sweep_some(FREE_STEP));
}

void flows_run_count(struct flows *flows, uint64_t budget_us)
{
    struct budget budget = budget_start(budget_us);
    uint64_t now = clock_now_ms();

    megaflows_bury(flows);
    if (!flows->counting && (now >= flows->count_due_ms || flows->count_wanted > flows->count_pass))
        count_start(flows, now);
    if (flows->counting)
        count_run(flows, &budget);
    free_ids(flows, &budget);
    megaflows_seal(flows);
    path_flush_credits(flows);
    tickets_advance(flows);
}

void flows_run_triggers(struct flows *flows)
{
    uint64_t now = clock_now_ms();
    struct flows_bridge *fb;
    bool more = false;

    if (!flows->triggering)
        return;
    LIST_FOREACH (fb, &flows->bridges, node) {
        if (fb->bridge->pipeline)
            more |= pipeline_triggers_run(fb->bridge->pipeline, now, TRIGGER_BUDGET);
    }
    flows->triggering = more;
}

void flows_run_settle(struct flows *flows, uint64_t budget_us)
{
    struct budget budget = budget_start(budget_us);
    struct flows_bridge *fb;

    flows->settling = false; /* what goes by this may set it again */
    LIST_FOREACH (fb, &flows->bridges, node) {
        while (fb->bridge->pipeline && !pipeline_settle_step(fb->bridge->pipeline, SETTLE_STEP)) {
            if (budget_spent(&budget)) {
                flows->settling = true;
                return;
            }
        }
    }
}

/* Rules go by what the last pass counted: if they were used since, they were used before the pass ended. */
void flows_run_expiry(struct flows *flows)
{
    uint64_t now = clock_now_ms();
    struct flows_bridge *fb;
    bool more = false;

    if (!flows->expiring)
        return;
    LIST_FOREACH (fb, &flows->bridges, node) {
        if (fb->bridge->pipeline)
            more |= pipeline_expire(fb->bridge->pipeline, now, EXPIRE_BUDGET) == EXPIRE_BUDGET;
    }
    flows->expiring = more;
}

uint64_t flows_count(struct flows *flows, uint64_t max_age_ms)
{
    uint64_t now = clock_now_ms();

    if (flows->counting ? now - flows->count_started_ms <= max_age_ms
                        : flows->count_done_ms && now - flows->count_done_ms <= max_age_ms)
        return flows->count_pass;
    flows->count_wanted = flows->count_pass + 1;
    return flows->count_wanted;
}

bool flows_counted(const struct flows *flows, uint64_t pass)
{
    return flows->count_pass > pass || (flows->count_pass == pass && !flows->counting);
}
