package settings

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Unread warns of what lies in the trusted folders as if it were to be read, but is named so that nobody does.
func Unread(fsys fs.FS) []Problem {
	var problems []Problem
	for _, folder := range trustedFolders {
		entries, _ := fs.ReadDir(fsys, folder[1:]) // a folder that cannot be read is a problem of Scan
		for _, entry := range entries {
			p := path.Join(folder, entry.Name())
			if text := whyUnread(entry.Name()); text != "" {
				problems = append(problems, Problem{Origin{File: p}, Warning, text})
			} else if strings.HasSuffix(p, folderSuffix) || entry.Name() == allFolder {
				problems = append(problems, unreadDropIns(fsys, p)...)
			}
		}
	}
	return problems
}

// whyUnread says why an entry of a trusted folder is not read; nothing if it is, or if it is none of ours.
func whyUnread(base string) string {
	prefix, isFolder := strings.CutSuffix(base, folderSuffix)
	suffix, right := path.Ext(base), fileSuffix
	if strings.EqualFold(suffix, ".d") {
		suffix, right = path.Ext(base[:len(base)-len(".d")])+suffix, folderSuffix
	}
	switch {
	case strings.HasSuffix(base, fileSuffix), base == allFolder, isBackup(base), strings.HasPrefix(base, "networkd-lite."):
		return ""
	case isFolder && !ValidMachineName(strings.TrimRight(prefix, "-")):
		return fmt.Sprintf("nobody reads this folder, %s is not a valid container name", printable(prefix))
	case isFolder:
		return ""
	case strings.EqualFold(base, allFolder):
		return fmt.Sprintf("nobody reads this folder, did you mean %s?", allFolder)
	case editDistance(strings.ToLower(suffix), right, 3) < 3:
		return fmt.Sprintf("nobody reads this, did you mean %s%s?", printable(strings.TrimSuffix(base, suffix)), right)
	case suffix == ".conf" || right == folderSuffix:
		return fmt.Sprintf("nobody reads this, settings are in NAME%s, drop-ins in NAME%s/*.conf", fileSuffix, folderSuffix)
	}
	return ""
}

// unreadDropIns warns of what is not a drop-in in a folder of drop-ins.
func unreadDropIns(fsys fs.FS, folder string) []Problem {
	entries, _ := fs.ReadDir(fsys, folder[1:])
	var problems []Problem
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasSuffix(name, ".conf") && !isBackup(name) {
			problems = append(problems, Problem{Origin{File: path.Join(folder, name)}, Warning, "nobody reads this, the name of a drop-in ends in .conf"})
		}
	}
	return problems
}

// isBackup reports whether an editor or a package manager left a file of that name, which nobody expects to be read.
func isBackup(name string) bool {
	return name[0] == '.' || strings.HasSuffix(name, "~") || strings.Contains(name, ".dpkg-") || strings.Contains(name, ".rpm") ||
		slices.Contains([]string{".bak", ".old", ".orig", ".save", ".swp", ".ucf-dist", ".ucf-old"}, path.Ext(name))
}

// Instead returns the file that is read instead of another one in a lower trusted folder, or nothing.
func (f *Folders) Instead(file string) string {
	machine, isMain := strings.CutSuffix(path.Base(file), fileSuffix)
	if counts := f.main[machine].path; isMain && counts != file && slices.Contains(trustedFolders[:], path.Dir(file)) {
		return counts
	}
	return ""
}

// DropInMachine returns the name of a container that reads a drop-in, if there is such a container: of
// "web.nspawn.d/10.conf" web; NAME stands for those of which a folder serves many.
func DropInMachine(file string) (machine string, ok bool) {
	if path.Ext(file) != ".conf" {
		return "", false
	}
	folder := path.Base(path.Dir(file))
	if folder == allFolder {
		return "NAME", true
	}
	prefix, ok := strings.CutSuffix(folder, folderSuffix)
	if strings.HasSuffix(prefix, "-") {
		prefix += "NAME"
	}
	return prefix, ok && ValidMachineName(prefix)
}
