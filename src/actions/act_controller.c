/* controller(...): the packet, or a part of it, to a controller that it names. */
#include "src/actions/act_impl.h"

static const char *reason_name(uint8_t reason)
{
    static const char *const names[] = {"no_match", "action", "invalid_ttl", "action_set", "group", "packet_out"};

    return reason < sizeof names / sizeof names[0] ? names[reason] : "unknown";
}

static void print_controller(struct act_printer *p, const struct act *act)
{
    const struct act_controller *a = (const struct act_controller *)act;
    const char *comma = "";

    fputs("controller(", p->out);
    if (a->reason != 1) {
        fprintf(p->out, "reason=%s", reason_name(a->reason));
        comma = ",";
    }
    if (a->max_len != UINT16_MAX) {
        fprintf(p->out, "%smax_len=%u", comma, a->max_len);
        comma = ",";
    }
    if (a->controller_id) {
        fprintf(p->out, "%sid=%u", comma, a->controller_id);
        comma = ",";
    }
    if (a->userdata_len) {
        fprintf(p->out, "%suserdata=", comma);
        for (unsigned i = 0; i < a->userdata_len; i++)
            fprintf(p->out, "%s%02x", i ? "." : "", a->userdata[i]);
        comma = ",";
    }
    if (a->pause) {
        fprintf(p->out, "%spause", comma);
        comma = ",";
    }
    if (a->meter_id)
        fprintf(p->out, "%smeter_id=%u", comma, a->meter_id);
    fputc(')', p->out);
}

static bool controller_to(const struct act *act, uint32_t ofport)
{
    return ofport == OFPORT_CONTROLLER;
}

/* The meter that packets pass on their way to the controller. */
static struct act_ref controller_ref(const struct act *act)
{
    uint32_t meter_id = ((const struct act_controller *)act)->meter_id;

    return (struct act_ref){meter_id != 0 ? ACT_REF_METER : ACT_REF_NONE, meter_id};
}

const struct act_ops act_ops_controller = {
    .name = "controller",
    .rank = ACT_RANK_OUTPUT,
    .print = print_controller,
    .outputs_to = controller_to,
    .ref = controller_ref,
};
