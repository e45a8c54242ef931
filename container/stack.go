package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"nspawnkit/container/kernel"
	"nspawnkit/image"
)

// stackBuilder puts a mount stack together in a workshop, see systemd.mstack(7).
type stackBuilder struct {
	stack    *image.Stack
	workshop *kernel.Workshop
	owner    int                     // of the host, that what is made belongs to
	adopt    func(kernel.Tree) error // shows the files of the host's users as the container's
	// temporary makes a temporary file system that belongs to owner.
	temporary func(attributes uint64, list ...kernel.Option) (kernel.Tree, error)
	opened    openedStack
	readOnly  bool // for the container
	spare     bool // nothing on disk is changed, not even to make mount points
	look      bool // only to look at it: a bind without mount point is left out
}

// The directories of the writable layer. They are made when they are missing, and stay.
const (
	stackData = "data"
	stackWork = "work"
)

// build returns the root directory with all that is mounted below it.
func (b *stackBuilder) build() (kernel.Tree, error) {
	if err := b.adoptAll(); err != nil {
		return kernel.Tree{}, err
	}
	root, err := b.rootTree()
	if err != nil {
		return kernel.Tree{}, err
	}
	defer root.Close()
	directory, err := b.workshop.PlaceRoot(root)
	if err != nil {
		return kernel.Tree{}, err
	}
	defer directory.Close()
	if b.stack.Root != "" && b.stack.HasOverlay() {
		if err := b.mountUsr(directory); err != nil {
			return kernel.Tree{}, err
		}
	}
	for i := range b.stack.Binds {
		if bind := &b.stack.Binds[i]; bind != b.stack.RootBind() {
			if err := b.mountBind(directory, bind); err != nil && !(b.look && errors.Is(err, kernel.ErrReadOnlyFileSystem)) {
				return kernel.Tree{}, fmt.Errorf("%s: %w", bind.Source, err)
			}
		}
	}
	if err := b.protectTargets(directory); err != nil {
		return kernel.Tree{}, err
	}
	tree, err := kernel.CloneTreeOf(directory.File(), true)
	if err == nil && b.readOnly {
		err = tree.SetAttributes(kernel.ReadOnly, true)
	}
	return tree, err
}

// protectTargets makes overlays below the root directory read-only where nothing is to be written to them, now that all mount points
// are there.
func (b *stackBuilder) protectTargets(root *kernel.Root) error {
	if b.stack.RootBind() != nil || b.stack.Root != "" || b.stack.Writable != "" && !b.spare {
		return nil
	}
	for _, target := range b.targets() {
		if slices.ContainsFunc(b.stack.Binds, func(bind image.StackBind) bool { return isAtOrBelow(target, bind.Destination) }) {
			continue // it is hidden
		}
		directory, err := root.OpenPlainDirectory(target)
		if err != nil {
			return err
		}
		err = kernel.TreeFromFile(directory.File()).SetAttributes(kernel.ReadOnly, false)
		directory.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// isAtOrBelow compares clean absolute paths.
func isAtOrBelow(name, directory string) bool {
	return name == directory || strings.HasPrefix(name, strings.TrimSuffix(directory, "/")+"/")
}

// mounts are where something is mounted below the root directory.
func (b *stackBuilder) mounts() (mounts []string) {
	for _, bind := range b.stack.Binds {
		mounts = append(mounts, bind.Destination)
		for _, part := range b.opened[bind.Source] {
			mounts = append(mounts, path.Join(bind.Destination, part.target))
		}
	}
	if b.stack.RootBind() == nil && b.stack.Root == "" {
		mounts = append(mounts, b.targets()...)
	}
	if b.stack.Root != "" && b.stack.HasOverlay() {
		mounts = append(mounts, "/usr")
	}
	slices.Sort(mounts)
	return slices.DeleteFunc(slices.Compact(mounts), func(name string) bool { return name == "/" })
}

// rootTree is what everything else is mounted below: a directory, the overlay, or, where there is neither, an empty one.
func (b *stackBuilder) rootTree() (kernel.Tree, error) {
	source := b.stack.Root
	switch bind := b.stack.RootBind(); {
	case bind != nil:
		source = bind.Source
	case source == "" && b.stack.HasOverlay():
		return b.overlay()
	}
	if source != "" {
		return b.whole(source, true)
	}
	return b.temporary(kernel.StrictAccessTime, options("mode", "0755", "size", "10%", "nr_inodes", "400k")...)
}

// overlayAt mounts what the layers have at a path over each other. Where nothing may be written there is a temporary layer above
// them, so that mount points can be made.
func (b *stackBuilder) overlayAt(target string) (kernel.Tree, error) {
	lower, attributes, plain, err := b.layersAt(target)
	if err != nil {
		return kernel.Tree{}, err
	}
	if plain {
		return lower[0], nil
	}
	tree, err := b.overlayOf(lower, target)
	if err == nil && attributes != 0 {
		err = tree.SetAttributes(attributes, false)
	}
	return tree, err
}

func (b *stackBuilder) overlayOf(lower []kernel.Tree, target string) (kernel.Tree, error) {
	data, work := path.Join(stackData, target), stackWork
	if target != "/" && b.stack.Root == "" {
		work += "@" + strings.ReplaceAll(target[1:], "/", "-")
	}
	if b.stack.Writable != "" {
		writable := b.opened[b.stack.Writable][0].tree
		if !b.readOnly && !b.spare {
			return b.writableOverlay(lower, writable, data, work)
		}
		switch tree, err := b.writableData(writable, data); {
		case err == nil:
			lower = append([]kernel.Tree{tree}, lower...)
		case !errors.Is(err, os.ErrNotExist) || len(lower) == 0:
			return kernel.Tree{}, err
		}
	}
	if len(lower) == 0 {
		return kernel.Tree{}, fmt.Errorf("no layer has %s: %w", target, os.ErrNotExist)
	}
	return b.temporaryOverlay(lower)
}

func (b *stackBuilder) writableOverlay(lower []kernel.Tree, writable kernel.Tree, data, work string) (kernel.Tree, error) {
	for _, name := range []string{data, work} {
		directory, err := writable.Root().MakeDirectories(name, 0o755, b.owner, b.owner)
		if err != nil {
			return kernel.Tree{}, fmt.Errorf("%s: %w", b.stack.Writable, err)
		}
		directory.Close()
	}
	if len(lower) == 0 {
		return b.writableData(writable, data)
	}
	return b.workshop.Overlay(lower, &kernel.Upper{Parent: writable, Name: data, Work: work}, kernel.UserAttributes)
}

// writableData returns what was written, as a tree of its own.
func (b *stackBuilder) writableData(writable kernel.Tree, name string) (kernel.Tree, error) {
	data, err := b.below(writable, name)
	if err != nil {
		err = fmt.Errorf("%s: %w", b.stack.Writable, err)
	}
	return data, err
}

// below returns a directory of a tree as a tree of its own. Kernels before 6.15 do that only where the tree is attached.
func (b *stackBuilder) below(tree kernel.Tree, name string) (kernel.Tree, error) {
	root, err := b.workshop.PlaceRoot(tree)
	if err != nil {
		return kernel.Tree{}, err
	}
	defer root.Close()
	directory, err := root.OpenPlainDirectory(name)
	if err != nil {
		return kernel.Tree{}, err
	}
	defer directory.Close()
	return kernel.CloneTreeOf(directory.File(), false)
}

func (b *stackBuilder) temporaryOverlay(lower []kernel.Tree) (kernel.Tree, error) {
	temporary, err := b.temporary(0, options("mode", "0755", "size", "4m", "nr_inodes", "4k")...)
	if err != nil {
		return temporary, err
	}
	defer temporary.Close()
	upper, err := upperLike(temporary, lower[0])
	if err != nil {
		return kernel.Tree{}, err
	}
	return b.workshop.Overlay(lower, upper, kernel.UserAttributes)
}

// mountUsr mounts /usr of the overlay in a root directory of its own.
func (b *stackBuilder) mountUsr(root *kernel.Root) error {
	usr, err := b.overlayAt("/usr")
	if err != nil {
		return err
	}
	defer usr.Close()
	if b.stack.Writable == "" {
		if err := usr.SetAttributes(kernel.ReadOnly, false); err != nil {
			return err
		}
	}
	return b.attach(root, "usr", usr)
}

func (b *stackBuilder) mountBind(root *kernel.Root, bind *image.StackBind) error {
	tree, err := b.whole(bind.Source, false)
	if err != nil {
		return err
	}
	if bind.ReadOnly || b.spare {
		if err := tree.SetAttributes(kernel.ReadOnly, true); err != nil {
			return err
		}
	}
	return b.attach(root, bind.Destination, tree)
}

// attach mounts a tree at a path, which is made if it is missing, and in which no link is followed.
func (b *stackBuilder) attach(root *kernel.Root, destination string, tree kernel.Tree) error {
	place, err := root.MakeDirectories(destination, 0o755, b.owner, b.owner)
	if err != nil {
		return fmt.Errorf("make mount point %s: %w", destination, err)
	}
	defer place.Close()
	return tree.Attach(place)
}

// decideStack says what the container finds of its mount stack.
func decideStack(p *Plan, _ *Host) error {
	stack := p.Options.Stack
	if stack == nil {
		return nil
	}
	s := &p.Settings
	if s.Exec.Ephemeral {
		return at(s, "Exec.Ephemeral", errors.New("may not be combined with --mstack"))
	}
	p.Options.StackReadOnly = s.Files.ReadOnly
	s.Files.ReadOnly = s.Files.ReadOnly || !stack.RootWritable()
	return nil
}

// buildStack makes the mount stack the root directory.
func (a *assembly) buildStack() error {
	builder := &stackBuilder{
		stack: a.plan.Options.Stack, workshop: a.workshop, owner: int(a.plan.Users.Start), adopt: a.adoptTree, temporary: a.newTemporary, opened: a.stack,
		readOnly: a.plan.Options.StackReadOnly, spare: isVolatile(&a.plan.Settings),
	}
	defer a.stack.close()
	tree, err := builder.build()
	if err != nil {
		return err
	}
	a.useRoot(tree)
	if a.stackPlace, err = a.workshop.Place(tree, true); err != nil {
		return err
	}
	// What goes on is a copy: the sources of mounts are opened here, whatever is done to that.
	if a.inStack, err = kernel.OpenRoot(a.stackPlace); err != nil {
		return err
	}
	copied, err := kernel.CloneTreeOf(a.inStack.File(), true)
	if err != nil {
		return err
	}
	a.useRoot(copied)
	if err := a.makeStackJournal(); err != nil {
		return err
	}
	return a.openHiddenMounts(builder.mounts())
}

// openHiddenMounts opens what a volatile root does not have, as [Supervisor.openHiddenPartitions] does for a disk image.
func (a *assembly) openHiddenMounts(mounts []string) error {
	shown, hides := map[string]string{"yes": "/usr", "overlay": ""}[a.plan.Settings.Files.Volatile]
	if !hides {
		return nil
	}
	for _, target := range mounts {
		if shown != "" && isAtOrBelow(target, shown) || slices.ContainsFunc(a.hidden, func(p mountedPartition) bool { return isAtOrBelow(target, p.target) }) {
			continue
		}
		directory, err := a.inStack.OpenPlainDirectory(target)
		if err != nil {
			return err
		}
		tree, err := kernel.CloneTreeOf(directory.File(), true)
		directory.Close()
		if err != nil {
			return err
		}
		a.hidden = append(a.hidden, mountedPartition{target, tree})
	}
	return nil
}

// adoptTree id-maps what belongs to users of the host, unless the settings say that ownership is off.
func (a *assembly) adoptTree(tree kernel.Tree) error {
	uid, _, err := kernel.Owner(tree.File())
	if err != nil || a.plan.Users.has(uid) || a.plan.Settings.Exec.PrivateUsers.Ownership == "off" {
		return err
	}
	return a.explainMapping(a.mapTree(tree, false), "give its files to the container's users")
}

// gatherStack finds out about the root directory that a mount stack gives. Nothing is written.
func gatherStack(stack *image.Stack, images *Images, look func(*kernel.Root) error) error {
	opened, err := openStack(stack, images)
	if err != nil {
		return err
	}
	defer opened.close()
	return kernel.InWorkshop(0, func(w *kernel.Workshop) error {
		builder := &stackBuilder{stack: stack, workshop: w, adopt: func(kernel.Tree) error { return nil }, opened: opened, spare: true, look: true}
		builder.temporary = func(attributes uint64, list ...kernel.Option) (kernel.Tree, error) {
			return kernel.NewFileSystem("tmpfs", attributes, list...)
		}
		tree, err := builder.build()
		if err != nil {
			return err
		}
		defer tree.Close()
		root, err := w.PlaceRoot(tree)
		if err != nil {
			return err
		}
		defer root.Close()
		return look(root)
	})
}
