package packages

import (
	"strings"
	"testing"
)

// testShipped asks those for whom files are shipped whether they find them where the package has them, and what they make of them.
func testShipped(t *testing.T, file string) {
	root, configuration := t.TempDir(), t.TempDir()
	command(t, "dpkg-deb", "-x", file, root)
	// firewalld and NetworkManager have no option for another root, so they get a /usr/lib with ours beside their own.
	command(t, "cp", "-a", "/usr/lib/firewalld", root+"/usr/lib")
	usr := `mount --bind ` + root + `/usr/lib/firewalld /usr/lib/firewalld; mount --bind ` + root + `/usr/lib/NetworkManager /usr/lib/NetworkManager; `
	firewall := "firewall-offline-cmd --system-config=" + configuration
	for _, ask := range []struct {
		who, command, want string
	}{
		{"systemd-tmpfiles", `systemd-tmpfiles --root=$0 --create; stat -c "%a %n" $0/run/nspawnkit $0/var/lib/machines`, "755 " + root + "/run/nspawnkit\n700 " + root + "/var/lib/machines"},
		{"systemctl preset", `systemctl --root=$0 enable networkd-lite.service; systemctl --root=$0 preset-all; systemctl --root=$0 is-enabled networkd-lite.service || true`, "disabled"},
		{"systemctl enable", `systemctl --root=$0 enable networkd-lite.service; ls $0/etc/systemd/system/multi-user.target.wants`, "networkd-lite.service"},
		{"NetworkManager", usr + `NetworkManager --print-config`, "match-device=interface-name:ve-*,interface-name:vb-*,interface-name:vz-*"},
		{"firewalld", usr + firewall + ` --check-config`, ""},
		{"firewalld's zone", usr + firewall + ` --info-zone=nspawnkit`, "services: dhcp dhcpv6 dns"},
		{"firewalld's policy", usr + firewall + ` --info-policy=nspawnkit-out`, "ingress-zones: nspawnkit"},
	} {
		if got := string(command(t, "unshare", "--mount", "sh", "-c", ask.command, root)); !strings.Contains(got, ask.want) {
			t.Errorf("%s: %s\nwithout %q", ask.who, got, ask.want)
		}
	}
}
