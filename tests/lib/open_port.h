/* A port made at once, for tests and tools that have nothing else to do meanwhile. */
#ifndef TESTS_LIB_OPEN_PORT_H
#define TESTS_LIB_OPEN_PORT_H

#include <sched.h>

#include "pmd/port.h"

/* As port_create_begin() and port_create_end(): NULL with a sentence in `error`. */
static inline struct port *open_port(const struct port_params *params, char *error, size_t error_size)
{
    struct port_opening *opening = port_create_begin(params);
    struct port *port = NULL;

    while (!port_create_end(opening, &port, error, error_size))
        sched_yield();
    return port;
}

#endif
