# SPDX-License-Identifier: MIT
# Configuration, manual pages, systemd unit, completions.

EXTRA_DIST += etc/systemd/patchbay.service.in

if INSTALL_UNIT
nodist_systemdsystemunit_DATA = etc/patchbay.service
endif

etc/patchbay.service: etc/systemd/patchbay.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && \
	$(SED) -e 's|@bindir[@]|$(bindir)|g' \
	    $(srcdir)/etc/systemd/patchbay.service.in >$@.new && mv $@.new $@
CLEANFILES += etc/patchbay.service

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = etc/completions/bash/patchbay
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = etc/completions/zsh/_patchbay
fishcompletiondir = $(datadir)/fish/vendor_completions.d
dist_fishcompletion_DATA = etc/completions/fish/patchbay.fish
