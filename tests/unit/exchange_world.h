/*
 * What the tests of exchange have in common: a session with a server of canned answers, and one question at a time.
 */
#ifndef UNIT_EXCHANGE_WORLD_H
#define UNIT_EXCHANGE_WORLD_H

#include "dav_server.h"
#include "exchange.h"

static struct outcome got;

static inline int set_up(void **state)
{
    struct dav_account account;

    (void)state;
    world_begin();
    account = usual_account();
    session = session_for(&account, "secret");
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static inline void ask_about(const char *address)
{
    struct dav_question question = question_about(address);

    ask(&got, &question);
}

static inline void ask_with(const char *address, const char *path, const char *remember)
{
    struct dav_question question = question_about(address);

    question.path = path;
    question.remember = remember;
    ask(&got, &question);
}

static inline void expect_fail(const char *code)
{
    assert_string_equal(got.code, code);
    assert_int_equal(got.count, 0);
    assert_true(got.err != DAV_OK);
}

#endif
