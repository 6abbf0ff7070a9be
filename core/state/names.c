/*
 * state/names.c - container names: what is allowed, and made-up ones.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "state/internal.h"

static const char *const adjectives[] = {
    "able",     "agile",   "amber",   "ample",    "bold",    "brave",   "bright",  "brisk",   "calm",    "candid",
    "careful",  "cheerful", "clever", "cosy",     "crisp",   "curious", "dapper",  "daring",  "deft",    "eager",
    "earnest",  "elegant", "fair",    "famous",   "fearless", "fine",   "fluent",  "fond",    "frank",   "friendly",
    "gentle",   "glad",    "golden",  "graceful", "grand",   "happy",   "hardy",   "helpful", "honest",  "hopeful",
    "humble",   "ideal",   "jolly",   "jovial",   "keen",    "kind",    "lively",  "loyal",   "lucid",   "lucky",
    "mellow",   "merry",   "mighty",  "modest",   "neat",    "nimble",  "noble",   "patient", "placid",  "polite",
    "prompt",   "proud",   "quick",   "quiet",    "radiant", "rapid",   "ready",   "robust",  "serene",  "sharp",
    "shiny",    "silent",  "simple",  "sincere",  "smart",   "smooth",  "solid",   "spry",    "steady",  "sturdy",
    "subtle",   "sunny",   "swift",   "tender",   "thrifty", "tidy",    "tranquil", "trusty", "upbeat",  "valiant",
    "vivid",    "warm",    "wise",    "witty",    "zealous", "zesty",
};

static const char *const surnames[] = {
    "abel",     "agnesi",    "ampere",   "archimedes", "babbage",  "banach",    "bernoulli", "bohr",     "boole",    "bose",
    "brahe",    "cantor",    "carnot",   "cauchy",     "chebyshev", "church",   "copernicus", "coulomb", "curie",    "dalton",
    "darwin",   "descartes", "dijkstra", "dirac",      "euclid",   "euler",     "faraday",   "fermat",   "fermi",    "fibonacci",
    "fourier",  "franklin",  "galileo",  "galois",     "gauss",    "germain",   "godel",     "goodall",  "halley",   "hamilton",
    "hawking",  "heisenberg", "hertz",   "hilbert",    "hooke",    "hopper",    "hubble",    "huygens",  "hypatia",  "jacobi",
    "joule",    "kepler",    "kirchhoff", "knuth",     "kovalevskaya", "lagrange", "lamarr", "laplace",  "lavoisier", "leibniz",
    "lovelace", "maxwell",   "mccarthy", "meitner",    "mendel",   "mendeleev", "mirzakhani", "newton",  "nightingale", "nobel",
    "noether",  "ohm",       "pascal",   "pasteur",    "pauli",    "planck",    "poincare",  "ptolemy",  "pythagoras", "raman",
    "ramanujan", "riemann",  "ritchie",  "rutherford", "sagan",    "schrodinger", "shannon", "somerville", "tesla",  "thales",
    "thompson", "torvalds",  "turing",   "volta",      "watt",     "wiles",     "wozniak",   "wright",   "wu",       "yalow",
};

#define NAME_TRIES 8

char *container_make_name(struct engine *e)
{
    for (int i = 0;; i++) {
        uint64_t r = random_u64();
        const char *adjective = adjectives[(r & 0xffffffff) % ARRAY_LEN(adjectives)];
        const char *surname = surnames[(r >> 32) % ARRAY_LEN(surnames)];
        char *name = i < NAME_TRIES ? xasprintf("%s_%s", adjective, surname)
                                    : xasprintf("%s_%s%u", adjective, surname, (unsigned)(random_u64() % 1000000));

        if (container_check_free_name(e, name, NULL) == 0)
            return name;
        free(name);
    }
}

int container_name_check(const char *name, struct skl_error *err)
{
    const char *s = name[0] == '/' ? name + 1 : name;
    size_t n = strlen(s);
    bool ok = n >= 2 && n <= 255;

    for (size_t i = 0; ok && i < n; i++)
        ok = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9') ||
             (i > 0 && strchr("_.-", s[i]) != NULL);
    if (ok)
        return 0;
    return error_set(err, SKL_ERR_INVALID, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
}
