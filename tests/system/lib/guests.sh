# Guests on vhost-user sockets, by scripts/guest and scripts/vm, ended with the test.
# shellcheck shell=bash

# guest_up NAME SOCKET OPTION...: see scripts/guest; again after guest_kill brings it back
guest_up() {
    local name
    name=$(ns_name "$1")
    if ! grep -qsx "netns $name" "$TEST_DIR/on_exit"; then
        on_exit netns "$name"
    fi
    "$TOP/scripts/guest" up "$name" "${@:2}"
    on_exit pid "$(cat "$GUEST_DIR/$name.pid")"
}
guest_kill() { "$TOP/scripts/guest" kill "$(ns_name "$1")"; }

vm_up() {
    "$TOP/scripts/vm" up "$@"
    on_exit pid "$(cat "$VM_DIR/$1.pid")"
}
vm_wait() { "$TOP/scripts/vm" wait "$@"; }
vm_kill() { "$TOP/scripts/vm" kill "$1"; }
vm_exec() { "$TOP/scripts/vm" exec "$@"; }

# vm_ping_ok NAME ADDRESS [COUNT]: from inside the guest
vm_ping_ok() {
    local out count=${3:-3}
    out=$(vm_exec "$1" "ping -q -c $count -W 3 $2") || fail "ping $1 -> $2: $out"
}
vm_ping_once() { vm_exec "$1" "ping -q -c 1 -W 1 $2"; }
