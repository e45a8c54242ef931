package userdb

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
)

// Lists reports whether /etc/passwd or /etc/group has a user or group of one of these numbers.
func (d *Database) Lists(ids ...uint32) bool {
	is := func(fields []string) bool {
		return len(fields) > 2 && slices.ContainsFunc(ids, func(id uint32) bool { return strconv.FormatUint(uint64(id), 10) == fields[2] })
	}
	for _, file := range []string{"passwd", "group"} {
		if _, err := d.plainLine(file, "a number", is); err == nil {
			return true
		}
	}
	return false
}

// Records reports whether there is a JSON record of a user or group of this number: each has a link of that name.
func (d *Database) Records(id uint32) bool {
	number := strconv.FormatUint(uint64(id), 10)
	for _, directory := range recordDirectories() {
		for _, suffix := range []string{".user", ".group"} {
			if _, err := fs.Stat(d.Root, path.Join(directory, number+suffix)); err == nil {
				return true
			}
		}
	}
	return false
}
