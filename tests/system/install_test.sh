#!/bin/bash
# meson install: programs, manual pages, the service; and the alternative by which Debian runs sluiced as ovs-vswitchd.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"

command -v meson >/dev/null || exit 77
root=$TEST_DIR/root
meson install -C "$BUILD" --no-rebuild --destdir "$root" >"$TEST_DIR/install.log"
program=$(cd "$root" && find . -name sluiced -type f -perm -u+x)
program=${program#.}

step "programs and manual pages"
assert_matches "$("$root$program" --version)" '^sluiced \(Sluice\) '
[ -n "$(find "$root" -name sluicectl -perm -u+x)" ] || fail "no sluicectl"
for page in sluiced.8 sluicectl.8 sluice.json.5; do
    file=$(find "$root" -path "*/man${page##*.}/$page")
    [ -n "$file" ] || fail "no $page"
    said=$(man -l --warnings "$file" 2>&1 >"$TEST_DIR/page")
    assert_eq "$said" "" "warnings about $page"
done
man -l "$(find "$root" -name sluice.json.5)" 2>/dev/null | col -b >"$TEST_DIR/page"
assert_matches "$(cat "$TEST_DIR/page")" 'max_sleep_us'
assert_lacks "$(cat "$TEST_DIR/page")" '`' '](#'

step "the service is one that systemd takes, and starts what was installed"
unit=$(find "$root" -name sluiced.service)
assert_contains "$(cat "$unit")" "ExecStart=$program /etc/sluice/sluice.json"
assert_lacks "$(cat "$unit")" '@sbindir' '@bindir'
if command -v systemd-analyze >/dev/null; then
    sed "s|=/[^ ]*/sluice|=$root&|; s|=$root=|=$root|; /^Documentation/d" "$unit" >"$TEST_DIR/sluiced.service"
    said=$(systemd-analyze verify "$TEST_DIR/sluiced.service" 2>&1 | grep sluiced.service || true)
    assert_eq "$said" "" "what systemd says"
fi
[ "$(find "$root" -path '*sysusers.d/sluice.conf' -o -path '*tmpfiles.d/sluice.conf' | wc -l)" = 2 ] || fail "no user or no directory"

step "scripts/alternative puts sluiced in the place of ovs-vswitchd, and takes it away"
command -v update-alternatives >/dev/null || exit 0
export DPKG_ROOT=$root
mkdir -p "$root/usr/sbin" "$root/etc/alternatives" "$root/var/lib/dpkg/alternatives" "$root/usr/lib/ovs" "$root/var/log"
printf '#!/bin/sh\n' >"$root/usr/lib/ovs/ovs-vswitchd"
chmod +x "$root/usr/lib/ovs/ovs-vswitchd"
update-alternatives --quiet --install /usr/sbin/ovs-vswitchd ovs-vswitchd /usr/lib/ovs/ovs-vswitchd 100
where() { readlink "$root/etc/alternatives/ovs-vswitchd"; }
"$TOP/scripts/alternative" install "$program" >/dev/null
assert_eq "$(where)" "$program"
"$TOP/scripts/alternative" remove "$program" >/dev/null
assert_eq "$(where)" /usr/lib/ovs/ovs-vswitchd
assert_fails "$TOP/scripts/alternative" install /nonexistent/sluiced
assert_contains "$OUTPUT" 'no such program'
assert_fails "$TOP/scripts/alternative" nonsense
