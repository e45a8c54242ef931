// Package manager is the engine of networkd-lite: it looks at the links of the host, lets package network decide how those
// of containers are to be, and has what differs applied.
//
// Whatever has happened, it does the same: list, compare, apply. A lost message, a crash or a change by somebody else is
// therefore mended by the next look. The kernel, files, the DHCP server and systemd-networkd are behind interfaces; the
// package logs nothing and holds no policy, so it stands beside network (which decides) and network/kernel (which acts).
package manager
