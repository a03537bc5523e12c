# SPDX-License-Identifier: Apache-2.0
#
# The build. `make help` lists what there is. On a machine older than the reference
# (Debian 13) every target runs itself again inside a Debian 13 root, see scripts/root;
# where that is not so, and inside the root, the rules are in scripts/build.mk.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DEFAULT_GOAL := all
SHELL := /bin/sh
.SUFFIXES:

# As many jobs as processors, unless the caller says.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

goals := $(or $(MAKECMDGOALS),all)
local_goals := help clean clean-root

# Where this make does its work: `here` or in the `root`. NATIVE=1 and ROOT=1 decide by hand.
ifneq ($(filter-out $(local_goals),$(goals)),)
  ifdef HSM_IN_ROOT
    where := here
  else ifdef NATIVE
    where := here
  else ifdef ROOT
    where := root
  else ifeq ($(goals),check-native)
    where := none
  else ifeq ($(goals),install-kernel)
    where := here
  else ifeq ($(goals),install)
    # What runs on this machine is built with this machine's libraries.
    where := $(shell scripts/need native >&2 && echo here)
  else
    where := $(shell scripts/where)
  endif
  ifeq ($(where),)
    $(error this machine lacks what the build needs, see above)
  endif
else
  where := none
endif

# For scripts/run.
.PHONY: print-where
print-where:
	@echo $(where)

ifeq ($(where),root)

.PHONY: $(goals) in-root
$(filter-out print-where,$(goals)): in-root
	@:

# Tests of the machine's own compiler and libraries come first, their counts are carried over.
in-root: $(if $(filter check,$(goals)),native-first)
	+@scripts/root run make --no-print-directory $(goals) $(if $(filter check,$(goals)),NATIVE_COUNTS=build/native.counts)

.PHONY: native-first
native-first:
	+@rm -f build/native.counts && scripts/native-check build/native.counts

else ifeq ($(where),here)

include scripts/build.mk

endif

.PHONY: check-native
ifneq ($(where),root)
check-native:
	+@scripts/native-check
endif

ifneq ($(where),root)
.PHONY: help clean clean-root

help:
	@sed -n 's/^## \?//p' scripts/help.txt

# Everything that was built, for every system and sanitizer; the root stays, and so do the keys that
# builds made for themselves: there are boards that take no firmware but what these have signed.
clean:
	rm -rf compile_commands.json
	test ! -d build || find build -mindepth 1 ! -path 'build/*/dev-keys*' -delete 2>/dev/null || true

clean-root:
	scripts/root remove
endif
