// Package container decides what a container is made of and in which order it is set up.
//
// [Decide] turns settings and facts about the host into a [Plan]; it is pure. The three lists of start.go are the start
// sequence: they act, through package container/kernel.
//
// # Process model
//
// nspawn-exec starts itself once again, as process 1 of the container's namespaces and in its control group, by a single
// clone3(2). The supervisor, outside, makes everything that needs the host's privileges (id-mapped mounts, network links,
// control groups) as detached objects and passes them through a socket; process 1, inside, puts them together and executes
// the payload. Nothing of the container is ever done with a path of the host.
package container
