package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// layers are the opened directories of an overlay.
type layers struct {
	lower []kernel.Tree // the uppermost first
	upper *kernel.Upper // nil: read-only
	// foreign: the uppermost belongs to none of the container's users, and is id-mapped.
	foreign bool
}

// openOverlay opens the layers of an overlay, and makes those that Overlay= makes.
func (s *Supervisor) openOverlay(overlay *settings.Overlay) (*layers, error) {
	l := &layers{}
	for _, source := range slices.Backward(overlay.Lower) {
		tree, err := s.openSource(source, false)
		if err != nil {
			return nil, err
		}
		l.lower = append(l.lower, tree)
	}
	upper := overlay.Upper
	var err error
	if upper == "" {
		if upper, err = s.makeTemporary(int(s.plan.Users.Start)); err != nil {
			return nil, err
		}
	} else if err = s.makeUpper(upper); err != nil {
		return nil, err
	}
	if overlay.ReadOnly {
		tree, err := s.openSource(upper, false)
		if err != nil {
			return nil, err
		}
		l.lower = slices.Insert(l.lower, 0, tree)
		return l, nil
	}
	return l, s.openUpper(l, upper)
}

// makeUpper makes the uppermost directory if it is not there, as systemd-nspawn does.
func (s *Supervisor) makeUpper(upper string) error {
	inside, inRoot := strings.CutPrefix(upper, "+")
	if !inRoot {
		return os.MkdirAll(upper, 0o755)
	}
	if s.plan.Options.Stack != nil {
		return errNotInStack
	}
	root, err := kernel.OpenRoot(s.plan.Settings.Directory)
	if err != nil {
		return err
	}
	defer root.Close()
	directory, err := root.MakeMountPoint(inside, true)
	if err != nil {
		return err
	}
	return directory.Close()
}

// openUpper opens the uppermost directory and makes the working directory beside it, named as systemd-nspawn names it.
func (s *Supervisor) openUpper(l *layers, upper string) error {
	directory, err := s.openFile(upper)
	if err != nil {
		return err
	}
	defer directory.Close()
	parent, name, err := kernel.OpenParent(directory)
	if err != nil {
		return err
	}
	defer parent.Close()
	uid, _, err := kernel.Owner(directory)
	if err != nil {
		return err
	}
	l.foreign = !s.plan.Users.has(uid)
	owner := int(s.plan.Users.Start)
	if l.foreign {
		owner = 0 // which the id-mapped mount shows as the container's root
	}
	work := ".#" + name + RandomID()[:16]
	if err := s.temporaries.note(s.plan.Settings.Machine, filepath.Join(parent.Name(), work)); err != nil {
		return err
	}
	if err := kernel.MakeIn(parent, work, 0o700, owner); err != nil {
		return err
	}
	tree, err := kernel.CloneTreeOf(parent, false)
	l.upper = &kernel.Upper{Parent: tree, Name: name, Work: work}
	return err
}

// mapLayers shows layers that belong to users of the host as the container's: user 0 as its root, and so on. An overlay itself
// cannot be id-mapped.
func (s *Supervisor) mapLayers(l *layers) error {
	for _, tree := range l.lower {
		uid, _, err := kernel.Owner(tree.File())
		if err != nil {
			return err
		}
		if !s.plan.Users.has(uid) {
			if err := s.mapTree(tree, false); err != nil {
				return s.explainMapping(err, "give its files to the container's users")
			}
		}
	}
	if l.upper != nil && l.foreign {
		if err := s.mapTree(l.upper.Parent, false); err != nil {
			return s.explainMapping(err, "give its files to the container's users")
		}
	}
	return nil
}

// explainMapping says what to write where a file system cannot be id-mapped.
func (s *Supervisor) explainMapping(err error, instead string) error {
	if unmappable := (kernel.UnmappableError{}); errors.As(err, &unmappable) {
		users := s.plan.Users
		return fmt.Errorf("%w; %s, %d to %d", err, instead, users.Start, uint64(users.Start)+uint64(users.Count)-1)
	}
	return err
}
