/*
 * What the tests of session have in common: a session with a server of canned answers (dav_server.h), and what one asks
 * of it.
 */
#ifndef UNIT_SESSION_WORLD_H
#define UNIT_SESSION_WORLD_H

#include "dav_server.h"

#include "inner.h"

static struct outcome got[64];

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

static inline void session_anew(const struct dav_account *account, const char *password)
{
    dav_session_close(&session, "another account");
    session = session_for(account, password);
}

static inline void start(unsigned i, const char *address)
{
    struct dav_question question = question_about(address);

    memset(&got[i], 0, sizeof(got[i]));
    dav_query_start(session, &question, note_result, &got[i]);
}

static inline void ask_about(const char *address)
{
    struct dav_question question = question_about(address);

    ask(&got[0], &question);
}

static inline struct dav_session_info info(void)
{
    struct dav_session_info i;

    dav_session_info(session, &i);
    return i;
}

static inline void give_secret(const char *password)
{
    struct secret *secret = secret_new(password);

    dav_session_set_secret(session, secret);
    secret_free(&secret);
}

static inline bool hold_first_mailbox(struct httpd_req *req, const char *method, const char *path, bool authorized)
{
    (void)method;
    if (!authorized || !strstr(path, "slow"))
        return false;
    hold(req);
    return true;
}

#endif
