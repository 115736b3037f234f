/*
 * pub_webhook_ready: see pub_webhook_ready.h. Written after the products' own documentation of their interfaces; the
 * tests hold them against servers that answer as it says. A kind whose `show` is "" is not told: what was told before
 * is taken back.
 */
#include "pub_webhook_ready.h"

#include <stddef.h>
#include <string.h>

#include "presence/pub_webhook.h"

static const struct pres_hook_ready ready[] = {
    {.name = "mattermost",
     .who = "/api/v4/users/me",
     .who_field = "id",
     .lookup = "/api/v4/users/email/{address}",
     .lookup_field = "id",
     .guard = "/api/v4/users/{id}/status",
     .guard_field = "status",
     .mark = "{show}",
     .method = "PUT",
     .path = "/api/v4/users/{id}/status",
     .content_type = "application/json",
     .body = "{\"user_id\":\"{id}\",\"status\":\"{show}\",\"dnd_end_time\":{expires_epoch}}",
     .release = "{\"user_id\":\"{id}\",\"status\":\"online\"}",
     .headers = {"Authorization: Bearer {token}"},
     .show = {[PRES_BUSY] = "dnd", [PRES_OOF] = "away"}},
    {.name = "rocketchat",
     .who = "/api/v1/me",
     .who_field = "_id",
     .id = "{local}",
     .guard = "/api/v1/users.getStatus?username={id}",
     .guard_field = "message",
     .mark = "{text}",
     .method = "POST",
     .path = "/api/v1/users.setStatus",
     .content_type = "application/json",
     .body = "{\"username\":\"{id}\",\"status\":\"{show}\",\"message\":\"{text}\"}",
     .release = "{\"username\":\"{id}\",\"status\":\"online\",\"message\":\"\"}",
     .headers = {"X-Auth-Token: {token}"},
     .ok_field = "success",
     .show = {[PRES_BUSY] = "busy", [PRES_OOF] = "away"}},
    {.name = "zulip",
     .who = "/api/v1/users/me",
     .who_field = "user_id",
     .lookup = "/api/v1/users/{address}",
     .lookup_field = "user.user_id",
     .guard = "/api/v1/users/{id}/status",
     .guard_field = "status.status_text",
     .mark = "{text}",
     .method = "POST",
     .path = "/api/v1/users/{id}/status",
     .content_type = "application/x-www-form-urlencoded",
     .body = "status_text={text}&emoji_name={show}",
     .release = "status_text=&emoji_name=",
     .headers = {"Authorization: Basic {basic}"},
     .show = {[PRES_BUSY] = "calendar", [PRES_OOF] = "palm_tree"},
     .text_max = 60},
    {.name = "slack",
     .who = "/auth.test",
     .who_field = "user_id",
     .lookup = "/users.lookupByEmail?email={address}",
     .lookup_field = "user.id",
     .guard = "/users.profile.get?user={id}",
     .guard_field = "profile.status_text",
     .mark = "{text}",
     .method = "POST",
     .path = "/users.profile.set",
     .content_type = "application/json; charset=utf-8",
     .body = "{\"user\":\"{id}\",\"profile\":{\"status_text\":\"{text}\",\"status_emoji\":\"{show}\","
             "\"status_expiration\":{expires_epoch}}}",
     .release = "{\"user\":\"{id}\",\"profile\":{\"status_text\":\"\",\"status_emoji\":\"\",\"status_expiration\":0}}",
     .headers = {"Authorization: Bearer {token}"},
     .ok_field = "ok",
     .why_field = "error",
     .denied = "not_authed invalid_auth account_inactive token_revoked token_expired no_permission missing_scope "
               "not_allowed_token_type",
     .show = {[PRES_BUSY] = ":calendar:", [PRES_OOF] = ":palm_tree:"},
     .text_max = 100},
    {.name = "matrix",
     .who = "/_matrix/client/v3/account/whoami",
     .who_field = "user_id",
     .id = "@{local}:{domain}",
     .guard = "/_matrix/client/v3/presence/{id}/status?user_id={id}",
     .guard_field = "status_msg",
     .mark = "{text}",
     .method = "PUT",
     .path = "/_matrix/client/v3/presence/{id}/status?user_id={id}",
     .content_type = "application/json",
     .body = "{\"presence\":\"{show}\",\"status_msg\":\"{text}\"}",
     .release = "{\"presence\":\"online\",\"status_msg\":\"\"}",
     .headers = {"Authorization: Bearer {token}"},
     .show = {[PRES_BUSY] = "unavailable", [PRES_OOF] = "unavailable"}},
};

const struct pres_hook_ready *pres_hook_ready_find(const char *name)
{
    for (size_t i = 0; name && i < sizeof ready / sizeof ready[0]; i++)
        if (strcmp(ready[i].name, name) == 0)
            return &ready[i];
    return NULL;
}

bool pres_webhook_ready(const char *name)
{
    return pres_hook_ready_find(name) != NULL;
}

const char *pres_webhook_id(const char *name)
{
    const struct pres_hook_ready *r = pres_hook_ready_find(name);
    return r ? r->id : NULL;
}
