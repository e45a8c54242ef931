package settings

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// addBind takes SOURCE[:DESTINATION[:OPTIONS]] of --bind= and --bind-ro=.
func addBind(s *Settings, v value, readOnly bool) error {
	bind := Bind{Origin: v.origin, ReadOnly: readOnly, Recursive: true}
	source, rest, hasDestination, err := cutEscaped(v.text)
	if err != nil {
		return err
	}
	destination, options, hasOptions, err := cutEscaped(rest)
	if err != nil {
		return err
	}
	if !hasDestination {
		destination = strings.TrimPrefix(source, "+")
	}
	if err := checkPath(destination); err != nil && v.text != "" {
		return err
	}
	if bind.Source, err = bindSource(source, v); err != nil {
		return err
	}
	if bind.Destination, err = mountPoint(destination); err != nil {
		return err
	}
	if hasOptions {
		if err := bind.setOptions(options); err != nil {
			return err
		}
	}
	s.Files.Binds = append(s.Files.Binds, bind)
	return nil
}

// bindSource checks the source of a bind mount. A relative one has a meaning on the command line only.
func bindSource(source string, v value) (string, error) {
	if source == "" && v.text == "" {
		return "", errEmpty
	} else if source == "" {
		return "", nil
	}
	p, inRoot := strings.CutPrefix(source, "+")
	if inRoot {
		if err := checkPath(p); err != nil {
			return "", err
		}
		return "+" + path.Clean(p), nil
	}
	if v.fromOption() && !path.IsAbs(p) {
		return p, checkText(p)
	}
	if err := checkPath(p); err != nil {
		return "", err
	}
	return path.Clean(p), nil
}

// mountPoint checks a path inside the container. The root directory itself is no mount point here.
func mountPoint(p string) (string, error) {
	if err := checkPath(p); err != nil {
		return "", err
	}
	if p = path.Clean(p); p == "/" {
		return "", unsupported("mounting over the root directory")
	}
	return p, nil
}

// setOptions takes the comma-separated options of a bind mount.
func (b *Bind) setOptions(options string) error {
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "rbind":
			b.Recursive = true
		case "norbind":
			b.Recursive = false
		case "noidmap", "idmap", "rootidmap", "owneridmap":
			b.IDMap = option
		case "":
		default:
			return fmt.Errorf("unknown mount option %s", printable(option))
		}
	}
	return nil
}

// addTemporaryFileSystem takes PATH[:OPTIONS] of --tmpfs=.
func addTemporaryFileSystem(s *Settings, v value) error {
	if v.text == "" {
		return errEmpty
	}
	p, options, _, err := cutEscaped(v.text)
	if err != nil {
		return err
	}
	if p, err = mountPoint(p); err != nil {
		return err
	}
	if err := checkText(options); err != nil {
		return err
	}
	if options == "" {
		options = "mode=0755"
	}
	s.Files.TemporaryFileSystem = append(s.Files.TemporaryFileSystem, TemporaryFileSystem{v.origin, p, options})
	return nil
}

// setVolatile takes a mode of --volatile=.
func setVolatile(s *Settings, v value) error {
	if !boolOr(&s.Files.Volatile, v.text, "yes", "no") && setOneOf(&s.Files.Volatile, v.text, "state overlay") != nil {
		return errors.New("not a boolean, state or overlay")
	}
	return nil
}

// setPivotRoot takes NEW[:OLD] of --pivot-root=. Only in NEW a backslash means something.
func setPivotRoot(s *Settings, v value) error {
	rootNew, rootOld, _, err := cutEscaped(v.text)
	if err != nil {
		return err
	}
	if err := checkNormalized(rootNew); err != nil {
		return err
	}
	if rootOld != "" {
		if err := checkNormalized(rootOld); err != nil {
			return err
		}
		rootOld = path.Clean(rootOld)
	}
	s.Exec.PivotRoot = PivotRoot{path.Clean(rootNew), rootOld}
	return nil
}

// addInaccessible takes a path of --inaccessible=.
func addInaccessible(s *Settings, v value) error {
	if v.text == "" {
		return errEmpty
	}
	if err := checkPath(v.text); err != nil {
		return err
	}
	s.Files.Inaccessible = append(s.Files.Inaccessible, Inaccessible{Origin: v.origin, Path: path.Clean(v.text)})
	return nil
}

// addOverlay takes LOWER:…:UPPER:DESTINATION of --overlay= and --overlay-ro=, or LOWER:DESTINATION.
func addOverlay(s *Settings, v value, readOnly bool) error {
	if v.text == "" {
		return errEmpty
	}
	paths, err := splitEscaped(v.text)
	if err != nil {
		return err
	}
	last := len(paths) - 1
	if last < 1 {
		return errors.New("not at least two paths")
	}
	overlay := Overlay{Origin: v.origin, ReadOnly: readOnly}
	if overlay.Destination, err = mountPoint(paths[last]); err != nil {
		return err
	}
	if last == 1 {
		overlay.Upper = overlay.Destination
	} else if last--; paths[last] != "" {
		if overlay.Upper, err = bindSource(paths[last], v); err != nil {
			return err
		}
	}
	for _, p := range paths[:last] {
		if p == "" {
			return errors.New("an empty path can only be the uppermost")
		}
		if p, err = bindSource(p, v); err != nil {
			return err
		}
		overlay.Lower = append(overlay.Lower, p)
	}
	s.Files.Overlays = append(s.Files.Overlays, overlay)
	return nil
}

// splitEscaped cuts text at the colons that no backslash escapes.
func splitEscaped(text string) ([]string, error) {
	var parts []string
	for rest, more := text, true; more; {
		var part string
		var err error
		if part, rest, more, err = cutEscaped(rest); err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// addBindUser takes the names of users of the host; an option has one.
func addBindUser(s *Settings, v value) error {
	words := []string{v.text}
	if !v.fromOption() {
		var err error
		if words, err = plainWords.split(v.text); err != nil {
			return err
		}
	}
	var users []BindUser
	for _, name := range words {
		if err := checkUserName(name); err != nil {
			return err
		}
		users = append(users, BindUser{v.origin, name})
	}
	s.Files.BindUser = append(s.Files.BindUser, users...)
	return nil
}

// setBindUserShell takes a boolean or the absolute path of a shell.
func setBindUserShell(s *Settings, v value) error {
	if boolOr(&s.Files.BindUserShell, v.text, "yes", "no") {
		return nil
	}
	if checkNormalized(v.text) != nil {
		return errors.New("not a boolean or an absolute path")
	}
	s.Files.BindUserShell = path.Clean(v.text)
	return nil
}
