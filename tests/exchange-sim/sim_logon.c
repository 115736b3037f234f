/*
 * sim_logon: which way of logging on the directory of a request asks for, and what somebody without rights is told.
 */
#include "base/str.h"
#include "sim.h"
#include "sim_reply.h"
#include "sim_store.h"

#include <stdlib.h>
#include <string.h>

static bool wants_forms(const struct sim_request *r)
{
    const struct sim_faults *f = &r->sim->faults;
    if (sim_fault_is(f, NULL, SIM_F_AUTH, "hybrid"))
        return str_starts_nocase(r->path, "/owa");
    return sim_fault_is(f, NULL, SIM_F_AUTH, "forms");
}

bool sim_logon(struct sim_request *r)
{
    if (sim_fault_is(&r->sim->faults, NULL, SIM_F_AUTH, "none"))
        return true;
    bool forms = wants_forms(r);
    r->account = forms ? sim_forms_account(r) : sim_basic_account(r);
    if (r->account != NULL)
        return true;
    if (forms)
        sim_forms_challenge(r);
    else
        sim_basic_challenge(r);
    return false;
}

static bool in_calendar(const struct sim_request *r)
{
    return (r->node.place == SIM_AT_FOLDER || r->node.place == SIM_AT_ITEM) && r->node.folder == SIM_FOLDER_CALENDAR;
}

bool sim_logon_deny(struct sim_request *r, const char *how)
{
    if (strcmp(how, "401") == 0) {
        sim_basic_challenge(r);
    } else if (strcmp(how, "440") == 0) {
        sim_forms_timeout(r);
    } else if (how[0] == '4') {
        sim_reply_error(r, atoi(how));
    } else if (strcmp(how, "root") == 0 ? r->node.place == SIM_AT_MAILBOX : in_calendar(r)) {
        sim_reply_error(r, 403);
    } else {
        return false;
    }
    return true;
}

bool sim_logon_may_open(struct sim_request *r, const struct sim_mailbox *m)
{
    if (r->account == NULL || sim_store_may_open(r->account, m))
        return true;
    const char *how = sim_fault_text(&r->sim->faults, m, SIM_F_NO_RIGHT);
    if (how == NULL)
        how = wants_forms(r) ? "440" : "403";
    return !sim_logon_deny(r, how);
}
