package image

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// StackSuffix ends the name of a mount stack.
const StackSuffix = ".mstack"

// Stacks are mount stacks.
func Stacks() Kind { return Kind{StackSuffix, fs.FileMode.IsDir} }

// Stack is a mount stack, see systemd.mstack(7). All paths are directories of the host, those of layers and binds also disk images;
// links may lead to them.
type Stack struct {
	Layers   []string // of the overlay, the lowest first
	Writable string   // that holds the uppermost layer; empty: nothing can be written
	Root     string   // of which only /usr comes from the overlay; empty: the overlay is the root directory
	Binds    []StackBind
	Disks    []string // those of the paths above that are disk images
}

// StackBind is a directory or disk image that is mounted below the root directory.
type StackBind struct {
	Source      string
	Destination string // absolute path inside
	ReadOnly    bool
}

// Bind returns the bind of a path, or nil if that is of none.
func (s *Stack) Bind(source string) *StackBind {
	for i := range s.Binds {
		if s.Binds[i].Source == source {
			return &s.Binds[i]
		}
	}
	return nil
}

// HasOverlay reports whether there is an overlay at all.
func (s *Stack) HasOverlay() bool { return len(s.Layers) > 0 || s.Writable != "" }

// RootBind returns the bind that is the root directory, or nil.
func (s *Stack) RootBind() *StackBind {
	if len(s.Binds) > 0 && s.Binds[0].Destination == "/" { // they are sorted
		return &s.Binds[0]
	}
	return nil
}

// RootWritable reports whether the container can write to its root directory.
func (s *Stack) RootWritable() bool {
	if bind := s.RootBind(); bind != nil {
		return !bind.ReadOnly
	}
	return s.Root != "" || s.Writable != "" || !s.HasOverlay()
}

// ReadStack reads the mount stack in a directory of the host, given by its absolute path, for an architecture of Go. A name
// that it must not have is an error: what it would add is not known.
func ReadStack(host fs.FS, directory, goarch string) (*Stack, error) {
	entries, err := fs.ReadDir(host, inHost(directory))
	if err != nil {
		return nil, err
	}
	r := stackReader{host: host, goarch: goarch, layers: make(map[string]string)}
	for _, entry := range entries {
		r.names = append(r.names, entry.Name())
	}
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasPrefix(name, ".") {
			if err := r.add(directory, name); err != nil {
				return nil, fmt.Errorf("%s: %w", path.Join(directory, name), err)
			}
		}
	}
	return r.finish(), nil
}

// stackReader is the work of [ReadStack].
type stackReader struct {
	host   fs.FS
	goarch string
	names  []string // of all entries
	stack  Stack
	disks  []string
	layers map[string]string // by their identifiers
}

var errTwice = errors.New("there are two of it")

func (r *stackReader) add(directory, entry string) error {
	name := strings.TrimSuffix(entry, versionedSuffix)
	if r.isSidecar(entry) {
		return nil
	}
	name, isDisk := strings.CutSuffix(name, DiskSuffix)
	accepted := Directories()
	if isDisk {
		accepted = Disks()
	}
	source, err := Newest(r.host, path.Join(directory, entry), accepted, r.goarch)
	if err != nil {
		return err
	}
	info, err := fs.Stat(r.host, inHost(source))
	if err != nil {
		return err
	}
	isDevice := info.Mode().Type() == fs.ModeDevice // which needs no suffix
	isDisk = isDisk || isDevice
	switch mode := info.Mode(); {
	case isDisk && !mode.IsRegular() && !isDevice:
		return errors.New("not a disk image: neither a regular file nor a block device")
	case !isDisk && !mode.IsDir():
		return errors.New("neither a directory nor a disk image NAME.raw")
	case isDisk:
		r.disks = append(r.disks, source)
	}
	kind, parameter, hasParameter := strings.Cut(name, "@")
	switch {
	case kind == "layer" && parameter != "":
		if r.layers[parameter] != "" {
			return errTwice
		}
		r.layers[parameter] = source
	case (kind == "bind" || kind == "robind") && parameter != "":
		return r.addBind(source, parameter, kind == "robind")
	case kind == "rw" && !hasParameter && !isDisk:
		return setOnce(&r.stack.Writable, source)
	case kind == "root" && !hasParameter && !isDisk:
		return setOnce(&r.stack.Root, source)
	default:
		return errors.New("not one of layer@ID, rw, bind@LOCATION, robind@LOCATION and root")
	}
	return nil
}

// isSidecar reports whether a file belongs to a disk image beside it: it says how that is verified, see --root-hash= of
// systemd-nspawn(1).
func (r *stackReader) isSidecar(entry string) bool {
	for _, suffix := range []string{".roothash", ".roothash.p7s", ".usrhash", ".usrhash.p7s", ".verity"} {
		if name, ok := strings.CutSuffix(entry, suffix); ok && slices.Contains(r.names, name+DiskSuffix) {
			return true
		}
	}
	return false
}

func setOnce(into *string, source string) error {
	if *into != "" {
		return errTwice
	}
	*into = source
	return nil
}

func (r *stackReader) addBind(source, parameter string, readOnly bool) error {
	destination, err := UnescapePath(parameter)
	if err != nil {
		return err
	}
	for _, bind := range r.stack.Binds {
		if bind.Destination == destination {
			return errTwice
		}
	}
	r.stack.Binds = append(r.stack.Binds, StackBind{source, destination, readOnly})
	return nil
}

// finish sorts, and leaves out what nothing is seen of.
func (r *stackReader) finish() *Stack {
	s := &r.stack
	for id := range r.layers {
		s.Layers = append(s.Layers, id)
	}
	slices.SortFunc(s.Layers, func(a, b string) int {
		if order := CompareVersions(a, b); order != 0 {
			return order
		}
		return strings.Compare(a, b)
	})
	for i, id := range s.Layers {
		s.Layers[i] = r.layers[id]
	}
	slices.SortFunc(s.Binds, func(a, b StackBind) int { return strings.Compare(a.Destination, b.Destination) }) // what is below comes later
	at := func(destination string) bool {
		return slices.ContainsFunc(s.Binds, func(b StackBind) bool { return b.Destination == destination })
	}
	if at("/") || s.Root != "" && at("/usr") {
		s.Layers, s.Writable = nil, ""
	}
	if at("/") {
		s.Root = ""
	}
	sources := slices.Clone(s.Layers)
	for _, bind := range s.Binds {
		sources = append(sources, bind.Source)
	}
	for _, source := range sources {
		if slices.Contains(r.disks, source) {
			s.Disks = append(s.Disks, source)
		}
	}
	return s
}

// UnescapePath returns the absolute path that a part of the name of a .mount unit stands for (systemd.unit(5), "String Escaping
// for Inclusion in Unit Names").
func UnescapePath(escaped string) (string, error) {
	bad := fmt.Errorf("%q is not an escaped path", escaped)
	if escaped == "-" {
		return "/", nil
	}
	b := []byte{'/'}
	for i := 0; i < len(escaped); i++ {
		switch c := escaped[i]; c {
		case '-':
			b = append(b, '/')
		case '\\':
			value, ok := unhex(escaped[i+1:])
			if !ok {
				return "", bad
			}
			b = append(b, value)
			i += len("x2d")
		default:
			b = append(b, c)
		}
	}
	name := string(b)
	if name == "/" || path.Clean(name) != name || strings.ContainsRune(name, 0) {
		return "", bad
	}
	return name, nil
}

// unhex takes xHH off the beginning of a text.
func unhex(text string) (value byte, ok bool) {
	if len(text) < 3 || text[0] != 'x' {
		return 0, false
	}
	for _, c := range []byte(text[1:3]) {
		at := strings.IndexByte("0123456789abcdef", c)
		if at < 0 {
			return 0, false
		}
		value = value<<4 | byte(at)
	}
	return value, true
}
