// Package ra advertises a router on one link (RFC 4861, section 6.2): what an advertisement says, when it is due, and which
// solicitations are answered. The socket comes from network/kernel/icmp6.
package ra
