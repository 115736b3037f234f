/*
 * sim_control: what the two files of the control interface share.
 */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

struct httpd_req;
struct jv;
struct sim;

struct sim_control {
    struct sim *sim;
    struct httpd_req *req;
    const struct jv *in; /* the body, an object */
    unsigned id;         /* of /appointments/ID */
    int status;
};

struct jv *sim_control_fail(struct sim_control *c, int status, const char *why);
struct sim_file sim_control_file(const struct sim_control *c);

struct jv *sim_control_get_mailboxes(struct sim_control *c);
struct jv *sim_control_post_mailbox(struct sim_control *c);
struct jv *sim_control_delete_mailbox(struct sim_control *c);
struct jv *sim_control_get_appointments(struct sim_control *c);
struct jv *sim_control_post_appointment(struct sim_control *c);
struct jv *sim_control_patch_appointment(struct sim_control *c);
struct jv *sim_control_delete_appointment(struct sim_control *c);

#endif
