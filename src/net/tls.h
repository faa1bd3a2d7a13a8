/* TLS of connections to controllers, `ovs-ofctl` and databases: this switch's key and certificate, and the authority
 * (CA) that peers must be certified by. Both ends of a connection prove who they are; TLS 1.2 is the oldest version.
 *
 * Control thread only. A struct tls owns copies of the file names; sessions are the caller's and stay valid without it.
 */
#ifndef SRC_NET_TLS_H
#define SRC_NET_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

enum tls_file { TLS_PRIVATE_KEY, TLS_CERTIFICATE, TLS_CA_CERTIFICATE, TLS_N_FILES };

/* Names of PEM files: a key without a passphrase, its certificate with what leads from there to the authority, and the
 * authority's certificates. */
struct tls_files {
    const char *names[TLS_N_FILES];
    /* As --peer-ca-cert of ovs-vswitchd(8): the authority's certificate, sent to peers behind the switch's own; NULL:
     * it is not. */
    const char *peer_ca;
    /* As --bootstrap-ca-cert: while the authority's file does not exist, the first peer that sends the authority's
     * certificate has it written there. That peer is refused; the next connection is verified as any. Whoever is in the
     * way of that first one can be anybody. */
    bool bootstrap;
};

struct tls_fault {
    enum tls_file file;
    char text[256]; /* what is wrong with it and what to do */
};

struct tls;

/* Whether the files can be read, hold what they should and belong together. Returns 0, or -EINVAL with the fault. */
int tls_check(const struct tls_files *files, struct tls_fault *fault);

/* Loads the files. NULL with the fault. Warns in the log of a certificate that peers will refuse for its age. */
struct tls *tls_create(const struct tls_files *files, struct tls_fault *fault);
/* Other files from now on. Returns 0, or -EINVAL with the fault: then those of before stay in use. */
int tls_change(struct tls *tls, const struct tls_files *files, struct tls_fault *fault);
void tls_free(struct tls *tls);

/* A new session, for SSL_free. Files that have changed since the last call are loaded again first, so that a renewed
 * certificate needs no restart; if they cannot be, the log says so and the old ones stay. NULL: out of memory. */
SSL *tls_session(struct tls *tls);

/* Says in `text` why a session came to nothing. `error` is the first error of OpenSSL's (0: none known). */
void tls_explain(const SSL *ssl, unsigned long error, char *text, size_t size);

#endif
