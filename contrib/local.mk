# contrib: what packagers and users of other programs take from here.
EXTRA_DIST += contrib/systemd/sockerless.service.in contrib/systemd/sockerless.socket contrib/systemd/sockerless.sysusers \
	contrib/completion/sockerlessd.bash contrib/sockerless.json contrib/debian/mkdeb contrib/debian/packages

systemdunitdir = $(SYSTEMD_UNITDIR)
dist_systemdunit_DATA = contrib/systemd/sockerless.socket
nodist_systemdunit_DATA = contrib/systemd/sockerless.service
CLEANFILES += contrib/systemd/sockerless.service
contrib/systemd/sockerless.service: contrib/systemd/sockerless.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) contrib/systemd && $(SED) -e 's|@sbindir[@]|$(sbindir)|g' \
	    $(top_srcdir)/contrib/systemd/sockerless.service.in > $@.tmp && mv $@.tmp $@

# One file serves three commands; bash-completion looks each up by its name.
completiondir = $(datadir)/bash-completion/completions
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(completiondir)' '$(DESTDIR)$(prefix)/lib/sysusers.d'
	$(INSTALL_DATA) $(top_srcdir)/contrib/completion/sockerlessd.bash '$(DESTDIR)$(completiondir)/sockerlessd'
	for n in sockerless-gcp-simulator sockerless-agent; do \
	    rm -f '$(DESTDIR)$(completiondir)/'$$n && $(LN_S) sockerlessd '$(DESTDIR)$(completiondir)/'$$n || exit 1; done
	$(INSTALL_DATA) $(top_srcdir)/contrib/systemd/sockerless.sysusers '$(DESTDIR)$(prefix)/lib/sysusers.d/sockerless.conf'
uninstall-local:
	for n in sockerlessd sockerless-gcp-simulator sockerless-agent; do rm -f '$(DESTDIR)$(completiondir)/'$$n; done
	rm -f '$(DESTDIR)$(prefix)/lib/sysusers.d/sockerless.conf'

# Debian packages, in deb/. They are built apart, with Debian's paths and without instruments, whatever this tree is; and from a copy of what
# the tarball holds, since a source tree that is configured can't be built from elsewhere.
deb:
	$(AM_V_at)$(MKDIR_P) deb
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) distdir distdir=deb/source >deb/distdir.out 2>&1 || { tail -30 deb/distdir.out; exit 1; }
	$(AM_V_at)$(SHELL) deb/source/contrib/debian/mkdeb '$(abs_top_builddir)/deb/source' '$(abs_top_builddir)/deb' '$(PACKAGE_VERSION)'
CLEANFILES += e2e-make.lock
clean-local:
	rm -rf deb
.PHONY: deb
