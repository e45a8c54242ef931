package seccomp

import (
	"fmt"
	"slices"
	"strings"
)

// AddressFamily returns the number of a family of socket(2), which is the same on all architectures, by its name: "AF_INET".
func AddressFamily(name string) (number uint32, ok bool) {
	family, found := strings.CutPrefix(name, "AF_")
	if !found {
		return 0, false
	}
	switch family {
	case "LOCAL", "FILE":
		family = "UNIX"
	case "ROUTE":
		family = "NETLINK"
	}
	known := [...]string{
		1: "UNIX", "INET", "AX25", "IPX", "APPLETALK", "NETROM", "BRIDGE", "ATMPVC", "X25", "INET6", "ROSE", "DECNET", "NETBEUI", "SECURITY",
		"KEY", "NETLINK", "PACKET", "ASH", "ECONET", "ATMSVC", "RDS", "SNA", "IRDA", "PPPOX", "WANPIPE", "LLC", "IB", "MPLS", "CAN", "TIPC",
		"BLUETOOTH", "IUCV", "RXRPC", "ISDN", "PHONET", "IEEE802154", "CAIF", "ALG", "NFC", "VSOCK", "KCM", "QIPCRTR", "SMC", "XDP", "MCTP",
	}
	index := slices.Index(known[1:], family)
	return uint32(index + 1), index >= 0
}

// families are the families of socket(2) that a container may use. The zero value is all of them.
type families struct {
	only    bool     // those of numbers, otherwise all but those
	numbers []uint32 // sorted
}

// all reports whether none is taken away.
func (f families) all() bool { return !f.only && len(f.numbers) == 0 }

// families reads AddressFamilies.
func (p Policy) families() (families, error) {
	var allowed, denied []uint32
	only := false
	for _, word := range p.AddressFamilies {
		name, takesAway := strings.CutPrefix(word, "~")
		only = only || !takesAway
		if word == "none" {
			continue
		}
		number, ok := AddressFamily(name)
		if !ok {
			return families{}, fmt.Errorf("%s is not an address family", name)
		}
		if takesAway {
			denied = append(denied, number)
		} else {
			allowed = append(allowed, number)
		}
	}
	numbers := denied
	if only {
		numbers = slices.DeleteFunc(allowed, func(number uint32) bool { return slices.Contains(denied, number) })
	}
	slices.Sort(numbers)
	return families{only, slices.Compact(numbers)}, nil
}

// socket ends the program with what happens to socket(2): EAFNOSUPPORT for a family that is taken away and for the audit protocol,
// which has no meaning in a container.
func (a *assembler) socket() label {
	allowed, refused := a.ret(returnAllow), a.ret(returnErrno|eafnosupport)
	listed, others := refused, allowed
	if a.families.only {
		listed, others = allowed, refused
	}
	netlinkListed := slices.Contains(a.families.numbers, afNetlink)
	netlink := refused
	if netlinkListed == a.families.only {
		a.branch(jumpEqual, netlinkAudit, refused, allowed)
		netlink = a.emit(loadAbsolute, offsetThird)
	}
	next := others
	for _, number := range slices.Backward(a.families.numbers) {
		if number != afNetlink {
			next = a.branch(jumpEqual, number, listed, next)
		}
	}
	if netlink == others {
		if next == others { // nothing to look at
			return others
		}
		return a.emit(loadAbsolute, offsetFirst)
	}
	a.branch(jumpEqual, afNetlink, netlink, next)
	return a.emit(loadAbsolute, offsetFirst)
}

// socketCall ends the program with what happens to socketcall(2), the other way of i386 to make sockets: which family it is to be is
// in memory, where the filter cannot look.
func (a *assembler) socketCall() label {
	const sysSocket = 1 // of linux/net.h
	refused, allowed := a.ret(returnErrno|eafnosupport), a.ret(returnAllow)
	a.branch(jumpEqual, sysSocket, refused, allowed)
	return a.emit(loadAbsolute, offsetFirst)
}
