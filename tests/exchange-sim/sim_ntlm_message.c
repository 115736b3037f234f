/*
 * sim_ntlm_message: see sim_ntlm.h. Whatever a client sends is looked at with care; the verdict on it is not ours.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "sim_ntlm.h"

#include <string.h>

#define SIGNATURE "NTLMSSP"
#define TYPE1_MIN 16
#define TYPE3_MIN 52
#define NAME_MAX_BYTES 1024

enum { FLAG_UNICODE = 0x1, FLAG_REQUEST_TARGET = 0x4, FLAG_ESS = 0x80000 };

/* Offsets of the six fields of a Type 3, each a length, a room and an offset. */
enum { AT_LM = 12, AT_NT = 20, AT_DOMAIN = 28, AT_USER = 36, AT_FLAGS = 60 };

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

enum sim_ntlm_type sim_ntlm_type(const void *message, size_t len)
{
    const uint8_t *p = message;
    if (len < TYPE1_MIN || memcmp(p, SIGNATURE, sizeof(SIGNATURE)) != 0)
        return SIM_NTLM_NONE;
    uint32_t type = get32(p + 8);
    return type >= 1 && type <= 3 ? (enum sim_ntlm_type)type : SIM_NTLM_NONE;
}

struct piece {
    const uint8_t *data;
    size_t len;
};

static bool take(const uint8_t *message, size_t len, size_t at, struct piece *ret)
{
    size_t piece_len = (size_t)message[at] | (size_t)message[at + 1] << 8, offset = get32(message + at + 4);
    if (piece_len > len || offset > len - piece_len)
        return false;
    *ret = (struct piece){message + offset, piece_len};
    return true;
}

static void add_code_point(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_addc(out, (char)c);
        return;
    }
    if (c >= 0x10000)
        buf_addc(out, (char)(0xf0 | c >> 18));
    if (c >= 0x800)
        buf_addc(out, (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) : 0xe0 | c >> 12));
    buf_addc(out, (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6));
    buf_addc(out, (char)(0x80 | (c & 0x3f)));
}

static void add_name(struct buf *out, const struct piece *name, bool unicode)
{
    for (size_t i = 0; !unicode && i < name->len; i++)
        buf_addc(out, (char)(name->data[i] < 0x80 ? name->data[i] : '?'));
    for (size_t i = 0; unicode && i + 1 < name->len; i += 2) {
        uint32_t c = (uint32_t)(name->data[i] | name->data[i + 1] << 8);
        if (c >= 0xd800 && c < 0xdc00 && i + 3 < name->len) {
            uint32_t low = (uint32_t)(name->data[i + 2] | name->data[i + 3] << 8);
            c = 0x10000 + ((c - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
            i += 2;
        }
        add_code_point(out, c >= ' ' ? c : '?');
    }
}

/* In an NTLM2 session response the LM field is eight bytes of challenge and then zeros. */
static bool is_session(const struct piece *lm)
{
    static const uint8_t zeros[16];
    return lm->len == 24 && memcmp(lm->data + 8, zeros, sizeof(zeros)) == 0;
}

static void classify(const struct piece *lm, const struct piece *nt, struct sim_ntlm_answer *ret)
{
    bool copy = lm->len == nt->len && lm->len > 0 && memcmp(lm->data, nt->data, lm->len) == 0;
    if (nt->len > 24)
        ret->kind = "v2";
    else if (nt->len == 24)
        ret->kind = is_session(lm) ? "session" : "v1";
    else
        ret->kind = "lm";
    ret->lm = lm->len == 24 && nt->len <= 24 && !is_session(lm) && !copy;
}

bool sim_ntlm_read_answer(const void *message, size_t len, struct arena *arena, struct sim_ntlm_answer *ret)
{
    const uint8_t *p = message;
    struct piece lm, nt, domain, user;
    struct buf login;
    if (len < TYPE3_MIN || !take(p, len, AT_LM, &lm) || !take(p, len, AT_NT, &nt) ||
        !take(p, len, AT_DOMAIN, &domain) || !take(p, len, AT_USER, &user))
        return false;
    bool unicode = len < AT_FLAGS + 4 || (get32(p + AT_FLAGS) & FLAG_UNICODE) != 0;
    buf_init(&login, NAME_MAX_BYTES);
    add_name(&login, &domain, unicode);
    if (login.len > 0)
        buf_addc(&login, '\\');
    add_name(&login, &user, unicode);
    ret->login = arena_strndup(arena, login.data, login.len);
    buf_free(&login);
    classify(&lm, &nt, ret);
    return ret->login != NULL;
}

void sim_ntlm_ask_for_less(uint8_t *type1, size_t len, bool no_ess, bool no_info)
{
    if (len < TYPE1_MIN)
        return;
    if (no_ess)
        type1[14] &= (uint8_t) ~(FLAG_ESS >> 16);
    if (no_info)
        type1[12] &= (uint8_t)~FLAG_REQUEST_TARGET;
}
