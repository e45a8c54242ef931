package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// trustedFolders are searched in this order; the first file of a name hides the others. machinectl(1) removes files of
// the systemd folders together with the image, but not those of the first.
var trustedFolders = [...]string{
	"/etc/nspawnkit", "/etc/systemd/nspawn", "/run/systemd/nspawn", "/usr/local/lib/systemd/nspawn", "/usr/lib/systemd/nspawn",
}

const (
	fileSuffix   = ".nspawn"
	folderSuffix = ".nspawn.d"
	allFolder    = "nspawn.d" // drop-ins for all containers
)

// Found is a container that trusted files describe.
type Found struct {
	Name string // of the container
	Path string // of its main file; empty if it has drop-ins only
}

// Folders is the list of what lies in the trusted folders, read once for any number of containers.
type Folders struct {
	fsys     fs.FS
	main     map[string]mainFile // by name of the container
	dropIns  map[string][]string // paths of the drop-in folders by name ("web-.nspawn.d"), the first has precedence
	problems []Problem           // folders that cannot be read: any container may have settings there
	warnings []Problem           // files whose names no container can have
}

// mainFile is the file that counts for a container.
type mainFile struct {
	path   string
	isLink bool
}

// Scan lists the trusted folders. fsys is the root directory of the host.
func Scan(fsys fs.FS) *Folders {
	f := &Folders{fsys: fsys, main: make(map[string]mainFile), dropIns: make(map[string][]string)}
	for _, folder := range trustedFolders {
		entries, err := fs.ReadDir(fsys, folder[1:])
		if err != nil {
			f.problems = append(f.problems, folderProblem(folder, err)...)
		}
		for _, entry := range entries {
			f.add(folder, entry)
		}
	}
	return f
}

// add sorts one entry of a trusted folder in.
func (f *Folders) add(folder string, entry fs.DirEntry) {
	base := entry.Name()
	p := path.Join(folder, base)
	name, isMain := strings.CutSuffix(base, fileSuffix)
	if !isMain {
		prefix, isFolder := strings.CutSuffix(base, folderSuffix)
		if isFolder && ValidMachineName(strings.TrimRight(prefix, "-")) || base == allFolder {
			f.dropIns[base] = append(f.dropIns[base], p)
		}
		return
	}
	if !ValidMachineName(name) {
		f.warnings = append(f.warnings, Problem{Origin{File: p}, Warning, fmt.Sprintf("%s is not a valid container name, ignored", printable(name))})
	} else if f.main[name].path == "" {
		f.main[name] = mainFile{p, entry.Type() == fs.ModeSymlink}
	}
}

// folderProblem says that a folder cannot be read, unless it just does not exist.
func folderProblem(folder string, err error) []Problem {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return []Problem{{Origin{File: folder}, Error, fmt.Sprintf("cannot be read: %v", cause(err))}}
}

// Containers lists the containers that have a file or a drop-in folder of their own, sorted by name. A file that is a
// link to /dev/null does not count.
func (f *Folders) Containers() ([]Found, []Problem) {
	var found []Found
	for name, file := range f.main {
		if !file.isLink || !isMasked(f.fsys, file.path) {
			found = append(found, Found{name, file.path})
		}
	}
	for folder := range f.dropIns {
		name, own := strings.CutSuffix(folder, folderSuffix)
		if _, hasMain := f.main[name]; own && !hasMain && ValidMachineName(name) {
			found = append(found, Found{Name: name})
		}
	}
	slices.SortFunc(found, func(a, b Found) int { return strings.Compare(a.Name, b.Name) })
	return found, slices.Concat(f.problems, f.warnings)
}

// Load reads the settings of a container: its main file, from a trusted folder or beside the image in imageDir (where it
// is not trusted; empty: nowhere), and the drop-ins. The File is never nil: what the problems are about is left out of it.
func (f *Folders) Load(machine, imageDir string) (*File, []Problem) {
	return f.load(machine, imageDir, false)
}

func (f *Folders) load(machine, imageDir string, trustImage bool) (*File, []Problem) {
	r := reader{file: &File{}, machine: machine}
	if !ValidMachineName(machine) {
		r.add(Origin{}, Error, fmt.Sprintf("%s is not a valid container name", printable(machine)))
		return r.file, r.problems
	}
	r.problems = append(r.problems, f.problems...)
	if p := f.main[machine].path; p != "" {
		r.file.Path, r.file.Trusted = p, true
		r.readFile(f.fsys, p, true)
	} else if imageDir != "" {
		p := path.Join("/", imageDir, machine+fileSuffix)
		if _, err := fs.Lstat(f.fsys, p[1:]); !errors.Is(err, fs.ErrNotExist) {
			r.file.Path, r.file.Trusted = p, trustImage
			r.readFile(f.fsys, p, trustImage)
		}
	}
	for _, p := range f.dropInsOf(&r) {
		if r.readFile(f.fsys, p, true) {
			r.file.DropIns = append(r.file.DropIns, p)
		}
	}
	return r.file, r.problems
}

// readFile reads one file and reports whether it has any content.
func (r *reader) readFile(fsys fs.FS, p string, trusted bool) bool {
	data, err := readRegular(fsys, p)
	if err != nil {
		r.add(Origin{File: p}, Error, err.Error())
		return false
	}
	r.read(p, data, trusted)
	return len(data) > 0
}

// dropInsOf lists the drop-ins of a container by file name, as systemd.unit(5) merges them: of several of one name the
// one in the most specific folder counts, then the one in the first trusted folder.
func (f *Folders) dropInsOf(r *reader) []string {
	paths := make(map[string]string)
	for _, kind := range dropInFolders(r.machine) {
		for _, folder := range f.dropIns[kind] {
			entries, err := fs.ReadDir(f.fsys, folder[1:])
			if err != nil {
				r.problems = append(r.problems, folderProblem(folder, err)...)
			}
			for _, entry := range entries {
				if name := entry.Name(); strings.HasSuffix(name, ".conf") && name[0] != '.' && paths[name] == "" {
					paths[name] = path.Join(folder, name)
				}
			}
		}
	}
	return slices.SortedFunc(maps.Values(paths), func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
}

// dropInFolders returns the names of the folders with drop-ins of a container, the most specific first:
// "web-1.nspawn.d", "web-.nspawn.d", "nspawn.d".
func dropInFolders(machine string) []string {
	folders := []string{machine + folderSuffix}
	for i := len(machine) - 1; i > 0; i-- {
		if machine[i-1] == '-' {
			folders = append(folders, machine[:i]+folderSuffix)
		}
	}
	return append(folders, allFolder)
}

// Discover lists the containers of the trusted folders: [Scan] and [Folders.Containers].
func Discover(fsys fs.FS) ([]Found, []Problem) { return Scan(fsys).Containers() }

// Load reads the settings of one container: [Scan] and [Folders.Load].
func Load(fsys fs.FS, machine, imageDir string) (*File, []Problem) {
	return Scan(fsys).load(machine, imageDir, false)
}

// LoadTrusted is [Load] for --settings=trusted: it trusts the file beside the image, too.
func LoadTrusted(fsys fs.FS, machine, imageDir string) (*File, []Problem) {
	return Scan(fsys).load(machine, imageDir, true)
}
