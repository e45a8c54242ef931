package container

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// isVolatile reports whether nothing of the image is written to, see --volatile= of systemd-nspawn(1).
func isVolatile(s *settings.Settings) bool { return s.Files.Volatile != "no" && s.Files.Volatile != "" }

// decideVolatile checks what the modes of --volatile= need of the image, and says what the container finds.
func decideVolatile(p *Plan, host *Host) error {
	s := &p.Settings
	if !isVolatile(s) {
		return nil
	}
	// The manual implies --read-only for the image; what the container sees is read-only with "state" alone.
	s.Files.ReadOnly = s.Files.Volatile == "state"
	if s.Files.Volatile != "yes" {
		return nil
	}
	switch bin := host.Root.Bin; {
	case bin == nil || bin.Type() == os.ModeSymlink:
	case bin.IsDir():
		return at(s, "Files.Volatile", fmt.Errorf("%s has not merged /bin, /sbin and /lib into /usr: that needs --volatile=overlay or state", p.place()))
	default:
		return at(s, "Files.Volatile", fmt.Errorf("/bin of %s is neither missing nor a symbolic link into /usr", p.place()))
	}
	host.Root.MachineID = "" // it is in /etc, which starts empty
	return nil
}

// volatileOptions are systemd's for a temporary root or /var.
func (a *assembly) volatileOptions() []kernel.Option {
	return labeled(options("mode", "0755", "size", "25%", "nr_inodes", "1m"), a.plan.Inside.FileContext)
}

// makeVolatile puts what is temporary over or around the tree of the image.
func (a *assembly) makeVolatile() error {
	build := map[string]func() error{"yes": a.volatileRoot, "state": a.volatileState, "overlay": a.volatileOverlay}
	if err := build[a.plan.Settings.Files.Volatile](); err != nil {
		return err
	}
	return a.mountPartitions(a.hidden)
}

// volatileRoot shows /usr of the image, read-only, in a temporary root.
func (a *assembly) volatileRoot() error {
	image, err := a.workshop.PlaceRoot(a.Supervisor.root)
	if err != nil {
		return err
	}
	defer image.Close()
	source, err := image.OpenPlainDirectory("usr")
	if err != nil {
		return err
	}
	defer source.Close()
	usr, err := kernel.CloneTreeOf(source.File(), true)
	if err != nil {
		return err
	}
	defer usr.Close()
	if err := usr.SetAttributes(kernel.ReadOnly, true); err != nil {
		return err
	}
	temporary, err := a.newTemporary(kernel.StrictAccessTime, a.volatileOptions()...)
	if err != nil {
		return err
	}
	a.useRoot(temporary)
	owner := int(a.plan.Users.Start)
	if err := temporary.MakeNodes(skeleton(image.Exists, runtime.GOARCH), owner, owner); err != nil {
		return err
	}
	return a.attachOnRoot("usr", usr)
}

// volatileState shows the image read-only, with a temporary /var.
func (a *assembly) volatileState() error {
	if err := a.Supervisor.root.SetAttributes(kernel.ReadOnly, true); err != nil {
		return err
	}
	temporary, err := a.newTemporary(kernel.StrictAccessTime, a.volatileOptions()...)
	if err != nil {
		return err
	}
	defer temporary.Close()
	err = a.attachOnRoot("var", temporary)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: the image needs a directory /var, since it is not written to", err)
	}
	return err
}

// volatileOverlay shows the image with a temporary layer over it, which takes all changes.
func (a *assembly) volatileOverlay() error {
	image := a.Supervisor.root
	temporary, err := a.newTemporary(kernel.StrictAccessTime, a.volatileOptions()...)
	if err != nil {
		return err
	}
	defer temporary.Close()
	upper, err := upperLike(temporary, image)
	if err != nil {
		return err
	}
	overlay, err := a.workshop.Overlay([]kernel.Tree{image}, upper)
	if err != nil {
		return err
	}
	a.useRoot(overlay)
	return nil
}

// upperLike makes an upper layer in a temporary file system. Mode and owner of the root directory, which are those of the upper
// layer, stay those of the layer below.
func upperLike(temporary, below kernel.Tree) (*kernel.Upper, error) {
	info, err := below.File().Stat()
	if err != nil {
		return nil, err
	}
	uid, gid, err := kernel.Owner(below.File())
	if err != nil {
		return nil, err
	}
	nodes := []kernel.Node{{Path: "upper", Mode: kernel.Directory | uint32(info.Mode().Perm())}, {Path: "work", Mode: kernel.Directory | 0o755}}
	return &kernel.Upper{Parent: temporary, Name: "upper", Work: "work"}, temporary.MakeNodes(nodes, int(uid), int(gid))
}

// skeleton is what an empty root needs around /usr so that an operating system starts: the table of systemd's
// base-filesystem, with links only to what /usr has. exists tells about paths of the image.
func skeleton(exists func(name string) bool, architecture string) []kernel.Node {
	directory := func(name string, mode uint32) kernel.Node {
		return kernel.Node{Path: name, Mode: kernel.Directory | mode}
	}
	nodes := []kernel.Node{
		directory("root", 0o750), directory("usr", 0o755), directory("var", 0o755), directory("etc", 0o755),
		directory("proc", 0o555), directory("sys", 0o555), directory("dev", 0o555), directory("run", 0o555),
	}
	link := func(name, file string, targets ...string) {
		for _, target := range targets {
			if exists(target + file) {
				nodes = append(nodes, kernel.Node{Path: name, Mode: kernel.Link, Link: target})
				return
			}
		}
	}
	link("bin", "", "usr/bin")
	link("sbin", "", "usr/sbin")
	link("lib", "", "usr/lib")
	// The path of the dynamic loader is part of each architecture's binary interface.
	switch architecture {
	case "amd64":
		link("lib64", "/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib")
	case "arm64":
		link("lib64", "/ld-linux-aarch64.so.1", "usr/lib64", "usr/lib")
	case "ppc64le":
		link("lib64", "/ld64.so.2", "usr/lib/powerpc64le-linux-gnu", "usr/lib64", "usr/lib")
	case "riscv64":
		link("lib64", "/ld-linux-riscv64-lp64d.so.1", "usr/lib/riscv64-linux-gnu", "usr/lib64", "usr/lib")
	case "loong64":
		link("lib64", "/ld-linux-loongarch-lp64d.so.1", "usr/lib/loongarch64-linux-gnu", "usr/lib64", "usr/lib")
	}
	return nodes
}
