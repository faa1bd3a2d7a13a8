#!/bin/sh
# Whether the programs are position-independent, have nothing writable that is resolved at the start (full RELRO), and
# check stacks and buffers.   hardening_test.sh PROGRAM...
set -eu

fail() { echo "$1: $2" >&2; exit 1; }
for program in "$@"; do
    readelf -hW "$program" | grep -q 'Type: *DYN' || fail "$program" "not position-independent"
    readelf -lW "$program" | grep -q GNU_RELRO || fail "$program" "no RELRO segment"
    readelf -dW "$program" | grep -qE 'BIND_NOW|FLAGS_1.*NOW' || fail "$program" "symbols are resolved lazily: no full RELRO"
    readelf -lW "$program" | grep GNU_STACK | grep -q 'RW ' || fail "$program" "executable stack"
    readelf -sW --dyn-syms "$program" | grep -q __stack_chk_fail || fail "$program" "no stack protector"
    readelf -sW --dyn-syms "$program" | grep -qE '__(sn?printf|vsnprintf|memcpy|fprintf|printf|read)_chk' || fail "$program" "no _FORTIFY_SOURCE"
done
