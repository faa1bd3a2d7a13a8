"""Traffic and rules of connection tracking: each connection's packets come in at port 1, of both directions, and are tracked, looked up
again by their state, and sent."""
import traffic

def both_directions(path, connections):
    """UDP, one packet of each side of each connection."""
    maker, back = traffic.Ipv4(), traffic.Ipv4(eth_dst=traffic.ETH_SRC, eth_src=traffic.ETH_DST)
    packets = []
    for i in range(connections):
        src, dst, sport, dport = traffic.flow_tuple(i)
        packets.append(maker.frame(src, dst, sport, dport))
        packets.append(back.frame(dst, src, dport, sport))
    return traffic.write(path, packets, traffic.shuffled(len(packets)))


def rules(options=""):
    """What is new is committed; what is established passes."""
    return [
        "table=0,priority=10,ip,ct_state=-trk,actions=ct(table=1%s)" % options,
        "table=1,priority=10,ip,ct_state=+trk+new,actions=ct(commit%s),output:2" % options,
        "table=1,priority=10,ip,ct_state=+trk+est,actions=output:2",
        "table=1,priority=0,actions=output:2",
    ]
