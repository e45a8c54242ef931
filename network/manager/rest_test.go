package manager

import (
	"errors"
	"strings"
	"testing"
)

// A host without links of containers says so before the first look.
func TestIdle(t *testing.T) {
	h := newHost(t)
	h.add(1, "up0", "veth")
	m := h.start()
	if !m.Idle() || h.table != nil || !strings.Contains(string(h.saved[StatusFile]), `"links": []`) || h.saved[PortsFile] == nil {
		t.Errorf("without links: table %v, saved %s", h.table, h.saved)
	}
	h.add(2, "ve-web", "veth")
	if m.Idle() {
		t.Error("idle with a link")
	}
}

// sysctlReads counts what is read.
type sysctlReads struct {
	*host
	count map[string]int
}

func (s sysctlReads) Get(path string) (string, error) {
	s.count[path]++
	return s.host.Get(path)
}

// A look at links that are as they were left reads none of their sysctls but whether there is IPv6; one at a link that has changed, or
// after a reload, reads all.
func TestSettled(t *testing.T) {
	h := newHost(t)
	h.add(2, "ve-web", "veth")
	h.add(3, "ve-db", "veth")
	m := h.start()
	reads := sysctlReads{h, map[string]int{}}
	m.Sysctls = reads
	expect := func(when string, web, db int) {
		t.Helper()
		clear(reads.count)
		m.Reconcile(t.Context())
		const setting = "/addr_gen_mode"
		if got := reads.count["net/ipv6/conf/ve-web"+setting]; got != web {
			t.Errorf("%s: read %d times, want %d", when, got, web)
		}
		if got := reads.count["net/ipv6/conf/ve-db"+setting]; got != db {
			t.Errorf("%s: the other link read %d times, want %d", when, got, db)
		}
		if got := reads.count["net/ipv4/ip_forward"]; got != 1 {
			t.Errorf("%s: forwarding of the host read %d times", when, got)
		}
	}
	expect("first", 1, 1)
	expect("with the addresses", 1, 1)
	expect("settled", 0, 0)
	h.links[0].Addresses = nil
	h.sysctls["net/ipv6/conf/ve-web/addr_gen_mode"] = "7"
	expect("changed", 1, 0)
	if got := h.sysctls["net/ipv6/conf/ve-web/addr_gen_mode"]; got != "0" {
		t.Errorf("addr_gen_mode=%s", got)
	}
	m.Load()
	expect("reload", 1, 1)
	h.applyErr = errors.New("no")
	h.links[1].Addresses = nil
	expect("failed", 0, 1)
}
