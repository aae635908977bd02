# SPDX-License-Identifier: MIT
# Configuration, manual pages, systemd unit, completions.

# Installed only where there is none yet: what an administrator wrote stays.
# Uninstalled only if nobody has changed it. Each provider's own page goes
# beside README.md, which refers to it as it lies here.
conf_files = etc/patchbay.conf \
	etc/providers.d/claude.conf \
	etc/providers.d/custom.conf \
	etc/providers.d/deepseek.conf \
	etc/providers.d/groq.conf \
	etc/providers.d/huggingface.conf \
	etc/providers.d/llamacpp.conf \
	etc/providers.d/loopback.conf \
	etc/providers.d/mistral.conf \
	etc/providers.d/ollama.conf \
	etc/providers.d/openai.conf \
	etc/providers.d/openrouter.conf \
	etc/providers.d/together.conf \
	etc/providers.d/vllm.conf \
	etc/providers.d/xai.conf
EXTRA_DIST += $(conf_files)

install-data-local:
	@for f in $(conf_files); do \
	    to="$(DESTDIR)$(confdir)/$${f#etc/}"; \
	    $(MKDIR_P) "`dirname "$$to"`" || exit 1; \
	    if test -e "$$to"; then \
	        echo "keeping $$to"; \
	    else \
	        $(INSTALL_DATA) "$(srcdir)/$$f" "$$to" || exit 1; \
	    fi; \
	done
	@for la in $(pluginlib_LTLIBRARIES); do \
	    page="`dirname $$la`/README.md"; \
	    test -f "$(srcdir)/$$page" || continue; \
	    to="$(DESTDIR)$(docdir)/$$page"; \
	    $(MKDIR_P) "`dirname "$$to"`" && \
	    $(INSTALL_DATA) "$(srcdir)/$$page" "$$to" || exit 1; \
	done

uninstall-local:
	@for f in $(conf_files); do \
	    to="$(DESTDIR)$(confdir)/$${f#etc/}"; \
	    cmp -s "$(srcdir)/$$f" "$$to" && rm -f "$$to"; \
	done; :
	@for la in $(pluginlib_LTLIBRARIES); do \
	    rm -f "$(DESTDIR)$(docdir)/`dirname $$la`/README.md"; \
	done

# What README.md refers to, and what that does, each where it lies here, so that
# the links hold: guides, the tables of fields that stand in the sources, and
# whole configurations to begin with, which tests/e2e/examples.py runs.
nobase_dist_doc_DATA = README.md LICENSE \
	etc/prices \
	etc/examples/code_generation.conf \
	etc/examples/cost_optimized.conf \
	etc/examples/default.conf \
	etc/examples/local_development.conf \
	host/dialect/MIGRATING.md \
	host/dialect/README.md \
	host/dialect/anthropic_in.h \
	host/dialect/completions_in.h \
	host/dialect/ollama_in.h \
	host/dialect/openai_body.c \
	host/dialect/responses_in.h \
	host/manager/README.md \
	host/manager/TROUBLESHOOTING.md \
	plugins/README.md \
	tests/bench/README.md \
	tests/e2e/README.md

dist_man_MANS += etc/man/patchbay.1 etc/man/patchbay.conf.5

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
