# SPDX-License-Identifier: MIT
# patchbay.m4: for provider modules that are built with autoconf.

# PATCHBAY_PROVIDER([MINIMUM VERSION])
# ------------------------------------
# Finds the provider interface through pkg-config and sets, by AC_SUBST,
#   PATCHBAY_CFLAGS, PATCHBAY_LIBS   to compile and link a provider
#   PATCHBAY_ABI_MAJOR               the major number of the interface
#   patchbayproviderdir              where a provider is installed
#   PATCHBAY_PROVIDER_LDFLAGS        libtool flags of a provider
# The directory is asked for with this package's own libdir, so that
# `make distcheck` and an installation under another prefix stay in there.
AC_DEFUN([PATCHBAY_PROVIDER], [
    AC_REQUIRE([PKG_PROG_PKG_CONFIG])
    PKG_CHECK_MODULES([PATCHBAY],
        [m4_ifval([$1], [patchbay >= $1], [patchbay])])
    AC_MSG_CHECKING([for the directory of Patchbay's providers])
    dnl With a sysroot (cross compilation) pkg-config would put it in front.
    patchbayproviderdir=`unset PKG_CONFIG_SYSROOT_DIR;
        $PKG_CONFIG --define-variable=libdir="$libdir" \
            --variable=plugindir patchbay`
    AS_IF([test -z "$patchbayproviderdir"],
        [AC_MSG_ERROR([patchbay.pc names no plugindir])])
    AC_MSG_RESULT([$patchbayproviderdir])
    PATCHBAY_ABI_MAJOR=`$PKG_CONFIG --variable=abi_major patchbay`
    PATCHBAY_PROVIDER_LDFLAGS="-module -avoid-version -no-undefined -export-symbols-regex '^pbay_provider_entry\$\$' -Wl,-z,now -Wl,-z,defs"
    AC_SUBST([patchbayproviderdir])
    AC_SUBST([PATCHBAY_ABI_MAJOR])
    AC_SUBST([PATCHBAY_PROVIDER_LDFLAGS])
])
