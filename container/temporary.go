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
type temporaries struct{ record *kernel.Lock }

// note writes down a path that is about to be made. The name of a directory must be one that nobody else uses.
func (t *temporaries) note(machine, path string) error {
	if strings.Contains(path, "\n") {
		return fmt.Errorf("%q has a line break in its name", path)
	}
	if t.record == nil {
		record, err := kernel.LockFile(filepath.Join(temporaryRecords, fmt.Sprintf("%s.%d", machine, os.Getpid())), false)
		if err != nil {
			return err
		}
		t.record = record
	}
	return t.record.Append(path + "\n")
}

// remove takes away all directories and the record.
func (t *temporaries) remove() error {
	if t.record == nil {
		return nil
	}
	content, err := t.record.Content()
	problems := []error{err}
	for line := range strings.Lines(string(content)) {
		if path, whole := strings.CutSuffix(line, "\n"); whole {
			problems = append(problems, os.RemoveAll(path))
		}
	}
	t.record.Release()
	t.record = nil
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
			err = (&temporaries{record}).remove()
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
