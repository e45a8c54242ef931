// Package client is a DHCPv4 client for one link: RFC 2131, section 4.4, as a function from messages and time to messages and leases.
//
//   - [Client.Act] says what is to be sent when it is time to, and when a lease has ended.
//   - [Client.Receive] takes what has come.
//
// It opens no socket and reads no clock; package network/kernel/dhcpsocket has the socket. A Client is nothing but its exported fields,
// so that it goes on in another program as JSON. It has a codec of its own, since that of package dhcp takes a program that starts a
// container half a megabyte.
//
// # Time
//
// All times are those since the host was started, of CLOCK_BOOTTIME: nobody sets it, and it goes on while the host sleeps, as the lease
// does at the server. A client does not outlive that.
package client
