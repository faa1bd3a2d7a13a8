/* Errors as each wire version has them, those that travel in vendor messages included. Private to the codec. */
#ifndef SRC_OPENFLOW_CODEC_ERROR_WIRE_H
#define SRC_OPENFLOW_CODEC_ERROR_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "src/match/of_error.h"

/* Type and code on the wire for `version` (0x01, 0x04, 0x05, 0x06). An error that the version lacks becomes its nearest
 * relative. */
void of_error_wire(enum of_error error, uint8_t version, uint16_t *type, uint16_t *code);

/* Type and code inside Nicira's vendor error of OpenFlow 1.0; false if it has none for it. */
bool of_error_vendor10(enum of_error error, uint16_t *type, uint16_t *code);

/* Its number as an experimenter error of Nicira's in `version`, OpenFlow 1.3 or later; false if it is not one. */
bool of_error_nicira13(enum of_error error, uint8_t version, uint16_t *exp_type);

/* OFPERR_NONE if there is no such error. */
enum of_error of_error_from_nicira13(uint16_t exp_type);
enum of_error of_error_from_vendor10(uint16_t type, uint16_t code);
enum of_error of_error_from_wire(uint8_t version, uint16_t type, uint16_t code);

#endif
