package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"nspawnkit/image"
	"nspawnkit/settings"
)

// placeOf finds the container's root: --directory=, --image=, --mstack=, the machine's image, or the working directory. A disk
// image or mount stack becomes that of the command line.
func placeOf(cmd *settings.CommandLine) (place string, err error) {
	switch {
	case cmd.Image.Path != "":
		if place, err = resolve(cmd.Image.Path); err != nil {
			return "", fmt.Errorf("--image: %w", err)
		}
		cmd.Image.Path = place
		return place, nil
	case cmd.Stack != "":
		if place, err = resolve(cmd.Stack); err != nil {
			return "", fmt.Errorf("--mstack: %w", err)
		}
		cmd.Stack = place
		return place, nil
	case cmd.Directory != "":
		directory, err := resolve(cmd.Directory)
		if errors.Is(err, fs.ErrNotExist) && mayBeMissing(cmd) {
			parent, err := resolve(filepath.Dir(cmd.Directory))
			return filepath.Join(parent, filepath.Base(cmd.Directory)), err
		}
		return directory, err
	case cmd.Bundle != "":
		return "", fmt.Errorf("--oci-bundle=%s: there is no root directory", cmd.Bundle) // or it would be that of --directory=
	case cmd.Machine != "":
		found, err := image.Find(os.DirFS("/"), cmd.Machine)
		if errors.Is(err, fs.ErrNotExist) && mayBeMissing(cmd) {
			return image.New(cmd.Machine), nil
		}
		switch {
		case found.Disk:
			cmd.Image.Path = found.Path
		case found.Stack:
			cmd.Stack = found.Path
		}
		return found.Path, err
	}
	return os.Getwd()
}

// mayBeMissing reports whether the root directory may be missing: it is made from a template, or its left-over copies are
// looked for.
func mayBeMissing(cmd *settings.CommandLine) bool { return cmd.Template != "" || cmd.Cleanup }

// resolve returns the absolute path without links.
func resolve(name string) (string, error) {
	absolute, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(absolute)
}

// treeOf returns the directory that a path leads to, or the path if nothing is there.
func treeOf(directory string) string {
	if resolved, err := filepath.EvalSymlinks(directory); err == nil {
		return resolved
	}
	return directory
}

// findTemplate returns the template, or nothing if none was asked for. missing says that it is needed.
func findTemplate(cmd *settings.CommandLine, directory string) (template string, missing bool, err error) {
	if cmd.Template == "" {
		return "", false, nil
	}
	if template, err = resolve(cmd.Template); err != nil {
		return "", false, fmt.Errorf("--template: %w", err)
	}
	_, err = os.Lstat(directory)
	return template, errors.Is(err, fs.ErrNotExist), nil
}
