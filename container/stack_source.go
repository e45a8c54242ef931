package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"nspawnkit/container/kernel"
	"nspawnkit/image"
)

// stackSource is an opened layer or bind of a mount stack: a directory, or the partitions of a disk image, what is below later.
// An image of /usr alone has none for the root directory.
type stackSource []stackPart

// stackPart is a directory or partition of a mount stack.
type stackPart struct {
	mountedPartition
	plain      bool   // its file system cannot be a layer of an overlay
	attributes uint64 // that an overlay of it needs, too
}

// openedStack are the directories and disk images of a mount stack, by their paths. They are opened in sight of the host's mounts
// and those of the images.
type openedStack map[string]stackSource

func openStack(stack *image.Stack, images *Images) (openedStack, error) {
	sources := slices.Concat(stack.Layers, []string{stack.Writable, stack.Root})
	for _, bind := range stack.Binds {
		sources = append(sources, bind.Source)
	}
	opened := make(openedStack)
	for _, source := range sources {
		if source == "" {
			continue
		}
		if err := opened.open(source, images.of(source)); err != nil {
			opened.close()
			return nil, fmt.Errorf("%s: %w", source, err)
		}
	}
	return opened, nil
}

func (o openedStack) open(source string, disk *Image) error {
	if disk == nil {
		tree, err := kernel.CloneTree(source, false)
		if err == nil {
			o[source] = stackSource{{mountedPartition: mountedPartition{"/", tree}}}
		}
		return err
	}
	for _, mounted := range disk.mounted {
		if mounted.partition == nil {
			continue
		}
		tree, err := kernel.CloneTree(filepath.Join(disk.place, mounted.target), false)
		if err != nil {
			return err
		}
		part := stackPart{mountedPartition{mounted.target, tree}, mounted.partition.FileSystem == "vfat", mounted.partition.attributes()}
		o[source] = append(o[source], part)
	}
	slices.SortStableFunc(o[source], func(a, b stackPart) int { return strings.Compare(a.target, b.target) })
	return nil
}

func (o openedStack) close() {
	for _, source := range o {
		for _, part := range source {
			part.tree.Close()
		}
	}
}

// treeAt returns what a source has at a path, as a tree of its own.
func (b *stackBuilder) treeAt(name, target string) (stackPart, error) {
	source := b.opened[name]
	for _, part := range slices.Backward(source) {
		if part.target == target {
			return part, nil
		}
		if inside, ok := strings.CutPrefix(target, strings.TrimSuffix(part.target, "/")+"/"); ok {
			tree, err := b.below(part.tree, inside)
			return stackPart{mountedPartition{target, tree}, part.plain, part.attributes}, err
		}
	}
	if target != "/" {
		return stackPart{}, os.ErrNotExist
	}
	tree, err := b.skeletonOf(source)
	return stackPart{mountedPartition: mountedPartition{target, tree}}, err
}

// skeletonOf makes the root directory of an image that has none. The one that the image is mounted with belongs to users of the
// host, and tmpfs cannot be id-mapped by kernels before 6.3.
func (b *stackBuilder) skeletonOf(source stackSource) (kernel.Tree, error) {
	exists := func(name string) bool {
		inside, ok := strings.CutPrefix(path.Join("/", name), "/usr/")
		at := slices.IndexFunc(source, func(p stackPart) bool { return p.target == "/usr" })
		return ok && at >= 0 && source[at].tree.Root().Exists(inside)
	}
	tree, err := b.temporary(kernel.NoDev, options("mode", "0755")...)
	if err != nil {
		return tree, err
	}
	return tree, tree.MakeNodes(skeleton(exists, runtime.GOARCH), b.owner, b.owner)
}

// adoptAll shows the files of all sources as the container's. It comes before anything is attached, after which it cannot be done.
func (b *stackBuilder) adoptAll() error {
	for name, source := range b.opened {
		for _, part := range source {
			if err := b.adopt(part.tree); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// whole returns all of a source. Its root directory is below a temporary layer where nothing on disk is changed and root is set.
func (b *stackBuilder) whole(name string, root bool) (kernel.Tree, error) {
	part, err := b.treeAt(name, "/")
	if err == nil && b.spare && root {
		part.tree, err = b.temporaryOverlay([]kernel.Tree{part.tree})
	}
	if err != nil {
		return part.tree, err
	}
	var below []stackPart
	for _, part := range b.opened[name] {
		if part.target != "/" {
			below = append(below, part)
		}
	}
	return b.joined(part.tree, below)
}

// joined attaches partitions below a root directory.
func (b *stackBuilder) joined(tree kernel.Tree, below []stackPart) (kernel.Tree, error) {
	if len(below) == 0 {
		return tree, nil
	}
	defer tree.Close()
	root, err := b.workshop.PlaceRoot(tree)
	if err != nil {
		return tree, err
	}
	defer root.Close()
	for _, part := range below {
		if err := b.attach(root, part.target, part.tree); err != nil {
			return tree, err
		}
	}
	return kernel.CloneTreeOf(root.File(), true)
}

// targets are where layers have partitions but for their root directories. An overlay sees nothing that is mounted below its layers,
// so that each needs one of its own.
func (b *stackBuilder) targets() (targets []string) {
	for _, layer := range b.stack.Layers {
		for _, part := range b.opened[layer] {
			if part.target != "/" {
				targets = append(targets, part.target)
			}
		}
	}
	slices.Sort(targets)
	return slices.Compact(targets)
}

// overlay returns the layers over each other, with those of their partitions.
func (b *stackBuilder) overlay() (kernel.Tree, error) {
	root, err := b.overlayAt("/")
	if err != nil {
		return root, err
	}
	var below []stackPart
	for _, target := range b.targets() {
		tree, err := b.overlayAt(target)
		if err != nil {
			return tree, fmt.Errorf("%s: %w", target, err)
		}
		below = append(below, stackPart{mountedPartition: mountedPartition{target, tree}})
	}
	return b.joined(root, below)
}

// layersAt returns what the layers have at a path, the uppermost first. What no overlay can be of is alone.
func (b *stackBuilder) layersAt(target string) (lower []kernel.Tree, attributes uint64, plain bool, err error) {
	for _, layer := range slices.Backward(b.stack.Layers) {
		part, err := b.treeAt(layer, target)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, 0, false, fmt.Errorf("%s: %w", layer, err)
		}
		if part.plain && len(lower) > 0 {
			return nil, 0, false, fmt.Errorf("%s: partition %s has a file system that no overlay can be made of, and %s has this directory, too", layer, target, lower[0].File().Name())
		}
		lower, attributes = append(lower, part.tree), attributes|part.attributes
		if part.plain {
			return lower, attributes, true, nil
		}
	}
	return lower, attributes, false, nil
}

// attributes are those of its mount, see Restrictions of package dissect.
func (p *imagePartition) attributes() uint64 {
	attributes := uint64(kernel.NoDev)
	restrictions := p.Restrictions()
	for attribute, wanted := range map[uint64]bool{
		kernel.NoSUID: restrictions.NoSUID, kernel.NoExec: restrictions.NoExec, kernel.NoSymlinkFollow: restrictions.NoLinks,
	} {
		if wanted {
			attributes |= attribute
		}
	}
	return attributes
}

// partition returns the attached partition for a purpose, or nil.
func (i *Image) partition(designator string) *imagePartition {
	for n := range i.partitions {
		if i.partitions[n].Designator == designator {
			return &i.partitions[n]
		}
	}
	return nil
}
