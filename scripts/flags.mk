# SPDX-License-Identifier: Apache-2.0
#
# Where output goes and which flags make it. Output of each system and sanitizer choice
# has a directory of its own, so that they live side by side.

comma := ,
version := $(shell cat VERSION)
system := $(shell . /etc/os-release && echo $${ID}-$${VERSION_ID:-unstable})
O := build/$(system)$(if $(FUZZ),-fuzz,$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE))))

# make's own values, which are there or not depending on who called it, do not count.
ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
ifneq ($(filter default undefined,$(origin AR)),)
AR := ar
endif
CLANG ?= clang
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O2 -g

PREFIX ?= /usr/local
LIBEXECDIR ?= $(PREFIX)/libexec
# Below /usr libraries are where the distribution has them.
multiarch := $(shell $(CC) -print-multiarch)
LIBDIR ?= $(PREFIX)/lib$(if $(filter /usr,$(PREFIX)),$(addprefix /,$(multiarch)))
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)

warnings := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow

# p11-kit brings the PKCS#11 header, for whose names and numbers all parts have a use.
cppflags := -Iinclude -Iinclude/uapi -I$(O)/gen $(shell $(PKG_CONFIG) --cflags p11-kit-1) \
	-D_GNU_SOURCE -DHSM_VERSION='"$(version)"' $(CPPFLAGS)

# Position-independent everywhere: objects serve libraries and programs alike.
cflags := -std=gnu11 $(warnings) -fPIC -fvisibility=hidden -fstack-protector-strong \
	-fno-strict-aliasing $(if $(WERROR),-Werror) $(CFLAGS)
ldflags := -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
pie_ldflags := -pie

# $(call rpath,%:%/../lib): where ours look for our library, % being their own place. RPATH=no: where the
# system does, as packages do.
RPATH ?= yes
rpath = $(if $(filter no,$(RPATH)),,-Wl$(comma)-rpath$(comma)'$(subst %,$$ORIGIN,$(1))')

# -fcf-protection is x86's alone.
ifneq ($(filter x86_64 i686,$(shell uname -m)),)
cflags += -fcf-protection
endif

# The fuzzers' own link adds libFuzzer's main, see tests/build.mk.
ifdef FUZZ
CC := $(CLANG)
SANITIZE := fuzzer-no-link,address,undefined
endif

ifdef SANITIZE
sanitize_flags := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
cflags += $(sanitize_flags) -O1 -DHSM_SANITIZED=1
ldflags += $(sanitize_flags)
else
cppflags += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif

pkg_cflags = $(if $(strip $(1)),$(shell $(PKG_CONFIG) --cflags $(1)))
pkg_libs = $(if $(strip $(1)),$(shell $(PKG_CONFIG) --libs $(1)))

# V=1 shows commands, otherwise one short line each.
ifdef V
q_cc :=
q_ld :=
q_ar :=
q_man :=
q_doc :=
else
q_cc = @echo "  CC    $@";
q_ld = @echo "  LD    $@";
q_ar = @echo "  AR    $@";
q_man = @echo "  MAN   $@";
q_doc = @echo "  DOC   $(@D)";
endif
