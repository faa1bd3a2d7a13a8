/* Meters: how much traffic is in bounds, measured over all poll-mode threads together, without locks.
 *
 * A band is a token bucket (bucket.h). Made by the control thread, which replaces a meter as a whole; freed after a
 * grace period.
 */
#ifndef PMD_METER_H
#define PMD_METER_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define METER_BANDS_MAX 8

enum meter_band_type { METER_DROP_BAND = 1, METER_DSCP_BAND = 2 }; /* as on the wire */

struct meter_band {
    uint8_t type;       /* enum meter_band_type */
    uint8_t prec_level; /* METER_DSCP_BAND: levels of drop precedence to add */
    uint32_t rate;      /* kbit/s or packets/s */
    uint32_t burst;     /* kbit or packets; 0 = METER_BURST_MS of the rate */
};
#define METER_BURST_MS 50

struct meter_config {
    bool packets; /* counts packets, not bits */
    unsigned n_bands;
    struct meter_band bands[METER_BANDS_MAX];
};

/* A packet that is not cut into segments yet (pmd/offload.h) counts as them. */
struct meter_counts {
    uint64_t packets, bytes;                                             /* all that came */
    uint64_t band_packets[METER_BANDS_MAX], band_bytes[METER_BANDS_MAX]; /* that a band was applied to */
};

struct meter;

/* For threads 0 .. n_threads - 1; `tsc_hz` is the clock of meter_run. `now` is the time of its making. NULL: out of
 * memory. To be freed with free(). */
struct meter *meter_create(const struct meter_config *config, unsigned n_threads, uint64_t tsc_hz, uint64_t now);
/* Totals over all threads. */
void meter_sum(const struct meter *meter, struct meter_counts *counts);

/* The verdict on a packet: METER_PASS, METER_DROP, or else the number of levels of drop precedence to add. */
#define METER_PASS 0
#define METER_DROP 0xff

/* Measures `n` packets at time `now` (TSC cycles) and writes a verdict for each. To be called by thread `thread`. */
void meter_run(struct meter *meter, unsigned thread, uint64_t now, struct rte_mbuf *const *packets, unsigned n,
               uint8_t *verdicts);

#endif
