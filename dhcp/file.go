package dhcp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// File is a [Store] in the file system, at the path it names. A missing directory is made when something is written: a disk that
// refuses today may take it tomorrow.
type File struct {
	path string
	file *os.File // for appending; nil until needed, and after Replace
}

// NewFile returns the store at path. Nothing is opened before it is used.
func NewFile(path string) *File { return &File{path: path} }

// Open is part of [Store].
func (f *File) Open() (io.ReadCloser, error) { return os.Open(f.path) }

// Append is part of [Store]. A new file's name is on disk, too, when it returns.
func (f *File) Append(lines []byte) error {
	if f.file == nil {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		f.file = file
		if err := syncDirectory(f.path); err != nil {
			return err
		}
	}
	if _, err := f.file.Write(lines); err != nil {
		return err
	}
	return f.file.Sync()
}

// Replace is part of [Store]: a new file takes the name over once it is on disk.
func (f *File) Replace(write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return err
	}
	temporary := f.path + ".new"
	if err := writeFile(temporary, write); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := os.Rename(temporary, f.path); err != nil {
		return err
	}
	f.Close() // the old content
	return syncDirectory(f.path)
}

// Close closes what Append keeps open. The store can be used again.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
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
