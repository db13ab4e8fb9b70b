/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ipsecmb_jobs - a cipher, then an HMAC, on many messages at once: the segments of a super-packet
 *
 * The library works on 2 to 16 messages side by side, and takes as long for one as for all of them. So rows go to it,
 * and a lone message to OpenSSL, whose bytes are the same.
 */
#ifndef CRYPTO_IPSECMB_JOBS_H
#define CRYPTO_IPSECMB_JOBS_H

#include <intel-ipsec-mb.h>

#include "crypto.h"

/* `wide`: the manager that is best for all but SHA-1 and SHA-256. 0, or -1. */
int ipsecmb_jobs_start(IMB_MGR *wide);
uint16_t ipsecmb_jobs_init(struct crypto_sa *sa, const struct ipsp_sa *given);
void ipsecmb_jobs_wipe(struct crypto_sa *sa);

#endif
