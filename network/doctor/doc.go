// Package doctor decides which hop on the way of a container's packets fails, from facts that were gathered beforehand: package
// network/kernel/probe gathers those of the kernel.
package doctor
