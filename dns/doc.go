// Package dns is the DNS server for the links of containers: it answers by itself what it knows (RFC 1034, 1035) and hands everything
// else to the servers of the host, as RFC 5625 wants it of a proxy.
//
//   - [ParseQuery] reads a question, [Zone.Answer] decides whether and how it is answered here, [Query.Reply] writes that down. They
//     open no socket.
//   - [Forwarder] asks the host's servers, with a bound on what is under way.
//   - [Server] connects the three with what comes through sockets of its caller.
//
// It stands beside dhcp, which is for one link, too, and knows as little of containers: which names there are is behind [Hosts], which
// package network/names implements. The sockets come from network/kernel.
package dns
