package dhcp

import (
	"strings"
	"sync/atomic"
)

// containerPrefix begins what stands for a container in the place of a client identifier. A client that sends an identifier like that
// is taken for one without: nobody claims to be a container.
const containerPrefix = "container:"

// maxContainerName bounds the names of containers, in bytes.
const maxContainerName = 128

// Containers tells which container of a link a hardware address belongs to. Its methods may be called from several goroutines.
type Containers struct {
	names atomic.Pointer[map[HardwareAddr]string]
}

// Set replaces what is known. Two addresses may belong to one container.
func (c *Containers) Set(names map[HardwareAddr]string) { c.names.Store(&names) }

// name returns the container with a hardware address; empty: none.
func (c *Containers) name(hardware HardwareAddr) string {
	if c == nil {
		return ""
	}
	names := c.names.Load()
	if names == nil || !validContainerName((*names)[hardware]) {
		return ""
	}
	return (*names)[hardware]
}

// validContainerName lets through what needs no escapes in a journal or a message.
func validContainerName(name string) bool {
	return name != "" && len(name) <= maxContainerName && !strings.ContainsFunc(name, func(r rune) bool {
		return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./", r)
	})
}

// Container returns the name of the container that the lease belongs to; empty: the lease belongs to a client identifier.
func (l Lease) Container() string {
	name, found := strings.CutPrefix(l.Client, containerPrefix)
	if !found {
		return ""
	}
	return name
}

// adopt gives a container what it was given by its client identifier, before it was known to be one.
func (e *exchange) adopt() {
	t := e.server.leases
	if e.former == "" || t.of(e.client).state != none {
		return
	}
	if own := t.of(e.former); own.state != none && own.hardware == e.hardware {
		t.rename(own, e.client)
	}
}
