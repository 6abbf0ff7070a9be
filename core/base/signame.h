/*
 * base/signame.h - signals by name, as Docker spells them: "TERM", "SIGTERM", "term", "15", "RTMIN+3", "RTMAX-1".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_SIGNAME_H
#define SKL_BASE_SIGNAME_H

/* 1..64, or -1. */
int signame_parse(const char *s);
/* "SIGTERM"; real-time signals as "SIGRTMIN+3"; NULL when there is no such signal. A static buffer for the latter. */
const char *signame_of(int signo);

#endif
