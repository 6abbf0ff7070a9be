# plugins/null: the smallest driver, and the template for new ones.
driver_PROGRAMS += plugins/null.so
plugins_null_so_SOURCES = plugins/null/null.c
plugins_null_so_CPPFLAGS = -D_GNU_SOURCE -I$(top_srcdir)/include
plugins_null_so_CFLAGS = $(PLUGIN_CFLAGS)
plugins_null_so_LDFLAGS = $(DRIVER_LINK)
plugins_null_so_LDADD =
EXTRA_plugins_null_so_DEPENDENCIES = $(PLUGIN_DEPS)
