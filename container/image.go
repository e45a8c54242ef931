package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"nspawnkit/container/kernel"
	"nspawnkit/image/dissect"
	"nspawnkit/settings"
)

// ImageOptions say which disk image is opened, and how.
type ImageOptions struct {
	Path      string // absolute, without links
	Line      settings.DiskImage
	ReadOnly  bool
	Ephemeral bool
	DryRun    bool // only look: nothing is locked, copied or written to
	NoLock    bool // do not lock the image
	Quiet     bool
	Suffix    string // of the copy of an ephemeral container
	AskNobody bool   // for a password
}

// Image is one of [Images].
type Image struct {
	images     *Images
	source     string // that it is in a mount stack; empty: the container runs from it
	place      string // directory that it is mounted on
	options    ImageOptions
	log        func(priority int, text string)
	tell       func(lines ...string)
	locks      []*kernel.Lock
	file       *os.File
	size       int64
	policy     dissect.Policy
	layout     *dissect.Image
	partitions []imagePartition
	verityData string         // file with hashes, empty: they are in the image
	key        []byte         // that opened an encrypted partition
	mounted    []mountedPlace // the root first
}

// mountedPlace is where a partition is mounted inside an image; nil stands for a temporary root directory.
type mountedPlace struct {
	target    string
	partition *imagePartition
}

// imagePartition is a partition that is attached.
type imagePartition struct {
	dissect.Partition
	device *kernel.BlockDevice
}

// imageRoot is where a disk image is mounted, or those of a mount stack below it. On the host the directory is always empty.
const imageRoot = "/run/nspawnkit/root"

// detachPatience bounds the wait for the kernel to be done with an image.
const detachPatience = 10 * time.Second

// lock keeps others from writing to the image; a copy belongs to one container anyway.
func (i *Image) lock() (err error) {
	i.options.ReadOnly = i.options.ReadOnly || i.options.DryRun || !i.options.Ephemeral && kernel.MarkedReadOnly(i.options.Path)
	if i.options.DryRun || i.options.NoLock {
		return nil
	}
	if i.options.Ephemeral {
		copies, err := copiesOf(i.options.Path)
		if err != nil {
			return err
		}
		lock, err := kernel.LockFile(filepath.Join(copies.Parent, ".#"+copies.Name(i.options.Suffix)+".lck"), false)
		if err == nil {
			i.locks = append(i.locks, lock)
		}
		return err
	}
	i.locks, err = lockPlace(i.options.Path, i.options.ReadOnly)
	return err
}

// open opens the image, and waits until a container that was killed no longer writes to it.
func (i *Image) open() (err error) {
	readOnly := i.options.ReadOnly || i.options.Ephemeral
	if !readOnly {
		if err := kernel.WaitDetached(i.options.Path, detachPatience); err != nil {
			return err
		}
	}
	i.file, i.size, readOnly, err = kernel.OpenImage(i.options.Path, readOnly)
	i.options.ReadOnly = i.options.ReadOnly || readOnly && !i.options.Ephemeral
	return err
}

// copy makes the copy that an ephemeral container runs from. It has no name, so that it goes with the last who has it open.
func (i *Image) copy() error {
	if !i.options.Ephemeral || i.options.DryRun {
		return nil
	}
	if info, err := i.file.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.New("--ephemeral: a block device is not copied")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	progress := newProgress(i.options.Path, i.options.Quiet, i.tell)
	file, err := kernel.CopyImage(ctx, i.file, i.size, i.options.Path, progress.report)
	progress.end()
	if err != nil {
		return err
	}
	i.file.Close()
	i.file = file
	return nil
}

// dissect reads what is in the image, and what the policy says to it.
func (i *Image) dissect() error {
	text := i.options.Line.Policy
	if text == "" {
		text = dissect.ContainerPolicy
	}
	policy, err := dissect.ParsePolicy(text)
	if err != nil {
		return fmt.Errorf("--image-policy: %w", err)
	}
	i.policy = policy
	verity, err := i.readVerity()
	if err != nil {
		return err
	}
	i.layout, err = dissect.Dissect(i.file, i.size, dissect.Options{Architecture: runtime.GOARCH, Policy: policy, Verity: verity})
	return err
}

// attach makes a block device of each partition. The kernel need not read the partition table.
func (i *Image) attach() error {
	for _, p := range i.layout.Partitions {
		p.ReadOnly = p.ReadOnly || i.options.ReadOnly
		device, err := kernel.AttachLoop(i.file, p.Offset, p.Size, i.layout.SectorSize, p.ReadOnly)
		if err != nil {
			return fmt.Errorf("partition %s: %w", p.Designator, err)
		}
		i.partitions = append(i.partitions, imagePartition{p, device})
	}
	return nil
}

// repair checks file systems that will be written to, as at the start of a machine.
func (i *Image) repair() error {
	for _, p := range i.partitions {
		if p.ReadOnly {
			continue
		}
		if err := kernel.RepairFileSystem(p.FileSystem, p.device); err != nil {
			return fmt.Errorf("partition %s: %w", p.Designator, err)
		}
	}
	return nil
}

// mount mounts all partitions.
func (i *Image) mount() error {
	if err := i.images.enter(); err != nil {
		return err
	}
	if err := os.MkdirAll(i.place, 0o755); err != nil {
		return err
	}
	if i.layout.Find(dissect.Root) == nil {
		if err := i.mountTemporaryRoot(); err != nil {
			return err
		}
	}
	for n := range i.partitions {
		p := &i.partitions[n]
		tree, err := p.mount()
		if err == nil {
			i.grow(p, tree)
			err = i.attachAt(p, tree)
			tree.Close()
		}
		if err != nil {
			return fmt.Errorf("partition %s: %w", p.Designator, err)
		}
		p.device.Close() // the mount has it
	}
	return nil
}

// mount mounts the file system of the partition, detached.
func (p *imagePartition) mount() (kernel.Tree, error) {
	var list []kernel.Option
	for _, option := range dissect.MountOptions(p.FileSystem, p.ReadOnly) {
		list = append(list, kernel.ParseOption(option))
	}
	return kernel.MountDevice(p.device, p.FileSystem, p.ReadOnly, p.attributes(), list...)
}

// grow makes the file system fill its partition. It is as good as before if that fails.
func (i *Image) grow(p *imagePartition, tree kernel.Tree) {
	if !p.GrowFS || p.ReadOnly {
		return
	}
	if err := kernel.GrowFileSystem(tree, p.FileSystem, p.device); err != nil {
		i.log(Warning, fmt.Sprintf("%s: partition %s: %v, ignoring", i.options.Path, p.Designator, err))
	}
}

// attachAt mounts a partition at its place inside the image.
func (i *Image) attachAt(p *imagePartition, tree kernel.Tree) error {
	target := p.Target()
	if target == "/" {
		i.mounted = append(i.mounted, mountedPlace{target, p})
		return tree.AttachTo(i.place)
	}
	root, err := kernel.OpenRoot(i.place)
	if err != nil {
		return err
	}
	defer root.Close()
	if p.Designator == dissect.ESP {
		target = i.layout.ESPTarget(func(name string) bool {
			entries, err := root.ReadDir(name)
			return err == nil && len(entries) == 0
		})
		if target == "" {
			i.log(Info, fmt.Sprintf("%s: the image has no empty directory /efi or /boot for its EFI system partition", i.options.Path))
			return nil
		}
	}
	place, err := root.MakeMountPoint(target, true)
	if err != nil {
		return err
	}
	defer place.Close()
	if info, err := place.Stat(); err != nil || !info.IsDir() {
		return fmt.Errorf("%s of the image is not a directory", target)
	}
	i.mounted = append(i.mounted, mountedPlace{target, p})
	return tree.Attach(place)
}

// mountTemporaryRoot makes the root of an image that has /usr alone.
func (i *Image) mountTemporaryRoot() error {
	usr, err := i.partitions[0].mount()
	if err != nil {
		return fmt.Errorf("partition %s: %w", dissect.Usr, err)
	}
	defer usr.Close()
	content := kernel.RootOf(usr)
	exists := func(name string) bool {
		inside, err := filepath.Rel("usr", name)
		return err == nil && content.Exists(inside)
	}
	tree, err := kernel.NewFileSystem("tmpfs", kernel.NoDev, options("mode", "0755")...)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := tree.MakeNodes(skeleton(exists, runtime.GOARCH), 0, 0); err != nil {
		return err
	}
	i.mounted = append(i.mounted, mountedPlace{target: "/"})
	return tree.AttachTo(i.place)
}

// mountedPartition is a partition of a disk image and where it is mounted.
type mountedPartition struct {
	target string
	tree   kernel.Tree
}

// openHiddenPartitions opens the partitions of a disk image that a volatile root does not have: of an image only the root file
// system itself is volatile, see --volatile= of systemd-nspawn(1).
func (s *Supervisor) openHiddenPartitions() (hidden []mountedPartition, err error) {
	shown := map[string][]string{"overlay": {"/"}, "yes": {"/", "/usr"}}[s.plan.Settings.Files.Volatile]
	image := s.Images.root()
	if image == nil || shown == nil {
		return nil, nil
	}
	root, err := kernel.OpenRoot(imageRoot)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, mounted := range image.mounted {
		if slices.Contains(shown, mounted.target) {
			continue
		}
		tree, err := s.clonePartition(root, mounted.target)
		if err != nil {
			return hidden, err
		}
		hidden = append(hidden, mountedPartition{mounted.target, tree})
	}
	return hidden, nil
}

func (s *Supervisor) clonePartition(root *kernel.Root, target string) (kernel.Tree, error) {
	file, err := root.Open(target, kernel.PathOnly)
	if err != nil {
		return kernel.Tree{}, err
	}
	defer file.Close()
	tree, err := kernel.CloneTreeOf(file, false)
	if err == nil && s.plan.Users.mapped() {
		err = s.mapFrom(s.plan.Users.OnDisk, tree, false)
	}
	return tree, err
}

// mountPartitions puts partitions into the root directory.
func (a *assembly) mountPartitions(partitions []mountedPartition) error {
	if len(partitions) == 0 {
		return nil
	}
	root, err := a.workshop.PlaceRoot(a.Supervisor.root)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, partition := range partitions {
		place, err := root.MakeMountPoint(partition.target, true)
		if err != nil {
			return err
		}
		err = partition.tree.Attach(place)
		place.Close()
		if err != nil {
			return err
		}
	}
	both, err := kernel.CloneTreeOf(root.File(), true)
	if err != nil {
		return err
	}
	a.useRoot(both)
	return nil
}

// close gives everything back but the mounts.
func (i *Image) close() {
	for _, p := range i.partitions {
		p.device.Close()
	}
	if i.file != nil {
		i.file.Close()
	}
	for _, lock := range i.locks {
		lock.Release()
	}
}
