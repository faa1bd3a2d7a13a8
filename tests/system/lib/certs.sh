# Certificates for TLS tests, by the openssl program. certs_make makes, in TEST_DIR/certs:
#   ca.pem other-ca.pem               two authorities
#   switch.pem client.pem ...         key and certificate of NAME: NAME.key, NAME.pem
# shellcheck shell=bash

CERTS=$TEST_DIR/certs

# certs_authority NAME
certs_authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" -keyout "$CERTS/$1.key" \
        -out "$CERTS/$1.pem" 2>/dev/null
}

# certs_issue NAME AUTHORITY [DAYS]: negative days have passed already
certs_issue() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$CERTS/$1.key" -out "$CERTS/$1.csr" 2>/dev/null
    openssl x509 -req -in "$CERTS/$1.csr" -CA "$CERTS/$2.pem" -CAkey "$CERTS/$2.key" -set_serial "0x$RANDOM$RANDOM" -days "${3:-30}" \
        -out "$CERTS/$1.pem" 2>/dev/null
}

certs_make() {
    mkdir -p "$CERTS"
    certs_authority ca
    certs_authority other-ca
}

# The section "tls" of the configuration, NAME's key and certificate: tls_json NAME
tls_json() {
    printf '"tls": { "private_key": "%s", "certificate": "%s", "ca_certificate": "%s" }' "$CERTS/$1.key" "$CERTS/$1.pem" "$CERTS/ca.pem"
}

# Options of an OVS program: tls_options NAME [CA]
tls_options() { echo "--private-key=$CERTS/$1.key --certificate=$CERTS/$1.pem --ca-cert=$CERTS/${2:-ca}.pem"; }
