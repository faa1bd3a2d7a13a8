# Two guests that only talk to each other, by vhost-user sockets from.sock and to.sock in $TEST_DIR, which are ports of a running switch: what others
# do must cost them nothing.

hostile=$BUILD/tests/system/vhost-hostile
descriptors() { find "/proc/$SLUICE_PID/fd" -mindepth 1 | wc -l; }
guest_maps() { grep -c 'memfd:guest' "/proc/$SLUICE_PID/maps" || true; }
are() { [ "$("$1")" -le "$2" ]; }
two_guests() { [ "$(guest_maps)" -ge 2 ]; }

# They send until bystander_stop.
bystander_start() {
    mkfifo "$TEST_DIR/end"
    sleep 3600 >"$TEST_DIR/end" &
    on_exit pid $!
    holder=$!
    "$hostile" stream "$TEST_DIR/from.sock" "$TEST_DIR/to.sock" 3590 >"$TEST_DIR/stream.log" 2>&1 <"$TEST_DIR/end" &
    streamer=$!
    on_exit pid $streamer
    wait_until 5 two_guests
    kill -0 "$streamer" || fail "the stream ended: $(cat "$TEST_DIR/stream.log")"
}

# Nothing was lost, and the switch holds no more of guests than these two: `BEFORE` descriptors.
bystander_stop() { # BEFORE
    wait_until 5 are descriptors "$1"
    wait_until 5 are guest_maps 2
    kill "$holder"
    wait "$streamer" || fail "$(cat "$TEST_DIR/stream.log")"
    echo "  $(cat "$TEST_DIR/stream.log")"
}
