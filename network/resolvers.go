package network

import (
	"io/fs"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Resolvers are the DNS servers that the host itself asks. Its methods may be called from several goroutines.
type Resolvers struct {
	Root fs.FS
	Now  func() time.Time

	mu      sync.Mutex
	looked  time.Time
	info    fs.FileInfo
	servers []netip.AddrPort
}

// The file, and how old a look at it may be. A look costs less than a query; it sees what inotify(7) on one directory does not:
// the file may be a link to another one, which may be a link in turn.
const (
	resolvConf    = "etc/resolv.conf"
	resolvConfAge = time.Second
	maxServers    = 8
)

// Servers returns the servers of /etc/resolv.conf in their order, without those that ours reports to be our own. A stub on the loopback
// link is as good as any, since it is the host that asks. Without one, the host's own is meant (resolv.conf(5)).
func (r *Resolvers) Servers(ours func(netip.Addr) bool) []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.Now(); now.Before(r.looked) || now.Sub(r.looked) >= resolvConfAge {
		r.looked = now
		r.look()
	}
	list := make([]netip.AddrPort, 0, len(r.servers))
	for _, server := range r.servers {
		if !ours(server.Addr()) {
			list = append(list, server)
		}
	}
	return list
}

// look reads the file if it is another one than last time.
func (r *Resolvers) look() {
	info, err := fs.Stat(r.Root, resolvConf)
	if err == nil && r.info != nil && sameFile(r.info, info) {
		return
	}
	data, err := fs.ReadFile(r.Root, resolvConf)
	if err != nil {
		return // it is being replaced: what was known holds
	}
	r.info, r.servers = info, parseResolvers(data)
}

// parseResolvers reads the "nameserver" lines of a resolv.conf(5) file.
func parseResolvers(data []byte) []netip.AddrPort {
	var list []netip.AddrPort
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(fields[1]); err == nil && len(list) < maxServers {
			list = append(list, netip.AddrPortFrom(addr.Unmap(), 53))
		}
	}
	if len(list) == 0 {
		list = append(list, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53))
	}
	return list
}
