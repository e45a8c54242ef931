# A whole Debian boots on a read-only image: with an empty root around its /usr, with an empty /var, or with all changes in memory.

image=/var/lib/machines/db
firstboot=$image/usr/lib/systemd/system/systemd-firstboot.service
# systemd-nspawn cannot show a volatile root to other users in every version.
users=${ORACLE:+PrivateUsers=no}
at() { inside db stat -f -c %T "$1"; }
cannot_write() { not inside db touch "$1/marker"; }
stop web
stop db
touch $image/etc/of-the-image
mkdir -p $image/var/of-the-image
mv $firstboot $firstboot.off # nobody is there to answer its questions

# volatile MODE: db boots in this mode.
volatile() {
    printf '[Exec]\n%s\nLinkJournal=no\n[Files]\nVolatile=%s\n' "$users" "$1" | nspawn_file db
    systemctl daemon-reload
    note "starting db with Volatile=$1"
    require "Volatile=$1: it boots" up db
}
# unchanged MODE: the container is stopped, and nothing that it wrote is in the image.
unchanged() {
    check "Volatile=$1: systemctl stop" stop db
    check "Volatile=$1: nothing is written to the image" equal "$(find $image -name marker)$(stat -c %Y $image $image/etc $image/var)" "$times"
    check "Volatile=$1: nothing is left" eventually 10 clean
}
times=$(stat -c %Y $image $image/etc $image/var)

volatile overlay
check "Volatile=overlay: the image is seen" inside db test -e /etc/of-the-image
check "Volatile=overlay: / is an overlay" equal "$(at /)" overlayfs
inside db touch /etc/marker /var/marker /usr/marker
check "Volatile=overlay: all can be written to" inside db test -e /etc/marker -a -e /var/marker -a -e /usr/marker
check "Volatile=overlay: a service inside can be started" inside db systemctl restart systemd-journald
unchanged overlay

volatile state
check "Volatile=state: the image is seen" inside db test -e /etc/of-the-image
check "Volatile=state: /var is empty and in memory" equal "$(at /var) $(inside db ls -d /var/of-the-image 2>/dev/null)" "tmpfs "
check "Volatile=state: / is read-only" cannot_write /etc
check "Volatile=state: and so is /usr" cannot_write /usr
inside db touch /var/marker
check "Volatile=state: /var can be written to" inside db test -e /var/marker
unchanged state

volatile yes
check "Volatile=yes: / is in memory" equal "$(at /)" tmpfs
check "Volatile=yes: /etc is that of a first boot" not inside db test -e /etc/of-the-image
check "Volatile=yes: /usr is the image's" inside db test -e /usr/lib/systemd/systemd
check "Volatile=yes: and read-only" cannot_write /usr
inside db touch /etc/marker /var/marker
check "Volatile=yes: the rest can be written to" inside db test -e /etc/marker -a -e /var/marker
unchanged yes

# --- --read-only alone, with the smallest of containers ---
printf '[Files]\nReadOnly=yes\n[Network]\nPrivate=yes\n' | nspawn_file tiny
systemctl daemon-reload
check "ReadOnly=yes: it starts" tiny_up tiny
check "ReadOnly=yes: / is read-only" not inside tiny busybox touch /etc/marker
check "ReadOnly=yes: also for who mounts it again" not inside tiny busybox sh -c 'busybox mount -o remount,rw,bind / && busybox touch /etc/marker'
check "ReadOnly=yes: /run and /tmp are not" inside tiny busybox touch /run/marker /tmp/marker
stop tiny

mv $firstboot.off $firstboot
rm -r $image/etc/of-the-image $image/var/of-the-image /etc/systemd/nspawn/{db,tiny}.nspawn
systemctl daemon-reload
