/*
 * who: see who.h.
 */
#include "who.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http_face.h"

static const struct gw_who administrator = {.name = "administrator", .means = "control", .admin = true, .reader = true};
static const struct gw_who anonymous = {.name = "anonymous", .means = "anonymous", .reader = true};

const struct gw_who *gw_who_of(struct gw_face *face, struct httpd_req *req)
{
    (void)req;
    return face->admin ? &administrator : &anonymous;
}

struct gw_who *gw_who_ref(const struct gw_who *who)
{
    struct gw_who *copy = mem_calloc(1, sizeof *copy);
    *copy = *who;
    return copy;
}

void gw_who_unref(struct gw_who **who)
{
    free(*who);
    *who = NULL;
}
