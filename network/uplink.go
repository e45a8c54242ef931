package network

import (
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"nspawnkit/settings"
)

// Uplink is what a link of the host was told about servers, IPv4 only but for DNS6, and search domains.
type Uplink struct {
	DNS, NTP, SIP []netip.Addr
	DNS6          []netip.Addr
	Domains       []string
}

// uplinks reads the states of links, each once.
type uplinks struct {
	root fs.FS
	read map[string]Uplink
}

// Uplink returns the servers of a link of the host: name is a value of UplinkInterface=. What is not known is empty. It is for one
// goroutine.
func (h Host) Uplink(name string) Uplink {
	u := h.uplinks
	if u == nil || name == ":none" {
		return Uplink{}
	}
	found, known := u.read[name]
	if !known {
		found = u.find(name)
		u.read[name] = found
	}
	return found
}

func (u *uplinks) find(name string) Uplink {
	if name == ":auto" {
		table, _ := fs.ReadFile(u.root, "proc/net/route")
		if name = defaultRoute(string(table)); name == "" {
			return Uplink{}
		}
	}
	index := name
	if _, err := strconv.Atoi(name); err != nil {
		data, _ := fs.ReadFile(u.root, "sys/class/net/"+name+"/ifindex")
		index = strings.TrimSpace(string(data))
	}
	if !fs.ValidPath(index) {
		return Uplink{}
	}
	// systemd-networkd's state of the link, and what others (NetworkManager) have told systemd-resolved of it.
	networkd, _ := fs.ReadFile(u.root, "run/systemd/netif/links/"+index)
	resolved, _ := fs.ReadFile(u.root, "run/systemd/resolve/netif/"+index)
	found := Uplink{DNS: servers(string(networkd), "DNS"), NTP: servers(string(networkd), "NTP"), SIP: servers(string(networkd), "SIP")}
	if len(found.DNS) == 0 {
		found.DNS = servers(string(resolved), "SERVERS")
	}
	found.addIPv6(string(networkd), string(resolved))
	return found
}

// defaultRoute returns the name of the link with the IPv4 default route of the highest priority, by /proc/net/route (proc_net(5)).
func defaultRoute(table string) string {
	best, lowest := "", uint64(0)
	for line := range strings.Lines(table) {
		fields := strings.Fields(line) // Iface Destination Gateway Flags RefCnt Use Metric Mask …
		if len(fields) < 8 || fields[1] != "00000000" || fields[7] != "00000000" {
			continue
		}
		flags, err := hex.DecodeString(fields[3])
		metric, metricErr := strconv.ParseUint(fields[6], 10, 32)
		const up, reject = 0x1, 0x200 // RTF_UP, RTF_REJECT
		if err != nil || metricErr != nil || len(flags) != 2 || binary.BigEndian.Uint16(flags)&(up|reject) != up {
			continue
		}
		if (best == "" || metric < lowest) && ValidInterfaceName(fields[0]) == nil {
			best, lowest = fields[0], metric
		}
	}
	return best
}

// servers returns the IPv4 addresses of a KEY= line. A name, a port or a server name with them is what DHCP cannot pass on.
func servers(state, key string) []netip.Addr {
	var list []netip.Addr
	for line := range strings.Lines(state) {
		value, found := strings.CutPrefix(strings.TrimSpace(line), key+"=")
		if !found {
			continue
		}
		for word := range strings.FieldsSeq(strings.Trim(value, `"'`)) {
			if addr, err := netip.ParseAddr(word); err == nil && addr.Is4() && !addr.IsLoopback() && !addr.IsUnspecified() {
				list = append(list, addr)
			}
		}
	}
	return list
}

// timeServers returns the NTP= servers of timesyncd.conf(5).
func timeServers(root fs.FS) []netip.Addr {
	var files []string
	var folders []string
	for _, folder := range []string{"etc/systemd/", "run/systemd/", "usr/local/lib/systemd/", "usr/lib/systemd/"} {
		files = append(files, folder+"timesyncd.conf")
		folders = append(folders, folder+"timesyncd.conf.d")
	}
	main := slices.IndexFunc(files, func(name string) bool { _, err := fs.Stat(root, name); return err == nil })
	files = files[max(main, 0) : max(main, 0)+1]
	dropIns := entries(root, folders, ".conf")
	for _, name := range slices.Sorted(maps.Keys(dropIns)) {
		files = append(files, dropIns[name])
	}
	var list []netip.Addr
	for _, name := range files {
		data, _ := contents(root, name)
		statements, _, _ := settings.Statements(name, data)
		for _, s := range statements {
			if s.Section != "Time" || s.Key != "NTP" {
				continue
			}
			if s.Value == "" {
				list = nil
			}
			list = append(list, servers("NTP="+s.Value, "NTP")...)
		}
	}
	return list
}
