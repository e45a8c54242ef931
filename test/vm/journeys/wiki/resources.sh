# “Enable to start at boot” and “Resource control”: limits set from outside, for now and for good, and where they are seen.

a_copy limited
check "machinectl enable" machinectl enable limited
check "machines.target wants it" contains "$(systemctl show --value -p Wants machines.target)" "$(unit limited)"
check "machines.target is started at boot" systemctl -q is-enabled machines.target
require "it starts" tiny_up limited
check "it is ours" by_ours limited
set_property() { systemctl set-property "$@"; }
value() { cat "$(cgroup limited)/$1"; }
check "set-property, for good" set_property "$(unit limited)" MemoryMax=128M MemoryHigh=96M CPUQuota=50% TasksMax=55 IOWeight=77
check "set-property --runtime" set_property --runtime "$(unit limited)" CPUWeight=33
for limit in memory.max=134217728 memory.high=100663296 pids.max=55 cpu.weight=33; do
    check "${limit%=*} is in force" equal "$(value "${limit%=*}")" "${limit#*=}"
done
check "cpu.max is in force" equal "$(value cpu.max)" "50000 100000"
[ ! -e "$(cgroup limited)/io.weight" ] || check "io.weight is in force" contains "$(value io.weight)" 77
check "systemctl status shows them" contains "$(status limited 30)" "(limit: 55)"
check "memory, too" contains "$(systemctl status --no-pager "$(unit limited)")" "max: 128"
check "systemd-cgtop shows its tasks" contains "$(systemd-cgtop --batch --iterations=1 --raw)" "$(unit limited)"
check "systemctl restart" systemctl restart "$(unit limited)"
require "it is up again" eventually 30 tiny_is_up limited
check "what was set for good stays" equal "$(value memory.max) $(value pids.max)" "134217728 55"
check "systemctl revert takes it back" systemctl revert "$(unit limited)"
check "the memory is no longer limited" equal "$(show limited MemoryMax)" infinity

settings limited <<'END'
[Service]
MemoryMax=64M
IOWeight=44
END
check "limits in the container's file" systemctl restart "$(unit limited)"
check "are in force" equal "$(value memory.max)" 67108864
check "as systemctl says" equal "$(show limited IOWeight)" 44
check "machinectl disable" machinectl disable limited
forget limited
check "nothing is left" eventually 20 clean
