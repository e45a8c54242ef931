# Files and directories of the host in a booted Debian: binds, overlays, name servers, time zone, journal, credentials.

stop web
stop db
share=/srv/share
zone=/usr/share/zoneinfo/Test/Zone
mkdir -p $share/{bound,lower,upper} ${zone%/*}
echo bound >$share/bound/file
echo lower >$share/lower/file
echo secret >$share/secret
cp -a /etc/localtime $share/localtime 2>/dev/null
printf 'TZif2' >$zone
ln -sf $zone /etc/localtime
# To other users systemd-nspawn shows overlays as nobody's; without them it maps no ids.
idmap=:idmap
[ -z "$ORACLE" ] || idmap=
nspawn_file db <<FILE
[Exec]
${ORACLE:+PrivateUsers=no}
ResolvConf=replace-host
Timezone=copy
LinkJournal=host

[Files]
Bind=/srv/share/bound:/mnt/bound$idmap
BindReadOnly=/srv/share/bound:/mnt/fixed$idmap
Bind=+/usr/lib/systemd:/mnt/of-the-image
Bind=:/mnt/empty
TemporaryFileSystem=/mnt/memory:size=1M
Overlay=/srv/share/lower:/srv/share/upper:/mnt/over
OverlayReadOnly=/srv/share/lower:/srv/share/bound:/mnt/layers
Inaccessible=/srv
FILE
systemctl daemon-reload
note "starting db with binds, overlays, LinkJournal=host"
require "a container with mounts of all kinds boots" up db

# --- mounts ---
check "Bind=: what the host has" equal "$(inside db cat /mnt/bound/file)" bound
inside db touch /mnt/bound/made
check "Bind=: what is made inside belongs to root on the host" equal "$(stat -c %u:%g $share/bound/made)" 0:0
check "BindReadOnly=: is seen" equal "$(inside db cat /mnt/fixed/file)" bound
check "BindReadOnly=: and cannot be changed" not inside db touch /mnt/fixed/other
check "Bind=+: a directory of the image" inside db test -e /mnt/of-the-image/systemd
check "Bind=: with an empty source" equal "$(inside db sh -c 'touch /mnt/empty/made; ls /mnt/empty')" made
check "TemporaryFileSystem=" equal "$(inside db stat -f -c %T /mnt/memory)" tmpfs
check "TemporaryFileSystem=: of that size" equal "$(inside db sh -c 'echo $(($(stat -f -c "%b * %S" /mnt/memory)))')" 1048576
check "Overlay=: the lower layer" equal "$(inside db cat /mnt/over/file)" lower
check "OverlayReadOnly=: the upper layer wins" equal "$(inside db cat /mnt/layers/file)" bound
check "OverlayReadOnly=: and cannot be changed" not inside db touch /mnt/layers/other
check "Inaccessible=: nothing is seen" equal "$(inside db ls -A /srv)$(inside db stat -c %a /srv)" 0
check "a service inside sees the bind" inside db systemd-run -q --wait test -e /mnt/bound/file

# --- files of /etc ---
check "ResolvConf=replace-host: the host's name servers" equal "$(inside db cat /etc/resolv.conf)" "$(cat /etc/resolv.conf)"
check "ResolvConf=replace-host: in a file" not inside db test -L /etc/resolv.conf
check "Timezone=copy: the host's time zone" equal "$(inside db cat /etc/localtime)" TZif2

# --- the journal is on the host ---
machine=$(inside db cat /etc/machine-id)
journal=/var/log/journal/$machine
inside db systemd-cat -t journey echo "written inside"
inside db journalctl --sync
found() { contains "$(journalctl --no-pager -q -o cat "$@" -t journey)" "written inside"; }
check "LinkJournal=host: a directory of the host" test -d "$journal" -a ! -L "$journal"
check "LinkJournal=host: which has the container's journal" found -D "$journal"
check "LinkJournal=host: journalctl -m" found -m
if with_package "journalctl -M"; then check "LinkJournal=host: journalctl -M" found -M db; fi

check "systemctl stop" stop db
check "what it wrote to the bind stays" test -e $share/bound/made
check "of the working directory of the overlay nothing does" equal "$(find $share -name '.#*')" ""
check "nor of the empty source" equal "$(find /var/tmp -maxdepth 1 -name 'nspawn-temp-*')" ""
check "nothing is left" eventually 10 clean
check "the journal stays" found -D "$journal"

# --- credentials ---
program=${ORACLE:+systemd-nspawn}
# inside_creds COMMAND…: runs a command in db; the unit that nspawn-exec runs in has the credential “given”.
inside_creds() {
    systemd-run -q --collect --wait --pipe -p Delegate=yes -p LoadCredential=given:$share/secret \
        "${program:-nspawn-exec}" --quiet --register=no --keep-unit --pipe -D /var/lib/machines/db --load-credential=passed:given \
        --load-credential=file:$share/secret --set-credential=said:words "$@"
}
check "credentials: systemd-creds list" equal "$(inside_creds systemd-creds list --no-legend | awk '{print $1}' | sort | xargs)" "file passed said"
check "credentials: one of the unit's" equal "$(inside_creds systemd-creds cat passed)" secret
check "credentials: one of a file" equal "$(inside_creds systemd-creds cat file)" secret
check "credentials: one of the command line" equal "$(inside_creds systemd-creds cat said)" words
check "credentials: nothing is left" eventually 10 clean

rm -r /etc/localtime ${zone%/*} /etc/systemd/nspawn/db.nspawn "$journal"
cp -a $share/localtime /etc/localtime 2>/dev/null
rm -r $share
systemctl daemon-reload
