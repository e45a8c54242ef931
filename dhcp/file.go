package dhcp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a [Store] in the file system, at the path it names. A missing directory is made when something is written: a disk that
// refuses today may take it tomorrow. Nothing stays open, since a host may have hundreds.
type File string

// Open is part of [Store].
func (f File) Open() (io.ReadCloser, error) { return os.Open(string(f)) }

// Append is part of [Store]. A new file's name is on disk, too, when it returns.
func (f File) Append(lines []byte) error {
	file, err := os.OpenFile(string(f), os.O_WRONLY|os.O_APPEND, 0)
	isNew := errors.Is(err, fs.ErrNotExist)
	if isNew {
		file, err = f.create()
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(lines); err != nil {
		return err
	}
	if err := file.Sync(); err != nil || !isNew {
		return err
	}
	return syncDirectory(string(f))
}

func (f File) create() (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(string(f), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}

// Replace is part of [Store]: a new file takes the name over once it is on disk.
func (f File) Replace(write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o755); err != nil {
		return err
	}
	temporary := string(f) + ".new"
	if err := writeFile(temporary, write); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := os.Rename(temporary, string(f)); err != nil {
		return err
	}
	return syncDirectory(string(f))
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	buffered := bufio.NewWriterSize(file, 64<<10)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return file.Sync()
}

// syncDirectory puts the name of path on disk (fsync(2): a new file's directory entry needs its own).
func syncDirectory(path string) error {
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer directory.Close()
	if err := directory.Sync(); err != nil {
		return fmt.Errorf("directory of %s: %w", path, err)
	}
	return nil
}
