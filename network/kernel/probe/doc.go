// Package probe enters the network namespaces of containers and sends packets from there, to find out what comes back.
package probe
