/*
 * tls: contexts for the streams that io.c opens, over OpenSSL: whom to trust, which versions. The peer's certificate
 * must be signed by somebody trusted and carry the host's name or address.
 */
#ifndef BASE_TLS_H
#define BASE_TLS_H

#include <stddef.h>

struct tls;

struct tls_settings {
    const char *ca_file;                            /* PEM; NULL: the system's */
    const char *min_version;                        /* "1.0" "1.1" "1.2" "1.3"; NULL: 1.2 */
    const char *client_cert_file, *client_key_file; /* PEM; NULL: none */
};

/* NULL with a sentence in why. */
struct tls *tls_client_new(const struct tls_settings *settings, char *why, size_t why_size);
/* For streams that others open to us: a certificate chain and its key (PEM). */
struct tls *tls_server_new(const char *certificate_file, const char *key_file, char *why, size_t why_size);
void tls_free(struct tls **t);

/* Can these files (PEM) be used: certificates to trust, or with key_file a chain to show together with its key? NULL:
 * yes, else OpenSSL's static words for what is wrong. */
const char *tls_files_wrong(const char *certificate_file, const char *key_file);

/* For io.c: an OpenSSL SSL object for one connection to `host` (a name or numeric address), whose owner it becomes.
 * NULL: no memory, or not a name. `host` NULL: of a server, which asks nobody for a certificate. */
void *tls_session_new(struct tls *t, const char *host);

/*
 * For libraries that make sessions themselves and know the peer by its address only: OpenSSL's SSL_CTX of `t`, from now
 * on good for `host` alone, whose name it sends and demands. Borrowed. NULL: not a name.
 */
void *tls_context_for(struct tls *t, const char *host);

/* Why the peer's certificate was refused last with such a context; NULL: it was not. Static text. */
const char *tls_context_why(const struct tls *t);

/* For io.c: why the handshake failed, in words. `error`: OpenSSL's code, 0: none. Returns `out`. */
char *tls_session_why(const void *session, unsigned long error, char *out, size_t out_size);

#endif
