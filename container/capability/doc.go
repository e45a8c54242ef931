// Package capability names the capabilities of capabilities(7) and decides which of them a container keeps.
//
// The package is pure: it computes sets. Changing the sets of a process is container/kernel's job.
package capability
