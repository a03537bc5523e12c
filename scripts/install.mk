# SPDX-License-Identifier: Apache-2.0
#
# make install: programs, libraries, the module, headers, man pages, and the configuration
# by which p11-kit finds the module. DESTDIR and PREFIX as everywhere.

BINDIR ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
MODULEDIR ?= $(LIBDIR)/pkcs11
P11KITDIR ?= $(PREFIX)/share/p11-kit/modules

install_bin = $(filter $(O)/hsmctl $(O)/hsm-verify $(O)/hsm-bench $(O)/hsm-fw-sign $(O)/vhsm,$(programs))
# libhsm's header and what it includes.
install_headers = $(wildcard $(addprefix include/hsm/,hsm.h operations.h wire.h mechanisms.h pkcs11.h))
install_uapi = $(wildcard include/uapi/linux/*.h)
install_man = $(filter $(man_pages),$(products))

.PHONY: install
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR) $(DESTDIR)$(MODULEDIR) $(DESTDIR)$(P11KITDIR) \
		$(DESTDIR)$(LIBEXECDIR)/hsm $(DESTDIR)$(INCLUDEDIR)/hsm $(DESTDIR)$(INCLUDEDIR)/linux \
		$(DESTDIR)$(PKGCONFIGDIR)
	$(if $(install_bin),install -m 755 $(install_bin) $(DESTDIR)$(BINDIR))
	$(if $(install_headers),install -m 644 $(install_headers) $(DESTDIR)$(INCLUDEDIR)/hsm)
	$(if $(install_uapi),install -m 644 $(install_uapi) $(DESTDIR)$(INCLUDEDIR)/linux)
	$(if $(libhsm_src),install -m 755 $(O)/libhsm.so.0 $(DESTDIR)$(LIBDIR))
	$(if $(libhsm_src),ln -sf libhsm.so.0 $(DESTDIR)$(LIBDIR)/libhsm.so)
	$(if $(libhsm_src),install -m 644 $(O)/libhsm.a $(DESTDIR)$(LIBDIR))
	$(if $(libhsm_src),sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(version)|' \
		scripts/libhsm.pc.in >$(DESTDIR)$(PKGCONFIGDIR)/libhsm.pc)
	$(if $(pkcs11_src),install -m 755 $(O)/hsm-pkcs11.so $(DESTDIR)$(MODULEDIR))
	$(if $(pkcs11_src),echo "module: $(MODULEDIR)/hsm-pkcs11.so" >$(DESTDIR)$(P11KITDIR)/hsm.module)
	$(if $(firmware_src),rm -rf $(DESTDIR)$(LIBEXECDIR)/hsm/firmware)
	$(if $(firmware_src),cp -r $(O)/firmware $(DESTDIR)$(LIBEXECDIR)/hsm/firmware)
	$(if $(install_man),,@echo "no manual pages: rst2man is not installed (python3-docutils)")
	$(foreach m,$(install_man),install -D -m 644 $(m) \
		$(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $(m)))/$(notdir $(m));)
