package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// openedMount is a mount of [Files] whose sources are open.
type openedMount struct {
	customMount
	tree   kernel.Tree // of a bind
	layers *layers     // of an overlay
	user   *boundUser  // whose home it is
}

// openMounts opens the sources of mounts before the container exists, so that a missing one costs nothing.
func (s *Supervisor) openMounts() (err error) {
	if s.plan.Options.Stack != nil {
		if s.stack, err = openStack(s.plan.Options.Stack, s.Images); err != nil {
			return fmt.Errorf("--mstack: %w", err)
		}
	}
	for _, m := range customMounts(&s.plan.Settings.Files) {
		opened := openedMount{customMount: m}
		if err = s.openMount(&opened); err != nil {
			return fmt.Errorf("%s: %w", m.origin, err)
		}
		s.custom = append(s.custom, opened)
	}
	return s.openHomes()
}

// openMount opens what a mount is of, but what is in a mount stack, see [assembly.openInStack].
func (s *Supervisor) openMount(m *openedMount) (err error) {
	inStack := s.plan.Options.Stack != nil
	switch {
	case m.kind == bindMount && !(inStack && isInImage(m.bind.Source)):
		m.tree, err = s.openBind(m.bind)
	case m.kind == overlayMount && inStack && overlaysImage(m.overlay):
		m.layers = &layers{}
		if !isInImage(m.overlay.Upper) {
			err = s.openUppermost(m.layers, m.overlay)
		} else if !m.overlay.ReadOnly {
			err = errUpperInStack
		}
	case m.kind == overlayMount:
		m.layers, err = s.openOverlay(m.overlay)
	}
	return err
}

// closeMounts gives back what the container has, or never got, of the image.
func (s *Supervisor) closeMounts() {
	s.stack.close()
	trees := append([]kernel.Tree{s.root}, s.lateTrees...)
	for _, m := range s.custom {
		trees = append(trees, m.tree)
		if m.layers != nil {
			trees = append(trees, m.layers.lower...)
			if m.layers.upper != nil {
				trees = append(trees, m.layers.upper.Parent)
			}
		}
	}
	for _, tree := range trees {
		_ = tree.Close() // most are closed
	}
}

func (s *Supervisor) openBind(bind *settings.Bind) (kernel.Tree, error) {
	mapping := bindMapping(bind, s.plan.Settings.Files.IDMapBinds, s.plan.Users)
	if bind.Source == "" {
		owner := s.plan.Users.Start
		switch mapping {
		case "noidmap":
			owner = s.plan.Users.onTemporary()
		case "idmap":
			owner = 0
		}
		directory, err := s.makeTemporary(int(owner))
		if err != nil {
			return kernel.Tree{}, err
		}
		tree, err := kernel.CloneTree(directory, false)
		if err == nil && mapping == "noidmap" {
			err = s.mapTemporary(tree)
		}
		return tree, err
	}
	tree, err := s.openSource(bind.Source, bind.Recursive)
	if err != nil {
		return tree, err
	}
	info, err := tree.File().Stat()
	if err != nil {
		return tree, err
	}
	if info.IsDir() || info.Mode().IsRegular() {
		err = s.warnOfOwner(bind, mapping, tree)
	}
	return tree, err
}

// warnOfOwner says once what is wrong with how a bind shows up inside.
func (s *Supervisor) warnOfOwner(bind *settings.Bind, mapping string, tree kernel.Tree) error {
	uid, gid, err := kernel.Owner(tree.File())
	if err != nil {
		return err
	}
	text := describeOwner(bind, mapping, uid, gid, s.plan.Users)
	if text == "" {
		return nil
	}
	if mapping == "noidmap" {
		place, err := s.openFile(bind.Source)
		if err != nil {
			return err
		}
		defer place.Close()
		if unmappable := (kernel.UnmappableError{}); errors.As(kernel.CheckMapping(place), &unmappable) {
			text = describeUnmappable(bind, unmappable.FileSystem, uid, s.plan.Users)
		}
	}
	s.log(Warning, fmt.Sprintf("%s: %s", bind.Origin, text))
	return nil
}

// openSource clones the mount at a path of the host, or, with "+", of the image.
func (s *Supervisor) openSource(source string, recursive bool) (kernel.Tree, error) {
	if !strings.HasPrefix(source, "+") {
		return kernel.CloneTree(source, recursive)
	}
	file, err := s.openFile(source)
	if err != nil {
		return kernel.Tree{}, err
	}
	defer file.Close()
	return kernel.CloneTreeOf(file, recursive)
}

func (s *Supervisor) openFile(source string) (*os.File, error) {
	inside, inRoot := strings.CutPrefix(source, "+")
	if !inRoot {
		return os.OpenFile(source, kernel.PathOnly, 0)
	}
	root, inside, err := s.openInImage(inside)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(inside, kernel.PathOnly)
}

// makeTemporary makes an empty directory that goes with the container.
func (s *Supervisor) makeTemporary(owner int) (string, error) {
	parent, err := os.Open("/var/tmp")
	if err != nil {
		return "", err
	}
	name := "nspawn-temp-" + RandomID()[:16]
	if err := s.Temporaries.make(s.plan.Settings.Machine, parent, name, 0o700, 0); err != nil {
		return "", err
	}
	directory, err := os.OpenFile(filepath.Join("/var/tmp", name), kernel.PathOnly|kernel.NoFollow, 0)
	if err != nil {
		return "", err
	}
	defer directory.Close()
	return filepath.Join(directory.Name(), "src"), kernel.MakeIn(directory, "src", 0o755, owner)
}

// assembly is the root of a container in a workshop, with what is mounted below it.
type assembly struct {
	*Supervisor
	workshop *kernel.Workshop
	root     *kernel.Root
	masks    string             // the directory of inaccessible files; empty: not made yet
	inStack  *kernel.Root       // the mount stack as it was put together, or nil
	hidden   []mountedPartition // by a volatile root
	paths    []string           // of the late mounts
	late     []TreeMount
}

// assemble puts the container's root directory together, and mounts below it what the settings ask for, before the container
// gets it: there it is locked. What belongs below file systems that the first process makes is passed to it and mounted there.
func (s *Supervisor) assemble() error {
	pivot, temporary := s.plan.Settings.Exec.PivotRoot.New != "", isVolatile(&s.plan.Settings)
	stack := s.plan.Options.Stack != nil
	if len(s.custom) == 0 && !stack && !pivot && !temporary && !(s.plan.Inside.ReadOnly && s.plan.Inside.UserNamespace) {
		return nil
	}
	a := &assembly{Supervisor: s}
	defer a.close()
	var err error
	if a.hidden, err = s.openHiddenPartitions(); err != nil {
		return err
	}
	return kernel.InWorkshop(s.plan.Users.Start, func(w *kernel.Workshop) error {
		a.workshop = w
		if stack {
			if err := a.buildStack(); err != nil {
				return fmt.Errorf("--mstack: %w", err)
			}
		}
		if err := a.openInStack(); err != nil {
			return err
		}
		if pivot {
			if err := a.pivot(); err != nil {
				return at(&s.plan.Settings, "Exec.PivotRoot", err)
			}
		}
		if temporary {
			if err := a.makeVolatile(); err != nil {
				return at(&s.plan.Settings, "Files.Volatile", err)
			}
		}
		return a.finish()
	})
}

func (a *assembly) close() {
	for _, partition := range a.hidden {
		partition.tree.Close()
	}
	if a.inStack != nil {
		a.inStack.Close()
	}
}

// useRoot makes another tree the root directory.
func (a *assembly) useRoot(tree kernel.Tree) {
	a.Supervisor.root.Close()
	a.Supervisor.root = tree
}

// attachOnRoot puts a tree onto a directory of the root directory.
func (a *assembly) attachOnRoot(name string, tree kernel.Tree) error {
	root, err := a.workshop.PlaceRoot(a.Supervisor.root)
	if err != nil {
		return err
	}
	defer root.Close()
	place, err := root.OpenPlainDirectory(name)
	if err != nil {
		return err
	}
	defer place.Close()
	if err := tree.Attach(place.File()); err != nil {
		return err
	}
	both, err := kernel.CloneTreeOf(root.File(), true)
	if err != nil {
		return err
	}
	a.useRoot(both)
	return nil
}

// finish mounts what is to be below the root directory and takes all out of the workshop.
func (a *assembly) finish() error {
	directory, err := a.workshop.Place(a.Supervisor.root, true)
	if err != nil {
		return err
	}
	if a.root, err = kernel.OpenRoot(directory); err != nil {
		return err
	}
	defer a.root.Close()
	for i := range a.custom {
		if err := a.mount(&a.custom[i]); err != nil {
			return fmt.Errorf("%s: %w", a.custom[i].origin, err)
		}
	}
	if err := a.makeReadOnly(); err != nil {
		return err
	}
	trees, err := a.workshop.Take(a.namespaces(), append([]string{directory}, a.paths...)...)
	if err != nil {
		return err
	}
	a.useRoot(trees[0])
	a.lateTrees, a.Supervisor.late = trees[1:], a.late
	return nil
}

// lateDirectories are where the first process mounts file systems of its own; see mounts.go.
func lateDirectories() []string { return []string{"proc", "sys", "dev", "run", "tmp"} }

// makeReadOnly makes the root directory read-only, and none of the mounts below it, when all is there that the first process
// mounts on.
func (a *assembly) makeReadOnly() error {
	if !a.plan.Inside.ReadOnly {
		return nil
	}
	owner := int(a.plan.Users.Start)
	for _, name := range lateDirectories() {
		directory, err := a.root.MakeDirectories(name, 0o755, owner, owner)
		if err != nil {
			return err
		}
		directory.Close()
	}
	return a.Supervisor.root.SetAttributes(kernel.ReadOnly, false)
}

// mount makes one mount.
func (a *assembly) mount(m *openedMount) error {
	where, err := a.root.Resolve(m.destination)
	if err != nil {
		return err
	}
	top, _, _ := strings.Cut(strings.TrimPrefix(where, "/"), "/")
	late := slices.Contains(lateDirectories(), top)
	if late {
		a.late = append(a.late, TreeMount{Destination: m.destination, Origin: m.origin.String(), Inaccessible: m.kind == inaccessibleMount, Optional: m.optional})
		if m.kind == inaccessibleMount {
			return nil
		}
	}
	place, err := a.place(m, late)
	if m.optional && errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer place.Close()
	tree, err := a.make(m, place)
	if err != nil {
		return err
	}
	defer tree.Close()
	if !late {
		return tree.Attach(place)
	}
	info, err := tree.File().Stat()
	if err != nil {
		return err
	}
	directory, err := a.workshop.Place(tree, info.IsDir())
	a.paths = append(a.paths, directory)
	return err
}

// place opens the mount point, and makes it if it may be missing. That of a late mount is made inside; what it will belong to,
// the container's root, is what the root directory belongs to.
func (a *assembly) place(m *openedMount, late bool) (*os.File, error) {
	switch {
	case late:
		return a.root.Open("/", kernel.PathOnly)
	case m.kind == inaccessibleMount:
		return a.root.Open(m.destination, kernel.PathOnly)
	case m.kind == bindMount:
		info, err := m.tree.File().Stat()
		if err != nil {
			return nil, err
		}
		return a.root.MakeMountPoint(m.destination, info.IsDir())
	}
	return a.root.MakeMountPoint(m.destination, true)
}

func (a *assembly) make(m *openedMount, place *os.File) (kernel.Tree, error) {
	switch m.kind {
	case bindMount:
		return m.tree, a.mapBind(m, place)
	case temporaryMount:
		list, attributes, err := temporaryOptions(m.temporary.Options, a.plan.Users)
		if err != nil {
			return kernel.Tree{}, err
		}
		return a.newTemporary(noSUIDDev|kernel.StrictAccessTime|attributes, labeled(list, a.plan.Inside.FileContext)...)
	case overlayMount:
		if err := a.mapLayers(m.layers); err != nil {
			return kernel.Tree{}, err
		}
		tree, err := a.workshop.Overlay(m.layers.lower, m.layers.upper)
		if err == nil && m.overlay.ReadOnly {
			err = tree.SetAttributes(kernel.ReadOnly, false)
		}
		return tree, err
	}
	return a.mask(place)
}

// mapBind gives a bind its attributes.
func (a *assembly) mapBind(m *openedMount, place *os.File) error {
	if m.user != nil {
		return a.mapHome(m)
	}
	if attributes := bindAttributes(m.bind); attributes != 0 {
		if err := m.tree.SetAttributes(attributes, m.bind.Recursive); err != nil {
			return err
		}
	}
	const instead = "write noidmap and give the files to the container's users"
	mapping := bindMapping(m.bind, a.plan.Settings.Files.IDMapBinds, a.plan.Users)
	to := a.plan.Users.Start
	inStack := a.plan.Options.Stack != nil && isInImage(m.bind.Source) // which is mapped already
	switch mapping {
	case "noidmap":
		return nil
	case "idmap":
		if inStack {
			return nil
		}
		owner := uint32(0)
		if strings.HasPrefix(m.bind.Source, "+") {
			owner = a.plan.Users.OnDisk
		}
		return a.explainMapping(a.mapFrom(owner, m.tree, m.bind.Recursive), instead)
	case "owneridmap":
		var err error
		if to, _, err = kernel.Owner(place); err != nil {
			return err
		}
	}
	uid, _, err := kernel.Owner(m.tree.File())
	if err != nil {
		return err
	}
	users, err := kernel.NewIDMap(uid, to, 1)
	if err != nil {
		return err
	}
	defer users.Close()
	return a.explainMapping(m.tree.MapIDs(users, m.bind.Recursive), instead)
}

// mask returns an empty file of the kind of the place that nobody may open. It belongs to the host's root, so that in a user
// namespace this holds for the container's root, too.
func (a *assembly) mask(place *os.File) (kernel.Tree, error) {
	if a.masks == "" {
		tree, err := kernel.NewFileSystem("tmpfs", noSUIDDevExec, options("mode", "0755")...)
		if err != nil {
			return tree, err
		}
		defer tree.Close()
		if err := tree.MakeNodes(inaccessibleNodes(""), 0, 0); err != nil {
			return tree, err
		}
		if a.masks, err = a.workshop.Place(tree, true); err != nil {
			return tree, err
		}
	}
	return maskFor(place, a.masks)
}

// maskFor clones the file of a directory of inaccessible ones that stands for the type of the place.
func maskFor(place *os.File, directory string) (kernel.Tree, error) {
	info, err := place.Stat()
	if err != nil {
		return kernel.Tree{}, err
	}
	name := "reg"
	switch mode := info.Mode(); {
	case mode.IsDir():
		name = "dir"
	case mode&os.ModeNamedPipe != 0:
		name = "fifo"
	case mode&os.ModeSocket != 0:
		name = "sock"
	case mode&os.ModeCharDevice != 0:
		name = "chr"
	case mode&os.ModeDevice != 0:
		name = "blk"
	}
	file := path.Join(directory, name)
	if _, err := os.Lstat(file); err != nil {
		file = path.Join(directory, "sock") // the unit may not make device nodes
	}
	tree, err := kernel.CloneTree(file, false)
	if err != nil {
		return tree, err
	}
	return tree, tree.SetAttributes(noSUIDDevExec|kernel.ReadOnly, false)
}

// lateMessage is what tells the first process which trees follow those that every container gets.
func (s *Supervisor) lateMessage() []byte { return pack(s.late) }
