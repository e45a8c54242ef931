# Limits from the one file are in force, hit what is inside and not the container, and change while it runs.

require "web is up" up web
value() { cat "$(cgroup web)/$1"; }
killed_inside() { awk '$1 == "oom_kill" {print $2}' "$(cgroup web)/memory.events"; }

check "MemoryMax=256M" equal "$(value memory.max)" 268435456
check "CPUQuota=150%" equal "$(value cpu.max)" "150000 100000"
check "TasksMax=16384" equal "$(value pids.max)" 16384

before=$(leader web) kills=$(killed_inside)
note "starting a process inside that wants 400 M"
check "a memory hog inside is killed" not inside web systemd-run -q --wait python3 -c 'hog = b"x" * (400 << 20)'
check "by the limit of the container" test "$(killed_inside)" -gt "$kills"
check "and the container lives on" equal "$(leader web) $(show web ActiveState)" "$before active"
check "and works" inside web systemd-run -q --wait true

check "systemctl set-property CPUQuota=50%" systemctl set-property "$(unit web)" CPUQuota=50%
check "takes effect at once" equal "$(value cpu.max)" "50000 100000"
check "daemon-reload" systemctl daemon-reload
check "and survives daemon-reload" equal "$(value cpu.max)" "50000 100000"
check "as does the file's own limit" equal "$(value memory.max)" 268435456
pinged() { test "$(show web WatchdogTimestampMonotonic)" -gt "$(show web ActiveEnterTimestampMonotonic)"; }
check "watchdog pings arrive, every 20 s for WatchdogSec=40s" eventually 60 pinged
observe "out-of-memory policy of the unit" "$(show web OOMPolicy)"
systemctl set-property "$(unit web)" CPUQuota=150%
