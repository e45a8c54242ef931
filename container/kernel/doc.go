// Package kernel is the only door of nspawn-exec to Linux: mounts, namespaces, id maps, capabilities, seccomp, terminals,
// control groups and locks. It knows nothing of settings; package container tells it what to do.
package kernel
