/*
 * Responses of vmmap serve. Layer: face; only where there is libmicrohttpd. A response belongs to who made it until it is
 * queued and destroyed; NULL: out of memory.
 */
#ifndef VMM_FACE_SERVE_REPLY_H
#define VMM_FACE_SERVE_REPLY_H

#include <microhttpd.h>

#include "vmmap/err.h"

/* The policy of all that is no page. */
#define SRV_POLICY_DATA "default-src 'none'; frame-ancestors 'none'"

void srv_reply_headers(struct MHD_Response *response, const char *policy);
/* text goes with the response, or at once where there is none. */
struct MHD_Response *srv_reply_json(char *text, size_t length);
struct MHD_Response *srv_reply_error(int status);
/* The same with other words. */
struct MHD_Response *srv_reply_says(int status, const char *error);
/* *ret stays NULL where vmmap was built without its page. VMM_E_NOMEM. */
int srv_reply_page(struct MHD_Response **ret, struct vmm_err *err);

#endif
