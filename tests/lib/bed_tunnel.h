/* A bed in which packets go to tunnel ports and come out of them. Bridge br0 has ports 1 to 5 and the tunnel ports;
 * br-phy has a port of the host's, LOCAL, and two others (datapath ports 6, 7 and 8). The neighbour 192.0.2.2 is known
 * and behind port 1 of br-phy. */
#ifndef TESTS_LIB_BED_TUNNEL_H
#define TESTS_LIB_BED_TUNNEL_H

#include "src/net/route.h"
#include "src/tunnel/neighbour.h"
#include "src/tunnel/next_hop.h"
#include "src/tunnel/tunnel_port.h"
#include "tests/lib/bed_xlate.h"

#define OURS "02:00:00:00:00:06"
#define THEIRS "02:00:00:00:01:0c"

/* What follows the output to the tunnel in brackets, of VXLAN to 192.0.2.2. */
#define PUSH                                                                                                           \
    "tnl_push(tnl_port(*),header(size=50,type=4,eth(dst=" THEIRS ",src=" OURS ",dl_type=0x0800),"                      \
    "ipv4(src=192.0.2.1,dst=192.0.2.2,proto=17,tos=*,ttl=*,frag=0x4000),udp(src=0,dst=4789,csum=0x0),"                 \
    "vxlan(flags=0x8000000,vni=*)),mtu(1500))"
#define UDP "in_port=1,udp,nw_src=10.0.0.9,nw_dst=10.0.0.1,nw_ttl=9,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02"

extern struct loop *loop;
extern struct routes *routes;
extern struct neighbours *neighbours;
extern struct next_hops *hops;
extern struct tunnels *tunnels;
extern struct bridge *phy;
extern char notes[4096]; /* what translate_in() said in its trace */
extern uint64_t now_us;  /* what the clock shows, unless a poll-mode thread runs */

struct in6_addr address(const char *s);

void tell_device(int ifindex, const char *name);

void tell_address(int ifindex, const char *ip);

void tell_route(const char *prefix, unsigned length, int ifindex, bool local);

void set_neighbour_mac(const char *ip, uint8_t last);

void set_neighbour(const char *ip);

void turns(void);

void pass(uint64_t ms);

struct bridge_port *add_tunnel_to(struct bridge *bridge, uint32_t ofport, const char *description);

struct bridge_port *add_tunnel(uint32_t ofport, const char *description);

void add_outer(const char *text);

int tunnel_setup(void **state);

int tunnel_setup_running(void **state);

int tunnel_teardown(void **state);

const char *translate_in(struct xlate_in *in);

const char *xlated(const char *packet);

const char *came_in(const struct bridge_port *from, const char *packet);

void matches(const char *text, const char *pattern);

const struct op_tunnel_push *push_of(void);

uint8_t outer_tos(void);

uint8_t outer_ttl(void);

#endif
