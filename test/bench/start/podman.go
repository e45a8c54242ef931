package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// podman returns the command that runs a program in a container of Podman, by crun, with what Podman gives every container: seccomp,
// capabilities, devices and mounts. options are further ones of podman-run(1). Its state goes below a directory.
func (p *peer) podman(root, directory string, users, veth bool, program []string, options ...string) []string {
	command := []string{
		p.path, "--runtime=crun", "--root=" + filepath.Join(directory, "podman"), "--runroot=/run/podman", "--tmpdir=/run/libpod",
		"--storage-driver=vfs", "--events-backend=none", "run", "--rm", "--cgroups=disabled",
	}
	if users {
		command = append(command, "--uidmap=0:1048576:65536", "--gidmap=0:1048576:65536")
		root += ":idmap"
	}
	if !veth {
		command = append(command, "--network=none")
	}
	return slices.Concat(command, options, []string{"--rootfs", root}, program)
}

// detach starts a container as a unit of Quadlet does: conmon(8) stays with it, and podman ends.
func (p *peer) detach(root, directory string, program []string) (supervisor, error) {
	pidFile := root + ".conmon"
	command := p.podman(root, directory, true, false, program, "--detach", "--conmon-pidfile="+pidFile)
	if output, err := p.output(command); err != nil {
		return supervisor{}, fmt.Errorf("%s: %w: %s", p.name, err, output)
	}
	data, err := os.ReadFile(pidFile)
	if err != nil {
		return supervisor{}, err
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(data)))
	return supervisor{pid, func() {
		for end := time.Now().Add(patience); unix.Kill(pid, 0) == nil && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
	}}, err
}
