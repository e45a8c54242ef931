// Package dhcp is a DHCPv4 server for one link: RFC 2131 as a function from request and time to reply, and the journal that keeps
// the leases.
//
//   - [Server.Reply] decides; it opens no socket and reads no clock.
//   - [Journal] keeps the leases on disk in a form described in docs/leases.md.
//   - [Serve] connects the two with a [Conn]: a lease is on disk before the client hears of it.
//
// The sockets are in package network/kernel/packet.
//
// # Time
//
// A lease ends at an absolute time of the wall clock, in memory and on disk. The two other clocks cannot do it: CLOCK_MONOTONIC stands
// still while the host sleeps, though the client's lease goes on; CLOCK_BOOTTIME begins anew with every boot, though leases outlive
// boots. The price is that somebody may set the clock. Set forward, leases end early: their addresses stay reserved for their clients
// for as long as the pool has others, so a client that renews keeps its address. Set backward, leases would last too long: a server
// that sees time run backward, or reads a lease that ends too late, cuts it to MaxLeaseTime from now.
package dhcp
