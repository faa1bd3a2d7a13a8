/* After how long without a packet a tracked connection is forgotten: which timeouts there are. Of connection tracking
 * (pmd/ct.h); apart from it for who has nothing of DPDK.
 */
#ifndef PMD_CT_TIMEOUTS_H
#define PMD_CT_TIMEOUTS_H

/* X(symbol, "name as Open vSwitch has it", seconds by default, "when it counts") */
#define CT_TIMEOUTS(X)                                                                                                 \
    X(CT_TCP_SYN_SENT, "tcp_syn_sent", 30, "TCP: one side has sent its first packet")                                  \
    X(CT_TCP_SYN_RECV, "tcp_syn_recv", 30, "TCP: both sides have sent, not all of it is acknowledged")                 \
    X(CT_TCP_ESTABLISHED, "tcp_established", 86400, "TCP: established")                                                \
    X(CT_TCP_FIN_WAIT, "tcp_fin_wait", 900, "TCP: one side has sent a FIN")                                            \
    X(CT_TCP_TIME_WAIT, "tcp_time_wait", 45, "TCP: both sides have sent a FIN, not both are acknowledged")             \
    X(CT_TCP_CLOSE, "tcp_close", 30, "TCP, SCTP: closed, or reset")                                                    \
    X(CT_UDP_FIRST, "udp_first", 60, "UDP and all that is neither TCP nor ICMP: a single packet")                      \
    X(CT_UDP_SINGLE, "udp_single", 60, "UDP and the like: several packets, all of one direction")                      \
    X(CT_UDP_MULTIPLE, "udp_multiple", 30, "UDP and the like: packets of both directions")                             \
    X(CT_ICMP_FIRST, "icmp_first", 60, "ICMP: requests without a reply")                                               \
    X(CT_ICMP_REPLY, "icmp_reply", 30, "ICMP: replied to")

enum ct_timeout {
#define X(symbol, name, seconds, doc) symbol,
    CT_TIMEOUTS(X)
#undef X
        CT_N_TIMEOUTS
};

#define CT_TIMEOUT_MAX (UINT32_MAX / 4) /* seconds */

#endif
