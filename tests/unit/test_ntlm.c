/*
 * ntlm: what a level forbids is not sent, whatever the challenge says; what cannot be sent is refused in words; MIC,
 * binding and names stand where servers look for them. (The values themselves: test_ntlm_vectors.c.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "davclient/cause.h"
#include "ntlm_kit.h"

static const uint8_t nonce[8] = "nonce678", client[8] = "CHALLENG";

/* One try: what goes in has sound values unless a test changes them. */
struct
try {
    struct dav_ntlm_settings settings;
    const char *password;
    size_t password_len;
    struct dav_ntlm_round round;
    struct bytes type2;
    enum dav_ntlm_result result;
    struct buf type1, out;
    char why[200];
    const uint8_t *lm, *nt;
    size_t lm_len, nt_len;
};

static void prepare(struct try *t, int level, uint32_t flags, const struct bytes *info)
{
    memset(t, 0, sizeof(*t));
    t->settings = (struct dav_ntlm_settings){.level = level, .user = "CORP\\svc"};
    t->password = "Passw0rd";
    t->password_len = 8;
    t->type2 = kit_type2(flags, nonce, info);
    t->round.time = 0x1122334455667788;
    memcpy(t->round.client_challenge, client, 8);
    buf_init(&t->type1, DAV_NTLM_TYPE1_LEN);
    buf_init(&t->out, DAV_NTLM_TYPE3_MAX);
}

static enum dav_ntlm_result run(struct try *t)
{
    buf_reset(&t->type1);
    assert_true(dav_ntlm_negotiate(&t->settings, &t->type1));
    t->round.type1 = (const uint8_t *)t->type1.data;
    t->round.type1_len = t->type1.len;
    t->round.type2 = t->type2.data;
    t->round.type2_len = t->type2.len;
    t->result =
        dav_ntlm_authenticate(&t->settings, t->password, t->password_len, &t->round, &t->out, t->why, sizeof(t->why));
    if (t->result == DAV_NTLM_OK) {
        t->lm = kit_field(t->out.data, t->out.len, KIT_LM, &t->lm_len);
        t->nt = kit_field(t->out.data, t->out.len, KIT_NT, &t->nt_len);
    } else {
        assert_true(t->why[0]);
        assert_false(t->out.failed);
        assert_null(strstr(t->why, t->password_len ? t->password : "?"));
    }
    return t->result;
}

static void done(struct try *t)
{
    buf_free(&t->type1);
    buf_wipe(&t->out);
}

static bool sent(const struct try *t, enum kit_field field, const char *hex)
{
    size_t len;
    const uint8_t *p = kit_field(t->out.data, t->out.len, field, &len);

    return kit_is(p, len, hex);
}

static struct bytes info_of(bool timed)
{
    struct bytes info = {0};

    kit_add_pair(&info, DAV_NTLM_AV_NB_DOMAIN, "C\0O\0R\0P\0", 8);
    if (timed)
        kit_add_pair(&info, DAV_NTLM_AV_TIME, "TIMESTMP", 8);
    kit_add_pair(&info, DAV_NTLM_AV_END, NULL, 0);
    return info;
}

/* A LAN Manager server agrees to nothing but LM. Levels 2 and up have no answer for it, and nothing leaves us. */
static void too_weak_sends_nothing(void **state)
{
    struct try t;

    (void)state;
    for (int level = 0; level <= 5; level++) {
        prepare(&t, level, DAV_NTLM_OEM, NULL);
        if (level > 1)
            assert_true(buf_adds(&t.out, "before"));
        assert_int_equal(run(&t), level <= 1 ? DAV_NTLM_OK : DAV_NTLM_TOO_WEAK);
        if (level > 1) {
            assert_string_equal(t.out.data, "before");
            assert_string_equal(dav_ntlm_code(t.result), "ntlm-too-weak");
        }
        done(&t);
    }
    prepare(&t, 1, DAV_NTLM_OEM, NULL);
    t.password = "fifteen letters";
    t.password_len = 15;
    assert_int_equal(run(&t), DAV_NTLM_TOO_WEAK); /* it would be refused, and counted */
    done(&t);
}

static int strength(const struct try *t)
{
    uint8_t lm_hash[16], lm[24], v1[24];
    struct dav_ntlm_text password;

    assert_true(dav_ntlm_text_set(&password, t->password, t->password_len, DAV_NTLM_PASSWORD_UNITS));
    dav_ntlm_lm_hash(t->password, t->password_len, lm_hash);
    dav_ntlm_desl(lm_hash, nonce, lm);
    dav_ntlm_nt_hash(&password, lm_hash);
    dav_ntlm_desl(lm_hash, nonce, v1);
    if (memcmp(t->lm, lm, 24) == 0)
        return 0;
    return t->nt_len > 24 ? 3 : memcmp(t->nt, v1, 24) == 0 ? 1 : 2;
}

/* Every single flag alone, every one missing, and the whole field at random: never an LM answer from level 2 on, never
 * anything but NTLMv2 at level 3. */
static void no_flag_weakens(void **state)
{
    struct bytes info = info_of(false);
    uint32_t flags, random = 12345;
    struct try t;

    (void)state;
    for (int i = 0; i < 264; i++) {
        random = random * 1664525 + 1013904223;
        flags = i < 32 ? 1U << i : i < 64 ? ~(1U << (i - 32)) : random;
        for (int level = 0; level <= 6; level++) {
            prepare(&t, level == 6 ? -1 : level, flags, &info);
            if (run(&t) == DAV_NTLM_OK) {
                assert_true(strength(&t) >= (level >= 3 ? 3 : level == 2 ? 1 : 0));
                assert_true(level == 0 || level >= 3 || !(flags & DAV_NTLM_ESS) || strength(&t) == 2);
            } else {
                assert_int_equal(t.result, DAV_NTLM_TOO_WEAK);
                assert_int_equal(t.out.len, 0);
            }
            done(&t);
        }
    }
}

static void level_names(void **state)
{
    (void)state;
    assert_true(dav_ntlm_level_has_lm(0));
    assert_true(dav_ntlm_level_has_lm(1));
    for (int level = 2; level <= 6; level++)
        assert_false(dav_ntlm_level_has_lm(level));
    assert_false(dav_ntlm_level_has_lm(-1));
}

static void forms_of_the_name(void **state)
{
    struct try t;

    (void)state;
    prepare(&t, 3, KIT_FLAGS, NULL);
    assert_int_equal(run(&t), DAV_NTLM_OK);
    assert_true(sent(&t, KIT_DOMAIN, "43004f0052005000") && sent(&t, KIT_USER, "730076006300"));
    assert_true(sent(&t, KIT_WORKSTATION, "4700410054004500570041005900") && sent(&t, KIT_KEY, ""));
    done(&t);
    prepare(&t, 3, KIT_FLAGS, NULL);
    t.settings = (struct dav_ntlm_settings){.level = 3, .user = "s@c", .domain = "CORP", .workstation = "W"};
    assert_int_equal(run(&t), DAV_NTLM_OK);
    assert_true(sent(&t, KIT_DOMAIN, "") && sent(&t, KIT_USER, "730040006300") && sent(&t, KIT_WORKSTATION, "5700"));
    done(&t);
    prepare(&t, 3, KIT_FLAGS, NULL);
    t.settings = (struct dav_ntlm_settings){.level = 3, .user = "s"};
    assert_int_equal(run(&t), DAV_NTLM_OK);
    assert_true(sent(&t, KIT_DOMAIN, "") && sent(&t, KIT_USER, "7300"));
    done(&t);
}

/* Servers that take OEM strings do not say in which code page. */
static void names_in_oem(void **state)
{
    uint32_t flags = (KIT_FLAGS & ~DAV_NTLM_UNICODE) | DAV_NTLM_OEM;
    struct try t;

    (void)state;
    prepare(&t, 3, flags, NULL);
    t.password = "pässwörd"; /* hashed, not sent: may be anything */
    t.password_len = strlen(t.password);
    assert_int_equal(run(&t), DAV_NTLM_OK);
    assert_true(sent(&t, KIT_DOMAIN, "434f5250") && sent(&t, KIT_USER, "737663"));
    assert_int_equal(dav_ntlm_get32((const uint8_t *)t.out.data + KIT_FLAGS_AT) & 3, DAV_NTLM_OEM);
    t.settings.user = "CORP\\jörg";
    assert_int_equal(run(&t), DAV_NTLM_NAME);
    done(&t);
    prepare(&t, 3, flags | DAV_NTLM_UNICODE, NULL);
    t.settings.user = "CORP\\jörg";
    assert_int_equal(run(&t), DAV_NTLM_OK);
    assert_int_equal(dav_ntlm_get32((const uint8_t *)t.out.data + KIT_FLAGS_AT) & 3, DAV_NTLM_UNICODE);
    done(&t);
}

static void what_cannot_be_sent(void **state)
{
    char letters[400];
    struct try t;

    (void)state;
    memset(letters, 'x', sizeof(letters));
    prepare(&t, 3, KIT_FLAGS, NULL);
    letters[256] = '\0';
    t.settings.user = letters;
    t.password = letters;
    t.password_len = 256;
    assert_int_equal(run(&t), DAV_NTLM_OK);
    letters[256] = 'x';
    letters[257] = '\0';
    assert_int_equal(run(&t), DAV_NTLM_NAME);
    t.settings.user = "svc";
    t.password_len = 257;
    assert_int_equal(run(&t), DAV_NTLM_PASSWORD);
    t.password = "\xE4";
    t.password_len = 1;
    assert_int_equal(run(&t), DAV_NTLM_PASSWORD);
    t.password_len = 0;
    t.settings.user = "j\xF6rg";
    assert_int_equal(run(&t), DAV_NTLM_NAME);
    t.settings.user = "CORP\\";
    assert_int_equal(run(&t), DAV_NTLM_NAME);
    t.settings.user = "svc";
    t.settings.workstation = "\xFF";
    assert_int_equal(run(&t), DAV_NTLM_NAME);
    t.settings.workstation = NULL;
    t.round.spn = "\xFF";
    assert_int_equal(run(&t), DAV_NTLM_NAME);
    t.round.spn = NULL;
    t.type2.data[0] = 'X';
    assert_int_equal(run(&t), DAV_NTLM_MALFORMED);
    done(&t);
}

static void an_answer_too_large(void **state)
{
    struct try t;
    size_t needed;

    (void)state;
    prepare(&t, 3, KIT_FLAGS, NULL);
    assert_int_equal(run(&t), DAV_NTLM_OK);
    needed = t.out.len;
    done(&t);
    prepare(&t, 3, KIT_FLAGS, NULL);
    buf_init(&t.out, needed - 1);
    assert_int_equal(run(&t), DAV_NTLM_TOO_LARGE);
    assert_int_equal(t.out.len, 0);
    buf_init(&t.out, needed);
    assert_int_equal(run(&t), DAV_NTLM_OK);
    done(&t);
}

/* The largest challenge that is read has an answer that fits. */
static void the_largest_challenge(void **state)
{
    static uint8_t filler[DAV_NTLM_TYPE2_MAX];
    struct bytes info = {0};
    char spn[300];
    struct try t;

    (void)state;
    kit_add_pair(&info, DAV_NTLM_AV_TIME, "TIMESTMP", 8);
    kit_add_pair(&info, 77, filler, DAV_NTLM_TYPE2_MAX - 58 - 12 - 4);
    prepare(&t, 3, KIT_FLAGS, &info);
    assert_int_equal(t.type2.len, DAV_NTLM_TYPE2_MAX);
    memset(spn, 'h', sizeof(spn) - 1);
    spn[sizeof(spn) - 1] = '\0';
    t.round.spn = spn;
    assert_int_equal(run(&t), DAV_NTLM_OK);
    assert_true(t.out.len < DAV_NTLM_TYPE3_MAX);
    done(&t);
}

static void recompute_mic(const struct try *t, uint8_t out[16])
{
    struct bytes copy = {0};
    struct dav_ntlm_text user, domain, password;
    uint8_t nt_hash[16], v2_hash[16], key[16];

    kit_add(&copy, t->out.data, t->out.len);
    memset(copy.data + KIT_MIC_AT, 0, 16);
    assert_true(dav_ntlm_text_set(&user, "svc", 3, 10) && dav_ntlm_text_set(&domain, "CORP", 4, 10));
    assert_true(dav_ntlm_text_set(&password, t->password, t->password_len, 20));
    dav_ntlm_nt_hash(&password, nt_hash);
    assert_true(dav_ntlm_v2_hash(nt_hash, &user, &domain, v2_hash));
    dav_ntlm_v2_session_key(v2_hash, t->nt, key);
    dav_ntlm_mic(key,
                 (const struct crypto_piece[]){
                     {t->type1.data, t->type1.len}, {t->type2.data, t->type2.len}, {copy.data, copy.len}},
                 out);
}

/* With the server's timestamp: its time, a MIC, no LMv2. Without: our time, no MIC, LMv2. */
static void mic_and_time(void **state)
{
    static const uint8_t zeros[24];
    struct bytes info = info_of(true);
    struct try t;
    uint8_t mic[16];
    const uint8_t *flags;
    size_t len;

    (void)state;
    prepare(&t, 3, KIT_FLAGS, &info);
    assert_int_equal(run(&t), DAV_NTLM_OK);
    recompute_mic(&t, mic);
    assert_memory_equal(t.out.data + KIT_MIC_AT, mic, 16);
    assert_memory_not_equal(mic, zeros, 16);
    assert_memory_equal(t.lm, zeros, 24);
    assert_memory_equal(t.nt + DAV_NTLM_PROOF_LEN + 8, "TIMESTMP", 8);
    flags = kit_sent_pair(t.nt, t.nt_len, DAV_NTLM_AV_FLAGS, &len);
    assert_true(flags && kit_is(flags, len, "02000000"));
    done(&t);

    info = info_of(false);
    prepare(&t, 3, KIT_FLAGS, &info);
    assert_int_equal(run(&t), DAV_NTLM_OK);
    assert_memory_equal(t.out.data + KIT_MIC_AT, zeros, 16);
    assert_memory_not_equal(t.lm, zeros, 24);
    assert_true(kit_is(t.nt + DAV_NTLM_PROOF_LEN + 8, 8, "8877665544332211"));
    assert_null(kit_sent_pair(t.nt, t.nt_len, DAV_NTLM_AV_FLAGS, &len));
    done(&t);
}

/* A MIC that is promised and does not come is a wrong password to the server. */
static void no_empty_promise(void **state)
{
    struct bytes info = {0};
    struct try t;
    const uint8_t *flags;
    size_t len;

    (void)state;
    kit_add_pair(&info, DAV_NTLM_AV_FLAGS, "\x03\0\0\0", 4); /* MIC bit from the server, and another one */
    prepare(&t, 3, KIT_FLAGS, &info);
    assert_int_equal(run(&t), DAV_NTLM_OK);
    flags = kit_sent_pair(t.nt, t.nt_len, DAV_NTLM_AV_FLAGS, &len);
    assert_true(flags && kit_is(flags, len, "01000000"));
    done(&t);
}

/* What the server writes in the places of binding and target name is replaced; what nobody knows is repeated. */
static void binding_and_target(void **state)
{
    struct bytes info = {0}, hash = kit_unhex("ea05fefecc6b0bd571dbbc5baa3ed45386d0446835f7b74c85621b9983475f95");
    struct try t;
    const uint8_t *p;
    size_t len;

    (void)state;
    kit_add_pair(&info, DAV_NTLM_AV_BINDING, "the server's own", 16);
    kit_add_pair(&info, 77, "new", 3);
    kit_add_pair(&info, DAV_NTLM_AV_TARGET_NAME, "x\0", 2);
    kit_add_pair(&info, DAV_NTLM_AV_END, NULL, 0);
    prepare(&t, 3, KIT_FLAGS, &info);
    t.round.cert_hash = hash.data;
    t.round.cert_hash_len = hash.len;
    t.round.spn = "HTTP/m";
    assert_int_equal(run(&t), DAV_NTLM_OK);
    p = kit_sent_pair(t.nt, t.nt_len, DAV_NTLM_AV_BINDING, &len);
    assert_true(p && kit_is(p, len, "6586e99d81c2fc984e47172fd4dd0310"));
    p = kit_sent_pair(t.nt, t.nt_len, DAV_NTLM_AV_TARGET_NAME, &len);
    assert_true(p && kit_is(p, len, "48005400540050002f006d00"));
    p = kit_sent_pair(t.nt, t.nt_len, 77, &len);
    assert_true(p && len == 3);
    assert_true(kit_is(t.nt + t.nt_len - 8, 8, "0000000000000000")); /* end mark, end of temp */
    done(&t);

    prepare(&t, 3, KIT_FLAGS, &info);
    assert_int_equal(run(&t), DAV_NTLM_OK);
    assert_null(kit_sent_pair(t.nt, t.nt_len, DAV_NTLM_AV_BINDING, &len));
    assert_null(kit_sent_pair(t.nt, t.nt_len, DAV_NTLM_AV_TARGET_NAME, &len));
    done(&t);
}

/* What was not offered is not agreed to, whatever the challenge says. */
static void flags_that_go_back(void **state)
{
    struct try t;
    uint32_t flags;

    (void)state;
    for (int level = 0; level <= 3; level++) {
        prepare(&t, level, 0xFFFFFFFF, NULL);
        assert_int_equal(run(&t), DAV_NTLM_OK);
        flags = dav_ntlm_get32((const uint8_t *)t.out.data + KIT_FLAGS_AT);
        assert_int_equal(flags, level == 0 ? 0xA0808205 : 0xA0888205);
        done(&t);
    }
}

static void codes_are_known(void **state)
{
    (void)state;
    for (int result = DAV_NTLM_MALFORMED; result <= DAV_NTLM_NO_CRYPTO; result++)
        assert_non_null(dav_cause_find(dav_ntlm_code((enum dav_ntlm_result)result)));
    assert_string_equal(dav_ntlm_code(DAV_NTLM_OK), "");
}

static void filetime(void **state)
{
    (void)state;
    assert_int_equal(dav_ntlm_filetime(0), 116444736000000000);
    assert_int_equal(dav_ntlm_filetime(1700000000123), 133444736001230000);
    assert_int_equal(dav_ntlm_filetime(INT64_MIN), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_weak_sends_nothing),
        cmocka_unit_test(no_flag_weakens),
        cmocka_unit_test(level_names),
        cmocka_unit_test(forms_of_the_name),
        cmocka_unit_test(names_in_oem),
        cmocka_unit_test(what_cannot_be_sent),
        cmocka_unit_test(an_answer_too_large),
        cmocka_unit_test(the_largest_challenge),
        cmocka_unit_test(mic_and_time),
        cmocka_unit_test(no_empty_promise),
        cmocka_unit_test(binding_and_target),
        cmocka_unit_test(flags_that_go_back),
        cmocka_unit_test(codes_are_known),
        cmocka_unit_test(filetime),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
