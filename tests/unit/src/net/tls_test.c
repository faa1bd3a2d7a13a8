/* Which files TLS accepts, what it says of those that it does not, and that changed ones are loaded. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "src/net/tls.h"
#include "tests/lib/group.h"

static char dir[] = "/tmp/sluice-tls-XXXXXX";
static char key[64], certificate[64], ca[64], other[64], scratch[64];

static void write_key(const char *path, EVP_PKEY *pkey, const char *passphrase)
{
    FILE *out = fopen(path, "w");

    assert_int_equal(PEM_write_PrivateKey(out, pkey, passphrase ? EVP_aes_128_cbc() : NULL, (void *)passphrase,
                                          passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
                     1);
    fclose(out);
}

/* A self-signed certificate, which is its own authority. */
static void write_certificate(const char *path, EVP_PKEY *pkey, const char *name)
{
    X509 *x509 = X509_new();
    FILE *out = fopen(path, "w");
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, pkey);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC, (const void *)name, -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    assert_true(X509_sign(x509, pkey, EVP_sha256()));
    PEM_write_X509(out, x509);
    fclose(out);
    X509_free(x509);
}

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    fputs(text, out);
    fclose(out);
}

static int make_files(void **state)
{
    assert_non_null(mkdtemp(dir));
    snprintf(key, sizeof key, "%s/key.pem", dir);
    snprintf(certificate, sizeof certificate, "%s/cert.pem", dir);
    snprintf(ca, sizeof ca, "%s/ca.pem", dir);
    snprintf(other, sizeof other, "%s/other.pem", dir);
    snprintf(scratch, sizeof scratch, "%s/scratch.pem", dir);
    EVP_PKEY *pkey = EVP_EC_gen("P-256"), *another = EVP_EC_gen("P-256");
    write_key(key, pkey, NULL);
    write_certificate(certificate, pkey, "switch");
    write_certificate(ca, pkey, "ca");
    write_key(other, another, NULL);
    write_key(scratch, pkey, "secret");
    EVP_PKEY_free(pkey);
    EVP_PKEY_free(another);
    return 0;
}

static int remove_files(void **state)
{
    const char *const files[] = {key, certificate, ca, other, scratch};

    for (int i = 0; i < 5; i++)
        unlink(files[i]);
    return rmdir(dir);
}

static void expect_fault(const char *k, const char *c, const char *a, enum tls_file file, const char *text)
{
    const struct tls_files files = {{[TLS_PRIVATE_KEY] = k, [TLS_CERTIFICATE] = c, [TLS_CA_CERTIFICATE] = a}};
    struct tls_fault fault;

    assert_int_equal(tls_check(&files, &fault), -EINVAL);
    assert_int_equal(fault.file, file);
    assert_non_null(strstr(fault.text, text));
    assert_int_equal(ERR_peek_error(), 0); /* nothing is left for whoever looks next */
}

static void faults_name_the_file(void **state)
{
    const struct tls_files good = {{key, certificate, ca}};
    struct tls_fault fault;

    assert_int_equal(tls_check(&good, &fault), 0);
    expect_fault(other, certificate, ca, TLS_PRIVATE_KEY, "does not belong to the certificate");
    expect_fault(scratch, certificate, ca, TLS_PRIVATE_KEY, "protected by a passphrase");
    expect_fault(certificate, certificate, ca, TLS_PRIVATE_KEY, "holds no private key");
    expect_fault(key, key, ca, TLS_CERTIFICATE, "holds no certificate");
    expect_fault(key, certificate, key, TLS_CA_CERTIFICATE, "holds no certificate");
    expect_fault(key, certificate, "/nonexistent", TLS_CA_CERTIFICATE, "cannot be read: No such file");
    expect_fault(key, dir, ca, TLS_CERTIFICATE, "is no regular file");
    expect_fault(key, "/dev/zero", ca, TLS_CERTIFICATE, "is no regular file");
    unlink(scratch);
    assert_int_equal(mkfifo(scratch, 0600), 0); /* nobody waits for a writer */
    expect_fault(key, scratch, ca, TLS_CERTIFICATE, "is no regular file");
    unlink(scratch);
    write_text(scratch, "");
    assert_int_equal(truncate(scratch, 2 << 20), 0);
    expect_fault(key, scratch, ca, TLS_CERTIFICATE, "is larger than");
}

static void name_of(SSL *ssl, char *name, int size)
{
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get_certificate(ssl)), NID_commonName, name, size);
    SSL_free(ssl);
}

static void changed_files_are_loaded_broken_ones_not(void **state)
{
    const struct tls_files files = {{key, certificate, ca}};
    struct tls_fault fault;
    char name[32];
    struct tls *tls = tls_create(&files, &fault);

    assert_non_null(tls);
    SSL *old = tls_session(tls);
    assert_int_equal(SSL_get_min_proto_version(old), TLS1_2_VERSION);

    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    write_key(key, pkey, NULL); /* the certificate is still the old one */
    name_of(tls_session(tls), name, sizeof name);
    assert_string_equal(name, "switch");
    write_certificate(certificate, pkey, "renewed");
    name_of(tls_session(tls), name, sizeof name);
    assert_string_equal(name, "renewed");
    unlink(certificate);
    name_of(tls_session(tls), name, sizeof name);
    assert_string_equal(name, "renewed");
    EVP_PKEY_free(pkey);
    tls_free(tls);
    name_of(old, name, sizeof name); /* outlives its maker */
    assert_string_equal(name, "switch");
}

static bool handshake(struct tls *client, struct tls *server, char *why, size_t size)
{
    SSL *c = tls_session(client), *s = tls_session(server);
    BIO *here, *there;

    assert_int_equal(BIO_new_bio_pair(&here, 0, &there, 0), 1);
    SSL_set_bio(c, here, here);
    SSL_set_bio(s, there, there);
    SSL_set_connect_state(c);
    SSL_set_accept_state(s);
    for (int i = 0; i < 10; i++) {
        SSL_do_handshake(c);
        SSL_do_handshake(s);
    }
    const bool done = SSL_is_init_finished(c) && SSL_is_init_finished(s);
    tls_explain(c, ERR_peek_error(), why, size);
    ERR_clear_error();
    SSL_free(c);
    SSL_free(s);
    return done;
}

/* The last certificate that the first peer sends is the authority's, and that peer is not believed for it. */
static void an_authority_is_learned_from_the_first_peer(void **state)
{
    const struct tls_files sends_it = {.names = {key, certificate, ca}, .peer_ca = ca},
                           certified = {.names = {key, ca, ca}}, other_authority = {.names = {key, certificate, ca}},
                           learns = {.names = {key, ca, scratch}, .bootstrap = true};
    struct tls *server, *client, *stranger, *first;
    struct tls_fault fault;
    char why[256], made[4096] = "", wanted[4096] = "";
    FILE *f;

    unlink(scratch);
    expect_fault(key, certificate, scratch, TLS_CA_CERTIFICATE, "cannot be read: No such file");
    client = tls_create(&learns, &fault);
    first = tls_create(&sends_it, &fault);
    server = tls_create(&certified, &fault);
    stranger = tls_create(&other_authority, &fault);
    assert_true(client && first && server && stranger);
    assert_false(handshake(client, first, why, sizeof why));
    assert_string_equal(why, "the authority's certificate was taken from it: the next connection is verified");
    assert_non_null(f = fopen(scratch, "r"));
    assert_true(fread(made, 1, sizeof made - 1, f) > 0);
    fclose(f);
    assert_non_null(f = fopen(ca, "r"));
    assert_true(fread(wanted, 1, sizeof wanted - 1, f) > 0);
    fclose(f);
    assert_string_equal(made, wanted);
    assert_false(handshake(client, stranger, why, sizeof why));
    assert_non_null(strstr(why, "the peer's certificate is not accepted"));
    assert_true(handshake(client, server, why, sizeof why));
    tls_free(client);
    tls_free(first);
    tls_free(server);
    tls_free(stranger);
}

static void an_authority_to_be_sent_has_to_be_one(void **state)
{
    const struct tls_files files = {.names = {key, certificate, ca}, .peer_ca = key};
    struct tls_fault fault;

    assert_int_equal(tls_check(&files, &fault), -EINVAL);
    assert_non_null(strstr(fault.text, "--peer-ca-cert"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_name_the_file),
        cmocka_unit_test(an_authority_is_learned_from_the_first_peer),
        cmocka_unit_test(an_authority_to_be_sent_has_to_be_one),
        cmocka_unit_test(changed_files_are_loaded_broken_ones_not),
    };

    int failed = cmocka_run_group_tests(tests, make_files, NULL);
    return group_end(failed, remove_files(NULL));
}
