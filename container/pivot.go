package container

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"nspawnkit/container/kernel"
)

// decidePivotRoot checks --pivot-root= of systemd-nspawn(1). Both paths are resolved inside the image by the supervisor.
func decidePivotRoot(p *Plan, _ *Host) error {
	if p.Settings.Exec.PivotRoot.Old == "/" {
		return at(&p.Settings, "Exec.PivotRoot", errors.New("the old root directory cannot go to /, where the new one is"))
	}
	return nil
}

// pivot makes a directory of the image the root, with the old root below it where that is asked for.
func (a *assembly) pivot() error {
	pivot := a.plan.Settings.Exec.PivotRoot
	image, err := a.workshop.PlaceRoot(a.Supervisor.root)
	if err != nil {
		return err
	}
	defer image.Close()
	directory, err := image.OpenDirectory(pivot.New)
	if err != nil {
		return err
	}
	defer directory.Close()
	newRoot, err := kernel.CloneTreeOf(directory.File(), true)
	if err != nil {
		return err
	}
	a.useRoot(newRoot)
	if pivot.Old == "" {
		return nil
	}
	oldRoot, err := kernel.CloneTreeOf(image.File(), true)
	if err != nil {
		return err
	}
	defer oldRoot.Close()
	return a.attachOnRoot(pivot.Old, oldRoot)
}

// openInImage opens a path of the container's root directory, as "+" before the source of a bind means it, on the host's side.
// A mount stack must have been put together.
func (s *Supervisor) openInImage(name string) (*kernel.Root, string, error) {
	directory := s.plan.Settings.Directory
	if s.plan.Options.Stack != nil {
		directory = s.stackPlace
	}
	root, err := kernel.OpenRoot(directory)
	pivot := s.plan.Settings.Exec.PivotRoot
	if err != nil || pivot.New == "" {
		return root, name, err
	}
	name = path.Join("/", name)
	if old := pivot.Old; old != "" && (name == old || strings.HasPrefix(name, old+"/")) {
		return root, path.Join("/", strings.TrimPrefix(name, old)), nil
	}
	defer root.Close()
	newRoot, err := root.OpenDirectory(pivot.New)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", s.plan.Settings.Origin("Exec.PivotRoot"), err)
	}
	return newRoot, name, nil
}
