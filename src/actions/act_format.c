/* Lists of actions as text, in the syntax of ovs-actions(7); each action is written by its row in act_ops[]. Control
 * thread. */
#include <inttypes.h>
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/actions/act_impl.h"

void act_print_port(struct act_printer *p, uint32_t ofport)
{
    port_print(p->out, ofport, p->port_name, p->arg);
}

void act_print_name(struct act_printer *p, const struct act *act)
{
    fputs(act_ops[act->type]->name, p->out);
}

void act_print_number(struct act_printer *p, const struct act *act)
{
    fprintf(p->out, "%s:%" PRIu32, act_ops[act->type]->name, act_u32_of(act));
}

void act_print_eth_type(struct act_printer *p, const struct act *act)
{
    fprintf(p->out, "%s:0x%04" PRIx32, act_ops[act->type]->name, act_u32_of(act));
}

void act_print_list(struct act_printer *p, const struct act_list *list)
{
    const char *comma = "";

    ACT_FOR_EACH (act, list) {
        fputs(comma, p->out);
        act_ops[act->type]->print(p, act);
        comma = ",";
    }
}

char *act_list_format(const struct act_list *list, port_namer *port_name, void *arg)
{
    char *text = NULL;
    size_t len;
    struct act_printer p = {open_memstream(&text, &len), port_name, arg};

    if (!p.out)
        out_of_memory("rules, groups and meters", 0);
    if (list->len)
        act_print_list(&p, list);
    else
        fputs("drop", p.out);
    if (fclose(p.out))
        out_of_memory("rules, groups and meters", 0);
    return text;
}
