package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Both ends of what is measured.
const (
	serverSide = "vz-bench" // the bridge of a zone, since a container's own link has a single lease
	clientSide = "host0"
	clients    = "clients" // the network namespace of the clients
)

// enterRoot makes the unpacked packages the root of this process: what peers need, our program in place, and /var/lib on a disk.
func (o options) enterRoot() error {
	runtime.LockOSThread()
	root, scratch := "/run/root", "/run/scratch"
	problems := []error{
		unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("none", "/run", "tmpfs", 0, ""),
		makeDirectories(root, scratch+"/upper", scratch+"/work"),
		unix.Mount("none", root, "overlay", 0, "lowerdir="+o.sid+",upperdir="+scratch+"/upper,workdir="+scratch+"/work"),
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+name, filepath.Join(root, name)); !errors.Is(err, os.ErrExist) {
			problems = append(problems, err)
		}
	}
	for _, name := range []string{"dev", "proc", "sys", "run", "tmp", "etc/systemd/network", "var/lib", "usr/lib/nspawnkit/network"} {
		problems = append(problems, makeDirectories(filepath.Join(root, name)))
	}
	problems = append(problems, os.WriteFile(root+ours, nil, 0o755))
	for from, to := range map[string]string{"/dev": "/dev", o.state: "/var/lib", o.ours: ours, o.networks: "/usr/lib/nspawnkit/network"} {
		problems = append(problems, unix.Mount(from, root+to, "", unix.MS_BIND|unix.MS_REC, ""))
	}
	problems = append(problems,
		unix.Mount("none", root+"/run", "tmpfs", 0, ""),
		unix.Mount("none", root+"/proc", "proc", 0, ""),
		unix.Mount("none", root+"/sys", "sysfs", unix.MS_RDONLY, ""), // systemd-networkd waits for udev where it is writable
		os.WriteFile(root+"/etc/passwd", fmt.Appendf(nil, "root:x:0:0::/:/bin/sh\nsystemd-network:x:%d:%[1]d::/:/bin/false\n", networkdUser), 0o644),
		os.WriteFile(root+"/etc/group", fmt.Appendf(nil, "root:x:0:\nsystemd-network:x:%d:\n", networkdUser), 0o644),
		os.WriteFile(root+"/etc/machine-id", []byte(strings.Repeat("3", 32)+"\n"), 0o644),
		os.WriteFile(root+"/etc/resolv.conf", nil, 0o644),
		os.Chdir(root), unix.PivotRoot(".", "."), unix.Unmount(".", unix.MNT_DETACH), os.Chdir("/"),
		os.Setenv("PATH", "/usr/sbin:/usr/bin"),
	)
	return errors.Join(problems...)
}

func makeDirectories(paths ...string) error {
	var problems []error
	for _, path := range paths {
		problems = append(problems, os.MkdirAll(path, 0o755))
	}
	return errors.Join(problems...)
}

// ip has iproute2 run commands, one a line, in a named network namespace; "": this one.
func ip(namespace string, lines ...string) error {
	arguments := []string{"-batch", "-"}
	if namespace != "" {
		arguments = append([]string{"-netns", namespace}, arguments...)
	}
	cmd := exec.Command("ip", arguments...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, out)
	}
	return nil
}

// makeNetwork makes the link to the clients. The relay agent that perfdhcp poses as has an address in the server's subnet.
func makeNetwork(s subnet) error {
	return errors.Join(ip("",
		"link set lo up",
		"netns add "+clients,
		"link add "+serverSide+" type bridge",
		"link add vb-bench type veth peer name "+clientSide+" netns "+clients,
		"link set vb-bench master "+serverSide+" up",
		fmt.Sprintf("address add %v/%d dev %s", s.server, s.prefix, serverSide),
		"link set "+serverSide+" up",
	), ip(clients,
		fmt.Sprintf("address add %v/%d dev %s", s.relay, s.prefix, clientSide),
		"link set "+clientSide+" up",
	))
}

// amongClients calls do on a thread in the network namespace of the clients.
func amongClients(do func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		file, err := os.Open("/run/netns/" + clients)
		if err == nil {
			defer file.Close()
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = do()
		}
		result <- err
	}()
	return <-result
}
