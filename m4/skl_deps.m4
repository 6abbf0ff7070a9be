# Dependencies that are more than a pkg-config call. SPDX-License-Identifier: Apache-2.0

# llhttp: a library where a distribution has one, else the C sources that Debian's node-llhttp ships. These are
# compiled where they stand (core/http/local.mk writes a unit that includes them); nothing is copied.
AC_DEFUN([SKL_LLHTTP], [
    PKG_CHECK_MODULES([LLHTTP], [libllhttp], [
        skl_llhttp_from="library (pkg-config)" skl_llhttp_src=no
    ], [
        skl_llhttp_src=yes LLHTTP_CFLAGS="" LLHTTP_LIBS=""
        LLHTTP_SRCDIR="$with_llhttp_src"
        AS_CASE([$LLHTTP_SRCDIR], [/*], [], [LLHTTP_SRCDIR=`pwd`/$LLHTTP_SRCDIR])
        skl_llhttp_from="sources in $LLHTTP_SRCDIR"
        for skl_f in llhttp.c api.c http.c; do
            AS_IF([test -r "$LLHTTP_SRCDIR/$skl_f"], [],
                [AC_MSG_ERROR([llhttp not found: neither libllhttp nor $LLHTTP_SRCDIR/$skl_f (Debian: node-llhttp)])])
        done
        for skl_d in "$LLHTTP_SRCDIR" "$LLHTTP_SRCDIR/../include/llhttp" "$LLHTTP_SRCDIR/include"; do
            AS_IF([test -r "$skl_d/llhttp.h"], [LLHTTP_CFLAGS="-isystem $skl_d"; break])
        done
        AS_IF([test "x$LLHTTP_CFLAGS" != x], [], [AC_MSG_ERROR([llhttp.h not found near $LLHTTP_SRCDIR])])
        AC_SUBST([LLHTTP_SRCDIR])
    ])
    AM_CONDITIONAL([LLHTTP_FROM_SOURCE], [test "x$skl_llhttp_src" = xyes])
])

# The agent runs in images that hold nothing else: every library of it must be there as a static archive.
AC_DEFUN([SKL_STATIC_AGENT], [
    AGENT_LIBS="-levent_openssl -levent_extra -levent_core -lnghttp2 -ljson-c -lssl -lcrypto -lpthread"
    AC_CACHE_CHECK([for static archives of the agent's libraries], [skl_cv_static_agent], [
        skl_save_libs="$LIBS" skl_save_ld="$LDFLAGS"
        LIBS="$AGENT_LIBS" LDFLAGS="$LDFLAGS -static"
        AC_LINK_IFELSE([AC_LANG_PROGRAM([[
            #include <event2/event.h>
            #include <event2/bufferevent_ssl.h>
            #include <nghttp2/nghttp2.h>
            #include <json-c/json.h>
            #include <openssl/ssl.h>]], [[
            SSL_CTX *c = SSL_CTX_new(TLS_client_method());
            return event_base_new() == NULL || nghttp2_version(0) == NULL || json_object_new_object() == NULL
                || bufferevent_openssl_get_ssl(NULL) != NULL || c == NULL;]])],
            [skl_cv_static_agent=yes], [skl_cv_static_agent=no])
        LIBS="$skl_save_libs" LDFLAGS="$skl_save_ld"
    ])
    AS_IF([test "x$skl_cv_static_agent" = xyes], [],
        [AC_MSG_ERROR([the agent is a static program; a static archive among $AGENT_LIBS is missing])])
    AC_SUBST([AGENT_LIBS])
])
