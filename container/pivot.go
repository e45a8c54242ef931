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

// pivotImage makes a directory of the image the root, with the old root below it where that is asked for.
func (s *Supervisor) pivotImage(tree kernel.Tree) (kernel.Tree, error) {
	tree, err := kernel.Assemble(func(stage *kernel.Stage) (kernel.Tree, error) { return s.pivot(stage, tree) })
	if err != nil {
		return tree, at(&s.plan.Settings, "Exec.PivotRoot", err)
	}
	return tree, nil
}

func (s *Supervisor) pivot(stage *kernel.Stage, tree kernel.Tree) (kernel.Tree, error) {
	pivot := s.plan.Settings.Exec.PivotRoot
	image, _, err := stage.Put(tree, "image")
	if err != nil {
		return kernel.Tree{}, err
	}
	defer image.Close()
	directory, err := image.OpenDirectory(pivot.New)
	if err != nil {
		return kernel.Tree{}, err
	}
	defer directory.Close()
	newRoot, err := stage.Take(directory)
	if err != nil || pivot.Old == "" {
		return newRoot, err
	}
	oldRoot, err := stage.Take(image)
	if err != nil {
		return kernel.Tree{}, err
	}
	defer oldRoot.Close()
	return s.attachOn(stage, newRoot, pivot.Old, oldRoot)
}

// openInImage opens a path of the container's root directory, as "+" before the source of a bind means it, on the host's side.
func (s *Supervisor) openInImage(name string) (*kernel.Root, string, error) {
	root, err := kernel.OpenRoot(s.plan.Settings.Directory)
	pivot := s.plan.Settings.Exec.PivotRoot
	if err != nil || pivot.New == "" {
		return root, name, err
	}
	name = path.Join("/", name)
	if old := pivot.Old; old != "" && (name == old || strings.HasPrefix(name, old+"/")) {
		return root, path.Join("/", strings.TrimPrefix(name, old)), nil
	}
	defer root.Close()
	directory, err := root.OpenDirectory(pivot.New)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", s.plan.Settings.Origin("Exec.PivotRoot"), err)
	}
	return directory, name, nil
}
