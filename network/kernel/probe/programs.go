package probe

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Program is a process of the host.
type Program struct {
	PID  int
	Name string // as it calls itself (proc_pid_comm(5)): anything
	Unit string // of systemd; empty: not known
}

// Listener is a socket that takes what comes to a port.
type Listener struct {
	Protocol string // "udp", "tcp"
	Port     uint16
	Address  netip.Addr // unspecified: all
	Link     int        // index of the only link that it listens on; 0: on all
	Program  Program    // PID 0: not found
}

// Listeners returns who listens at the ports in the network namespace of the calling thread (sock_diag(7)).
func Listeners(ports ...uint16) ([]Listener, error) {
	var list []Listener
	inodes := map[string][]int{} // places in the list, by what the descriptors of processes lead to
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		for protocol, dump := range map[string]func(uint8) ([]*netlink.Socket, error){"udp": netlink.SocketDiagUDP, "tcp": netlink.SocketDiagTCP} {
			sockets, err := dump(family)
			if err != nil {
				return nil, fmt.Errorf("list %s sockets: %w", protocol, err)
			}
			for _, s := range sockets {
				address, _ := netip.AddrFromSlice(s.ID.Source)
				if !slices.Contains(ports, s.ID.SourcePort) || s.ID.DestinationPort != 0 {
					continue
				}
				target := fmt.Sprintf("socket:[%d]", s.INode)
				inodes[target] = append(inodes[target], len(list))
				list = append(list, Listener{Protocol: protocol, Port: s.ID.SourcePort, Address: address.Unmap(), Link: int(s.ID.Interface)})
			}
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	return list, openedBy(func(_, target string, by func() Program) {
		for _, i := range inodes[target] {
			if list[i].Program.PID == 0 {
				list[i].Program = by()
			}
		}
	})
}

// HolderOf returns a process that has the file at path open; PID 0: none has.
func HolderOf(path string) (holder Program, err error) {
	wanted, err := os.Stat(path)
	if err != nil {
		return Program{}, err
	}
	return holder, openedBy(func(descriptor, target string, by func() Program) {
		if holder.PID != 0 || filepath.Base(target) != filepath.Base(path) {
			return
		}
		if found, err := os.Stat(descriptor); err == nil && os.SameFile(found, wanted) {
			holder = by()
		}
	})
}

// openedBy calls found for each descriptor of other processes than the caller, with its path below /proc and what it leads to
// (proc_pid_fd(5)).
func openedBy(found func(descriptor, target string, by func() Program)) error {
	descriptors, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return err
	}
	own := strconv.Itoa(os.Getpid())
	for _, descriptor := range descriptors {
		pid := strings.Split(descriptor, "/")[2]
		target, err := os.Readlink(descriptor)
		if err != nil || pid == own {
			continue // closed meanwhile
		}
		found(descriptor, target, func() Program { return program(pid) })
	}
	return nil
}

// program reads who a process is.
func program(pid string) Program {
	p := Program{}
	p.PID, _ = strconv.Atoi(pid)
	name, _ := os.ReadFile("/proc/" + pid + "/comm") // it has ended: its number is all there is
	p.Name = strings.TrimSuffix(string(name), "\n")
	group, _ := os.ReadFile("/proc/" + pid + "/cgroup")
	p.Unit = unitOf(string(group))
	return p
}

// unitOf returns the unit of systemd whose control group a process is in, by /proc/PID/cgroup: the first below the slices. One that a
// container has for itself is further down.
func unitOf(groups string) string {
	for line := range strings.Lines(groups) {
		_, path, named := strings.Cut(strings.TrimSpace(line), "::/") // cgroups(7), version 2
		if !named {
			_, path, named = strings.Cut(strings.TrimSpace(line), ":name=systemd:/")
		}
		if !named {
			continue
		}
		for part := range strings.SplitSeq(path, "/") {
			switch filepath.Ext(part) {
			case ".slice":
				continue
			case ".service", ".scope":
				return strings.TrimPrefix(part, "_") // escaped where the kernel has a file of that name
			}
			return ""
		}
	}
	return ""
}
