/* OpenFlow errors as internal names, with their (type, code) in the wire versions that have them.
 *
 * Functions that can refuse a request return 0 or one of these (they are positive, so that they are never mistaken for
 * a negative errno). Control thread; no state.
 */
#ifndef SRC_MATCH_OF_ERROR_H
#define SRC_MATCH_OF_ERROR_H

#include <stdint.h>

/* X(symbol, 1.0 type, 1.0 code, 1.3+ type, 1.3+ code, "text"); -1 = that version has no such error and the nearest one
 * is sent: see error_wire.c. Names follow the specifications: OFPERR_ + the name of the code without its OFP prefix.
 * Type and code: OpenFlow 1.0.2, 5.4.4; OpenFlow 1.3.5, 7.4.4; 1.4.1, 7.5.4; 1.5.1, 7.5.4. What came after 1.3 has an
 * older relative in error_wire.c. */
#define OF_ERRORS(X)                                                                                                   \
    X(OFPERR_HFC_INCOMPATIBLE, 0, 0, 0, 0, "no common version")                                                        \
    X(OFPERR_BRC_BAD_VERSION, 1, 0, 1, 0, "version not supported")                                                     \
    X(OFPERR_BRC_BAD_TYPE, 1, 1, 1, 1, "message type not supported")                                                   \
    X(OFPERR_BRC_BAD_MULTIPART, 1, 2, 1, 2, "statistics or multipart type not supported")                              \
    X(OFPERR_BRC_BAD_EXPERIMENTER, 1, 3, 1, 3, "unknown vendor or experimenter")                                       \
    X(OFPERR_BRC_BAD_EXP_TYPE, 1, 4, 1, 4, "unknown vendor or experimenter message")                                   \
    X(OFPERR_BRC_EPERM, 1, 5, 1, 5, "not permitted")                                                                   \
    X(OFPERR_BRC_BAD_LEN, 1, 6, 1, 6, "wrong length for the type")                                                     \
    X(OFPERR_BRC_BUFFER_EMPTY, 1, 7, 1, 7, "buffer already used")                                                      \
    X(OFPERR_BRC_BUFFER_UNKNOWN, 1, 8, 1, 8, "buffer does not exist")                                                  \
    X(OFPERR_BRC_BAD_TABLE_ID, 1, 9, 1, 9, "table does not exist")                                                     \
    X(OFPERR_BRC_IS_SLAVE, 1, 10, 1, 10, "not allowed for a slave controller")                                         \
    X(OFPERR_BRC_BAD_PORT, 1, 11, 1, 11, "bad port")                                                                   \
    X(OFPERR_BRC_BAD_PACKET, 1, 12, 1, 12, "bad packet in packet-out")                                                 \
    X(OFPERR_BRC_MULTIPART_BUFFER_OVERFLOW, 1, 13, 1, 13, "multipart request too large")                               \
    X(OFPERR_BRC_MULTIPART_REQUEST_TIMEOUT, -1, -1, 1, 14, "multipart request was not finished in time")               \
    X(OFPERR_BRC_MULTIPART_BAD_SCHED, -1, -1, 1, 16, "scheduled bundles not supported")                                \
    X(OFPERR_BRC_PIPELINE_FIELDS_ONLY, -1, -1, 1, 17, "only pipeline fields may be set")                               \
    X(OFPERR_BAC_BAD_TYPE, 2, 0, 2, 0, "unknown action")                                                               \
    X(OFPERR_BAC_BAD_LEN, 2, 1, 2, 1, "wrong length of action")                                                        \
    X(OFPERR_BAC_BAD_EXPERIMENTER, 2, 2, 2, 2, "unknown experimenter in action")                                       \
    X(OFPERR_BAC_BAD_EXP_TYPE, 2, 3, 2, 3, "unknown experimenter action")                                              \
    X(OFPERR_BAC_BAD_OUT_PORT, 2, 4, 2, 4, "bad output port")                                                          \
    X(OFPERR_BAC_BAD_ARGUMENT, 2, 5, 2, 5, "bad action argument")                                                      \
    X(OFPERR_BAC_EPERM, 2, 6, 2, 6, "action not permitted")                                                            \
    X(OFPERR_BAC_TOO_MANY, 2, 7, 2, 7, "too many actions")                                                             \
    X(OFPERR_BAC_BAD_QUEUE, 2, 8, 2, 8, "bad queue")                                                                   \
    X(OFPERR_BAC_BAD_OUT_GROUP, 2, 9, 2, 9, "bad group in action")                                                     \
    X(OFPERR_BAC_MATCH_INCONSISTENT, 2, 10, 2, 10, "action does not fit the match")                                    \
    X(OFPERR_BAC_UNSUPPORTED_ORDER, 2, 11, 2, 11, "action order not supported")                                        \
    X(OFPERR_BAC_BAD_TAG, 2, 12, 2, 12, "unsupported tag")                                                             \
    X(OFPERR_BAC_BAD_SET_TYPE, 2, 13, 2, 13, "unsupported type in set_field")                                          \
    X(OFPERR_BAC_BAD_SET_LEN, 2, 14, 2, 14, "bad length in set_field")                                                 \
    X(OFPERR_BAC_BAD_SET_ARGUMENT, 2, 15, 2, 15, "bad value in set_field")                                             \
    X(OFPERR_BAC_BAD_CONJUNCTION, 2, 5, 2, 5, "conjunction beside other actions, or not k of n, 2 to 64")              \
    X(OFPERR_BAC_BAD_SET_MASK, -1, -1, 2, 16, "bad mask in set_field")                                                 \
    X(OFPERR_BAC_BAD_METER, -1, -1, 2, 17, "bad meter in action")                                                      \
    X(OFPERR_NXFMFC_INVALID_TLV_FIELD, 1, 5, 1, 5, "tun_metadata field that no option is bound to")                    \
    X(OFPERR_NXBRC_MUST_BE_ZERO, 1, 5, 1, 5, "a field that has to be 0 is not")                                        \
    X(OFPERR_NXTTMFC_BAD_COMMAND, 1, 5, 1, 5, "unknown command on the table of tunnel options")                        \
    X(OFPERR_NXTTMFC_BAD_OPT_LEN, 1, 5, 1, 5, "bad length of a tunnel option")                                         \
    X(OFPERR_NXTTMFC_BAD_FIELD_IDX, 1, 5, 1, 5, "no such tun_metadata field")                                          \
    X(OFPERR_NXTTMFC_TABLE_FULL, 1, 5, 1, 5, "no room for more tunnel options")                                        \
    X(OFPERR_NXTTMFC_ALREADY_MAPPED, 1, 5, 1, 5, "the tunnel option is bound to a field already")                      \
    X(OFPERR_NXTTMFC_DUP_ENTRY, 1, 5, 1, 5, "the same tunnel option or field twice")                                   \
    X(OFPERR_NXR_STALE, 1, 5, 1, 5, "the continuation is not of this bridge, or of before it was restarted")           \
    X(OFPERR_NXTTMFC_INVALID_TLV_DEL, 1, 5, 1, 5, "flows or groups use the tun_metadata field")                        \
    X(OFPERR_NXBAC_BAD_HEADER_TYPE, 2, 5, 2, 5, "header that encap or decap does not know")                            \
    X(OFPERR_NXBAC_UNKNOWN_ED_PROP, 2, 5, 2, 5, "unknown property of encap")                                           \
    X(OFPERR_NXBAC_BAD_ED_PROP, 2, 5, 2, 5, "bad property of encap")                                                   \
    X(OFPERR_BAC_CT_UNSUPPORTED, 2, 5, 2, 5, "of connection tracking, nat and alg are not supported yet")              \
    X(OFPERR_BIC_UNKNOWN_INST, -1, -1, 3, 0, "unknown instruction")                                                    \
    X(OFPERR_BIC_UNSUP_INST, -1, -1, 3, 1, "instruction not supported by the table")                                   \
    X(OFPERR_BIC_BAD_TABLE_ID, -1, -1, 3, 2, "bad table in goto_table")                                                \
    X(OFPERR_BIC_UNSUP_METADATA, -1, -1, 3, 3, "metadata not supported")                                               \
    X(OFPERR_BIC_UNSUP_METADATA_MASK, -1, -1, 3, 4, "metadata mask not supported")                                     \
    X(OFPERR_BIC_BAD_EXPERIMENTER, -1, -1, 3, 5, "unknown experimenter in instruction")                                \
    X(OFPERR_BIC_BAD_EXP_TYPE, -1, -1, 3, 6, "unknown experimenter instruction")                                       \
    X(OFPERR_BIC_BAD_LEN, -1, -1, 3, 7, "wrong length of instruction")                                                 \
    X(OFPERR_BIC_EPERM, -1, -1, 3, 8, "instruction not permitted")                                                     \
    X(OFPERR_BIC_DUP_INST, -1, -1, 3, 9, "duplicate instruction")                                                      \
    X(OFPERR_BMC_BAD_TYPE, -1, -1, 4, 0, "unsupported match type")                                                     \
    X(OFPERR_BMC_BAD_LEN, -1, -1, 4, 1, "wrong length of match")                                                       \
    X(OFPERR_BMC_BAD_TAG, -1, -1, 4, 2, "unsupported tag in match")                                                    \
    X(OFPERR_BMC_BAD_DL_ADDR_MASK, -1, -1, 4, 3, "unsupported Ethernet address mask")                                  \
    X(OFPERR_BMC_BAD_NW_ADDR_MASK, -1, -1, 4, 4, "unsupported network address mask")                                   \
    X(OFPERR_BMC_BAD_WILDCARDS, -1, -1, 4, 5, "unsupported combination of wildcards")                                  \
    X(OFPERR_BMC_BAD_FIELD, -1, -1, 4, 6, "unknown match field")                                                       \
    X(OFPERR_BMC_BAD_VALUE, -1, -1, 4, 7, "bad value of match field")                                                  \
    X(OFPERR_BMC_BAD_MASK, -1, -1, 4, 8, "bad mask of match field")                                                    \
    X(OFPERR_BMC_BAD_PREREQ, -1, -1, 4, 9, "prerequisite of match field missing")                                      \
    X(OFPERR_BMC_DUP_FIELD, -1, -1, 4, 10, "duplicate match field")                                                    \
    X(OFPERR_BMC_EPERM, -1, -1, 4, 11, "match not permitted")                                                          \
    X(OFPERR_FMFC_UNKNOWN, 3, 0, 5, 0, "flow mod failed")                                                              \
    X(OFPERR_FMFC_TABLE_FULL, 3, 0, 5, 1, "table full")                                                                \
    X(OFPERR_FMFC_BAD_TABLE_ID, -1, -1, 5, 2, "bad table")                                                             \
    X(OFPERR_FMFC_OVERLAP, 3, 1, 5, 3, "overlaps an entry, and CHECK_OVERLAP is set")                                  \
    X(OFPERR_FMFC_EPERM, 3, 2, 5, 4, "not permitted")                                                                  \
    X(OFPERR_FMFC_BAD_TIMEOUT, 3, 3, 5, 5, "unsupported timeout")                                                      \
    X(OFPERR_FMFC_BAD_COMMAND, 3, 4, 5, 6, "unknown flow mod command")                                                 \
    X(OFPERR_FMFC_BAD_FLAGS, -1, -1, 5, 7, "unknown flags")                                                            \
    X(OFPERR_GMFC_GROUP_EXISTS, -1, -1, 6, 0, "group exists already")                                                  \
    X(OFPERR_GMFC_INVALID_GROUP, -1, -1, 6, 1, "invalid group")                                                        \
    X(OFPERR_GMFC_WEIGHT_UNSUPPORTED, -1, -1, 6, 2, "weights not supported")                                           \
    X(OFPERR_GMFC_OUT_OF_GROUPS, -1, -1, 6, 3, "too many groups")                                                      \
    X(OFPERR_GMFC_OUT_OF_BUCKETS, -1, -1, 6, 4, "too many buckets")                                                    \
    X(OFPERR_GMFC_CHAINING_UNSUPPORTED, -1, -1, 6, 5, "groups cannot forward to groups")                               \
    X(OFPERR_GMFC_WATCH_UNSUPPORTED, -1, -1, 6, 6, "what is to be watched cannot be")                                  \
    X(OFPERR_GMFC_LOOP, -1, -1, 6, 7, "groups would forward in a loop")                                                \
    X(OFPERR_GMFC_UNKNOWN_GROUP, -1, -1, 6, 8, "group does not exist")                                                 \
    X(OFPERR_GMFC_CHAINED_GROUP, -1, -1, 6, 9, "another group forwards to the group")                                  \
    X(OFPERR_GMFC_BAD_TYPE, -1, -1, 6, 10, "unknown group type")                                                       \
    X(OFPERR_GMFC_BAD_COMMAND, -1, -1, 6, 11, "unknown group mod command")                                             \
    X(OFPERR_GMFC_BAD_BUCKET, -1, -1, 6, 12, "error in bucket")                                                        \
    X(OFPERR_GMFC_BAD_WATCH, -1, -1, 6, 13, "error in watch port or group")                                            \
    X(OFPERR_GMFC_EPERM, -1, -1, 6, 14, "not permitted")                                                               \
    X(OFPERR_GMFC_UNKNOWN_BUCKET, -1, -1, 6, 15, "bucket does not exist")                                              \
    X(OFPERR_GMFC_BUCKET_EXISTS, -1, -1, 6, 16, "bucket exists already")                                               \
    X(OFPERR_PMFC_BAD_PORT, 4, 0, 7, 0, "port does not exist")                                                         \
    X(OFPERR_PMFC_BAD_HW_ADDR, 4, 1, 7, 1, "wrong hardware address")                                                   \
    X(OFPERR_PMFC_BAD_CONFIG, -1, -1, 7, 2, "bad port configuration")                                                  \
    X(OFPERR_PMFC_BAD_ADVERTISE, -1, -1, 7, 3, "bad advertisement")                                                    \
    X(OFPERR_PMFC_EPERM, -1, -1, 7, 4, "not permitted")                                                                \
    X(OFPERR_TMFC_BAD_TABLE, -1, -1, 8, 0, "table does not exist")                                                     \
    X(OFPERR_TMFC_BAD_CONFIG, -1, -1, 8, 1, "bad table configuration")                                                 \
    X(OFPERR_TMFC_EPERM, -1, -1, 8, 2, "not permitted")                                                                \
    X(OFPERR_QOFC_BAD_PORT, 5, 0, 9, 0, "port does not exist")                                                         \
    X(OFPERR_QOFC_BAD_QUEUE, 5, 1, 9, 1, "queue does not exist")                                                       \
    X(OFPERR_QOFC_EPERM, 5, 2, 9, 2, "not permitted")                                                                  \
    X(OFPERR_SCFC_BAD_FLAGS, -1, -1, 10, 0, "bad flags in set-config")                                                 \
    X(OFPERR_SCFC_BAD_LEN, -1, -1, 10, 1, "bad miss_send_len")                                                         \
    X(OFPERR_RRFC_STALE, -1, -1, 11, 0, "stale generation id")                                                         \
    X(OFPERR_RRFC_UNSUP, -1, -1, 11, 1, "role not supported")                                                          \
    X(OFPERR_RRFC_BAD_ROLE, -1, -1, 11, 2, "invalid role")                                                             \
    X(OFPERR_RRFC_ID_UNSUP, -1, -1, 11, 3, "the id of the controller cannot be changed")                               \
    X(OFPERR_RRFC_ID_IN_USE, -1, -1, 11, 4, "the id belongs to another controller")                                    \
    X(OFPERR_MMFC_UNKNOWN, -1, -1, 12, 0, "meter mod failed")                                                          \
    X(OFPERR_MMFC_METER_EXISTS, -1, -1, 12, 1, "meter exists already")                                                 \
    X(OFPERR_MMFC_INVALID_METER, -1, -1, 12, 2, "invalid meter")                                                       \
    X(OFPERR_MMFC_UNKNOWN_METER, -1, -1, 12, 3, "meter does not exist")                                                \
    X(OFPERR_MMFC_BAD_COMMAND, -1, -1, 12, 4, "unknown meter mod command")                                             \
    X(OFPERR_MMFC_BAD_FLAGS, -1, -1, 12, 5, "flags not supported")                                                     \
    X(OFPERR_MMFC_BAD_RATE, -1, -1, 12, 6, "rate not supported")                                                       \
    X(OFPERR_MMFC_BAD_BURST, -1, -1, 12, 7, "burst size not supported")                                                \
    X(OFPERR_MMFC_BAD_BAND, -1, -1, 12, 8, "band not supported")                                                       \
    X(OFPERR_MMFC_BAD_BAND_VALUE, -1, -1, 12, 9, "band value not supported")                                           \
    X(OFPERR_MMFC_OUT_OF_METERS, -1, -1, 12, 10, "too many meters")                                                    \
    X(OFPERR_MMFC_OUT_OF_BANDS, -1, -1, 12, 11, "too many bands")                                                      \
    X(OFPERR_TFFC_BAD_TABLE, -1, -1, 13, 0, "table does not exist")                                                    \
    X(OFPERR_TFFC_BAD_METADATA, -1, -1, 13, 1, "bad metadata mask")                                                    \
    X(OFPERR_TFFC_BAD_TYPE, -1, -1, 13, 2, "unknown property")                                                         \
    X(OFPERR_TFFC_BAD_LEN, -1, -1, 13, 3, "wrong length of property")                                                  \
    X(OFPERR_TFFC_BAD_ARGUMENT, -1, -1, 13, 4, "value of property not supported")                                      \
    X(OFPERR_TFFC_EPERM, -1, -1, 13, 5, "not permitted")                                                               \
    X(OFPERR_TFFC_BAD_CAPA, -1, -1, 13, 6, "bad capabilities")                                                         \
    X(OFPERR_TFFC_BAD_MAX_ENT, -1, -1, 13, 7, "bad number of entries")                                                 \
    X(OFPERR_TFFC_BAD_FEATURES, -1, -1, 13, 8, "bad features")                                                         \
    X(OFPERR_TFFC_BAD_COMMAND, -1, -1, 13, 9, "unknown command")                                                       \
    X(OFPERR_TFFC_TOO_MANY, -1, -1, 13, 10, "too many tables")                                                         \
    X(OFPERR_BPC_BAD_TYPE, -1, -1, 14, 0, "unknown property")                                                          \
    X(OFPERR_BPC_BAD_LEN, -1, -1, 14, 1, "wrong length of property")                                                   \
    X(OFPERR_BPC_BAD_VALUE, -1, -1, 14, 2, "value of property not supported")                                          \
    X(OFPERR_BPC_TOO_MANY, -1, -1, 14, 3, "too many properties")                                                       \
    X(OFPERR_BPC_DUP_TYPE, -1, -1, 14, 4, "property is there twice")                                                   \
    X(OFPERR_BPC_BAD_EXPERIMENTER, -1, -1, 14, 5, "unknown experimenter in property")                                  \
    X(OFPERR_ACFC_INVALID, -1, -1, 15, 0, "invalid mask of asynchronous messages")                                     \
    X(OFPERR_MOFC_UNKNOWN, -1, -1, 16, 0, "flow monitor failed")                                                       \
    X(OFPERR_MOFC_MONITOR_EXISTS, -1, -1, 16, 1, "flow monitor exists")                                                \
    X(OFPERR_MOFC_INVALID_MONITOR, -1, -1, 16, 2, "invalid flow monitor")                                              \
    X(OFPERR_MOFC_UNKNOWN_MONITOR, -1, -1, 16, 3, "flow monitor does not exist")                                       \
    X(OFPERR_MOFC_BAD_COMMAND, -1, -1, 16, 4, "bad flow monitor command")                                              \
    X(OFPERR_MOFC_BAD_FLAGS, -1, -1, 16, 5, "bad flow monitor flags")                                                  \
    X(OFPERR_MOFC_BAD_TABLE_ID, -1, -1, 16, 6, "no such table")                                                        \
    X(OFPERR_MOFC_BAD_OUT, -1, -1, 16, 7, "bad output port or group of a flow monitor")                                \
    X(OFPERR_BFC_UNKNOWN, -1, -1, 17, 0, "bundle failed")                                                              \
    X(OFPERR_BFC_EPERM, -1, -1, 17, 1, "not permitted")                                                                \
    X(OFPERR_BFC_BAD_ID, -1, -1, 17, 2, "bundle does not exist")                                                       \
    X(OFPERR_BFC_BUNDLE_EXIST, -1, -1, 17, 3, "bundle exists")                                                         \
    X(OFPERR_BFC_BUNDLE_CLOSED, -1, -1, 17, 4, "bundle is closed")                                                     \
    X(OFPERR_BFC_OUT_OF_BUNDLES, -1, -1, 17, 5, "too many bundles")                                                    \
    X(OFPERR_BFC_BAD_TYPE, -1, -1, 17, 6, "bad bundle control type")                                                   \
    X(OFPERR_BFC_BAD_FLAGS, -1, -1, 17, 7, "bad bundle flags")                                                         \
    X(OFPERR_BFC_MSG_BAD_LEN, -1, -1, 17, 8, "bad length of bundled message")                                          \
    X(OFPERR_BFC_MSG_BAD_XID, -1, -1, 17, 9, "bad xid of bundled message")                                             \
    X(OFPERR_BFC_MSG_UNSUP, -1, -1, 17, 10, "message not supported in a bundle")                                       \
    X(OFPERR_BFC_MSG_CONFLICT, -1, -1, 17, 11, "message conflicts with another in the bundle")                         \
    X(OFPERR_BFC_MSG_TOO_MANY, -1, -1, 17, 12, "too many messages in the bundle")                                      \
    X(OFPERR_BFC_MSG_FAILED, -1, -1, 17, 13, "a message of the bundle failed")                                         \
    X(OFPERR_BFC_TIMEOUT, -1, -1, 17, 14, "bundle timed out")                                                          \
    X(OFPERR_BFC_SCHED_NOT_SUPPORTED, -1, -1, 17, 16, "scheduled commits are not supported")

enum of_error {
    OFPERR_NONE,
#define X(symbol, t10, c10, t13, c13, text) symbol,
    OF_ERRORS(X)
#undef X
        OFPERR_N
};

/* "OFPFMFC_OVERLAP"-like name, and the sentence. Never NULL. */
const char *of_error_name(enum of_error error);
const char *of_error_text(enum of_error error);

#endif
