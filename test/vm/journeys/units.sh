# What files and drop-ins say reaches the unit at daemon-reload: limits, dependencies between containers, [Install].

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-nspawn has no unit sections"; exit 0; fi
require "a container runs" tiny_up tiny
stop tiny
etc=/etc/systemd/nspawn kit=/etc/nspawnkit
for name in t-1 t-2 t-3; do cp -a /var/lib/machines/tiny /var/lib/machines/$name; done
mkdir -p $kit $etc/nspawn.d $etc/t-.nspawn.d /run/systemd/nspawn/t-{1,2}.nspawn.d
printf '[Service]\nTasksMax=500\nMemoryMax=32M\n' >$etc/nspawn.d/50-all.conf
printf '[Service]\nMemoryMax=64M\nCPUQuota=20%%\n' >$etc/t-.nspawn.d/60-small.conf
printf '[Service]\nMemoryMax=96M\n' >/run/systemd/nspawn/t-1.nspawn.d/70-more.conf
printf '[Service]\nIOWeight=7\n' >/run/systemd/nspawn/t-1.nspawn.d/80-io.conf
printf '[Service]\nIOWeight=8\n' >/run/systemd/nspawn/t-2.nspawn.d/80-io.conf
printf '[Unit]\nDescription=Shop %%i on %%H\n[Network]\nPrivate=yes\n[Install]\nWantedBy=machines.target\nAlias=shop@%%i.service\n' >$kit/t-1.nspawn
ln -s t-1.nspawn $kit/t-2.nspawn
printf '[Unit]\nRequires=t-1.nspawn\nAfter=t-1.nspawn\n[Network]\nPrivate=yes\n' >$etc/t-3.nspawn
systemctl daemon-reload

# --- drop-ins: for all containers, by dash prefix, for one ---
check "a drop-in for all containers" equal "$(show t-1 TasksMax) $(show tiny TasksMax)" "500 500"
check "one for all whose names begin with t-" equal "$(show t-3 MemoryMax) $(show t-3 CPUQuotaPerSecUSec)" "67108864 200ms"
check "one for t-1, in /run" equal "$(show t-1 MemoryMax) $(show t-1 CPUQuotaPerSecUSec)" "100663296 200ms"
check "t-2, a link to t-1, has it too" equal "$(show t-2 MemoryMax)" 100663296
check "but its own drop-in of the same name" equal "$(show t-1 IOWeight) $(show t-2 IOWeight)" "7 8"
check "tiny, which has no file, has what all have" equal "$(show tiny MemoryMax)" 33554432
check "specifiers mean the container" equal "$(show t-2 Description)" "Shop t-2 on $(hostname)"
shown() { nspawn-generator show "$1"; }
check "nspawn-generator show names file and line" contains "$(shown t-1)" "/run/systemd/nspawn/t-1.nspawn.d/70-more.conf:2"

# --- what an administrator does with systemd's own means wins ---
mkdir -p /etc/systemd/system/"$(unit t-1)".d
printf '[Service]\nCPUQuota=30%%\n' >/etc/systemd/system/"$(unit t-1)".d/10-mine.conf
systemctl daemon-reload
check "a drop-in of the unit wins over the file" equal "$(show t-1 CPUQuotaPerSecUSec)" 300ms
check "set-property" systemctl set-property "$(unit t-1)" MemoryMax=80M
check "wins over the file, too" equal "$(show t-1 MemoryMax)" 83886080
check "which show tells" contains "$(shown t-1)" /etc/systemd/system.control/
systemctl revert "$(unit t-1)" 2>/dev/null
rm -rf /etc/systemd/system/"$(unit t-1)".d
systemctl daemon-reload
check "systemctl revert brings the file's value back" equal "$(show t-1 MemoryMax) $(show t-1 CPUQuotaPerSecUSec)" "100663296 200ms"

# --- [Install] ---
wanted() { systemctl show --value -p Wants machines.target; }
check "WantedBy=machines.target pulls t-1 in" contains "$(wanted)" "$(unit t-1)"
check "and t-2, the link" contains "$(wanted)" "$(unit t-2)"
check "Alias= is another name of the unit" equal "$(systemctl show --value -p Id shop@t-1.service)" "$(unit t-1)"

# --- one container needs another ---
require "t-3, which requires t-1, starts" start t-3
check "t-1 was started" is_active t-1
check "before it" test "$(show t-1 ActiveEnterTimestampMonotonic)" -le "$(show t-3 InactiveExitTimestampMonotonic)"
eventually 20 tiny_is_up t-1; eventually 20 tiny_is_up t-3
check "stopping t-1" stop t-1
check "stops t-3" eventually 20 is_down t-3

# --- edits ---
require "t-1 starts" tiny_up t-1
printf '[Service]\nMemoryMax=112M\n' >/run/systemd/nspawn/t-1.nspawn.d/70-more.conf
systemctl daemon-reload
systemctl set-property "$(unit t-1)" Markers= # sets nothing; systemd 257 writes the limits then
limited() { equal "$(cat "$(cgroup t-1)/memory.max")" "$1"; }
check "an edited limit holds for the running container" eventually 10 limited 117440512
rm -r /run/systemd/nspawn/t-1.nspawn.d/80-io.conf
systemctl restart "$(unit t-1)"
eventually 20 tiny_is_up t-1
printf '[Service]\nMemoryMax=113M\n' >/run/systemd/nspawn/t-1.nspawn.d/70-more.conf
systemctl restart "$(unit t-1)"
warned() { contains "$(unit_journal t-1)" "70-more.conf:2: warning: MemoryMax=113M is not in force"; }
check "a limit that was edited without daemon-reload is warned of at the start" eventually 10 warned
eventually 20 tiny_is_up t-1
stop t-1
rm -r $etc/nspawn.d $etc/t-.nspawn.d /run/systemd/nspawn/t-{1,2}.nspawn.d
systemctl daemon-reload
check "without the drop-ins their limits are gone" equal "$(show t-1 MemoryMax) $(show tiny TasksMax)" "infinity 16384"

# --- systemd finds no fault ---
mkdir -p /run/nspawnkit-journey
cat >$etc/t-3.nspawn <<'FILE'
[Files]
Bind=/run/nspawnkit-journey:/mnt
Bind=/dev/kmsg
[Network]
Bridge=br-t.3
[Unit]
Requires=t-1.nspawn
After=t-1.nspawn
[Service]
MemoryMax=64M
CPUQuota=20%
IOWeight=10
ExecStartPre=/bin/true %i
FILE
systemctl daemon-reload
# systemd-analyze reads generated drop-ins only where it is told to look for them.
verified() { SYSTEMD_UNIT_PATH=/run/systemd/generator:/run/systemd/generator.late: systemd-analyze verify --man=no "$(unit "$1")" 2>&1 | grep -F systemd-nspawn@; }
check "nspawn-generator verify has nothing to say" equal "$(nspawn-generator verify 2>&1)" ""
cp /usr/lib/vmtest/everything.nspawn $etc/
systemctl daemon-reload
check "every line that is derived is there" contains "$(systemctl cat "$(unit everything)")" char-vfio
check "nor has systemd-analyze verify" equal "$(verified t-1)$(verified t-3)$(verified everything)" ""
check "nor has systemd itself" equal "$(journalctl --no-pager -q -b -o cat _PID=1 | grep -E '05-.*nspawn.*(Unknown|Failed to parse|ignoring)')" ""
rm $etc/everything.nspawn

rm -r $kit/t-1.nspawn $kit/t-2.nspawn $etc/t-3.nspawn /var/lib/machines/t-[123] /run/nspawnkit-journey
systemctl daemon-reload
check "without the files the units are as ever" equal "$(show t-1 Description)" "Container t-1"
