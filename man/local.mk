# man: pages from scdoc sources, where scdoc is. The paths of this installation are filled in.
man_pages = man/sockerlessd.8 man/sockerless-agent.8 man/sockerless-gcp-simulator.8 man/sockerless.json.5 \
	man/sockerless-driver.7
EXTRA_DIST += $(man_pages:=.scd)
if HAVE_SCDOC
nodist_man_MANS = $(man_pages)
CLEANFILES += $(man_pages)
endif

# Filled in behind scdoc: to it a path's _ would be markup.
$(man_pages): %: %.scd Makefile
	$(AM_V_GEN)$(MKDIR_P) man && $(SCDOC) < $< > $@.in && $(SED) -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	    -e 's|@driverdir[@]|$(driverdir)|g' -e 's|@localstatedir[@]|$(localstatedir)|g' $@.in > $@.tmp && rm $@.in && mv $@.tmp $@
