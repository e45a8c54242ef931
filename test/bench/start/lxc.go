package main

import (
	"os"
	"path/filepath"
	"strings"
)

// lxc writes the configuration of a container of LXC below a directory and returns the command that runs a program in it in the
// foreground. Beside what is asked for the container has what LXC's own configuration for all systems says: seccomp, capabilities, devices
// and mounts.
func (p *peer) lxc(name, root, directory string, users, veth bool, program ...string) ([]string, error) {
	lines := []string{
		"lxc.include = /usr/share/lxc/config/common.conf", "lxc.rootfs.path = dir:" + root, "lxc.uts.name = " + name,
		"lxc.init.cmd = " + strings.Join(program, " "), "lxc.apparmor.profile = unchanged",
	}
	if users {
		lines = append(lines, "lxc.include = /usr/share/lxc/config/userns.conf", "lxc.rootfs.options = idmap=container",
			"lxc.idmap = u 0 1048576 65536", "lxc.idmap = g 0 1048576 65536")
	}
	if veth {
		lines = append(lines, "lxc.net.0.type = veth", "lxc.net.0.flags = up")
	} else {
		lines = append(lines, "lxc.net.0.type = empty")
	}
	file := filepath.Join(directory, name+".conf")
	if err := makeDirectories(directory); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return nil, err
	}
	return []string{p.path, "--foreground", "--name=" + name, "--rcfile=" + file, "--lxcpath=" + directory}, nil
}
