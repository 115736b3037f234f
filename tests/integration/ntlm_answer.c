/*
 * ntlm_answer: our side of NTLM as a program, for judges who speak the messages in base64: prints a Type 1, reads a
 * Type 2 from a line of standard input, prints the Type 3. Without HTTP and without a server, so that a verdict is
 * about the messages alone.
 *
 *   ntlm_answer LEVEL ACCOUNT PASSWORD [--spn NAME] [--cert-hash HEX] [--flip-mic]
 *
 * LEVEL is the LmCompatibilityLevel, ACCOUNT in any of its three forms. --cert-hash is the hash of the TLS server's
 * certificate;
 * --flip-mic damages the Type 3 by one bit. Exit code 3 and the reason on standard error: there is no answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/crypto.h"
#include "ntlm.h"

#define MIC_AT 72

struct options {
    struct dav_ntlm_settings settings;
    const char *password, *spn;
    uint8_t cert_hash[DAV_NTLM_HASH_MAX];
    size_t cert_hash_len;
    bool flip_mic;
};

static void usage(void)
{
    fprintf(stderr, "usage: ntlm_answer LEVEL ACCOUNT PASSWORD [--spn NAME] [--cert-hash HEX] [--flip-mic]\n");
    exit(2);
}

static size_t unhex(const char *hex, uint8_t *out, size_t size)
{
    size_t len = 0;
    unsigned byte;

    for (; hex[0] && hex[1] && len < size && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[len++] = (uint8_t)byte;
    return len;
}

static void read_options(int argc, char **argv, struct options *o)
{
    if (argc < 4)
        usage();
    o->settings = (struct dav_ntlm_settings){.level = atoi(argv[1]), .user = argv[2]};
    o->password = argv[3];
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], "--flip-mic") == 0)
            o->flip_mic = true;
        else if (i + 1 < argc && strcmp(argv[i], "--spn") == 0)
            o->spn = argv[++i];
        else if (i + 1 < argc && strcmp(argv[i], "--cert-hash") == 0)
            o->cert_hash_len = unhex(argv[++i], o->cert_hash, sizeof(o->cert_hash));
        else
            usage();
    }
}

static void print_base64(const struct buf *message)
{
    struct buf text;

    buf_init(&text, 2 * DAV_NTLM_TYPE3_MAX);
    crypto_base64_encode(&text, message->data, message->len);
    puts(text.data);
    fflush(stdout);
    buf_free(&text);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct dav_ntlm_round round = {.time = 0};
    struct buf type1, type2, type3;
    char line[4 * DAV_NTLM_TYPE2_MAX], why[200];

    read_options(argc, argv, &o);
    buf_init(&type1, DAV_NTLM_TYPE1_LEN);
    buf_init(&type2, sizeof(line));
    buf_init(&type3, DAV_NTLM_TYPE3_MAX);
    dav_ntlm_negotiate(&o.settings, &type1);
    print_base64(&type1);
    if (!fgets(line, sizeof(line), stdin) || !crypto_base64_decode(&type2, line, strlen(line)))
        return 2;
    round.type1 = (const uint8_t *)type1.data;
    round.type1_len = type1.len;
    round.type2 = (const uint8_t *)type2.data;
    round.type2_len = type2.len;
    round.time = dav_ntlm_filetime(clk_wall_ms(clk_system()));
    crypto_random(round.client_challenge, sizeof(round.client_challenge));
    round.cert_hash = o.cert_hash_len > 0 ? o.cert_hash : NULL;
    round.cert_hash_len = o.cert_hash_len;
    round.spn = o.spn;
    if (dav_ntlm_authenticate(&o.settings, o.password, strlen(o.password), &round, &type3, why, sizeof(why)) !=
        DAV_NTLM_OK) {
        fprintf(stderr, "no answer: %s\n", why);
        return 3;
    }
    if (o.flip_mic)
        type3.data[MIC_AT] ^= 1;
    print_base64(&type3);
    buf_free(&type1);
    buf_free(&type2);
    buf_wipe(&type3);
    return 0;
}
