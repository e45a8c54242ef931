# Which lines of .nspawn files this systemd-nspawn refuses, and which of them we do: the same.

with_package "systemd-nspawn reads the same files" || exit 0
if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "the test itself compares both"; exit 0; fi
require "a container runs" tiny_up tiny
stop tiny
note "comparing with $(systemd-nspawn --version | head -n 1)"
compared=$(cd /tmp && NSPAWNKIT_KERNEL_TESTS=1 /usr/lib/vmtest/settings.test -test.v -test.run Oracle 2>&1) || compared+=" failed"
check "it refuses the same lines of fixed and random files, and the same options" not contains "$compared" failed
check "nothing was left out" not contains "$compared" SKIP
