/*
 * wire/record.h - output records: what a process wrote, in order, with times.
 *
 * One format in three places, byte for byte the same: the agent's output log, GET /process/output on the
 * link, and the daemon's log store (core/state/logstore.h). So "resume from offset N" means N bytes of this
 * encoding since the run began, and the daemon finds N after a kill -9 from the length of its own file.
 *
 *   0   u8   kind          (RECORD_*)
 *   1   u8   flags         0
 *   2   u16  0
 *   4   u32  length        payload bytes, big endian, at most RECORD_PAYLOAD_MAX
 *   8   i64  time          wall clock, ns since the epoch, big endian
 *   16  payload
 *
 * One write of the process is one record as far as its size allows: Docker frames are made from records
 * one to one (reference 2.3.4). The last record of a run is RECORD_EXIT, so an exit can't overtake output.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_WIRE_RECORD_H
#define SKL_WIRE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

#define RECORD_HEADER_SIZE 16u
#define RECORD_PAYLOAD_MAX (64u * 1024)

enum record_kind {
    RECORD_STDOUT = 1,   /* also a TTY's output */
    RECORD_STDERR = 2,
    RECORD_EXIT = 3,     /* payload: struct record_exit encoded; nothing follows in this run */
    RECORD_RUN = 4       /* log store only: a run began; payload: u32 run number, big endian */
};

struct record {
    uint8_t kind;
    uint32_t len;
    int64_t time;
};

void record_encode(const struct record *r, uint8_t out[RECORD_HEADER_SIZE]);
/* -1: not a record (unknown kind, non-zero reserved bytes, too long). */
int record_decode(const uint8_t in[RECORD_HEADER_SIZE], struct record *ret);

#define RECORD_EXIT_OOM 1u
#define RECORD_EXIT_REASON_MAX 512u
struct record_exit {
    int32_t code;        /* 0..255; 128+n for a death by signal n */
    int32_t signal;      /* 0: none */
    uint32_t flags;      /* RECORD_EXIT_OOM */
    char reason[RECORD_EXIT_REASON_MAX + 1]; /* human text, may be empty */
};
/* 12 bytes big endian, then the reason without NUL. Returns the payload's length. */
size_t record_exit_encode(const struct record_exit *e, uint8_t out[12 + RECORD_EXIT_REASON_MAX]);
int record_exit_decode(const uint8_t *p, size_t n, struct record_exit *ret);

/* Incremental splitter for an encoded stream that arrives in pieces. */
struct record_reader {
    uint8_t head[RECORD_HEADER_SIZE];
    size_t head_len;
    struct record cur;
    uint32_t left;       /* payload bytes of cur still to come */
};
void record_reader_init(struct record_reader *r);

/* ---- Docker's multiplexed stream frames (reference 2.3.4) ---- */
#define STDCOPY_HEADER_SIZE 8u
static inline void stdcopy_header(uint8_t out[STDCOPY_HEADER_SIZE], uint8_t stream, uint32_t len)
{
    out[0] = stream;
    out[1] = out[2] = out[3] = 0;
    out[4] = (uint8_t)(len >> 24);
    out[5] = (uint8_t)(len >> 16);
    out[6] = (uint8_t)(len >> 8);
    out[7] = (uint8_t)len;
}

#endif
