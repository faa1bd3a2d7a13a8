#include "tests/property/ct_reassembly.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define SECONDS 15

static struct model_fragment_counters *counters(struct model_reassembly *model, const struct model_datagram *datagram)
{
    return &model->counters[datagram->key.ipv6];
}

static void forget(struct model_reassembly *model, unsigned i)
{
    model->n--;
    memmove(&model->datagrams[i], &model->datagrams[i + 1], (model->n - i) * sizeof model->datagrams[0]);
}

static bool is_over(const struct model_reassembly *model, const struct model_datagram *datagram)
{
    return model->now > datagram->deadline;
}

void model_fragments_expire(struct model_reassembly *model)
{
    for (unsigned i = model->n; i-- > 0;) {
        struct model_datagram *datagram = &model->datagrams[i];

        if (!is_over(model, datagram))
            continue;
        counters(model, datagram)->expired += datagram->n;
        model->ended[CT_FRAGMENT_LATE] += datagram->n;
        forget(model, i);
    }
}

unsigned model_fragments_held(const struct model_reassembly *model)
{
    unsigned n = 0;

    for (unsigned i = 0; i < model->n; i++)
        n += model->datagrams[i].n;
    return n;
}

/* Of too many the oldest datagram makes way. False: no fragment waits. */
static bool make_room(struct model_reassembly *model)
{
    if (model_fragments_held(model) < model->max)
        return true;
    while (model->n > 0) {
        struct model_datagram *oldest = &model->datagrams[0];
        const unsigned n = oldest->n;

        counters(model, oldest)->evicted += n;
        model->ended[CT_FRAGMENT_EVICTED] += n;
        forget(model, 0);
        if (n > 0)
            return true;
    }
    return false;
}

static bool keys_agree(const struct model_datagram_key *a, const struct model_datagram_key *b)
{
    return a->ipv6 == b->ipv6 && a->zone == b->zone && a->proto == b->proto && a->src == b->src && a->dst == b->dst &&
           a->id == b->id && a->in_port == b->in_port && a->recirc_id == b->recirc_id;
}

static struct model_datagram *datagram_of(struct model_reassembly *model, const struct model_datagram_key *key)
{
    for (unsigned i = 0; i < model->n; i++) {
        if (!keys_agree(&model->datagrams[i].key, key))
            continue;
        if (!is_over(model, &model->datagrams[i]))
            return &model->datagrams[i];
        model_fragments_expire(model);
        break;
    }
    assert_true(model->n < MODEL_DATAGRAMS);
    model->datagrams[model->n] = (struct model_datagram){.key = *key, .deadline = model->now + SECONDS};
    return &model->datagrams[model->n++];
}

/* RFC 791, 3.2; RFC 8200, 4.5 */
static bool is_possible(const struct model_fragment *fragment)
{
    return fragment->len > 0 && (!fragment->more || fragment->len % 8 == 0) && fragment->start + fragment->len <= 65535;
}

static bool is_copy(const struct model_datagram *datagram, const struct model_fragment *fragment)
{
    for (unsigned i = 0; i < datagram->n; i++) {
        if (datagram->fragments[i].start == fragment->start && datagram->fragments[i].len == fragment->len)
            return true;
    }
    return false;
}

/* Whether both can be parts of one datagram: they do not overlap, and nothing is behind the last. */
static bool go_together(const struct model_fragment *a, const struct model_fragment *b)
{
    const struct model_fragment *first = a->start < b->start ? a : b, *second = first == a ? b : a;

    return first->start + first->len <= second->start && first->more;
}

static bool fits(const struct model_datagram *datagram, const struct model_fragment *fragment)
{
    for (unsigned i = 0; i < datagram->n; i++) {
        if (!go_together(&datagram->fragments[i], fragment))
            return false;
    }
    return true;
}

static void put(struct model_datagram *datagram, const struct model_fragment *fragment)
{
    unsigned i = datagram->n++;

    assert_true(i < MODEL_FRAGMENTS);
    for (; i > 0 && datagram->fragments[i - 1].start > fragment->start; i--)
        datagram->fragments[i] = datagram->fragments[i - 1];
    datagram->fragments[i] = *fragment;
}

/* Nothing is missing from the first octet to the end of the last fragment. */
static bool is_whole(const struct model_datagram *datagram)
{
    uint32_t at = 0;

    for (unsigned i = 0; i < datagram->n; i++) {
        if (datagram->fragments[i].start != at)
            return false;
        at += datagram->fragments[i].len;
    }
    return !datagram->fragments[datagram->n - 1].more;
}

/* Parts of it overlap: all of it goes, and what still comes of it (RFC 5722, 4; RFC 8200, 4.5). */
static void refuse(struct model_reassembly *model, struct model_datagram *datagram)
{
    model->ended[CT_FRAGMENT_OVERLAPPED] += datagram->n;
    datagram->n = 0;
    datagram->refused = true;
}

/* Why a fragment cannot wait, whatever its datagram is. */
static enum ct_reason fault_of(struct model_reassembly *model, const struct model_fragment *fragment)
{
    const unsigned family = fragment->key.ipv6;

    if (fragment->bad_header)
        return CT_REASON_CHECKSUM;
    if (!is_possible(fragment))
        return CT_REASON_SHORT;
    if (!model->enabled[family])
        return CT_REASON_FRAGMENT;
    if (fragment->more && fragment->ip_len < model->min[family]) {
        model->counters[family].small++;
        return CT_REASON_FRAG_SMALL;
    }
    return make_room(model) ? CT_REASON_NONE : CT_REASON_FRAG_LIMIT;
}

enum model_fate model_fragment(struct model_reassembly *model, const struct model_fragment *fragment,
                               enum ct_reason *why, struct model_datagram *whole)
{
    struct model_datagram *datagram;

    *why = fault_of(model, fragment);
    if (*why != CT_REASON_NONE)
        return FRAGMENT_INVALID;
    datagram = datagram_of(model, &fragment->key);
    *why = CT_REASON_FRAG_OVERLAP;
    if (datagram->refused)
        return FRAGMENT_INVALID;
    if (!fits(datagram, fragment)) {
        counters(model, datagram)->overlapped++;
        if (!is_copy(datagram, fragment))
            refuse(model, datagram);
        return FRAGMENT_INVALID;
    }
    *why = CT_REASON_NONE;
    counters(model, datagram)->accepted++;
    put(datagram, fragment);
    if (!is_whole(datagram))
        return FRAGMENT_WAITS;
    counters(model, datagram)->completed += datagram->n;
    *whole = *datagram;
    forget(model, (unsigned)(datagram - model->datagrams));
    return FRAGMENT_COMPLETES;
}
