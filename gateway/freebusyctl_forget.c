/*
 * freebusyctl_forget: removes a person everywhere, and says what only an administrator can remove: the lines of the
 * configuration that still name them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "freebusyctl.h"

static void print_forgotten(const struct jv *v);

enum ctl_exit ctl_forget(const struct ctl_options *o)
{
    struct jv *v = NULL;
    char *path = ctl_path("/ctl/forget/", o->args[0]);
    enum ctl_exit result = ctl_talk(o, o->undo ? "DELETE" : "POST", path, &v);
    free(path);
    if (result != CTL_WELL)
        return result;
    if (o->json)
        ctl_print_json(v);
    else if (o->undo)
        puts("no longer forgotten; `freebusyctl reload` asks about them again, if the configuration names them");
    else
        print_forgotten(v);
    if (!jv_truth(jv_get(v, "ok"), false))
        result = CTL_NOT_WELL;
    jv_free(&v);
    return result;
}

static void print_forgotten(const struct jv *v)
{
    const struct jv *places = jv_get(v, "still_named_in");
    long long untold = (long long)jv_num(jv_get(v, "outlets_untold"), 0);
    puts(jv_truth(jv_get(v, "known"), false) ? "forgotten: nobody is asked or told about this person any more"
                                             : "nobody of this name was known; what was kept of one is gone");
    if (!jv_truth(jv_get(v, "state_clean"), true))
        puts("the state file could not be written anew: the name may still be in its unused pages; it is tried again");
    if (!jv_truth(jv_get(v, "audit_clean"), true))
        puts("the audit could not be written anew: the name is still in it; it is tried again");
    if (untold > 0)
        printf("%lld things may be left at other servers, which could not be reached in time: a retained message, a "
               "publication, a subscription\n",
               untold);
    if (!jv_truth(jv_get(v, "kept_over_restart"), true))
        puts("there is no state directory: a restart would ask about this person again");
    for (size_t i = 0; i < jv_count(places); i++)
        printf("%s%s\n", i == 0 ? "still named in the configuration; remove:\n  " : "  ",
               ctl_text(jv_at(places, i), ""));
}
