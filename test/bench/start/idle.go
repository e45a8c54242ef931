package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nspawnkit/test/bench/pss"
)

// patience bounds what waits for something that must happen.
const patience = time.Minute

// idleTime is how long containers idle before their supervisors are measured.
const idleTime = 3 * time.Second

// idle starts n containers that sleep and returns the memory of a supervisor (PSS of proc(5)), in KiB.
func (p *peer) idle(n int, roots string) (int, error) {
	var supervisors []supervisor
	defer func() { stop(supervisors) }()
	for i := range n {
		root, err := makeRoot(roots, fmt.Sprintf("%s-%d-%d", p.namespace, n, i)) // of its own: who was killed may have its locks for a moment
		if err != nil {
			return 0, err
		}
		started, err := p.supervise(fmt.Sprint("idle", n, "-", i), root, filepath.Join(roots, "bundles"))
		if err != nil {
			return 0, err
		}
		supervisors = append(supervisors, started)
	}
	time.Sleep(idleTime)
	sum := 0
	for _, s := range supervisors {
		kilobytes, err := pss.Of(s.pid)
		if err != nil {
			return 0, fmt.Errorf("%s does not idle: %w", p.name, err)
		}
		sum += kilobytes
	}
	return sum / n, nil
}

// supervisor is the process that stays with a container.
type supervisor struct {
	pid  int
	wait func() // until it has ended
}

// supervise starts a container that sleeps.
func (p *peer) supervise(name, root, directory string) (supervisor, error) {
	program := []string{"/bin/sleep", "1000"}
	arguments := slices.Concat(p.base(root, "read-only"), []string{"-U", "--private-network"}, program)
	switch p.takes {
	case podmanOptions:
		return p.detach(root, directory, program)
	case lxcOptions:
		var err error
		if arguments, err = p.lxc(name, root, directory, true, false, program...); err != nil {
			return supervisor{}, err
		}
	}
	cmd := &exec.Cmd{Path: p.path, Args: arguments, Env: environment()}
	if err := inNamespace(p.namespace, cmd.Start); err != nil {
		return supervisor{}, err
	}
	return supervisor{cmd.Process.Pid, func() {
		limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		limit.Stop()
	}}, nil
}

// stop kills what runs in containers, which ignores SIGTERM; their supervisors end with it, and take away what they have made.
func stop(supervisors []supervisor) {
	for _, s := range supervisors {
		for _, pid := range descendants(s.pid) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		s.wait()
	}
}

// descendants lists the processes below one, as far as they can be read.
func descendants(pid int) (list []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		children, _ := os.ReadFile(file)
		for _, field := range strings.Fields(string(children)) {
			if child, err := strconv.Atoi(field); err == nil {
				list = append(append(list, child), descendants(child)...)
			}
		}
	}
	return list
}

// together starts n containers at the same moment, waits until all of them run, and lets them end.
func (p *peer) together(n int, roots string) error {
	before, err := leftovers(roots)
	if err != nil {
		return err
	}
	input, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer input.Close()
	defer write.Close()
	read, output, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	var commands []*exec.Cmd
	messages := make([]bytes.Buffer, n)
	began := time.Now()
	for i := range n {
		root, err := makeRoot(roots, fmt.Sprint("at-once", i))
		if err != nil {
			return err
		}
		arguments := append(p.base(root, "pipe"), "-U", "--network-veth", "/bin/sh", "-c", "echo up; read line || true")
		cmd := &exec.Cmd{Path: p.path, Args: arguments, Env: environment(), Stdin: input, Stdout: output, Stderr: &messages[i]}
		if err := inNamespace(p.namespace, cmd.Start); err != nil {
			return err
		}
		commands = append(commands, cmd)
	}
	output.Close()
	_ = read.SetReadDeadline(began.Add(patience))
	running := 0
	for lines := bufio.NewScanner(read); running < n && lines.Scan(); running++ {
	}
	up := time.Since(began)
	write.Close()
	var problems []error
	if running < n {
		problems = append(problems, fmt.Errorf("%d of %d containers run", running, n))
	}
	for i, cmd := range commands {
		if err := cmd.Wait(); err != nil {
			problems = append(problems, fmt.Errorf("container %d: %w: %s", i, err, bytes.TrimSpace(messages[i].Bytes())))
		}
	}
	after, err := leftovers(roots)
	for _, thing := range after {
		if !slices.Contains(before, thing) {
			problems = append(problems, fmt.Errorf("left over: %s", thing))
		}
	}
	if err := errors.Join(append(problems, err)...); err != nil {
		return err
	}
	fmt.Printf("%d containers at once, each with a veth: all run after %.1f s, all ended after %.1f s, no error, nothing left over.\n",
		n, up.Seconds(), time.Since(began).Seconds())
	return nil
}

// leftovers are what containers make on the host: files, mounts, links. Control groups are hidden.
func leftovers(roots string) (found []string, err error) {
	for _, directory := range []string{"/run/nspawnkit", "/run/systemd", roots} {
		err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil // it is gone
			case entry.IsDir() && filepath.Dir(path) == roots:
				return fs.SkipDir // of a container
			case !entry.IsDir():
				found = append(found, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		found = append(found, "mount "+strings.Fields(line)[4])
	}
	links, linkErr := net.Interfaces()
	for _, link := range links {
		found = append(found, "link "+link.Name)
	}
	return found, errors.Join(err, linkErr)
}
