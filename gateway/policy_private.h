/*
 * policy_private: what the files of the policy's table share.
 */
#ifndef GATEWAY_POLICY_PRIVATE_H
#define GATEWAY_POLICY_PRIVATE_H

#include "policy_table.h"

enum gw_word_kind {
    GW_WORD_ALL,       /* "*" */
    GW_WORD_ANONYMOUS, /* "anonymous" */
    GW_WORD_GROUP,     /* "group:NAME" */
    GW_WORD_DOMAIN,    /* "@example.com" */
    GW_WORD_OUTLET,    /* "outlet:LABEL" */
    GW_WORD_PART,      /* "xmpp:im.example.com": of an outlet's audience those of that domain */
    GW_WORD_SELF,      /* "self": the asker's own */
    GW_WORD_NAME,      /* identity, address, outlet */
};

struct gw_word {
    enum gw_word_kind kind;
    char *as_written;
    char *text, *part; /* NULL: none */
};

struct gw_rule {
    struct gw_word *who, *whom;
    size_t who_count, whom_count;
    struct pres_grant grant;
    unsigned number; /* of its line in the file, or its place in the list */
    bool in_file;
};

struct gw_policy_table {
    struct gw_rule *rules;
    size_t count;
    struct pres_hours *hours; /* NULL: none */
};

void gw_policy_rule_free(struct gw_rule *r);

#endif
