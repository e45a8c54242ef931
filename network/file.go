package network

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"

	"nspawnkit/settings"
)

// SearchPath returns the directories of .network files, as paths in an [fs.FS] of the root directory. The first one that
// has a file of some name wins.
func SearchPath() []string {
	return []string{
		"etc/systemd/network",
		"run/systemd/network",
		"usr/local/lib/systemd/network",
		"usr/lib/nspawnkit/network", // ours hide those of the same name that come with systemd
		"usr/lib/systemd/network",
	}
}

// maxFile is the largest .network file that is read, in bytes.
const maxFile = 1 << 20

// File is one .network file (systemd.network(5)) together with its drop-ins.
type File struct {
	Path     string // of the main file, absolute
	Match    Match
	Config   Config
	Problems []settings.Problem // lines that are not in effect

	section section         // of the line that is being read
	key     string          // of it
	origin  settings.Origin // of it
}

// Files are the .network files of a host in the order in which they are tried.
type Files []*File

// ReadFiles reads the .network files of the directories of searchPath and returns them with the problems of files that
// cannot be used at all. Those of single lines stay with their [File], as most files are about other links.
func ReadFiles(root fs.FS, searchPath []string) (Files, []settings.Problem) {
	var files Files
	var problems []settings.Problem
	found := entries(root, searchPath, ".network")
	for _, name := range slices.Sorted(maps.Keys(found)) {
		file, err := readFile(root, searchPath, name, found[name])
		if err != nil {
			problems = append(problems, *err)
		} else if file != nil {
			files = append(files, file)
		}
	}
	return files, problems
}

// entries returns the first file of each name that ends in suffix: name to path.
func entries(root fs.FS, directories []string, suffix string) map[string]string {
	found := map[string]string{}
	for _, directory := range directories {
		list, _ := fs.ReadDir(root, directory) // what cannot be listed has no files
		for _, entry := range list {
			name := entry.Name()
			if _, hidden := found[name]; !hidden && strings.HasSuffix(name, suffix) && !entry.IsDir() {
				found[name] = path.Join(directory, name)
			}
		}
	}
	return found
}

// readFile reads one .network file and its drop-ins. A masked file is nil.
func readFile(root fs.FS, searchPath []string, name, main string) (*File, *settings.Problem) {
	file := &File{Path: "/" + main, Config: defaults()}
	masked, problem := file.read(root, main)
	if masked || problem != nil {
		return nil, problem
	}
	directories := make([]string, len(searchPath))
	for i, directory := range searchPath {
		directories[i] = path.Join(directory, name+".d")
	}
	found := entries(root, directories, ".conf")
	for _, dropIn := range slices.Sorted(maps.Keys(found)) {
		if _, problem := file.read(root, found[dropIn]); problem != nil {
			file.Problems = append(file.Problems, *problem)
		}
	}
	file.finish()
	file.testHost(facts{root})
	file.section, file.key = section{}, ""
	return file, nil
}

// read adds the lines of one file. An empty file masks: it hides those of the same name in other directories.
func (f *File) read(root fs.FS, name string) (masked bool, problem *settings.Problem) {
	origin := settings.Origin{File: "/" + name}
	data, err := contents(root, name)
	if err != nil {
		return false, &settings.Problem{Origin: origin, Text: err.Error()}
	}
	if len(data) == 0 {
		return true, nil
	}
	statements, problems, err := settings.Statements(origin.File, data)
	if err != nil {
		text := strings.TrimPrefix(err.Error(), origin.File+":")
		return false, &settings.Problem{Origin: origin, Text: "file not read: line " + text}
	}
	f.Problems = append(f.Problems, problems...)
	for _, s := range statements {
		f.assign(s)
	}
	return false, nil
}

// contents reads a regular file; a link to /dev/null is empty.
func contents(root fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(root, name)
	switch {
	case err != nil:
		return nil, errors.Unwrap(err)
	case info.Mode()&fs.ModeCharDevice != 0:
		return nil, nil
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > maxFile:
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	return data, nil
}

// assign takes one line. What is wrong with it becomes a problem of the file.
func (f *File) assign(s settings.Statement) {
	if strings.HasPrefix(s.Section, "X-") {
		return // systemd.syntax(7): for other programs
	}
	f.section, f.key, f.origin = sectionOf(s), s.Key, s.Origin
	if f.setCondition(s) {
		return
	}
	err := f.set(s.Section, s.Key, s.Value)
	if err == nil {
		return
	}
	problem := settings.Problem{Origin: s.Origin, Text: fmt.Sprintf("[%s] %s=: %v", s.Section, s.Key, err)}
	if s.Section == "Match" {
		f.cannotMatch(problem)
		return
	}
	f.Problems = append(f.Problems, problem)
}

// cannotMatch reports a condition that cannot be tested.
func (f *File) cannotMatch(problem settings.Problem) {
	if f.Match.unsupported == nil {
		problem.Text += ", so the file is for no link"
		f.Match.unsupported = &problem
	}
	f.Problems = append(f.Problems, problem)
}

// Find returns the file that configures the link, as it is for that: the first one that matches. Without one it returns nil, and the
// problem of a file that was passed over because of a condition that cannot be tested here, if there was one.
func (files Files) Find(l Link) (*File, *settings.Problem) {
	var passed *settings.Problem
	for _, file := range files {
		if !file.Match.matches(l) {
			continue
		}
		if file.Match.unsupported == nil {
			return file.of(l), nil
		}
		if passed == nil {
			passed = file.Match.unsupported
		}
	}
	return nil, passed
}

// Prefixes returns the subnets of all addresses that the files assign, which no link may be given by chance.
func (files Files) Prefixes() []netip.Prefix {
	var prefixes []netip.Prefix
	for _, file := range files {
		for _, a := range file.Config.Addresses {
			if !a.Addr().IsUnspecified() {
				prefixes = append(prefixes, a.Masked())
			}
		}
	}
	return prefixes
}
