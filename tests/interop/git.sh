#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# The page on git: a commit and a tag signed by way of an SSH agent.

. tests/interop/howto.sh
need pkcs11-tool
need git
need ssh-agent

alone root
page token git
servers="$servers $SSH_AGENT_PID"
finish
