/*
 * base/codec.c - hex, base64 and percent-encoding (str.h).
 *
 * The decoders see bytes from outside: tests/fuzz/fuzz_codec.c. On failure they leave `out` as it was.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "base/mem.h"
#include "base/str.h"

static const char hex_digits[] = "0123456789abcdef";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void hex_encode(const void *p, size_t n, char *out)
{
    const unsigned char *b = p;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = hex_digits[b[i] >> 4];
        out[2 * i + 1] = hex_digits[b[i] & 15];
    }
    out[2 * n] = '\0';
}

bool hex_decode(const char *s, size_t slen, void *out)
{
    unsigned char *b = out;

    if (slen % 2 != 0)
        return false;
    for (size_t i = 0; i < slen; i += 2) {
        int hi = hex_value(s[i]), lo = hex_value(s[i + 1]);

        if (hi < 0 || lo < 0)
            return false;
        b[i / 2] = (unsigned char)(hi << 4 | lo);
    }
    return true;
}

bool str_is_hex(const char *s)
{
    return !str_empty(s) && s[strspn(s, hex_digits)] == '\0';
}

int base64_encode(struct buf *out, const void *p, size_t n, bool url_alphabet, bool pad)
{
    static const char std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *digits = url_alphabet ? url : std;
    const unsigned char *b = p;
    char *o = n < SIZE_MAX / 2 ? buf_reserve(out, (n + 2) / 3 * 4) : NULL;
    char *start = o;

    if (o == NULL)
        return -1;
    for (; n >= 3; n -= 3, b += 3) {
        *o++ = digits[b[0] >> 2];
        *o++ = digits[(b[0] & 3) << 4 | b[1] >> 4];
        *o++ = digits[(b[1] & 15) << 2 | b[2] >> 6];
        *o++ = digits[b[2] & 63];
    }
    if (n > 0) {
        unsigned second = n == 2 ? b[1] : 0;

        *o++ = digits[b[0] >> 2];
        *o++ = digits[(b[0] & 3u) << 4 | second >> 4];
        if (n == 2)
            *o++ = digits[(second & 15) << 2];
        for (size_t i = n; pad && i < 3; i++)
            *o++ = '=';
    }
    buf_commit(out, (size_t)(o - start));
    return 0;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* The length without padding, or SIZE_MAX when padding is there and wrong. */
static size_t base64_unpadded(const char *s, size_t n)
{
    size_t pads = 0;

    while (pads < 2 && pads < n && s[n - 1 - pads] == '=')
        pads++;
    if (pads != 0 && n % 4 != 0)
        return SIZE_MAX;
    return n - pads;
}

int base64_decode(struct buf *out, const char *s, size_t n)
{
    size_t len = base64_unpadded(s, n), count = 0;
    unsigned bits = 0, nbits = 0;
    unsigned char *o;

    if (len == SIZE_MAX || len % 4 == 1)
        return -1;
    o = (unsigned char *)buf_reserve(out, len / 4 * 3 + 2);
    if (o == NULL)
        return -1;
    for (size_t i = 0; i < len; i++) {
        int v = base64_value(s[i]);

        if (v < 0)
            goto malformed;
        bits = bits << 6 | (unsigned)v;
        nbits += 6;
        if (nbits >= 8) {
            nbits -= 8;
            o[count++] = (unsigned char)(bits >> nbits);
            bits &= (1u << nbits) - 1;
        }
    }
    buf_commit(out, count);
    return 0;

malformed:
    buf_commit(out, 0);
    return -1;
}

int url_decode(struct buf *out, const char *s, size_t n, bool form)
{
    char *o = buf_reserve(out, n);
    size_t count = 0;

    if (o == NULL)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int hi, lo;

        if (s[i] != '%' && s[i] != '\0') {
            o[count++] = s[i] == '+' && form ? ' ' : s[i];
            continue;
        }
        hi = n - i > 2 ? hex_value(s[i + 1]) : -1;
        lo = n - i > 2 ? hex_value(s[i + 2]) : -1;
        if (hi < 0 || lo < 0 || (hi | lo) == 0) {
            buf_commit(out, 0);
            return -1;
        }
        o[count++] = (char)(hi << 4 | lo);
        i += 2;
    }
    buf_commit(out, count);
    return 0;
}

int url_encode(struct buf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';

        if (plain)
            buf_putc(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned char)c);
    }
    return out->overflow ? -1 : 0;
}
