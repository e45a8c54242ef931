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
func (s *Supervisor) volatileOptions() []kernel.Option {
	owner := fmt.Sprint(s.plan.Users.Start)
	return options("mode", "0755", "size", "25%", "nr_inodes", "1m", "uid", owner, "gid", owner)
}

// makeVolatile puts what is temporary over or around the tree of the image.
func (s *Supervisor) makeVolatile(image kernel.Tree) (kernel.Tree, error) {
	build := map[string]func(*kernel.Stage, kernel.Tree) (kernel.Tree, error){
		"yes": s.volatileRoot, "state": s.volatileState, "overlay": s.volatileOverlay,
	}[s.plan.Settings.Files.Volatile]
	tree, err := kernel.Assemble(func(stage *kernel.Stage) (kernel.Tree, error) { return build(stage, image) })
	if err != nil {
		return tree, at(&s.plan.Settings, "Files.Volatile", err)
	}
	return tree, nil
}

// volatileRoot shows /usr of the image, read-only, in a temporary root.
func (s *Supervisor) volatileRoot(stage *kernel.Stage, tree kernel.Tree) (kernel.Tree, error) {
	image, _, err := stage.Put(tree, "image")
	if err != nil {
		return kernel.Tree{}, err
	}
	defer image.Close()
	source, err := image.OpenPlainDirectory("usr")
	if err != nil {
		return kernel.Tree{}, err
	}
	defer source.Close()
	usr, err := stage.Take(source)
	if err != nil {
		return kernel.Tree{}, err
	}
	defer usr.Close()
	if err := usr.SetAttributes(kernel.ReadOnly, true); err != nil {
		return kernel.Tree{}, err
	}
	temporary, err := kernel.NewFileSystem("tmpfs", kernel.StrictAccessTime, s.volatileOptions()...)
	if err != nil {
		return kernel.Tree{}, err
	}
	owner := int(s.plan.Users.Start)
	if err := temporary.MakeNodes(skeleton(image.Exists, runtime.GOARCH), owner, owner); err != nil {
		return kernel.Tree{}, err
	}
	return s.attachOn(stage, temporary, "usr", usr)
}

// attachOn puts a tree onto a directory of the lower one and returns both as one.
func (s *Supervisor) attachOn(stage *kernel.Stage, lower kernel.Tree, name string, tree kernel.Tree) (kernel.Tree, error) {
	root, _, err := stage.Put(lower, "root")
	if err != nil {
		return kernel.Tree{}, err
	}
	defer root.Close()
	place, err := root.OpenPlainDirectory(name)
	if err != nil {
		return kernel.Tree{}, err
	}
	defer place.Close()
	if err := tree.Attach(place.File()); err != nil {
		return kernel.Tree{}, err
	}
	return stage.Take(root)
}

// volatileState shows the image read-only, with a temporary /var.
func (s *Supervisor) volatileState(stage *kernel.Stage, image kernel.Tree) (kernel.Tree, error) {
	if err := image.SetAttributes(kernel.ReadOnly, true); err != nil {
		return kernel.Tree{}, err
	}
	temporary, err := kernel.NewFileSystem("tmpfs", kernel.StrictAccessTime, s.volatileOptions()...)
	if err != nil {
		return kernel.Tree{}, err
	}
	defer temporary.Close()
	tree, err := s.attachOn(stage, image, "var", temporary)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: the image needs a directory /var, since it is not written to", err)
	}
	return tree, err
}

// volatileOverlay shows the image with a temporary layer over it, which takes all changes.
func (s *Supervisor) volatileOverlay(stage *kernel.Stage, image kernel.Tree) (kernel.Tree, error) {
	lower, lowerPath, err := stage.Put(image, "lower")
	if err != nil {
		return kernel.Tree{}, err
	}
	defer lower.Close()
	info, err := lower.File().Stat()
	if err != nil {
		return kernel.Tree{}, err
	}
	uid, gid, err := kernel.Owner(lower.File())
	if err != nil {
		return kernel.Tree{}, err
	}
	temporary, err := kernel.NewFileSystem("tmpfs", kernel.StrictAccessTime, s.volatileOptions()...)
	if err != nil {
		return kernel.Tree{}, err
	}
	// Mode and owner of "/" are those of the upper layer.
	nodes := []kernel.Node{{Path: "upper", Mode: kernel.Directory | uint32(info.Mode().Perm())}, {Path: "work", Mode: kernel.Directory | 0o755}}
	if err := temporary.MakeNodes(nodes, int(uid), int(gid)); err != nil {
		return kernel.Tree{}, err
	}
	upper, upperPath, err := stage.Put(temporary, "temporary")
	if err != nil {
		return kernel.Tree{}, err
	}
	defer upper.Close()
	return kernel.NewFileSystem("overlay", 0, options("lowerdir", lowerPath, "upperdir", upperPath+"/upper", "workdir", upperPath+"/work")...)
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
