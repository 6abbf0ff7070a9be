# Loadable drivers. They are programs to automake (no libtool: one platform, one kind of object), linked
# -shared into plugins/NAME.so, so that in the build tree `--driver-dir plugins` works as it stands.
# A plugin sees the public headers, what Google plugins share, and core/{base,json} (linked in, hidden).
# It exports exactly one symbol: plugins/driver.map, checked by scripts/check-exports.
PLUGIN_CPPFLAGS = -D_GNU_SOURCE -I$(top_srcdir)/include -I$(top_srcdir)/plugins -I$(top_srcdir)/core \
	$(JSON_CFLAGS) $(OPENSSL_CFLAGS)
PLUGIN_CFLAGS = $(AM_CFLAGS)
DRIVER_LINK = -shared $(SKL_SO_LDFLAGS) $(SKL_INSTR_LDFLAGS) \
	-Wl,--version-script=$(top_srcdir)/plugins/driver.map -Wl,--exclude-libs,ALL
PLUGIN_DEPS = $(top_srcdir)/plugins/driver.map
EXTRA_DIST += plugins/driver.map
