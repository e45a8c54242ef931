package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"nspawnkit/container/kernel"
)

// temporaryRecords has a file for each running container that made directories outside of /run, with a path a line. It is a lock
// file: the directories of a record that nobody holds are left over.
const temporaryRecords = "/run/nspawnkit/temporary"

// temporaries are directories of the host that are removed with the container.
type temporaries struct {
	Record *kernel.Lock
	Made   []temporary
}

// temporary is a directory by its name in another, which is held: its path may be exchanged by the container.
type temporary struct {
	Parent kernel.File
	Name   string
}

// make makes a directory that is to be removed, with a name that nobody else uses, and takes over its parent.
func (t *temporaries) make(machine string, parent *os.File, name string, mode uint32, owner int) error {
	t.Made = append(t.Made, temporary{kernel.File{File: parent}, name})
	where, err := kernel.WhereIs(parent)
	if err != nil {
		return err
	}
	if err := t.note(machine, filepath.Join(where, name)); err != nil {
		return err
	}
	return kernel.MakeIn(parent, name, mode, owner)
}

// note writes down a path that is about to be made.
func (t *temporaries) note(machine, path string) error {
	if strings.Contains(path, "\n") {
		return fmt.Errorf("%q has a line break in its name", path)
	}
	if t.Record == nil {
		record, err := kernel.LockFile(filepath.Join(temporaryRecords, fmt.Sprintf("%s.%d", machine, os.Getpid())), false)
		if err != nil {
			return err
		}
		t.Record = record
	}
	return t.Record.Append(path + "\n")
}

// remove takes away all directories and the record.
func (t *temporaries) remove() error {
	var problems []error
	for _, temporary := range t.Made {
		problems = append(problems, kernel.RemoveTree(temporary.Parent.File, temporary.Name))
		temporary.Parent.Close()
	}
	if t.Record != nil {
		t.Record.Release()
	}
	*t = temporaries{}
	return errors.Join(problems...)
}

// removeRecorded takes away the directories of a record that nobody holds, and the record. One whose path leads through a link
// now, or nowhere, is not looked for: the container has moved it, inside its own image.
func removeRecorded(record *kernel.Lock) error {
	defer record.Release()
	content, err := record.Content()
	problems := []error{err}
	for line := range strings.Lines(string(content)) {
		path, whole := strings.CutSuffix(line, "\n")
		if !whole {
			continue
		}
		err := removeTree(path)
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, kernel.ErrLink) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// removeStaleTemporaries removes what supervisors of this machine left that were killed.
func removeStaleTemporaries(machine string) error {
	entries, err := os.ReadDir(temporaryRecords)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	problems := []error{err}
	for _, entry := range entries {
		name, pid, _ := cutLast(entry.Name(), ".")
		if name != machine || strings.Trim(pid, "0123456789") != "" {
			continue
		}
		record, err := kernel.LockFile(filepath.Join(temporaryRecords, entry.Name()), false)
		if errors.Is(err, kernel.ErrBusy) {
			continue
		}
		if err == nil {
			err = removeRecorded(record)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// cutLast is [strings.Cut] at the last separator.
func cutLast(text, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):], true
	}
	return text, "", false
}
