/* advice: what to do about a cause, in the site's own names. */
#ifndef GATEWAY_ADVICE_H
#define GATEWAY_ADVICE_H

struct gw_advice_names {
    const char *server;  /* as configured */
    const char *account; /* that logs on there */
    const char *person;  /* concerned, or one of them; NULL: nobody in particular */
};

/*
 * {server}, {account} and {person} of the advice replaced, so that a command in it can be copied: behind an apostrophe,
 * where PowerShell's texts begin, apostrophes of a name, also typographic ones, are doubled. The result is the
 * caller's. `names` NULL: as it is.
 */
char *gw_advice(const char *advice, const struct gw_advice_names *names);

#endif
