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
	dropIns  map[string]string   // paths of the drop-in folders, with what links among them lead to
	problems []Problem           // folders that cannot be read: any container may have settings there
	warnings []Problem           // files whose names no container can have
}

// mainFile is the file that counts for a container.
type mainFile struct {
	path   string
	isLink bool
	same   string // name of the container whose settings these are too; empty: the file has its own
}

// Scan lists the trusted folders. fsys is the root directory of the host.
func Scan(fsys fs.FS) *Folders {
	f := &Folders{fsys: fsys, main: make(map[string]mainFile), dropIns: make(map[string]string)}
	for _, folder := range trustedFolders {
		entries, err := fs.ReadDir(fsys, folder[1:])
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.problems = append(f.problems, folderProblem(folder, err))
		}
		for _, entry := range entries {
			if !isHidden(entry.Name()) {
				f.add(folder, entry)
			}
		}
	}
	return f
}

// isHidden reports whether a file is none of the user's settings: editors and package managers put such ones beside theirs.
func isHidden(name string) bool { return name[0] == '.' }

// add sorts one entry of a trusted folder in.
func (f *Folders) add(folder string, entry fs.DirEntry) {
	base := entry.Name()
	p := path.Join(folder, base)
	name, isMain := strings.CutSuffix(base, fileSuffix)
	if !isMain {
		prefix, isFolder := strings.CutSuffix(base, folderSuffix)
		if isFolder && ValidMachineName(strings.TrimRight(prefix, "-")) || base == allFolder {
			f.dropIns[p] = f.real(p, entry)
		}
		return
	}
	if !ValidMachineName(name) {
		f.warnings = append(f.warnings, Problem{Origin{File: p}, Warning, fmt.Sprintf("%s is not a valid container name, ignored", printable(name))})
	} else if f.main[name].path == "" {
		f.main[name] = mainFile{path: p, isLink: entry.Type() == fs.ModeSymlink, same: f.sameAs(folder, entry)}
	}
}

// real returns where a drop-in folder is.
func (f *Folders) real(folder string, entry fs.DirEntry) string {
	if entry.Type() == fs.ModeSymlink {
		if target, _, err := resolve(f.fsys, folder); err == nil {
			return target
		}
	}
	return folder // reading it says what is wrong
}

// sameAs returns the container that a link in a trusted folder makes another one of: a link to a file there stands for its
// name, wherever the file of this name is that counts, as with the aliases of systemd.unit(5).
func (f *Folders) sameAs(folder string, entry fs.DirEntry) string {
	if entry.Type() != fs.ModeSymlink {
		return ""
	}
	target, err := fs.ReadLink(f.fsys, path.Join(folder, entry.Name())[1:])
	if err != nil {
		return "" // reading the file says what is wrong
	}
	if !path.IsAbs(target) {
		target = path.Join(folder, target)
	}
	name, isMain := strings.CutSuffix(path.Base(target), fileSuffix)
	if isMain && ValidMachineName(name) && slices.Contains(trustedFolders[:], path.Dir(path.Clean(target))) {
		return name
	}
	return ""
}

// folderProblem says that a folder cannot be read.
func folderProblem(folder string, err error) Problem {
	return Problem{Origin{File: folder}, Error, fmt.Sprintf("cannot be read: %v", cause(err))}
}

// Containers lists the containers that have a file or a drop-in folder of their own, sorted by name. A file that is a
// link to /dev/null does not count.
func (f *Folders) Containers() ([]Found, []Problem) {
	var found []Found
	for name, file := range f.main {
		if _, last, err := f.follow(name); err != nil || !last.isLink || !isMasked(f.fsys, last.path) {
			found = append(found, Found{name, file.path})
		}
	}
	own := make(map[string]bool) // without a main file
	for folder := range f.dropIns {
		name, isOwn := strings.CutSuffix(path.Base(folder), folderSuffix)
		if _, hasMain := f.main[name]; isOwn && !hasMain && !own[name] && ValidMachineName(name) {
			own[name] = true
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

// LoadShared reads the drop-ins that are for all containers, also for those that no file describes.
func (f *Folders) LoadShared() (*File, []Problem) {
	r := reader{file: &File{}}
	r.readDropIns(f, nil)
	return r.file, r.problems
}

func (f *Folders) load(machine, imageDir string, trustImage bool) (*File, []Problem) {
	r := reader{file: &File{}, machine: machine}
	if !ValidMachineName(machine) {
		r.add(Origin{}, Error, fmt.Sprintf("%s is not a valid container name", printable(machine)))
		return r.file, r.problems
	}
	r.problems = append(r.problems, f.problems...)
	names, main, err := f.follow(machine)
	if err != nil {
		r.file.Path, r.file.Trusted = f.main[machine].path, true
		r.add(Origin{File: r.file.Path}, Error, err.Error())
	} else if main.path != "" {
		r.file.Path, r.file.Trusted = main.path, true
		r.readFile(f.fsys, main.path, main.path, true)
	} else if imageDir != "" {
		p := path.Join("/", imageDir, machine+fileSuffix)
		if _, err := fs.Lstat(f.fsys, p[1:]); !errors.Is(err, fs.ErrNotExist) {
			r.file.Path, r.file.Trusted = p, trustImage
			r.readFile(f.fsys, p, p, trustImage)
		}
	}
	r.readDropIns(f, names)
	return r.file, r.problems
}

// readDropIns reads the drop-ins of a container with these names.
func (r *reader) readDropIns(f *Folders, names []string) {
	for _, d := range f.dropInsOf(r, names) {
		if r.readFile(f.fsys, d.path, d.real, true) {
			r.file.DropIns = append(r.file.DropIns, d.path)
		}
	}
}

// follow returns the names of a container, its own first, then those that its file links to, and the file that counts.
func (f *Folders) follow(machine string) (names []string, file mainFile, err error) {
	names, file = []string{machine}, f.main[machine]
	for file.same != "" {
		if slices.Contains(names, file.same) || len(names) > maxLinks {
			return names, mainFile{}, errLoop
		}
		names = append(names, file.same)
		if file = f.main[file.same]; file.path == "" {
			return names, mainFile{}, fmt.Errorf("links to %s%s, which does not exist", names[len(names)-1], fileSuffix)
		}
	}
	return names, file, nil
}

// readFile reads one file, whose path the user knows as p, and reports whether it has any content.
func (r *reader) readFile(fsys fs.FS, p, real string, trusted bool) bool {
	data, err := readRegular(fsys, real)
	if err != nil {
		r.add(Origin{File: p}, Error, err.Error())
		return false
	}
	r.read(p, data, trusted)
	return len(data) > 0
}

// dropIn is a file of a drop-in folder.
type dropIn struct{ path, real string } // as the user knows it; links of folders followed

// dropInsOf lists the drop-ins of a container by file name. Of several of one name one counts, as systemd itself does it (tried
// on 252): that in the first trusted folder, there in the most specific folder; those for all containers come last.
func (f *Folders) dropInsOf(r *reader, names []string) []dropIn {
	if len(f.dropIns) == 0 {
		return nil
	}
	files := make(map[string]dropIn)
	add := func(folder string) {
		real := f.dropIns[folder]
		if real == "" {
			return
		}
		entries, err := fs.ReadDir(f.fsys, real[1:])
		if err != nil {
			r.problems = append(r.problems, folderProblem(folder, err))
		}
		for _, entry := range entries {
			if name := entry.Name(); strings.HasSuffix(name, ".conf") && !isHidden(name) && files[name].path == "" {
				files[name] = dropIn{path.Join(folder, name), path.Join(real, name)}
			}
		}
	}
	kinds := dropInFolders(names)
	for _, trusted := range trustedFolders {
		for _, kind := range kinds {
			add(trusted + "/" + kind)
		}
	}
	for _, trusted := range trustedFolders {
		add(trusted + "/" + allFolder)
	}
	return slices.SortedFunc(maps.Values(files), func(a, b dropIn) int { return strings.Compare(path.Base(a.path), path.Base(b.path)) })
}

// dropInFolders returns the names of the folders with drop-ins of a container, the most specific first: "web-1.nspawn.d",
// "web-.nspawn.d"; then the same for what it is a link to.
func dropInFolders(names []string) []string {
	var folders []string
	for _, name := range names {
		folders = append(folders, name+folderSuffix)
		for i := len(name) - 1; i > 0; i-- {
			if name[i-1] == '-' {
				folders = append(folders, name[:i]+folderSuffix)
			}
		}
	}
	return folders
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
