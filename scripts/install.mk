# SPDX-License-Identifier: Apache-2.0
#
# make install: programs, libraries, the module, headers, man pages, completions, and what tells the
# system of them: p11-kit's module file, pkg-config's file, udev's rule, systemd's units, users and
# directories, the configuration. DESTDIR and PREFIX as everywhere.

BINDIR ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
MODULEDIR ?= $(LIBDIR)/pkcs11
P11KITDIR ?= $(PREFIX)/share/p11-kit/modules
UDEVDIR ?= $(PREFIX)/lib/udev/rules.d
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/$(if $(filter /usr,$(PREFIX)),zsh/vendor-completions,zsh/site-functions)
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
CONFDIR ?= $(SYSCONFDIR)/hsm
# Where Python looks depends on its version below /usr/local: the binding goes where this names a place.
PYTHONDIR ?=

# Where p11-kit looks for modules itself, their names are enough.
p11kit_modules := $(shell $(PKG_CONFIG) --variable=p11_module_path p11-kit-1)
p11kit_module = $(if $(filter $(p11kit_modules),$(MODULEDIR)),,$(MODULEDIR)/)hsm-pkcs11.so

install_bin = $(filter $(O)/hsmctl $(O)/hsm-verify $(O)/hsm-bench $(O)/hsm-fw-sign $(O)/vhsm,$(programs))
# libhsm's header and what it includes.
install_headers = $(wildcard $(addprefix include/hsm/,hsm.h operations.h wire.h mechanisms.h pkcs11.h pkcs11_derive.h))
install_uapi = $(wildcard include/uapi/linux/*.h)
install_man = $(filter $(man_pages),$(products))

# $(call install_file,MODE,FILE,DIRECTORY[,NAME])
define install_file
	install -D -m $(1) $(2) $(DESTDIR)$(3)/$(or $(4),$(notdir $(2)))

endef
install_all = $(foreach f,$(2),$(call install_file,$(1),$(f),$(3)))

define install_completion
$(call install_file,644,$(O)/completions/bash/$(1),$(BASHCOMPDIR))
$(call install_file,644,$(O)/completions/zsh/_$(1),$(ZSHCOMPDIR))
$(call install_file,644,$(O)/completions/fish/$(1).fish,$(FISHCOMPDIR))
endef

# What there is once and is changed by hand is not overwritten.
define install_conf
	test -e $(DESTDIR)$(2)/$(notdir $(1)) || install -D -m 644 $(1) $(DESTDIR)$(2)/$(notdir $(1))
endef

.PHONY: install install-programs install-library install-module install-system install-python
install: install-programs install-library install-module install-system $(if $(PYTHONDIR),install-python)

install-programs: all
	$(call install_all,755,$(install_bin),$(BINDIR))
	$(if $(firmware_src),rm -rf $(DESTDIR)$(LIBEXECDIR)/hsm/firmware)
	$(if $(firmware_src),install -d $(DESTDIR)$(LIBEXECDIR)/hsm)
	$(if $(firmware_src),cp -r $(O)/firmware $(DESTDIR)$(LIBEXECDIR)/hsm/firmware)
	$(call install_all,644,$(man_calls),$(MANDIR)/man3)
	$(if $(install_man),,@echo "no manual pages: rst2man is not installed (python3-docutils)")
	$(foreach m,$(install_man),$(call install_file,644,$(m),$(MANDIR)/man$(patsubst .%,%,$(suffix $(m)))))

	sed 's|@VERSION@|$(version)|' system/vhsm-run >$(DESTDIR)$(BINDIR)/vhsm-run && chmod 755 $(DESTDIR)$(BINDIR)/vhsm-run
	$(foreach f,$(notdir $(completed)),$(call install_completion,$(f)))

install-library: all
	$(call install_all,644,$(install_headers),$(INCLUDEDIR)/hsm)
	$(call install_all,644,$(install_uapi),$(INCLUDEDIR)/linux)
	$(call install_file,644,bindings/cpp/hsm.hpp,$(INCLUDEDIR)/hsm)
	$(call install_file,644,$(O)/libhsm.so.0,$(LIBDIR))
	ln -sf libhsm.so.0 $(DESTDIR)$(LIBDIR)/libhsm.so
	$(call install_file,644,$(O)/libhsm.a,$(LIBDIR))
	install -d $(DESTDIR)$(PKGCONFIGDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(version)|' \
		scripts/libhsm.pc.in >$(DESTDIR)$(PKGCONFIGDIR)/libhsm.pc

install-python:
	$(call install_all,644,$(wildcard $(addprefix bindings/python/integrated_hsm/,*.py py.typed)),$(PYTHONDIR)/integrated_hsm)

install-module: all
	$(call install_file,644,$(O)/hsm-pkcs11.so,$(MODULEDIR))
	install -d $(DESTDIR)$(P11KITDIR)
	echo "module: $(p11kit_module)" >$(DESTDIR)$(P11KITDIR)/hsm.module

install-system:
	$(call install_file,644,kernel/60-ihsm.rules,$(UDEVDIR))
	$(call install_file,644,system/hsm.sysusers,$(SYSUSERSDIR),hsm.conf)
	$(call install_file,644,system/vhsm.sysusers,$(SYSUSERSDIR),vhsm.conf)
	$(call install_file,644,system/vhsm.tmpfiles,$(TMPFILESDIR),vhsm.conf)
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|@BINDIR@|$(BINDIR)|' system/vhsm@.service >$(DESTDIR)$(UNITDIR)/vhsm@.service
	$(call install_file,644,system/vhsm@.socket,$(UNITDIR))
	sed 's|@BINDIR@|$(BINDIR)|' system/hsm-metrics@.service >$(DESTDIR)$(UNITDIR)/hsm-metrics@.service
	$(call install_file,644,system/hsm-metrics.socket,$(UNITDIR))
	$(call install_file,644,system/grafana/hsm.json,$(PREFIX)/share/hsm/grafana)
	$(call install_conf,system/hsm.conf,$(CONFDIR))

# Debian's packages, and what its own checker says of them.
.PHONY: deb
deb: all
	@scripts/deb $(O)
	@ls -1 build/deb/*.deb
