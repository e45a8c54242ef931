// Package network decides, without touching the kernel, what the links of containers are called, which addresses they get
// and what packet filter belongs to them. Package network/kernel acts on its decisions.
package network
