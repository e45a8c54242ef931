package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"nspawnkit/image"
	"nspawnkit/settings"
)

// pickVersions replaces versioned directories on the command line by what is newest in them, see systemd.v(7).
func pickVersions(cmd *settings.CommandLine) error {
	if err := pickVersion("--mstack", &cmd.Stack, image.Stacks()); err != nil {
		return err
	}
	if err := pickVersion("--image", &cmd.Image.Path, image.Disks()); err != nil {
		return err
	}
	err := pickVersion("--directory", &cmd.Directory, image.Directories())
	if errors.Is(err, fs.ErrNotExist) && cmd.Template != "" {
		err = fmt.Errorf("--directory=%s: a versioned directory is not made from a template; name the version to make", cmd.Directory)
	}
	if err != nil {
		return err
	}
	return pickVersion("--template", &cmd.Template, image.Directories())
}

func pickVersion(option string, name *string, kind image.Kind) error {
	if !image.IsVersioned(*name) {
		return nil
	}
	absolute, err := filepath.Abs(*name)
	if err != nil {
		return err
	}
	newest, err := image.Newest(os.DirFS("/"), absolute, kind, runtime.GOARCH)
	if err != nil {
		return fmt.Errorf("%s=%s: %w", option, *name, err)
	}
	*name = newest
	return nil
}

// treeToClean returns the root directory of which the left-overs are removed, or nothing if it cannot be found any more. Of a
// versioned directory without a version that could run any will do: the copies of all are beside each other.
func treeToClean(cmd *settings.CommandLine) string {
	directory := ""
	err := pickVersions(cmd)
	if err == nil {
		_, _, err = readBundle(cmd)
	}
	if err == nil {
		directory, err = placeOf(cmd)
	}
	if none := (image.NoVersionError{}); errors.As(err, &none) {
		return none.Any()
	}
	return treeOf(directory)
}

// stackImages returns the disk images of a mount stack, as far as they can be found.
func stackImages(cmd *settings.CommandLine) (images []string) {
	stack, err := readStack(cmd)
	if err != nil || stack == nil {
		return nil
	}
	for _, source := range stack.Disks {
		images = append(images, treeOf(source))
	}
	return images
}

// readStack reads the mount stack that the container runs from, if it does.
func readStack(cmd *settings.CommandLine) (*image.Stack, error) {
	if cmd.Stack == "" {
		return nil, nil
	}
	if cmd.Template != "" {
		return nil, fmt.Errorf("--template: machine %s is the mount stack %s", cmd.Machine, cmd.Stack)
	}
	stack, err := image.ReadStack(os.DirFS("/"), cmd.Stack, runtime.GOARCH)
	if err != nil {
		return nil, fmt.Errorf("--mstack: %w", err)
	}
	return stack, nil
}
