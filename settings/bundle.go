package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Bundle is an OCI runtime bundle (https://github.com/opencontainers/runtime-spec, version 1), see --oci-bundle= of
// systemd-nspawn(1). [BundleFields] says what becomes of each field.
type Bundle struct {
	File    *File  // what config.json says, in the place of a .nspawn file
	Root    string // the root directory, an absolute path
	Console string // for --console=, or empty

	ConsoleSize ConsoleSize // zero: that of the terminal that shows the console
}

// ConsoleSize is a size in characters.
type ConsoleSize struct {
	Height uint16 `json:"height"`
	Width  uint16 `json:"width"`
}

// bundleConfig is the name of the configuration in a bundle.
const bundleConfig = "config.json"

// ReadBundle reads the bundle in a directory, given by its absolute path. A problem of severity Error is something that the
// bundle asks for and the container would not get.
func ReadBundle(fsys fs.FS, directory string) (*Bundle, []Problem) {
	r := &bundleReader{directory: directory, bundle: &Bundle{File: &File{Path: path.Join(directory, bundleConfig), Trusted: true}}}
	data, err := readRegular(fsys, r.bundle.File.Path)
	if err != nil {
		r.refuse("", "%v", err)
		return r.bundle, r.problems
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var config map[string]any
	if err := decoder.Decode(&config); err != nil {
		r.refuse("", "%v", err)
		return r.bundle, r.problems
	}
	if _, err := decoder.Token(); err != io.EOF {
		r.refuse("", "there is something behind the configuration")
	}
	// Nothing is put into the root directory that the bundle does not ask for.
	for _, off := range []string{"ResolvConf", "Timezone", "LinkJournal"} {
		r.setText("Exec", off, "no", "")
	}
	r.examine(config, "", "")
	for i := range bundleFields {
		if field := &bundleFields[i]; field.take != nil {
			r.take(field, config)
		}
	}
	if !r.terminal {
		r.bundle.Console = "pipe"
	}
	r.require(config)
	return r.bundle, r.problems
}

// Verdict says what becomes of a field of a bundle.
type Verdict string

// The verdicts. What is refused may be there if it is empty.
const (
	Honoured Verdict = "yes"
	Refused  Verdict = "refused"
	Hint     Verdict = "no effect"
)

// BundleField is a field of config.json.
type BundleField struct {
	Path    string // "mounts[].options"
	Verdict Verdict
	Text    string // what it does here, or why it does nothing

	take func(*bundleReader, any, string) // the value, and where it is
}

// BundleFields returns the table of fields.
func BundleFields() []BundleField { return bundleFields[:] }

func bundleField(pattern string) *BundleField {
	for i := range bundleFields {
		if bundleFields[i].Path == pattern {
			return &bundleFields[i]
		}
	}
	return nil
}

// bundleReader is the work of [ReadBundle].
type bundleReader struct {
	directory string
	bundle    *Bundle
	problems  []Problem

	terminal   bool
	namespaces []string
	devices    []Device // that the container gets besides the usual ones
}

func (r *bundleReader) origin(pointer string) Origin {
	return Origin{File: r.bundle.File.Path, Pointer: pointer}
}

func (r *bundleReader) refuse(pointer, format string, arguments ...any) {
	r.problems = append(r.problems, Problem{r.origin(pointer), Error, fmt.Sprintf(format, arguments...)})
}

// unsupported refuses what the container would not get.
func (r *bundleReader) unsupported(pointer string) { r.refuse(pointer, "not supported") }

// examine looks up every field. pattern is its path as in the table, pointer with the index of each element.
func (r *bundleReader) examine(v any, pattern, pointer string) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			r.examineField(v[name], join(pattern, name), join(pointer, printable(name)))
		}
	case []any:
		for i, element := range v {
			r.examine(element, pattern+"[]", fmt.Sprintf("%s[%d]", pointer, i))
		}
	}
}

func (r *bundleReader) examineField(v any, pattern, pointer string) {
	field := bundleField(pattern)
	switch {
	case field == nil: // the specification: unknown properties are ignored
		r.problems = append(r.problems, Problem{r.origin(pointer), Warning, "unknown, ignored"})
	case field.Verdict == Refused && !isEmpty(v):
		r.unsupported(pointer)
	case field.Verdict == Honoured && hasChildren(pattern):
		r.examine(v, pattern, pointer)
	}
}

func hasChildren(pattern string) bool {
	return slices.ContainsFunc(bundleFields[:], func(f BundleField) bool {
		return strings.HasPrefix(f.Path, pattern+".") || strings.HasPrefix(f.Path, pattern+"[].")
	})
}

func join(pattern, name string) string { return strings.TrimPrefix(pattern+"."+name, ".") }

// isEmpty reports whether a value asks for nothing.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case bool:
		return !v
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, value := range v {
			if !isEmpty(value) {
				return false
			}
		}
		return true
	}
	return v == nil
}

// take looks a field up and takes its value.
func (r *bundleReader) take(field *BundleField, config map[string]any) {
	var v any = config
	for _, name := range strings.Split(field.Path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return // a wrong type is found where the object is taken
		}
		if v = object[name]; v == nil {
			return
		}
	}
	field.take(r, v, field.Path)
}

// decode stores a value; one of another type is a problem.
func (r *bundleReader) decode(v any, pointer string, into any) bool {
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		if wrong.Field != "" {
			pointer += "." + wrong.Field
		}
		r.refuse(pointer, "not a %s but a %s", wrong.Type, wrong.Value)
		return false
	}
	if err != nil {
		r.refuse(pointer, "%v", err)
	}
	return err == nil
}

// set makes a value one of a key, so that it is combined with the command line as if it were in a file. A key that no file has
// stands for itself.
func (r *bundleReader) set(section, name, text, pointer string, set func(*Settings) error) {
	key := Key{Section: section, Name: name}
	if known := lookup(section, name); known != nil {
		key = *known
	}
	key.set = func(s *Settings, _ value) error { return set(s) }
	r.bundle.File.assignments = append(r.bundle.File.assignments, assignment{&key, value{text, r.origin(pointer)}, true})
}

// setText gives a key the value that one would write.
func (r *bundleReader) setText(section, name, text, pointer string) {
	key, v := lookup(section, name), value{text, r.origin(pointer)}
	if err := key.check(&Settings{}, v); err != nil {
		r.refuse(pointer, "%v", err)
		return
	}
	r.bundle.File.assignments = append(r.bundle.File.assignments, assignment{key, v, true})
}

// path returns a path that is meant relative to the bundle.
func (r *bundleReader) path(name string) string {
	if !path.IsAbs(name) {
		name = path.Join(r.directory, name)
	}
	return path.Clean(name)
}

// require refuses a bundle without what it must have.
func (r *bundleReader) require(config map[string]any) {
	for _, name := range []string{"ociVersion", "root"} {
		if config[name] == nil {
			r.refuse(name, "is missing")
		}
	}
	isError := func(p Problem) bool { return p.Severity == Error }
	if r.bundle.Root == "" && !slices.ContainsFunc(r.problems, isError) {
		r.refuse("root.path", "is missing")
	}
}

func at(pointer string, i int) string { return pointer + "[" + strconv.Itoa(i) + "]" }
