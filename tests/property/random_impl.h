/* The few values that random rules (random.c) and random packets (random_packet.c) have, so that they meet often. */
#ifndef TESTS_PROPERTY_RANDOM_IMPL_H
#define TESTS_PROPERTY_RANDOM_IMPL_H

#include "tests/property/random.h"

#define PICK(array) array[random_below(sizeof array / sizeof array[0])]

static const uint8_t macs[][6] = {{2, 0, 0, 0, 0, 1},
                                  {2, 0, 0, 0, 0, 2},
                                  {2, 0, 0, 0, 0, 3},
                                  {3, 0, 0, 0, 0, 1},
                                  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                                  {0xa2, 0, 0, 0, 1, 1},
                                  {1, 0x80, 0xc2, 0, 0, 3}};
static const uint8_t ips[][4] = {{10, 0, 0, 1}, {10, 0, 0, 2}, {10, 0, 1, 1}, {10, 1, 0, 1}, {192, 168, 0, 1}};
static const uint16_t l4_ports[] = {1, 80, 81, 443, 0x8050};
static const uint16_t vids[] = {0, 1, 10, 11, 1034};
static const uint8_t ttls[] = {0, 1, 2, 64, 255};
static const uint8_t tos[] = {0, 0xb8, 0xb9, 3};

#endif
