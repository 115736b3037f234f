/*
 * sim_xml_body: what is in the XML that clients send: the properties of a PROPFIND, the SQL of a SEARCH.
 */
#ifndef SIM_XML_BODY_H
#define SIM_XML_BODY_H

#include "sim_props.h"

struct sim_xml_body {
    struct sim_prop *props; /* members of DAV:prop */
    size_t prop_count;
    bool all;        /* DAV:allprop or DAV:propname */
    const char *sql; /* text of DAV:sql; NULL: none */
    size_t sql_len;
    const char *collblob; /* text of repl:collblob; NULL: none */
};

/* False: not XML, or too much. */
bool sim_xml_body_read(struct arena *a, const char *text, size_t len, struct sim_xml_body *ret);

#endif
