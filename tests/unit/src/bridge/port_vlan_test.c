/* Which packets a Port takes, and with which tag they leave: for each mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "src/bridge/port_vlan.h"

/* Carries VLANs 0, 7 and 4095. */
static struct port_vlan port_of(enum vlan_mode mode, uint16_t tag)
{
    struct port_vlan vlan = {.mode = mode, .tag = tag};

    vlan.trunks[0] = 1 | 1 << 7;
    vlan.trunks[63] = UINT64_C(1) << 63;
    return vlan;
}

#define EXPECT_IN(vlan, vid, wanted)                                                                                   \
    do {                                                                                                               \
        uint16_t in = 0xffff;                                                                                          \
        assert_int_equal(port_vlan_admit(vlan, vid, &in), PORT_VLAN_ADMITTED);                                         \
        assert_int_equal(in, wanted);                                                                                  \
    } while (0)
#define EXPECT_REFUSED(vlan, vid, why)                                                                                 \
    do {                                                                                                               \
        uint16_t in;                                                                                                   \
        assert_int_equal(port_vlan_admit(vlan, vid, &in), why);                                                        \
    } while (0)

static void a_new_port_is_a_trunk_of_everything(void **state)
{
    struct port_vlan vlan;

    port_vlan_init(&vlan);
    for (uint16_t vid = 0; vid < 4096; vid++) {
        EXPECT_IN(&vlan, vid, vid);
        assert_true(port_vlan_carries(&vlan, vid));
        assert_int_equal(port_vlan_leaves_tagged(&vlan, vid), vid != 0);
    }
}

static void a_trunk_carries_its_vlans_alone(void **state)
{
    const struct port_vlan vlan = port_of(VLAN_MODE_TRUNK, 9);

    EXPECT_IN(&vlan, 0, 0);
    EXPECT_IN(&vlan, 7, 7);
    EXPECT_IN(&vlan, 4095, 4095);
    EXPECT_REFUSED(&vlan, 9, PORT_VLAN_NOT_CARRIED); /* a trunk has no VLAN of its own */
    EXPECT_REFUSED(&vlan, 6, PORT_VLAN_NOT_CARRIED);
    assert_true(port_vlan_leaves_tagged(&vlan, 4095));
    assert_false(port_vlan_leaves_tagged(&vlan, 0));
}

static void an_access_port_is_in_one_vlan_and_has_no_tags(void **state)
{
    const struct port_vlan vlan = port_of(VLAN_MODE_ACCESS, 9);

    EXPECT_IN(&vlan, 0, 9);
    EXPECT_REFUSED(&vlan, 9, PORT_VLAN_TAGGED_ON_ACCESS);
    EXPECT_REFUSED(&vlan, 7, PORT_VLAN_TAGGED_ON_ACCESS);
    assert_true(port_vlan_carries(&vlan, 9));
    assert_false(port_vlan_carries(&vlan, 7));
    assert_false(port_vlan_carries(&vlan, 0));
    assert_false(port_vlan_leaves_tagged(&vlan, 9));
}

static void native_ports_differ_in_the_tag_of_their_own_vlan(void **state)
{
    const struct port_vlan tagged = port_of(VLAN_MODE_NATIVE_TAGGED, 9);
    const struct port_vlan untagged = port_of(VLAN_MODE_NATIVE_UNTAGGED, 9);

    for (int i = 0; i < 2; i++) {
        const struct port_vlan *vlan = i ? &untagged : &tagged;

        EXPECT_IN(vlan, 0, 9);
        EXPECT_IN(vlan, 9, 9);
        EXPECT_IN(vlan, 7, 7);
        EXPECT_REFUSED(vlan, 8, PORT_VLAN_NOT_CARRIED);
        assert_true(port_vlan_leaves_tagged(vlan, 7));
    }
    assert_true(port_vlan_leaves_tagged(&tagged, 9));
    assert_false(port_vlan_leaves_tagged(&untagged, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_port_is_a_trunk_of_everything),
        cmocka_unit_test(a_trunk_carries_its_vlans_alone),
        cmocka_unit_test(an_access_port_is_in_one_vlan_and_has_no_tags),
        cmocka_unit_test(native_ports_differ_in_the_tag_of_their_own_vlan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
