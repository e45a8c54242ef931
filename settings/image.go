package settings

import (
	"errors"
	"path"
	"strings"

	"nspawnkit/image/dissect"
)

// DiskImage is what the command line says of a disk image that the container runs from. Paths may be relative to the working
// directory.
type DiskImage struct {
	Path   string // --image=, or empty
	Policy string // --image-policy=, valid, or empty: that of containers
}

// Option returns the first option that was given and has no meaning without a disk image, or nothing.
func (d *DiskImage) Option() string {
	for _, o := range []struct{ name, value string }{
		{"--image-policy", d.Policy},
	} {
		if o.value != "" {
			return o.name
		}
	}
	return ""
}

// imageSuffix ends the names of disk images, but not those of machines.
const imageSuffix = ".raw"

// place returns the path that the container runs from: of a directory or of a disk image.
func (c *CommandLine) place() string {
	if c.Image.Path != "" {
		return c.Image.Path
	}
	return c.Directory
}

// placeName returns the machine name made of the place.
func (c *CommandLine) placeName() string {
	if c.Image.Path == "" {
		return machineNameOf(c.Directory)
	}
	return machineNameOf(strings.TrimSuffix(path.Clean(c.Image.Path), imageSuffix))
}

func takeImage(c *CommandLine, v value) error { return takePath(&c.Image.Path, v) }

func takePath(place *string, v value) error {
	if v.text == "" {
		return errors.New("path is empty")
	}
	*place = v.text
	return checkText(v.text)
}

func takeImagePolicy(c *CommandLine, v value) error {
	if v.text == "" {
		return errors.New(`policy is empty: "-" is the one that uses nothing`)
	}
	c.Image.Policy = v.text
	_, err := dissect.ParsePolicy(v.text)
	return err
}
