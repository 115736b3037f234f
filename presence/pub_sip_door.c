/*
 * pub_sip_door: who may ask the presence server, and how it answers. Nobody is let in by default: either the address is
 * one that the site trusts, or the request proves a name and a password.
 *
 * Somebody who proves it wrongly is told 403, not challenged again: a phone with an old password would else ask for
 * ever.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "pub_sip_server.h"

enum { GUESSES_PER_SECOND = 50 };

static bool is_trusted(const struct sip_server *s, const char *host);
static bool guessed_often(struct sip_server *s, bool again);
static void write_answer(const struct sip_server *s, const struct pres_sip_message *m, unsigned status,
                         const char *reason, const char *more, struct buf *out);

bool pres_sip_server_admit(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m,
                           const char **ret_account)
{
    char host[UDP_TEXT_MAX], password[PRES_SIP_PASSWORD_MAX] = "";
    int64_t now = clk_wall_s(loop_clk(s->loop));
    *ret_account = "";
    udp_peer_host(&path->peer, host);
    if (is_trusted(s, host) || (s->self_id[0] && strcmp(m->call_id, s->self_id) == 0))
        return true;
    if (!s->password || guessed_often(s, false)) {
        s->refused++;
        pres_sip_server_answer(s, path, m, 403, "Forbidden", "");
        return false;
    }
    bool known =
        m->has_credentials && m->credentials.user && s->password(s->password_arg, m->credentials.user, password);
    enum pres_sip_verdict verdict = pres_sip_guard_look(&s->guard, m, known ? password : NULL, host, now);
    mem_wipe(password, sizeof password);
    if (verdict == PRES_SIP_KNOWN) {
        *ret_account = m->credentials.user;
        return true;
    }
    if (verdict == PRES_SIP_REFUSED) {
        s->wrong++;
        guessed_often(s, true);
        log_info("sip", "a watcher's password is wrong from=%s", host);
        pres_sip_server_answer(s, path, m, 403, "Forbidden", "");
        return false;
    }
    struct buf ask;
    buf_init(&ask, 2048);
    pres_sip_guard_ask(&s->guard, &ask, host, now, verdict == PRES_SIP_STALE);
    pres_sip_server_answer(s, path, m, 401, "Unauthorized", ask.data);
    buf_free(&ask);
    return false;
}

void pres_sip_server_answer(struct sip_server *s, const struct pres_sip_path *path, const struct pres_sip_message *m,
                            unsigned status, const char *reason, const char *more)
{
    struct buf out;
    write_answer(s, m, status, reason, more, &out);
    if (!out.failed)
        pres_sip_answers_send(s->answers, path, m, out.data, out.len);
    buf_free(&out);
}

void pres_sip_server_owe(struct sip_server *s, struct pres_sip_owed **list, const struct pres_sip_path *path,
                         const struct pres_sip_message *m, unsigned status, const char *reason, const char *more)
{
    struct buf out;
    write_answer(s, m, status, reason, more, &out);
    if (!out.failed)
        pres_sip_answers_owe(s->answers, list, path, m, out.data, out.len);
    buf_free(&out);
}

bool pres_sip_server_knows(const struct sip_server *s, const char *account, const char *host)
{
    char password[PRES_SIP_PASSWORD_MAX] = "";
    if (!account[0])
        return is_trusted(s, host);
    bool known = s->password && s->password(s->password_arg, account, password);
    mem_wipe(password, sizeof password);
    return known;
}

char *pres_sip_server_tag(const struct sip_server *s, const struct pres_sip_message *m, char out[SIP_TAG_MAX])
{
    uint8_t bytes[CRYPTO_SHA256_LEN];
    char *text = mem_printf("%s\n%s", m->call_id, m->from_tag ? m->from_tag : "");
    crypto_hmac_sha256(s->guard.key, sizeof s->guard.key, text, strlen(text), bytes);
    free(text);
    for (unsigned i = 0; i < 8; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return out;
}

char *pres_sip_server_contact(const struct sip_server *s, const struct pres_sip_path *path)
{
    static const char *const parameters[] = {
        [PRES_SIP_UDP] = "", [PRES_SIP_TCP] = ";transport=tcp", [PRES_SIP_TLS] = ";transport=tls"};
    char here[UDP_TEXT_MAX];
    return mem_printf("<sip:presence@%s%s>", pres_sip_net_here(s->net, path, here), parameters[path->transport]);
}

static bool is_trusted(const struct sip_server *s, const char *host)
{
    for (size_t i = 0; i < s->trusted_count; i++)
        if (str_eq_nocase(s->trusted[i], host))
            return true;
    return false;
}

static bool guessed_often(struct sip_server *s, bool again)
{
    int64_t second = clk_mono_ms(loop_clk(s->loop)) / 1000;
    if (second != s->guess_at)
        s->guesses = 0;
    s->guess_at = second;
    s->guesses += again;
    return s->guesses >= GUESSES_PER_SECOND;
}

static void write_answer(const struct sip_server *s, const struct pres_sip_message *m, unsigned status,
                         const char *reason, const char *more, struct buf *out)
{
    char tag[SIP_TAG_MAX];
    buf_init(out, 40000);
    pres_sip_answer_begin(out, m, status, reason, pres_sip_server_tag(s, m, tag));
    buf_addf(out, "%sServer: freebusyd/%s\r\nContent-Length: 0\r\n\r\n", more, FB_VERSION);
}
