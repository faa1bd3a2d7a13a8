/* The instruction stat_trigger (OpenFlow 1.5.1, 5.7). */
#include <inttypes.h>

#include "src/actions/act_impl.h"

static void print_stat_trigger(struct act_printer *p, const struct act *act)
{
    static const char *const names[] = {"duration", "idle_time", "packets", "bytes"};
    const struct act_stat_trigger *a = (const struct act_stat_trigger *)act;
    const char *comma = "";

    fputs("stat_trigger(", p->out);
    for (unsigned i = 0; i < STAT_N_THRESHOLDS; i++) {
        if (!(a->present >> i & 1))
            continue;
        fprintf(p->out, "%s%s=", comma, names[i]);
        if (i <= STAT_IDLE_TIME)
            fprintf(p->out, "%g", (double)a->thresholds[i] / 1e9);
        else
            fprintf(p->out, "%" PRIu64, a->thresholds[i]);
        comma = ",";
    }
    if (a->flags & STAT_TRIGGER_PERIODIC)
        fputs(",periodic", p->out);
    if (a->flags & STAT_TRIGGER_ONLY_FIRST)
        fputs(",only_first", p->out);
    fputc(')', p->out);
}

const struct act_ops act_ops_stat_trigger = {
    .name = "stat_trigger",
    .print = print_stat_trigger,
};
