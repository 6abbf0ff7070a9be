/*
 * base/clock.h - time. Everywhere in the code a time is an int64_t of nanoseconds: since the Unix
 * epoch for wall-clock times, since an arbitrary point for monotonic ones. 0 as a wall-clock time
 * means "never", which Docker writes as 0001-01-01T00:00:00Z.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_CLOCK_H
#define SKL_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

int64_t clock_wall(void);
int64_t clock_mono(void);

#define TIME_RFC3339_SIZE 36
/* RFC 3339 with up to nine fraction digits, trailing zeros cut as Go's RFC3339Nano, UTC "Z". */
const char *time_format_rfc3339(int64_t wall, char out[TIME_RFC3339_SIZE]);
/* Fixed nine fraction digits, 30 characters: the time stamp of `docker logs -t` (reference 2.6.3). */
const char *time_format_log(int64_t wall, char out[TIME_RFC3339_SIZE]);
bool time_parse_rfc3339(const char *s, int64_t *ret_wall);   /* any offset */

/* since/until of logs and events (reference 2.5.5, 2.6.4): seconds, seconds.fraction (taken as
 * decimal text, not as a double), RFC 3339, the beginning of it (a date, a date and hour ...; without an offset in the machine's
 * zone), or a Go duration meaning "ago". "" and "0": 0. */
bool time_parse_docker(const char *s, int64_t now_wall, int64_t *ret_wall);

/* Go durations: "1h15m30.5s", "-2m", "100ms", "0". */
bool duration_parse(const char *s, int64_t *ret_ns);
/* Docker's rough durations for humans: "Less than a second", "About a minute", "3 days". */
const char *duration_human(int64_t ns, char *out, size_t out_size);

#endif
