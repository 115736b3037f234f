/* ctl: the handlers behind the control socket's own routes; see ctl.c for the table, http_face.h for what a handler is.
 */
#ifndef GATEWAY_CTL_H
#define GATEWAY_CTL_H

struct gw_face;
struct httpd_req;

void gw_ctl_get_users(struct gw_face *face, struct httpd_req *req,
                      const char *rest); /* ?state=busy&server=hq: {"users":[...]} */
void gw_ctl_get_person(struct gw_face *face, struct httpd_req *req,
                       const char *rest); /* everything known of one person */
void gw_ctl_get_why(struct gw_face *face, struct httpd_req *req,
                    const char *rest); /* ?at=TIME: answered when the server answered */
void gw_ctl_get_check(struct gw_face *face, struct httpd_req *req,
                      const char *rest); /* ?server=&user=: JSON lines, see check.h */
void gw_ctl_post_refresh(struct gw_face *face, struct httpd_req *req,
                         const char *rest); /* answered when the server answered */
void gw_ctl_post_unbreak(struct gw_face *face, struct httpd_req *req, const char *rest);
void gw_ctl_post_reload(struct gw_face *face, struct httpd_req *req, const char *rest);
/* ctl_policy.c */
void gw_ctl_get_policy_test(struct gw_face *face, struct httpd_req *req, const char *rest);
void gw_ctl_get_policy_diff(struct gw_face *face, struct httpd_req *req, const char *rest);
void gw_ctl_get_audience(struct gw_face *face, struct httpd_req *req, const char *rest);
void gw_ctl_post_audience(struct gw_face *face, struct httpd_req *req, const char *rest);
/* ctl_forget.c */
void gw_ctl_post_forget(struct gw_face *face, struct httpd_req *req,
                        const char *rest); /* answered when nothing is left; see forget.h */
void gw_ctl_delete_forget(struct gw_face *face, struct httpd_req *req, const char *rest);
void gw_ctl_get_audit(struct gw_face *face, struct httpd_req *req,
                      const char *rest); /* answered when all lines are written */
void gw_ctl_get_privacy(struct gw_face *face, struct httpd_req *req, const char *rest); /* ctl_privacy.c */
void gw_ctl_get_identities(struct gw_face *face, struct httpd_req *req, const char *rest);

void gw_ctl_get_bundle(struct gw_face *face, struct httpd_req *req, const char *rest); /* ?names=yes: text/plain */
void gw_ctl_post_log(struct gw_face *face, struct httpd_req *req,
                     const char *rest); /* ?level=debug&for=15m: {"level","until"}; without: as it is */
void gw_ctl_get_trace(struct gw_face *face, struct httpd_req *req, const char *rest); /* ?for=10m: JSON lines */

#endif
