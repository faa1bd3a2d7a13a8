#include "src/net/tls.h"

#define MEM_WHAT "certificates and keys"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"

#define FILE_MAX (1 << 20) /* bytes; a CA bundle with all authorities of the world has a quarter of it */

/* What tells one state of a file from another. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
};

struct tls {
    SSL_CTX *context;
    char *names[TLS_N_FILES];
    struct stamp stamps[TLS_N_FILES];
    char *peer_ca; /* NULL: none */
    bool bootstrap;
};

static int set_fault(struct tls_fault *fault, enum tls_file file, const char *name, const char *text)
{
    ERR_clear_error();
    fault->file = file;
    snprintf(fault->text, sizeof fault->text, "%s %s", name, text);
    return -EINVAL;
}

/* --- files --------------------------------------------------------------- */

static struct stamp stamp_of(const struct stat *st)
{
    return (struct stamp){st->st_dev, st->st_ino, st->st_size, st->st_mtim};
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

/* The whole file in memory, so that nothing but a regular file of a sane size is ever waited for. */
static int read_file(const char *name, BIO **bio, struct stamp *stamp)
{
    uint8_t chunk[4096];
    struct stat st;
    ssize_t n = 0;
    int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int error = fstat(fd, &st) ? -errno : !S_ISREG(st.st_mode) ? -ENOTSUP : st.st_size > FILE_MAX ? -EFBIG : 0;
    if (!error && !(*bio = BIO_new(BIO_s_mem())))
        error = -ENOMEM;
    while (!error && (n = read(fd, chunk, sizeof chunk)) > 0)
        if (BIO_write(*bio, chunk, n) != n || BIO_pending(*bio) > FILE_MAX)
            error = -EFBIG;
    if (!error && n < 0)
        error = -errno;
    close(fd);
    if (error)
        BIO_free(*bio);
    else
        *stamp = stamp_of(&st);
    return error;
}

static int open_file(const struct tls_files *files, enum tls_file file, BIO **bio, struct stamp *stamp,
                     struct tls_fault *fault)
{
    char text[128];

    *bio = NULL;
    int error = read_file(files->names[file], bio, stamp);
    if (!error)
        return 0;
    if (error == -ENOTSUP)
        snprintf(text, sizeof text, "is no regular file: name a PEM file");
    else if (error == -EFBIG)
        snprintf(text, sizeof text, "is larger than %d bytes: name a PEM file", FILE_MAX);
    else
        snprintf(text, sizeof text, "cannot be read: %s", strerror(-error));
    return set_fault(fault, file, files->names[file], text);
}

/* --- what is in them ----------------------------------------------------- */

/* Never asks the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *asked)
{
    *(bool *)asked = true;
    return -1;
}

static int load_key(SSL_CTX *context, BIO *bio, const struct tls_files *files, struct tls_fault *fault)
{
    bool encrypted = false;

    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);
    bool used = key && SSL_CTX_use_PrivateKey(context, key);
    EVP_PKEY_free(key);
    if (used)
        return 0;
    return set_fault(fault, TLS_PRIVATE_KEY, files->names[TLS_PRIVATE_KEY],
                     encrypted ? "is protected by a passphrase, for which nobody can be asked: use one without"
                     : key     ? "holds a key that does not belong to the certificate: give the two that were made "
                                 "together"
                               : "holds no private key in PEM form");
}

static int load_certificate(SSL_CTX *context, BIO *bio, const struct tls_files *files, struct tls_fault *fault)
{
    const char *name = files->names[TLS_CERTIFICATE];

    X509 *own = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, &(bool){0});
    bool used = own && SSL_CTX_use_certificate(context, own) == 1;
    X509_free(own);
    if (!own)
        return set_fault(fault, TLS_CERTIFICATE, name, "holds no certificate in PEM form");
    if (!used)
        return set_fault(fault, TLS_CERTIFICATE, name,
                         "holds a certificate that TLS does not allow: its key is too weak");
    for (X509 *link; (link = PEM_read_bio_X509(bio, NULL, no_passphrase, &(bool){0}));)
        if (!SSL_CTX_add0_chain_cert(context, link))
            X509_free(link);
    ERR_clear_error();
    return 0;
}

static int load_authority(SSL_CTX *context, BIO *bio, const struct tls_files *files, struct tls_fault *fault)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    unsigned n = 0;
    for (X509 *ca; (ca = PEM_read_bio_X509(bio, NULL, no_passphrase, &(bool){0})); n++) {
        /* What servers tell clients, so that these can choose among several certificates. */
        if (X509_STORE_add_cert(store, ca))
            SSL_CTX_add_client_CA(context, ca);
        X509_free(ca);
    }
    ERR_clear_error();
    return n ? 0
             : set_fault(fault, TLS_CA_CERTIFICATE, files->names[TLS_CA_CERTIFICATE],
                         "holds no certificate in PEM form");
}

/* --- an authority that is not known yet ---------------------------------- */

static void free_name(void *parent, void *name, CRYPTO_EX_DATA *data, int index, long l, void *p)
{
    free(name);
}

/* Where a context keeps the name of the file that is to be made. */
static int name_index(void)
{
    static int index = -1;

    if (index < 0)
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_name);
    return index;
}

/* Another one may have made it meanwhile: then that counts. 0 or a negative errno. */
static int write_authority(const char *name, X509 *authority)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    const long len = bio && PEM_write_bio_X509(bio, authority) ? BIO_get_mem_data(bio, &text) : 0;
    int fd = len > 0 ? open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644) : -1;
    int error = fd >= 0 ? 0 : len > 0 ? -errno : -ENOMEM;

    if (fd >= 0 && write(fd, text, (size_t)len) != len) {
        error = -EIO;
        unlink(name);
    }
    if (fd >= 0)
        close(fd);
    BIO_free(bio);
    return error;
}

/* In the place of verification: the last certificate that the peer sends, if it is an authority's, is the one to trust
 * from the next connection on. */
static int learn_authority(X509_STORE_CTX *store, void *arg)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const char *name = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), name_index());
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    const int n = sent ? sk_X509_num(sent) : 0;
    X509 *last = n > 0 ? sk_X509_value(sent, n - 1) : NULL;
    int error;

    X509_STORE_CTX_set_error(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    if (!last || X509_check_issued(last, last) != X509_V_OK || X509_verify(last, X509_get0_pubkey(last)) != 1) {
        ERR_clear_error();
        return 0;
    }
    error = write_authority(name, last);
    if (error && error != -EEXIST) {
        LOG_WARN_RL(LOG_OPENFLOW, "%s cannot be made for the authority's certificate: %s", name, strerror(-error));
        return 0;
    }
    LOG_INFO(LOG_OPENFLOW, "%s: made of the authority's certificate that the first peer has sent", name);
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

/* Whether the authority is to be learned. */
static bool is_to_learn(const struct tls_files *files)
{
    struct stat st;

    return files->bootstrap && stat(files->names[TLS_CA_CERTIFICATE], &st) < 0 && errno == ENOENT;
}

static int wait_for_authority(SSL_CTX *context, const struct tls_files *files, struct tls_fault *fault)
{
    char *name = mem_strdup(files->names[TLS_CA_CERTIFICATE]);

    if (!SSL_CTX_set_ex_data(context, name_index(), name)) {
        free(name);
        return set_fault(fault, TLS_CA_CERTIFICATE, files->names[TLS_CA_CERTIFICATE], "cannot be waited for");
    }
    SSL_CTX_set_cert_verify_callback(context, learn_authority, NULL);
    return 0;
}

static int load_peer_ca(SSL_CTX *context, const struct tls_files *files, struct tls_fault *fault)
{
    struct stamp stamp;
    BIO *bio = NULL;
    X509 *ca = NULL;

    if (!files->peer_ca)
        return 0;
    if (!read_file(files->peer_ca, &bio, &stamp)) {
        ca = PEM_read_bio_X509(bio, NULL, no_passphrase, &(bool){0});
        BIO_free(bio);
    }
    if (ca && SSL_CTX_add0_chain_cert(context, ca))
        return 0;
    X509_free(ca);
    return set_fault(fault, TLS_CERTIFICATE, files->peer_ca, "(--peer-ca-cert) holds no certificate in PEM form");
}

static SSL_CTX *create_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (!context)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    /* Connections last: a session is never resumed, and who closes without a word has closed. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return context;
}

/* The certificate comes before the key, which is checked against it. */
static SSL_CTX *load(const struct tls_files *files, struct stamp stamps[TLS_N_FILES], struct tls_fault *fault)
{
    typedef int loader(SSL_CTX * context, BIO * bio, const struct tls_files *files, struct tls_fault *fault);
    static const struct {
        enum tls_file file;
        loader *load;
    } steps[] = {
        {TLS_CERTIFICATE, load_certificate}, {TLS_PRIVATE_KEY, load_key}, {TLS_CA_CERTIFICATE, load_authority}};
    SSL_CTX *context = create_context();
    int error = context ? 0
                        : set_fault(fault, TLS_PRIVATE_KEY, files->names[TLS_PRIVATE_KEY],
                                    "cannot be used: OpenSSL does not start");
    for (size_t i = 0; i < TLS_N_FILES && !error; i++) {
        BIO *bio;
        if (steps[i].file == TLS_CA_CERTIFICATE && is_to_learn(files)) {
            stamps[TLS_CA_CERTIFICATE] = (struct stamp){0};
            error = wait_for_authority(context, files, fault);
            continue;
        }
        error = open_file(files, steps[i].file, &bio, &stamps[steps[i].file], fault);
        if (error)
            break;
        error = steps[i].load(context, bio, files, fault);
        BIO_free(bio);
    }
    if (!error)
        error = load_peer_ca(context, files, fault);
    if (!error)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

int tls_check(const struct tls_files *files, struct tls_fault *fault)
{
    struct stamp stamps[TLS_N_FILES];

    SSL_CTX *context = load(files, stamps, fault);
    SSL_CTX_free(context);
    return context ? 0 : -EINVAL;
}

/* --- in use -------------------------------------------------------------- */

static void warn_of_age(const struct tls *tls)
{
    const X509 *own = SSL_CTX_get0_certificate(tls->context);
    const char *name = tls->names[TLS_CERTIFICATE];
    if (X509_cmp_current_time(X509_get0_notAfter(own)) < 0)
        LOG_WARN(LOG_OPENFLOW, "%s has expired: peers will refuse it, renew it", name);
    else if (X509_cmp_current_time(X509_get0_notBefore(own)) > 0)
        LOG_WARN(LOG_OPENFLOW, "%s is not valid yet: peers will refuse it, look at the clock", name);
}

struct tls *tls_create(const struct tls_files *files, struct tls_fault *fault)
{
    struct tls *tls = mem_calloc(1, sizeof *tls);

    tls->context = load(files, tls->stamps, fault);
    for (int i = 0; i < TLS_N_FILES; i++)
        tls->names[i] = mem_strdup(files->names[i]);
    tls->peer_ca = files->peer_ca ? mem_strdup(files->peer_ca) : NULL;
    tls->bootstrap = files->bootstrap;
    if (tls->context) {
        warn_of_age(tls);
        return tls;
    }
    tls_free(tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    for (int i = 0; i < TLS_N_FILES; i++)
        free(tls->names[i]);
    free(tls->peer_ca);
    free(tls);
}

int tls_change(struct tls *tls, const struct tls_files *files, struct tls_fault *fault)
{
    struct tls *other = tls_create(files, fault);
    struct tls was = *tls;

    if (!other)
        return -EINVAL;
    *tls = *other;
    *other = was;
    tls_free(other);
    return 0;
}

static bool has_changed(const struct tls *tls)
{
    for (int i = 0; i < TLS_N_FILES; i++) {
        struct stat st;
        if (stat(tls->names[i], &st))
            continue; /* being replaced */
        const struct stamp now = stamp_of(&st);
        if (!is_same(&now, &tls->stamps[i]))
            return true;
    }
    return false;
}

static void reload(struct tls *tls)
{
    const struct tls_files files = {
        .names = {tls->names[0], tls->names[1], tls->names[2]}, .peer_ca = tls->peer_ca, .bootstrap = tls->bootstrap};
    struct stamp stamps[TLS_N_FILES];
    struct tls_fault fault;

    SSL_CTX *context = load(&files, stamps, &fault);
    if (!context) {
        LOG_WARN_RL(LOG_OPENFLOW, "%s; what it was before stays in use", fault.text);
        return;
    }
    SSL_CTX_free(tls->context);
    tls->context = context;
    memcpy(tls->stamps, stamps, sizeof stamps);
    LOG_INFO(LOG_OPENFLOW, "TLS: loaded the changed key and certificates");
    warn_of_age(tls);
}

SSL *tls_session(struct tls *tls)
{
    if (has_changed(tls))
        reload(tls);
    return SSL_new(tls->context);
}

void tls_explain(const SSL *ssl, unsigned long error, char *text, size_t size)
{
    long verdict = SSL_get_verify_result(ssl);
    int reason = ERR_GET_REASON(error);
    const char *said = ERR_reason_error_string(error);

    if (verdict == X509_V_ERR_APPLICATION_VERIFICATION) {
        snprintf(text, size, "the authority's certificate was taken from it: the next connection is verified");
        return;
    }
    if (verdict != X509_V_OK) {
        snprintf(text, size, "the peer's certificate is not accepted: %s", X509_verify_cert_error_string(verdict));
        return;
    }
    if (reason >= SSL_AD_REASON_OFFSET) { /* an alert that came from the peer */
        snprintf(text, size, "the peer does not accept this switch: %s", said ? said : "no reason given");
        return;
    }
    switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        snprintf(text, size, "the peer has no certificate");
        break;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_UNEXPECTED_MESSAGE:
        snprintf(text, size, "the peer does not speak TLS");
        break;
    case SSL_R_UNSUPPORTED_PROTOCOL:
        snprintf(text, size, "the peer speaks no TLS of version 1.2 or later");
        break;
    default:
        snprintf(text, size, "%s", said ? said : "the peer closed");
        break;
    }
}
