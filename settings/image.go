package settings

import (
	"cmp"
	"encoding/base64"
	"errors"
	"strings"

	"nspawnkit/image/dissect"
)

// DiskImage is what the command line says of a disk image that the container runs from. Paths may be relative to the working
// directory.
type DiskImage struct {
	Path       string // --image=, or empty
	Policy     string // --image-policy=, valid, or empty: that of containers
	RootHash   string // --root-hash=, hexadecimal digits, or empty
	Signature  string // --root-hash-sig=: a path, or "base64:" and the signature, or empty
	VerityData string // --verity-data=, or empty
}

// Option returns the first option that was given and has no meaning without a disk image, or nothing.
func (d *DiskImage) Option() string {
	for _, o := range []struct{ name, value string }{
		{"--image-policy", d.Policy}, {"--root-hash", d.RootHash}, {"--root-hash-sig", d.Signature}, {"--verity-data", d.VerityData},
	} {
		if o.value != "" {
			return o.name
		}
	}
	return ""
}

// base64Prefix begins a signature that is given by itself.
const base64Prefix = "base64:"

// LiteralSignature returns the signature that --root-hash-sig= gives by itself; ok is false if it is the path of a file.
func (d *DiskImage) LiteralSignature() (signature []byte, ok bool) {
	text, ok := strings.CutPrefix(d.Signature, base64Prefix)
	if !ok {
		return nil, false
	}
	signature, _ = base64.StdEncoding.DecodeString(text) // checked by takeRootHashSignature
	return signature, true
}

// What ends the names of disk images and mount stacks, but not those of machines.
const (
	imageSuffix = ".raw"
	stackSuffix = ".mstack"
)

// places counts the options that say what the container runs from.
func (c *CommandLine) places() (count int) {
	for _, place := range []string{c.Directory, c.Image.Path, c.Stack, c.Bundle} {
		if place != "" {
			count++
		}
	}
	return count
}

// place returns the path that the container runs from: of a disk image, a mount stack, a directory or an OCI bundle.
func (c *CommandLine) place() string { return cmp.Or(c.Image.Path, c.Stack, c.Directory, c.Bundle) }

// placeName returns the machine name made of the place.
func (c *CommandLine) placeName() string {
	switch {
	case c.Bundle != "":
		return machineNameOf(c.Bundle, "")
	case c.Image.Path != "":
		return machineNameOf(c.Image.Path, imageSuffix)
	case c.Stack != "":
		return machineNameOf(c.Stack, stackSuffix)
	}
	return machineNameOf(c.Directory, "")
}

func takeImage(c *CommandLine, v value) error { return takePath(&c.Image.Path, v) }

func takeVerityData(c *CommandLine, v value) error { return takePath(&c.Image.VerityData, v) }

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

func takeRootHash(c *CommandLine, v value) error {
	c.Image.RootHash = v.text
	_, err := dissect.ParseRootHash(v.text)
	return err
}

func takeRootHashSignature(c *CommandLine, v value) error {
	if text, literal := strings.CutPrefix(v.text, base64Prefix); literal {
		c.Image.Signature = v.text
		if signature, err := base64.StdEncoding.DecodeString(text); err != nil || len(signature) == 0 {
			return errors.New("not base64")
		}
		return nil
	}
	return takePath(&c.Image.Signature, v)
}
