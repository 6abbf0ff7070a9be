# Flag probing and the sets of flags. SPDX-License-Identifier: Apache-2.0
#
# The variables for Makefile.am:
#   SKL_CFLAGS       all C code               SKL_INSTR_CFLAGS   sanitizers, coverage
#   SKL_EXE_LDFLAGS  programs                 SKL_INSTR_LDFLAGS  the same for links
#   SKL_SO_LDFLAGS   plugins
# They stay out of CFLAGS and LDFLAGS, which are the user's.

# SKL_CHECK_CFLAG(FLAG, IF-YES, IF-NO)
AC_DEFUN([SKL_CHECK_CFLAG], [
    AS_VAR_PUSHDEF([skl_var], [skl_cv_cflag_$1])
    AC_CACHE_CHECK([whether $CC takes $1], [skl_var], [
        skl_save="$CFLAGS"
        CFLAGS="$CFLAGS -Werror $1"
        AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]], [[return 0;]])],
            [AS_VAR_SET([skl_var], [yes])], [AS_VAR_SET([skl_var], [no])])
        CFLAGS="$skl_save"
    ])
    AS_VAR_IF([skl_var], [yes], [$2], [$3])
    AS_VAR_POPDEF([skl_var])
])

# SKL_CHECK_LDFLAG(FLAG, IF-YES, IF-NO)
AC_DEFUN([SKL_CHECK_LDFLAG], [
    AS_VAR_PUSHDEF([skl_var], [skl_cv_ldflag_$1])
    AC_CACHE_CHECK([whether the linker takes $1], [skl_var], [
        skl_save="$LDFLAGS"
        LDFLAGS="$LDFLAGS -Werror $1"
        AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
            [AS_VAR_SET([skl_var], [yes])], [AS_VAR_SET([skl_var], [no])])
        LDFLAGS="$skl_save"
    ])
    AS_VAR_IF([skl_var], [yes], [$2], [$3])
    AS_VAR_POPDEF([skl_var])
])

AC_DEFUN([SKL_ADD_CFLAG], [SKL_CHECK_CFLAG([$1], [SKL_CFLAGS="$SKL_CFLAGS $1"])])
AC_DEFUN([SKL_ADD_INSTR], [
    SKL_CHECK_CFLAG([$1], [SKL_INSTR_CFLAGS="$SKL_INSTR_CFLAGS $1"],
        [AC_MSG_ERROR([the compiler does not take $1])])
])
AC_DEFUN([SKL_ADD_LDFLAG], [
    SKL_CHECK_LDFLAG([$1], [
        SKL_EXE_LDFLAGS="$SKL_EXE_LDFLAGS $1"
        SKL_SO_LDFLAGS="$SKL_SO_LDFLAGS $1"
    ])
])

AC_DEFUN([SKL_WARNINGS], [
    m4_foreach([flag], [[-Wall], [-Wextra], [-Wshadow], [-Wstrict-prototypes], [-Wmissing-prototypes],
        [-Wformat=2], [-Wundef], [-Wvla], [-Wcast-qual], [-Wimplicit-fallthrough], [-Wpointer-arith],
        [-Wlogical-op], [-Wno-unused-parameter]], [SKL_ADD_CFLAG(flag)])
    AS_IF([test "x$enable_werror" = xyes], [SKL_CFLAGS="$SKL_CFLAGS -Werror"])
])

AC_DEFUN([SKL_HARDENING], [
    m4_foreach([flag], [[-fstack-protector-strong], [-fstack-clash-protection], [-fcf-protection],
        [-ftrivial-auto-var-init=zero]], [SKL_ADD_CFLAG(flag)])
    # Fortified functions hide bugs from ASan, and need an optimising build.
    AS_IF([test "x$enable_sanitizers$enable_coverage$enable_fuzzing" = xnonono], [
        SKL_CHECK_CFLAG([-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3],
            [SKL_CFLAGS="$SKL_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"])
    ])
    m4_foreach([flag], [[[-Wl,-z,relro]], [[-Wl,-z,now]], [[-Wl,-z,noexecstack]], [[-Wl,--as-needed]]],
        [SKL_ADD_LDFLAG(flag)])
    SKL_CHECK_CFLAG([-fPIE], [SKL_CHECK_LDFLAG([-pie], [SKL_EXE_LDFLAGS="$SKL_EXE_LDFLAGS -pie"])])
])

AC_DEFUN([SKL_FLAGS], [
    SKL_CFLAGS="-std=gnu11" SKL_INSTR_CFLAGS="" SKL_EXE_LDFLAGS="" SKL_SO_LDFLAGS=""
    SKL_WARNINGS
    # Everything is position independent: core objects end up in programs and, some of them, in plugins.
    SKL_ADD_CFLAG([-fPIC])
    SKL_ADD_CFLAG([-fvisibility=hidden])
    AS_IF([test "x$enable_hardening" != xno], [SKL_HARDENING])
    SKL_CHECK_LDFLAG([-Wl,-z,defs], [skl_defs=-Wl,-z,defs], [skl_defs=])
    AS_IF([test "x$enable_sanitizers" = xyes], [
        SKL_ADD_INSTR([-fsanitize=address,undefined])
        SKL_ADD_INSTR([-fno-sanitize-recover=undefined])
        SKL_ADD_INSTR([-fno-omit-frame-pointer])
        # Undefined symbols of a plugin are the sanitizers' own, resolved by the program that loads it.
        AS_IF([$CC --version 2>/dev/null | grep -q clang], [skl_defs=])
    ])
    AS_IF([test "x$enable_coverage" = xyes], [SKL_ADD_INSTR([--coverage])])
    SKL_SO_LDFLAGS="$SKL_SO_LDFLAGS $skl_defs"
    AC_SUBST([SKL_CFLAGS])
    AC_SUBST([SKL_INSTR_CFLAGS])
    AC_SUBST([SKL_INSTR_LDFLAGS], ["$SKL_INSTR_CFLAGS"])
    AC_SUBST([SKL_EXE_LDFLAGS])
    AC_SUBST([SKL_SO_LDFLAGS])
])
