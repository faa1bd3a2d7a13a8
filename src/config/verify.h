/* What no single key can say: contradictions between values of a model. Independent of where the model comes from.
 * Control thread only.
 */
#ifndef SRC_CONFIG_VERIFY_H
#define SRC_CONFIG_VERIFY_H

#include "src/config/faults.h"
#include "src/config/model.h"

/* Adds a fault for every contradiction, with the path of the value and no line. Values that are missing or out of their
 * range (which the source has reported) are passed over: NULL strings, ofport 0, negative numbers. */
void config_verify(const struct config *config, struct config_faults *faults);

/* The device that a port with these devargs takes for itself; for free(). */
char *config_device_of(const char *devargs);

#endif
