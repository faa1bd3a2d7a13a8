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

/* Is `p` a packet of the connection that `first` began? 0: as it, 1: back, -1: no. */
static int direction_of(const struct ct_spec *first, const struct ct_spec *p)
{
    if (first->ipv6 != p->ipv6 || spec_proto(first) != spec_proto(p))
        return -1;
    if (is_icmp(p)) {
        if (first->sport != p->sport)
            return -1;
        if (is_request(p))
            return addresses_are(p, first->src, first->dst) ? 0 : -1;
        return addresses_are(p, first->dst, first->src) ? 1 : -1;
    }
    const bool ports = spec_proto(p) == IPPROTO_TCP || spec_proto(p) == IPPROTO_UDP || spec_proto(p) == IPPROTO_SCTP;
    if (addresses_are(p, first->src, first->dst) && (!ports || (p->sport == first->sport && p->dport == first->dport)))
        return 0;
    if (addresses_are(p, first->dst, first->src) && (!ports || (p->sport == first->dport && p->dport == first->sport)))
        return 1;
    return -1;
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
        *direction = direction_of(&c->first, packet);
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

/* --- TCP ---------------------------------------------------------------------- */

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
    if (!to.limited) {
        /* Nothing of it is known but that it may send what is acknowledged and offered. */
        to.limited = ack && !(p->ack == 0 && rst);
        to.limit = acked + most(1, offered);
    } else if (acked + offered >= to.limit) {
        to.limit = acked + most(1, offered);
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

/* --- SCTP and the others --------------------------------------------------------- */

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
    const bool was_answered = c->answered;

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
    return is_icmp(p) && direction == 0 && !was_answered ? AGAIN : FITS;
}

/* --- all together ------------------------------------------------------------------- */

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

static struct model_connection *create(struct model *model, uint16_t zone, const struct ct_spec *p)
{
    struct model_connection *c = &model->connections[model->n];

    if (model->limit[zone] != 0 && in_zone(model, zone) >= model->limit[zone])
        return NULL;
    model->n++;
    memset(c, 0, sizeof *c);
    c->zone = zone;
    c->first = *p;
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

/* Both directions look the same. */
static bool is_to_itself(const struct ct_spec *first)
{
    return first->src == first->dst && first->sport == first->dport && !is_icmp(first);
}

/* An error belongs to what the packet it quotes does, the other way. */
static uint8_t track_error(struct model *model, uint16_t zone, const struct ct_spec *error,
                           struct model_connection **connection)
{
    struct ct_spec quoted = *error->quoted;
    int direction;

    *connection = NULL;
    if (quoted.src != error->dst)
        return CT_STATE_INV;
    quoted.len = 0;
    *connection = model_find(model, zone, &quoted, &direction);
    if (!*connection)
        return CT_STATE_INV;
    return CT_STATE_REL | (direction == 0 && !is_to_itself(&(*connection)->first) ? CT_STATE_RPL : 0);
}

uint8_t model_track(struct model *model, const struct ct_request *request, const struct ct_spec *packet,
                    struct model_connection **connection)
{
    struct model_connection *c;
    uint8_t state = 0;
    int direction = 0;

    *connection = NULL;
    if (packet->quoted) {
        state = track_error(model, request->zone, packet, connection);
        if (*connection && request->commit)
            set_values(*connection, request);
        return state;
    }
    if (spec_proto(packet) == IPPROTO_TCP && !flags_go_together(packet->flags))
        return CT_STATE_INV;
    c = model_find(model, request->zone, packet, &direction);
    if (c && request->force && direction == 1) {
        forget(model, c);
        c = NULL;
    }
    if (c) {
        const enum verdict verdict = go_on(c, direction, packet);

        if (verdict == OTHER) {
            forget(model, c);
            c = NULL;
        } else if (verdict == BAD) {
            state = CT_STATE_INV;
        } else {
            c->deadline = model->now + seconds_of(c);
            state = verdict == AGAIN ? CT_STATE_NEW : CT_STATE_EST | (direction == 1 ? CT_STATE_RPL : 0);
        }
    }
    if (!c) {
        if (!begins(packet))
            return CT_STATE_INV;
        state = CT_STATE_NEW;
        if (request->commit)
            c = create(model, request->zone, packet);
    }
    if (c && request->commit && state != CT_STATE_INV)
        set_values(c, request);
    *connection = c;
    return state;
}
