package container

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"nspawnkit/container/kernel"
)

// hideHost gives the container a boot ID of its own and an empty kernel log: both would tell about the host.
func (f *first) hideHost() error {
	id := formatUUID(RandomID()) + "\n"
	if err := f.cover("/proc/sys/kernel/random/boot_id", kernel.Node{Mode: kernel.Regular | 0o444, Data: id}, noSUIDDevExec|kernel.ReadOnly); err != nil {
		return err
	}
	return f.cover("/proc/kmsg", kernel.Node{Mode: kernel.FIFO | 0o600}, kernel.NoSUID|kernel.NoDev)
}

// cover mounts a file that has no name of its own on target.
func (f *first) cover(target string, node kernel.Node, attributes uint64) error {
	run, err := f.root.OpenPlain("/run", kernel.PathOnly)
	if err != nil {
		return err
	}
	defer run.Close()
	node.Path = ".#cover"
	if err := kernel.TreeFromFile(run).MakeNodes([]kernel.Node{node}, 0, 0); err != nil {
		return err
	}
	path := "/run/" + node.Path
	tree, err := kernel.CloneTree(path, false)
	if err != nil {
		return err
	}
	if err := tree.SetAttributes(attributes, false); err != nil {
		return err
	}
	if err := f.attachFile(tree, target); err != nil {
		return err
	}
	return os.Remove(path)
}

// mountLate mounts what the settings ask for on top of the file systems made here.
func (f *first) mountLate() error {
	trees := f.passed.late
	for _, m := range f.late {
		var err error
		if m.Inaccessible {
			if m.Optional && !f.root.Exists(m.Destination) {
				continue
			}
			err = f.makeInaccessible(m.Destination)
		} else {
			err = f.attachCustom(trees[0], m.Destination)
			trees = trees[1:]
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.Origin, err)
		}
	}
	return nil
}

func (f *first) makeInaccessible(target string) error {
	place, err := f.root.Open(target, kernel.PathOnly)
	if err != nil {
		return err
	}
	defer place.Close()
	tree, err := maskFor(place, inaccessible)
	if err != nil {
		return err
	}
	defer tree.Close()
	return tree.Attach(place)
}

func (f *first) attachCustom(tree kernel.Tree, target string) error {
	defer tree.Close()
	info, err := tree.File().Stat()
	if err != nil {
		return err
	}
	place, err := f.root.MakeMountPoint(target, info.IsDir())
	if err != nil {
		return err
	}
	defer place.Close()
	return tree.Attach(place)
}

// reportReady is barrier 2: the supervisor takes the console and the notify socket.
func (f *first) reportReady() error {
	if err := f.channel.Send([]byte(readyMessage(f.warnings)), f.replies...); err != nil {
		return err
	}
	for _, file := range f.replies {
		file.Close()
	}
	return nil
}

// waitForGo is barrier 3: the container has its links, its limits and is registered.
func (f *first) waitForGo() error {
	message, _, err := f.channel.Receive()
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the supervisor gave up")
	case err != nil:
		return err
	}
	words, servers, _ := strings.Cut(string(message), "\n")
	if words != messageGo {
		return fmt.Errorf("unexpected message %q", message)
	}
	f.servers = servers
	return nil
}

func (f *first) execute() error {
	if f.plan.WorkingDirectory != "" {
		if err := f.changeDirectory(f.plan.WorkingDirectory); err != nil {
			return fmt.Errorf("change directory: %w", err)
		}
	}
	return kernel.Execute(f.plan.Candidates, f.plan.Arguments, f.plan.Environment)
}

// changeDirectory does not go through the magic links of /proc: this process still has descriptors open that the payload must
// not get at (CVE-2024-21626).
func (f *first) changeDirectory(name string) error {
	directory, err := f.root.Open(name, kernel.PathOnly)
	if err != nil {
		return err
	}
	defer directory.Close()
	return directory.Chdir()
}
