# A container started from a shell, not from its unit: it gets a scope with the properties asked for, and leaves none.

program=${ORACLE:+systemd-nspawn}
program=${program:-nspawn-exec}
cp -a /var/lib/machines/tiny /var/lib/machines/scoped
log=$FILES/scope.log

# run starts the container with options in the background, away from the unit that journeys run in; its output is in $log.
run() {
    "$program" --quiet --machine=scoped --directory=/var/lib/machines/scoped --console=read-only --link-journal=no --settings=no \
        "$@" --boot >"$log" 2>&1 </dev/null &
    supervisor=$!
}
scope=machine-scoped.scope
# init prints the container's init, the child of the supervisor, and group its control group.
init() { awk '{print $1; exit}' "/proc/$supervisor/task/$supervisor/children" | grep .; }
group() { sed -n 's/^0:://p' "/proc/$(init)/cgroup"; }
in_scope() { contains "$(group)" "$1/"; }
running() { in_scope "$1" && test -e "/proc/$(init)/root/run/up"; }
property() { systemctl show --value -p "$1" $scope; }
gone() { ! systemctl is-active -q $scope && [ ! -e /sys/fs/cgroup/machine.slice/$scope ]; }
ends() { ! grep -q '^State:[[:space:]]*[^Z]' "/proc/$supervisor/status" 2>/dev/null; }
left() { traces | grep scoped; }
machined() { busctl --no-pager call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager GetMachine s scoped; }
halt() {
    kill "$supervisor"
    eventually 30 ends
}
again() { [ -z "$ORACLE" ] || { umount /run/systemd/nspawn/unix-export/scoped; rmdir /run/systemd/nspawn/unix-export/scoped; } 2>/dev/null; }

# --- the scope ---
run --register=no --property=MemoryMax=64M --property=CPUQuota=50% --property=TasksMax=77 --property=Description="Made by hand"
if [ -z "$ORACLE" ]; then
    require "it starts in machine-NAME.scope, in machine.slice" eventually 30 running machine.slice/$scope
    limits=/sys/fs/cgroup/machine.slice/$scope
    check "--property=MemoryMax=64M is in force" equal "$(cat $limits/memory.max)" 67108864
    check "CPUQuota=50% too" equal "$(cat $limits/cpu.max)" "50000 100000"
    check "TasksMax=77 too" equal "$(cat $limits/pids.max)" 77
    check "and a property that is no limit" equal "$(property Description)" "Made by hand"
    check "the scope is delegated" equal "$(property Delegate)" yes
    check "and has the signal that stops the container" equal "$(property KillMode)" mixed
    with_package "--register=no makes no machine" && check "--register=no makes no machine" not machined
    check "SIGTERM stops it in order" halt
    check "and the scope goes" eventually 10 gone
else
    require "it starts in a scope in machine.slice" eventually 30 running .scope # 252 leaves out "machine-" without machined
    group=/sys/fs/cgroup$(group | sed 's|\.scope.*|.scope|')
    check "--property=MemoryMax=64M is in force" equal "$(cat "$group/memory.max")" 67108864
    check "CPUQuota=50% too" equal "$(cat "$group/cpu.max")" "50000 100000"
    check "TasksMax=77 too" equal "$(cat "$group/pids.max")" 77
    check "SIGTERM stops it in order" halt
    check "and the scope goes" eventually 10 not test -e "$group"
fi

# --- the slice ---
again
run --register=no --slice=journey-scope
require "--slice= puts it into another slice" eventually 30 running journey.slice/journey-scope.slice
check "it stops" halt
check "and leaves that" eventually 10 not ls -d /sys/fs/cgroup/journey.slice/journey-scope.slice/*scope

# --- the machine ---
if with_package "--register=yes"; then
    again
    run --register=yes --property=MemoryMax=65M
    require "--register=yes" eventually 30 machined
    [ -z "$ORACLE" ] || scope=$(machinectl show --value -p Unit scoped)
    check "the machine is the scope" eventually 30 running machine.slice/$scope
    check "with the property" equal "$(cat /sys/fs/cgroup/machine.slice/$scope/memory.max)" 68157440
    check "machinectl knows its unit" equal "$(machinectl show --value -p Unit scoped)" $scope
    check "machinectl terminate ends it" machinectl terminate scoped
    check "and the supervisor" eventually 30 ends
    check "and the scope goes with it" eventually 10 gone
    if [ -z "$ORACLE" ]; then
        systemctl mask --runtime -q systemd-machined.service
        systemctl stop systemd-machined.socket systemd-machined.service 2>/dev/null
        run
        check "--register=auto goes on without systemd-machined" eventually 60 running machine.slice/$scope
        check "it stops" halt
        run --register=yes
        check "--register=yes does not" eventually 60 ends
        check "and says why" contains "$(cat "$log")" machine
        check "and leaves no scope" eventually 10 gone
        systemctl unmask --runtime -q systemd-machined.service
        systemctl start systemd-machined.socket 2>/dev/null
        systemctl start systemd-machined.service
    fi
fi

# --- kill -9 ---
if [ -z "$ORACLE" ]; then
    run --property=MemoryMax=64M
    require "it starts again" eventually 60 running machine.slice/$scope
    init=$(init)
    kill -9 "$supervisor"
    run --property=MemoryMax=64M
    check "it starts again at once after kill -9" eventually 60 running machine.slice/$scope
    check "the old init is gone" not test -d "/proc/$init"
    kill -9 "$supervisor"
    check "the scope goes after kill -9" eventually 10 gone
    check "--cleanup" "$program" --cleanup --machine=scoped --directory=/var/lib/machines/scoped
    check "nothing is left" eventually 10 not left

    # --- what cannot be ---
    refuse() { not "$program" --quiet --machine=scoped --directory=/var/lib/machines/scoped "$@" /bin/busybox true; }
    check "--property= of nothing known" refuse --property=Banana=1
    check "--property= with a bad value" refuse --property=MemoryMax=banana
fi
again
rm -rf /var/lib/machines/scoped
