package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

const (
	maxFile  = 16 << 20 // bytes; more is no settings file
	maxLinks = 40       // symbolic links in a row, as the kernel has it
)

// errMasked is the error of a link to /dev/null, which reads as an empty file.
var errMasked = errors.New("masked")

var errLoop = errors.New("too many levels of symbolic links")

// readRegular reads a regular file at an absolute path of the host. A link is followed inside fsys, also an absolute one;
// a link to /dev/null is an empty file. Nothing but a regular file is ever opened: a FIFO would block.
func readRegular(fsys fs.FS, name string) ([]byte, error) {
	target, info, err := resolve(fsys, name)
	switch {
	case err == errMasked:
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > maxFile:
		return nil, errors.New("larger than 16 MiB")
	}
	f, err := fsys.Open(target[1:])
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	defer f.Close()
	data := make([]byte, info.Size())
	n, err := io.ReadFull(f, data)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF { // it may just have become shorter
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	return data[:n], nil
}

// resolve follows the links of the last component of an absolute path inside fsys and returns what is there.
func resolve(fsys fs.FS, name string) (target string, info fs.FileInfo, err error) {
	for link := range maxLinks {
		if !fs.ValidPath(name[1:]) {
			return "", nil, errors.New("not a valid path")
		}
		info, err := fs.Lstat(fsys, name[1:])
		switch {
		case link > 0 && errors.Is(err, fs.ErrNotExist):
			return "", nil, fmt.Errorf("links to %s, which does not exist", printable(name))
		case err != nil:
			return "", nil, fmt.Errorf("cannot be read: %w", cause(err))
		case info.Mode().Type() != fs.ModeSymlink:
			return name, info, nil
		}
		target, err := fs.ReadLink(fsys, name[1:])
		if err != nil {
			return "", nil, fmt.Errorf("cannot be read: %w", cause(err))
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(name), target)
		}
		if name = path.Clean(target); name == "/dev/null" {
			return "", nil, errMasked
		}
	}
	return "", nil, errLoop
}

// isMasked reports whether name is a link to /dev/null.
func isMasked(fsys fs.FS, name string) bool {
	_, _, err := resolve(fsys, name)
	return err == errMasked
}

// cause returns what is wrong without the path, which the problem names anyway.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
