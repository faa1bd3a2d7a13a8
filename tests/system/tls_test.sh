#!/bin/bash
# OpenFlow over TLS, both ways: who is let in, who is refused and what the log says, renewal of certificates.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/certs.sh"

port=$((20000 + $$ % 20000))
controller_port=$((port + 1))
certs_make
for name in switch client controller; do certs_issue $name ca; done
certs_issue stranger other-ca
certs_issue expired ca -1
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02

step "--check names the file that is wrong"
bridge="\"fail_mode\": \"secure\", \"listen\": [\"pssl:$port:127.0.0.1\"], \"controllers\": [{ \"target\": \"ssl:127.0.0.1:$controller_port\", \"max_backoff\": 1000 }]"
check() { ROOT_KEYS=$1 sluice_config "$bridge"; assert_fails "$SLUICED" --check "$TEST_DIR/sluice.json"; }
check ''
assert_contains "$OUTPUT" 'bridges[0].listen[0]: "pssl:' 'bridges[0].controllers[0]: "ssl:' 'needs TLS: add "tls"'
check "$(tls_json switch | sed 's/switch.key/client.key/')"
assert_contains "$OUTPUT" "tls.private_key: $CERTS/client.key holds a key that does not belong to the certificate"
check "$(tls_json missing)"
assert_contains "$OUTPUT" "tls.certificate: $CERTS/missing.pem cannot be read: No such file"
ROOT_KEYS=$(tls_json switch) sluice_config "$bridge" "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
"$SLUICED" --check "$TEST_DIR/sluice.json"
start_sluice

# through NAME [CA]: ovs-ofctl as NAME
through() {
    local who=$1
    # shellcheck disable=SC2046
    ovs-ofctl -t 10 $(tls_options "$who" "${2:-ca}") -O OpenFlow13 "${@:3}" 2>"$TEST_DIR/ofctl.err"
}
log_says() { grep -qE -- "$1" "$TEST_DIR/sluiced.log"; }
refused() { ctl --json bridges | "$PYTHON" -c 'import json,sys; print(json.load(sys.stdin)[0]["tls_refused"])'; }
refused_are() { [ "$(refused)" -ge "$1" ]; }

assert_matches "$(cat "$TEST_DIR/sluiced.log")" 'is ready: 1 bridges'
step "a client with a certificate of the authority"
through client ca add-flow "ssl:127.0.0.1:$port" 'priority=5,in_port=1,actions=output:2'
assert_contains "$(through client ca dump-flows "ssl:127.0.0.1:$port")" 'priority=5,in_port=1 actions=output:2'
before=$(refused)

step "refused: of another authority, expired, without TLS, without a certificate"
assert_fails through stranger ca dump-flows "ssl:127.0.0.1:$port"
wait_until 5 log_says 'br0: ssl:127.0.0.1:[0-9]+: no TLS connection: the peer.s certificate is not accepted: unable to get local issuer'
assert_fails through expired ca dump-flows "ssl:127.0.0.1:$port"
wait_until 5 log_says 'no TLS connection: the peer.s certificate is not accepted: certificate has expired'
assert_fails ovs-ofctl -t 5 -O OpenFlow13 dump-flows "tcp:127.0.0.1:$port"
wait_until 5 log_says 'no TLS connection: the peer does not speak TLS'
openssl s_client -connect "127.0.0.1:$port" -CAfile "$CERTS/ca.pem" </dev/null >/dev/null 2>&1 || true
wait_until 5 log_says 'no TLS connection: the peer has no certificate'
openssl s_client -connect "127.0.0.1:$port" -tls1_1 -cipher DEFAULT:@SECLEVEL=0 </dev/null >/dev/null 2>&1 || true
wait_until 5 log_says 'no TLS connection: the peer speaks no TLS of version 1.2 or later'
refused_are $((before + 5)) || fail "counted $(refused) refusals after $before and five more"

step "a client that refuses the switch"
assert_fails through client other-ca dump-flows "ssl:127.0.0.1:$port"
wait_until 5 log_says 'no TLS connection: the peer does not accept this switch: .*unknown ca'

step "a client that does not go on with its handshake stops nobody"
background silent "$PYTHON" -c "
import socket, time
s = [socket.create_connection(('127.0.0.1', $port)) for i in range(20)]
time.sleep(20)"
sleep 0.3
through client ca dump-flows "ssl:127.0.0.1:$port" >/dev/null
wait_until 9 log_says 'no TLS connection: no handshake in 5 s'

step "TLS 1.2 is enough"
openssl s_client -connect "127.0.0.1:$port" -tls1_2 -CAfile "$CERTS/ca.pem" -cert "$CERTS/client.pem" -key "$CERTS/client.key" -quiet \
    </dev/null 2>"$TEST_DIR/s_client.err" | head -c 8 | od -An -tx1 | grep -q '05 00 00\|04 00 00\|06 00 00' ||
    fail "no hello over TLS 1.2: $(cat "$TEST_DIR/s_client.err")"

testcontroller() {
    # shellcheck disable=SC2046
    background testcontroller ovs-testcontroller -v $(tls_options "$1") -O OpenFlow13 "pssl:$controller_port:127.0.0.1" \
        --unixctl="$TEST_DIR/testcontroller.ctl"
}

step "controllers that are refused: of another authority, expired, without TLS"
ofctl del-flows
for who in stranger:'self-signed certificate|unable to get' expired:'certificate has expired'; do
    testcontroller "${who%%:*}"
    wait_until 20 log_says "ssl:127.0.0.1:$controller_port: no TLS connection: the peer.s certificate is not accepted: (${who#*:})"
    end_pid "$PID"
done
background testcontroller ovs-testcontroller -O OpenFlow13 "ptcp:$controller_port:127.0.0.1" --unixctl="$TEST_DIR/testcontroller.ctl"
wait_until 20 log_says "ssl:127.0.0.1:$controller_port: no TLS connection: the peer does not speak TLS"
end_pid "$PID"
ping_none h1 10.0.0.2

step "a controller that is certified makes hosts ping"
testcontroller controller
wait_until 20 ping_once h1 10.0.0.2
ping_ok h1 10.0.0.2 5
assert_matches "$(ctl bridges)" "ssl:127.0.0.1:$controller_port: active"

step "a renewed certificate is used without a restart, a broken one is not"
certs_issue switch2 other-ca
through client ca dump-flows "ssl:127.0.0.1:$port" >/dev/null
echo broken >"$CERTS/switch.pem"
through client ca dump-flows "ssl:127.0.0.1:$port" >/dev/null
wait_until 5 log_says 'switch.pem holds no certificate in PEM form; what it was before stays in use'
cp "$CERTS/switch2.key" "$CERTS/switch.key"
cp "$CERTS/switch2.pem" "$CERTS/switch.pem"
wait_until 5 through client other-ca dump-flows "ssl:127.0.0.1:$port"
assert_fails through client ca dump-flows "ssl:127.0.0.1:$port"

stop_sluice
