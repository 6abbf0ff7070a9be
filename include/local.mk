# include: the public headers.
sklincludedir = $(includedir)/sockerless
sklinclude_HEADERS = include/sockerless/driver.h include/sockerless/error.h include/sockerless/retry.h \
	include/sockerless/version.h
