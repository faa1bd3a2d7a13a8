#include "src/openflow/codec/error_wire.h"

#include <stddef.h>

#include "src/openflow/codec/msg.h"

static const struct {
    int16_t type10, code10, type13, code13;
} errors[OFPERR_N] = {[OFPERR_NONE] = {0, 0, 0, 0},
#define X(symbol, t10, c10, t13, c13, text) [symbol] = {t10, c10, t13, c13},
                      OF_ERRORS(X)
#undef X
};

/* Errors that OpenFlow 1.0 lacks and Nicira's extension adds (message of type 0xb0c2): with type and code of that. */
static const struct {
    enum of_error error;
    uint16_t type, code;
} vendor10[] = {
    {OFPERR_BMC_BAD_FIELD, 0, 263},
    {OFPERR_BMC_BAD_VALUE, 1, 258},
    {OFPERR_BMC_BAD_MASK, 1, 259},
    {OFPERR_BMC_BAD_PREREQ, 1, 260},
    {OFPERR_BMC_DUP_FIELD, 1, 261},
    {OFPERR_BMC_BAD_WILDCARDS, 1, 262},
    {OFPERR_BRC_BAD_TABLE_ID, 1, 512},
    {OFPERR_RRFC_BAD_ROLE, 1, 513},
    {OFPERR_BRC_BAD_PORT, 1, 514},
    {OFPERR_BAC_MATCH_INCONSISTENT, 1, 522},
    {OFPERR_BAC_BAD_SET_TYPE, 1, 523},
    {OFPERR_BAC_BAD_SET_LEN, 1, 524},
    {OFPERR_BAC_BAD_SET_ARGUMENT, 1, 525},
    {OFPERR_NXR_STALE, 1, 534},
    {OFPERR_BIC_UNSUP_INST, 2, 257},
    {OFPERR_FMFC_BAD_FLAGS, 3, 258},
    {OFPERR_BAC_BAD_CONJUNCTION, 2, 526},
    {OFPERR_NXBRC_MUST_BE_ZERO, 1, 515},
    {OFPERR_NXTTMFC_BAD_COMMAND, 1, 527},
    {OFPERR_NXTTMFC_BAD_OPT_LEN, 1, 528},
    {OFPERR_NXTTMFC_BAD_FIELD_IDX, 1, 529},
    {OFPERR_NXTTMFC_TABLE_FULL, 1, 530},
    {OFPERR_NXTTMFC_ALREADY_MAPPED, 1, 531},
    {OFPERR_NXTTMFC_DUP_ENTRY, 1, 532},
    {OFPERR_NXFMFC_INVALID_TLV_FIELD, 1, 536},
    {OFPERR_NXTTMFC_INVALID_TLV_DEL, 1, 537},
    {OFPERR_BAC_CT_UNSUPPORTED, 1, 265},
    {OFPERR_MOFC_MONITOR_EXISTS, 1, 517},
    {OFPERR_MOFC_BAD_FLAGS, 1, 518},
    {OFPERR_MOFC_UNKNOWN_MONITOR, 1, 519},
};

/* Nicira's errors of later versions: experimenter errors with a number of their own. */
static const struct {
    enum of_error error;
    uint16_t exp_type;
    uint8_t before; /* the version that has an error of its own for it; 0 = none */
} nicira13[] = {
    {OFPERR_NXBRC_MUST_BE_ZERO, 4, 0},
    {OFPERR_BAC_BAD_CONJUNCTION, 15, 0},
    {OFPERR_NXTTMFC_BAD_COMMAND, 16, 0},
    {OFPERR_NXTTMFC_BAD_OPT_LEN, 17, 0},
    {OFPERR_NXTTMFC_BAD_FIELD_IDX, 18, 0},
    {OFPERR_NXTTMFC_TABLE_FULL, 19, 0},
    {OFPERR_NXTTMFC_ALREADY_MAPPED, 20, 0},
    {OFPERR_NXTTMFC_DUP_ENTRY, 21, 0},
    {OFPERR_NXR_STALE, 35, 0},
    {OFPERR_NXFMFC_INVALID_TLV_FIELD, 37, 0},
    {OFPERR_NXTTMFC_INVALID_TLV_DEL, 38, 0},
    {OFPERR_NXBAC_BAD_HEADER_TYPE, 39, 0},
    {OFPERR_NXBAC_UNKNOWN_ED_PROP, 40, 0},
    {OFPERR_NXBAC_BAD_ED_PROP, 41, 0},
    {OFPERR_BAC_CT_UNSUPPORTED, 42, 0},
    {OFPERR_MOFC_MONITOR_EXISTS, 6, OF14},
    {OFPERR_MOFC_BAD_FLAGS, 7, OF14},
    {OFPERR_MOFC_UNKNOWN_MONITOR, 8, OF14},
};

/* Errors that came after OpenFlow 1.3, and what versions before `since` say instead: properties are those of table
 * features there. OpenFlow 1.3 has those of bundles from ONF. */
static const struct {
    enum of_error error;
    uint8_t since;
    enum of_error older;
} newer[] = {
    {OFPERR_BRC_MULTIPART_REQUEST_TIMEOUT, OF14, OFPERR_BRC_MULTIPART_BUFFER_OVERFLOW},
    {OFPERR_BRC_MULTIPART_BAD_SCHED, OF15, OFPERR_BRC_EPERM},
    {OFPERR_BRC_PIPELINE_FIELDS_ONLY, OF15, OFPERR_BMC_BAD_FIELD},
    {OFPERR_BAC_BAD_SET_MASK, OF15, OFPERR_BAC_BAD_SET_ARGUMENT},
    {OFPERR_BAC_BAD_METER, OF15, OFPERR_MMFC_INVALID_METER},
    {OFPERR_GMFC_UNKNOWN_BUCKET, OF15, OFPERR_GMFC_BAD_BUCKET},
    {OFPERR_GMFC_BUCKET_EXISTS, OF15, OFPERR_GMFC_BAD_BUCKET},
    {OFPERR_RRFC_ID_UNSUP, OF15, OFPERR_RRFC_UNSUP},
    {OFPERR_RRFC_ID_IN_USE, OF15, OFPERR_RRFC_UNSUP},
    {OFPERR_TFFC_BAD_CAPA, OF15, OFPERR_TFFC_EPERM},
    {OFPERR_TFFC_BAD_MAX_ENT, OF15, OFPERR_TFFC_EPERM},
    {OFPERR_TFFC_BAD_FEATURES, OF15, OFPERR_TFFC_EPERM},
    {OFPERR_TFFC_BAD_COMMAND, OF15, OFPERR_TFFC_EPERM},
    {OFPERR_TFFC_TOO_MANY, OF15, OFPERR_TFFC_EPERM},
    {OFPERR_BPC_BAD_TYPE, OF14, OFPERR_TFFC_BAD_TYPE},
    {OFPERR_BPC_BAD_LEN, OF14, OFPERR_TFFC_BAD_LEN},
    {OFPERR_BPC_BAD_VALUE, OF14, OFPERR_TFFC_BAD_ARGUMENT},
    {OFPERR_BPC_TOO_MANY, OF14, OFPERR_TFFC_BAD_ARGUMENT},
    {OFPERR_BPC_DUP_TYPE, OF14, OFPERR_TFFC_BAD_ARGUMENT},
    {OFPERR_BPC_BAD_EXPERIMENTER, OF14, OFPERR_TFFC_BAD_ARGUMENT},
    {OFPERR_ACFC_INVALID, OF14, OFPERR_BRC_EPERM},
    {OFPERR_MOFC_UNKNOWN, OF14, OFPERR_BRC_EPERM},
    {OFPERR_MOFC_INVALID_MONITOR, OF14, OFPERR_BRC_EPERM},
    {OFPERR_MOFC_BAD_COMMAND, OF14, OFPERR_BRC_EPERM},
    {OFPERR_MOFC_BAD_TABLE_ID, OF14, OFPERR_BRC_BAD_TABLE_ID},
    {OFPERR_MOFC_BAD_OUT, OF14, OFPERR_BRC_EPERM},
};

static enum of_error known_by(enum of_error error, uint8_t version)
{
    for (size_t i = 0; i < sizeof newer / sizeof newer[0]; i++)
        if (newer[i].error == error && version < newer[i].since)
            return newer[i].older;
    return error;
}

/* For errors that OpenFlow 1.0 has neither itself nor from a vendor. */
static enum of_error nearest10(enum of_error error)
{
    if (error >= OFPERR_BIC_UNKNOWN_INST && error <= OFPERR_BIC_DUP_INST)
        return OFPERR_BAC_BAD_ARGUMENT;
    if (error >= OFPERR_FMFC_UNKNOWN && error <= OFPERR_FMFC_BAD_FLAGS)
        return error == OFPERR_FMFC_BAD_TABLE_ID ? OFPERR_FMFC_EPERM : OFPERR_FMFC_BAD_COMMAND;
    if (error >= OFPERR_BMC_BAD_TYPE && error <= OFPERR_BMC_EPERM)
        return error == OFPERR_BMC_BAD_LEN ? OFPERR_BRC_BAD_LEN : OFPERR_BRC_EPERM;
    if (error == OFPERR_BRC_BAD_PACKET) /* shorter than an Ethernet header */
        return OFPERR_BRC_BAD_LEN;
    if (error >= OFPERR_PMFC_BAD_PORT && error <= OFPERR_PMFC_EPERM)
        return OFPERR_PMFC_BAD_PORT;
    return OFPERR_BRC_EPERM;
}

void of_error_wire(enum of_error error, uint8_t version, uint16_t *type, uint16_t *code)
{
    if (error >= OFPERR_N)
        error = OFPERR_BRC_EPERM;
    error = known_by(error, version);
    if (version == OF10) {
        bool beyond = (error >= OFPERR_BRC_BAD_TABLE_ID && error <= OFPERR_BRC_MULTIPART_BUFFER_OVERFLOW) ||
                      (error >= OFPERR_BAC_BAD_OUT_GROUP && error <= OFPERR_BAC_BAD_SET_ARGUMENT);

        if (errors[error].type10 < 0 || beyond)
            error = beyond && error >= OFPERR_BAC_BAD_OUT_GROUP ? OFPERR_BAC_BAD_ARGUMENT : nearest10(error);
        *type = (uint16_t)errors[error].type10;
        *code = (uint16_t)errors[error].code10;
    } else {
        *type = (uint16_t)errors[error].type13;
        *code = (uint16_t)errors[error].code13;
    }
}

bool of_error_vendor10(enum of_error error, uint16_t *type, uint16_t *code)
{
    for (size_t i = 0; i < sizeof vendor10 / sizeof vendor10[0]; i++)
        if (vendor10[i].error == error) {
            *type = vendor10[i].type;
            *code = vendor10[i].code;
            return true;
        }
    return false;
}

enum of_error of_error_from_vendor10(uint16_t type, uint16_t code)
{
    for (size_t i = 0; i < sizeof vendor10 / sizeof vendor10[0]; i++)
        if (vendor10[i].type == type && vendor10[i].code == code)
            return vendor10[i].error;
    return OFPERR_NONE;
}

bool of_error_nicira13(enum of_error error, uint8_t version, uint16_t *exp_type)
{
    for (size_t i = 0; i < sizeof nicira13 / sizeof nicira13[0]; i++)
        if (nicira13[i].error == error && (!nicira13[i].before || version < nicira13[i].before)) {
            *exp_type = nicira13[i].exp_type;
            return true;
        }
    return false;
}

enum of_error of_error_from_nicira13(uint16_t exp_type)
{
    for (size_t i = 0; i < sizeof nicira13 / sizeof nicira13[0]; i++)
        if (nicira13[i].exp_type == exp_type)
            return nicira13[i].error;
    return OFPERR_NONE;
}

enum of_error of_error_from_wire(uint8_t version, uint16_t type, uint16_t code)
{
    for (int i = OFPERR_NONE + 1; i < OFPERR_N; i++) {
        uint16_t t, c;

        of_error_wire(i, version, &t, &c);
        if (t == type && c == code)
            return i;
    }
    return OFPERR_NONE;
}
