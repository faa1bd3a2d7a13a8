#include "tests/property/ct_model.h"

#define SLACK (65535 + 1500)

static bool is_icmp(const struct ct_spec *p)
{
    return spec_proto(p) == IPPROTO_ICMP || spec_proto(p) == IPPROTO_ICMPV6;
}

static bool is_request(const struct ct_spec *p)
{
    return p->icmp_type == 8 || p->icmp_type == 128;
}

static bool addresses_are(const struct ct_spec *p, uint32_t src, uint32_t dst)
{
    return p->src == src && p->dst == dst;
}

static bool has_ports(const struct ct_spec *p)
{
    return spec_proto(p) == IPPROTO_TCP || spec_proto(p) == IPPROTO_UDP || spec_proto(p) == IPPROTO_SCTP;
}

/* Are addresses and ports (of ICMP the identifier) the same? */
static bool same_ends(const struct ct_spec *a, const struct ct_spec *b)
{
    if (!addresses_are(a, b->src, b->dst))
        return false;
    if (is_icmp(a))
        return a->sport == b->sport;
    return !has_ports(a) || (a->sport == b->sport && a->dport == b->dport);
}

/* Is `p` a packet of the connection? 0: as the first, 1: back, -1: no. */
static int direction_of(const struct model_connection *c, const struct ct_spec *p)
{
    if (c->first.ipv6 != p->ipv6 || spec_proto(&c->first) != spec_proto(p))
        return -1;
    if (is_icmp(p) && !is_request(p))
        return same_ends(&c->reply, p) ? 1 : -1;
    if (same_ends(&c->first, p))
        return 0;
    return !is_icmp(p) && same_ends(&c->reply, p) ? 1 : -1;
}

static bool is_over(const struct model *model, const struct model_connection *c)
{
    return model->now > c->deadline;
}

struct model_connection *model_find(struct model *model, uint16_t zone, const struct ct_spec *packet, int *direction)
{
    for (unsigned i = 0; i < model->n; i++) {
        struct model_connection *c = &model->connections[i];

        if (c->zone != zone || is_over(model, c))
            continue;
        *direction = direction_of(c, packet);
        if (*direction >= 0)
            return c;
    }
    return NULL;
}

static void forget(struct model *model, struct model_connection *c)
{
    *c = model->connections[--model->n];
}

void model_flush(struct model *model, uint16_t zone)
{
    for (unsigned i = model->n; i-- > 0;)
        if (model->connections[i].zone == zone)
            forget(model, &model->connections[i]);
}

void model_expire(struct model *model)
{
    for (unsigned i = model->n; i-- > 0;)
        if (is_over(model, &model->connections[i]))
            forget(model, &model->connections[i]);
}

/* --- TCP ----------------------------------------------------------------- */

enum verdict { FITS, AGAIN, OTHER, BAD };

static bool flags_go_together(uint8_t flags)
{
    const bool syn = flags & SYN, ack = flags & ACK, rst = flags & RST, fin = flags & FIN, push = flags & PSH;

    if (syn && (rst || fin))
        return false;
    if (!syn && !ack && !rst)
        return false;
    return ack || (!fin && !push);
}

/* The number nearest to `about` whose low 32 bits are `value`. */
static int64_t unwrap(int64_t about, uint32_t value)
{
    return about + (int32_t)(value - (uint32_t)about);
}

static int64_t octets(const struct ct_spec *p)
{
    return p->len + (p->flags & SYN ? 1 : 0) + (p->flags & FIN ? 1 : 0);
}

static int64_t scaled_window(const struct ct_spec *p, int scale)
{
    const int64_t window = scale > 0 ? (p->window + (1 << scale) - 1) >> scale : p->window;

    return window;
}

static void begin(struct model_connection *c, const struct ct_spec *p)
{
    struct model_side *a = &c->side[0], *b = &c->side[1];
    const bool syn = p->flags & SYN;

    memset(c->side, 0, sizeof c->side);
    a->phase = 1;
    a->scale = !syn ? -2 : p->scale ? p->scale - 1 : -1;
    a->next = (INT64_C(1) << 40) + p->seq + octets(p);
    a->limit = a->next + 1;
    a->limited = true;
    a->window = scaled_window(p, a->scale);
    if (a->window == 0)
        a->window = 1;
    b->scale = syn ? -1 : -2;
    b->window = 1;
}

/* By how many bits what `of` offers is shifted. */
static int shift(const struct model_side *of, const struct model_side *other)
{
    if (of->scale == -2)
        return 14;
    return of->scale >= 0 && other->scale >= 0 ? of->scale : 0;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static enum verdict tcp(struct model_connection *c, int direction, const struct ct_spec *p)
{
    struct model_side from = c->side[direction], to = c->side[!direction];
    const bool syn = p->flags & SYN, ack = p->flags & ACK, rst = p->flags & RST, fin = p->flags & FIN;
    bool look_at_ack = true;
    int64_t seq, end, acked;

    if (syn && !ack && from.phase >= 4 && to.phase >= 4)
        return OTHER;
    if (syn && !ack && direction == 0 && from.phase == 1 && to.phase == 0) {
        begin(c, p);
        return AGAIN;
    }
    if (from.phase == 0) {
        if (syn) {
            from.scale = -1;
            if (to.scale >= 0 && p->scale) {
                from.scale = p->scale - 1;
            } else if (to.scale >= 0) {
                to.window = to.window << to.scale > 65535 ? 65535 : to.window << to.scale;
                to.scale = -1;
            }
        }
        from.phase = 1;
        from.next = from.limited ? unwrap(from.limit, p->seq) : (INT64_C(1) << 40) + p->seq;
        const int64_t reach = from.next + octets(p) + most(1, to.window << shift(&to, &from));
        if (!from.limited || reach >= from.limit) {
            from.limit = reach;
            from.limited = true;
            look_at_ack = false;
        }
    }
    seq = unwrap(from.next, p->seq);
    end = seq + octets(p);
    acked = !ack || (p->ack == 0 && rst) ? to.next : unwrap(to.next, p->ack);
    const int64_t real_seq = seq;
    if (octets(p) == 0)
        seq = end = from.next;

    bool good = end <= from.limit && seq >= from.next - (to.window << shift(&to, &from));
    if (look_at_ack && (acked > to.next + SLACK || acked < to.next - ((int64_t)SLACK << shift(&from, &to))))
        good = false;
    if (rst && (real_seq < from.next - 1 || real_seq > from.next + 1))
        good = false;
    if (!good && (to.phase == 0 || to.phase >= 4 || from.phase >= 4))
        good = end <= from.limit + SLACK && seq >= from.next - SLACK;
    if (!good)
        return BAD;

    const int64_t offered = (int64_t)p->window << (syn ? 0 : shift(&from, &to));
    from.window = most(from.window, syn ? scaled_window(p, from.scale) : p->window);
    from.next = most(from.next, end);
    const bool acks = ack && !(p->ack == 0 && rst);
    if (!to.limited) {
        /* Nothing of it is known but that it may send what is acknowledged and offered. */
        to.limited = acks;
        to.limit = acked + most(1, offered);
    } else if (to.phase != 0 || acks) {
        const int64_t told = to.phase == 0 ? unwrap(to.limit, p->ack) : acked;

        if (told + offered >= to.limit)
            to.limit = told + most(1, offered);
    }
    if (fin && from.phase < 3)
        from.phase = 3;
    if (ack && to.phase == 1)
        to.phase = 2;
    else if (ack && to.phase == 3)
        to.phase = 4;
    if (rst)
        from.phase = to.phase = 5;
    c->side[direction] = from;
    c->side[!direction] = to;
    return syn && !ack && from.phase == 1 ? AGAIN : FITS;
}

static uint32_t tcp_seconds(const struct model_connection *c)
{
    const int a = c->side[0].phase, b = c->side[1].phase;

    if (a == 5 || b == 5 || (a >= 4 && b >= 4))
        return 30;
    if (a == 0 || b == 0)
        return 30;
    if (a >= 3 && b >= 3)
        return 45;
    if (a < 2 || b < 2)
        return 30;
    return a >= 3 || b >= 3 ? 900 : 86400;
}

/* --- SCTP and the others ------------------------------------------------- */

static bool sctp_tags_good(struct model_connection *c, int direction, const struct ct_spec *p)
{
    const bool ends = p->chunk == 6 || p->chunk == 14;
    const bool reflected = ends && p->chunk_flags & 1;
    const uint32_t known = reflected ? c->tag[!direction] : c->tag[direction];

    if (p->chunk == 1) {
        if (p->tag != 0)
            return false;
        c->tag[!direction] = p->init_tag;
        return true;
    }
    if (p->tag == 0 || (known != 0 && known != p->tag))
        return false;
    if (!reflected)
        c->tag[direction] = p->tag;
    if (p->chunk == 2)
        c->tag[!direction] = p->init_tag;
    if (ends)
        c->ended = true;
    return true;
}

static uint32_t seconds_of(const struct model_connection *c)
{
    if (spec_proto(&c->first) == IPPROTO_TCP)
        return tcp_seconds(c);
    if (is_icmp(&c->first))
        return c->answered ? 30 : 60;
    if (c->ended)
        return 30;
    return c->answered ? 30 : 60;
}

static enum verdict go_on(struct model_connection *c, int direction, const struct ct_spec *p)
{
    const bool was_ended = c->ended;

    if (spec_proto(p) == IPPROTO_TCP)
        return tcp(c, direction, p);
    if (spec_proto(p) == IPPROTO_SCTP) {
        if (c->ended && p->chunk == 1)
            return OTHER;
        if (!sctp_tags_good(c, direction, p))
            return BAD;
    }
    c->twice = true;
    if (direction == 1)
        c->answered = true;
    return c->answered || was_ended ? FITS : AGAIN;
}

/* --- all together -------------------------------------------------------- */

static bool begins(const struct ct_spec *p)
{
    if (spec_proto(p) == IPPROTO_TCP)
        return !((p->flags & SYN) && (p->flags & ACK));
    return !is_icmp(p) || is_request(p);
}

static unsigned in_zone(const struct model *model, uint16_t zone)
{
    unsigned n = 0;

    for (unsigned i = 0; i < model->n; i++)
        n += model->connections[i].zone == zone;
    return n;
}

/* --- translation --------------------------------------------------------- */

/* The packet that answers `p`. */
static struct ct_spec answer(const struct ct_spec *p)
{
    struct ct_spec back = spec_back(*p);

    if (is_icmp(p))
        back.icmp_type = p->ipv6 ? 128 + 129 - p->icmp_type : 8 - p->icmp_type;
    return back;
}

static bool is_free(struct model *model, uint16_t zone, const struct ct_spec *reply)
{
    int direction;

    return !model_find(model, zone, reply, &direction);
}

/* What the replies are, to a packet that left as `seen`. */
static struct ct_spec reply_to(const struct ct_spec *packet, const struct ct_spec *seen)
{
    struct ct_spec sent = *packet;

    sent.src = seen->src;
    sent.dst = seen->dst;
    sent.sport = seen->sport;
    if (!is_icmp(packet))
        sent.dport = seen->dport;
    return answer(&sent);
}

static bool in_range(uint32_t n, uint32_t min, uint32_t max)
{
    return n >= min && n <= max;
}

/* Ports of one kind: below 512, below 1024, others. */
static int kind(uint16_t port)
{
    return port < 512 ? 0 : port < 1024 ? 1 : 2;
}

/* Why a packet may not be translated so; NULL: it may. */
static const char *fault_of(struct model *model, const struct model_request *request, const struct ct_spec *packet,
                            const struct ct_spec *seen)
{
    const bool source = request->base.nat & CT_NAT_SRC, ports = request->base.nat & CT_NAT_PORTS && has_ports(packet);
    const uint32_t before = source ? packet->src : packet->dst, after = source ? seen->src : seen->dst;
    const uint16_t port_before = source ? packet->sport : packet->dport,
                   port_after = source ? seen->sport : seen->dport;
    const struct ct_spec reply = reply_to(packet, seen);
    struct ct_spec wish = *seen, wished;

    if (source ? seen->dst != packet->dst : seen->src != packet->src)
        return "the wrong address is translated";
    if (request->min_address == 0 ? after != before : !in_range(after, request->min_address, request->max_address))
        return "an address outside the range";
    if (!is_free(model, request->base.zone, &reply))
        return "replies would be another connection's";
    if (ports && !in_range(port_after, request->min_port, request->max_port))
        return "a port outside the range";
    if (source && !is_icmp(packet) && seen->dport != packet->dport)
        return "the destination's port is not that of the packet";
    if (!source && !ports && !is_icmp(packet) && port_after != port_before)
        return "the destination's port changed";
    if ((source && ports) || (seen->sport == packet->sport))
        return NULL;
    /* The source's own port, or the identifier, stays if it can. */
    wish.sport = packet->sport;
    wished = reply_to(packet, &wish);
    if (is_free(model, request->base.zone, &wished))
        return "its own port was free";
    return is_icmp(packet) || kind(seen->sport) == kind(packet->sport) ? NULL : "a port of another kind";
}

/* Is there really nothing? */
static bool all_taken(struct model *model, const struct model_request *request, const struct ct_spec *packet)
{
    const bool source = request->base.nat & CT_NAT_SRC, ports = has_ports(packet);

    if (is_icmp(packet) || (ports && !(source && request->base.nat & CT_NAT_PORTS)))
        return false; /* there are more than test packets can take */
    for (uint32_t address = request->min_address; address <= request->max_address; address++) {
        for (uint32_t port = ports ? request->min_port : 0; port <= (ports ? request->max_port : 0); port++) {
            struct ct_spec sent = *packet, reply;

            if (request->min_address != 0)
                *(source ? &sent.src : &sent.dst) = address;
            if (ports)
                sent.sport = (uint16_t)port;
            reply = answer(&sent);
            if (is_free(model, request->base.zone, &reply))
                return false;
        }
    }
    return true;
}

/* As a packet of `direction` leaves. */
static uint8_t translate(const struct model_connection *c, int direction, struct ct_spec *packet)
{
    const struct ct_spec *back = direction == 0 ? &c->reply : &c->first;
    const bool source = (c->nat == CT_STATE_SNAT) == (direction == 0);

    if (c->nat == 0)
        return 0;
    if (source || !packet->quoted)
        packet->src = back->dst;
    if (!source || !packet->quoted)
        packet->dst = back->src;
    if (packet->quoted) {
        /* Its receiver sees what it had sent itself. */
        struct ct_spec *quoted = (struct ct_spec *)(uintptr_t)packet->quoted;

        quoted->src = back->src;
        quoted->dst = back->dst;
        quoted->sport = back->sport;
        if (!is_icmp(quoted))
            quoted->dport = back->dport;
    } else if (is_icmp(packet)) {
        packet->sport = back->sport;
    } else {
        packet->sport = back->dport;
        packet->dport = back->sport;
    }
    return source ? CT_STATE_SNAT : CT_STATE_DNAT;
}

/* --- a new one ----------------------------------------------------------- */

static struct model_connection *create(struct model *model, const struct model_request *request,
                                       const struct ct_spec *p, const struct ct_spec *seen, const char **fault)
{
    const uint16_t zone = request->base.zone;
    const bool translated = request->base.nat & (CT_NAT_SRC | CT_NAT_DST);
    struct model_connection *c = &model->connections[model->n];
    struct ct_spec reply = answer(p);

    if (model->limit[zone] != 0 && in_zone(model, zone) >= model->limit[zone])
        return NULL;
    if (translated && !seen) {
        *fault = all_taken(model, request, p) ? NULL : "something was free";
        return NULL;
    }
    if (translated) {
        *fault = fault_of(model, request, p, seen);
        reply = reply_to(p, seen);
    } else if (!is_free(model, zone, &reply)) {
        return NULL; /* its replies would be another connection's */
    }
    model->n++;
    memset(c, 0, sizeof *c);
    c->zone = zone;
    c->first = *p;
    c->reply = reply;
    if (translated)
        c->nat = request->base.nat & CT_NAT_SRC ? CT_STATE_SNAT : CT_STATE_DNAT;
    if (spec_proto(p) == IPPROTO_TCP)
        begin(c, p);
    if (spec_proto(p) == IPPROTO_SCTP) {
        sctp_tags_good(c, 0, p);
        c->ended = false;
    }
    c->deadline = model->now + seconds_of(c);
    return c;
}

static void set_values(struct model_connection *c, const struct ct_request *request)
{
    c->mark = (c->mark & ~request->mark_mask) | (request->mark & request->mark_mask);
    for (unsigned i = 0; request->set_label && i < CT_LABEL_LEN; i++)
        c->label[i] = (uint8_t)((c->label[i] & ~request->label_mask[i]) | (request->label[i] & request->label_mask[i]));
}

/* An error is of the connection whose packets answer what it quotes. */
static struct model_connection *find_of_error(struct model *model, uint16_t zone, const struct ct_spec *error,
                                              int *direction)
{
    struct ct_spec back = answer(error->quoted);

    return error->quoted->src == error->dst ? model_find(model, zone, &back, direction) : NULL;
}

/* The connection of a packet that was translated in this zone before. */
static struct model_connection *find_again(struct model *model, uint16_t zone, const struct model_before *before,
                                           int *direction)
{
    struct model_connection *c;

    if (!(before->state & (CT_STATE_SNAT | CT_STATE_DNAT)) || before->zone != zone)
        return NULL;
    c = model_find(model, zone, &before->first, direction);
    *direction = before->state & CT_STATE_RPL ? 1 : 0;
    return c;
}

static uint8_t move_on(struct model *model, struct model_connection **c, int direction, const struct ct_spec *packet)
{
    const enum verdict verdict = go_on(*c, direction, packet);

    if (verdict == OTHER) {
        forget(model, *c);
        *c = NULL;
        return 0;
    }
    if (verdict == BAD)
        return CT_STATE_INV;
    (*c)->deadline = model->now + seconds_of(*c);
    return verdict == AGAIN ? CT_STATE_NEW : CT_STATE_EST | (direction == 1 ? CT_STATE_RPL : 0);
}

uint8_t model_track(struct model *model, const struct model_request *request, struct ct_spec *packet,
                    const struct model_before *before, const struct ct_spec *seen, struct model_connection **connection,
                    const char **fault)
{
    const uint16_t zone = request->base.zone;
    struct model_connection *c;
    uint8_t state = 0, again = 0;
    int direction = 0;

    *connection = NULL;
    *fault = NULL;
    if (!packet->quoted && spec_proto(packet) == IPPROTO_TCP && !flags_go_together(packet->flags))
        return CT_STATE_INV;
    c = find_again(model, zone, before, &direction);
    if (c)
        again = before->state & (CT_STATE_SNAT | CT_STATE_DNAT);
    else
        c = packet->quoted ? find_of_error(model, zone, packet, &direction)
                           : model_find(model, zone, packet, &direction);
    while (c && !packet->quoted) {
        if (request->base.force && direction == 1) {
            forget(model, c);
            c = NULL;
        } else {
            state = move_on(model, &c, direction, packet);
        }
        if (c)
            break;
        again = 0;
        c = model_find(model, zone, packet, &direction);
    }
    if (c && packet->quoted)
        state = CT_STATE_REL | (direction == 1 ? CT_STATE_RPL : 0);
    if (!c) {
        direction = again = 0;
        if (packet->quoted || !begins(packet))
            return CT_STATE_INV;
        state = CT_STATE_NEW;
        if (request->base.commit)
            c = create(model, request, packet, seen, fault);
    }
    *connection = c;
    if (!c || state == CT_STATE_INV)
        return state | again;
    if (request->base.commit)
        set_values(c, &request->base);
    if (again == 0 && request->base.nat)
        again = translate(c, direction, packet);
    return state | again;
}
