#define MEM_WHAT "OpenFlow ports"

#include "src/bridge/ofports.h"

#include <stdlib.h>

#include "pmd/base/mem.h"
#include "src/match/flow.h"

struct number {
    void *holder; /* NULL: free */
    bool requested;
    bool rests; /* it was used, and is not given to others before freed_ms + OFPORTS_REST_MS */
    uint64_t freed_ms;
};

struct ofports {
    struct number local;
    struct number *numbers; /* from 0, which stays empty */
    uint32_t size;
    uint32_t next; /* where the search for a free number begins */
};

struct ofports *ofports_create(void)
{
    struct ofports *ofports = mem_calloc(1, sizeof *ofports);

    ofports->next = 1;
    return ofports;
}

void ofports_free(struct ofports *ofports)
{
    if (!ofports)
        return;
    free(ofports->numbers);
    free(ofports);
}

static struct number *number_of(struct ofports *ofports, uint32_t number)
{
    if (number == OFPORT_LOCAL)
        return &ofports->local;
    if (number >= ofports->size) {
        uint32_t size = ofports->size ? ofports->size : 16;

        while (size <= number)
            size *= 2;
        ofports->numbers = mem_realloc(ofports->numbers, size, sizeof *ofports->numbers);
        memset(&ofports->numbers[ofports->size], 0, (size - ofports->size) * sizeof *ofports->numbers);
        ofports->size = size;
    }
    return &ofports->numbers[number];
}

static bool is_number(uint32_t number)
{
    return number == OFPORT_LOCAL || (number != OFPORT_NONE && number <= OFPORT_USER_MAX);
}

static bool is_resting(const struct number *number, uint64_t now_ms)
{
    return number->rests && now_ms - number->freed_ms < OFPORTS_REST_MS;
}

static uint32_t next_free(struct ofports *ofports, uint64_t now_ms)
{
    uint32_t oldest = OFPORT_NONE;

    for (uint32_t i = 0; i < OFPORTS_AUTO_MAX; i++) {
        uint32_t candidate = (ofports->next - 1 + i) % OFPORTS_AUTO_MAX + 1;
        const struct number *number = number_of(ofports, candidate);

        if (number->holder)
            continue;
        if (!is_resting(number, now_ms)) {
            ofports->next = candidate + 1;
            return candidate;
        }
        if (oldest == OFPORT_NONE || number->freed_ms < number_of(ofports, oldest)->freed_ms)
            oldest = candidate;
    }
    return oldest;
}

static uint32_t hold(struct ofports *ofports, uint32_t number, void *holder, bool requested)
{
    if (number != OFPORT_NONE)
        *number_of(ofports, number) = (struct number){.holder = holder, .requested = requested};
    return number;
}

uint32_t ofports_take(struct ofports *ofports, void *holder, uint32_t request, uint32_t last, uint64_t now_ms,
                      void **displaced)
{
    *displaced = NULL;
    if (is_number(request)) {
        const struct number *number = number_of(ofports, request);

        if (!number->holder || !number->requested) {
            *displaced = number->holder;
            return hold(ofports, request, holder, true);
        }
    }
    if (request == OFPORT_LOCAL)
        return OFPORT_NONE;
    if (is_number(last) && last != OFPORT_LOCAL && !number_of(ofports, last)->holder)
        return hold(ofports, last, holder, false);
    return hold(ofports, next_free(ofports, now_ms), holder, false);
}

void ofports_set_requested(struct ofports *ofports, uint32_t number, bool requested)
{
    number_of(ofports, number)->requested = requested;
}

void ofports_give_back(struct ofports *ofports, uint32_t number, bool used, uint64_t now_ms)
{
    *number_of(ofports, number) = (struct number){.rests = used, .freed_ms = now_ms};
}
