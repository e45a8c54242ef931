package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"nspawnkit/container/kernel"
	"nspawnkit/image"
	"nspawnkit/image/dissect"
)

// Images are the open disk images of a container, the one that it runs from or those of its mount stack. They are mounted in a
// mount namespace of the main thread: they are directories for all steps that follow, and nobody else sees them. Loop devices and
// mounts go with the process, whatever ends it.
type Images struct {
	mounts *kernel.PrivateMounts
	list   []*Image
}

// OpenImage takes the steps of the image list. The caller closes the images, also after an error.
func OpenImage(options ImageOptions, log func(priority int, text string), tell func(lines ...string)) (*Images, error) {
	all := &Images{}
	return all, all.open(&Image{options: options, place: imageRoot, log: log, tell: tell})
}

// OpenStackImages does that for the disk images of a mount stack, where options say how a writable one is opened. A bind of an
// image that turns out to be read-only is marked so. Nil means that the stack has none.
func OpenStackImages(stack *image.Stack, options ImageOptions, log func(priority int, text string), tell func(lines ...string)) (*Images, error) {
	if len(stack.Disks) == 0 {
		return nil, nil
	}
	all := &Images{}
	if err := all.enter(); err != nil {
		return all, err
	}
	places, err := kernel.NewFileSystem("tmpfs", noSUIDDevExec, kernel.Option{Name: "mode", Value: "0755"})
	if err != nil {
		return all, err
	}
	defer places.Close()
	if err := places.AttachTo(imageRoot); err != nil {
		return all, err
	}
	for n, source := range stack.Disks {
		i := &Image{options: options, source: source, place: filepath.Join(imageRoot, strconv.Itoa(n)), log: log, tell: tell}
		bind := stack.Bind(source)
		i.options.ReadOnly = options.ReadOnly || bind == nil || bind.ReadOnly
		if i.options.Path, err = filepath.EvalSymlinks(source); err == nil {
			err = all.open(i)
		}
		if err != nil {
			return all, fmt.Errorf("--mstack: %s: %w", source, err)
		}
		if bind != nil {
			root := i.partition(dissect.Root)
			bind.ReadOnly = i.options.ReadOnly || root != nil && root.ReadOnly
		}
	}
	return all, nil
}

func (all *Images) open(i *Image) error {
	i.images = all
	all.list = append(all.list, i)
	for _, step := range imageSteps() {
		if err := step.do(i); err != nil {
			return fmt.Errorf("%s: image %s: %w", step.name, i.options.Path, err)
		}
	}
	return nil
}

// enter gives the main thread mounts of its own.
func (all *Images) enter() (err error) {
	if all.mounts != nil {
		return nil
	}
	if err := os.MkdirAll(imageRoot, 0o755); err != nil {
		return err
	}
	all.mounts, err = kernel.EnterPrivateMounts()
	return err
}

// Directory is where the content of the image is that the container runs from; empty: it runs from none.
func (all *Images) Directory() string {
	if all.root() == nil {
		return ""
	}
	return imageRoot
}

// root returns the image that the container runs from, or nil.
func (all *Images) root() *Image {
	if all == nil || len(all.list) == 0 || all.list[0].source != "" {
		return nil
	}
	return all.list[0]
}

// of returns the image that a path of a mount stack leads to, or nil.
func (all *Images) of(source string) *Image {
	if all == nil {
		return nil
	}
	for _, i := range all.list {
		if i.source == source {
			return i
		}
	}
	return nil
}

// leave brings the main thread back to the mounts of the host: the container has those of the images now.
func (all *Images) leave() error {
	if all == nil || all.mounts == nil {
		return nil
	}
	return all.mounts.Leave()
}

// imagesLeft is what [Images.Close] takes, as it is handed over.
type imagesLeft struct {
	Mounts *kernel.PrivateMounts
	Files  []kernel.File
	Locks  []*kernel.Lock
}

// MarshalJSON hands the images over, see [kernel.File].
func (all *Images) MarshalJSON() ([]byte, error) {
	left := imagesLeft{Mounts: all.mounts}
	for _, i := range all.list {
		left.Files = append(left.Files, kernel.File{File: i.file})
		left.Locks = append(left.Locks, i.locks...)
	}
	return json.Marshal(left)
}

// UnmarshalJSON takes the images over, to be closed.
func (all *Images) UnmarshalJSON(data []byte) error {
	var left imagesLeft
	err := json.Unmarshal(data, &left)
	all.mounts = left.Mounts
	for _, file := range left.Files {
		all.list = append(all.list, &Image{file: file.File})
	}
	if len(all.list) > 0 {
		all.list[0].locks = left.Locks
	}
	return err
}

// Close unmounts the images, so that the kernel writes everything to them. No process of the container may have them any more.
func (all *Images) Close() error {
	if all == nil {
		return nil
	}
	var problems []error
	if all.mounts != nil {
		if err := all.mounts.Enter(); err != nil {
			return err
		}
		problems = append(problems, kernel.UnmountAll(imageRoot), all.mounts.Leave(), all.mounts.Close())
	}
	for _, i := range all.list {
		i.close()
	}
	return errors.Join(problems...)
}
