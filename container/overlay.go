package container

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

// layers are the opened directories of an overlay.
type layers struct {
	lower []kernel.Tree // the uppermost first
	upper *kernel.Upper // nil: read-only
	// foreign: the uppermost belongs to none of the container's users but to owner, and is id-mapped.
	foreign bool
	owner   uint32
}

// openOverlay opens the layers of an overlay, and makes those that Overlay= makes.
func (s *Supervisor) openOverlay(overlay *settings.Overlay) (*layers, error) {
	l := &layers{}
	if err := s.openLower(l, overlay); err != nil {
		return nil, err
	}
	return l, s.openUppermost(l, overlay)
}

func (s *Supervisor) openLower(l *layers, overlay *settings.Overlay) error {
	for _, source := range slices.Backward(overlay.Lower) {
		tree, err := s.openSource(source, false)
		if err != nil {
			return err
		}
		l.lower = append(l.lower, tree)
	}
	return nil
}

// openUppermost opens the layer above those that are open.
func (s *Supervisor) openUppermost(l *layers, overlay *settings.Overlay) (err error) {
	upper := overlay.Upper
	if upper == "" {
		if upper, err = s.makeTemporary(int(s.plan.Users.Start)); err != nil {
			return err
		}
	} else if err = s.makeUpper(upper); err != nil {
		return err
	}
	if overlay.ReadOnly {
		tree, err := s.openSource(upper, false)
		if err != nil {
			return err
		}
		l.lower = slices.Insert(l.lower, 0, tree)
		return nil
	}
	return s.openUpper(l, upper)
}

// makeUpper makes the uppermost directory if it is not there, as systemd-nspawn does.
func (s *Supervisor) makeUpper(upper string) error {
	inside, inRoot := strings.CutPrefix(upper, "+")
	if !inRoot {
		return os.MkdirAll(upper, 0o755)
	}
	root, inside, err := s.openInImage(inside)
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
	uid, _, err := kernel.Owner(directory)
	if err != nil {
		parent.Close()
		return err
	}
	l.foreign, l.owner = !s.plan.Users.has(uid), uid
	owner := int(s.plan.Users.Start)
	if l.foreign {
		owner = int(rangeOnDisk(uid)) // which the id-mapped mount shows as the container's root
	}
	work := ".#" + name + RandomID()[:16]
	if err := s.Temporaries.make(s.plan.Settings.Machine, parent, work, 0o700, owner); err != nil {
		return err
	}
	tree, err := kernel.CloneTreeOf(parent, false)
	l.upper = &kernel.Upper{Parent: tree, Name: name, Work: work}
	return err
}

// mapLayers shows layers that belong to users of the host, or to those of shared images, as the container's: user 0 as its root, and so on. An overlay itself
// cannot be id-mapped.
func (s *Supervisor) mapLayers(l *layers) error {
	for _, tree := range l.lower {
		uid, _, err := kernel.Owner(tree.File())
		if err != nil {
			return err
		}
		if !s.plan.Users.has(uid) {
			if err := s.mapFrom(uid, tree, false); err != nil {
				return s.explainMapping(err, "give its files to the container's users")
			}
		}
	}
	if l.upper != nil && l.foreign {
		if err := s.mapFrom(l.owner, l.upper.Parent, false); err != nil {
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
