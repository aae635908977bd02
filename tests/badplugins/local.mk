# SPDX-License-Identifier: MIT
# tests/badplugins: modules with something wrong, for tests/unit/test_loader.
# Built by the plain compiler, as a third party would, and never installed.

bad_names = abi_two create_fails ctor_crash ctor_exit ctor_hang ctor_spy \
	entry_crash forger lying_size no_entry no_functions no_note not_json \
	note_differs null_table other_id table_abi two_notes undefined \
	wild_table wrong_magic
bad_sources = \
	tests/badplugins/abi_two.c \
	tests/badplugins/bad.h \
	tests/badplugins/create_fails.c \
	tests/badplugins/ctor_crash.c \
	tests/badplugins/ctor_exit.c \
	tests/badplugins/ctor_hang.c \
	tests/badplugins/ctor_spy.c \
	tests/badplugins/entry_crash.c \
	tests/badplugins/forger.c \
	tests/badplugins/lying_size.c \
	tests/badplugins/missing_dep.c \
	tests/badplugins/no_entry.c \
	tests/badplugins/no_functions.c \
	tests/badplugins/no_note.c \
	tests/badplugins/not_json.c \
	tests/badplugins/note_differs.c \
	tests/badplugins/nowhere.c \
	tests/badplugins/null_table.c \
	tests/badplugins/other_id.c \
	tests/badplugins/plain.c \
	tests/badplugins/table_abi.c \
	tests/badplugins/two_notes.c \
	tests/badplugins/undefined.c \
	tests/badplugins/wild_table.c \
	tests/badplugins/wrong_magic.c
EXTRA_DIST += $(bad_sources)

bad_dir = tests/badplugins/built
bad_cc = $(CC) -std=c11 -O1 -fPIC -shared -I$(top_srcdir)/sdk/include

tests/badplugins/built.stamp: $(bad_sources) $(patchbayinclude_HEADERS)
	$(AM_V_GEN)$(MKDIR_P) $(bad_dir)/v1 $(bad_dir)/v2 && \
	src=$(srcdir)/tests/badplugins && \
	for n in $(bad_names); do \
	    $(bad_cc) $$src/$$n.c -o $(bad_dir)/$$n.so || exit 1; \
	done && \
	for v in 1 2; do \
	    $(bad_cc) -DPLAIN_VERSION="\"version $$v\"" $$src/plain.c \
	        -o $(bad_dir)/v$$v/plain.so || exit 1; \
	done && \
	$(bad_cc) -Wl,-soname,libpatchbay-nowhere.so.1 $$src/nowhere.c \
	    -o $(bad_dir)/libnowhere.tmp && \
	$(bad_cc) $$src/missing_dep.c $(bad_dir)/libnowhere.tmp \
	    -o $(bad_dir)/missing_dep.so && \
	rm -f $(bad_dir)/libnowhere.tmp && \
	touch $@

check_DATA += tests/badplugins/built.stamp
CLEANFILES += tests/badplugins/built.stamp $(bad_dir)/*.so \
	$(bad_dir)/v1/*.so $(bad_dir)/v2/*.so

dist_check_SCRIPTS += tests/badplugins/beside.sh
TESTS += tests/badplugins/beside.sh
