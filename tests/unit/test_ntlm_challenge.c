/* ntlm_challenge: Type 2 messages cut, overlapping, boastful and huge. What is read must lie inside what was received.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ntlm_kit.h"

static const uint8_t nonce[8] = {1, 2, 3, 4, 5, 6, 7, 8};

static bool inside(const uint8_t *p, size_t len, const uint8_t *message, size_t message_len)
{
    return len == 0 || (p >= message && len <= message_len && (size_t)(p - message) <= message_len - len);
}

/* From a block of exactly that size, so that the sanitizer sees every byte too far. */
static bool parses(const struct bytes *message, struct dav_ntlm_challenge *ret)
{
    static uint8_t *exact; /* of the last call: `ret` points into it */
    char why[200] = "";
    bool ok;

    free(exact);
    exact = malloc(message->len ? message->len : 1);
    assert_non_null(exact);
    memcpy(exact, message->data, message->len);
    ok = dav_ntlm_challenge_parse(exact, message->len, ret, why, sizeof(why));
    assert_true(ok || why[0]);
    if (ok) {
        assert_true(inside(ret->target_name, ret->target_name_len, exact, message->len));
        assert_true(!ret->target_info || inside(ret->target_info, ret->target_info_len, exact, message->len));
    }
    return ok;
}

static struct bytes info_with(unsigned id, const void *value, size_t len)
{
    struct bytes info = {0};

    kit_add_pair(&info, DAV_NTLM_AV_NB_DOMAIN, "C\0O\0R\0P\0", 8);
    kit_add_pair(&info, id, value, len);
    kit_add_pair(&info, DAV_NTLM_AV_END, NULL, 0);
    return info;
}

static struct bytes ordinary(void)
{
    struct bytes info = info_with(DAV_NTLM_AV_TIME, "TIMESTMP", 8);

    return kit_type2(KIT_FLAGS | DAV_NTLM_VERSION, nonce, &info);
}

/* However it is cut: an error, or (where only payload nobody asked for is missing) nothing read outside. */
static void cut_everywhere(void **state)
{
    struct bytes whole = ordinary(), cut = whole;
    struct dav_ntlm_challenge c;

    (void)state;
    assert_true(parses(&whole, &c));
    assert_true(c.has_time && c.has_version);
    for (cut.len = 0; cut.len < whole.len; cut.len++)
        assert_false(parses(&cut, &c));
}

/* Every byte to every value that tends to hurt: the answer may differ, nothing is read outside. */
static void any_byte_wrong(void **state)
{
    static const uint8_t hurting[] = {0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF};
    struct bytes whole = ordinary(), bad;
    struct dav_ntlm_challenge c;
    struct buf text;

    (void)state;
    buf_init(&text, 4096);
    for (size_t i = 0; i < whole.len; i++) {
        for (size_t k = 0; k < sizeof(hurting); k++) {
            bad = whole;
            bad.data[i] = hurting[k];
            if (!parses(&bad, &c))
                continue;
            buf_reset(&text);
            dav_ntlm_challenge_target(&c, &text);
            dav_ntlm_challenge_name(&c, DAV_NTLM_AV_NB_DOMAIN, &text);
        }
    }
    buf_free(&text);
}

static void lengths_past_the_end(void **state)
{
    static const uint32_t offsets[] = {0, 8, 31, 47, 100, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF};
    struct bytes whole = ordinary(), bad;
    struct dav_ntlm_challenge c;

    (void)state;
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        bad = whole;
        dav_ntlm_put(bad.data + 44, offsets[i], 4); /* target info */
        assert_false(parses(&bad, &c));
        bad = whole;
        dav_ntlm_put(bad.data + 16, offsets[i], 4); /* target name */
        dav_ntlm_put(bad.data + 12, 0xFFFF, 2);
        assert_false(parses(&bad, &c));
    }
}

static void overlapping(void **state)
{
    struct bytes bad = ordinary();
    struct dav_ntlm_challenge c;

    (void)state;
    dav_ntlm_put(bad.data + 16, 58, 4); /* the name is said to stand where the info stands */
    assert_false(parses(&bad, &c));
    dav_ntlm_put(bad.data + 16, 57, 4); /* its second byte does */
    assert_false(parses(&bad, &c));
    dav_ntlm_put(bad.data + 12, 0, 2); /* an empty name stands nowhere */
    assert_true(parses(&bad, &c));
    bad = ordinary();
    dav_ntlm_put(bad.data + 16, 46, 4); /* in the header */
    assert_false(parses(&bad, &c));
}

/* The largest list that a length can tell, and a message of a million bytes around it. */
static void a_million_bytes(void **state)
{
    size_t len = 1000000;
    uint8_t *huge = calloc(1, len);
    struct bytes start = ordinary();
    struct dav_ntlm_challenge c;
    char why[200];

    (void)state;
    assert_non_null(huge);
    memcpy(huge, start.data, start.len);
    dav_ntlm_put(huge + 40, 0xFFFF, 2);
    assert_false(dav_ntlm_challenge_parse(huge, len, &c, why, sizeof(why)));
    assert_false(dav_ntlm_challenge_parse(huge, DAV_NTLM_TYPE2_MAX + 1, &c, why, sizeof(why)));
    assert_false(dav_ntlm_challenge_parse(huge, DAV_NTLM_TYPE2_MAX, &c, why, sizeof(why)));
    dav_ntlm_put(huge + 40, DAV_NTLM_TYPE2_MAX - 58, 2);
    assert_true(dav_ntlm_challenge_parse(huge, DAV_NTLM_TYPE2_MAX, &c, why, sizeof(why)));
    free(huge);
}

static void pairs_that_lie(void **state)
{
    struct bytes info, message;
    struct dav_ntlm_challenge c;

    (void)state;
    info = info_with(DAV_NTLM_AV_TIME, "short", 5);
    message = kit_type2(KIT_FLAGS, nonce, &info);
    assert_false(parses(&message, &c));
    info = info_with(DAV_NTLM_AV_FLAGS, "\0\0", 2);
    message = kit_type2(KIT_FLAGS, nonce, &info);
    assert_false(parses(&message, &c));
    info = info_with(DAV_NTLM_AV_TIME, "TIMESTMP", 8);
    info.len -= 4;
    kit_add_pair(&info, DAV_NTLM_AV_TIME, "OTHERONE", 8); /* which of the two would be meant? */
    message = kit_type2(KIT_FLAGS, nonce, &info);
    assert_false(parses(&message, &c));
    info = info_with(DAV_NTLM_AV_FLAGS, "\0\0\0\0", 4);
    info.len -= 4;
    kit_add_pair(&info, DAV_NTLM_AV_FLAGS, "\2\0\0\0", 4);
    message = kit_type2(KIT_FLAGS, nonce, &info);
    assert_false(parses(&message, &c));
    info = (struct bytes){0};
    kit_add_pair(&info, DAV_NTLM_AV_END, NULL, 0);
    kit_add(&info, "anything behind the end mark", 28);
    message = kit_type2(KIT_FLAGS, nonce, &info);
    assert_true(parses(&message, &c));
    assert_int_equal(c.target_info_len, 0);
}

/* A pair that claims one byte more than there is, or four, stands last in list and message. */
static void the_last_pair_lies(void **state)
{
    struct bytes info, message;
    struct dav_ntlm_challenge c;

    (void)state;
    for (size_t more = 0; more <= 5; more++) {
        info = (struct bytes){0};
        kit_add_pair(&info, DAV_NTLM_AV_NB_DOMAIN, "C\0O\0R\0P\0", 8);
        dav_ntlm_put(info.data + 2, 8 + more, 2);
        message = kit_type2(KIT_FLAGS, nonce, &info);
        assert_int_equal(parses(&message, &c), more == 0);
    }
}

/* Servers with short headers may set the flag all the same. */
static void no_room_for_target_info(void **state)
{
    struct bytes message = kit_type2(KIT_FLAGS | DAV_NTLM_VERSION, nonce, NULL);
    struct dav_ntlm_challenge c;

    (void)state;
    dav_ntlm_put(message.data + 12, 0, 2);
    for (message.len = 32; message.len < 48; message.len++) {
        assert_true(parses(&message, &c));
        assert_null(c.target_info);
        assert_false(c.has_version);
    }
}

static void what_it_tells(void **state)
{
    struct bytes message = ordinary();
    struct dav_ntlm_challenge c;
    struct buf text;

    (void)state;
    message.data[48] = 5;
    message.data[49] = 2;
    dav_ntlm_put(message.data + 50, 3790, 2);
    assert_true(parses(&message, &c));
    assert_memory_equal(c.nonce, nonce, 8);
    assert_int_equal(c.time, dav_ntlm_get64((const uint8_t *)"TIMESTMP"));
    assert_int_equal(c.major, 5);
    assert_int_equal(c.minor, 2);
    assert_int_equal(c.build, 3790);
    buf_init(&text, 16);
    assert_true(dav_ntlm_challenge_target(&c, &text));
    assert_string_equal(text.data, "S");
    buf_reset(&text);
    assert_true(dav_ntlm_challenge_name(&c, DAV_NTLM_AV_NB_DOMAIN, &text));
    assert_string_equal(text.data, "CORP");
    assert_false(dav_ntlm_challenge_name(&c, DAV_NTLM_AV_DNS_FOREST, &text));
    dav_ntlm_put(message.data + 20, DAV_NTLM_OEM, 4);
    memcpy(message.data + 56, "\xE9S", 2);
    assert_true(parses(&message, &c));
    assert_null(c.target_info);
    buf_reset(&text);
    assert_true(dav_ntlm_challenge_target(&c, &text));
    assert_string_equal(text.data, "\xEF\xBF\xBDS");
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_everywhere),       cmocka_unit_test(any_byte_wrong),
        cmocka_unit_test(lengths_past_the_end), cmocka_unit_test(overlapping),
        cmocka_unit_test(a_million_bytes),      cmocka_unit_test(pairs_that_lie),
        cmocka_unit_test(the_last_pair_lies),   cmocka_unit_test(no_room_for_target_info),
        cmocka_unit_test(what_it_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
