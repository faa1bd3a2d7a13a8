/* Errors that travel in vendor messages, and errors read back from the wire. Private to the codec. */
#ifndef SRC_OPENFLOW_ERROR_VENDOR_H
#define SRC_OPENFLOW_ERROR_VENDOR_H

#include <stdbool.h>
#include <stdint.h>

#include "src/openflow/error.h"

/* Type and code inside Nicira's vendor error of OpenFlow 1.0; false if it has none for it. */
bool of_error_vendor10(enum of_error error, uint16_t *type, uint16_t *code);

/* Its number as an experimenter error of Nicira's in `version`, OpenFlow 1.3 or later; false if it is not one. */
bool of_error_nicira13(enum of_error error, uint8_t version, uint16_t *exp_type);

/* OFPERR_NONE if there is no such error. */
enum of_error of_error_from_nicira13(uint16_t exp_type);
enum of_error of_error_from_vendor10(uint16_t type, uint16_t code);
enum of_error of_error_from_wire(uint8_t version, uint16_t type, uint16_t code);

#endif
