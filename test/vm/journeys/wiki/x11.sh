# packages: xvfb xauth x11-apps xserver-xephyr
# “Use an X environment”, “3D”, “Firefox”: a program in a container draws on the host's screen, and on one of its own inside it.

# The container has the host's programs, and nothing else of it.
tree=/var/lib/machines/drawer
mkdir -p $tree/{usr,etc,tmp,root,var,proc,sys,dev,run,mnt}
for name in bin sbin lib lib64; do ln -sfn usr/$name $tree/$name; done
cp /etc/os-release /etc/passwd /etc/group $tree/etc/
cp -r /etc/alternatives /etc/ld.so.cache $tree/etc/ 2>/dev/null
mkdir -p -m 1777 /tmp/.X11-unix
screen() { xwd -root -silent -display "$1" -out "$2"; }
# drawn says whether a screen is not what it was when it was empty.
drawn() { screen "$1" "$FILES/now.xwd" && not cmp "$FILES/empty$1.xwd" "$FILES/now.xwd"; }
empty() { screen "$1" "$FILES/empty$1.xwd"; }

cookie=$(mcookie)
touch /root/.Xauthority
xauth -f /root/.Xauthority add :7 . "$cookie"
export XAUTHORITY=/root/.Xauthority
# A server that begins anew when its last client leaves does not hear the next one meanwhile: -noreset.
systemd-run -q --collect --unit=screen Xvfb :7 -screen 0 320x240x8 -auth /root/.Xauthority -nolisten tcp -noreset
require "a screen" eventually 60 empty :7
# The page's recipe: a cookie that is good under whatever host name.
give_cookie() { : >"$1" && xauth -f /root/.Xauthority nlist :7 | sed 's/^..../ffff/' | xauth -f "$1" nmerge -; }
give_cookie $tree/root/.Xauthority
on_screen() { systemd-nspawn -q --as-pid2 -D $tree --bind-ro=/usr --bind-ro=/tmp/.X11-unix --private-users=no \
    --setenv=DISPLAY=:7 --setenv=XAUTHORITY=/root/.Xauthority "$@"; }
refused() { on_screen --setenv=XAUTHORITY=/none timeout 20 xlogo; }
check "without the cookie a program may not draw" not refused
on_screen xlogo -geometry 320x240+0+0 >"$FILES/xlogo.out" 2>&1 </dev/null &
check "the program is run by ours" eventually 30 by_ours drawer
check "with it, it draws" eventually 60 drawn :7
machinectl terminate drawer
wait
check "and is gone" eventually 30 gone drawer
cp "$FILES/now.xwd" "$FILES/screenshot.xwd" 2>/dev/null

note "a screen of its own within the host's"
systemd-run -q --collect --unit=nested --setenv=DISPLAY=:7 --setenv=XAUTHORITY=/root/.Xauthority Xephyr :8 -screen 200x150 -ac -noreset
require "a nested screen" eventually 60 empty :8
on_screen --setenv=DISPLAY=:8 xlogo -geometry 200x150+0+0 >"$FILES/nested.out" 2>&1 </dev/null &
check "a program draws on it" eventually 60 drawn :8
machinectl terminate drawer
wait
systemctl stop nested

note "a device of the host, as for 3D"
mkdir -p /dev/dri
mknod -m 666 /dev/dri/card0 c 1 11 # stands for a graphics card: no node that every container has
settings drawer <<'END'
[Exec]
Boot=no
PrivateUsers=no
Parameters=/bin/sh -c 'echo drawn >/dev/dri/card0 && exec sleep infinity'
Environment=DISPLAY=:7
Environment=XAUTHORITY=/root/.Xauthority
[Files]
BindReadOnly=/usr
BindReadOnly=/tmp/.X11-unix
Bind=/dev/dri/card0
END
require "Bind=/dev/dri/card0 in the container's file" start drawer
check "is all it takes to use the device" inside drawer sh -c 'echo drawn >/dev/dri/card0'
check "it was written to" contains "$(dmesg)" drawn
screen_before() { empty :7; }
screen_before
systemd-run -q --collect --unit=inside-drawer nsenter --all --target "$(leader drawer)" env DISPLAY=:7 XAUTHORITY=/root/.Xauthority xlogo -geometry 320x240+0+0
check "a program of a container with a file draws, too" eventually 60 drawn :7
stop drawer
rm -r /dev/dri

note "by systemd-run in a booted Debian"
settings db <<'END'
[Exec]
PrivateUsers=no
[Files]
BindReadOnly=/usr:/mnt
BindReadOnly=/tmp/.X11-unix
END
stop db 2>/dev/null
require "it boots" up db
give_cookie /var/lib/machines/db/root/.Xauthority
empty :7
check "systemd-run -M starts the program" systemd-run -q -M db --setenv=DISPLAY=:7 --setenv=XAUTHORITY=/root/.Xauthority \
    --setenv=LD_LIBRARY_PATH=/mnt/lib/x86_64-linux-gnu /mnt/bin/xlogo -geometry 320x240+0+0
check "it draws" eventually 60 drawn :7
stop db
systemctl stop screen
rm -f /etc/systemd/nspawn/db.nspawn
forget drawer
check "nothing is left" eventually 20 clean
