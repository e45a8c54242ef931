package image

import (
	"path"
	"strings"
)

// copyPrefix begins the names of temporary copies, as systemd-nspawn(1) makes them for --ephemeral.
const copyPrefix = ".#machine."

// suffixLength is that of the random suffix of a copy, in hexadecimal digits.
const suffixLength = 16

// Copies says where the temporary copies of a directory are: beside it, or, where it is a mount, inside it, so that they are on
// the same file system.
type Copies struct {
	Parent string // the directory they are in
	base   string // the name of the original; empty: they are inside
}

// CopiesOf returns where the copies of a directory are, given by its absolute path.
func CopiesOf(directory string, isMount bool) Copies {
	if directory = path.Clean(directory); isMount || directory == "/" {
		return Copies{Parent: directory}
	}
	return Copies{Parent: path.Dir(directory), base: path.Base(directory)}
}

// Name returns the name of the copy with a suffix: ".#machine.web0123456789abcdef".
func (c Copies) Name(suffix string) string { return copyPrefix + c.base + suffix }

// Copy returns name and suffix of the copy that a name in Parent is, or is the lock file of. In a versioned directory
// (systemd.v(7)) those of all versions count, also of those that are gone.
func (c Copies) Copy(name string) (copy, suffix string, ok bool) {
	if locked, isLock := strings.CutPrefix(name, ".#"+copyPrefix); isLock {
		var ends bool
		if locked, ends = strings.CutSuffix(locked, ".lck"); !ends {
			return "", "", false
		}
		name = copyPrefix + locked
	}
	base := c.base
	if at := strings.IndexByte(base, '_'); at >= 0 && strings.HasSuffix(c.Parent, versionedSuffix) {
		base = base[:at+1]
		rest, ok := strings.CutPrefix(name, copyPrefix+base)
		if !ok || len(rest) < suffixLength {
			return "", "", false
		}
		suffix = rest[len(rest)-suffixLength:]
		return name, suffix, ValidSuffix(suffix)
	}
	suffix, ok = strings.CutPrefix(name, copyPrefix+base)
	return name, suffix, ok && ValidSuffix(suffix)
}

// ValidSuffix reports whether a text is 16 hexadecimal digits, as the suffix of a copy.
func ValidSuffix(suffix string) bool {
	return len(suffix) == suffixLength && strings.Trim(suffix, "0123456789abcdef") == ""
}

// Skip reports whether a name of the top directory stays out of a copy: the copies that are inside and their lock files.
func (c Copies) Skip(name string) bool {
	return c.base == "" && (strings.HasPrefix(name, copyPrefix) || strings.HasPrefix(name, ".#"+copyPrefix))
}
