/* Translation: VLAN tags, as a stack.
 *
 * A tag has an identity: the program for what became of the stack pops down to the tags that both stacks share, changes
 * the outermost of these, and pushes the others.
 */
#include <string.h>

#include "src/xlate/act_xlate_impl.h"

#define PRESENT RTE_BE16(VLAN_TCI_PRESENT)

static bool is_vlan_type(rte_be16_t eth_type)
{
    return eth_type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || eth_type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

void xlate_vlan_init(struct xlate_ctx *ctx)
{
    const rte_be16_t *tci = ctx->flow.pkt.vlan_tci;

    ctx->vlans.n = 0;
    ctx->vlans.n_taken = 0;
    ctx->next_vlan_id = 3;
    for (int i = 1; i >= 0; i--) {
        if (tci[i] & PRESENT)
            ctx->vlans.tag[ctx->vlans.n++] =
                (struct xlate_vlan){.id = (uint32_t)i + 1, .src = (uint8_t)(i + 1), .tci = tci[i]};
    }
    ctx->base_vlans.n = ctx->vlans.n;
    memcpy(ctx->base_vlans.tag, ctx->vlans.tag, ctx->vlans.n * sizeof ctx->vlans.tag[0]);
}

/* Brings flow.vlan_tci, which lookups see, to the stack. */
static void show(struct xlate_ctx *ctx)
{
    struct xlate_vlans *vlans = &ctx->vlans;
    const struct xlate_vlan *top = vlans->n > 0 ? &vlans->tag[vlans->n - 1] : NULL;

    ctx->flow.pkt.vlan_tci[0] = top ? top->tci : 0;
    ctx->flow.pkt.vlan_tci[1] = vlans->n > 1 ? vlans->tag[vlans->n - 2].tci : 0;
    if (top)
        ctx->written.pkt.vlan_tci[0] = top->src == 1 ? top->written : UINT16_MAX;
    else
        ctx->written.pkt.vlan_tci[0] = vlans->n_taken == 0 ? 0 : UINT16_MAX;
    ctx->any_written = true;
}

bool xlate_vlan_present(struct xlate_ctx *ctx)
{
    const struct xlate_vlans *vlans = &ctx->vlans;

    if (vlans->n > 0 && vlans->tag[vlans->n - 1].id > 2)
        return true;
    if (vlans->n_taken < 2)
        ctx->out->wc.pkt.vlan_tci[vlans->n_taken] |= PRESENT;
    return vlans->n > 0;
}

uint16_t xlate_vlan_vid(struct xlate_ctx *ctx)
{
    if (!xlate_vlan_present(ctx))
        return 0;
    XLATE_CONSULT(ctx, vlan_tci[0], RTE_BE16(0x0fff));
    return rte_be_to_cpu_16(ctx->flow.pkt.vlan_tci[0]) & 0x0fff;
}

static void push_tag(struct xlate_ctx *ctx, const struct xlate_vlan *tag)
{
    struct xlate_vlans *vlans = &ctx->vlans;

    if (vlans->n == XLATE_VLANS_MAX) {
        xlate_fail(ctx, DROP_XLATE_ERROR, "over 6 VLAN tags");
        return;
    }
    vlans->tag[vlans->n] = *tag;
    vlans->tag[vlans->n++].id = ctx->next_vlan_id++;
    show(ctx);
}

void xlate_vlan_push(struct xlate_ctx *ctx, uint16_t tpid, rte_be16_t tci)
{
    push_tag(ctx, &(struct xlate_vlan){.tpid = tpid, .tci = tci | PRESENT, .written = UINT16_MAX});
}

void xlate_vlan_pop(struct xlate_ctx *ctx)
{
    struct xlate_vlans *vlans = &ctx->vlans;

    if (!xlate_vlan_present(ctx))
        return;
    if (vlans->tag[--vlans->n].id <= 2) {
        bool inner = ctx->in->flow.pkt.vlan_tci[1] & PRESENT;

        vlans->n_taken++;
        /* The inner tag comes to the place where rules look. */
        ctx->out->wc.pkt.vlan_tci[1] |= inner ? UINT16_MAX : PRESENT;
        if (inner) {
            /* What the key calls the type may be a third tag, which comes to light now. */
            ctx->out->wc.pkt.eth_type = UINT16_MAX;
            if (is_vlan_type(ctx->in->flow.pkt.eth_type))
                ctx->unparsed |= XLATE_UNPARSED_INNER;
        }
    }
    show(ctx);
}

void xlate_vlan_hide(struct xlate_ctx *ctx)
{
    ctx->vlans.n = ctx->base_vlans.n = 0;
    ctx->vlans.n_taken = 2;
    show(ctx);
    memset(ctx->written.pkt.vlan_tci, 0xff, sizeof ctx->written.pkt.vlan_tci);
}

void xlate_vlan_set(struct xlate_ctx *ctx, rte_be16_t tci, rte_be16_t mask)
{
    struct xlate_vlan *top = &ctx->vlans.tag[ctx->vlans.n - 1];

    mask &= (rte_be16_t)~PRESENT;
    top->tci = (rte_be16_t)((top->tci & ~mask) | (tci & mask));
    top->written |= mask;
    top->dirty |= mask;
    show(ctx);
}

void xlate_vlan_set_tci(struct xlate_ctx *ctx, rte_be16_t tci, rte_be16_t mask)
{
    bool present = xlate_vlan_present(ctx);

    if (!(mask & PRESENT)) {
        if (present)
            xlate_vlan_set(ctx, tci, mask);
    } else if (!(tci & PRESENT)) {
        if (present)
            xlate_vlan_pop(ctx);
    } else if (present) {
        xlate_vlan_set(ctx, tci, mask);
    } else {
        xlate_vlan_push(ctx, RTE_ETHER_TYPE_VLAN, tci & mask);
    }
}

void xlate_vlan_restore(struct xlate_ctx *ctx, const struct xlate_vlans *saved)
{
    const struct xlate_vlans *base = &ctx->base_vlans;

    ctx->vlans.n = saved->n;
    ctx->vlans.n_taken = saved->n_taken;
    for (unsigned i = 0; i < saved->n; i++) {
        struct xlate_vlan *tag = &ctx->vlans.tag[i];

        *tag = saved->tag[i];
        if (i < base->n && base->tag[i].id == tag->id) {
            /* What the program has made of these bits meanwhile is to be undone. */
            rte_be16_t undo = base->tag[i].written & (rte_be16_t)~tag->written;

            if (tag->src)
                ctx->out->wc.pkt.vlan_tci[tag->src - 1] |= undo;
            tag->dirty |= base->tag[i].written;
        }
    }
    show(ctx);
}

static void push(struct xlate_ctx *ctx, const struct xlate_vlan *tag)
{
    struct op_vlan op = {.tpid = rte_cpu_to_be_16(tag->tpid ? tag->tpid : RTE_ETHER_TYPE_VLAN),
                         .tci = tag->tci & (rte_be16_t)~PRESENT};

    /* A constant for all packets of the megaflow: bits of the packet's must be the same in them. */
    if (tag->src)
        ctx->out->wc.pkt.vlan_tci[tag->src - 1] |= (rte_be16_t)~tag->written;
    program_builder_add(&ctx->out->program, OP_PUSH_VLAN, 0, &op, sizeof op);
}

static void set(struct xlate_ctx *ctx, const struct xlate_vlan *tag, const struct xlate_vlan *base)
{
    rte_be16_t known = base->written;
    rte_be16_t need;

    if (tag->id <= 2)
        known |= ctx->out->wc.pkt.vlan_tci[tag->id - 1];
    need = tag->dirty & (rte_be16_t) ~(known & ~(tag->tci ^ base->tci)) & (rte_be16_t)~PRESENT;
    if (need) {
        /* Whole fields, as far as they are known: VID and PCP. */
        rte_be16_t fields =
            (need & RTE_BE16(0x0fff) ? RTE_BE16(0x0fff) : 0) | (need & RTE_BE16(0xe000) ? RTE_BE16(0xe000) : 0);
        struct op_vlan op = {.tci_mask = tag->dirty & fields};

        op.tci = tag->tci & op.tci_mask;

        program_builder_add(&ctx->out->program, OP_SET_VLAN, 0, &op, sizeof op);
    }
}

void xlate_vlan_commit(struct xlate_ctx *ctx)
{
    struct xlate_vlans *vlans = &ctx->vlans, *base = &ctx->base_vlans;
    unsigned common = 0;

    while (common < vlans->n && common < base->n && vlans->tag[common].id == base->tag[common].id)
        common++;
    if (common == vlans->n && common == base->n && (common == 0 || !vlans->tag[common - 1].dirty))
        return;
    for (unsigned i = base->n; i > common; i--)
        program_builder_add(&ctx->out->program, OP_POP_VLAN, 0, NULL, 0);
    if (common > 0 && vlans->tag[common - 1].dirty)
        set(ctx, &vlans->tag[common - 1], &base->tag[common - 1]);
    for (unsigned i = common; i < vlans->n; i++)
        push(ctx, &vlans->tag[i]);
    base->n = vlans->n;
    for (unsigned i = common > 0 ? common - 1 : 0; i < vlans->n; i++) {
        vlans->tag[i].dirty = 0;
        base->tag[i] = vlans->tag[i];
        if (i >= common)
            base->tag[i].written = UINT16_MAX;
    }
}

/* --- actions ------------------------------------------------------------- */

/* The tag takes VID and PCP from the outermost one (OpenFlow 1.3.5, 5.12.1). */
static void push_vlan(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    const uint16_t tpid = (uint16_t)act_u32_of(act);
    struct xlate_vlan tag;

    if (!xlate_vlan_present(ctx)) {
        xlate_vlan_push(ctx, tpid, 0);
        return;
    }
    tag = ctx->vlans.tag[ctx->vlans.n - 1];
    tag.tpid = tpid;
    tag.written |= PRESENT;
    tag.dirty = 0;
    push_tag(ctx, &tag);
}

const struct act_xlate act_xlate_push_vlan = {.run = push_vlan, .sees = ACT_SEES_HEADERS, .ethernet_only = true};

static void pop_vlan(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    xlate_vlan_pop(ctx);
}

const struct act_xlate act_xlate_pop_vlan = {.run = pop_vlan, .sees = ACT_SEES_HEADERS, .ethernet_only = true};

/* OpenFlow 1.0's set_vlan_vid and set_vlan_pcp add a tag to a packet that has none. */
static void set_vlan_of10(struct xlate_ctx *ctx, uint16_t tci, uint16_t mask)
{
    if (xlate_vlan_present(ctx))
        xlate_vlan_set(ctx, rte_cpu_to_be_16(tci), rte_cpu_to_be_16(mask));
    else
        xlate_vlan_push(ctx, RTE_ETHER_TYPE_VLAN, rte_cpu_to_be_16(tci));
}

static void set_vlan_vid(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    set_vlan_of10(ctx, act_u32_of(act) & 0x0fff, 0x0fff);
}

const struct act_xlate act_xlate_set_vlan_vid = {.run = set_vlan_vid, .sees = ACT_SEES_HEADERS, .ethernet_only = true};

static void set_vlan_pcp(struct xlate_ctx *ctx, const struct act *act, bool last)
{
    set_vlan_of10(ctx, (uint16_t)((act_u32_of(act) & 7) << 13), 0xe000);
}

const struct act_xlate act_xlate_set_vlan_pcp = {.run = set_vlan_pcp, .sees = ACT_SEES_HEADERS, .ethernet_only = true};
